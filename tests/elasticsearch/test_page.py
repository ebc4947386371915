"""The page on Elasticsearch runs: its commands and its requests, as they stand but for the server's name."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import processes
from support.elasticsearch import DEFAULT_VERSION

import mllog
from mllog.elastic.report import STATES
from mllog.environment import Manifest

if TYPE_CHECKING:
    from conftest import Place

PAGE = (Path(__file__).parents[2] / "docs/how-to/elasticsearch.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
RUN = "import argparse, sys; from mllog.elastic.command import command as c; p = argparse.ArgumentParser(); "
RUN += "c.add_arguments(p); sys.exit(c.run(p.parse_args(sys.argv[2:])))"


@pytest.mark.parametrize("bare", [DEFAULT_VERSION], indirect=True)
def test_the_page(bare: Place, tmp_path: Path) -> None:
    """From a bare server to an event that is found by the query at the page's end."""
    blocks = BLOCK.findall(PAGE)
    lines = [line for language, text in blocks if language == "sh" for line in text.splitlines()]
    commands = [line.partition("#")[0].split() for line in lines if line.startswith("mllog setup")]
    assert len(commands) == 5
    for command in commands:
        given = [bare.node.url if part == "https://elastic.example:9200" else part for part in command[1:]]
        done = subprocess.run(
            [sys.executable, "-c", RUN, *given],
            check=False, capture_output=True, text=True, timeout=60, env=processes.environment(),
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    custom, query = (text for language, text in blocks if not language)
    first, _, body = custom.partition("\n")
    assert bare.ask(*first.split(), json.loads(body)) == {"acknowledged": True}
    with mllog.ModelLogger(
        "page", version="7", sink=tmp_path, namespace=bare.namespace, resources=0, environment=Manifest()
    ) as log:
        log.prediction({"dew point": float("nan"), "wind speed": 35.0}, 0.5, id="found")
        log.prediction({"dew point": 1.0, "wind speed": 35.0}, 0.5)
    bare.ship(tmp_path)
    bare.refresh(bare.stream("mllog.prediction.page"))
    first, _, body = query.partition("\n")
    hits = bare.ask("POST", first.split()[1], json.loads(body))["hits"]["hits"]
    assert [hit["_source"]["ml"]["prediction_id"] for hit in hits] == ["found"]


def test_the_page_names_every_state() -> None:
    """What a report may say stands in its table."""
    assert not [state for state in STATES if f"`{state}`" not in PAGE]
