"""Fixtures of tests that break real things: an Elasticsearch node, and the tables that tests fill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.register_assert_rewrite("support")

from support import faults, privileges  # noqa: E402 - after the line above
from support.conformance import Conformance  # noqa: E402
from support.elasticsearch import DEFAULT_VERSION, QUICK, Node, open_node  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


ROWS: pytest.StashKey[list[faults.Row]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Tables of what tests counted, as markdown for the documentation."""
    parser.addoption("--fault-table", metavar="FILE", help="write the table of faults (markdown) to FILE")
    parser.addoption("--privilege-table", metavar="FILE", help="write what each role was let do (markdown) to FILE")
    parser.addoption("--conformance-table", metavar="FILE", help="write what each store passed (markdown) to FILE")


def pytest_configure(config: pytest.Config) -> None:
    """Count for the table of conformance, where it was asked for."""
    target = config.getoption("--conformance-table")
    if target:
        config.pluginmanager.register(Conformance(target))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the tables that were asked for."""
    target = session.config.getoption("--fault-table")
    if target:
        faults.write(target, session.config.stash.get(ROWS, []))
    target = session.config.getoption("--privilege-table")
    if target:
        privileges.write(target, session.config.stash.get(privileges.HELD, {}))


@pytest.fixture
def fault_row(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Add a row to the table of faults; it has to add up: see :class:`support.faults.Row`."""
    rows = request.config.stash.setdefault(ROWS, [])

    def add(fault: str, **counts: int) -> None:
        row = faults.Row(fault, test=request.node.nodeid.split("[")[0], **counts)
        row.check()
        rows.append(row)

    return add


@pytest.fixture(scope="session")
def elasticsearch_nodes() -> Iterator[Callable[[str], Node]]:
    """A started node of a version, one for all tests of a run; fails where none can be had."""
    started: dict[str, Node] = {}

    def of(version: str = DEFAULT_VERSION) -> Node:
        if version not in started:
            started[version] = open_node(version, java=QUICK)
        return started[version]

    yield of
    for node in started.values():
        node.stop()


@pytest.fixture(scope="session")
def elasticsearch_node(elasticsearch_nodes: Callable[[str], Node]) -> Node:
    """A node of the newest version that is tested. Tests share it: give indices names of their own."""
    return elasticsearch_nodes(DEFAULT_VERSION)
