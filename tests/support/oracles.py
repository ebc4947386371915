"""What has to be true of every event, whatever was passed: strict JSON, stable types, nothing changed, nothing vanished."""

from __future__ import annotations

import array
import collections
import contextlib
import itertools
import json
import pickle
import struct
import sys
import types
import zlib
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import orjson
import pandas as pd
from support import hostile, oddities

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_LIMIT = 2**20
INT64 = range(-(2**63), 2**63)
CHANGED = "changed by the caller afterwards"

_SELF_CHANGING = (hostile.Shrinking, hostile.Growing)


def strict(line: bytes) -> dict[str, Any]:
    """The event of a line, read by a parser that takes nothing but JSON (RFC 8259) that Elasticsearch can hold.

    Raises:
        ValueError: Where it isn't: bare NaN, a key twice in one object, bytes that aren't UTF-8, a line feed inside.
    """
    if not line or b"\n" in line:
        raise ValueError("not one line")
    event = json.loads(line.decode("utf-8"), parse_constant=_refuse, parse_int=_int64, object_pairs_hook=_unique)
    if not isinstance(event, dict):
        raise ValueError("not an object")  # noqa: TRY004
    return event


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _int64(text: str) -> int:
    number = int(text)
    if number not in INT64:
        raise ValueError(f"{text} is beyond 64 bits")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"a name twice among {[name for name, _ in pairs][:20]}")
    return found


def check_types(event: dict[str, Any]) -> None:
    """Every field has the one type that the index knows it by, and every name can be a field's.

    Raises:
        AssertionError: Where one doesn't.
    """
    ml = event["ml"]
    for path in ("event.id", "event.outcome", "@timestamp", "data_stream.dataset", "message", "trace.id", "user.id"):
        _check(event, path, str)
    for path in ("prediction_id", "outputs.label", "label.value", "label.annotator", "metric.name", "step.name"):
        _check(ml, path, str)
    for path in ("error.type", "error.message", "error.stack_trace"):
        _check(event, path, str)
    for path in ("outputs.score", "outputs.value", "label.number", "metric.value", "weight"):
        _check(ml, path, int, float)
    _check(event, "event.duration", int)
    _check(event, "labels", dict)
    for path in ("replaced", "truncated", "outputs.top_k", "explanation.features", "bins", "unseen_tokens"):
        _check_names(_get(ml, path))
    for name in ("missing", "violations"):
        for names in ml.get(name, {}).values():
            _check_names(names)
    wanted = {"number": (int, float), "keyword": (str,), "boolean": (bool,), "text": (str,)}
    for kind, inputs in ml.get("inputs", {}).items():
        for name, value in inputs.items():
            assert name.strip(), (kind, name)
            assert len(name) <= 256, (kind, name)
            assert kind == "other" or type(value) in wanted[kind], (kind, name, value)


def _get(document: dict[str, Any], path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _check(document: dict[str, Any], path: str, *wanted: type) -> None:
    value = _get(document, path)
    assert value is None or type(value) in wanted, (path, value)


def _check_names(names: Any) -> None:
    assert names is None or all(type(name) is str for name in names), names


def fingerprint(ml: dict[str, Any]) -> int | None:
    """What ``ml.fingerprint`` is by its definition; None where there is nothing to tell apart by it."""
    inputs, missing = ml.get("inputs"), ml.get("missing", {})
    if inputs is None or "inputs" in ml.get("truncated", ()):
        return None
    if not inputs and not {"null", "nan", "infinite", "empty"} & missing.keys():
        return None
    behind = b',"missing":' + orjson.dumps(missing) if missing else b""
    return zlib.crc32(orjson.dumps(inputs) + behind)


def accounted(event: dict[str, Any]) -> set[str]:
    """Names of the inputs that the event says anything of."""
    ml = event["ml"]
    names = {name for inputs in ml.get("inputs", {}).values() for name in inputs}
    return names.union(*ml.get("missing", {}).values(), ml.get("replaced", ()), ml.get("truncated", ()))


def comparable(event: dict[str, Any]) -> dict[str, Any]:
    """An event without what differs between two that were logged one after the other."""
    event = {name: value for name, value in event.items() if name != "@timestamp"}
    event["event"] = {name: value for name, value in event["event"].items() if name not in {"id", "duration"}}
    event["ml"] = {name: value for name, value in event["ml"].items() if name != "sequence"}
    return event


def state(value: Any) -> Any:
    """What an object is now, read past every method that it overrides; two are equal where nothing was changed."""
    with _room():
        return _state(value, {})


def _state(value: Any, seen: dict[int, tuple[int, Any]]) -> Any:
    if id(value) in seen:
        return ("again", seen[id(value)][0])
    seen[id(value)] = (len(seen), value)  # kept, so that no other gets its id
    kind = type(value)
    if _is(kind, *_SELF_CHANGING):
        return id(kind)
    if _is(kind, pd.Timedelta):
        return (id(kind), value.value)  # it remembers what it was asked, as the next ones do
    if _is(kind, pd.Series, pd.DataFrame, pd.Index):
        return (id(kind), pickle.dumps(value))
    own = _own_attributes(value, seen)
    if issubclass(kind, dict):
        pairs = [(_state(key, seen), _state(item, seen)) for key, item in dict.items(value)]
        return (id(kind), pairs, own)
    for base in (list, tuple, set, frozenset, collections.deque):
        if issubclass(kind, base):
            return (id(kind), [_state(item, seen) for item in base.__iter__(value)], own)
    if issubclass(kind, np.ndarray):
        plain = np.asarray(value)
        content = list(map(id, plain.ravel().tolist())) if plain.dtype == object else plain.tobytes()
        return (id(kind), plain.shape, str(plain.dtype), content)
    return (id(kind), _content(value, kind, seen), own)


@contextlib.contextmanager
def _room() -> Iterator[None]:
    """Room for recursion, for the test alone: what is tested has to live with the usual limit."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(50_000)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def difference(before: Any, after: Any) -> str:
    """Where two states or events differ first, in words; nothing where they don't."""
    with _room():
        return _difference(before, after, "")


def _difference(before: Any, after: Any, path: str) -> str:
    if before == after:
        return ""
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        return next(part for name in before if (part := _difference(before[name], after[name], f"{path}/{name}")))
    if isinstance(before, list | tuple) and isinstance(after, list | tuple) and len(before) == len(after):
        parts = (_difference(a, b, f"{path}/{k}") for k, (a, b) in enumerate(zip(before, after, strict=True)))
        return next(part for part in parts if part)
    return f"{path}: {before!r:.200} became {after!r:.200}"


def _is(kind: type, *kinds: Any) -> bool:
    """Whether it is one of them; a class may refuse to be compared."""
    return any(kind is other for other in kinds)


def _content(value: Any, kind: type, seen: dict[int, tuple[int, Any]]) -> Any:
    if issubclass(kind, str):
        return str.__getitem__(value, slice(None))
    if issubclass(kind, float):
        return struct.pack("<d", float.__add__(value, 0.0))
    if issubclass(kind, int):
        return int.__add__(value, 0)
    if issubclass(kind, bytearray | array.array):
        return bytes(value)
    if kind is types.GeneratorType:
        return value.gi_frame.f_lasti if value.gi_frame else None
    if kind is itertools.count:
        return repr(value)
    if _is(kind, type(iter([])), map, zip):
        return [_state(part, seen) for part in value.__reduce__()[1:]]
    return id(value)


def _own_attributes(value: Any, seen: dict[int, tuple[int, Any]]) -> Any:
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None
    if type(attributes) is not dict or issubclass(type(value), type | types.ModuleType | types.FunctionType):
        return None
    return [(name, _state(item, seen)) for name, item in attributes.items()]


def change(value: Any, seen: set[int] | None = None) -> None:
    """Change all that can be changed in ``value``, at every level."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    kind = type(value)
    if _is(kind, list, collections.deque):
        for item in value:
            change(item, seen)
        value.clear()
        value.append(CHANGED)
    elif kind is tuple:
        for item in value:
            change(item, seen)
    elif _is(kind, dict, collections.OrderedDict, collections.defaultdict):
        for item in value.values():
            change(item, seen)
        value.clear()
        value[CHANGED] = CHANGED
    elif kind is set:
        value.clear()
        value.add(CHANGED)
    elif kind is bytearray:
        value[:] = CHANGED.encode()
    elif kind is np.ndarray and value.size and value.dtype.kind in "fiu":
        value.fill(99)
    elif _is(kind, oddities.Point, oddities.Described):
        for field in ("x", "y") if kind is oddities.Point else ("name",):
            change(getattr(value, field), seen)
            setattr(value, field, CHANGED)
