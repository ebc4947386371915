"""What a check is: it takes a view of a window and answers with tests. A new check is one new file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from watchers.finding import Finding
from watchers.statistics.rows import Array

if TYPE_CHECKING:
    from watchers.view import View


@dataclass(frozen=True, slots=True)
class Tests:
    """A check's answer: every test that it made, and how to say what a test found.

    Attributes:
        features: What each test is about, length T.
        p_values: shape (T,).
        passes: Whether envelope and floor are passed too; an alert needs this and a small enough q value.
        size: What to rank a feature's tests by, shape (T,).
        finding: From the position of a test to its finding (state and q value are filled in by the judge).
        judged: Whether each test could be made, shape (T,); None: all could.
        family: ``all``, or ``segment`` for tests within segments, which have a family of their own.
        facts: Findings that no test stands behind (a fingerprint that was never seen); alerts as they are.
    """

    features: Sequence[str | None] = ()
    p_values: Array = field(default_factory=lambda: np.zeros(0))
    passes: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    size: Array = field(default_factory=lambda: np.zeros(0))
    finding: Callable[[int], Finding] | None = None
    family: str = "all"
    judged: npt.NDArray[np.bool_] | None = None
    facts: Sequence[Finding] = ()


class Check(Protocol):
    """One way to break. A new check is one new file in ``watchers/checks`` with a ``check`` of this shape."""

    @property
    def name(self) -> str:
        """As in ``Finding.check``."""

    @property
    def immediate(self) -> bool:
        """Whether one window is enough: no variance could explain it."""

    @property
    def trained(self) -> bool:
        """Whether training tells what it expects, so that it has a say in :mod:`watchers.skew` too."""

    def __call__(self, view: View) -> Sequence[Tests]:
        """Judge a window."""


@dataclass(frozen=True)
class FunctionCheck:
    """A check made of a function."""

    name: str
    run: Callable[[View], Sequence[Tests]]
    immediate: bool = False
    trained: bool = False

    def __call__(self, view: View) -> Sequence[Tests]:
        """Judge a window."""
        return self.run(view)
