"""`mllog setup --elasticsearch --kibana`: one command for both; a real node, and a server that keeps to Kibana's protocol."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from support import processes
from support.elasticsearch import DEFAULT_VERSION
from support.kibana import KibanaServer

from kibana_objects.bundles import bundles
from kibana_objects.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Place

newest = pytest.mark.parametrize("bare", [DEFAULT_VERSION], indirect=True)
OBJECTS = {one["id"] for objects in bundles().values() for one in objects}


@pytest.fixture
def kibana() -> Iterator[KibanaServer]:
    server = KibanaServer()
    server.runs_after = 0
    yield server
    server.close()


def setup(place: Place, kibana: str, *more: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, document and what was said, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "mllog.cli", "setup", "--elasticsearch", place.node.url, "--kibana", kibana, "--json", *more],
        check=False, capture_output=True, text=True, timeout=120, env=processes.environment(),
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout), done.stderr


@newest
def test_one_command(bare: Place, kibana: KibanaServer) -> None:
    """Templates first, then dashboards and rules, in one report; a second time and the check have nothing to say."""
    code, said, _ = setup(bare, kibana.url, "--check")
    assert (code, said["changed"], kibana.objects) == (1, False, {})
    code, said, _ = setup(bare, kibana.url)
    assert (code, said["differs"], said["further"]) == (0, False, [kibana.url])
    kinds = [item["kind"] for item in said["items"]]
    assert max(k for k, kind in enumerate(kinds) if kind == "index template") < kinds.index("data view")
    assert {identity for _, identity in kibana.objects[""]} == OBJECTS
    assert kibana.enabled == {("", rule.id) for rule in RULES}
    for more in ((), ("--check",)):
        code, said, _ = setup(bare, kibana.url, *more)
        assert (code, said["changed"], said["differs"]) == (0, False, False)
        assert {item["state"] for item in said["items"]} == {"same", "skipped"}


@newest
def test_a_kibana_that_cannot_be_reached(bare: Place) -> None:
    """What was done in Elasticsearch is there and is said; the rest is done by the same command later."""
    code, said, err = setup(bare, "http://127.0.0.1:1")
    assert code == 3
    assert "http://127.0.0.1:1" in said["error"]
    assert said["error"] in err
    assert said["changed"]
    assert [item for item in said["items"] if (item["kind"], item["state"]) == ("index template", "created")]
    assert "index_templates" in bare.ask("GET", "/_index_template/mllog-events")


@newest
def test_what_a_newer_mllog_put_there(bare: Place, kibana: KibanaServer) -> None:
    """Is left alone in both."""
    assert setup(bare, kibana.url, "--no-rules")[0] == 0
    (found,) = bare.ask("GET", "/_index_template/mllog-events")["index_templates"]
    body = found["index_template"]
    body["_meta"]["schema"] = 10**6
    bare.ask("PUT", "/_index_template/mllog-events", {key: value for key, value in body.items() if "date" not in key})
    kibana.requests.clear()
    code, said, _ = setup(bare, kibana.url)
    assert code == 3
    assert said["items"][-1]["detail"] == "a newer mllog set Elasticsearch up"
    assert kibana.requests == []
