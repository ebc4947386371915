"""Filebeat, Fluent Bit and Vector in Logstash's place: their files are what they should be, by parsers and documentation.

None of the three was run. Keys are held against those that their documentation has (alternatives.json).
"""

from __future__ import annotations

import json
import pathlib
import re
import tomllib
from typing import Any

import pytest
import yaml
from support.pipelines import FOLDER

from mllog.shipping.destinations import streams
from mllog.shipping.segments import LINE_BYTES

KEYS = json.loads(pathlib.Path(__file__).with_name("alternatives.json").read_text())
FILES = {path.stem: path.read_text() for path in sorted((FOLDER / "alternatives").iterdir())}
FILEBEAT = yaml.safe_load(FILES["filebeat"])
FLUENT_BIT = yaml.safe_load(FILES["fluent-bit"])
VECTOR = tomllib.loads(FILES["vector"])
DATASETS = r"mllog\.((prediction|label)\.[a-z0-9_.]{1,80}|deployment|pipeline|metric)"


def known(tool: str, part: str, found: Any) -> None:
    unknown = set(found) - set(KEYS[tool][part])
    assert not unknown, f"{tool}, {part}: {unknown}"


def test_filebeats_keys_are_documented() -> None:
    """Inputs, parsers, processors and the output."""
    known("filebeat", "", FILEBEAT)
    (source,) = FILEBEAT["filebeat.inputs"]
    known("filebeat", "input filestream", source)
    for (name, options), kind in [
        *((next(iter(one.items())), "parser") for one in source["parsers"]),
        *((next(iter(one.items())), "processor") for one in FILEBEAT["processors"]),
    ]:
        known("filebeat", f"{kind} {name}", options)
    known("filebeat", "output elasticsearch", FILEBEAT["output.elasticsearch"])
    for rule in FILEBEAT["output.elasticsearch"]["indices"]:
        known("filebeat", "index", rule)


def test_fluent_bits_keys_are_documented() -> None:
    """Service, parsers and plugins."""
    known("fluent-bit", "", FLUENT_BIT)
    known("fluent-bit", "service", FLUENT_BIT["service"])
    known("fluent-bit", "pipeline", FLUENT_BIT["pipeline"])
    for parser in FLUENT_BIT["parsers"]:
        known("fluent-bit", "parser", parser)
    for kind, plugins in FLUENT_BIT["pipeline"].items():
        for plugin in plugins:
            known("fluent-bit", f"{kind.removesuffix('s')} {plugin['name']}", plugin)


def test_vectors_keys_are_documented() -> None:
    """Sources, transforms and sinks, with their tables."""
    known("vector", "", VECTOR)
    for kind in ("sources", "transforms", "sinks"):
        for component in VECTOR[kind].values():
            name = f"{component['type']}{' sink' if (kind, component['type']) == ('sinks', 'file') else ''}"
            known("vector", name, component)
            for part, options in component.items():
                if isinstance(options, dict):
                    known("vector", f"{name}.{part}", options)
    inputs = {name for kind in ("transforms", "sinks") for component in VECTOR[kind].values() for name in component["inputs"]}
    assert inputs == {"spool", "events", "events.dropped"}


def test_each_creates_under_our_id_in_our_stream() -> None:
    """`create`, `_id` = `event.id`, `logs-<event.dataset>-<namespace>`."""
    output = FILEBEAT["output.elasticsearch"]
    assert {"from": "event.id", "to": "@metadata._id"} in FILEBEAT["processors"][0]["copy_fields"]["fields"]
    assert output["indices"][0]["index"] == "logs-%{[event.dataset]}-${MLLOG_NAMESPACE:default}"
    assert output["index"] == "logs-mllog.reject-${MLLOG_NAMESPACE:default}"
    assert (FILEBEAT["setup.template.enabled"], FILEBEAT["setup.ilm.enabled"]) == (False, False)
    (es,) = FLUENT_BIT["pipeline"]["outputs"]
    assert (es["write_operation"], es["id_key"], es["target_index"]) == ("create", "$event['id']", "$mllog_stream")
    (lua,) = FLUENT_BIT["pipeline"]["filters"]
    assert '"logs-" .. event["dataset"] .. "-"' in lua["code"]
    sink = VECTOR["sinks"]["elasticsearch"]
    assert (sink["mode"], sink["bulk"]["action"], sink["id_key"]) == ("bulk", "create", "_mllog_id")
    assert sink["bulk"]["index"] == "logs-{{ event.dataset }}-${MLLOG_NAMESPACE:-default}"
    assert "._mllog_id = .event.id" in VECTOR["transforms"]["events"]["source"]


def test_events_keep_their_time() -> None:
    """Filebeat takes the JSON's, Vector has nothing else, and Fluent Bit writes one field of the name, in nanoseconds."""
    (source,) = FILEBEAT["filebeat.inputs"]
    assert source["parsers"][0]["ndjson"]["overwrite_keys"] is True
    (parser,) = FLUENT_BIT["parsers"]
    (es,) = FLUENT_BIT["pipeline"]["outputs"]
    assert (parser["time_key"], parser["time_keep"]) == ("@timestamp", False)
    assert (es["time_key"], es["time_key_nanos"]) == ("@timestamp", True)


def test_the_lists_of_datasets_are_mllogs() -> None:
    """Those of events: no dead letter and no reject can be sent in."""
    (rule,) = FILEBEAT["output.elasticsearch"]["indices"]
    assert rule["when.regexp"]["event.dataset"] == f"^{DATASETS}$"
    assert f"r'^{DATASETS}$'" in VECTOR["transforms"]["events"]["source"]
    for name in ("prediction.a_1.b", "label." + "a" * 80, "deployment", "pipeline", "metric", "reject", "deadletter",
                 "prediction.", "prediction.A", "label." + "a" * 81, "x"):  # fmt: skip
        ours = bool(streams._DATASET.fullmatch(f"mllog.{name}")) and name not in {"reject", "deadletter"}
        assert bool(re.fullmatch(DATASETS, f"mllog.{name}")) == ours, name


def test_no_line_is_too_long_for_them() -> None:
    """Each has a bound of its own, far below that of a spool."""
    assert FILEBEAT["filebeat.inputs"][0]["message_max_bytes"] == LINE_BYTES
    assert VECTOR["sources"]["spool"]["max_line_bytes"] == LINE_BYTES
    assert FLUENT_BIT["pipeline"]["inputs"][0]["buffer_max_size"] == f"{LINE_BYTES // 2**20}M"


def test_files_are_read_from_their_beginning() -> None:
    """What was written before they started is wanted too."""
    assert VECTOR["sources"]["spool"]["read_from"] == "beginning"
    assert FLUENT_BIT["pipeline"]["inputs"][0]["read_from_head"] is True
    (source,) = FILEBEAT["filebeat.inputs"]
    assert "ignore_older" not in source
    assert "file_identity.path" in source
    assert source["prospector.scanner.fingerprint.enabled"] is False


@pytest.mark.parametrize("tool", FILES)
def test_secrets_come_from_outside_and_tls_is_on(tool: str) -> None:
    """No password and no user in a file, none with a default; the certificate and the host are looked at."""
    words = re.findall(r"(?m)^\s*\"?(?:username|password|user|http_user|http_passwd)\"?\s*[:=]\s*(.*)$", FILES[tool])
    assert len(words) == 2
    assert all(re.fullmatch(r"\"?\$\{MLLOG_WRITER_(USER|PASSWORD)\}\"?", word) for word in words), words
    assert "https://" in FILES[tool] or FLUENT_BIT["pipeline"]["outputs"][0]["tls"] is True
    tls = {
        "filebeat": FILEBEAT["output.elasticsearch"]["ssl.verification_mode"] == "full",
        "fluent-bit": FLUENT_BIT["pipeline"]["outputs"][0]["tls.verify"] is True,
        "vector": VECTOR["sinks"]["elasticsearch"]["tls"]["verify_hostname"] is True,
    }
    assert tls[tool]


BREAKS = [
    ("filebeat", "overwrite_keys", "overwrite_key"), ("filebeat", "verification_mode: full", "verification_mode: none"),
    ("filebeat", "@metadata._id", "@metadata.id"), ("filebeat", "${MLLOG_WRITER_PASSWORD}", "changeme"),
    ("fluent-bit", "write_operation: create", "write_operation: index"), ("fluent-bit", "id_key", "id_field"),
    ("fluent-bit", "time_keep: off", "time_keep: on"), ("fluent-bit", "tls.verify: on", "tls.verify: off"),
    ("vector", 'action = "create"', 'action = "index"'), ("vector", 'id_key = "_mllog_id"', ""),
    ("vector", "max_line_bytes = 33554432", ""), ("vector", "verify_hostname = true", "verify_hostname = false"),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "text", "instead"), BREAKS)
def test_a_broken_file_is_caught(tool: str, text: str, instead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests above say fails for a copy in which one thing is broken."""
    assert text in FILES[tool]
    broken = FILES[tool].replace(text, instead, 1)
    tree = tomllib.loads(broken) if tool == "vector" else yaml.safe_load(broken)
    names = globals()
    monkeypatch.setitem(names, tool.upper().replace("-", "_"), tree)
    monkeypatch.setitem(FILES, tool, broken)
    checks = [check for name, check in names.items() if name.startswith("test_") and check.__code__.co_argcount == 0]
    found = 0
    for check in [*checks, lambda: test_secrets_come_from_outside_and_tls_is_on(tool)]:
        try:
            check()
        except (AssertionError, KeyError):
            found += 1
    assert len(checks) >= 8
    assert found
