"""A model of the part of Logstash that our pipelines use, by which tests drive events through their parsed trees.

It is no Logstash. It does what the documentation and the sources of Logstash 9.5 say of codecs, conditions, field
references, ``mutate`` (in its fixed order of operations), ``truncate``, ``fingerprint`` and what the elasticsearch output
makes of an event; docs/how-to/logstash.md says which of it was measured on a real one. What it doesn't know it refuses:
an option or an operator that isn't modelled is an error, never ignored.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from support.logstash_events import Event, decode, to_json, utf8
from support.pipelines import VARIABLE, Branch, Condition, Pipelines, Plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ORIGINAL: Final = (
    "event.overwrite(LogStash::Event.new('event' => { 'original' => "
    "event.get('[@metadata][original]') || event.to_json }))"
)
"""The only Ruby there is; tests/logstash/test_jruby.py runs it."""

ENVIRONMENT: Final = {"MLLOG_LOGSTASH_USER": "user", "MLLOG_LOGSTASH_PASSWORD": "password",
                      "MLLOG_WRITER_USER": "writer", "MLLOG_WRITER_PASSWORD": "password"}  # fmt: skip


@dataclass(frozen=True)
class Write:
    """What the elasticsearch output asks for.

    Attributes:
        by: ``id`` of the output.
        parameters: Of the action: ``_index``, ``_id``, perhaps ``pipeline``, ``routing``, ``version``.
        event: As the output had it.
    """

    by: str
    action: str
    parameters: dict[str, Any]
    document: dict[str, Any]
    event: Event

    @property
    def index(self) -> str:
        return self.parameters["_index"]

    @property
    def id(self) -> str | None:
        return self.parameters.get("_id")

    def lines(self) -> bytes:
        """For ``_bulk``."""
        return b"%b\n%b\n" % (utf8(to_json({self.action: self.parameters})), utf8(to_json(self.document)))


class Logstash:
    """The pipelines of a folder.

    Args:
        pipelines: Their trees.
        environment: Variables beside those that have no default.
    """

    def __init__(self, pipelines: Pipelines, **environment: str) -> None:
        self.pipelines = pipelines
        self._environment = ENVIRONMENT | environment

    def http(self, body: bytes, content_type: str = "application/x-ndjson") -> list[Write]:
        """What becomes of one request."""
        options = self._options(self.pipelines.plugin("mllog_http"))
        codec = options.get("additional_codecs", {"application/json": "json"}).get(
            content_type.partition(";")[0], options.get("codec", "plain")
        )
        found = []
        for event in decode(body, codec):
            if options.get("ecs_compatibility", self._mode()) != "disabled":
                event.set("[http][method]", "POST")
                event.set("[url][path]", "/")
                event.set("[user_agent][original]", "mllog")
                default = ("[host][ip]", "[@metadata][input][http][request][headers]")
            else:
                default = ("host", "headers")
            event.set(options.get("request_headers_target_field", default[1]), {"content_type": content_type})
            event.set(options.get("remote_host_target_field", default[0]), "127.0.0.1")
            found += self.run("mllog-events", event)
        return found

    def tcp(self, body: bytes) -> list[Write]:
        """What becomes of lines that came by the tcp input."""
        options = self._options(self.pipelines.plugin("mllog_tcp"))
        found = []
        for event in decode(body, options.get("codec", "line")):
            if options.get("ecs_compatibility", self._mode()) == "disabled":
                for name, value in (("host", "127.0.0.1"), ("port", 1)):
                    if event.get(name) is None:
                        event.set(name, value)
            found += self.run("mllog-events", event)
        return found

    def file(self, body: bytes) -> list[Write]:
        """What becomes of lines that came by the file input."""
        options = self._options(self.pipelines.plugin("mllog_file"))
        disabled = options.get("ecs_compatibility", self._mode()) == "disabled"
        found = []
        for line in body.splitlines():
            for event in decode(line, options.get("codec", "plain")):
                fields = ("host", "path") if disabled else ("[host][name]", "[log][file][path]")
                for name, value in zip(fields, ("logstash", "/events/a/00000001.ndjson"), strict=True):
                    if not event.includes(name):
                        with contextlib.suppress(TypeError):
                            event.set(name, value)
                found += self.run("mllog-events", event)
        return found

    def dead(self, write: Write, status: int, answer: str) -> list[Write]:
        """What becomes of an event that Elasticsearch refused, by the dead-letter queue of the events."""
        action = [write.action, write.parameters, write.document]
        event = Event(deepcopy(write.event.data), deepcopy(write.event.metadata))
        event.set(
            "[@metadata][dead_letter_queue][reason]",
            f"Could not index event to Elasticsearch. status: {status}, action: {action}, response: {answer}",
        )
        return self.run("mllog-deadletters", event)

    def run(self, pipeline: str, event: Event) -> list[Write]:
        """Filters and outputs of a pipeline, and of those that it sends to."""
        self._filter(self.pipelines.filters(pipeline), event)
        found = []
        for plugin in _reached(self.pipelines.outputs(pipeline), event):
            options = self._options(plugin)
            if plugin.name == "pipeline":
                for address in options["send_to"]:
                    copy = Event(deepcopy(event.data), deepcopy(event.metadata))
                    found += self.run(self._listening(address), copy)
            else:
                assert plugin.name == "elasticsearch", plugin.name
                found.append(_write(plugin.id, options, event))
        return found

    def _listening(self, address: str) -> str:
        (found,) = [
            row["pipeline.id"] for row in self.pipelines.list for section in self.pipelines.of(row["pipeline.id"])
            for plugin in section.plugins() if plugin.options.get("address") == address
        ]  # fmt: skip
        return found

    def _mode(self) -> str:
        return self.pipelines.settings.get("pipeline.ecs_compatibility", "v8")

    def _filter(self, body: tuple[Plugin | Branch, ...], event: Event) -> None:
        for plugin in _reached(body, event):
            options = {name: value for name, value in self._options(plugin).items() if name != "id"}
            try:
                _FILTERS[plugin.name](event, options)
                _matched(event, options)
            except TypeError:
                event.tag("_mutate_error")
                continue
            assert not options, f"{plugin.id}: not modelled: {options}"

    def _options(self, plugin: Plugin) -> dict[str, Any]:
        """With variables put in.

        Raises:
            KeyError: Where one is neither set nor has a default: Logstash doesn't start then.
        """

        def value(match: re.Match[str]) -> str:
            default = match["default"]
            return self._environment[match["name"]] if default is None else self._environment.get(match["name"], default)

        def put(found: Any) -> Any:
            if isinstance(found, str):
                return VARIABLE.sub(value, found)
            if isinstance(found, dict):
                return {name: put(part) for name, part in found.items()}
            return [put(part) for part in found] if isinstance(found, list) else found

        return {name: put(found) for name, found in plugin.options.items()}


def fulfilled(condition: Condition, event: Event) -> bool:
    """Whether a condition holds."""
    return (all if condition.joined == "and" else any)(_holds(term, event) for term in condition.terms)


def _holds(term: tuple[Any, ...], event: Event) -> bool:
    if len(term) == 1:
        return _truthy(_operand(term[0], event))
    if term[0] == "!":
        return not _truthy(_operand(term[1], event))
    left, operator, right = term
    if operator in {"=~", "!~"}:
        found = _operand(left, event)
        return (isinstance(found, str) and regexp(right).search(found) is not None) == (operator == "=~")
    if operator in {"==", "!="}:
        one, other = _operand(left, event), _operand(right, event)
        return (type(one) is type(other) and one == other) == (operator == "==")
    assert operator == "in", term
    assert not left.startswith("["), term
    found = _operand(right, event)
    return left in found if isinstance(found, str | list) else False


def regexp(pattern: str) -> re.Pattern[str]:
    """A pattern of Ruby's, as far as ours go: the whole text's end, and a dot that takes line feeds."""
    return re.compile(pattern.replace(r"\z", r"\Z").replace("(?m)", "(?s)"), re.ASCII)


def _operand(text: str, event: Event) -> Any:
    return event.get(text) if text.startswith("[") else text


def _truthy(value: Any) -> bool:
    return value is not None and value is not False and value not in ("", "false")


def _reached(body: tuple[Plugin | Branch, ...], event: Event) -> Iterator[Plugin]:
    """The plugins on an event's way, each asked for when those before it have worked."""
    for part in body:
        if isinstance(part, Plugin):
            yield part
            continue
        for condition, inner in part.arms:
            if condition is None or fulfilled(condition, event):
                yield from _reached(inner, event)
                break


def _mutate(event: Event, options: dict[str, Any]) -> None:
    """In the order that the plugin has, whatever the file's."""
    for name, value in options.pop("replace", {}).items():
        event.set(name, event.sprintf(value))
    parts = options.pop("gsub", [])
    for name, pattern, replacement in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        assert "\\" not in replacement, "references to groups aren't modelled"
        _change(event, name, functools.partial(regexp(pattern).sub, event.sprintf(replacement)))
    for name in options.pop("lowercase", []):
        _change(event, name, lambda text: "".join(letter.lower() for letter in text))
    for source, target in options.pop("copy", {}).items():
        if (value := event.get(source)) is not None:
            event.set(target, deepcopy(value))


def _truncate(event: Event, options: dict[str, Any]) -> None:
    length = options.pop("length_bytes")
    for name in options.pop("fields"):
        _change(event, name, lambda text: utf8(text)[:length].decode("utf-8", "ignore"))


def _change(event: Event, name: str, change: Callable[[str], str]) -> None:
    """Change a text, or each text of a list; anything else stays."""
    value = event.get(name)
    if isinstance(value, str):
        event.set(name, change(value))
    elif isinstance(value, list):
        event.set(name, [change(part) if isinstance(part, str) else part for part in value])


def _fingerprint(event: Event, options: dict[str, Any]) -> None:
    method, target = options.pop("method"), options.pop("target")
    assert method in {"SHA256", "SHA1", "SHA512"}, method
    for name in options.pop("source"):
        if event.includes(name):
            value = event.get(name)
            assert isinstance(value, str), "only a text's fingerprint is modelled"
            event.set(target, hashlib.new(method, utf8(value)).hexdigest())


def _ruby(event: Event, options: dict[str, Any]) -> None:
    assert options.pop("code") == ORIGINAL, "Ruby that isn't modelled"
    original = event.get("[@metadata][original]") or to_json(event.data)
    event.data = Event.of({"event": {"original": original}}).data


def _matched(event: Event, options: dict[str, Any]) -> None:
    """What every filter does once it has worked: fields are added before others are removed."""
    for name, template in options.pop("add_field", {}).items():
        value = event.sprintf(template)
        there = event.get(name)
        if event.includes(name):
            value = [*there, value] if isinstance(there, list) else [there, value]
        event.set(name, value)
    for name in options.pop("remove_field", []):
        event.remove(name)


_FILTERS: Final = {"mutate": _mutate, "truncate": _truncate, "fingerprint": _fingerprint, "ruby": _ruby}


def _write(by: str, options: dict[str, Any], event: Event) -> Write:
    """As ``common_event_params`` of the elasticsearch output: what an option doesn't say, ``@metadata`` may."""
    assert options.get("data_stream") == "false", "only data_stream => false is modelled"
    control = event.get("[@metadata][_ingest_document]")
    control = control if isinstance(control, dict) else {}
    parameters: dict[str, Any] = {"_index": event.sprintf(options["index"])}
    wanted = event.sprintf(options["document_id"]) if "document_id" in options else control.get("id")
    pipeline = event.get("[@metadata][target_ingest_pipeline]")
    others = {
        "_id": wanted,
        "routing": event.sprintf(options["routing"]) if "routing" in options else control.get("routing"),
        "pipeline": event.sprintf(options["pipeline"]) if "pipeline" in options else control.get("pipeline") or pipeline,
        "version": control.get("version"),
        "version_type": control.get("version_type"),
    }
    parameters |= {name: value for name, value in others.items() if value is not None}
    action = event.sprintf(options.get("action", "index"))
    return Write(by, action, parameters, deepcopy(event.data), event)
