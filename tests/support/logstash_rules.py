"""What must hold of the pipelines, each a sentence: for those of the repository, and for no broken copy of them."""

from __future__ import annotations

import json
import pathlib
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from support.logstash import ORIGINAL
from support.pipelines import VARIABLE, Pipelines, Plugin

from mllog.shipping.destinations import streams
from mllog.shipping.destinations.elasticsearch import ORIGINAL_BYTES
from mllog.shipping.segments import LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TABLES: Final = pathlib.Path(__file__).parents[1] / "logstash"
PLUGINS: Final[dict[str, Any]] = json.loads((TABLES / "plugins.json").read_text())
"""Options of each plugin that is used, by the documentation of its version; deprecated ones aren't in it."""
SETTINGS: Final[dict[str, Any]] = json.loads((TABLES / "settings.json").read_text())

NAMESPACE: Final = "${MLLOG_NAMESPACE:default}"
SECRETS: Final = {"user", "password", "api_key", "ssl_key_passphrase", "ssl_keystore_password", "cloud_auth"}
ID: Final = rf"\A[A-Za-z0-9._:-]{{1,{streams.ID_LENGTH}}}\z"
HASH: Final = r"\A[0-9a-f]{64}\z"
"""Patterns that an id may have been held against: neither is longer than the 512 bytes at which a batch is refused."""

RULES: Final[dict[str, Any]] = {}
"""Sentence -> what raises AssertionError where it doesn't hold."""


def rule(sentence: str) -> Callable[[Any], Any]:
    def keep(function: Any) -> Any:
        RULES[sentence] = function
        return function

    return keep


def broken(pipelines: Pipelines) -> Iterator[str]:
    """The sentences that don't hold."""
    for sentence, function in RULES.items():
        try:
            function(pipelines)
        except (AssertionError, AttributeError, KeyError, ValueError) as error:
            yield f"{sentence}: {error}"


def outputs(pipelines: Pipelines) -> list[Plugin]:
    return [plugin for plugin in pipelines.plugins() if (plugin.kind, plugin.name) == ("output", "elasticsearch")]


def texts(value: Any) -> Iterator[str]:
    """Every text in an option."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from texts(name)
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)


def fields(plugin: Plugin) -> set[str]:
    """The fields that a plugin's options put in by ``%{...}``."""
    return {name for value in plugin.options.values() for text in texts(value) for name in re.findall(r"%\{([^}]+)\}", text)}


def fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a type of the table; what a variable stands for is known at the start only."""
    if isinstance(value, str) and VARIABLE.search(value):
        return kind != "hash"
    if isinstance(kind, list):
        return value in kind
    if kind.startswith("list of "):
        return all(fits(part, kind.removeprefix("list of ")) for part in (value if isinstance(value, list) else [value]))
    if kind == "duration":
        return re.fullmatch(r"\d+(\.\d+)? ?(w|d|h|m|s|ms|us|weeks?|days?|hours?|min|sec|seconds?|minutes?)", str(value)) is not None
    types = {"number": (int, float), "boolean": bool, "hash": dict, "array": (list, str), "codec": (str, Plugin)}
    return isinstance(value, types.get(kind, str)) and (kind != "number" or not isinstance(value, bool))


@rule("every plugin is one that Logstash brings along, and every option one of its own, of its type")
def options_are_documented(pipelines: Pipelines) -> None:
    for plugin in pipelines.plugins():
        table = PLUGINS[f"{plugin.kind}/{plugin.name}"]
        known = PLUGINS[plugin.kind]["options"] | table["options"]
        for name, value in plugin.options.items():
            assert name in known, f"{plugin.name} has no option {name}"
            assert fits(value, known[name]), f"{plugin.name}: {name} => {value!r} is no {known[name]}"
        missing = set(table.get("required", ())) - set(plugin.options)
        assert not missing, f"{plugin.name} needs {missing}"


@rule("every plugin has an id of its own, by which it is found in the statistics")
def ids_are_there(pipelines: Pipelines) -> None:
    counts = Counter(plugin.id for plugin in pipelines.plugins() if plugin.kind != "codec")
    assert "" not in counts, "a plugin without an id"
    assert set(counts.values()) == {1}, counts


@rule("every setting is one of Logstash's, and one that a pipeline may have where it stands there")
def settings_are_documented(pipelines: Pipelines) -> None:
    for allowed, rows in (("settings", [pipelines.settings]), ("of a pipeline", pipelines.list)):
        for name, value in ((name, value) for row in rows for name, value in row.items()):
            assert name in SETTINGS[allowed], f"{name} is no setting"
            assert value in SETTINGS["values"].get(name, [value]), f"{name}: {value}"


@rule("every queue is on the disk")
def queues_are_persisted(pipelines: Pipelines) -> None:
    for row in pipelines.list:
        assert row.get("queue.type", pipelines.settings.get("queue.type")) == "persisted", row
        size = row["queue.max_bytes"]
        found = re.fullmatch(r"(?:\$\{\w+:)?(\d+)(mb|gb)\}?", size)
        assert found, size
        assert int(found[1]) * {"mb": 1, "gb": 1024}[found[2]] >= 64, f"{size}: no room for one page"


@rule("what a crash leaves in a queue is taken up again")
def pipelines_recover(pipelines: Pipelines) -> None:
    assert (pipelines.settings["pipeline.recoverable"], pipelines.settings["config.reload.automatic"]) == ("auto", True)
    assert not any("pipeline.recoverable" in row for row in pipelines.list)


@rule("what Elasticsearch refuses goes to a dead-letter queue, 413 too, but for dead letters themselves")
def refused_events_are_kept(pipelines: Pipelines) -> None:
    on = {row["pipeline.id"]: row.get("dead_letter_queue.enable") for row in pipelines.list}
    assert on == {"mllog-events": True, "mllog-rejects": True, "mllog-deadletters": False}
    assert pipelines.settings["dead_letter_queue.storage_policy"] == "drop_older"
    for name, kept in on.items():
        for plugin in (plugin for section in pipelines.of(name) for plugin in section.plugins()):
            if (plugin.kind, plugin.name) == ("output", "elasticsearch"):
                # A configuration error where there is no dead-letter queue.
                assert plugin.options.get("dlq_custom_codes") == ([413] if kept else None), plugin.id
                assert "drop_error_types" not in plugin.options


@rule("dead letters are read from the queue of the events, and once")
def dead_letters_are_read(pipelines: Pipelines) -> None:
    (reader,) = [plugin for plugin in pipelines.plugins() if plugin.name == "dead_letter_queue"]
    assert reader.options["pipeline_id"] == "mllog-events"
    assert reader.options.get("commit_offsets") is True
    # Segments that were read stay for their week: what fails here is nowhere else.
    assert reader.options.get("clean_consumed", False) is False


@rule("each pipeline writes to one place, so that none waits for another")
def outputs_are_isolated(pipelines: Pipelines) -> None:
    listening = {plugin.options["address"] for plugin in pipelines.plugins() if "address" in plugin.options}
    sending = {address for plugin in pipelines.plugins() for address in plugin.options.get("send_to", ())}
    assert sending == listening
    for row in pipelines.list:
        plugins = [plugin for section in pipelines.of(row["pipeline.id"]) for plugin in section.plugins()]
        assert sum((one.kind, one.name) == ("output", "elasticsearch") for one in plugins) == 1, row


@rule("the first filter drops the client's @metadata, whatever the event is")
def metadata_goes_first(pipelines: Pipelines) -> None:
    first = pipelines.filters("mllog-events")[0]
    assert isinstance(first, Plugin), "a condition comes first"
    assert first.name == "mutate"
    assert "@metadata" in first.options.get("remove_field", ())


@rule("documents are created and never changed, in data streams whose templates are mllog's")
def documents_are_created(pipelines: Pipelines) -> None:
    assert len(outputs(pipelines)) == 3
    for plugin in outputs(pipelines):
        wanted = {"action": "create", "data_stream": "false", "manage_template": False}
        assert wanted.items() <= plugin.options.items(), plugin.id
        others = {"pipeline", "routing", "script", "upsert", "doc_as_upsert", "version", "version_type", "parameters",
                  "bulk_path", "custom_headers", "sniffing"} & set(plugin.options)  # fmt: skip
        assert not others, f"{plugin.id}: {others}"


@rule("an index is made of our own words, our own @metadata and this Logstash's namespace")
def indices_are_ours(pipelines: Pipelines) -> None:
    assert [plugin.options["index"] for plugin in sorted(outputs(pipelines), key=lambda one: one.id)] == [
        f"logs-{streams.DEAD_LETTERS}-{NAMESPACE}",
        f"logs-%{{[@metadata][dataset]}}-{NAMESPACE}",
        f"logs-mllog.reject-{NAMESPACE}",
    ]


@rule("no option puts in a field that a client has written, but for an id that was looked at")
def no_client_field_is_put_in(pipelines: Pipelines) -> None:
    for plugin in pipelines.plugins():
        for name in fields(plugin):
            ours = name.startswith(("[@metadata]", "{TIME_NOW"))
            assert ours or (plugin.kind, name) == ("output", "[event][id]"), f"{plugin.id}: {name}"


@rule("each document's id was held against a pattern of ids, from its first letter to its last")
def ids_are_guarded(pipelines: Pipelines) -> None:
    for plugin in outputs(pipelines):
        found = re.fullmatch(r"%\{(.+)\}", plugin.options["document_id"])
        assert found, f"{plugin.id}: more than one field"
        guards = {term for holds, condition in plugin.inside if holds for term in condition.terms
                  if condition.joined == "and"}  # fmt: skip
        assert guards & {(found[1], "=~", ID), (found[1], "=~", HASH)}, f"{plugin.id}: {guards}"


@rule("a client's field is copied only where it is known to be a text")
def copies_are_guarded(pipelines: Pipelines) -> None:
    for plugin in pipelines.plugins():
        for source in plugin.options.get("copy", {}):
            terms = {term[:2] for holds, condition in plugin.inside if holds for term in condition.terms}
            ours = source.startswith("[@metadata]")
            name = source if source.startswith("[") else f"[{source}]"
            assert ours or (name, "=~") in terms, f"{plugin.id}: {source}"


@rule("lower case is made of ASCII only: JRuby makes nothing of some longer texts")
def lower_case_is_of_ascii(pipelines: Pipelines) -> None:
    found = [plugin.options for plugin in pipelines.plugins() if "lowercase" in plugin.options]
    assert len(found) == 1
    for options in found:
        assert set(options) == {"id", "gsub", "lowercase"}
        assert options["gsub"][-3:] == [*options["lowercase"], "[^A-Za-z0-9_.]", "_"]


@rule("secrets come from the keystore or the environment, and have no default")
def secrets_are_outside(pipelines: Pipelines) -> None:
    for plugin in pipelines.plugins():
        for name in SECRETS & set(plugin.options):
            assert re.fullmatch(r"\$\{\w+\}", plugin.options[name]), f"{plugin.id}: {name}"
    for name, text in pipelines.files.items():
        code = re.sub(r"(?m)^\s*#.*$", "", text)
        assert not re.search(r"(?i)(secret|passw\w*|api_?key)[\"']?\s*(=>|:)\s*[\"']?[^\"'$\s]", code), name


@rule("the http input speaks TLS and asks for a password")
def http_is_closed(pipelines: Pipelines) -> None:
    options = pipelines.plugin("mllog_http").options
    assert options.get("ssl_enabled") is True
    assert {"ssl_certificate", "ssl_key", "user", "password"} <= set(options)
    assert "TLSv1.1" not in options.get("ssl_supported_protocols", ())


@rule("the http input reads every line of every body, and never answers anything but 200 for them")
def http_reads_lines(pipelines: Pipelines) -> None:
    options = pipelines.plugin("mllog_http").options
    assert options["additional_codecs"] == {"application/x-ndjson": "json_lines"}
    assert options["codec"].name == "json_lines"
    assert options.get("response_code", 200) == 200
    assert options["max_content_length"] == options["codec"].options["decode_size_limit_bytes"] == LINE_BYTES


@rule("inputs add nothing to an event but @metadata")
def inputs_add_nothing(pipelines: Pipelines) -> None:
    options = pipelines.plugin("mllog_http").options
    assert options["ecs_compatibility"] == "disabled"
    for name in ("remote_host_target_field", "request_headers_target_field"):
        assert options[name].startswith("[@metadata]"), name
    assert pipelines.settings["pipeline.ecs_compatibility"] == "disabled", "codecs named in additional_codecs take this"
    assert not any("pipeline.ecs_compatibility" in row for row in pipelines.list)
    for name in ("mllog_tcp", "mllog_file"):
        assert pipelines.plugin(name).options["ecs_compatibility"] == "v8"
    for plugin in pipelines.plugins():
        assert plugin.kind != "input" or not {"add_field", "tags", "type"} & set(plugin.options), plugin.id


@rule("the tcp input, which knows no password, listens on its own host, and bounds a line")
def tcp_is_local(pipelines: Pipelines) -> None:
    options = pipelines.plugin("mllog_tcp").options
    assert options["host"] == "${MLLOG_TCP_HOST:127.0.0.1}"
    assert options["codec"].name == "json_lines"
    assert options["codec"].options["decode_size_limit_bytes"] == LINE_BYTES


@rule("the file input reads from the beginning, deletes nothing and forgets nothing within a year")
def files_stay(pipelines: Pipelines) -> None:
    options = pipelines.plugin("mllog_file").options
    assert (options["mode"], options["start_position"]) == ("tail", "beginning")
    assert int(options["sincedb_clean_after"].removesuffix(" days")) > 365
    assert (options["codec"].name, options["codec"].options["ecs_compatibility"]) == ("json", "disabled")


@rule("Elasticsearch is spoken to over TLS, its certificate and host looked at, the same in every pipeline")
def elasticsearch_is_known(pipelines: Pipelines) -> None:
    common = {name: outputs(pipelines)[0].options[name] for name in
              ("hosts", "user", "password", "ssl_enabled", "ssl_verification_mode", "ssl_certificate_authorities",
               "silence_errors_in_log")}  # fmt: skip
    assert (common["ssl_enabled"], common["ssl_verification_mode"]) == (True, "full")
    assert VARIABLE.fullmatch(common["hosts"][0])["default"].startswith("https://")  # type: ignore[index]
    for plugin in outputs(pipelines):
        assert common.items() <= plugin.options.items(), plugin.id


@rule("a second copy, which is answered 409, is no line of the log")
def conflicts_are_silent(pipelines: Pipelines) -> None:
    for plugin in outputs(pipelines):
        assert plugin.options["silence_errors_in_log"] == ["version_conflict_engine_exception"], plugin.id


@rule("the namespace is this Logstash's")
def namespace_is_ours(pipelines: Pipelines) -> None:
    found = Counter(text for plugin in pipelines.plugins() for text in texts(plugin.options.get("add_field", {}))
                    if "NAMESPACE" in text)  # fmt: skip
    assert found == {NAMESPACE: 3}


@rule("there is one line of Ruby, and it was run")
def ruby_is_known(pipelines: Pipelines) -> None:
    found = [plugin.options for plugin in pipelines.plugins() if plugin.name == "ruby"]
    assert [set(options) for options in found] == [{"id", "code"}] * 2
    assert {options["code"] for options in found} == {ORIGINAL}


@rule("the original of a dead letter or a reject is cut where the direct shipper cuts it")
def originals_are_bounded(pipelines: Pipelines) -> None:
    for name in ("mllog_rejects_cut", "mllog_deadletters_cut"):
        options = pipelines.plugin(name).options
        assert (options["fields"], options["length_bytes"]) == (["[event][original]"], ORIGINAL_BYTES)
