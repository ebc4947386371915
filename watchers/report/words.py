"""How the report writes numbers and times."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    import datetime as dt
    from zoneinfo import ZoneInfo


def moment(time: dt.datetime | None, zone: ZoneInfo, *, year: bool = False) -> str:
    """``Mon 3 Mar 14:00`` in ``zone``; a dash for None."""
    if time is None:
        return "–"
    local = time.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y %H:%M}" if year else f"{local:%a} {local.day} {local:%b %H:%M}"


def day(time: dt.datetime, zone: ZoneInfo) -> str:
    """``3 Mar 2026`` in ``zone``."""
    local = time.astimezone(zone)
    return f"{local.day} {local:%b %Y}"


def span(length: dt.timedelta) -> str:
    """``3 h``, ``2.5 days``."""
    hours = length.total_seconds() / 3600
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.1f} days".replace(".0 ", " ")


def share(value: float | None) -> str:
    """``31%``, ``0.4%``; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    percent = 100 * value
    digits = 0 if abs(percent) >= 9.95 or percent == 0 else 1 if abs(percent) >= 0.095 else 2
    return f"{percent:.{digits}f}".removesuffix(".0") + "%"


def number(value: float | None) -> str:
    """Three significant digits, thousands apart; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if abs(value) >= 999.5:
        return f"{value:,.0f}" if abs(value) < 1e7 else f"{value:.2e}"
    return f"{value:.3g}"


def seconds(value: float | None) -> str:
    """``12 ms``, ``1.3 s``; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value * 1000:.3g} ms" if value < 0.9995 else f"{value:.3g} s"


def marked(text: str) -> Markup:
    """``text`` with what stands between backticks set as code; everything in it stays text."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one that isn't closed
        return escape(text)
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(part) if k % 2 else escape(part) for k, part in enumerate(parts))


def clip(text: str, length: int) -> str:
    """``text``, cut with a mark where it's longer."""
    return text if len(text) <= length else text[: length - 1] + "…"
