from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from mllog.card import ModelCard
from mllog.privacy import Policy, pseudonym
from watchers.cli import main

if TYPE_CHECKING:
    from pathlib import Path

SALT = "a secret of enough bytes"
FRAME = pd.DataFrame(
    {"city": ["Bonn", "Oslo"] * 50, "age": range(100), "ssn": [f"{k:09d}" for k in range(100)], "note": ["mail jo@example.com now"] * 100}
)


@pytest.fixture
def made(tmp_path: Path) -> list[str]:
    """The command without its policy."""
    FRAME.to_csv(tmp_path / "train.csv", index=False)
    return ["card", str(tmp_path / "train.csv"), "--model", "m", "--version", "1", "--text", "note", "--out", str(tmp_path / "card.json")]


def test_a_policy_on_the_command_line(made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words and patterns go into the card's policy together with a file; the salt comes from the environment."""
    (tmp_path / "policy.json").write_text(json.dumps({"texts": "keep", "features": {"age": "keep", "ssn": "keep"}, "patterns": ["ip"]}))
    monkeypatch.setenv("MLLOG_SALT", SALT)
    options = ["--hash", "city", "--drop", "ssn", "--redact", "age", "--pattern", "email", "--policy", str(tmp_path / "policy.json")]
    assert main([*made, *options]) == 0
    card = ModelCard.load(tmp_path / "card.json")
    policy = Policy.read(card.policy)
    assert policy.features == {"age": "redact", "ssn": "drop", "city": "hash"}
    assert policy.patterns == ("ip", "email")
    assert policy.texts == "keep"
    assert card.ruler.by_name["city"].known == {pseudonym(SALT, "city", name) for name in ("Bonn", "Oslo")}
    assert card.ruler.by_name["ssn"].kind == "other"
    assert main(made) == 0
    assert ModelCard.load(tmp_path / "card.json").policy == {"texts": "keep"}


@pytest.mark.parametrize("content", ["{", "[]", '{"features": []}'])
def test_a_broken_policy_file(made: list[str], tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a usage error, and no card is made."""
    (tmp_path / "policy.json").write_text(content)
    assert main([*made, "--policy", str(tmp_path / "policy.json")]) == 2
    assert not (tmp_path / "card.json").exists()
    assert capsys.readouterr().err


def test_what_can_not_be_carried_out(made: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing salt and an unknown column are usage errors that say what to do."""
    monkeypatch.delenv("MLLOG_SALT", raising=False)
    assert main([*made, "--hash", "city"]) == 2
    assert "MLLOG_SALT" in capsys.readouterr().err
    assert main([*made, "--drop", "ctiy"]) == 2
    assert "ctiy" in capsys.readouterr().err
