"""The command line: help, examples, and what every command promises."""

from __future__ import annotations

import json
import shlex

import pytest

from mllog.card import ModelCard
from mllog.cli import main as mllog
from watchers.cli import _parser, main

COMMANDS = ("card", "profile", "run", "schedule", "health", "incidents", "report")


def test_every_command_is_tested_here():
    """The list below is the list of commands."""
    choices = next(action.choices for action in _parser()._actions if action.dest == "command")
    assert tuple(choices) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command, capsys):
    """``--help`` explains every option and ends with an example, which the command itself would take."""
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert "--json" in out
    example = next(action.choices[command].epilog for action in _parser()._actions if action.dest == "command")
    assert " ".join(out.split()).endswith(example)
    program, *words = shlex.split(example.removeprefix("example: "))
    assert program == "watchers"
    args = _parser().parse_args(words)
    assert args.command == command
    for action in next(a.choices[command]._actions for a in _parser()._actions if a.dest == "command"):
        assert action.help or action.required or action.choices, f"{action.dest} isn't explained"


@pytest.mark.parametrize("command", ["demo", "show"])
def test_the_commands_of_mllog_have_help_with_an_example(command, capsys):
    """So do the commands that the watchers bring to ``mllog``."""
    assert mllog([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert "--json" in out
    assert f"example: mllog {command}" in out


def test_the_whole_has_help_with_an_example(capsys):
    """``watchers --help`` names every command."""
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert [command for command in COMMANDS if command not in out] == []
    assert "example: watchers run --once" in out


@pytest.mark.parametrize("value", ["abc", "0", "-1", "nan", "86401"])
def test_an_interval_is_a_number_of_seconds(capsys, value):
    """Whatever else is named, with its argument and what would do."""
    with pytest.raises(SystemExit) as stop:
        main(["schedule", "--store", "x", f"--every={value}"])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert f"--every: {value!r} is no number of seconds up to a day (86400); write it as 60" in said


@pytest.mark.parametrize("action", ["show", "ack"])
def test_an_incident_without_an_id(capsys, tmp_path, action):
    """The id is missing, and the command that lists them is named."""
    assert main(["incidents", "--store", str(tmp_path), action]) == 2
    said = capsys.readouterr().err
    assert "the incident's id is missing" in said
    assert f"watchers incidents --store {tmp_path} list" in said


@pytest.mark.parametrize("words", [[], ["nonsense"], ["run", "--once"], ["run", "--store", "x"], ["card", "f.csv"]])
def test_wrong_words_are_a_usage_error(words, capsys):
    """A command line that can't be read ends with 2 and says what is missing."""
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert "usage: watchers" in capsys.readouterr().err


def test_an_incident_is_taken_by_somebody(tmp_path, capsys):
    """``incidents ack`` needs to know who, and writes it down; the incident is found by its first letters."""
    import datetime as dt

    from watchers.incidents import Incident, IncidentEvent
    from watchers.stores import open_store

    at = dt.datetime(2026, 3, 2, 10, tzinfo=dt.UTC)
    for name in ("abc123", "abd456"):
        incident = Incident(name, "m", at, at, at, title="carrier: missing", features=["carrier"], checks=["missing"])
        open_store(str(tmp_path)).write_incident_events(
            [IncidentEvent.make(name, at, "opened", 0, incident.to_dict()).to_dict()]
        )
    place = ["incidents", "--store", str(tmp_path)]
    assert main([*place, "list", "--json"]) == 1
    assert {entry["id"] for entry in json.loads(capsys.readouterr().out)["incidents"]} == {"abc123", "abd456"}
    assert main([*place, "ack", "abc"]) == 2
    assert "--by" in capsys.readouterr().err
    assert main([*place, "ack", "ab", "--by", "ada"]) == 2
    assert "several" in capsys.readouterr().err
    assert main([*place, "ack", "abc", "--by", "ada", "--as-normal", "--json"]) == 0
    taken = json.loads(capsys.readouterr().out)["incident"]
    assert (taken["id"], taken["state"], taken["acknowledged_by"]) == ("abc123", "acknowledged", "ada")
    assert taken["as_normal"] is True
    assert main([*place, "show", "abc"]) == 0
    assert "abc123  acknowledged" in capsys.readouterr().out


def test_a_broken_line_of_the_incidents(tmp_path, capsys):
    """Could not judge, with the file and its line; the document says the same."""
    path = tmp_path / "_watchers" / "incidents.ndjson"
    path.parent.mkdir()
    path.write_text('{"id":\n')
    assert main(["incidents", "--store", str(tmp_path), "list", "--json"]) == 3
    out, err = capsys.readouterr()
    assert json.loads(out)["error"].startswith(f"{path}: line 1 isn't JSON")
    assert "delete that line" in err


def test_a_tokenizer_on_the_command_line(tmp_path, capsys):
    """The card has it; one without a column, or that nobody can import, is a usage error that says what to write."""
    (tmp_path / "train.csv").write_text("note\n" + "日本語版 late\n日本 gate\n" * 50, encoding="utf-8")
    made = ["card", str(tmp_path / "train.csv"), "--model", "m", "--version", "1", "--text", "note", "--out", str(tmp_path / "card.json")]
    assert main([*made, "--tokenizer", "note=characters"]) == 0
    assert ModelCard.load(tmp_path / "card.json").ruler.by_name["note"].tokenizer == "characters"
    for given, why in (("characters", "write it as remarks=characters"), ("note=nobody:here", "make it importable")):
        assert main([*made, "--tokenizer", given]) == 2
        assert why in capsys.readouterr().err
