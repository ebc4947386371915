from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban, luhn

from mllog.errors import SettingError
from mllog.privacy import PATTERNS, Scrubber
from mllog.privacy.scrubbing import without_hash
from mllog.values import NAME_LIMIT, TEXT_LIMIT, cut, name_of

ALL = Scrubber(PATTERNS, ["US", "DE"])
EMAIL = Scrubber(["email"])
WORDS = st.text(st.characters(categories=["Ll", "Lu"]), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("mail john.doe+x@example.co.uk, please", "mail <email>, please"),
        ("<o'neil@example.com>", "<<email>>"),
        ("grüße@bücher.example to=a@c.de&x=1 a/b@c.de", "<email> to=<email>&x=1 a/<email>"),
        ("order 12 4111 1111 1111 1111 thanks", "order 12 <card_number> thanks"),
        ("4111111111111111.", "<card_number>."),
        ("3782-822463-10005", "<card_number>"),
        ("amex 378282246310005 visa 4222222222222", "amex <card_number> visa <card_number>"),
        ("iban de89 3704 0044 0532 0130 00 and", "iban <iban> and"),
        ("GB29NWBK60161331926819x", "<iban>x"),
        ("to GB29 NWBK 6016 1331 9268 19, now", "to <iban>, now"),
        ("at 10.0.0.1:80", "at <ip>:80"),
        ("from ::1 or 2001:db8::8a2e:370:7334", "from <ip> or <ip>"),
        ("call +49 151 12345678", "call <phone>"),
        ("call (415) 555-2671 or 089/12345678", "call <phone> or <phone>"),
        ("tel:+4915112345678", "tel:<phone>"),
    ],
)
def test_what_is_found(text: str, scrubbed: str) -> None:
    """Each kind of personal data is replaced by its mark, whatever stands around it."""
    assert ALL.text(text) == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "", "UA", "x@y", "@everyone", "1700000000123456789", "4111 1111 1111 1112", "4111111111111112", "300.1.1.1", "1.2.3.4.5",
        "12:30:45", "std::abc", "DE89 3704 0044 0532 0130 02", "35 minutes at gate 12", "2026-11-23T20:06:01.123456Z",
        "$1,234,567.89", "0.30000000000000004", "v26.1.0",
    ],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    """What fails its check digits, or isn't of the form, stays as it is."""
    assert ALL.text(text) == text


def test_only_what_was_asked_for_is_looked_for() -> None:
    """A pattern that isn't named finds nothing."""
    text = "john@example.com at 10.0.0.1"
    assert Scrubber(["ip"]).text(text) == "john@example.com at <ip>"
    assert Scrubber(["email"]).text(text) == "<email> at 10.0.0.1"
    assert Scrubber(["phone"]).text("(415) 555-2671") == "(415) 555-2671"


@given(
    st.sampled_from("3456"), st.lists(st.sampled_from("0123456789"), min_size=11, max_size=17), st.sampled_from(["", " ", "-"]),
    WORDS, WORDS,
)  # fmt: skip
def test_every_card_number_is_found(first: str, rest: list[str], gap: str, before: str, after: str) -> None:
    """A number that Luhn's check passes never comes through, in one piece or in groups of four."""
    body = first + "".join(rest)
    number = body + luhn.calc_check_digit(body)
    grouped = gap.join(number[k : k + 4] for k in range(0, len(number), 4))
    scrubbed = Scrubber(["card_number"]).text(f"{before} {grouped} {after}")
    assert scrubbed == f"{before} <card_number> {after}"


@given(st.text("0123456789", min_size=18, max_size=18), st.sampled_from(["", " "]), WORDS)
def test_every_iban_is_found(account: str, gap: str, after: str) -> None:
    """A German IBAN with right check digits never comes through, written together or in groups of four."""
    digits = iban.calc_check_digits(f"DE00{account}")
    number = f"DE{digits}{account}"
    grouped = gap.join(number[k : k + 4] for k in range(0, len(number), 4))
    assert Scrubber(["iban"]).text(f"to {grouped} {after}") == f"to <iban> {after}"


@given(st.emails(), WORDS)
def test_every_address_is_found(address: str, word: str) -> None:
    """No e-mail address comes through whole."""
    assert address not in EMAIL.text(f"{word} {address} {word}")


@given(st.text())
def test_nothing_else_is_lost(text: str) -> None:
    """Scrubbing doesn't raise, and scrubbing again changes nothing."""
    once = ALL.text(text)
    assert ALL.text(once) == once


@pytest.mark.parametrize(
    ("secret", "filler"),
    [("jane.doe@example.com", "word "), ("4111 1111 1111 1111", "word "), ("DE89 3704 0044 0532 0130 00", "word "),
     ("+49 151 12345678", "word ")],
)  # fmt: skip
@pytest.mark.parametrize("position", range(-30, 2, 3))
def test_where_a_text_was_cut(secret: str, filler: str, position: int) -> None:
    """Half of a secret at the end of a text that was cut goes too, and so does the hash of all of it."""
    head = (filler * 2000)[: TEXT_LIMIT + position - 1] + " "
    whole = head + secret + " and more" * 20
    scrubbed = ALL.text(cut(whole))
    assert scrubbed.endswith("…")
    for part in (secret[:8], secret[:12]):
        assert part not in scrubbed
    assert len(scrubbed) > TEXT_LIMIT - 400
    assert "#" not in without_hash(cut(whole))[-20:]


def test_where_a_name_was_cut() -> None:
    """A name that was too long loses its cut end, and the hash of all of it, as a text does."""
    name = name_of("a key " * 39 + "jane.doe@example.com and more")
    assert len(name) == NAME_LIMIT
    assert "jane" in name
    scrubbed = ALL.text(name)
    assert scrubbed == ("a key " * 39).rstrip() + "…"
    assert ALL.text(name_of("x" * NAME_LIMIT)) == "x" * NAME_LIMIT


@pytest.mark.parametrize(
    ("number", "scrubbed"),
    [(4111111111111111, "<card_number>"), (4111111111111111.0, "<card_number>"), (4111111111111112, 4111111111111112),
     (7, 7), (True, True), (1e300, 1e300), (float("inf"), float("inf")), (-0.5, -0.5)],
)  # fmt: skip
def test_numbers(number: float, scrubbed: object) -> None:
    """A card number that was sent as a number is one."""
    assert ALL.number(number) == scrubbed


@pytest.mark.parametrize(
    ("pattern", "library", "distribution"),
    [("phone", "phonenumbers", "phonenumbers"), ("iban", "stdnum", "python-stdnum"), ("card_number", "stdnum", "python-stdnum")],
)
def test_a_library_that_is_not_installed(pattern: str, library: str, distribution: str) -> None:
    """The error says which pattern needs what, and how to get it; other patterns go without."""
    code = f"""
import sys
sys.modules[{library!r}] = None
import mllog
from mllog.privacy import Scrubber
assert Scrubber(["email", "ip"]).text("a@b.de 10.0.0.1") == "<email> <ip>"
try:
    Scrubber([{pattern!r}])
except mllog.SettingError as error:
    print(error, error.value, error.field)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for word in (pattern, distribution, "mllog-elastic[privacy]", "policy.patterns"):
        assert word in done.stdout


def test_an_unknown_region() -> None:
    """A region that isn't one is told."""
    with pytest.raises(SettingError, match="'us'"):
        Scrubber(["phone"], ["us"])
