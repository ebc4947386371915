"""``mllog doctor`` against a real Elasticsearch node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mllog import ModelLogger, cli
from mllog.environment import Manifest

if TYPE_CHECKING:
    import pathlib

    import pytest
    from support.elasticsearch import Node


def test_a_node_that_is_wired(
    tmp_path: pathlib.Path, elasticsearch_node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    """It answers, and its clock is compared though it sends no Date."""
    with ModelLogger("model", version="1", sink=tmp_path / "events", environment=Manifest()) as log:
        log.prediction({"k": 1})
    code = cli.main(["doctor", str(tmp_path / "events"), "--elasticsearch", elasticsearch_node.url, "--json"])
    checks = {check["check"]: check for check in reversed(json.loads(capsys.readouterr().out)["checks"])}
    assert code == 0
    assert "answers" in checks["destinations"]["message"]
    assert abs(checks["clock"]["figures"]["skew"]) < 30
