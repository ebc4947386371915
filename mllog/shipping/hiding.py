"""Takes passwords off this process's command line, where every user of the machine can read them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from mllog.errors import PlaceError

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    sys.stdout.flush()
    environment = {**os.environ, "MLLOG_PASSWORD": passwords.pop()}
    os.execve(sys.executable, [sys.executable, *(shown.get(part, part) for part in command[1:])], environment)  # noqa: S606 - itself


def _as_given(text: str, place: Place) -> str:
    """A URL that was given without its kind stays one."""
    kind = f"{place.kind}+"
    return str(place) if text.startswith(kind) else str(place).removeprefix(kind)
