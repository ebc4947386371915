"""Events as Logstash has them, and what its codecs make of bytes: a part of the model in :mod:`support.logstash`."""

from __future__ import annotations

import datetime as dt
import json
import re
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from support.pipelines import Plugin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOW: Final = "2026-11-30T12:00:00.000123Z"


_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)
_ABSENT: Final = object()


@dataclass
class Event:
    """Fields, and ``@metadata``, which is never written anywhere."""

    data: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Mapping[str, Any], now: str = NOW) -> Event:
        """As Logstash makes one of what a codec has read.

        Raises:
            TypeError: Where ``@metadata`` is no object: the codec has failed then.
        """
        data = deepcopy(dict(document))
        data.setdefault("@version", "1")
        metadata = data.pop("@metadata", {})
        if not isinstance(metadata, dict):
            raise TypeError("@metadata")
        event = cls(data, metadata)
        tags = data.get("tags")
        if not (tags is None or isinstance(tags, str) or _texts(tags)):
            data["_tags"], data["tags"] = [tags], ["_tagsparsefailure"]
        given = data.get("@timestamp")
        data["@timestamp"] = now if given is None else _time(given)
        if data["@timestamp"] is None:
            data["@timestamp"], data["_@timestamp"] = now, given
            event.tag("_timestampparsefailure")
        return event

    def get(self, reference: str) -> Any:
        found = self._find(_path(reference))
        return None if found is _ABSENT else found

    def includes(self, reference: str) -> bool:
        return self._find(_path(reference)) is not _ABSENT

    def set(self, reference: str, value: Any) -> None:
        """Set a field.

        Raises:
            TypeError: Where a part of the way there is neither an object nor a list.
        """
        place, path = self._root(_path(reference))
        for name in path[:-1]:
            if isinstance(place, dict) and place.get(name) is None:
                place[name] = {}
            listed = isinstance(place, list)
            place = _child(place, name)
            if listed and (place is _ABSENT or place is None):
                return  # what isn't in a list is set beside it
            if not isinstance(place, dict | list):
                raise TypeError(reference)
        if isinstance(place, dict):  # a list has nothing by a name, and no error either
            place[path[-1]] = value

    def remove(self, reference: str) -> None:
        path = _path(reference)
        if path == ["@metadata"]:
            self.metadata = {}
        elif isinstance(parent := self._find(path[:-1]), dict):
            parent.pop(path[-1], None)

    def tag(self, name: str) -> None:
        tags = self.data.get("tags") or []
        tags = [tags] if isinstance(tags, str) else tags
        self.data["tags"] = tags if name in tags else [*tags, name]

    def sprintf(self, template: str, now: str = NOW) -> str:
        """``%{...}`` put in; what isn't there stays as it is written."""

        def value(match: re.Match[str]) -> str:
            if match["time"]:
                assert match["time"] == "TIME_NOW", match["time"]
                return now
            found = self.get(match["field"])
            if found is None:
                return match.group()
            if isinstance(found, list):
                return ",".join(map(str, found))
            return to_json(found) if isinstance(found, dict) else text_of(found)

        return re.sub(r"%\{\{(?P<time>[^}]*)\}\}|%\{(?P<field>[^}]+)\}", value, template)

    def _root(self, path: list[str]) -> tuple[Any, list[str]]:
        return (self.metadata, path[1:]) if path[:1] == ["@metadata"] else (self.data, path)

    def _find(self, path: list[str]) -> Any:
        place, rest = self._root(path)
        for name in rest:
            place = _child(place, name)
        return place


def decode(body: bytes, codec: str | Plugin) -> Iterator[Event]:
    """The events that a codec reads in a body."""
    name = codec if isinstance(codec, str) else codec.name
    mode = "disabled" if isinstance(codec, str) else codec.options.get("ecs_compatibility", "disabled")
    text = body.decode("utf-8", "replace")
    if name not in {"json", "json_lines"}:
        if text:
            yield Event.of({"message": text})
        return
    for line in filter(None, text.split("\n")) if name == "json_lines" else [text]:
        try:
            # The json codec reads one value, and doesn't look at what follows.
            document, _ = _DECODER.raw_decode(line.lstrip())
            many = document if isinstance(document, list) else [document]
            events = [Event.of(part) if isinstance(part, dict) else _refuse(part) for part in many]
        except (ValueError, TypeError):
            events = [Event.of({"message": line, "tags": ["_jsonparsefailure"]})]
        if name == "json" and mode != "disabled" and len(events) == 1 and not events[0].includes("[event][original]"):
            events[0].set("[event][original]", line)
        yield from events


def to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _child(place: Any, name: str) -> Any:
    if isinstance(place, list) and re.fullmatch(r"-?\d+", name) and -len(place) <= int(name) < len(place):
        return place[int(name)]
    return place.get(name, _ABSENT) if isinstance(place, dict) else _ABSENT


def utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _path(reference: str) -> list[str]:
    parts = re.findall(r"\[([^\[\]]+)\]", reference) if reference.startswith("[") else [reference]
    assert parts, reference
    return parts


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(part, str) for part in value)


def text_of(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _time(value: Any) -> str | None:
    """An instant as Logstash writes it: UTC, with 3, 6 or 9 digits; ``None`` where it reads none."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    zone = "Z" if zone is None else zone
    try:
        moment = dt.datetime.fromisoformat(f"{day}T{clock or '00:00'}{zone}").astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
    digits = (fraction or "").ljust(9, "0")
    while len(digits) > 3 and digits.endswith("000"):
        digits = digits[:-3]
    return f"{moment.replace(tzinfo=None).isoformat()}.{digits}Z"


def _refuse(part: object) -> Event:
    raise TypeError(part)


def _constant(name: str) -> float:
    raise ValueError(name)


def _decimal(text: str) -> float | str:
    value = float(text)
    return value if abs(value) != float("inf") else "-Infinity" if value < 0 else "Infinity"


_DECODER: Final = json.JSONDecoder(parse_constant=_constant, parse_float=_decimal)
