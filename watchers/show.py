"""``mllog show``: one decision, whole."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from mllog.places import parse, shown
from mllog.shipping.hiding import hide_passwords
from watchers.incidents import Incident, IncidentEvent, fold
from watchers.parts import find, join

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

_PACKAGES_SHOWN: Final = 12
_TITLES: Final = {
    "predict": "Prediction",
    "output": "Output",
    "label": "Label",
    "outcome": "Outcome",
    "explain": "Explanation",
    "kpi": "KPI",
    "cost": "Cost",
}


class Show:
    """The command, as ``mllog`` finds it by its entry point."""

    name = "show"
    help = "print one decision whole: inputs, output, labels, environment, incidents"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument(
            "prediction_id", metavar="PREDICTION_ID", help="the caller's id of a prediction, or an event's id"
        )
        parser.add_argument("--store", metavar="PLACE", required=True, help="where the events are, e.g. file:events")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def run(self, args: argparse.Namespace) -> int:
        """Print it; 3 where there is no such prediction."""
        place = shown(args.store)
        hide_passwords({"--store": {args.store: parse(args.store)}})
        from watchers.stores import open_store  # noqa: PLC0415 - duckdb takes a while

        try:
            decision = gather(open_store(args.store), args.prediction_id)
        except (OSError, ValueError) as error:
            print(f"mllog show: could not read {place}: {error}", file=sys.stderr)
            return 3
        if decision is None:
            print(
                f"mllog show: no event in {place} has the prediction id or event id {args.prediction_id!r}",
                file=sys.stderr,
            )
            return 3
        if args.json:
            print(json.dumps(decision, ensure_ascii=False, default=str))
        else:
            _print(decision)
        return 0


command = Show()


def gather(store: Any, prediction_id: str) -> dict[str, Any] | None:
    """All that ``store`` knows of one prediction; None where it knows nothing.

    Args:
        store: Has ``events_of``, ``manifest`` and ``incident_events``.
        prediction_id: ``ml.prediction_id`` or ``event.id``.

    Returns:
        ``joined`` (:func:`watchers.parts.join`), ``events``, all of them in time order, ``environment`` and
        ``incidents``.
    """
    events: list[dict[str, Any]] = store.events_of(prediction_id)
    if not events:
        return None
    named = next((str(own) for event in events if (own := find(event, "ml.prediction_id"))), None)
    if named not in {None, prediction_id}:  # asked for by the id of one of its events
        events = store.events_of(named)
    ids = {str(find(event, "event.id")) for event in events}
    fingerprint = next((str(f) for event in events if (f := find(event, "ml.environment"))), None)
    stored = [e if isinstance(e, IncidentEvent) else IncidentEvent.from_dict(e) for e in store.incident_events()]
    incidents = [incident.to_dict() for incident in fold(stored).values() if ids & {*incident.documents}]
    return {
        "prediction_id": prediction_id,
        "joined": join(events),
        "events": events,
        "environment": {
            "fingerprint": fingerprint,
            "manifest": store.manifest(fingerprint) if fingerprint else None,
        },
        "incidents": incidents,
    }


def _print(decision: Mapping[str, Any]) -> None:
    from rich.console import Console  # noqa: PLC0415 - not needed for --json
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)

    def section(title: str, rows: Sequence[tuple[str, Any]]) -> None:
        console.print(Text(title, style="bold"))
        table = Table(box=None, show_header=False, pad_edge=True)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows:  # Text, not str: square brackets in values are no markup
            table.add_row(Text(name), Text(value if isinstance(value, str) else json.dumps(value, default=str)))
        console.print(table)

    section("Decision", _joined(decision["joined"]))
    for event in decision["events"]:
        action = str(find(event, "event.action") or "event")
        section(f"{_TITLES.get(action, action)}  {find(event, '@timestamp') or ''}", _rows(event))
    environment = decision["environment"]
    if environment["fingerprint"]:
        section(f"Environment  {environment['fingerprint']}", _environment(environment["manifest"]))
    if not decision["incidents"]:
        console.print("No incident lists it.")
    for data in decision["incidents"]:
        incident = Incident.from_dict(data)
        rows = [
            ("state", incident.state),
            ("severity", incident.severity),
            ("since", data["onset"]),
            ("why", incident.message),
        ]
        section(f"Incident {incident.id}  {incident.title}", rows)


def _joined(joined: Mapping[str, Any]) -> list[tuple[str, Any]]:
    rows = [(name, part["value"]) for name, part in joined["parts"].items()]
    rows += [(f"{name} is missing", "no event of it is in this store") for name in joined["missing"]]
    for conflict in joined["conflicts"]:
        said = ", ".join(f"{json.dumps(one['value'], default=str)} at {one['at']}" for one in conflict["values"])
        rows.append((f"{conflict['part']} differs", f"{said}; the latest counts"))
    return rows


def _rows(event: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """An event's fields with dotted names; inputs under their own names."""
    rows: list[tuple[str, Any]] = []
    flat = _flatten(event)
    for name, value in flat.items():
        if not name.startswith(("ecs.", "data_stream.", "@timestamp", "event.action", "ml.bins", "ml.manifest")):
            rows.append((name.removeprefix("ml."), value))
    return rows


def _flatten(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            flat |= _flatten(value, f"{name}.")
        else:
            flat[name] = value
    return flat


def _environment(manifest: Mapping[str, Any] | None) -> list[tuple[str, Any]]:
    if not manifest:
        return [("manifest", "not in this store")]
    rows: list[tuple[str, Any]] = [(key, value) for key, value in manifest.items() if key != "packages"]
    packages = manifest.get("packages")
    if isinstance(packages, dict):
        shown = [f"{name} {version}" for name, version in sorted(packages.items())]
        more = f" and {len(shown) - _PACKAGES_SHOWN} more (--json)" if len(shown) > _PACKAGES_SHOWN else ""
        rows.append(("packages", ", ".join(shown[:_PACKAGES_SHOWN]) + more))
    return rows
