"""A slice of a batch as lines: the columns' shares woven into what the encoder writes around them.

The constant part of the lines is what the encoder writes for an event without inputs, cut where rows differ. Rows that
columns can't treat become records and go through the encoder one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from mllog.delivery.answers import Answers, answers_of
from mllog.delivery.cells import Gauge
from mllog.delivery.columns import Codes, Column, Numbers
from mllog.delivery.encoder import EVENT_LIMIT
from mllog.delivery.fingerprints import CUT, MAPS
from mllog.delivery.loops import crc32
from mllog.delivery.shares import Share, share_of, share_of_known
from mllog.delivery.weaving import Weaver
from mllog.delivery.writer import YIELD_EVENTS
from mllog.ruler import MISSING_KINDS, UNEXPECTED_PER_EVENT, UNSEEN_TOKENS_PER_EVENT, Feature, Ruler
from mllog.stamps import Timestamps

if TYPE_CHECKING:
    from mllog.delivery.encoder import Encoder
    from mllog.delivery.rows import Chunk, Loaded
    from mllog.delivery.strands import Mask

PAUSE_COLUMNS: Final = 8
"""Other threads may go on after so many columns, which take about a millisecond."""

_ID: Final = "mllog:id"
_NUMBER: Final = 2**62 + 1
_ROW: Final = "mllog:row"
_TIME: Final = 0
_OURS: Final = frozenset(
    {
        "bins", "card", "fingerprint", "inputs", "missing", "outputs", "replaced", "text", "truncated", "unseen_tokens",
        "violations",
    }
)  # fmt: skip

Found = list[tuple[str, str, list[int]]]
"""Kind, name, rows."""


def woven(loaded: Loaded, encoder: Encoder, reject: Callable[[Exception], None]) -> Iterator[Chunk]:
    """The slice's lines, all in the last chunk.

    Args:
        loaded: The slice.
        encoder: Of single events.
        reject: Called for each row that can't be written, before the last chunk.
    """
    rows, rules = loaded.rows, encoder.rules
    n, names = rows.rows, rows.plan.names
    if rows.plan.gauges is None:
        rows.plan.gauges = [Gauge(name, rules.router, rules.ruler) for name in names]
    gauges = rows.plan.gauges
    shares = []
    for number, gauge in enumerate(gauges):
        raw = loaded.raw(number)
        known = None if isinstance(raw, Codes | Numbers) else share_of_known(raw.values, gauge)
        shares.append(share_of(loaded.column(number), gauge) if known is None else known)
        if number % PAUSE_COLUMNS == 0:
            yield b"", 0
    given = loaded.outputs
    answers = Answers()
    if given is not None:
        answers = answers_of(given, n, rules.ruler, regression=rules.regression, convert=rows.plan.convert)
    yield b"", 0
    weaver = Weaver(n)
    odd = {row for share in shares for row in share.odd}.union(answers.odd, *loaded.marked_outputs)
    for part in _frame(loaded, encoder):
        if part is None:
            _weave_members(weaver, loaded, shares, answers, rules.ruler, odd)
        else:
            weaver.add(part)
    yield b"", 0
    if loaded.moments is not None:
        odd |= loaded.moments[1]
    instead: dict[int, bytes] = {}
    problems: list[Exception] = []
    for turn, row in enumerate(sorted(odd)):
        _write(row, loaded, encoder, instead, problems)
        if turn % YIELD_EVENTS == 0:
            yield b"", 0
    lines = weaver.lines(instead)
    if _has_long_line(lines):
        written = [row for row in range(n) if instead.get(row) != b""]
        for row, line in zip(written, lines.split(b"\n"), strict=False):
            if len(line) >= EVENT_LIMIT and row not in instead:
                _write(row, loaded, encoder, instead, problems)
        lines = weaver.lines(instead)
    for problem in problems:
        reject(problem)
    yield lines, n - len(problems)


def _write(row: int, loaded: Loaded, encoder: Encoder, instead: dict[int, bytes], problems: list[Exception]) -> None:
    try:
        instead[row] = encoder.line(loaded.record(row))
    except Exception as problem:  # noqa: BLE001 - counted; a row must not stop the others
        instead[row] = b""
        problems.append(problem)


def _has_long_line(lines: bytes) -> bool:
    """Whether one may be longer than the limit: then half of it is somewhere without a line feed."""
    half = EVENT_LIMIT // 2
    return any(lines.find(b"\n", start, start + half) < 0 for start in range(0, len(lines) - half + 1, half))


def _frame(loaded: Loaded, encoder: Encoder) -> Iterator[bytes | list[bytes] | None]:
    """The lines around what the columns add, for which ``None`` stands."""
    rows = loaded.rows
    marked = rows.template.copy(id=_ID, number=_NUMBER, body={_ROW: 0}, held=None)
    timed = loaded.moments is not None
    if timed:
        marked.time = _TIME
    line = encoder.line(marked)
    if not _OURS.isdisjoint(orjson.loads(line)["ml"]):
        raise ValueError("an event without inputs has fields of one with inputs")
    texts = Timestamps()
    time, row = texts.text(_TIME).encode(), orjson.dumps({_ROW: 0})[1:-1]
    number = b"%d" % _NUMBER
    slots: dict[bytes, Callable[[], list[bytes] | None]] = {
        _ID.encode(): lambda: ",".join(rows.ids).encode().split(b","),
        number: lambda: orjson.dumps(list(range(rows.number, rows.number + rows.rows)))[1:-1].split(b","),
        row: lambda: None,
    }
    if loaded.moments is not None:
        moments = loaded.moments[0]
        slots[time] = lambda: [texts.text(moment).encode() for moment in moments]
    parts = re.split(b"(%b)" % b"|".join(map(re.escape, slots)), line)
    if parts.count(row) != 1:
        raise ValueError("the place of the inputs can't be found")
    for part in parts:
        yield slots[part]() if part in slots else part


def _weave_members(
    weaver: Weaver, loaded: Loaded, shares: list[Share], answers: Answers, ruler: Ruler | None, odd: set[int]
) -> None:
    """Everything of ``ml`` that comes from inputs and outputs."""
    rows, n = loaded.rows, loaded.rows.rows
    if rows.keys is not None:
        weaver.add(_keys(loaded.keys, odd))
    compared = ruler is not None and ruler.repeated and bool(shares)
    weaver.add(b'"inputs":')
    # What has a fingerprint is woven for itself.
    held = Weaver(n) if compared else weaver
    held.add(b"{")
    behind: Mask | bool = False
    for target in MAPS:
        strands = [share.maps[target] for share in shares if target in share.maps]
        has = held.group(b'"%b":{' % target.encode(), strands, b"}", behind=behind, in_order=compared)
        behind = behind | has
    held.add(b"}")
    by_name = dict(zip(rows.plan.names, shares, strict=True))
    absent: list[Feature] = []
    always: dict[str, list[str]] = {}
    changed: Found = []
    if ruler is not None:
        absent = [feature for feature in ruler.inputs if feature.name not in by_name]
        unexpected = [name for name in by_name if name not in ruler.by_name][:UNEXPECTED_PER_EVENT]
        if unexpected:
            always["unexpected"] = unexpected
            changed = list(_renamed(absent, unexpected, loaded))
        measured = {f.name: by_name[f.name] for f in ruler.inputs if f.name in by_name}
    else:
        measured = by_name
    missing: Found = [
        (kind, name, share.missing[kind].tolist())
        for kind in MISSING_KINDS
        for name, share in by_name.items()
        if kind in share.missing
    ]
    gone = {"absent": [feature.name for feature in absent]} if absent else {}
    held.add(_lists(b"missing", gone, missing, n))
    if compared:
        texts = held.texts()
        weaver.add(texts)
        weaver.add(_fingerprints(texts, frozenset(by_name[CUT].truncated) if CUT in by_name else frozenset()))
    if ruler is not None:
        weaver.add(b',"card":' + orjson.dumps(ruler.hash))
    violated = [(kind, name, at.tolist()) for name, share in measured.items() for kind, at in share.violations.items()]
    weaver.add(_lists(b"violations", always, violated + changed, n))
    weaver.group(b'"text":{', [share.tokens for share in measured.values() if share.tokens is not None], b"}")
    weaver.add(_unseen([share.unseen for share in measured.values() if share.unseen], n))
    bins = [share.bins for share in measured.values() if share.bins is not None]
    weaver.group(b'"bins":[', [*bins, *answers.bins], b"]")
    weaver.add(answers.whole if answers.whole is not None else b"")
    weaver.group(b'"outputs":{', answers.outputs, b"}")
    weaver.add(_marks(b"truncated", [], {}, [(name, share.truncated) for name, share in by_name.items()], n))
    weaver.add(
        _marks(
            b"replaced",
            rows.plan.marked,
            answers.replaced,
            [(name, share.replaced) for name, share in by_name.items()],
            n,
        )
    )


def _keys(keys: Iterable[str | None], odd: set[int]) -> list[bytes]:
    members = []
    for row, key in enumerate(keys):
        try:
            members.append(b"" if key is None else b'"prediction_id":' + orjson.dumps(key) + b",")
        except TypeError:  # lone surrogates
            members.append(b"")
            odd.add(row)
    return members


def _fingerprints(texts: list[bytes], cut: frozenset[int]) -> list[bytes]:
    """``,"fingerprint":…`` of each row, as :func:`mllog.delivery.fingerprints.stamped` has it."""
    return [b"" if row in cut else b',"fingerprint":%d' % crc32(text) for row, text in enumerate(texts)]


def _lists(field: bytes, always: Mapping[str, list[str]], found: Found, n: int) -> bytes | list[bytes]:
    """``,"field":{kind: [names]}`` of each row, whatever names it has; nothing where it has none."""
    inner = b"".join(b"%b:%b," % (orjson.dumps(kind), orjson.dumps(names)) for kind, names in always.items())
    before = b',"%b":{' % field
    members = [before + inner[:-1] + b"}" if inner else b""] * n
    texts: dict[int, bytes] = {}
    for kind in dict.fromkeys(kind for kind, _, _ in found):
        names: dict[int, bytes] = {}
        opener = orjson.dumps(kind) + b":["
        for _, name, rows in (one for one in found if one[0] == kind):
            member = orjson.dumps(name) + b","
            for row in rows:
                names[row] = names.get(row, opener) + member
        for row, text in names.items():
            texts[row] = texts.get(row, inner) + text[:-1] + b"],"
    for row, text in texts.items():
        members[row] = before + text[:-1] + b"}"
    return members if texts else members[0] if n else b""


def _renamed(absent: list[Feature], unexpected: list[str], loaded: Loaded) -> Iterator[tuple[str, str, list[int]]]:
    """Rows in which a value that nobody expected would fit a feature that is absent; so many of a row at most."""
    numbers = {name: number for number, name in enumerate(loaded.rows.plan.names)}
    told = np.zeros(loaded.rows.rows, np.intp)
    for feature in absent:
        for name in unexpected:
            rows = np.flatnonzero(_accepted(feature, loaded.column(numbers[name])) & (told < UNEXPECTED_PER_EVENT))
            if rows.size:
                told[rows] += 1
                yield "renamed", f"{feature.name}>{name}", rows.tolist()


def _accepted(feature: Feature, column: Column) -> Mask:
    if isinstance(column, Codes):
        return np.array([feature.accepts(value) for value in column.values], np.bool_)[column.codes]
    if isinstance(column, Numbers) and feature.kind == "number":
        array = column.array
        if feature.low is None or feature.high is None:
            return np.zeros(len(array), np.bool_)
        fits: Mask = (array >= feature.low) & (array <= feature.high)
        return fits if column.null is None else fits & ~column.null
    if isinstance(column, Numbers):
        listed: list[Any] = [column.value(row) for row in range(len(column.array))]
    else:
        listed = column.values
    return np.fromiter(map(feature.accepts, listed), np.bool_, len(listed))


def _unseen(texts: list[dict[int, list[str]]], n: int) -> bytes | list[bytes]:
    """``,"unseen_tokens":[…]`` of each row that has some: those of its texts in turn, up to the bound."""
    tokens: dict[int, dict[str, None]] = {}
    for unseen in texts:
        for row, found in unseen.items():
            tokens.setdefault(row, {}).update(dict.fromkeys(found))
    if not tokens:
        return b""
    members = [b""] * n
    for row, kept in tokens.items():
        members[row] = b',"unseen_tokens":' + orjson.dumps(list(kept)[:UNSEEN_TOKENS_PER_EVENT])
    return members


def _marks(
    field: bytes,
    always: list[str],
    first: Mapping[int, list[str]],
    rest: Iterable[tuple[str, list[int]]],
    n: int,
) -> bytes | list[bytes]:
    """``,"field":[names]`` of each row that has some."""
    marks = {row: list(names) for row, names in first.items()}
    for name, rows in rest:
        for row in rows:
            marks.setdefault(row, []).append(name)
    usual = b',"%b":' % field + orjson.dumps(always) if always else b""
    if not marks:
        return usual
    members = [usual] * n
    for row, names in marks.items():
        members[row] = b',"%b":' % field + orjson.dumps([*always, *names])
    return members
