"""How long documents are kept: three classes, each with a default, each an option of ``mllog setup``."""

from __future__ import annotations

import math
import re
from typing import Final, Literal

from mllog.errors import SettingError

Class = Literal["raw", "windows", "audit"]

CLASSES: Final[dict[Class, tuple[str, str]]] = {
    "raw": ("30d", "predictions, metrics, pipeline steps, dead letters, runs of watchers"),
    "windows": ("400d", "profiles, windows and findings: a year and the weeks to compare with"),
    "audit": ("7y", "labels, deployments and changes of incidents"),
}
"""Class -> default, what it holds."""

_SPAN: Final = re.compile(r"\s*(\d{1,6})\s*([dwy])\s*", re.IGNORECASE)
_DAYS: Final = {"d": 1.0, "w": 7.0, "y": 365.25}
LONGEST_DAYS: Final = 36_525


def days(text: str, name: str) -> int:
    """Days of a span of time.

    Args:
        text: ``30d``, ``8w`` or ``7y``; a year is 365.25 days, rounded up.
        name: Of the option, for the error.

    Raises:
        SettingError: It is none, or not within 1 day and 100 years.
    """
    found = _SPAN.fullmatch(text)
    count = math.ceil(int(found[1]) * _DAYS[found[2].lower()]) if found else 0
    if not 1 <= count <= LONGEST_DAYS:
        raise SettingError(
            f"--{name} {text!r} is no time to keep documents: write days, weeks or years, 1d to 100y, e.g. "
            f"{CLASSES[name][0] if name in CLASSES else '30d'}",
            field=name,
            value=text,
        )
    return count


DEFAULTS: Final[dict[Class, int]] = {name: days(default, name) for name, (default, _) in CLASSES.items()}
"""Class -> days."""
