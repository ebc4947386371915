"""The memory of the last verdicts of each check, by which passing noise is told from what lasts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from watchers.incidents.incident import LASTING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from watchers.finding import Finding, Window

Key = tuple[int, str, str | None, str | None]
"""Length of the window in hours, check, feature, segment's field."""

MEMORY: Final = 3
NEEDED: Final = 2
"""A check must alert in 2 of its last 3 judged windows."""


NOTHING: Final = frozenset({"no_data", "few_events"})
"""Where these speak, checks that say nothing weren't quiet: they had nothing to judge."""


def key_of(finding: Finding, length: int) -> Key:
    """What a finding is remembered under."""
    return length, finding.check, finding.feature, next(iter(finding.segment)) if finding.segment else None


def raises(finding: Finding) -> bool:
    """Whether it may open an incident."""
    return finding.state == "alert" and (finding.severity != "info" or finding.check in LASTING)


def onset_of(finding: Finding, window: Window) -> dt.datetime:
    """Since when, by the finding itself or by the window."""
    start = finding.onset or window.start or window.end
    if start is None:
        raise ValueError(f"a finding of {finding.check!r} without any time can't belong to an incident")
    return start


@dataclass(slots=True)
class JudgedWindow:
    """What the checks said of one window, by key."""

    window: Window
    length: int
    alerts: dict[Key, list[Finding]] = field(default_factory=dict)
    _verdicts: dict[Key, bool | None] = field(default_factory=dict)
    _known: bool = False
    _silent: bool = False

    @classmethod
    def of(cls, findings: Iterable[Finding], window: Window, length: int) -> JudgedWindow:
        """Sort the findings of ``window`` by key."""
        judged = cls(window, length)
        for finding in findings:
            key = key_of(finding, length)
            known = finding.state in {"ok", "alert"}
            judged._known |= known
            # Of an hour with hardly an event nothing is known but that.
            judged._silent |= finding.check in NOTHING and finding.state != "ok"
            if raises(finding):
                judged.alerts.setdefault(key, []).append(finding)
                judged._verdicts[key] = True
            elif known:
                judged._verdicts[key] = judged._verdicts.get(key) or False
            else:
                judged._verdicts.setdefault(key, None)
        return judged

    def onset(self, key: Key) -> dt.datetime:
        """The earliest onset that the alerts of ``key`` name."""
        return min(onset_of(finding, self.window) for finding in self.alerts[key])

    def verdict(self, key: Key) -> bool | None:
        """True: alerted; False: judged and quiet; None: not judged, which counts neither way.

        Checks speak of what is quiet only where they couldn't judge it; so a key that nobody mentions is quiet, if
        anything was judged.
        """
        if key in self._verdicts:
            return self._verdicts[key]
        return False if self._known and not self._silent else None


class Verdicts:
    """Last verdicts of every key that alerted lately."""

    def __init__(self, entries: Iterable[Mapping[str, Any]] = ()) -> None:
        self._recent: dict[Key, list[tuple[bool, str]]] = {}
        for entry in entries:
            length, check, feature, segment = entry["key"]
            self._recent[length, check, feature, segment] = [(bool(alert), onset) for alert, onset in entry["verdicts"]]

    def note(self, judged: JudgedWindow) -> None:
        """Remember a window."""
        for key in {*judged.alerts, *(key for key in self._recent if key[0] == judged.length)}:
            verdict = judged.verdict(key)
            if verdict is None:
                continue
            onset = judged.onset(key).isoformat() if verdict else ""
            held = [*self._recent.get(key, ()), (verdict, onset)][-MEMORY:]
            if any(alert for alert, _ in held):
                self._recent[key] = held
            else:  # forgotten: no alert among the last three is as good as none ever
                self._recent.pop(key, None)

    def lasting(self, key: Key) -> bool:
        """Whether it alerted often enough to be believed."""
        return sum(alert for alert, _ in self._recent.get(key, ())) >= NEEDED

    def onset(self, key: Key) -> dt.datetime:
        """The earliest onset among its alerts in memory."""
        return min(dt.datetime.fromisoformat(onset) for alert, onset in self._recent[key] if alert)

    def to_list(self) -> list[dict[str, Any]]:
        """As JSON types."""
        ordered: Sequence[Key] = sorted(self._recent, key=str)
        return [{"key": list(key), "verdicts": [list(verdict) for verdict in self._recent[key]]} for key in ordered]

    def suspected(self, clean: frozenset[str]) -> list[tuple[str, dt.datetime]]:
        """Features that alerted lately, by checks that aren't ``clean``, each with the earliest onset of the alerts.

        A check that names no feature stands for itself, behind an ``@``.
        """
        found: dict[str, dt.datetime] = {}
        for (_, check, feature, _), held in self._recent.items():
            if check not in clean:
                name = f"@{check}" if feature is None else feature
                for alert, onset in held:
                    if alert:
                        moment = dt.datetime.fromisoformat(onset)
                        found[name] = min(moment, found.get(name, moment))
        return sorted(found.items())
