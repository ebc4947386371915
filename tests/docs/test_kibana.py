"""The page on Kibana says what is there."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
import yaml

from kibana_objects.cli import _parser
from kibana_objects.dashboards import all_dashboards
from kibana_objects.objects import LOG
from kibana_objects.rules import RULES
from mllog.elastic.command import command

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/kibana.md").read_text(encoding="utf-8")


def test_every_dashboard_is_told():
    """By its title and its own sentence, in the order of the links."""
    rows = re.findall(r"^\| ([A-Z][^|]*) \| ([A-Z][^|]*\.) \|$", PAGE, re.MULTILINE)
    assert rows == [(page.title.removeprefix("[mllog] "), page.story) for page in all_dashboards()]
    assert f"{ {10: 'ten'}[len(all_dashboards())] } dashboards" in PAGE
    assert f"{ {5: 'five'}[len(RULES)] } rules" in PAGE


def test_every_dashboard_is_shown():
    """By a picture that is there, and by what somebody sees in it; a card's page besides."""
    page = (ROOT / "docs/how-to/dashboards.md").read_text(encoding="utf-8")
    shown = re.findall(r"^## (.+)\n\n!\[.+\]\((.+\.png)\)\n\n([A-Z`][^#!]+\.)$", page, re.MULTILINE)
    assert [title for title, _, _ in shown] == [
        *(page.title.removeprefix("[mllog] ") for page in all_dashboards()), "A model's own page",
    ]  # fmt: skip
    for _, picture, _ in shown:
        file = (ROOT / "docs/how-to" / picture).resolve()
        assert file.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("command", ["import", "preview", "build", "check"])
def test_its_commands_are_understood(command):
    """With the options that it names."""
    lines = re.findall(rf"^kibana-objects {command} .*$", PAGE, re.MULTILINE)
    assert lines
    for line in lines:
        _parser().parse_args(line.split()[1:])


def test_its_setups_are_understood():
    """By the command as it is installed; the same options as of an import."""
    lines = re.findall(r"^mllog setup .*$", PAGE, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        assert parser.parse_args(line.split()[2:]).kibana == "https://kibana.example:5601"
    options = set(re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE))
    assert options == {"--space", "--card", "--no-rules", "--wait"}
    assert options <= set(parser.format_help().replace("[", " ").replace("]", " ").split())


def test_its_connector_is_the_rules():
    """And the stack's own Kibana has it."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    wanted = {LOG: {"name": LOG, "actionTypeId": ".server-log"}}
    assert yaml.safe_load(text)["xpack.actions.preconfigured"] == wanted
    stack = yaml.safe_load((ROOT / "deploy/kibana/kibana.yml").read_text(encoding="utf-8"))
    assert stack["xpack.actions.preconfigured"] == wanted
