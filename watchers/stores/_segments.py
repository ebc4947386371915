"""Which lines of which files are events: each segment is read once, line by line, by a strict decoder.

DuckDB's reader fails wholly on one broken line, or makes a row of nulls of it, which looks like missing features. So
every line is decoded here first; what is no event is counted and named, with file and line.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from watchers.stores._results import write_atomically
from watchers.stores.base import Rejected

RESULTS: Final = "_watchers"
_REJECTS_KEPT: Final = 1000


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
        manifests: Fingerprint -> manifest, of its deployment events.
        deployed: [time, fingerprint] of its deployment events.
    """

    size: int
    modified: int
    events: int = 0
    spans: dict[str, list[str]] = field(default_factory=dict)
    latest: str = ""
    rejects: list[tuple[int, str]] = field(default_factory=list)
    rejected: int = 0
    broken: bool = False
    manifests: dict[str, Any] = field(default_factory=dict)
    deployed: list[tuple[str, str]] = field(default_factory=list)


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
                self.files = {name: SegmentFile(**entry) for name, entry in held.items()}
            except (ValueError, TypeError):
                self.files = {}  # a cache: read everything anew
        found: dict[str, SegmentFile] = {}
        changed = False
        for path in sorted(self.folder.rglob("*.ndjson")):
            name = path.relative_to(self.folder).as_posix()
            if name.startswith(RESULTS):
                continue
            status = path.stat()
            known = self.files.get(name)
            if known is None or (known.size, known.modified) != (status.st_size, status.st_mtime_ns):
                known = self._read(path, status.st_size, status.st_mtime_ns)
                changed = True
            found[name] = known
        changed |= found.keys() != self.files.keys()
        self.files = found
        if changed:
            write_atomically(self._index, json.dumps({name: asdict(entry) for name, entry in found.items()}).encode())

    def _clean(self, name: str) -> Path:
        return self.folder / RESULTS / "clean" / name

    def _read(self, path: Path, size: int, modified: int) -> SegmentFile:
        entry = SegmentFile(size, modified)
        good: list[bytes] = []
        with path.open("rb") as file:
            content = file.read(size)
        for number, line in enumerate(content.split(b"\n"), 1):
            if not line.strip():
                continue
            reason = self._take(entry, line)
            if reason is None:
                good.append(line)
            elif not (number == content.count(b"\n") + 1 and self._still_written(path)):
                entry.rejected += 1
                if len(entry.rejects) < _REJECTS_KEPT:
                    entry.rejects.append((number, reason))
            if reason is not None:
                entry.broken = True
        entry.events = len(good)
        if entry.broken:
            write_atomically(self._clean(path.relative_to(self.folder).as_posix()), b"".join(line + b"\n" for line in good))
        return entry

    @staticmethod
    def _still_written(path: Path) -> bool:
        """Whether a last line without its end may yet be finished: written to within the last seconds."""
        return dt.datetime.now(dt.UTC).timestamp() - path.stat().st_mtime < 5  # noqa: PLR2004 - a few flush intervals

    @staticmethod
    def _take(entry: SegmentFile, line: bytes) -> str | None:
        """Note what a line says; the reason where it is no event."""
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return f"not JSON: {error}"
        if not isinstance(event, dict):
            return "not a JSON object"
        meta, ml = event.get("event"), event.get("ml")
        if not isinstance(meta, dict) or not isinstance(meta.get("id"), str):
            return "no event.id"
        if not isinstance(ml, dict) or not isinstance(ml.get("model"), dict) or not isinstance(ml["model"].get("name"), str):
            return "no ml.model.name"
        time = event.get("@timestamp")
        try:
            moment = dt.datetime.fromisoformat(time) if isinstance(time, str) else None
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            return f"@timestamp {time!r} is no ISO 8601 time with a zone"
        utc = moment.astimezone(dt.UTC).isoformat()
        entry.latest = max(entry.latest, utc)
        if meta.get("action") == "predict":
            span = entry.spans.setdefault(ml["model"]["name"], [utc, utc])
            span[0], span[1] = min(span[0], utc), max(span[1], utc)
        elif meta.get("action") == "deploy" and isinstance(ml.get("environment"), str):
            entry.manifests[ml["environment"]] = ml.get("manifest")
            entry.deployed.append((utc, ml["environment"]))
        return None

    def paths(self, model: str | None = None, start: dt.datetime | None = None, end: dt.datetime | None = None) -> list[str]:
        """Files to read for a model's predictions in a span, clean ones."""
        low = start.astimezone(dt.UTC).isoformat() if start else ""
        high = end.astimezone(dt.UTC).isoformat() if end else "~"
        chosen = []
        for name, entry in self.files.items():
            if not entry.events:
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
