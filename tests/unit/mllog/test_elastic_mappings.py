"""The table of fields as mappings, and the table of indices as templates; no server."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from mllog.elastic import lifecycle, templates
from mllog.elastic.comparing import difference, merged, normal, part
from mllog.elastic.indices import BY_NAME, INDICES, month_of, monthly, row_of
from mllog.elastic.mappings import LABELS_DEPTH, mapping, parameters
from mllog.elastic.retention import CLASSES, DEFAULTS, days
from mllog.errors import SettingError
from mllog.events import dataset
from mllog.fields import EVENT, KEYWORD_LENGTH, TABLES, Field
from mllog.values import DEPTH_LIMIT, NAME_LIMIT


def at(properties: dict[str, Any], name: str) -> dict[str, Any]:
    """Parameters of a dotted name."""
    *path, last = name.split(".")
    for step in path:
        properties = properties[step]["properties"]
    return properties[last]


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_field_is_mapped(table: str) -> None:
    """Each row of a table is one field or one map of its mapping, and there is nothing else in it."""
    made = mapping(TABLES[table])
    assert made["dynamic"] == "false"

    def leaves(properties: dict[str, Any], path: str = "") -> set[str]:
        return {
            leaf
            for name, found in properties.items()
            for leaf in (leaves(found["properties"], f"{path}{name}.") if "properties" in found else {f"{path}{name}"})
        }

    assert leaves(made["properties"]) == {field.name.removesuffix(".*") for field in TABLES[table]}
    maps = {next(iter(template)): next(iter(template.values())) for template in made.get("dynamic_templates", [])}
    for field in TABLES[table]:
        name = field.name.removesuffix(".*")
        found = at(made["properties"], name)
        if name != field.name:
            assert found == {"type": "object", "dynamic": "true", "subobjects": False}
            assert maps.pop(name)["path_match"] == field.name
        else:
            assert found["type"] == field.type
            assert found.get("enabled", True) == field.enabled
            assert found.get("index", True) == field.index
    assert maps == {}


def test_parameters_keep_documents_from_being_refused() -> None:
    """Long values lose their index entry, texts their norms; a data stream wants its time stamp strict."""
    made = mapping(EVENT)
    assert at(made["properties"], "ml.prediction_id") == {"type": "keyword", "ignore_above": KEYWORD_LENGTH}
    assert at(made["properties"], "labels")["depth_limit"] == LABELS_DEPTH > DEPTH_LIMIT
    assert at(made["properties"], "labels")["ignore_above"] == KEYWORD_LENGTH
    assert at(made["properties"], "error.stack_trace") == {"type": "text", "index": False, "norms": False}
    assert at(made["properties"], "message") == {"type": "text", "norms": False}
    assert at(made["properties"], "@timestamp") == {"type": "date", "ignore_malformed": False}
    assert at(made["properties"], "ml.inputs.other") == {"type": "object", "enabled": False}
    by_name = {next(iter(one)): next(iter(one.values())) for one in made["dynamic_templates"]}
    assert by_name["ml.inputs.number"]["mapping"] == {"type": "double", "index": False}
    assert by_name["ml.inputs.text"]["mapping"] == {"type": "text", "norms": False, "index_options": "docs"}
    assert by_name["ml.text"]["match_mapping_type"] == "long"
    assert "match_mapping_type" not in by_name["ml.inputs.number"]
    assert parameters(Field("x", "keyword", "", index=False)) == {"type": "keyword", "index": False, "ignore_above": 256}


def test_names_of_features_fit_where_they_stand_in_a_value() -> None:
    """`feature:bin` and `absent>unexpected` of the longest names."""
    made = mapping(EVENT)["properties"]
    assert at(made, "ml.bins")["ignore_above"] >= NAME_LIMIT + len("@length::9999")
    assert at(made, "ml.violations.renamed")["ignore_above"] >= 2 * NAME_LIMIT + 1


def test_templates_are_put_together_from_what_is_there() -> None:
    """Each names components that exist, the operator's own last; and says by whom and of which schema it is."""
    components = templates.component_templates()
    for name, body in templates.index_templates(DEFAULTS, policies=True).items():
        row = BY_NAME[name]
        *ours, custom = body["composed_of"]
        assert set(ours) <= set(components)
        assert components[ours[0]]["template"]["mappings"] == mapping(TABLES[row.table])
        assert [custom] == body["ignore_missing_component_templates"] == ["mllog@custom"]
        assert custom not in components
        assert ("data_stream" in body) == (row.kind == "stream")
        assert body["_meta"]["schema"] == templates.SCHEMA
        assert body["priority"] >= 300
    assert all(body["_meta"]["schema"] == templates.SCHEMA for body in components.values())
    assert {row.table for row in INDICES} == set(TABLES)
    stream = components["mllog-stream@settings"]["template"]["settings"]["index"]
    assert stream["mode"] == "standard"
    assert stream["mapping"]["total_fields"] == {"limit": "1000", "ignore_dynamic_beyond_limit": "true"}
    assert "synthetic" not in json.dumps(components)


def test_retention_is_where_the_server_looks_for_it() -> None:
    """Of data streams in the template, of months in a policy, where there are policies; single indices stay."""
    keep = {"raw": 5, "windows": 50, "audit": 500}
    for policies in (True, False):
        made = templates.index_templates(keep, policies=policies)  # type: ignore[arg-type]
        for row in INDICES:
            body = made[row.name]
            assert body["_meta"].get("keep") == (row.keep and {"class": row.keep, "days": keep[row.keep]})
            lives = body["template"].get("lifecycle", {}).get("data_retention")
            assert lives == (f"{keep[row.keep]}d" if row.kind == "stream" else None)
            policy = body["template"].get("settings", {}).get("index", {}).get("lifecycle", {}).get("name")
            assert policy == (f"mllog-{row.keep}" if policies and row.kind == "monthly" else None)
    made = lifecycle.policies(keep, {"schema": 1})  # type: ignore[arg-type]
    # An index is a month older than its youngest document.
    ages = {name: body["policy"]["phases"]["delete"]["min_age"] for name, body in made.items()}
    assert ages == {"mllog-raw": "36d", "mllog-windows": "81d", "mllog-audit": "531d"}


@pytest.mark.parametrize(
    ("text", "expected"), [("30d", 30), ("8w", 56), ("7y", 2557), (" 1 D ", 1), ("1y", 366), ("100y", 36525)]
)
def test_times_to_keep(text: str, expected: int) -> None:
    """Days, weeks and years, rounded up."""
    assert days(text, "raw") == expected


@pytest.mark.parametrize("text", ["", "30", "0d", "-1d", "1.5d", "30m", "30 days", "101y", "9999999d", "d", "٣d x"])
def test_impossible_times_to_keep(text: str) -> None:
    """The error names the option, the value and what to write."""
    with pytest.raises(SettingError, match=r"^--audit .* write days, weeks or years, 1d to 100y, e.g. 7y$") as raised:
        days(text, "audit")
    assert (raised.value.field, raised.value.value) == ("audit", text)


def test_defaults() -> None:
    """Raw events a month, windows more than a year, what auditors ask for seven."""
    assert DEFAULTS == {"raw": 30, "windows": 400, "audit": 2557}
    assert list(CLASSES) == ["raw", "windows", "audit"]


def test_months(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index is named by the document's month in UTC, wherever that is done; only such a name is read as one."""
    berlin = timezone(timedelta(hours=1))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert monthly("mllog-window", datetime(2026, 12, 1, 0, 30, tzinfo=berlin)) == "mllog-window-2026.11"
    finally:
        monkeypatch.undo()
        time.tzset()
    row, end = month_of("mllog-incident-event-2026.12")  # type: ignore[misc]
    assert (row.name, end) == ("mllog-incident-event", datetime(2027, 1, 1, tzinfo=UTC))
    for name in (
        "mllog-window-2026.13", "mllog-window-2026.00", "mllog-window-2026.1", "mllog-window-0000.01", "mllog-window-9999.12",
        "mllog-window", "mllog-incident-2026.11", "mllog-incidents-2026.11", "mllog-events-2026.11", "xmllog-window-2026.11",
        "mllog-window-2026.11-1", "mllog-window-2026.11\n", ".mllog-window-2026.11",
    ):  # fmt: skip
        assert month_of(name) is None, name


def test_only_whole_months_expire() -> None:
    """Until the last moment of a month is older than the retention, all of it stays."""
    names = ["mllog-window-2026.01", "mllog-run-2026.01", "mllog-window-2025.12", "mllog-cards", "other-2020.01"]
    keep = {"mllog-window": 10}
    ten_days_later = datetime(2026, 2, 11, tzinfo=UTC)
    found = lifecycle.expired(names, keep, ten_days_later)
    assert [name for name, *_ in found] == ["mllog-window-2025.12", "mllog-window-2026.01"]
    assert found[0][2] == datetime(2026, 2, 1, tzinfo=UTC)
    found = lifecycle.expired(names, keep, ten_days_later - timedelta(seconds=1))
    assert [name for name, *_ in found] == ["mllog-window-2025.12"]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        (f"logs-{dataset('prediction', 'A B-c')}-default", "mllog-events"),
        (f"logs-{dataset('label', 'A B-c')}-default", "mllog-audit"),
        (f"logs-{dataset('prediction', 'mllog.label.x')}-default", "mllog-events"),
        (f"logs-{dataset('deployment', 'm')}-prod", "mllog-audit"),
        (f"logs-{dataset('metric', 'm')}-prod", "mllog-events"),
        ("logs-mllog.deadletter-default", "mllog-events"),
        ("logs-nginx.access-default", None),
        ("logs-mllog.metric", None),
        ("mllog-incidents", "mllog-incidents"),
        ("mllog-incidents-old", None),
        ("mllog-run-2026.01", "mllog-run"),
    ],
)
def test_rows_by_name(name: str, row: str | None) -> None:
    """Which template makes what the writers name."""
    found = row_of(name)
    assert (found.name if found else None) == row


def test_templates_of_one_priority_never_match_one_name() -> None:
    """The server refuses such a pair."""
    for row in INDICES:
        for other in INDICES:
            if other is not row and other.priority == row.priority:
                assert not any(p.rstrip("*").startswith(q.rstrip("*")) for p in row.patterns for q in other.patterns if "*" in q)


def test_two_spellings_are_one() -> None:
    """What the server adds and how it spells is no difference; what somebody changed is."""
    ours = templates.index_templates(DEFAULTS, policies=False)["mllog-events"]
    theirs = json.loads(json.dumps(ours))
    theirs["template"]["lifecycle"]["enabled"] = True
    theirs["data_stream"] = {"hidden": False, "allow_custom_routing": False}
    theirs |= {"created_date_millis": 1, "modified_date_millis": 2}
    theirs["_meta"]["mllog"] = "9.9"
    assert difference(normal(theirs), normal(ours)) == ""
    theirs["priority"] = 299
    assert difference(normal(theirs), normal(ours)).splitlines()[-6:].count('-  "priority": "299",') == 1
    theirs["priority"] = 300
    theirs["template"]["lifecycle"]["data_retention"] = "31d"
    assert "31d" in difference(normal(theirs), normal(ours))


def test_a_field_may_be_called_like_what_the_server_adds() -> None:
    """`version`, `type` and `enabled` are names of fields too."""
    fields = normal({"properties": {"version": {"type": "keyword"}, "type": {"type": "keyword"}, "hidden": {"type": "long"}}})
    assert set(fields["properties"]) == {"version", "type", "hidden"}


def test_an_index_may_have_more_than_its_template() -> None:
    """Names of a map, and objects whose type it doesn't say; a field of another type is a difference."""
    wanted = normal(mapping(EVENT))
    there = json.loads(json.dumps(wanted))
    numbers = there["properties"]["ml"]["properties"]["inputs"]["properties"]["number"]
    del numbers["type"]
    numbers["properties"] = {"a": {"type": "double", "index": "false"}}
    assert difference(part(there, wanted), wanted) == ""
    there["properties"]["event"]["properties"]["id"]["type"] = "long"
    assert '-          "type": "long"' in difference(part(there, wanted), wanted)
    del there["properties"]["event"]["properties"]["id"]
    assert '+        "id": {' in difference(part(there, wanted), wanted)


def test_templates_merge_as_the_server_merges_them() -> None:
    """The later one holds, and what only one says stays."""
    assert merged({"a": {"x": 1, "y": 1}, "b": 1}, {"a": {"y": 2}, "c": 3}) == {"a": {"x": 1, "y": 2}, "b": 1, "c": 3}
