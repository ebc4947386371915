"""What Kibana doesn't say at an import and shows when a dashboard is opened, or never: found before.

Kibana checks two kinds of references and parses no panel; one that it can't read is dropped when somebody looks. So a
bundle is held here to what its panels must be; each rule is a function of one file of this folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kibana_objects.lint import fields, grid, layers, objects, references
from kibana_objects.lint.problem import Bundle, Problem
from mllog.errors import SettingError

Rule = Callable[[Bundle], Iterator[Problem]]

RULES: Final[tuple[Rule, ...]] = (*objects.RULES, *references.RULES, *grid.RULES, *layers.RULES, *fields.RULES)
"""In this order, since later ones read what earlier ones found to be readable."""


def lint(found: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """All that is wrong with saved objects that are imported together.

    Args:
        found: The objects of one import, or of several that go together.
    """
    bundle = Bundle(list(found))
    return [problem for rule in RULES for problem in rule(bundle)]


def read(files: Sequence[Path]) -> list[dict[str, Any]]:
    """The objects of NDJSON files.

    Raises:
        SettingError: A line is none; names file and line.
    """
    found = []
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                one = json.loads(line)
            except ValueError as error:
                raise SettingError(f"{file}:{number} is no JSON: {error}", field="file", value=str(file)) from error
            if not isinstance(one, dict):
                raise SettingError(f"{file}:{number} is no saved object", field="file", value=str(file))
            if "exportedCount" not in one:
                found.append(one)
    return found


__all__ = ["RULES", "Bundle", "Problem", "lint", "read"]
