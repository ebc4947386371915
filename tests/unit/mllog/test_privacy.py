from __future__ import annotations

import dataclasses
import datetime as dt
import json
import logging
import os
import socket
import string
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mllog
from mllog import context
from mllog.card import ModelCard
from mllog.events import error_fields
from mllog.integrations.stdlib import EventHandler
from mllog.privacy import pseudonym
from mllog.testing import capture_events
from mllog.values import TEXT_LIMIT, text_hash

if TYPE_CHECKING:
    from pathlib import Path

SALT = "a secret of enough bytes"
SECRET = "Xyzzy-4711-Plugh"
N = 120
ROWS: dict[str, list[Any]] = {
    "city": ["Bonn", "Oslo", "Rome", "Köln"] * 30,
    "person": [f"person {k % 40}" for k in range(N)],
    "age": [20.5 + k % 60 for k in range(N)],
    "income": [1000.25 * (1 + k % 50) for k in range(N)],
    "note": ["late at the gate", "on time"] * 60,
    "diary": ["slept well", "slept badly"] * 60,
    "extra": [{"a": k} for k in range(N)],
    "vip": [True, False] * 60,
}
POLICY: dict[str, Any] = {
    "texts": "keep",
    "features": {"person": "hash", "age": "drop", "income": "redact", "diary": "redact", "extra": "drop"},
    "patterns": ["email", "card_number", "phone", "iban", "ip"],
    "user": "hash",
    "ids": "hash",
}
ROW = {name: values[0] for name, values in ROWS.items()}


def make(policy: Any = POLICY, rows: dict[str, list[Any]] = ROWS, **options: Any) -> ModelCard:
    """A card of these rows."""
    return ModelCard.from_frame(
        rows, "m", "1", **{"text": ["note", "diary"], "segments": ["city"], "policy": policy, "salt": SALT, **options}
    )


CARD = make()


def line_of(card: ModelCard = CARD, inputs: Any = None, output: Any = None, **options: Any) -> dict[str, Any]:
    """The one event that a logger with this card makes of a prediction."""
    with capture_events("m", card=card, salt=SALT) as captured:
        captured.log.prediction(ROW if inputs is None else inputs, output, **options)
        (event,) = captured.events("prediction")
    return event


def test_each_word_does_what_it_says() -> None:
    """Kept values are written, hashed ones as hashes, of redacted ones what was measured, of dropped ones nothing."""
    ml = line_of()["ml"]
    assert ml["inputs"] == {
        "keyword": {"city": "Bonn", "person": pseudonym(SALT, "person", "person 0")},
        "text": {"note": "late at the gate"},
        "boolean": {"vip": True},
    }
    income = f"income:{bisect_right(CARD.ruler.by_name['income'].edges, ROW['income'])}"
    assert ml["bins"] == [income, "@length:note:8", "@script:note:1", "@marks:note:0"]
    assert ml["text"] == {"note": {"tokens": 4, "unseen": 0}, "diary": {"tokens": 2, "unseen": 0}}
    assert ml["withheld"] == ["age", "income", "diary", "extra"]
    assert "missing" not in ml
    assert "violations" not in ml


@pytest.mark.parametrize("name", ["person", "age", "income", "diary", "extra"])
@pytest.mark.parametrize(("value", "kind"), [(None, "null"), (float("nan"), "nan"), ("", "empty"), (float("-inf"), "infinite")])
def test_what_is_missing_stays_missing(name: str, value: Any, kind: str) -> None:
    """A protected feature that isn't there is missing in its way, and nothing of it was withheld."""
    ml = line_of(inputs={**ROW, name: value})["ml"]
    assert ml["missing"] == {kind: [name]}
    assert name not in ml["withheld"]
    absent = line_of(inputs={k: v for k, v in ROW.items() if k != name})["ml"]
    assert absent["missing"] == {"absent": [name]}


def test_hashes_are_measured() -> None:
    """Unseen categories, sentinels and numbers sent as another type are known by their hashes."""
    unseen = line_of(inputs={**ROW, "person": SECRET})["ml"]
    assert unseen["violations"] == {"category": ["person"]}
    assert unseen["inputs"]["keyword"]["person"] == pseudonym(SALT, "person", SECRET)
    assert line_of(inputs={**ROW, "person": "N/A"})["ml"]["missing"] == {"sentinel": ["person"]}
    numbers = make({"features": {"n": "hash"}}, {"n": [1, 2, 3, 4] * 60}, text=[], segments=[])
    for value in (2, 2.0, "2"):
        ml = line_of(numbers, {"n": value})["ml"]
        assert ml["inputs"]["keyword"] == {"n": pseudonym(SALT, "n", "2")}
        assert "violations" not in ml
    assert line_of(inputs={**ROW, "person": [SECRET]})["ml"]["violations"] == {"type": ["person"]}
    assert "category" in line_of(numbers, {"n": 2**70})["ml"]["violations"]


def test_redacted_values_are_measured() -> None:
    """Range, type and token counts of redacted values are there, and no token of theirs by name."""
    ml = line_of(inputs={**ROW, "income": 9e9, "diary": f"slept near {SECRET}"})["ml"]
    assert ml["violations"] == {"range": ["income"]}
    assert ml["text"]["diary"] == {"tokens": 3, "unseen": 2}
    assert ml["unseen_tokens"] == ["withheld"]
    ml = line_of(inputs={**ROW, "income": SECRET, "diary": 5})["ml"]
    assert {kind: sorted(names) for kind, names in ml["violations"].items()} == {"type": ["diary", "income"]}
    assert not {"income", "diary"} & {name for values in ml["inputs"].values() for name in values}
    assert line_of(inputs={**ROW, "diary": "!!"})["ml"]["text"]["diary"] == {"tokens": 0, "unseen": 0}


def test_marks_are_known_tokens() -> None:
    """Training is scrubbed before its vocabulary is made, so serving's marks aren't unseen, nor are its neighbours."""
    rows = {**ROWS, "note": [f"mail kim{k}@example.org at the gate" for k in range(N)]}
    card = make(rows=rows)
    assert card.ruler.by_name["note"].vocabulary >= {"email", "mail", "at", "the", "gate", "phone"}
    assert not [token for token in card.ruler.by_name["note"].vocabulary if "kim" in token]
    ml = line_of(card, {**ROW, "note": "mail jo@example.net or +49 151 12345678 at gate"})["ml"]
    assert ml["inputs"]["text"]["note"] == "mail <email> or <phone> at gate"
    assert ml["unseen_tokens"] == ["or"]


def test_unexpected_inputs() -> None:
    """Of inputs that the card doesn't know: names only, by default; nothing at all; or everything, scrubbed."""
    inputs = {**ROW, "PERSON": SECRET, "jo@example.net": {"deep": [SECRET]}, "kim@example.net": 1}
    ml = line_of(inputs=inputs)["ml"]
    assert ml["violations"] == {"unexpected": ["PERSON", "<email>", "<email>2"]}
    assert "other" not in ml["inputs"]
    assert "violations" not in line_of(make({**POLICY, "unexpected": "drop"}), inputs)["ml"]
    ml = line_of(make({**POLICY, "unexpected": "keep"}), {**ROW, "new": {"mail": "jo@example.net", "card": 4111111111111111}})["ml"]
    assert ml["inputs"]["other"] == {"new": {"mail": "<email>", "card": "<card_number>"}}


def test_an_allow_list() -> None:
    """Only what it names is written or measured; of the card's other features it is known whether they were there."""
    card = make({"only": ["city", "note"], "texts": "keep"})
    event = line_of(card, {**ROW, "new": SECRET, "person": None}, labels={"a": SECRET}, message=SECRET, error=KeyError(SECRET), user=SECRET)
    ml = event["ml"]
    assert ml["inputs"] == {"keyword": {"city": "Bonn"}, "text": {"note": "late at the gate"}}
    assert ml["missing"] == {"null": ["person"]}
    assert ml["withheld"] == ["age", "income", "diary", "extra", "vip"]
    assert ml["bins"] == ["@length:note:8", "@script:note:1", "@marks:note:0"]
    assert "violations" not in ml
    assert event["error"] == {"type": "KeyError"}
    assert not {"labels", "message", "user"} & event.keys()


def test_people(tmp_path: Path) -> None:
    """Users and prediction ids are kept, hashed or dropped; every part of a prediction has the same hash."""
    with capture_events("m", card=CARD, salt=SALT) as captured:
        log = captured.log
        with context.bind(user="Jane Doe"):
            log.prediction(ROW, 0.5, id="order 1")
        log.prediction(ROW, 0.5, id="order 1", user="Jane Doe")
        log.output("order 1", 0.5)
        log.explanation("order 1", {"city": 0.1})
        log.label("order 1", "late", annotator="kim@example.org")
        log.outcome("order 1", "churned")
        log.kpi("revenue", 5, prediction_id="order 1")
        events = captured.events()[1:]
    hashed = pseudonym(SALT, "@prediction_id", "order 1")
    assert [event["ml"]["prediction_id"] for event in events] == [hashed] * 7
    assert [event.get("user") for event in events[:2]] == [{"hash": pseudonym(SALT, "@user", "Jane Doe")}] * 2
    assert events[4]["ml"]["label"] == {
        "value": "late",
        "annotator": pseudonym(SALT, "@user", "kim@example.org"),
    }
    assert "Jane" not in json.dumps(events)
    assert line_of(make({"user": "keep", "ids": "keep"}), id="a", user="Jane")["user"] == {"id": "Jane"}
    dropped = line_of(make({"user": "drop", "ids": "drop"}), id="a1b2c3", user="Jane", message="a1b2c3 for Jane")
    assert "user" not in dropped
    assert "prediction_id" not in dropped["ml"]
    assert dropped["message"] == "<prediction_id> for <user>"


def test_protected_values_in_other_places() -> None:
    """A protected value that comes back in the event's free texts, or under its name elsewhere, is protected there."""
    inputs = {**ROW, "person": SECRET, "income": 52346.75, "extra": {"deep": ["deep secret"]}, "new": 1}
    event = line_of(
        inputs=inputs,
        output={"label": "ok", "score": 0.5, "person": SECRET, "reason": f"{SECRET.upper()} earns 52346.75", "age": 5,
                "nested": {"diary": "x", "city": "Bonn"}},
        labels={"person": SECRET, "income": 1, "who": f"<{SECRET}>", "n": 152346.755},
        message="deep secret told by person 52346.75",
        error=KeyError(SECRET),
    )  # fmt: skip
    hashed = pseudonym(SALT, "person", SECRET)
    assert event["labels"] == {"person": hashed, "who": "<<person>>", "n": 152346.755}
    assert event["message"] == "<extra> told by person <income>"
    assert event["error"]["message"] == "'<person>'"
    assert event["ml"]["outputs"] == {
        "label": "ok",
        "score": 0.5,
        "other": {"person": hashed, "reason": "<person> earns <income>", "nested": {"city": "Bonn"}},
    }
    assert SECRET not in json.dumps(event)


def test_a_long_value_that_comes_back() -> None:
    """Of a long text everything behind its beginning goes, since what comes back may be cut."""
    diary = f"slept {SECRET} " * 20
    event = line_of(inputs={**ROW, "diary": diary}, message=f"refused: {diary[:100]}")
    assert event["message"] == "refused: <diary>"


def test_classes_are_no_echo() -> None:
    """A class of the card that is called as a protected value stays what it is, since it is counted; any other goes."""
    card = make(rows={**ROWS, "y": ["late", "fine"] * 60}, target="y")
    given = {"label": "late", "scores": {"late": 0.5}, "top_k": ["late"]}
    assert line_of(card, {**ROW, "person": "late"}, given)["ml"]["outputs"] == given
    assert line_of(card, {**ROW, "person": "late"}, "late")["ml"]["outputs"] == {"label": "late"}
    outputs = line_of(inputs={**ROW, "person": "late"}, output=given)["ml"]["outputs"]
    assert outputs == {"label": "<person>", "scores": {"<person>": 0.5}, "top_k": ["<person>"]}


def test_explanations() -> None:
    """One-hot columns of a protected feature are summed under its name; those of a dropped one, and its own, are out."""
    given = {
        "city=Bonn": 0.5, "cat__person_Jane": 0.25, "person=Kim": 0.5, "person": 0.25, "age": 1.0, "cat__age_30-40": 1.0, "income": -0.125,
        "jo@example.net": 0.0625, "agenda": 0.03125,
    }  # fmt: skip
    found = line_of(output={"score": 0.5, "explanation": given})["ml"]["explanation"]
    assert found["values"] == {"person": 1.0, "city=Bonn": 0.5, "income": -0.125, "<email>": 0.0625, "agenda": 0.03125}
    strict = make({**POLICY, "unexpected": "drop"})
    found = line_of(strict, output={"score": 0.5, "explanation": given})["ml"]["explanation"]
    assert found["values"] == {"person": 1.0, "city=Bonn": 0.5, "income": -0.125}


def test_a_class_as_large_as_a_card_number() -> None:
    """Figures of an output are figures; labels and strings in it are scrubbed."""
    outputs = line_of(output={"value": 4111111111111111.0, "label": "4111111111111111", "other": 4111111111111111})["ml"]["outputs"]
    assert outputs == {"value": 4111111111111111.0, "label": "<card_number>", "other": {"other": "<card_number>"}}


def test_context_and_traces() -> None:
    """What a middleware says of the request is scrubbed, and the mapping that others share isn't changed."""
    with context.bind(url={"path": "/users/jo@example.net"}, client={"ip": "10.0.0.1"}, trace={"id": "ab"}):
        event = line_of(trace_id="jo@example.net")
        assert context.known()["url"] == {"path": "/users/jo@example.net"}
    assert event["url"] == {"path": "/users/<email>"}
    assert event["client"] == {"ip": "<ip>"}
    assert event["trace"] == {"id": "<email>"}


def test_labels_that_are_card_numbers() -> None:
    """A true value is scrubbed both as a keyword and as a number."""
    with capture_events("m", card=CARD, salt=SALT) as captured:
        captured.log.label("a", 4111111111111111)
        captured.log.label("a", 7)
        first, second = captured.events("label")
    assert first["ml"]["label"] == {"value": "<card_number>"}
    assert second["ml"]["label"] == {"value": "7", "number": 7.0}


def test_no_hash_without_a_salt_of_a_protected_text() -> None:
    """A plain hash of a long text could be tried out by whoever guesses it; none is written."""
    long = f"slept {SECRET} " * 1000
    assert len(long) > TEXT_LIMIT
    event = line_of(inputs={**ROW, "diary": long, "person": long, "note": long, "new": long}, labels={"a": long}, message=long)
    assert text_hash(long) not in json.dumps(event)
    assert "age" not in event["ml"].get("truncated", ())


def test_a_dropped_feature_is_not_told_to_be_long() -> None:
    """That a value was cut or replaced is something measured of it."""
    ml = line_of(inputs={**ROW, "age": "x" * 9000, "extra": {1, 2}, "note": "late " * 2000})["ml"]
    assert ml["truncated"] == ["note"]
    assert "replaced" not in ml


def test_stack_traces_begin_with_a_whole_line() -> None:
    """Where a stack trace was cut, half a secret may stand at its front."""
    card = make({**POLICY, "patterns": ["card_number"]})
    message = "\n".join(["4111 1111 1111 1111"] * 800)
    trace = error_fields(ValueError(message))["stack_trace"]
    assert len(trace) == TEXT_LIMIT
    event = line_of(card, error=ValueError(message))
    assert set(event["error"]["stack_trace"].split("\n")) == {"<card_number>", ""}


def test_what_the_caller_passed_is_not_changed() -> None:
    """Everything is protected in a copy."""
    inputs = {**ROW, "new": {"person": SECRET, "mail": ["jo@example.net"]}}
    output = {"label": "a", "explanation": {"person=1": 0.5}, "x": {"person": SECRET}}
    labels = {"person": SECRET}
    before = json.dumps([inputs, output, labels])
    line_of(make({**POLICY, "unexpected": "keep"}), inputs, output, labels=labels)
    assert json.dumps([inputs, output, labels]) == before


def test_an_event_that_the_policy_fails_on_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted as rejected, and what is told of the failure holds nothing of the event."""
    with capture_events("m", card=CARD, salt=SALT) as captured:
        record = captured.log._prediction(ROW, 0.5)  # type: ignore[arg-type]
        record.labels = {"a": type("Odd", (str,), {"lower": None})(SECRET)}
        captured.log._engine.accept(record)
        assert captured.events("prediction") == []
        status = captured.log.status()
    assert status.rejected == 1
    assert SECRET not in str(status)
    assert "TypeError" in str(status.last_error)


def test_texts_are_dropped_as_a_default() -> None:
    """``texts: drop`` counts tokens and writes neither texts nor words; a feature that is kept by name stays."""
    card = make({"texts": "drop", "features": {"note": "keep"}})
    ml = line_of(card, {**ROW, "diary": f"slept {SECRET}"})["ml"]
    assert ml["inputs"]["text"] == {"note": "late at the gate"}
    assert ml["text"]["diary"] == {"tokens": 2, "unseen": 1}
    assert ml["unseen_tokens"] == ["withheld"]


FREE = st.sampled_from(["inputs", "nested", "key", "labels", "label key", "message", "error", "output", "output key", "explanation", "id", "user"])
PLACES = {"person": "hash", "age": "drop", "income": "redact", "diary": "redact", "extra": "drop"}
SECRETS = st.text(string.ascii_letters + string.digits + " -_.é'\"\\\n", max_size=300).map(lambda text: f"Zqz{text}Q")
"""No other part of an event holds these letters."""


def planted(secret: str, where: str) -> dict[str, Any]:
    """Arguments of a prediction that hold a secret in one place."""
    arguments: dict[str, Any] = {"inputs": dict(ROW), "output": {"label": "a", "score": 0.5}}
    if where in PLACES:
        arguments["inputs"][where] = secret
    elif where == "inputs":
        arguments["inputs"]["new"] = secret
    elif where == "nested":
        arguments["inputs"]["new"] = {"a": [{"b": secret}]}
        arguments["inputs"]["extra"] = {"a": [{"b": secret}]}
    elif where == "key":
        arguments["inputs"][secret] = 1
    elif where == "labels":
        arguments["labels"] = {"a": [secret]}
    elif where == "label key":
        arguments["labels"] = {secret: 1}
    elif where == "message":
        arguments["message"] = f"about {secret}!"
    elif where == "error":
        arguments["error"] = ValueError(f"about {secret}!")
    elif where == "output":
        arguments["output"] = {"label": secret, "top_k": [secret], "scores": {secret: 1.0}, "x": [secret]}
    elif where == "output key":
        arguments["output"] = {"label": "a", secret: 1}
    elif where == "explanation":
        arguments["output"]["explanation"] = {secret: 1.0, f"person={secret}": 1.0}
    else:
        arguments[where] = secret
    return arguments


def bytes_of(card: ModelCard, *calls: dict[str, Any]) -> str:
    """Everything that a logger writes of some predictions and facts, its card and its status too."""
    with capture_events("m", card=card, salt=SALT) as captured:
        for arguments in calls:
            captured.log.prediction(**arguments)
        lines = b"".join(captured.lines)
        assert captured.log.status().written == 1 + len(calls)
        status = dataclasses.asdict(captured.log.status())
    return lines.decode() + json.dumps(card.to_dict(), ensure_ascii=False) + json.dumps(status, ensure_ascii=False)


def holds(written: str, secret: str) -> bool:
    """Whether a secret stands somewhere, as it is or as JSON would have it."""
    forms = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    return any(form.lower() in written.lower() for form in forms)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SECRETS, st.sampled_from(sorted(PLACES)), st.sampled_from(["message", "error", "labels", "label key"]))
def test_a_protected_value_is_nowhere(secret: str, place: str, echo: str) -> None:
    """A value of a feature that is hashed, dropped or redacted stands in no byte of event, card or status."""
    call = planted(secret, place)
    for name, value in planted(secret, echo).items():
        call.setdefault(name, value)
    assert not holds(bytes_of(CARD, call), secret)


@pytest.mark.parametrize("secret", ["jane.doe@example.com", "4111 1111 1111 1111", "+49 151 12345678", "DE89 3704 0044 0532 0130 00", "10.11.12.13"])
def test_a_pattern_is_nowhere(secret: str) -> None:
    """What a pattern finds stands in no byte, whatever door it came in by: ids and users are hashed besides."""
    card = make({**POLICY, "unexpected": "keep"}, {**ROWS, "note": [f"about {secret} now", *ROWS["note"][1:]], "city": [secret, *ROWS["city"][1:]]})
    doors = ["inputs", "nested", "key", "labels", "label key", "message", "error", "output", "output key", "explanation", "id", "user", *PLACES]
    calls = [planted(secret, door) for door in doors]
    calls += [{"inputs": {**ROW, name: f"x {secret} y"}} for name in ("city", "note", "vip")]
    written = bytes_of(card, *calls)
    assert not holds(written, secret)
    assert secret.split("@", maxsplit=1)[0].lower() not in written.lower()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.emails(), FREE)
def test_an_address_is_nowhere(address: str, door: str) -> None:
    """No e-mail address comes through any door."""
    assert not holds(bytes_of(CARD, planted(address, door)), address)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SECRETS, st.sampled_from(sorted(PLACES)))
def test_a_value_of_training_is_nowhere(secret: str, place: str) -> None:
    """A value that one row of training had in a protected feature stands neither in the card nor in an event."""
    rows = {**ROWS, place: [secret, *ROWS[place][1:]]}
    policy = {**POLICY, "features": {**PLACES, "income": "hash"}} if place == "income" else POLICY
    assert not holds(bytes_of(make(policy, rows), planted(secret, place)), secret)


@pytest.mark.parametrize("variable", ["MLLOG_API_KEY", "MLLOG_PASSWORD", "MLLOG_SALT", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL"])
def test_the_environments_secrets_are_nowhere(variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No event, card, status or representation holds the value of an environment variable; the manifest is no exception."""
    secret = f"{SECRET}-{variable}"
    monkeypatch.setenv("MLLOG_SALT", SALT)
    monkeypatch.setenv(variable, f"postgres://user:{secret}@host/db" if variable.endswith("URL") else secret)
    card = make(salt=os.environ["MLLOG_SALT"])
    log = mllog.ModelLogger("m", version="1", card=card, sink=tmp_path / "events", artifact=__file__, service="svc", resources=0.01)
    log.prediction(ROW, 0.5, error=ValueError("no"), outcome="failure")
    log.label("a", 1)
    log.flush()
    told = f"{log!r}{vars(log)}{log.status()}{log.card!r}{log.environment!r}"
    log.close()
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert '"deploy"' in written
    assert secret not in written
    assert secret not in told


@pytest.mark.parametrize("scheme", ["logstash+http", "elasticsearch+http"])
def test_the_password_of_a_place_is_nowhere(scheme: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is written, told and said while a server can't be reached doesn't hold the password of its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with caplog.at_level(logging.DEBUG):
        log = mllog.ModelLogger("m", version="1", sink=f"{scheme}://jane:{SECRET}@127.0.0.1:{port}", spool=tmp_path, resources=0)
        log.prediction({"a": 1}, 0.5)
        log.flush()
        told = f"{log!r}{log.status()}"
        log.close(timeout=1)
    written = "".join(path.read_text() for path in tmp_path.rglob("*.ndjson"))
    assert '"predict"' in written
    everything = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET not in everything + told + repr(log.status()) + caplog.text


def test_batches_are_protected() -> None:
    """A batch goes through the same policy as single predictions."""
    frame = {name: values[:3] for name, values in ROWS.items()} | {"id": ["order 1", "order 2", "order 3"]}
    with capture_events("m", card=CARD, salt=SALT) as captured:
        captured.log.batch(frame, [0.5, 0.6, 0.7], id="id")
        events = captured.events("prediction")
    with capture_events("m", card=CARD, salt=SALT) as captured:
        for k in range(3):
            captured.log.prediction({name: ROWS[name][k] for name in ROWS}, 0.5 + k / 10, id=f"order {k + 1}")
        single = captured.events("prediction")
    for one, other in zip(events, single, strict=True):
        del one["ml"]["sequence"], other["ml"]["sequence"]
        assert one["ml"] == other["ml"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=20), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from([*ROWS, "new", "a@b.de"]), ANYTHING), ANYTHING, st.dictionaries(st.text(), ANYTHING, max_size=3),
    st.text() | st.none(), st.text() | st.none(),
)  # fmt: skip
def test_no_event_is_lost_to_the_policy(inputs: Any, output: Any, labels: Any, name: str | None, message: str | None) -> None:
    """Whatever is logged is written, as strict JSON, under a policy too."""
    with capture_events("m", card=CARD, salt=SALT) as captured:
        captured.log.prediction(inputs, output, name, labels=labels, message=message, user=name, error=ValueError(message))
        captured.log.output("a", output)
        captured.log.label("a", output)
        assert len(captured.events()) == 4
        assert captured.log.status().rejected == 0


BORN = {"born": [f"19{60 + k % 40}-0{1 + k % 9}-1{k % 9}" for k in range(N)], "amount": [float(k) for k in range(N)]}


@pytest.mark.parametrize("word", ["drop", "hash", "keep"])
@pytest.mark.parametrize(
    "born",
    ["1971-03-19", dt.date(1971, 3, 19), dt.datetime(1971, 3, 19, 8, 9, 10, 5, tzinfo=dt.UTC), pd.Timestamp("1971-03-19 08:09:10.123456789")],
)  # fmt: skip
def test_a_time_that_is_a_protected_value(word: str, born: Any) -> None:
    """Whoever gives one as the time of an event has the event, marked, with the time at which it was made."""
    card = ModelCard.from_frame(BORN, "m", "1", policy={"features": {"born": word}}, salt=SALT)
    row = {"born": born, "amount": 1.5}
    with capture_events("m", card=card, salt=SALT) as captured:
        log = captured.log
        log.prediction(row, 0.5, time=born)
        log.batch({name: [value] for name, value in row.items()}, [0.5], time="born")
        log.batch(pd.DataFrame({name: [value, value] for name, value in row.items()}), [0.5, 0.5], time="born")
        log.batch([row], [0.5], time="born")
        EventHandler(log).handle(logging.makeLogRecord({"inputs": row, "time": born}))
        log.prediction(row, 0.5, time=dt.datetime(1971, 3, 20, tzinfo=dt.UTC))
        *events, other = captured.predictions()
        assert log.status().rejected == 0
    assert len(events) == 6
    for event in events:
        assert (event["@timestamp"][:4] == "1971") == (word == "keep")
        assert event["ml"].get("replaced") == (None if word == "keep" else ["@timestamp"])
    assert other["@timestamp"] == "1971-03-20T00:00:00.000000Z"
    assert "replaced" not in other["ml"]


@pytest.mark.parametrize("unexpected", ["drop", "redact", "keep"])
def test_names_among_the_marks(unexpected: str) -> None:
    """Of an input that nobody expected the name is told as the policy says, though it looks like a mark of the logger's."""
    inputs = {**ROW, f"@{SECRET}": {1, 2, SECRET}, "@odd": object(), "person": SECRET}
    ml = line_of(make({**POLICY, "unexpected": unexpected}), inputs, labels={"a": object()})["ml"]
    assert SECRET not in json.dumps(ml)
    assert ml["replaced"] == (["@labels"] if unexpected == "drop" else ["@odd", "@labels"])


def test_marks_of_what_was_cut_stay() -> None:
    """That a message, a label or an output was cut is told under a policy too."""
    event = line_of(CARD, output={"why": "k" * 9000}, labels={"a": "k" * 9000}, message="k" * 9000, error=ValueError("k" * 9000))
    assert sorted(event["ml"]["truncated"]) == ["@error", "@labels", "@message", "@output"]
