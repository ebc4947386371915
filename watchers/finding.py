"""A finding: what one check says of one feature in one window."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field, fields
from typing import Any, Literal

State = Literal["ok", "learning", "unknown", "alert"]
Severity = Literal["info", "warning", "critical"]

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class Window:
    """From ``start`` up to, not including, ``end``; both ``None`` where the data has no time."""

    start: dt.datetime | None = None
    end: dt.datetime | None = None

    @property
    def seconds(self) -> float:
        """Its length; 0 without times."""
        return (self.end - self.start).total_seconds() if self.start and self.end else 0.0


@dataclass(frozen=True, slots=True)
class Effect:
    """How large a change is, on the scale that ``name`` names, with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float


@dataclass(slots=True)
class Finding:
    """What one check says of one feature (and segment) in one window, alert or not.

    The attributes are the keys of every ``--json`` document.

    Attributes:
        check: Name of the check, e.g. ``missing``.
        feature: Input's name, ``@score``/``@label``/``@latency`` for outputs, None for a whole-model check.
        segment: ``{field: value}``, or None for all events.
        model: Model's name.
        version: Model's version where one version alone filled the window; None for two frames.
        window: What was judged.
        n: Events in it (of the segment, where there is one).
        reference: What was expected, on the scale of ``observed``.
        observed: What was seen.
        effect: Size of the difference with its interval.
        p_value: Of the check's test; None where a fact and not a test speaks.
        q_value: ``p_value`` after Benjamini-Hochberg over the checks of the model and window.
        state: ``ok``, ``learning`` (too little history), ``unknown`` (could not be judged) or ``alert``.
        severity: ``info`` is recorded (and opens an incident of ``training_skew``), ``warning`` and ``critical`` open
            incidents.
        onset: Since when.
        documents: ids of the worst events.
        message: One plain sentence.
        evidence: What the check wants to hand on: a table for the report, ranked causes.
    """

    check: str
    model: str
    window: Window
    n: int
    feature: str | None = None
    segment: dict[str, str] | None = None
    version: str | None = None
    reference: float | None = None
    observed: float | None = None
    effect: Effect | None = None
    p_value: float | None = None
    q_value: float | None = None
    state: State = "ok"
    severity: Severity = "warning"
    onset: dt.datetime | None = None
    documents: list[str] = field(default_factory=list)
    message: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As strict JSON types: times in ISO 8601, no NaN."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Finding:
        """Read what :meth:`to_dict` wrote; keys of a later version are left aside."""
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in data.items() if key in known}
        window = values["window"]
        values["window"] = Window(
            *(dt.datetime.fromisoformat(t) if t else None for t in (window["start"], window["end"]))
        )
        values["effect"] = Effect(**values["effect"]) if values.get("effect") else None
        values["onset"] = dt.datetime.fromisoformat(values["onset"]) if values.get("onset") else None
        return cls(**values)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | str | int):
        return value
    if hasattr(value, "tolist"):  # numpy's, of which no JSON encoder knows
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, Window):
        return {"start": _plain(value.start), "end": _plain(value.end)}
    if isinstance(value, Effect):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return [_plain(item) for item in sorted(value, key=str)]
    return value
