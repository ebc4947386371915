"""The embedded store: a folder of NDJSON segments, counted by DuckDB in memory, results beside them.

There is no database file: a second process could not open it, not even to read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson

from mllog.card import ModelCard
from mllog.errors import PlaceError
from mllog.events import dataset
from mllog.ruler import MISSING_KINDS, Ruler
from watchers.finding import Window
from watchers.profile import WindowProfile
from watchers.stores._cards import BrokenCards
from watchers.stores._counting import HOUR, PredictionTable, connect, naive, raw_events
from watchers.stores._lease_files import FileRecords
from watchers.stores._leases import RecordLeases
from watchers.stores._results import (
    append,
    locked,
    read_appended,
    read_lines,
    read_object,
    rewrite_without,
    upsert,
    write_atomically,
)
from watchers.stores._segments import RESULTS, Segments
from watchers.stores.base import DocumentQuery, Leases, Rejected, StaleStateError
from watchers.times import shifted

_CARDS: Final = "_cards"
_RUNS: Final = 3000
"""Runs kept: two days of one a minute."""

_TOLD: Final = 20_000


def _category(name: str) -> str:
    """SQL for an input as :func:`mllog.ruler.category_key` writes it; ``name`` is the parameter that holds its name."""
    number = f"number[{name}]"
    whole = f"{number} = trunc({number}) AND abs({number}) < 1e38"
    text = f"CASE WHEN {whole} THEN CAST(CAST({number} AS HUGEINT) AS VARCHAR) ELSE CAST({number} AS VARCHAR) END"
    return f"coalesce(keyword[{name}], CAST(boolean[{name}] AS VARCHAR), {text})"


_KEY: Final = f"if($feature = '@label', label, {_category('$feature')})"


class FilesStore:
    """Events below a folder, as ``mllog.ModelLogger(sink="FOLDER")`` writes them.

    Args:
        folder: It must be there.

    Raises:
        mllog.errors.PlaceError: it isn't.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise PlaceError(
                f"store {str(folder)!r} is no folder; give the folder that the logger writes to (its sink)"
            )
        self._segments = Segments(self.folder)
        self._segments.refresh()
        self._table: PredictionTable | None = None
        self._broken = BrokenCards()

    def refresh(self) -> None:
        """Look for events that came since."""
        self._segments.refresh()
        self._table = None

    def _results(self, *parts: str) -> Path:
        return self.folder.joinpath(RESULTS, *parts)

    def models(self) -> list[str]:
        """Models that have predictions, by name."""
        return sorted({model for entry in self._segments.files.values() for model in entry.spans})

    def problems(self) -> list[str]:
        """Cards that can't be read; lines that are no events are counted as such."""
        return list(self._broken.problems)

    def cards(self) -> list[ModelCard]:
        """Cards that the loggers left, oldest first."""
        self._broken.clear()
        paths = sorted((self.folder / _CARDS).glob("*.json"), key=lambda path: (_modified(path), path.name))
        read = (self._broken.read(path.stem, f"card {str(path)!r}", partial(ModelCard.load, path)) for path in paths)
        return [card for card in read if card is not None]

    def broken_card(self, model: str) -> str | None:
        """Why the newest card of a model couldn't be read by :meth:`cards`; None where it could, or there is none."""
        return self._broken.of(model)

    def save_card(self, card: ModelCard) -> None:
        """Keep a card that the watchers made."""
        card.save(self.folder / _CARDS / card.file_name)

    def span(self, model: str) -> tuple[dt.datetime, dt.datetime] | None:
        """Least and greatest event time of a model's predictions."""
        spans = [entry.spans[model] for entry in self._segments.files.values() if model in entry.spans]
        if not spans:
            return None
        return dt.datetime.fromisoformat(min(s[0] for s in spans)), dt.datetime.fromisoformat(max(s[1] for s in spans))

    def latest(self) -> dt.datetime | None:
        """Greatest event time of any event."""
        latest = max((entry.latest for entry in self._segments.files.values()), default="")
        return dt.datetime.fromisoformat(latest) if latest else None

    def sample(self, model: str, start: dt.datetime, end: dt.datetime, limit: int) -> list[dict[str, Any]]:
        """Up to ``limit`` predictions of a span, spread evenly; none that sampling kept by a rule only."""
        found: dict[str, bytes] = {}
        for path in self._segments.paths(model, start, end):
            for line in Path(path).read_bytes().splitlines():
                event = orjson.loads(line) if line.strip() else {"event": {}}
                of_model = event["event"].get("action") == "predict" and event["ml"]["model"]["name"] == model
                if of_model and event["ml"]["model"].get("role") != "shadow" and event["ml"].get("sample") != "tail":
                    time = dt.datetime.fromisoformat(event["@timestamp"])
                    if start <= time < end:
                        found.setdefault(event["event"]["id"], line)
        lines = list(found.values())
        count = min(limit, len(lines))
        return [orjson.loads(lines[k * len(lines) // count]) for k in range(count)]

    def profiles(self, model: str, ruler: Ruler, start: dt.datetime, end: dt.datetime) -> Iterator[WindowProfile]:
        """Count predictions hour by hour: one profile for each hour of the span, empty ones too, in order."""
        # A day before is loaded too: findings of long windows want documents from it.
        early = shifted(start, -24 * HOUR)
        self._table = PredictionTable(
            self._segments.paths(model, early, end), model, ruler, start, end, load_from=early
        )
        deployed = sorted(
            (time, f) for entry in self._segments.files.values() for time, f, of in entry.deployed if of == model
        )
        manifests = {f: m for entry in self._segments.files.values() for f, m in entry.manifests.items()}
        for profile in self._table.profiles():
            window = profile.window
            assert window.start is not None
            assert window.end is not None
            low, high = window.start.isoformat(), window.end.isoformat()
            for time, fingerprint in deployed:
                if low <= time < high or fingerprint in profile.names.get("environment", {}):
                    manifest = manifests[fingerprint]
                    packages = manifest.get("packages") if isinstance(manifest, dict) else None
                    profile.manifests[fingerprint] = dict(packages) if isinstance(packages, dict) else {}
            yield profile

    def counts(self, model: str, start: dt.datetime, end: dt.datetime) -> dict[dt.datetime, int]:
        """Predictions by hour, copies too: as the files were read, so nothing is read for it."""
        found: dict[dt.datetime, int] = {}
        low, high = (moment.astimezone(dt.UTC).isoformat()[:13] for moment in (start, end))
        for entry in self._segments.files.values():
            for text, count in entry.hours.get(model, {}).items():
                if low <= text < high:
                    hour = dt.datetime.fromisoformat(f"{text}:00:00+00:00")
                    found[hour] = found.get(hour, 0) + count
        return found

    def _profile_file(self, model: str, day: dt.date) -> Path:
        return self._results("profiles", dataset("prediction", model), f"{day:%Y-%m-%d}.ndjson")

    def stored_profiles(self, model: str, ruler: Ruler, start: dt.datetime, end: dt.datetime) -> list[WindowProfile]:
        """Profiles written before, in order; those of another ruler are left aside."""
        found = []
        first, last = start.astimezone(dt.UTC).date(), end.astimezone(dt.UTC).date()
        # Of the files that are there: from one event of a wrong year on a span has hundreds of thousands of days.
        folder = self._results("profiles", dataset("prediction", model))
        days = sorted(dt.date(*map(int, path.stem.split("-"))) for path in folder.glob("*.ndjson"))
        for day in days:
            found += [
                WindowProfile.from_dict(document, ruler)
                for document in (read_lines(self._profile_file(model, day)) if first <= day <= last else ())
                if document["ruler"] == ruler.hash
                and start <= dt.datetime.fromisoformat(document["window"]["start"]) < end
            ]
        return sorted(found, key=lambda profile: profile.window.start or start)

    def write_profiles(self, profiles: Sequence[WindowProfile], ruler: Ruler) -> None:
        """Keep profiles; writing the same hour again replaces it."""
        days: dict[Path, list[dict[str, Any]]] = {}
        for profile in profiles:
            assert profile.window.start is not None
            hour = profile.window.start.astimezone(dt.UTC)
            document = {"id": f"{profile.ruler}-{hour.isoformat()}", **profile.to_dict(ruler)}
            days.setdefault(self._profile_file(profile.model, hour.date()), []).append(document)
        for path, documents in days.items():
            upsert(path, documents)

    def documents(
        self, model: str, window: Window, query: DocumentQuery, segment: Mapping[str, str] | None, limit: int
    ) -> list[str]:
        """Ids of the events that show a finding best; of the span that :meth:`profiles` counted last."""
        if self._table is None or self._table.model != model:
            return []
        assert window.start is not None
        assert window.end is not None
        where, order = _conditions(query)
        clauses = ["ts >= $start", "ts < $end", where]
        values: dict[str, Any] = {"start": naive(window.start), "end": naive(window.end)}
        for number, (field, value) in enumerate((segment or {}).items()):
            clauses.append(f"{_category(f'$field{number}')} = $value{number}")
            values |= {f"field{number}": field, f"value{number}": value}
        if query.kind == "unseen" and query.values:
            clauses.append(f"list_contains($values, {_KEY})")
            values["values"] = list(query.values)
        if "$feature" in " ".join((*clauses, order)):
            values["feature"] = query.feature
        if "$values" in where:
            values["values"] = list(query.values)
        return self._table.ids(f"{' AND '.join(clauses)} ORDER BY {order}, id LIMIT {int(limit)}", values)

    def events(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Events by their ids."""
        with connect() as connection:
            return {event["event"]["id"]: event for event in raw_events(connection, self._segments.paths(), ids)}

    def events_of(self, prediction_id: str) -> list[dict[str, Any]]:
        """Every event of one prediction (by ``ml.prediction_id`` or ``event.id``), in time order."""
        files = self._segments.paths()
        if not files:
            return []
        with connect() as connection:
            rows = connection.execute(
                "SELECT json FROM read_ndjson_objects($files, ignore_errors = true, maximum_object_size = 67108864) "
                "WHERE json_extract_string(json, '$.ml.prediction_id') = $id "
                "OR json_extract_string(json, '$.event.id') = $id",
                {"files": files, "id": prediction_id},
            ).fetchall()
        events = {event["event"]["id"]: event for event in (orjson.loads(text) for (text,) in rows)}
        return sorted(events.values(), key=lambda event: str(event["@timestamp"]))

    def event_files(self, start: dt.datetime) -> list[str]:
        """Files that may hold events of this time or later: lines of JSON, each an event."""
        return self._segments.paths(since=start)

    def manifest(self, fingerprint: str) -> dict[str, Any] | None:
        """The environment manifest behind a fingerprint."""
        for entry in self._segments.files.values():
            if fingerprint in entry.manifests:
                held: dict[str, Any] | None = entry.manifests[fingerprint]
                return held
        return None

    def rejected(self) -> list[Rejected]:
        """Lines that are no events."""
        return list(self._segments.rejected())

    def rejected_count(self) -> int:
        """How many lines are no events, all of them counted."""
        return sum(entry.rejected for entry in self._segments.files.values())

    def _findings_file(self, model: str) -> Path:
        return self._results("findings", f"{dataset('prediction', model)}.ndjson")

    def write_findings(self, model: str, findings: Sequence[Mapping[str, Any]]) -> None:
        """Keep findings (documents with an ``id``); writing one again replaces it."""
        if findings:
            upsert(self._findings_file(model), findings)

    def findings(self, model: str) -> list[dict[str, Any]]:
        """Findings of a model in time order."""
        return sorted(read_lines(self._findings_file(model)), key=lambda finding: str(finding["window"]["end"]))

    def write_incident_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Append incident events (documents with an ``id``); one that is there already is left as it is."""
        if events:
            upsert(self._results("incidents.ndjson"), events, keep=True)

    def incident_events(self, model: str | None = None) -> list[dict[str, Any]]:
        """Incident events in order: all, or those of a model's incidents."""
        events = read_lines(self._results("incidents.ndjson"))
        if model is None:
            return events
        ids = {event["incident"] for event in events if event["data"].get("model") == model}
        return [event for event in events if event["incident"] in ids]

    def _state_file(self, model: str) -> Path:
        return self._results("state", f"{dataset('prediction', model)}.json")

    def state(self, model: str) -> dict[str, Any]:
        """What the last run left for the next."""
        otherwise = "the next run begins anew, with the incidents that are open; messages that nobody got yet are lost"
        return read_object(self._state_file(model), otherwise) or {}

    def write_state(self, model: str, state: Mapping[str, Any], *, after: int | None = None) -> None:
        """Keep that, all or nothing; with ``after`` only where nobody wrote since."""
        path = self._state_file(model)
        with locked(path.with_suffix(".lock")):
            if after is not None and (held := self.state(model).get("number", 0)) != after:
                raise StaleStateError(f"state of model {model!r} is number {held}, not {after}")
            write_atomically(path, orjson.dumps(state))

    def withdraw_findings(self, model: str, ids: Sequence[str]) -> None:
        """Let findings be gone."""
        rewrite_without(self._findings_file(model), ids)

    def told(self, ids: Sequence[str]) -> set[str]:
        """Which of these messages were noted as told."""
        return set(ids) & {document["id"] for document in read_appended(self._results("told.ndjson"))} if ids else set()

    def write_told(self, document: Mapping[str, Any]) -> None:
        """Note that a message was brought to its receiver."""
        append(self._results("told.ndjson"), document, at_most=_TOLD)

    def write_run(self, document: Mapping[str, Any]) -> None:
        """Keep what a run says of itself."""
        append(self._results("runs.ndjson"), document, at_most=_RUNS)

    def runs(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest of those, oldest first."""
        return read_appended(self._results("runs.ndjson"), limit)

    def leases(self) -> Leases:
        """Leases that all schedulers of this folder share."""
        return RecordLeases(FileRecords(self._results("leases")))


_CONDITIONS: Final[dict[str, tuple[str, str]]] = {
    "missing": (" OR ".join(f'list_contains(missing."{kind}", $feature)' for kind in MISSING_KINDS).join("()"), "ts"),
    "unseen": ("list_contains(violations.category, $feature)", "ts"),
    "range": ("list_contains(violations.range, $feature)", "ts"),
    "type": ("list_contains(violations.type, $feature)", "ts"),
    "tokens": ("text[$feature].unseen > 0", "text[$feature].unseen DESC"),
    "category": (f"list_contains($values, {_KEY})", "ts"),
    "number": ("number[$feature] IS NOT NULL", "number[$feature] {side}"),
    "latency": ("duration IS NOT NULL", "duration DESC"),
    "bin": ("list_has_any(bins, $values)", "ts"),
    "environment": ("list_contains($values, environment)", "ts"),
    "failure": ("outcome = 'failure'", "ts"),
    # Without bins to look for the answer is a class.
    "unanswered": (
        "outcome IS DISTINCT FROM 'failure' AND if(len($values) > 0, NOT list_has_any(bins, $values), label IS NULL)",
        "ts",
    ),
    "any": ("true", "ts"),
}
"""By kind of query: an SQL condition with ``$feature`` and ``$values`` as parameters, and what comes first."""


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # a link to nowhere: that it can't be read is said by who reads it
        return 0


def _conditions(query: DocumentQuery) -> tuple[str, str]:
    where, order = _CONDITIONS[query.kind]
    return where, order.format(side="DESC" if query.side == "high" else "ASC")
