from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

import mllog
from mllog.card import ModelCard
from mllog.errors import CardError, MllogError, SettingError
from mllog.privacy import Hasher, Policy, pseudonym
from mllog.testing import capture_events
from mllog.values import TEXT_LIMIT

if TYPE_CHECKING:
    from pathlib import Path

SALT = "a secret of enough bytes"
OTHER_SALT = "another of enough bytes!"
ROWS: dict[str, list[Any]] = {
    "city": ["Bonn", "Oslo", "Rome", None] * 60,
    "age": [20 + k % 60 for k in range(240)],
    "vip": [True, False] * 120,
    "note": ["late at the gate", "on time"] * 120,
    "y": [0, 1] * 120,
}


def make(policy: Any = None, **options: Any) -> ModelCard:
    """A card of these rows."""
    return ModelCard.from_frame(
        options.pop("rows", ROWS), "m", "1", **{"target": "y", "text": ["note"], "policy": policy, **options}
    )


def test_without_a_policy_everything_passes() -> None:
    """No policy, and one that only says to keep texts, keep nothing back and cost nothing."""
    for data in ({}, {"texts": "keep"}):
        policy = Policy.read(data)
        assert not policy.keeps_something_back
        assert (policy.texts, policy.user, policy.unexpected) == ("keep", "keep", "keep")
    assert make().policy == {"texts": "keep"}
    assert make({"texts": "keep"}).policy == {"texts": "keep"}


@pytest.mark.parametrize("given", [{"texts": "drop"}, {"ids": "keep"}, {"features": {"age": "drop"}}, {"patterns": ["ip"]}])
def test_a_policy_is_cautious_in_what_it_does_not_say(given: dict[str, Any]) -> None:
    """Whoever states a policy opts into texts, users and values of unknown inputs."""
    policy = Policy.read(given)
    assert (policy.texts, policy.user, policy.unexpected, policy.ids) == ("drop", "drop", "redact", "keep")
    assert (policy.labels, policy.messages) == ("keep", "keep")
    assert policy.word("note", "text") == "redact"
    only = Policy.read({"only": ["age"]})
    assert (only.unexpected, only.labels, only.messages) == ("drop", "drop", "drop")
    assert (only.word("age", "number"), only.word("city", "category")) == ("keep", "drop")
    assert Policy.read({"only": ["age"], "features": {"note": "redact"}}).word("note", "text") == "redact"


def test_a_policy_comes_back_from_the_card(tmp_path: Path) -> None:
    """What the card holds says everything, and reads as what was given."""
    given = {"only": ["age", "city"], "features": {"city": "hash"}, "patterns": ["phone"], "regions": ["DE"], "ids": "hash"}
    card = make(given, salt=SALT)
    card.save(tmp_path / "card.json")
    loaded = ModelCard.load(tmp_path / "card.json")
    assert loaded == card
    assert Policy.read(loaded.policy).to_dict() == loaded.policy
    assert {**loaded.policy, **given} == loaded.policy
    assert make(loaded.policy, salt=SALT) == card


@pytest.mark.parametrize(
    ("policy", "field", "words"),
    [
        ([], "policy", ["mapping"]),
        ({"text": "drop"}, "policy.text", ["texts", "features", "patterns"]),
        ({"texts": "hash"}, "policy.texts", ["'hash'", "keep or drop"]),
        ({"user": "redact"}, "policy.user", ["'redact'", "keep, hash or drop"]),
        ({"unexpected": None}, "policy.unexpected", ["None", "redact"]),
        ({"features": ["age"]}, "policy.features", ["mapping"]),
        ({"features": {"age": "hsah"}}, "policy.features.age", ["'hsah'", "keep, drop, redact or hash"]),
        ({"features": {"agee": "drop"}}, "policy.features.agee", ["'agee'", "'age'", "unexpected"]),
        ({"only": "age"}, "policy.only", ["'age'", "list"]),
        ({"only": ["agee"]}, "policy.only", ["'agee'", "'age'"]),
        ({"only": ["age"], "unexpected": "keep"}, "policy.unexpected", ["'only'", "redact or drop"]),
        ({"only": ["age"], "features": {"city": "keep"}}, "policy.features.city", ["'only'", "drop"]),
        ({"patterns": ["e-mail"]}, "policy.patterns", ["'e-mail'", "email"]),
        ({"patterns": "email"}, "policy.patterns", ["list"]),
        ({"salt": 5}, "policy.salt", ["fingerprint"]),
        ({"features": {"city": "redact"}}, "policy.features.city", ["category", "hash", "drop"]),
        ({"features": {"vip": "redact"}}, "policy.features.vip", ["boolean", "drop"]),
    ],
)
def test_an_impossible_policy_is_told(policy: Any, field: str, words: list[str]) -> None:
    """Field, value and remedy stand in the error; nothing is guessed, since a guess would let a value pass."""
    with pytest.raises(CardError) as caught:
        make(policy)
    assert caught.value.field == field
    for word in (field, *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "features", [{"city": "drop"}, {"city": "hash"}, {"age": "hash"}, {"city": "redact"}, {"note": "drop"}, {"cty": "drop"}]
)
def test_a_policy_written_into_a_finished_card(features: dict[str, str]) -> None:
    """A ruler that was laid without the policy measures, and holds, raw values, so no logger takes it."""
    card = make()
    card.policy["features"] = features
    with pytest.raises(CardError, match=rf"policy\.features\.{next(iter(features))}.*") as caught:
        mllog.ModelLogger("m", version="1", card=card, salt=SALT)
    assert caught.value.value == next(iter(features.values()))


def errors_of(*makers: Any) -> list[MllogError]:
    """What each of them raises."""
    errors = []
    for maker in makers:
        with pytest.raises(SettingError) as caught:
            maker()
        errors.append(caught.value)
    return errors


@pytest.mark.parametrize("policy", [{"features": {"city": "hash"}}, {"ids": "hash"}, {"user": "hash"}])
def test_the_salt(policy: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the card's own salt neither card nor logger can be made; the errors say what to set and hold no salt."""
    card = make(policy, salt=SALT)
    assert make(policy, salt=SALT.encode()) == card
    log = lambda **options: mllog.ModelLogger("m", version="1", card=card, sink=tmp_path, **options)  # noqa: E731
    errors = errors_of(
        lambda: make(policy),
        log,
        lambda: log(salt=OTHER_SALT),
        lambda: log(salt="short"),
        lambda: make(policy, salt="short"),
        lambda: make(card.policy, salt=OTHER_SALT),
        lambda: make(previous=card, salt=OTHER_SALT),
        lambda: make(previous=card),
        lambda: log(salt=5),
    )
    for error in errors:
        assert "salt" in str(error)
        assert error.field == "salt"
        assert not any(salt in f"{error}{error.value}{error.__cause__}" for salt in (SALT, OTHER_SALT, "short"))
    assert all("MLLOG_SALT" in str(error) for error in errors[:-1])
    monkeypatch.setenv("MLLOG_SALT", SALT)
    assert make(policy) == card
    with log() as made:
        assert SALT not in f"{made!r}{vars(made)}{made.status()}"
    monkeypatch.setenv("MLLOG_SALT", "")
    errors_of(log)


def test_a_policy_without_hashes_needs_no_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A salt that nothing uses isn't looked at."""
    monkeypatch.setenv("MLLOG_SALT", "short")
    card = make({"features": {"city": "drop"}})
    assert "salt" not in card.policy
    with capture_events("m", card=card):
        pass


def test_hashes() -> None:
    """Equal values of one feature match, those of two features or salts don't, and 64 bits of each are kept."""
    one, two = Hasher(SALT.encode()), Hasher(OTHER_SALT.encode())
    assert one.hash("a", "x") == one.hash("a", "x") == pseudonym(SALT, "a", "x")
    found = {hasher.hash(name, value) for hasher in (one, two) for name in ("a", "b", "") for value in ("x", "y", "")}
    assert len(found) == 18
    assert all(len(value) == 16 and int(value, 16) >= 0 for value in found)
    assert one.hash("\ud800", "\ud800") != one.hash("\ud800", "?")
    assert one.fingerprint != two.fingerprint
    assert SALT not in repr(one)
    with pytest.raises(TypeError):
        pickle.dumps(one)


def test_a_known_hash() -> None:
    """Other systems can make the same hashes: HMAC-SHA-256, keyed by HMAC-SHA-256 of the name, as RFC 2104 has it."""
    import hashlib

    def hmac_of(key: bytes, message: bytes) -> bytes:
        padded = key.ljust(64, b"\0")
        inner = hashlib.sha256(bytes(b ^ 0x36 for b in padded) + message).digest()
        return hashlib.sha256(bytes(b ^ 0x5C for b in padded) + inner).digest()

    key = hmac_of(SALT.encode(), b"city")
    assert pseudonym(SALT, "city", "Bonn") == hmac_of(key, b"Bonn").hex()[:16]


def test_previous_keeps_the_policy_and_the_ruler() -> None:
    """The next card of a model has the same policy, salt and ruler, so history goes on."""
    card = make({"features": {"city": "hash", "age": "redact", "note": "redact"}}, salt=SALT)
    again = make(previous=card, salt=SALT)
    assert again.policy == card.policy
    assert again.ruler.hash == card.ruler.hash
    assert again.policy is not card.policy


@pytest.mark.parametrize(
    ("before", "now", "name"),
    [
        ({"texts": "keep"}, {"features": {"city": "hash"}, "texts": "keep"}, "city"),
        ({"texts": "keep"}, {"features": {"city": "drop"}, "texts": "keep"}, "city"),
        ({"texts": "keep"}, {"features": {"note": "redact"}}, "note"),
        ({"texts": "keep"}, {"features": {"age": "redact"}, "texts": "keep"}, "age"),
        ({"texts": "keep"}, {"patterns": ["email"], "texts": "keep"}, "note"),
        ({"features": {"city": "hash"}, "texts": "keep"}, {"texts": "keep"}, "city"),
    ],
)
@pytest.mark.parametrize("empty", [False, True])
def test_another_policy_lays_anew_what_it_concerns(before: Any, now: Any, name: str, empty: bool) -> None:
    """Nothing raw is handed on by the previous card, not even where the new training data has no value of it."""
    rare = {**ROWS, "age": [20.123 + k % 60 for k in range(240)], "note": ["seldom", *ROWS["note"][1:]]}
    first = make(before, salt=SALT, rows=rare)
    rows = {**rare, name: [None] * 240} if empty else rare
    second = make(now, salt=SALT, previous=first, rows=rows)
    assert second.ruler.by_name[name] != first.ruler.by_name[name]
    assert all(f == first.ruler.by_name[f.name] for f in second.ruler.features if f.name != name)


def test_another_salt_lays_anew() -> None:
    """Hashes by another salt have nothing in common with the old ones."""
    policy = {"features": {"city": "hash"}}
    first = make(policy, salt=SALT)
    second = make(policy, salt=OTHER_SALT, previous=first)
    assert not second.ruler.by_name["city"].known & first.ruler.by_name["city"].known
    assert second.policy["salt"] != first.policy["salt"]


def test_patterns_keep_categories_that_they_do_not_touch() -> None:
    """A pattern that finds nothing in a category's values leaves its ruler, and so its history, alone."""
    first = make({"texts": "keep"})
    second = make({"texts": "keep", "patterns": ["email"]}, previous=first)
    assert second.ruler.by_name["city"] == first.ruler.by_name["city"]
    found = make({"texts": "keep", "patterns": ["ip"]}, rows={**ROWS, "city": ["10.0.0.1", "x"] * 120})
    assert found.ruler.by_name["city"].known == {"<ip>", "x"}


def test_what_a_card_holds_of_hashed_features() -> None:
    """Categories, segments and sentinels are there as hashes; missing values are missing."""
    card = make({"features": {"city": "hash", "age": "hash", "note": "hash"}}, salt=SALT, segments=["city"])
    city, age, note = (card.ruler.by_name[name] for name in ("city", "age", "note"))
    assert city.known == {pseudonym(SALT, "city", name) for name in ("Bonn", "Oslo", "Rome")}
    assert pseudonym(SALT, "city", "N/A") in city.sentinels
    assert pseudonym(SALT, "age", "-999") in age.sentinels
    assert age.known == {pseudonym(SALT, "age", str(k)) for k in range(20, 80)}
    assert note.known == {pseudonym(SALT, "note", text) for text in ("late at the gate", "on time")}
    assert card.training["*"]["city", "missing", "null"] == 60
    assert card.training["*"]["city", "category", pseudonym(SALT, "city", "Bonn")] == 60


def test_what_a_card_holds_of_dropped_features() -> None:
    """Only whether they were there."""
    card = make({"features": {"city": "drop"}})
    assert card.ruler.by_name["city"].kind == "other"
    assert {key: n for key, n in card.training["*"].items() if key[0] == "city"} == {
        ("city", "missing", "null"): 60,
        ("city", "present", ""): 180,
    }
    with pytest.raises(CardError, match="segment"):
        make({"features": {"city": "drop"}}, segments=["city"])


def test_what_a_card_holds_of_redacted_features() -> None:
    """Of texts the words that ten rows have, of numbers a ruler on which nobody's value stands."""
    rows = {
        **ROWS,
        "note": [f"late {'abcdefghij'[k % 10]}name{'xyzuvw'[k // 40]} gate" for k in range(240)],
        "age": [20.123 + k * 0.37 for k in range(239)] + [987654.321],
    }
    card = make({"features": {"note": "redact", "age": "redact"}}, rows=rows)
    assert card.ruler.by_name["note"].vocabulary == {"late", "gate"}
    age = card.ruler.by_name["age"]
    assert age.low is not None
    assert age.high is not None
    assert age.low <= 20.123
    assert age.high >= 987654.321
    assert not {age.low, age.high, *age.edges} & set(rows["age"])
    assert card.training["*"]["note", "tokens", ""] == 720
    assert card.training["*"]["note", "unseen_tokens", ""] == 240
    constant = make({"features": {"age": "redact"}}, rows={**ROWS, "age": [523467.5] * 240}).ruler.by_name["age"]
    assert constant.low is not None
    assert constant.high is not None
    assert constant.low < 523467.5 < constant.high
    assert "523467" not in json.dumps(make({"features": {"age": "redact"}}, rows={**ROWS, "age": [523467.5] * 240}).to_dict())
    zero = make({"features": {"age": "redact"}}, rows={**ROWS, "age": [0] * 240}).ruler.by_name["age"]
    assert (zero.low, zero.high) == (0.0, 0.0)


def test_long_texts_of_training_leave_no_hash() -> None:
    """A text of training that was too long leaves no hash of itself among the tokens."""
    from mllog.values import text_hash

    long = "late at the gate " * 600
    assert len(long) > TEXT_LIMIT
    card = make({"features": {"note": "redact"}}, rows={name: values[:12] for name, values in ROWS.items()} | {"note": [long] * 12})
    token = text_hash(long)
    assert not [word for word in card.ruler.by_name["note"].vocabulary if word in token or token in word or len(word) > 4]
