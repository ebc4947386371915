"""Which lines of which files are events: each segment is read once, line by line, by a strict decoder.

DuckDB's reader fails wholly on one broken line, or makes a row of nulls of it, which looks like missing features. So
every line is decoded here first; what is no event is counted and named, with file and line.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from watchers.stores._results import write_atomically
from watchers.stores.base import Rejected

RESULTS: Final = "_watchers"
_REJECTS_KEPT: Final = 1000
_SETTLED: Final = 5.0
"""Seconds, a few flush intervals, after which a line without its end won't be finished any more."""

_CANONICAL: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z")
"""How the logger writes times. DuckDB would leave the offset of another zone aside."""

_SHAPES: Final[dict[str, type]] = {
    "bins": list, "unseen_tokens": list, "missing": dict, "violations": dict, "inputs": dict, "outputs": dict,
    "text": dict,
}  # fmt: skip
_PARTS: Final[dict[str, type]] = {"missing": list, "violations": list, "inputs": dict, "text": dict}
_JSON_TYPES: Final[dict[type, str]] = {list: "array", dict: "object"}
_INDEX: Final = 3
"""Version of the cache; one of another version is read anew."""


@dataclass(slots=True)
class SegmentFile:
    """What is known of one file of events.

    Attributes:
        size: Bytes when it was read.
        modified: Its modification time then, nanoseconds.
        events: Lines that are events.
        spans: Model -> [least, greatest] event time of its predictions, ISO 8601.
        latest: Greatest event time of all.
        rejects: [line, reason] of lines that are no events.
        rejected: How many there are (``rejects`` keeps the first thousand).
        broken: Whether it must be read through a clean copy.
        unfinished: Whether its last line was still being written.
        manifests: Fingerprint -> manifest, of its deployment events.
        deployed: [time, fingerprint, model] of its deployment events.
        hours: Model -> hour (``2026-03-02T14``, UTC) -> its predictions that count, copies too.
    """

    size: int
    modified: int
    events: int = 0
    spans: dict[str, list[str]] = field(default_factory=dict)
    latest: str = ""
    rejects: list[tuple[int, str]] = field(default_factory=list)
    rejected: int = 0
    broken: bool = False
    unfinished: bool = False
    manifests: dict[str, Any] = field(default_factory=dict)
    deployed: list[tuple[str, str, str]] = field(default_factory=list)
    hours: dict[str, dict[str, int]] = field(default_factory=dict)


class Segments:
    """The files of events below a folder, each read once for as long as it doesn't change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index = folder / RESULTS / "segments.json"
        self.files: dict[str, SegmentFile] = {}

    def refresh(self) -> None:
        """Look for new and changed files."""
        if not self.files and self._index.exists():
            try:
                held = json.loads(self._index.read_text(encoding="utf-8"))
                self.files = {
                    name: SegmentFile(**entry) for name, entry in held["files"].items() if held["version"] == _INDEX
                }
            except (ValueError, TypeError, KeyError, AttributeError):
                self.files = {}  # a cache: read everything anew
        found: dict[str, SegmentFile] = {}
        changed = False
        for path in sorted(self.folder.rglob("*.ndjson")):
            name = path.relative_to(self.folder).as_posix()
            if name.startswith((f"{RESULTS}/", "_dead/")):
                continue  # dead letters of mllog ship are no events
            known = self.files.get(name)
            try:
                status = path.stat()
                if known is None or self._changed(known, name, status.st_size, status.st_mtime_ns):
                    known = self._read(path, status.st_size, status.st_mtime_ns)
                    changed = True
            except FileNotFoundError:
                continue  # shipped and cleared away since it was listed
            found[name] = known
        changed |= found.keys() != self.files.keys()
        self.files = found
        if changed:
            index = {"version": _INDEX, "files": {name: asdict(entry) for name, entry in found.items()}}
            with contextlib.suppress(OSError):  # a cache: where it can't be kept, everything is read anew
                write_atomically(self._index, json.dumps(index).encode())

    def _changed(self, known: SegmentFile, name: str, size: int, modified: int) -> bool:
        """Whether what is known of a file holds no more."""
        if (known.size, known.modified) != (size, modified):
            return True
        # Nobody finished the last line: it is a reject now.
        if known.unfinished and not _still_written(modified):
            return True
        return known.broken and not self._clean(name).exists()

    def _clean(self, name: str) -> Path:
        return self.folder / RESULTS / "clean" / name

    def _read(self, path: Path, size: int, modified: int) -> SegmentFile:
        entry = SegmentFile(size, modified)
        good: list[bytes] = []
        with path.open("rb") as file:
            content = file.read(size)
        lines = content.split(b"\n")
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            taken = self._take(entry, line)
            if isinstance(taken, bytes):
                good.append(taken)
            elif number == len(lines) and _still_written(modified):
                entry.unfinished = True
            else:
                entry.rejected += 1
                if len(entry.rejects) < _REJECTS_KEPT:
                    entry.rejects.append((number, taken))
            entry.broken |= taken is not line
        entry.events = len(good)
        if entry.broken:
            write_atomically(
                self._clean(path.relative_to(self.folder).as_posix()), b"".join(line + b"\n" for line in good)
            )
        return entry

    @staticmethod
    def _take(entry: SegmentFile, line: bytes) -> bytes | str:
        """Note what a line says: the line, in UTC where it wasn't, or the reason why it is no event."""
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return f"not JSON: {error}"
        if not isinstance(event, dict):
            return "not a JSON object"
        meta, ml = event.get("event"), event.get("ml")
        if not isinstance(meta, dict) or not isinstance(meta.get("id"), str):
            return "no event.id"
        if (
            not isinstance(ml, dict)
            or not isinstance(ml.get("model"), dict)
            or not isinstance(ml["model"].get("name"), str)
        ):
            return "no ml.model.name"
        stamp = event.get("@timestamp")
        try:
            moment = dt.datetime.fromisoformat(stamp) if isinstance(stamp, str) else None
            utc = moment.astimezone(dt.UTC).isoformat() if moment and moment.tzinfo else None
        except (ValueError, OverflowError):
            utc = None
        if utc is None:
            return f"@timestamp {stamp!r} is no ISO 8601 time with a zone"
        predicted = meta.get("action") == "predict"
        misshapen = _misshapen(ml) if predicted else None
        if misshapen is not None:
            return misshapen
        model = ml["model"]["name"]
        entry.latest = max(entry.latest, utc)
        if predicted and ml["model"].get("role") != "shadow":
            span = entry.spans.setdefault(model, [utc, utc])
            span[0], span[1] = min(span[0], utc), max(span[1], utc)
            if ml.get("sample") != "tail":
                hours = entry.hours.setdefault(model, {})
                hours[utc[:13]] = hours.get(utc[:13], 0) + 1
        elif meta.get("action") == "deploy" and isinstance(ml.get("environment"), str):
            entry.manifests[ml["environment"]] = ml.get("manifest")
            entry.deployed.append((utc, ml["environment"], model))
        if _CANONICAL.fullmatch(str(stamp)):
            return line
        return orjson.dumps({**event, "@timestamp": utc.replace("+00:00", "Z")})

    def paths(
        self,
        model: str | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        *,
        since: dt.datetime | None = None,
    ) -> list[str]:
        """Files to read, clean ones: for a model's predictions in a span, or for all events since some time."""
        low = start.astimezone(dt.UTC).isoformat() if start else ""
        high = end.astimezone(dt.UTC).isoformat() if end else "~"
        chosen = []
        for name, entry in self.files.items():
            if not entry.events or (since is not None and entry.latest < since.astimezone(dt.UTC).isoformat()):
                continue
            if model is not None:
                span = entry.spans.get(model)
                if span is None or span[1] < low or span[0] >= high:
                    continue
            chosen.append(str(self._clean(name) if entry.broken else self.folder / name))
        return chosen

    def rejected(self) -> Iterator[Rejected]:
        """Every line that is no event (the first thousand of a file)."""
        for name, entry in self.files.items():
            for line, reason in entry.rejects:
                yield Rejected(name, line, reason)


def _still_written(modified: int) -> bool:
    """Whether a last line without its end may yet be finished: the file was written to within the last seconds."""
    return time.time() - modified / 1e9 < _SETTLED


def _misshapen(ml: dict[str, Any]) -> str | None:
    """What of a prediction's fields isn't of their shape: read as nulls it would look like missing features."""
    for name, shape in _SHAPES.items():
        value = ml.get(name)
        if value is None:
            continue
        if not isinstance(value, shape):
            return f"ml.{name} is no {_JSON_TYPES[shape]}"
        part = _PARTS.get(name)
        if part is not None:
            parts: dict[str, Any] = ml[name]
            for key, item in parts.items():
                if item is not None and not isinstance(item, part) and not (name == "inputs" and key == "other"):
                    return f"ml.{name}.{key} is no {_JSON_TYPES[part]}"
    return None
