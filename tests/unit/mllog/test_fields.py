from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, get_args

import pytest

from mllog.fields import EVENT, FINDING, TABLES, Type
from mllog.ruler import MISSING_KINDS, VIOLATION_KINDS
from mllog.testing import capture_events

if TYPE_CHECKING:
    from mllog.card import ModelCard


@pytest.mark.parametrize("table", sorted(TABLES))
def test_tables_are_sound(table: str) -> None:
    """Every field has one row, a type that there is, and a meaning; a map isn't also a field."""
    names = Counter(field.name for field in TABLES[table])
    assert max(names.values()) == 1
    assert {field.type for field in TABLES[table]} <= set(get_args(Type))
    assert all(field.meaning for field in TABLES[table])
    assert not {name.removesuffix(".*") for name in names if name.endswith(".*")} & set(names)
    assert not any(other.startswith(f"{name}.") for name in names for other in names)


def test_the_ruler_has_its_fields() -> None:
    """Each way of missing and each kind of violation has its field."""
    names = {field.name for field in EVENT}
    assert {f"ml.missing.{kind}" for kind in MISSING_KINDS} <= names
    assert {f"ml.violations.{kind}" for kind in (*VIOLATION_KINDS, "unexpected", "renamed")} <= names


def leaves(value: Any, path: str, known: dict[str, Any]) -> list[str]:
    """Paths of a document, no deeper than the table goes."""
    field = known.get(path)
    if not isinstance(value, dict) or (field is not None and field.type in {"object", "flattened"}):
        return [path]
    return [leaf for key, item in value.items() for leaf in leaves(item, f"{path}.{key}" if path else key, known)]


def test_everything_that_is_written_is_in_the_table(card: ModelCard) -> None:
    """No event of any kind has a field that the table doesn't know."""
    known = {field.name: field for field in EVENT}
    maps = tuple(name.removesuffix("*") for name in known if name.endswith(".*"))
    with capture_events(card=card, service={"name": "s", "version": "1", "environment": "e"}) as captured:
        log = captured.log
        row = {"distance": 9e9, "carrier": "ZZ", "hour": 7, "night": "x", "remarks": "new", "odd": [1], "wide": "x" * 9000}
        log.prediction(
            row, {"label": "a", "score": 0.5, "value": 2.0, "scores": {"a": 1}, "top_k": ["a"], "explanation": {"x": 1.0}, "more": 1},
            "id", trace_id="t", latency=0.1, labels={"k": "v"}, outcome="failure", error=ValueError("x"), message="m",
        )  # fmt: skip
        log.label("id", 1, annotator="me")
        log.kpi("revenue", 1.0, prediction_id="id", unit="EUR")
        log.step("join", 1, 1, duration=1.0)
        events = captured.events()
    paths = {leaf for event in events for leaf in leaves(event, "", known)}
    assert len(paths) > 50
    assert {path for path in paths if path not in known and not path.startswith(maps)} == set()


def test_findings_are_in_the_table() -> None:
    """Every attribute of a finding has its field, what it hands on to the report aside."""
    from dataclasses import fields

    from watchers.finding import Finding

    top = {field.name.partition(".")[0] for field in FINDING}
    assert {field.name for field in fields(Finding)} - top == {"evidence"}
