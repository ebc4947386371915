"""docs/how-to/logstash.md says what the files and the tests say."""

from __future__ import annotations

import math
import os
import re
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import trustme
from support import pipelines, processes, spools
from support.logstash_cases import REJECTED
from support.receivers import logstash

from mllog.shipping.destinations import http
from mllog.shipping.destinations.elasticsearch import ORIGINAL_BYTES
from mllog.shipping.segments import LINE_BYTES

if TYPE_CHECKING:
    import pathlib

ROOT = pipelines.FOLDER.parent
PAGE = (ROOT / "docs/how-to/logstash.md").read_text()
OURS = pipelines.read(pipelines.texts())


def rows(header: str) -> list[list[str]]:
    """Cells of the table that begins so."""
    table = PAGE[PAGE.index(header) :].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip("|"))] for row in table]


def test_every_variable_is_there_with_its_default() -> None:
    """The table is what stands in the files."""
    told: dict[str, str | None] = {}
    for names, defaults, _ in rows("| variable |"):
        found = re.findall(r"`([^`]+)`", names), re.findall(r"`([^`]+)`", defaults)
        told |= dict(zip(found[0], found[1] or [None] * len(found[0]), strict=True))
    there = {(match["name"], match["default"]) for text in OURS.files.values() for match in pipelines.VARIABLE.finditer(text)}
    assert dict(there) == told
    assert len(there) == len(told), "a variable with two defaults"


def test_every_reason_is_there() -> None:
    """Those of the page, of the pipelines and of the tests are the same."""
    told = [reason.strip("`") for reason, _ in rows("| reason |")]
    field = "[@metadata][reason]"
    there = [plugin.options["add_field"][field] for plugin in OURS.plugins() if field in plugin.options.get("add_field", {})]
    assert sorted(told) == sorted(there) == sorted(REJECTED)


def test_every_test_that_it_names_is_there() -> None:
    """The table of faults has a test for each, but where nothing of ours takes part."""
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert len(named) >= 11
    for name in named:
        assert f"def {name}(" in tests, name
    for path in re.findall(r"`((?:tests|logstash|mllog)/[\w./]+)`", PAGE):
        assert (ROOT / path).exists(), path


def test_numbers_are_those_of_the_code() -> None:
    """Sizes and times of the page, and how many copies are broken."""
    broken = (ROOT / "tests/logstash/test_broken_copies.py").read_text()
    breaks = len(re.findall(r'^    "[^"]+": \(', broken, re.MULTILINE))
    text = " ".join(PAGE.split())
    assert f"and {breaks} broken copies" in text
    assert f"{LINE_BYTES // 2**20} MiB each (the longest line" in text
    assert ORIGINAL_BYTES == 2**20
    assert f"{http.ANSWER_SECONDS:g} s, at least {http.LEAST_ANSWER_SECONDS:g}" in PAGE
    assert [row["queue.max_bytes"] for row in OURS.list] == ["${MLLOG_QUEUE_BYTES:4gb}", "256mb", "256mb"]
    assert OURS.settings["pipeline.batch.size"] == 1000


def test_the_size_of_the_queue_can_be_computed() -> None:
    """The block runs: 500 events of 1.5 kB for two hours are 7 GB."""
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, float] = {}
    exec(compile(block, "logstash.md", "exec"), names)
    assert math.isclose(names["queue_bytes"], 500 * 1500 * 7200 * 1.2)
    assert names["gigabytes"] == 7


def test_the_command_ships(tmp_path: pathlib.Path) -> None:
    """As it stands, but for the host: over TLS of a private authority, with the password from the environment."""
    (command,) = re.findall(r"^```sh\n(.*?)\n```", PAGE, re.MULTILINE | re.DOTALL)
    events = spools.lines("a", 40)
    spools.spool(tmp_path / "events", "a", events)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with logstash(context=context) as receiver:
        words = command.replace("logstash.example:8080", f"localhost:{receiver.port}").split()
        assert words[0] == "mllog"
        variables = {"MLLOG_PASSWORD": "secret", "MLLOG_CA_CERTS": str(tmp_path / "ca.pem")}
        done = subprocess.run(
            [sys.executable, "-m", "mllog.cli", *words[1:]], check=False, capture_output=True, text=True, timeout=120,
            cwd=tmp_path, env=processes.environment() | variables | {"HOME": os.environ.get("HOME", "/")},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert sorted(one + b"\n" for one in receiver.lines) == sorted(events)
        assert {request.headers["authorization"] for request in receiver.requests} == {"Basic bWxsb2c6c2VjcmV0"}
