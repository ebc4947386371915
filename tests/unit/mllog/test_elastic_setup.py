"""The setup against a server that has everything: lifecycle policies, and lifecycles of data streams.

The node of the other tests lacks both (``tests/elasticsearch/``), so these calls are answered by a table here, in the
shapes of https://www.elastic.co/docs/api/doc/elasticsearch.
"""

from __future__ import annotations

import fnmatch
import json
import re
from types import SimpleNamespace
from typing import Any

import elasticsearch
import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig

from mllog.elastic import lifecycle, templates
from mllog.elastic.existing import retyped
from mllog.elastic.retention import DEFAULTS
from mllog.elastic.server import LackingError, Server, chunks, quoted
from mllog.elastic.setup import check, ensure, retention


def error(status: int, body: Any) -> elasticsearch.ApiError:
    node = NodeConfig("http", "localhost", 9200)
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.1, node)
    kind = {400: elasticsearch.BadRequestError, 403: elasticsearch.AuthorizationException, 404: elasticsearch.NotFoundError}
    return kind.get(status, elasticsearch.ApiError)("said", meta, body)


class Full:
    """A server of a full distribution, as far as a setup looks."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {kind: {} for kind in ("_ilm/policy", "_component_template", "_index_template", "_security/role")}
        self.streams: list[dict[str, Any]] = []
        self.indices: dict[str, dict[str, Any]] = {}
        self.puts: list[str] = []

    def perform_request(self, method: str, path: str, *, headers: Any, body: Any = None) -> Any:
        assert headers["accept"] == "application/json"
        return SimpleNamespace(body=self.answer(method, path.partition("?")[0].strip("/"), json.loads(json.dumps(body))))

    def answer(self, method: str, path: str, body: Any) -> Any:
        if method == "PUT":
            self.puts.append(path)
        kind = next((kind for kind in self.held if path.startswith(kind)), None)
        if kind is not None:
            return self.document(method, kind, path.removeprefix(kind).strip("/"), body)
        if path.startswith("_resolve/index/"):
            streams = [{"name": one["name"], "backing_indices": [f".ds-{one['name']}-000001"]} for one in self.streams]
            return {"data_streams": streams, "indices": [{"name": name} for name in self.indices], "aliases": []}
        if found := re.fullmatch(r"_data_stream/(.+)/_lifecycle", path):
            (stream,) = (one for one in self.streams if one["name"] == found[1])
            stream["lifecycle"] = {"enabled": True, **body}
            return {"acknowledged": True}
        if path.startswith("_data_stream/"):
            return {"data_streams": self.streams}
        if found := re.fullmatch(r"(.+)/_settings", path):
            self.indices[found[1]]["settings"]["index"]["lifecycle"] = {"name": body["index.lifecycle.name"]}
            return {"acknowledged": True}
        return {name: self.indices[name] for name in path.split(",") if name in self.indices}

    def document(self, method: str, kind: str, name: str, body: Any) -> Any:
        held = self.held[kind]
        if method == "PUT":
            held[name] = body
            return {"acknowledged": True}
        names = name.split(",")
        found = {key: value for key, value in held.items() if not name or any(fnmatch.fnmatch(key, one) for one in names)}
        if not found:
            raise error(404, {"error": {"type": "resource_not_found_exception"}})
        if kind == "_ilm/policy":
            return {key: {"version": 3, "modified_date": "2026-11-05", **value, "in_use_by": {"indices": []}} for key, value in found.items()}
        if kind == "_security/role":
            return {key: as_answered(value) for key, value in found.items()}
        word = kind.strip("_")
        return {f"{word}s": [{"name": key, word: value} for key, value in found.items()]}

    def index(self, name: str, row: str) -> None:
        """An index as its templates make it."""
        components = templates.component_templates()
        parts = [components[part]["template"] for part in self.held["_index_template"][row]["composed_of"][:-1]]
        settings = {"index": {**parts[1]["settings"]["index"], "uuid": "u"}}
        self.indices[name] = {"mappings": parts[0]["mappings"], "settings": settings}


def as_answered(role: dict[str, Any]) -> dict[str, Any]:
    """A role with what 9.5.2 adds to every one."""
    indices = [{**entry, "allow_restricted_indices": False} for entry in role["indices"]]
    added = {"cluster": [], "applications": [], "run_as": [], "transient_metadata": {"enabled": True}}
    return {**added, **role, "indices": indices}


@pytest.fixture
def full() -> Full:
    return Full()


def test_policies_are_put_before_the_templates_that_name_them(full: Full) -> None:
    """Once; and the second run changes nothing."""
    report = ensure(full)  # type: ignore[arg-type]
    assert not list(report.of("skipped"))
    assert full.puts[:3] == [f"_ilm/policy/mllog-{keep}" for keep in ("audit", "raw", "windows")]
    assert full.held["_index_template"]["mllog-window"]["template"]["settings"]["index"]["lifecycle"]["name"] == "mllog-windows"
    count = len(full.puts)
    again = ensure(full)  # type: ignore[arg-type]
    assert {item.state for item in again.items} == {"same"}
    assert len(full.puts) == count == len(report.items)


def test_a_changed_policy_is_seen(full: Full) -> None:
    """Somebody's shorter one is a difference, and a new retention changes it."""
    ensure(full)  # type: ignore[arg-type]
    full.held["_ilm/policy"]["mllog-windows"]["policy"]["phases"]["delete"]["min_age"] = "7d"
    (item,) = check(full).of("different")  # type: ignore[arg-type]
    assert (item.kind, item.name) == ("lifecycle policy", "mllog-windows")
    assert '-        "min_age": "7d"' in item.diff
    report = ensure(full, {"windows": 100})  # type: ignore[arg-type]
    assert full.held["_ilm/policy"]["mllog-windows"]["policy"]["phases"]["delete"]["min_age"] == "131d"
    assert {item.name for item in report.of("changed")} == {"mllog-windows", "mllog-profile", "mllog-window", "mllog-finding"}
    assert retention(full) == {**DEFAULTS, "windows": 100}  # type: ignore[arg-type]


def test_months_from_before_the_policies_get_one(full: Full) -> None:
    """The setting is added to what is there."""
    ensure(full)  # type: ignore[arg-type]
    full.index("mllog-window-2026.11", "mllog-window")
    (item,) = ensure(full).of("changed")  # type: ignore[arg-type]
    assert item.name == "mllog-window-2026.11"
    assert "+index.lifecycle.name: mllog-windows" in item.diff
    assert full.indices["mllog-window-2026.11"]["settings"]["index"]["lifecycle"] == {"name": "mllog-windows"}
    assert not ensure(full).changed  # type: ignore[arg-type]


def test_streams_follow_the_retention_unless_an_operator_gave_them_one(full: Full) -> None:
    """What has mllog's old one, or none, gets the new one."""
    ensure(full)  # type: ignore[arg-type]
    given = {"old": {"data_retention": "30d"}, "none": None, "own": {"data_retention": "3d"}, "foreign": {"data_retention": "30d"}}
    for name, lives in given.items():
        full.streams.append({"name": f"logs-mllog.prediction.{name}-default", "template": "mllog-events"})
        if lives is not None:
            full.streams[-1]["lifecycle"] = lives
    full.streams[-1]["template"] = "somebody"
    full.streams.append({"name": "logs-mllog.label.m-default", "template": "mllog-audit", "lifecycle": {"data_retention": "2557d"}})
    differing = [item.name for item in check(full, {"raw": 60}).of("different") if item.kind == "data stream"]  # type: ignore[arg-type]
    assert differing == ["logs-mllog.prediction.old-default retention", "logs-mllog.prediction.none-default retention"]
    ensure(full, {"raw": 60})  # type: ignore[arg-type]
    lives = {one["name"].split(".")[2].split("-")[0]: one["lifecycle"]["data_retention"] for one in full.streams}
    assert lives == {"old": "60d", "none": "60d", "own": "3d", "foreign": "30d", "m": "2557d"}
    assert not ensure(full).changed  # type: ignore[arg-type]


def test_a_newer_schema_is_left_alone(full: Full) -> None:
    """Whoever runs an older mllog beside a newer one takes nothing away from it."""
    ensure(full)  # type: ignore[arg-type]
    full.held["_index_template"]["mllog-run"]["_meta"]["schema"] = templates.SCHEMA + 1
    del full.held["_component_template"]["mllog-run@mappings"]
    full.puts.clear()
    report = ensure(full)  # type: ignore[arg-type]
    assert (report.newer, report.differs, report.changed, full.puts) == (True, True, False, [])


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "no handler found for uri [/_ilm/policy/x] and method [GET]"}),
        (405, {"error": "Incorrect HTTP method for uri [/_ilm/policy/x] and method [GET], allowed: [POST]", "status": 405}),
        (400, {"error": {"type": "invalid_index_name_exception", "reason": "Invalid index name [_data_stream], must not start with '_'."}}),
        (410, {"error": {"type": "api_not_available_exception", "reason": "not available when running in serverless mode"}}),
    ],
)  # fmt: skip
def test_what_a_server_lacks(status: int, body: Any) -> None:
    """Seen on 9.5.2 and 8.19.8 of Maven Central; 410 is a serverless project's."""

    def refuse(*_: Any, **__: Any) -> None:
        raise error(status, body)

    with pytest.raises(LackingError):
        Server(SimpleNamespace(perform_request=refuse)).ask("GET", "/_ilm/policy/x")  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_refusal_is_no_lack(status: int) -> None:
    """A user without the right must hear of it."""

    def refuse(*_: Any, **__: Any) -> None:
        raise error(status, {"error": {"reason": "action [cluster:admin/ilm/get] is unauthorized"}})

    with pytest.raises(elasticsearch.ApiError):
        Server(SimpleNamespace(perform_request=refuse)).ask("GET", "/_ilm/policy/x")  # type: ignore[arg-type]


def test_names_of_many_streams_fit_into_requests() -> None:
    """A request line may have 4 KiB; every name is asked for once."""
    names = [f".ds-logs-mllog.prediction.{'é' * 40}{k}-default-2026.11.30-000001" for k in range(200)]
    found = list(chunks(names))
    assert [name for chunk in found for name in chunk] == names
    assert max(len(quoted(*chunk)) for chunk in found) < 3_000
    assert len(found) > 10
    assert list(chunks([])) == []
    assert quoted("a b", "c/d", "logs-*", "x@mappings") == "a%20b,c%2Fd,logs-*,x@mappings"


def test_policies_delete_and_do_nothing_else() -> None:
    """No phase that a Basic licence hasn't, such as searchable snapshots."""
    for body in lifecycle.policies(DEFAULTS, {}).values():
        phases = body["policy"]["phases"]
        assert {name: list(phase["actions"]) for name, phase in phases.items()} == {"hot": [], "delete": ["delete"]}


def test_an_index_that_says_less_is_no_other_one(full: Full) -> None:
    """What it doesn't say is the default, and no reason for a new backing index; what differs is one, and is left in a month."""
    ensure(full)  # type: ignore[arg-type]
    full.index("mllog-window-2026.11", "mllog-window")
    ensure(full)  # type: ignore[arg-type]
    index = full.indices["mllog-window-2026.11"]["settings"]["index"]
    assert index.pop("codec") == "best_compression"
    (item,) = check(full).of("different")  # type: ignore[arg-type]
    assert (item.detail, item.diff) == ("codec can't be changed: it would be left", "-index.codec: default\n+index.codec: best_compression")
    full.held["_component_template"]["mllog@custom"] = {"template": {"settings": {"index": {"codec": "default"}}}}
    assert not check(full).differs  # type: ignore[arg-type]


def test_types_that_would_change() -> None:
    """Named with both; an object where a value should be is one too."""
    there = {"properties": {"a": {"type": "long"}, "b": {"properties": {"c": {"type": "text"}, "d": {"type": "date"}}}, "e": {"properties": {}}}}
    wanted = {"properties": {"a": {"type": "long"}, "b": {"properties": {"c": {"type": "keyword"}, "d": {"type": "date"}, "n": {"type": "long"}}}, "e": {"type": "long"}}}
    assert retyped(there, wanted) == ["b.c is text and should be keyword", "e is object and should be long"]


def test_a_role_that_somebody_changed_is_seen(full: Full) -> None:
    """What the server adds to every role is no difference; a right more, or a right to act as others, is."""
    ensure(full)  # type: ignore[arg-type]
    held = full.held["_security/role"]
    held["mllog_writer"]["indices"][0]["privileges"].append("read")
    held["mllog_viewer"]["run_as"] = ["elastic"]
    differing = list(check(full).of("different"))  # type: ignore[arg-type]
    assert [(item.kind, item.name) for item in differing] == [("role", "mllog_writer"), ("role", "mllog_viewer")]
    assert '-    "elastic"' in differing[1].diff.splitlines()
    ensure(full)  # type: ignore[arg-type]
    assert not check(full).differs  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_without_the_right_everything_else_is_done(full: Full, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some may look at roles and not change them."""
    answer = full.answer

    def refuse(asked: str, path: str, body: Any) -> Any:
        if path.startswith("_security") and asked in {method, "PUT"}:
            raise error(403, {"error": {"reason": "action [cluster:admin/xpack/security/role/get] is unauthorized"}})
        return answer(asked, path, body)

    monkeypatch.setattr(full, "answer", refuse)
    report = ensure(full)  # type: ignore[arg-type]
    (skipped,) = report.of("skipped")
    assert (skipped.name, "manage_security" in skipped.detail, report.differs) == ("roles", True, False)
    assert {item.kind for item in report.of("created")} == {"lifecycle policy", "component template", "index template"}
