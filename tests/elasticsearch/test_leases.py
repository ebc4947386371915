"""Leases on real nodes hold what leases have to hold."""

from __future__ import annotations

import itertools

import pytest
from support.elasticsearch import DEFAULT_VERSION, OLDER_VERSION
from support.lease_cases import CASES

from mllog.elastic.client import connect
from mllog.errors import StoreError
from watchers.stores._lease_elasticsearch import ElasticsearchRecords
from watchers.stores._leases import RecordLeases

NUMBERS = itertools.count()


@pytest.fixture(params=[DEFAULT_VERSION, OLDER_VERSION])
def place(request, elasticsearch_nodes):
    """A place on a node of each major version."""
    return "elasticsearch+" + elasticsearch_nodes(request.param).url


@pytest.fixture
def records(place):
    """Records in an index that isn't there yet."""
    with connect(place) as client:
        index = f"mllog-leases-{next(NUMBERS)}"
        yield ElasticsearchRecords(client, place, index=index)
        client.options(ignore_status=404).indices.delete(index=index)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_leases(records, case):
    """Each case of :mod:`support.lease_cases`."""
    case(records)


def test_a_writing_whose_answer_was_lost_is_ones_own(records):
    """Sent again by the client it meets itself, and that is no conflict."""
    lease = RecordLeases(records, holder="a").acquire("shop", 30)
    index = records._client.index

    def twice(**options):
        index(**options)
        return index(**options)

    records._client.index = twice
    again = RecordLeases(records, holder="a").renew(lease)
    assert again.version == records.read("shop").version != lease.version


def test_a_node_that_is_gone_is_said_in_words():
    """A store error with a place, which a scheduler survives."""
    place = "elasticsearch+http://127.0.0.1:9"
    with connect(place, seconds=2, retries=0) as client:
        for ask in (
            lambda records: records.read("shop"),
            lambda records: RecordLeases(records).acquire("shop", 30),
            lambda records: records.delete("shop", "1.1"),
        ):
            with pytest.raises(StoreError, match="can't be reached"):
                ask(ElasticsearchRecords(client, place))
