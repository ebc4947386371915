"""What changed when it began: ranked causes, each with its evidence.

A coincidence in time is no proof; so a cause names what appeared at the onset and how much of the traffic
it carries, and leaves the judgement to the reader.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from watchers.profile import WindowProfile

BEFORE: Final = dt.timedelta(hours=1)
AFTER: Final = dt.timedelta(hours=2)
LOOK_BACK: Final = dt.timedelta(hours=48)
_KINDS: Final = ("version", "environment", "host")
_CHANGED: Final = 5


def rank(
    segment: Mapping[str, str] | None,
    onset: dt.datetime,
    profiles: Sequence[WindowProfile],
    *,
    given: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Causes of what began at ``onset``, the most telling first.

    Args:
        segment: Segment that the leading finding names.
        onset: Since when.
        profiles: Profiles before and after the onset; without any only ``segment`` and ``given`` are known.
        given: Causes that the check itself handed on.

    Returns:
        ``{"kind", "value", "share"}``: ``share`` of the predictions since the onset, or None.
    """
    before, around = _split(onset, profiles)
    found = [dict(cause) for cause in given]
    total = sum(profile.n for profile in around)
    for field, value in (segment or {}).items():
        touched = sum(int(profile.total((field, value))[0]) for profile in around if profile.cells)
        share = touched / total if total else None
        found.append({"kind": "segment", "value": f"{field} = {value}", "share": _rounded(share)})
    if before and around:
        appeared = [cause for kind in _KINDS for cause in _appeared(kind, before, around)]
        found += sorted(
            appeared, key=lambda cause: (-(cause["share"] or 0), _KINDS.index(cause["kind"]), cause["value"])
        )
    unique = {(cause["kind"], cause["value"]): cause for cause in reversed(found)}
    return list(reversed(unique.values()))


def _split(onset: dt.datetime, profiles: Sequence[WindowProfile]) -> tuple[list[WindowProfile], list[WindowProfile]]:
    before, around = [], []
    for profile in profiles:
        start, end = profile.window.start, profile.window.end
        if start is None or end is None:
            continue
        if onset - LOOK_BACK <= start and end <= onset - BEFORE:
            before.append(profile)
        elif onset < end and start < onset + AFTER:
            around.append(profile)
    return before, around


def _counts(kind: str, profiles: Sequence[WindowProfile]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for profile in profiles:
        counts.update(profile.names.get(kind, {}))
    return counts


def _appeared(kind: str, before: Sequence[WindowProfile], around: Sequence[WindowProfile]) -> list[dict[str, Any]]:
    earlier, now = _counts(kind, before), _counts(kind, around)
    if not earlier:  # nothing is new where nothing was known
        return []
    total = sum(now.values())
    return [
        {
            "kind": kind,
            "value": _described(kind, name, earlier, [*before, *around]),
            "share": _rounded(count / total),
        }
        for name, count in now.items()
        if name not in earlier
    ]


def _described(kind: str, name: str, earlier: Counter[str], profiles: Sequence[WindowProfile]) -> str:
    """A version by its name; an environment by the packages that changed, where both manifests are known."""
    if kind != "environment":
        return name
    manifests = {fingerprint: packages for profile in profiles for fingerprint, packages in profile.manifests.items()}
    old, new = manifests.get(earlier.most_common(1)[0][0]), manifests.get(name)
    if not old or not new:
        return name
    changed = [
        f"{package} {old.get(package, 'absent')} → {new.get(package, 'absent')}"
        for package in sorted({*old, *new})
        if old.get(package) != new.get(package)
    ]
    shown = ", ".join(changed[:_CHANGED]) + (f" and {len(changed) - _CHANGED} more" if len(changed) > _CHANGED else "")
    return f"{name} ({shown})" if shown else name


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
