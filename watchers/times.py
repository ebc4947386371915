"""Times as commands take them."""

from __future__ import annotations

import datetime as dt


def moment_of(text: str) -> dt.datetime:
    """A time in ISO 8601; without a zone it is UTC.

    Raises:
        ValueError: it is none.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write ISO 8601, such as 2026-11-23T14:00+00:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
