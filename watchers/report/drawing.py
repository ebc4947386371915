"""Drawing in SVG: time to the right, curves, bands, shaded spans; no script, colours by CSS class."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from zoneinfo import ZoneInfo

    from watchers.report.series import Values


@dataclass(frozen=True)
class TimeScale:
    """From moments to x."""

    start: dt.datetime
    end: dt.datetime
    left: float
    right: float

    def __call__(self, time: dt.datetime) -> float:
        """Where a moment is, kept within the drawing."""
        part = (time - self.start) / max(self.end - self.start, dt.timedelta(seconds=1))
        return self.left + min(max(part, 0.0), 1.0) * (self.right - self.left)

    def ticks(self, zone: ZoneInfo, most: int) -> list[tuple[float, str]]:
        """At most about ``most`` round moments: their x and their names."""
        hours = (self.end - self.start).total_seconds() / 3600
        step = next((s for s in (3, 6, 12, 24, 48, 96, 168, 336, 672, 1344) if hours / s <= most), 2688)
        local = self.start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        if step >= 168:
            local -= dt.timedelta(days=local.weekday())
        result = []
        while local <= self.end:
            if local >= self.start:
                name = f"{local:%H:%M}" if step < 24 and local.hour else f"{local.day} {local:%b}"
                result.append((self(local), name))
            local += dt.timedelta(hours=step)
        return result


@dataclass(frozen=True)
class Scale:
    """From values to y; logarithmic where ``log``."""

    low: float
    high: float
    top: float
    bottom: float
    log: bool = False

    @classmethod
    def around(
        cls,
        values: Iterable[Values],
        top: float,
        bottom: float,
        *,
        zero: bool = False,
        log: bool = False,
        least: float = 0.0,
    ) -> Scale:
        """A scale that holds ``values`` with some air; from 0 on where ``zero``, at least ``least`` high."""
        pooled = np.concatenate([np.ravel(v) for v in values] or [np.zeros(0)])
        pooled = pooled[np.isfinite(pooled) & ((pooled > 0) | (not log))]
        low, high = (float(pooled.min()), float(pooled.max())) if pooled.size else (0.1 if log else 0.0, 1.0)
        if log:
            return cls(low / 1.3, high * 1.3, top, bottom, log=True)
        low = 0.0 if zero else low
        high = max(high, low + least)
        air = 0.08 * (high - low) or abs(high) * 0.1 or 1.0
        return cls(low if zero else low - air, high + air, top, bottom)

    def __call__(self, value: float) -> float:
        """Where a value is, kept within the drawing."""
        if self.log:
            part = math.log(max(value, 1e-12) / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.bottom - min(max(part, 0.0), 1.0) * (self.bottom - self.top)

    def ticks(self) -> list[float]:
        """Two or three round values."""
        if self.log:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            return [10.0**p for p in powers][:4] or [math.sqrt(self.low * self.high)]
        rough = (self.high - self.low) / 2.2
        magnitude = 10 ** math.floor(math.log10(rough))
        step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= rough * 0.75)
        first = math.ceil(self.low / step)
        return [k * step for k in range(first, math.floor(self.high / step) + 1)]


@dataclass
class Picture:
    """An SVG in the making."""

    width: float
    height: float
    title: str
    description: str
    identity: str
    parts: list[Markup] = field(default_factory=list)

    def add(self, template: str, **values: object) -> None:
        """Add markup; every value is escaped."""
        self.parts.append(Markup(template).format(**{key: _short(value) for key, value in values.items()}))  # noqa: S704 - templates are literals of this package

    def text(self, x: float, y: float, words: str, style: str = "", anchor: str = "start") -> None:
        """Write."""
        self.add(
            '<text x="{x}" y="{y}" class="{s}" text-anchor="{a}">{w}</text>',
            x=x,
            y=y,
            s=style,
            a=anchor,
            w=words,
        )

    def shade(self, xs: tuple[float, float], ys: tuple[float, float], style: str, words: str, link: str = "") -> None:
        """Shade a span; it tells its name when pointed at, and may lead somewhere."""
        (x0, x1), (top, bottom) = xs, ys
        box = '<rect x="{x}" y="{y}" width="{w}" height="{h}" class="{s}"><title>{t}</title></rect>'
        if link:
            box = '<a href="#{l}" aria-label="{t}">' + box + "</a>"
        self.add(box, x=x0, y=top, w=max(x1 - x0, 1.2), h=bottom - top, s=style, t=words, l=link)

    def line(self, xs: Sequence[float], values: Values, scale: Scale, style: str) -> None:
        """A curve, broken where there is no value; a value between two gaps is a dot."""
        path, pen = [], False
        for k, (x, value) in enumerate(zip(xs, values, strict=True)):
            if not math.isfinite(value):
                pen = False
                continue
            path.append(f"{'L' if pen else 'M'}{_short(x)} {_short(scale(float(value)))}")
            alone = not pen and (k + 1 == len(xs) or not math.isfinite(values[k + 1]))
            if alone:
                path.append("h.1")
            pen = True
        if path:
            self.add('<path d="{d}" class="{s}"/>', d="".join(path), s=style)

    def band(self, xs: Sequence[float], low: Values, high: Values, scale: Scale, style: str) -> None:
        """The area between two curves, broken where either has no value."""
        run: list[int] = []
        path = []
        for k in range(len(xs) + 1):
            if k < len(xs) and math.isfinite(low[k]) and math.isfinite(high[k]):
                run.append(k)
            elif run:
                up = [f"{_short(xs[i])} {_short(scale(float(high[i])))}" for i in run]
                down = [f"{_short(xs[i])} {_short(scale(float(low[i])))}" for i in reversed(run)]
                path.append("M" + "L".join(up + down) + "Z")
                run = []
        if path:
            self.add('<path d="{d}" class="{s}"/>', d="".join(path), s=style)

    def frame(self, x: TimeScale, y: Scale, words: Callable[[float], str]) -> None:
        """Lines at round values and their names."""
        for value in y.ticks():
            at = y(value)
            self.add('<path d="M{a} {y}H{b}" class="grid"/>', a=x.left, b=x.right, y=at)
            self.text(x.left - 5, at + 3, words(value), "tick", "end")

    def times(self, x: TimeScale, zone: ZoneInfo, top: float, bottom: float, most: int) -> None:
        """Round moments below the drawing."""
        last = -math.inf
        for at, name in x.ticks(zone, most):
            self.add('<path d="M{x} {t}V{b}" class="grid"/>', x=at, t=top, b=bottom)
            if at - last > 5.5 * len(name) and at + 3 * len(name) < self.width:
                self.text(at, bottom + 11, name, "tick", "middle" if at - x.left > 12 else "start")
                last = at

    def svg(self) -> Markup:
        """The whole element."""
        head = Markup(
            '<svg viewBox="0 0 {w} {h}" role="img" aria-labelledby="{i}-t {i}-d">'
            '<title id="{i}-t">{t}</title><desc id="{i}-d">{d}</desc>'
        ).format(w=_short(self.width), h=_short(self.height), i=self.identity, t=self.title, d=self.description)
        return head + Markup("").join(self.parts) + Markup("</svg>")


def _short(value: object) -> object:
    """Numbers with one decimal, and none where it's zero: curves are most of the file."""
    if isinstance(value, float):
        text = f"{value:.1f}"
        return text.removesuffix(".0")
    return value if isinstance(value, Markup) else escape(str(value))
