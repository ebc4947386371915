"""The results as tables of text, for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.detection.targets import of, worse

Document = dict[str, Any]
Rows = list[list[str]]
MODES: Final = {"iid": "resampled", "real": "consecutive", "day": "one day, resampled"}
NOT_MEASURED: Final = "–"


@dataclass(frozen=True)
class Table:
    """A table: heading, columns, rows of text, what to say below, and whether a reader should see it first."""

    heading: str
    columns: tuple[str, ...]
    rows: Rows
    note: str = ""
    first: bool = False


def tables(document: Document) -> Iterator[Table]:
    """Every table that the measured parts allow."""
    parts = document["parts"]
    yield from _targets(document["targets"])
    for name in ("flights", "others"):
        if name in parts:
            yield from _windows(parts[name], name)
    if "events" in parts:
        yield _events(parts["events"])
    if "year" in parts:
        yield _years(parts["year"])
    if "speed" in parts:
        yield _speed(parts["speed"])
    errors = [[part, who, why] for part, found in parts.items() for who, why in found.get("errors", {}).items()]
    missing = [
        ["others", name, f"not installed: {why}"] for name, why in parts.get("others", {}).get("missing", {}).items()
    ]
    if errors or missing:
        yield Table("Not measured", ("part", "who", "why"), errors + missing)


def share(found: dict[str, Any] | None, *, scale: float = 100.0, digits: int = 0) -> str:
    """``92% (46 of 50; 81-97)``."""
    if found is None or found["value"] is None:
        return NOT_MEASURED
    unit = "%" if scale == 100.0 else ""
    value, low, high = (f"{scale * found[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value}{unit} ({of(found)}; {low}-{high})"


def _targets(rows: list[dict[str, Any]]) -> Iterator[Table]:
    lines = []
    for row in sorted(rows, key=lambda row: row["met"] is not False):
        met = {True: "met", False: "NOT met", None: "not measured"}[row["met"]]
        value = NOT_MEASURED if row["value"] is None else f"{row['value']:.3g}"
        lines.append(
            [row["what"], f"{'>=' if row['at_least'] else '<='} {row['limit']:.3g}", value, row["counts"], met]
        )
    missed = sum(row["met"] is False for row in rows)
    columns = ("target", "limit", "measured", "counts", "")
    yield Table(f"Targets NOT met: {missed} of {len(rows)}", columns, lines[:missed], first=True)
    yield Table("The other targets", columns, lines[missed:])


def _windows(part: dict[str, Any], name: str) -> Iterator[Table]:
    lines = []
    for row in part["false_alarms"]:
        groups = "; ".join(
            f"{group} {1_000 * found['value']:.0f}"
            for group, found in row["groups"].items()
            if found["value"] is not None
        )
        lines.append(
            [
                row["contender"],
                row["data"],
                MODES[row["mode"]],
                f"{row['rows']:,}",
                share(row["checks"], scale=1_000.0, digits=1),
                share(row["paging"], scale=1_000.0, digits=1),
                share(row["windows"]),
                groups,
                ", ".join(f"{who} {count}" for who, count in row["worst"].items()),
            ]
        )
    columns = (
        "contender",
        "data",
        "windows",
        "rows",
        "alerts per 1,000 checks",
        "of these warning or worse",
        "windows with any",
        "by group",
        "most often",
    )
    yield Table(f"False alarms: {name}", columns, lines)
    yield _matrix(part["power"], "found", f"Power: {name}", "Read each column with its false alarms.")
    named = [row for row in part["power"] if "named" in row]
    if named:
        yield Table(
            f"Segments: {name}",
            ("fault", "feature", "windows", "rows", "contender", "flagged", "segment named", "first of all"),
            [
                [
                    row["fault"],
                    row["feature"],
                    f"{row['data']}, {MODES[row['mode']]}",
                    f"{row['rows']:,}",
                    row["contender"],
                    share(row["found"]),
                    share(row["named"]),
                    share(row["named_first"]),
                ]
                for row in named
            ],
            "Peers name no segment.",
        )
    if part["delays"]:
        yield Table(
            f"Delay, windows of 200 rows: {name}",
            ("fault", "feature", "contender", "found within 2,000 rows", "median rows", "paged", "median rows"),
            [
                [
                    row["fault"],
                    row["feature"] or "any",
                    row["contender"],
                    share(row["found"]),
                    _number(row["median_rows"]),
                    share(row["paged"]) if row["contender"] == "mllog run" else NOT_MEASURED,
                    _number(row["median_page"]),
                ]
                for row in part["delays"]
            ],
            "The rows *clean* say how often the same contender alarms in ten windows without a fault.",
        )
    yield _matrix(
        part["equal"],
        "found",
        f"Power at equal false alarms: {name}",
        "Each peer's threshold set so that it alarms on the clean windows no more often than mllog does.",
        ours=True,
    )
    losing = worse(part["equal"])
    yield Table(
        f"Where a peer finds more at equal false alarms: {name}",
        ("peer", "fault", "feature", "windows", "rows", "peer", "mllog"),
        [
            [
                row["contender"],
                row["fault"],
                row["feature"],
                f"{row['data']}, {MODES[row['mode']]}",
                f"{row['rows']:,}",
                share(row["found"]),
                share(row["ours"]),
            ]
            for row in losing
        ],
        "" if losing else "Nowhere.",
        first=True,
    )


def _matrix(rows: list[dict[str, Any]], key: str, heading: str, note: str, *, ours: bool = False) -> Table:
    """A row for each place and fault, over its features; a column for each contender."""
    names = list(dict.fromkeys(row["contender"] for row in rows))
    cells: dict[tuple[str, str, int, str], dict[str, dict[str, int]]] = {}
    for row in rows:
        place = cells.setdefault((row["data"], row["mode"], row["rows"], row["fault"]), {})
        _add(place, row["contender"], row[key])
        if ours and row["contender"] == names[0]:
            _add(place, "mllog", row["ours"])
    columns = ["mllog", *names] if ours else names
    lines = []
    for (data, mode, size, fault), held in cells.items():
        found = []
        for name in columns:
            counts = held.get(name)
            found.append(
                f"{100 * counts['hits'] / counts['of']:.0f}% of {counts['of']}"
                if counts and counts["of"]
                else NOT_MEASURED
            )
        lines.append([fault, f"{data}, {MODES[mode]}", f"{size:,}", *found])
    return Table(heading, ("fault", "windows", "rows", *columns), lines, note)


def _add(place: dict[str, dict[str, int]], name: str, found: dict[str, Any]) -> None:
    held = place.setdefault(name, {"hits": 0, "of": 0})
    held["hits"] += found["hits"]
    held["of"] += found["of"]


def _holiday(features: list[str] | None) -> str:
    return NOT_MEASURED if features is None else ", ".join(features) or "not found"


def _number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:,.0f}"


def _events(part: dict[str, Any]) -> Table:
    return Table(
        "Real events: days of flights",
        (
            "contender",
            "storm days found",
            "July 4",
            "calm days with any",
            "warning or worse",
            "alerts per 1,000 checks, calm days",
        ),
        [
            [
                row["contender"],
                share(row["storms"]),
                _holiday(row["holiday"]),
                share(row["calm"]),
                share(row["calm_paging"]),
                share(row["checks"], scale=1_000.0, digits=1),
            ]
            for row in part["events"]
        ],
        "A storm day: at least 10 % of flights cancelled (18 in the year; those of the first 28 days have no history). "
        "A calm day: under 5 %.",
    )


def _years(part: dict[str, Any]) -> Table:
    lines = []
    real = part["real"]
    if "error" not in real:
        pages = f"{real['false_pages']} on {real['calm_days']} calm days ({real['pages']} on all)"
        rate = (
            f"{real['per_28_calm_days']:.2f} in 28 days "
            f"({real['unexplained_per_28']:.2f} neither of missing values nor of the weather alone)"
        )
        what = "; ".join(title[14:] for title in real["titles"][:5])
        cost = f"{1e3 * real['cpu'] / real['hours']:.0f}"
        lines.append(["real flights", "", pages, rate, NOT_MEASURED, NOT_MEASURED, what, cost])
    for row in part["years"]:
        if "error" in row:
            lines.append([row["noise"], str(row["seed"]), row["error"], *[""] * 5])
            continue
        checks = "; ".join(f"{name} {count}" for name, count in list(row["by_check"].items())[:5])
        lines.append(
            [
                row["noise"],
                str(row["seed"]),
                f"{row['pages']} in {row['months']:.1f} months",
                f"{row['pages_per_month']:.2f}",
                share(row["alerts"], scale=1_000.0, digits=2),
                share(row["windows"], digits=1),
                checks,
                f"{1e3 * row['cpu'] / row['hours']:.0f}",
            ]
        )
    return Table(
        "Hour by hour through `watchers run`, nothing broken: real flights and simulated years",
        (
            "noise",
            "seed",
            "pages",
            "pages per month",
            "alerts per 1,000 checks",
            "windows with any",
            "most frequent",
            "CPU ms an hour",
        ),
        lines,
        "40 features, one segment field of 4 values, 200 to 2,000 rows an hour; *slow* noise lasts for hours and has "
        "no target.",
    )


def _speed(part: dict[str, Any]) -> Table:
    lines = [
        [
            name,
            "; ".join(f"{key} {value:.2f} s" for key, value in parts.items()),
            f"{part['ratios'][name]:.1f}" if name in part["ratios"] else NOT_MEASURED,
        ]
        for name, parts in part["contenders"].items()
    ]
    store, decision, ours = part["store"], part["decision"], part["ours"]
    lines.append(["mllog from a store", f"count {ours['count']:.2f} s; decide {ours['decide']:.3f} s", "1.0"])
    return Table(
        "CPU of one window of 200,000 rows x 20 columns",
        ("contender", "CPU", "ratio to mllog from a store"),
        lines,
        f"Decision alone, 28 windows of history: {decision['median_ms']:.1f} ms CPU (first call "
        f"{decision['first_ms']:.1f}). "
        f"Counting by the store: {store['cpu_us_per_row']:.1f} µs a row over {store['rows']:,.0f} events, scaled.",
    )
