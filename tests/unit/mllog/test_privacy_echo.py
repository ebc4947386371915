"""Protected values that come back anywhere in the same event are taken out there."""

from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mllog import context
from mllog.card import ModelCard
from mllog.privacy import protect_frame, pseudonym
from mllog.privacy.echo import Echo
from mllog.privacy.numerals import digits_of
from mllog.testing import assert_valid, capture_events

if TYPE_CHECKING:
    from collections.abc import Callable

SALT = "a secret of enough bytes"
SECRET = "C-SECRET1"
NUMBER = 40000077
INCOME = 54321.25
N = 120
ROWS: dict[str, list[Any]] = {
    "customer": [f"C-{k % 40:05}" for k in range(N)],
    "account": [40000000 + k % 50 for k in range(N)],
    "income": [1000.25 * (1 + k % 50) for k in range(N)],
    "purpose": ["car loan", "house"] * 60,
    "branch": ["Bonn", "Oslo", "Rome", "Bern"] * 30,
    "age": [20.5 + k % 60 for k in range(N)],
    "extra": [{"a": k} for k in range(N)],
    "y": ["good", "bad"] * 60,
}
ROW = {name: values[0] for name, values in ROWS.items() if name != "y"}
SECRETS = {"customer": SECRET, "account": NUMBER, "income": INCOME}
POLICY: dict[str, Any] = {"texts": "keep", "features": {"customer": "hash", "account": "hash", "income": "redact"}}


def make(**policy: Any) -> ModelCard:
    """A card whose policy has these words besides."""
    return ModelCard.from_frame(ROWS, "m", "1", target="y", text=["purpose"], policy={**POLICY, **policy}, salt=SALT)


CARD = make()
KEEPING = make(unexpected="keep", user="keep")


def line_of(
    output: Any = None, card: ModelCard = CARD, changes: dict[str, Any] | None = None, **options: Any
) -> dict[str, Any]:
    """The event of a prediction whose inputs hold the secrets."""
    with capture_events("m", card=card, salt=SALT) as captured:
        captured.log.prediction({**ROW, **SECRETS, **(changes or {})}, output, **options)
        (event,) = captured.predictions()
    assert_valid([event])
    return event


def test_numbers() -> None:
    """They are matched by value, whatever their type and sign, in labels, outputs and the context."""
    bound = context.bind(http={"n": NUMBER}, url={"full": f"/c?n={NUMBER}"})
    with bound, capture_events("m", card=CARD, salt=SALT) as captured:
        captured.log.prediction(
            {**ROW, **SECRETS},
            {"num": NUMBER, "deep": [{"n": -float(NUMBER)}], "income_": INCOME, "n": 77},
            labels={"n": NUMBER, "s": str(NUMBER), "l": [NUMBER, 5]},
        )
        (event,) = captured.predictions()
    assert event["ml"]["outputs"]["other"] == {
        "num": "<account>",
        "deep": [{"n": "<account>"}],
        "income_": "<income>",
        "n": 77,
    }
    assert event["labels"] == {"n": "<account>", "s": "<account>", "l": ["<account>", 5]}
    assert event["http"] == {"n": "<account>"}
    assert event["url"] == {"full": "/c?n=<account>"}


def test_scores_and_values() -> None:
    """A field of numbers holds no mark: the number goes, and ``ml.replaced`` names it."""
    for output in (INCOME, [INCOME], {"value": INCOME}):
        ml = line_of(output)["ml"]
        assert ("outputs" in ml, ml["replaced"]) == (False, ["@value"])
    card = make(features={"income": "redact"})
    ml = line_of(0.8125, card, {"income": 0.8125})["ml"]
    assert ("outputs" in ml, ml["replaced"]) == (False, ["@score"])
    ml = line_of({"label": "good", "scores": {"good": 0.5, "p50": INCOME}})["ml"]
    assert ml["outputs"] == {"label": "good", "scores": {"good": 0.5}}
    assert ml["replaced"] == ["@scores"]
    ml = line_of({"label": "good", "scores": [0.5, INCOME]})["ml"]
    assert ml["outputs"]["scores"] in ({}, {"all": []})
    assert line_of({"score": 0.5, "explanation": {"age": INCOME, "branch": 0.5}})["ml"]["explanation"]["values"] == {
        "branch": 0.5
    }


@pytest.mark.parametrize("number", [0, 1, 5, 0.5, 120, 999, -3, 0.125, 0.0012, 1e300])
def test_small_numbers_are_equal_by_chance(number: float) -> None:
    """Scores and values that equal a protected number of fewer than four digits stay."""
    ml = line_of({"score": 0.5, "value": number, "n": number}, changes={"income": number})["ml"]
    if digits_of(number) < 4:
        assert ml["outputs"] == {"score": 0.5, "value": number, "other": {"n": number}}
    else:
        assert ml["outputs"] == {"score": 0.5, "other": {"n": "<income>"}}


@pytest.mark.parametrize(
    ("number", "digits"),
    [
        (0, 0),
        (0.5, 1),
        (120, 3),
        (1000, 4),
        (1000.0, 4),
        (-1234, 4),
        (0.0123, 3),
        (0.01234, 4),
        (1.5e-9, 2),
        (float("nan"), 0),
    ],
)
def test_digits_of_a_number(number: float, digits: int) -> None:
    """As it is written, leading zeros aside."""
    assert digits_of(number) == digits


def test_classes() -> None:
    """A label, a key of the scores or one of the best classes that is a protected value is none of the card's classes."""
    outputs = line_of({"label": SECRET, "scores": {SECRET: 0.5, "bad": 0.5}, "top_k": [SECRET, "good", NUMBER]})["ml"][
        "outputs"
    ]
    assert outputs == {
        "label": "<customer>",
        "scores": {"<customer>": 0.5, "bad": 0.5},
        "top_k": ["<customer>", "good", "<account>"],
    }
    assert line_of({"label": NUMBER})["ml"]["outputs"] == {"label": "<account>"}
    kept = line_of({"label": "good", "top_k": ["good"]}, changes={"customer": "good"})["ml"]["outputs"]
    assert kept == {"label": "good", "top_k": ["good"]}


def test_kept_strings() -> None:
    """Of a kept text the quote goes, and with it unseen tokens; a kept category of training is no quote, another one is."""
    ml = line_of(changes={"purpose": f"car loan for {SECRET}", "branch": f"{SECRET} branch", "age": 40000077.0})["ml"]
    assert ml["inputs"]["text"] == {"purpose": "car loan for <customer>"}
    assert ml["unseen_tokens"] == ["for", "customer"]
    assert ml["inputs"]["keyword"]["branch"] == "<customer> branch"
    assert ml["inputs"]["number"] == {"age": 40000077.0}, "a number that is kept is kept"
    ml = line_of(changes={"customer": "Bonn"})["ml"]
    assert ml["inputs"]["keyword"]["branch"] == "Bonn"
    assert sorted(ml["violations"]["category"]) == ["account", "customer"], "the branch is one of training"


def test_unexpected_inputs() -> None:
    """Neither their names nor, where they are kept, their values quote a protected value; what isn't kept is one itself."""
    changes = {SECRET: 1, "new": {"deep": [SECRET, NUMBER]}, "odd": "Some-Street-5"}
    event = line_of(changes=changes, message="to Some-Street-5")
    assert event["ml"]["violations"]["unexpected"] == ["<customer>", "new", "odd"]
    assert event["message"] == "to <unexpected>"
    event = line_of(None, KEEPING, changes, message="to Some-Street-5")
    assert event["ml"]["inputs"]["other"]["new"] == {"deep": ["<customer>", "<account>"]}
    assert event["message"] == "to Some-Street-5"


@pytest.mark.parametrize("given", [SECRET, f"order-{SECRET}", str(NUMBER)])
def test_ids_that_are_kept(given: str) -> None:
    """An id that holds a protected value is hashed, so that it still tells predictions apart, and is marked."""
    ml = line_of(id=given)["ml"]
    assert ml["prediction_id"] == pseudonym(SALT, "@prediction_id", given)
    assert ml["replaced"] == ["@prediction_id"]
    ml = line_of(id="order-4711")["ml"]
    assert (ml["prediction_id"], "replaced" in ml) == ("order-4711", False)
    without_salt = ModelCard.from_frame(ROWS, "m", "1", target="y", policy={"features": {"income": "redact"}})
    assert "prediction_id" not in line_of(None, without_salt, id=f"{INCOME}")["ml"]


def test_ids_in_which_a_pattern_is_found() -> None:
    """Every part of a prediction decides alike, so they still meet; ids that are hexadecimal by nature stay."""
    card = make(patterns=["email", "card_number", "phone"], regions=["US"])
    with capture_events("m", card=card, salt=SALT) as captured:
        captured.log.prediction(ROW, 0.5, id="jane@example.com")
        captured.log.label("jane@example.com", "good")
        captured.log.kpi("revenue", 5, prediction_id="jane@example.com")
        captured.log.prediction(ROW, 0.5, id="a4111111111111111b2125552368cdef")
        *parts, opaque = [event["ml"]["prediction_id"] for event in captured.events() if "prediction_id" in event["ml"]]
    hashed = pseudonym(SALT, "@prediction_id", "jane@example.com")
    assert sorted([*parts, opaque]) == sorted([hashed] * 3 + ["a4111111111111111b2125552368cdef"])


def test_hexadecimal_ids_are_not_changed_by_chance() -> None:
    """Four digits of a trace id that equal a protected number are there by chance; all of it isn't."""
    trace = {"id": "4bf92f3577b34da6a3ce929d0e0e4736"}
    with context.bind(trace=trace):
        assert line_of(changes={"account": 4736})["trace"] == trace
        assert line_of(changes={"customer": trace["id"]})["trace"] == {"id": "<customer>"}


def test_fields_keep_their_names() -> None:
    """A value that is called as a field of ours is taken out of values, and the fields stay."""
    card = make(ids="hash")
    for name in ("http", "path", "value", "name", "label", "trace"):
        with (
            capture_events("m", card=card, salt=SALT) as captured,
            context.bind(url={"path": f"/{name}/x"}, http={"request": {"id": "a"}}),
        ):
            captured.log.prediction({**ROW, "customer": name}, {"label": "good", "score": 0.5}, id=name)
            captured.log.kpi("revenue", 5, prediction_id=name)
            captured.log.label(name, "late")
            events = captured.events()[1:]
            assert captured.log.status().rejected == 0
        assert_valid(events)
        assert [event["url"]["path"] for event in events] == [
            "/<customer>/x",
            "/<prediction_id>/x",
            "/<prediction_id>/x",
        ]
        assert events[1]["ml"]["metric"] == {"name": "revenue", "value": 5.0}
        assert events[2]["ml"]["label"] == {"value": "late"}


def test_figures_of_facts() -> None:
    """A figure that is the protected id goes, since its field holds no mark."""
    with capture_events("m", card=make(ids="drop"), salt=SALT) as captured:
        captured.log.kpi("order", 47110815, prediction_id="47110815")
        captured.log.label("47110815", 47110815)
        kpi, label = captured.events()[1:]
    assert kpi["ml"]["metric"] == {"name": "order"}
    assert label["ml"]["label"] == {"value": "<prediction_id>"}


@pytest.mark.parametrize(
    "written",
    [
        "40000077",
        "40,000,077",
        "40.000.077",
        "40 000 077",
        "40'000'077",
        "40000077.0",
        "54321.25",
        "54,321.25",
        "54.321,25",
        "-54321.25",
    ],
)
def test_spellings_of_numbers(written: str) -> None:
    """As Python writes it, and with separators of thousands."""
    message = line_of(message=f"about {written}!")["message"]
    assert message.replace("-", "").replace(".0", "") in {"about <account>!", "about <income>!"}
    assert line_of(message=f"about 1{written.lstrip('-')}9!")["message"] == f"about 1{written.lstrip('-')}9!"


@pytest.mark.parametrize("secret", ["Straße 5/b", 'O"Neil\n', "a b&c=d", "1971-07-17T10:20:30", "İstanbul", "x" * 300])
def test_spellings_of_texts(secret: str) -> None:
    """As Python's repr, JSON and URLs write it, in any case; of a moment the date, too."""
    from urllib.parse import quote, quote_plus

    forms = [
        secret,
        repr(secret),
        json.dumps(secret),
        quote(secret),
        quote_plus(secret),
        secret.upper(),
        secret.strip(),
    ]
    if secret.startswith("1971"):
        forms.append(secret[:10])
    for form in forms:
        if "ß" in secret and form == secret.upper():
            continue  # two letters, not one in another case
        message = (
            line_of(changes={"customer": secret}, message=f"about {form}")["message"]
            .replace("\\n", "")
            .replace("\n", "")
        )
        assert message.strip("'\"").replace("'", "").replace('"', "").replace("\\", "") == "about <customer>", form


def test_training_and_frames_are_cleaned_alike() -> None:
    """A row's quote is taken out of its own kept text before the vocabulary is made, and from a frame that is compared."""
    quoting = [f"car loan for {name}" for name in ROWS["customer"]]
    card = ModelCard.from_frame(
        {**ROWS, "purpose": quoting}, "m", "1", target="y", text=["purpose"], policy=POLICY, salt=SALT
    )
    assert card.ruler.by_name["purpose"].vocabulary == {"car", "loan", "for", "customer"}
    frame = {name: [value] for name, value in {**ROW, **SECRETS}.items()}
    frame |= {"purpose": [f"loan of {SECRET}"], "branch": [f"{SECRET} branch"]}
    protected = protect_frame(card, frame, SALT)
    assert protected["purpose"] == ["loan of <customer>"]
    assert protected["branch"] == ["<customer> branch"]
    assert frame["purpose"] == [f"loan of {SECRET}"]
    moment = {**frame, "customer": ["1971-07-17T10:20:30"], "purpose": ["born 1971-07-17"]}
    assert protect_frame(card, moment, SALT)["purpose"] == ["born <customer>"]


def test_a_user_that_was_bound_by_hand() -> None:
    """Whoever binds ECS's own field says who asked, and the policy has its word on that too."""
    for words, expected in (
        ("hash", {"hash": pseudonym(SALT, "@user", "Jane Doe")}),
        ("drop", None),
        ("keep", {"id": "Jane Doe"}),
    ):
        with capture_events("m", card=make(user=words), salt=SALT) as captured:
            token = context.current.set(context.Bound({"user": {"id": "Jane Doe"}}))
            try:
                captured.log.prediction(ROW, 0.5, message="for Jane Doe")
                captured.log.prediction(ROW, 0.5, user="Kim Lee", message="for Kim Lee")
            finally:
                context.current.reset(token)
            event, other = captured.predictions()
        assert event.get("user") == expected
        assert event["message"] == ("for Jane Doe" if words == "keep" else "for <user>")
        assert other.get("user") == {
            "hash": {"hash": pseudonym(SALT, "@user", "Kim Lee")},
            "keep": {"id": "Kim Lee"},
        }.get(words)


def in_context(**fields: Any) -> Callable[[Any, dict[str, Any]], None]:
    def log(logger: Any, inputs: dict[str, Any]) -> None:
        with context.bind(**fields):
            logger.prediction(inputs, 0.5)

    return log


def arguments(**given: Any) -> Callable[[Any, dict[str, Any]], None]:
    return lambda logger, inputs: logger.prediction(inputs, **given)


def changed(**inputs: Any) -> Callable[[Any, dict[str, Any]], None]:
    return lambda logger, given: logger.prediction({**given, **inputs}, 0.5)


def batch(secret: Any) -> Callable[[Any, dict[str, Any]], None]:
    def log(logger: Any, inputs: dict[str, Any]) -> None:
        frame = {name: [value] for name, value in inputs.items()} | {"id": [f"<{secret}>"]}
        logger.batch(frame, [{"label": secret, "x": [secret]}], id="id")

    return log


def request(secret: Any) -> Callable[[Any, dict[str, Any]], None]:
    def log(logger: Any, inputs: dict[str, Any]) -> None:
        with pytest.raises(KeyError), logger.request(inputs, str(secret), labels={str(secret): secret}):
            raise KeyError(secret)

    return log


def doors(secret: Any) -> dict[str, Callable[[Any, dict[str, Any]], None]]:
    """Ways by which a value may come into an event once more."""
    text = f"about {secret}; "
    return {
        "bare output": arguments(output=secret), "output in a list": arguments(output=[secret]), "outputs": arguments(output=[secret, secret]),
        "label": arguments(output={"label": secret, "score": 0.5}), "value": arguments(output={"value": secret, "score": secret}),
        "scores": arguments(output={"scores": {str(secret): 0.5, "a": secret}}), "score list": arguments(output={"scores": [secret, 0.5]}),
        "top_k": arguments(output={"top_k": [secret, "a"]}), "other output": arguments(output={"label": "good", "a": {"b": [secret, text]}}),
        "output's key": arguments(output={"label": "good", str(secret): 1}),
        "explanation": arguments(output={"explanation": {str(secret): 0.5, "age": secret}}),
        "labels": arguments(labels={"a": secret, "b": [secret, text], str(secret): 1}), "message": arguments(message=text),
        "error": arguments(error=ValueError(text, secret)), "id": arguments(id=str(secret)), "id around": arguments(id=f"order-{secret}/x"),
        "trace": arguments(trace_id=str(secret)), "user": arguments(user=str(secret)),
        "context": in_context(url={"path": f"/c/{secret}/x"}, http={"n": secret, "request": {"id": str(secret)}}, odd={str(secret): [secret]}, **{f"{secret}!": 1}),
        "kept text": changed(purpose=text), "kept category": changed(branch=text), "kept object": changed(extra={"a": [secret], str(secret): text}),
        "text for a number": changed(age=text), "object for a category": changed(branch={"a": secret}),
        "unexpected": changed(new=secret, more={"a": [text]}, **{f"{secret} ": 1}), "batch": batch(secret), "request": request(secret),
    }  # fmt: skip


TEXTS = st.text(string.ascii_letters + string.digits + " -_.é'\"\\\n/&=", max_size=100).map(lambda text: f"Zqz{text}Q")
NUMBERS = st.integers(10**3, 2**53).map(lambda n: n * 10 + 7) | st.floats(1e3, 1e12).filter(
    lambda x: digits_of(x) >= 6 and x % 1 > 0.01
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    secret=TEXTS | NUMBERS,
    place=st.sampled_from(["customer", "account", "income"]),
    door=st.sampled_from(sorted(doors(1))),
    keep=st.booleans(),
)
def test_a_protected_value_is_nowhere_in_its_event(secret: Any, place: str, door: str, keep: bool) -> None:
    """A value of at least the stated length that is planted anywhere in an event, through any door, isn't in the line."""
    with capture_events("m", card=KEEPING if keep else CARD, salt=SALT) as captured:
        doors(secret)[door](captured.log, {**ROW, place: secret})
        assert captured.log.status().rejected == 0
        (event,) = captured.predictions()
        (line,) = [line.decode() for line in captured.lines if b'"predict"' in line]
    if door != "context":  # which holds what is in no table
        assert_valid([event])
    for own in ("@timestamp", "event", "process", "host"):
        del event[own]
    forms = [
        str(secret),
        repr(secret).strip("'\""),
        json.dumps(secret).strip('"'),
        json.dumps(secret, ensure_ascii=False).strip('"'),
    ]
    written = json.dumps(event, ensure_ascii=False)
    texts = "\n".join(leaves(event))
    assert not [form for form in forms if form.strip().lower() in written.lower() + texts.lower()], line


def leaves(value: Any) -> list[str]:
    """Every key and value of an event, as a text."""
    if isinstance(value, dict):
        return [text for name, item in value.items() for text in (name, *leaves(item))]
    if isinstance(value, list):
        return [text for item in value for text in leaves(item)]
    return [str(value)]


@given(st.lists(TEXTS | NUMBERS, max_size=5), st.text() | TEXTS)
def test_what_is_no_value_stays(values: list[Any], text: str) -> None:
    """A text in which no value stands is given back as it is."""
    echo = Echo()
    for value in values:
        echo.add("a", value)
    if "Zqz" not in text and not any(character.isdigit() for character in text):
        assert echo.text(text) == text


def test_letters_that_become_two() -> None:
    """Where lower case is longer than the text, the value is still cut out where it stands, and the rest stays."""
    echo = Echo()
    echo.add("customer", SECRET)
    assert echo.text(f"İİİ: {SECRET} is") == "İİİ: <customer> is"


@pytest.mark.parametrize("number", [10**400, -(10**400), 10**5000, 2**1024], ids=["large", "small", "endless", "next"])
def test_numbers_beyond_all_floats(number: int) -> None:
    """Under a policy, an integer that no float can be costs no event, whether a feature or an unexpected name has it."""
    policy = {"texts": "drop", "features": {"income": "redact"}}
    frame = {"income": [1.0, 2.0, 3.0] * 10, "note": ["a b"] * 30}
    card = ModelCard.from_frame(frame, "m", "1", policy=policy, text=["note"])
    with capture_events("m", card=card) as captured:
        assert captured.log.prediction({"income": number, "unknown": number, "note": "x"}, 0.5, labels={"n": number})
    assert len(captured.predictions()) == 1
    assert captured.log.status().rejected == 0


@pytest.mark.parametrize(("word", "told"), [("keep", "jane.doe"), ("drop", None), ("hash", "hashed")])
def test_who_annotated_goes_by_the_word_for_users(word: str, told: str | None) -> None:
    """The name of somebody who labels is a person's too."""
    with capture_events("m", card=make(user=word), salt=SALT) as captured:
        captured.log.label("p1", "late", annotator="jane.doe")
    (event,) = captured.events("label")
    written = event["ml"]["label"].get("annotator")
    assert (written == told) if told != "hashed" else (written and "jane" not in json.dumps(event))
