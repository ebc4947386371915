"""Window documents: a profile as small typed documents, so that saved dashboards work for any model.

Of each hour: one document a metric and one a feature, and one for each of the most frequent values and tokens that
training never had. Of each hour that has :data:`BUSY` events, and of each day: the share of each bucket of a feature
beside its share in training. An hour of a few dozen events has no shares worth drawing. A day has its tokens once more.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mllog.ruler import LABEL, LATENCY, MISSING_KINDS, SCORE, VALUE, CellKey, Feature, Ruler
from watchers.profile import WindowProfile, merge
from watchers.quantiles import quantiles

Document = dict[str, Any]
Counts = npt.NDArray[np.int64]

DAY: Final = dt.timedelta(days=1)
BUSY: Final = 200
MOST_BUCKETS: Final = 20
MOST_TOKENS: Final = 20
MOST_UNSEEN: Final = 20
"""Of a feature."""

_QUANTILES: Final = {0.5: "p50", 0.95: "p95"}
_OUTPUTS: Final = {SCORE: "score", VALUE: "value", LATENCY: "latency"}


def documents(
    profiles: Sequence[WindowProfile],
    ruler: Ruler,
    training: Mapping[CellKey, int],
    day: Callable[[dt.datetime], Sequence[WindowProfile]],
) -> Iterator[Document]:
    """What follows from the profiles of hours, and of the days whose last hour (UTC) is among them.

    Args:
        profiles: Of one model's hours.
        ruler: Their layout.
        training: Counts of training by cell; empty where they aren't known.
        day: The profiles of the hours of a day, by its start.
    """
    for profile in profiles:
        yield from hour_documents(profile, ruler)
        if profile.n >= BUSY:
            yield from bucket_documents(profile, ruler, training)
    ends = {profile.window.end.astimezone(dt.UTC) for profile in profiles if profile.window.end is not None}
    for end in sorted(end for end in ends if end.hour == 0):
        hours = day(end - DAY)
        if hours:
            merged = merge(hours)
            yield from bucket_documents(merged, ruler, training)
            yield from token_documents(merged)


def hour_documents(profile: WindowProfile, ruler: Ruler) -> Iterator[Document]:
    """The metrics, features and new values of an hour; nothing of one without events or that couldn't be counted."""
    counts = _counts(profile)
    if counts is None:
        return
    n = int(counts[0])
    for name, value in _metrics(ruler, counts):
        yield _document(profile, "metric", n, metric={"name": name, "value": value})
    for feature in ruler.inputs:
        yield _feature(profile, ruler, feature, counts)
    yield from _unseen_values(profile, ruler, n)
    yield from token_documents(profile)


def bucket_documents(
    profile: WindowProfile, ruler: Ruler, training: Mapping[CellKey, int] | None = None
) -> Iterator[Document]:
    """The buckets of an hour or a day.

    Args:
        profile: Counts.
        ruler: Their layout.
        training: Counts of training by cell, where they are known.
    """
    counts = _counts(profile)
    if counts is None:
        return
    n = int(counts[0])
    for feature in ruler.features:
        if feature.is_input or feature.name in {LABEL, *_OUTPUTS}:
            about = {"name": feature.name, "kind": feature.kind}
            for value, share, reference in _buckets(ruler, feature, counts, training or {}):
                bucket = {"value": value, "share": share, "reference": reference}
                yield _document(profile, "bucket", n, feature=about, bucket=bucket)


def token_documents(profile: WindowProfile) -> Iterator[Document]:
    """The most frequent tokens of an hour or a day that training never had."""
    counts = _counts(profile)
    if counts is None:
        return
    for token, count in profile.names.get("token", Counter()).most_common(MOST_TOKENS):
        yield _document(profile, "token", int(counts[0]), token={"value": token, "count": count})


def key(document: Document) -> str:
    """What tells a window document from all others of its model's."""
    parts = (
        document["@timestamp"],
        document["window"]["seconds"],
        document["kind"],
        *(document.get(name, {}).get(part) for name, part in
          (("feature", "name"), ("bucket", "value"), ("unseen", "value"), ("token", "value"), ("metric", "name"))),
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _counts(profile: WindowProfile) -> Counts | None:
    counts = profile.total()
    return counts if profile.complete and counts.size and counts[0] else None


def _document(profile: WindowProfile, kind: str, n: int, **about: Any) -> Document:
    start, end = profile.window.start, profile.window.end
    assert start is not None
    assert end is not None
    return {
        "@timestamp": start.isoformat(),
        "kind": kind,
        "ml": {"model": {"name": profile.model, "version": sorted(profile.names.get("version", ()))}},
        "window": {"end": end.isoformat(), "seconds": int((end - start) / dt.timedelta(seconds=1))},
        "n": n,
        **about,
    }


def _metrics(ruler: Ruler, counts: Counts) -> Iterator[tuple[str, float]]:
    yield "predictions", float(counts[0])
    # Shares of hours can't be put together, numbers of events can.
    yield "failed", float(counts[1])
    yield "failures", float(counts[1] / counts[0])
    for name, called in _OUTPUTS.items():
        feature = ruler.by_name.get(name)
        if feature is None:
            continue
        bins = counts[[ruler.index[name, "bin", str(k)] for k in range(len(feature.edges) + 1)]]
        for q, suffix in _QUANTILES.items():
            if bins.sum():
                yield f"{called}.{suffix}", float(quantiles(feature, bins[None, :].astype(np.float64), q)[0])


def _feature(profile: WindowProfile, ruler: Ruler, feature: Feature, counts: Counts) -> Document:
    index, name, n = ruler.index, feature.name, int(counts[0])
    missing = {kind: int(counts[index[name, "missing", kind]]) for kind in MISSING_KINDS}
    document = _document(
        profile,
        "feature",
        n,
        feature={"name": name, "kind": feature.kind},
        missing={"rate": sum(missing.values()) / n, **{kind: count / n for kind, count in missing.items()}},
    )
    broken = [
        index[name, "violation", kind] for kind in ("type", "range", "category") if (name, "violation", kind) in index
    ]
    document["violations"] = {"rate": float(counts[broken].sum()) / n}
    unseen, of = _unseen(ruler, feature, counts)
    if of:
        document["unseen"] = {"rate": unseen / of, "count": unseen}
    return document


def _unseen(ruler: Ruler, feature: Feature, counts: Counts) -> tuple[int, int]:
    """How many values or tokens training never had, and of how many."""
    index, name = ruler.index, feature.name
    if feature.kind == "text":
        return int(counts[index[name, "unseen_tokens", ""]]), int(counts[index[name, "tokens", ""]])
    if feature.kind in {"category", "boolean"}:
        missing = sum(int(counts[index[name, "missing", kind]]) for kind in MISSING_KINDS)
        return int(counts[index[name, "violation", "category"]]), int(counts[0]) - missing
    return 0, 0


def _unseen_values(profile: WindowProfile, ruler: Ruler, n: int) -> Iterator[Document]:
    """The most frequent values of each category that training never had, and of the answers'."""
    for feature in ruler.features:
        about = {"name": feature.name, "kind": feature.kind}
        for value, count in profile.names.get(f"unseen:{feature.name}", Counter()).most_common(MOST_UNSEEN):
            yield _document(profile, "unseen", n, feature=about, unseen={"value": value, "count": count})


def _buckets(
    ruler: Ruler, feature: Feature, counts: Counts, training: Mapping[CellKey, int]
) -> Iterator[tuple[str, float, float | None]]:
    """The buckets of a feature: what each is called, its share, its share in training.

    Of categories the greatest ones; of a number each bin that it or training had, since a shift is read from one bin to
    the next.
    """
    what = {"number": "bin", "category": "category", "boolean": "category"}.get(feature.kind)
    keys = [key for key in feature.cells() if key[1] in {what, "other"}]
    if what is None or not keys:
        return
    held = counts[[ruler.index[key] for key in keys]]
    before = np.array([training.get(key, 0) for key in keys], dtype=np.float64)
    if not held.any():
        return
    if what == "bin":
        positions = np.flatnonzero(held + before)
    else:
        greatest = np.argsort(-held, kind="stable")[:MOST_BUCKETS]
        positions = greatest[held[greatest] > 0]
    for position in positions:
        reference = float(before[position] / before.sum()) if before.sum() else None
        yield _called(feature, keys[position]), float(held[position] / held.sum()), reference


def _called(feature: Feature, key: CellKey) -> str:
    """What a bucket is called; bins by their numbers first, so that their names' order is theirs."""
    _, what, which = key
    if what != "bin":
        return which or "(other)"
    k = int(which)
    low = f"{feature.edges[k - 1]:g}" if k else "-∞"
    high = f"{feature.edges[k]:g}" if k < len(feature.edges) else "∞"
    digits = len(str(len(feature.edges)))
    return f"{k:0{digits}d} [{low}, {high})"
