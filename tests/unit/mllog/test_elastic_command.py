"""Arguments of `mllog setup`, and what it says where it can't go on; real servers are in ``tests/elasticsearch/``."""

from __future__ import annotations

import argparse
import json

import pytest

from mllog.cli import main
from mllog.elastic.command import command
from mllog.errors import MllogError


def run(*given: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(given))


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ([], "elasticsearch", "it isn't said what to set up"),
        (["--elasticsearch", "file:x"], "elasticsearch", "'file:x' is no URL: write http(s)://HOST:9200"),
        (["--elasticsearch", "logstash+http://a:1"], "elasticsearch", "is no URL"),
        (["--elasticsearch", "elastic.example:9200"], "elasticsearch", "is no URL"),
        (["--elasticsearch", "http://a:port"], None, "port"),
        (["--elasticsearch", "http://a:1", "--delete"], "delete", "--delete goes with --expire"),
        (["--elasticsearch", "http://a:1", "--windows", "forever"], "windows", "write days, weeks or years"),
        (["--elasticsearch", "http://a:1", "--user", "mllog_root"], "user", "write one of mllog_setup, mllog_expire, "),
        (["--elasticsearch", "http://a:1", "--user", "elastic"], "user", "no role of that name"),
        (["--elasticsearch", "http://a:1", "--user", "mllog_writer", "--expire"], "user", "doesn't go with --expire"),
        (["--elasticsearch", "http://a:1", "--user", "kibana_system"], "KIBANA_SYSTEM_PASSWORD", "isn't set"),
    ],
)
def test_wrong_usage(given: list[str], field: str | None, words: str) -> None:
    """It says what is wrong and what to write, before any server is asked."""
    with pytest.raises(MllogError) as raised:
        run(*given)
    assert words in str(raised.value)
    assert field in {None, raised.value.field}


@pytest.mark.parametrize("how", [(), ("--check",), ("--expire",)])
def test_nobody_answers(how: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3, and the reason both for people and as a document; a password is in neither."""
    assert main(["setup", "--elasticsearch", "elasticsearch+http://bob:secret1@127.0.0.1:1", "--json", *how]) == 3
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["error"] in said.err
    assert "can't be reached" in document["error"]
    assert document["field"] == "place"
    assert "secret1" not in said.out + said.err
    assert "bob" in said.err


def test_expire_and_check_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    """One thing at a time."""
    with pytest.raises(SystemExit):
        run("--elasticsearch", "http://a:1", "--check", "--expire")
    assert "not allowed with" in capsys.readouterr().err
