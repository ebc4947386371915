"""Takes secrets off this process's command line, where every user of the machine can read them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from mllog.errors import PlaceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mllog.places import Place


def hide_passwords(given: Mapping[str, Mapping[str, Place]]) -> None:
    """Become this process again, with the users in the places and the password in ``MLLOG_PASSWORD``.

    Does nothing where no password stands on the command line.

    Args:
        given: By option, the places that follow it, by their texts.

    Raises:
        PlaceError: Where there are different passwords, for which there is one variable.
    """
    shown: dict[str, str] = {}
    passwords: set[str] = set()
    for option, places in given.items():
        for text, place in places.items():
            if place.password is not None:
                hidden = _as_given(text, place)
                shown |= {text: hidden, f"{option}={text}": f"{option}={hidden}"}
                passwords.add(place.password)
    command = list(sys.orig_argv)
    if not any(part in shown for part in command) or not hasattr(os, "execve"):
        return
    if len(passwords) > 1:
        raise PlaceError(
            f"{len(passwords)} different passwords can't be taken off one command line: name one place at a time, "
            "its password in MLLOG_PASSWORD",
            field="password",
        )
    _become([shown.get(part, part) for part in command[1:]], "MLLOG_PASSWORD", passwords.pop())


def move_to_environment(option: str, given: Sequence[str], variable: str, value: str) -> None:
    """Become this process again, without an option and with a variable instead.

    Does nothing where the option doesn't stand on the command line.

    Args:
        option: Its name.
        given: Its values.
        variable: The variable's name.
        value: What it is to hold.
    """
    command = list(sys.orig_argv)
    kept: list[str] = []
    for part in command[1:]:
        if part in given and kept and kept[-1] == option:
            kept.pop()
        elif part not in {f"{option}={text}" for text in given}:
            kept.append(part)
    if len(kept) < len(command) - 1 and hasattr(os, "execve"):
        _become(kept, variable, value)


def _become(words: Sequence[str], variable: str, value: str) -> None:
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *words], {**os.environ, variable: value})  # noqa: S606 - itself


def _as_given(text: str, place: Place) -> str:
    """A URL that was given without its kind stays one."""
    kind = f"{place.kind}+"
    return str(place) if text.startswith(kind) else str(place).removeprefix(kind)
