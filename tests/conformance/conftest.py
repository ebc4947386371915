"""Stores under test. To add one: write a :class:`Stand` for it and name it in ``STANDS``."""

from __future__ import annotations

import functools
import itertools
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from support.predictions import hostile_ruler
from support.spools import moved

from mllog.card import ModelCard
from mllog.elastic.client import connect
from mllog.elastic.setup import ensure
from mllog.fields import KEYWORD_LENGTH
from mllog.ruler import COMPARED, REPEATED
from mllog.shipping.destinations import open_destination
from mllog.shipping.shipper import Shipper
from watchers.stores import open_store
from watchers.stores.elastic import ElasticsearchStore

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from support.elasticsearch import Node

    from mllog.ruler import CellKey, Ruler
    from watchers.stores.base import Store


class Stand(Protocol):
    """A store and the way by which events get there.

    What it can't tell stands in docs/decisions/0021, and nowhere else may it differ.

    Attributes:
        longest_name: Characters of the longest name that it tells.
        spells: Whether inputs that are equal and written otherwise (5 and 5.0, another order) are others to it.
    """

    longest_name: float
    spells: bool

    def place(self) -> str:
        """A sink for the logger, empty so far."""

    def open(self, place: str) -> Store:
        """The store over what was written to ``place``, all of it visible."""

    def spoil(self, place: str, name: str, card: Any) -> None:
        """Put something in a card's place, or beside the cards: no card, or with ``None`` nothing at all."""

    def blind(self, ruler: Ruler, measured_by: str) -> Collection[CellKey]:
        """Cells that it doesn't count of events measured by ``the same card``, ``another card`` or ``no card``."""

    def sees(self, inputs: Mapping[str, Any], measured_by: str) -> bool:
        """Whether it can see each of some inputs."""

    def untold(self, measured_by: str) -> Collection[str]:
        """Kinds of names that it doesn't tell."""


class FilesStand:
    """The embedded store: the logger writes into its folder."""

    longest_name = math.inf
    spells = False

    def __init__(self, folder: Path) -> None:
        self._folders = (folder / f"store{k}" for k in itertools.count())

    def place(self) -> str:
        """A new folder."""
        folder = next(self._folders)
        folder.mkdir()
        return str(folder)

    def open(self, place: str) -> Store:
        """The store of that folder."""
        return open_store(place)

    def spoil(self, place: str, name: str, card: Any) -> None:
        """Write a file that is called like a card."""
        text = "" if card is None else json.dumps(card)
        (Path(place) / "_cards" / f"{name}.json").write_text(text, encoding="utf-8")

    def blind(self, ruler: Ruler, measured_by: str) -> Collection[CellKey]:
        """None."""
        return ()

    def sees(self, inputs: Mapping[str, Any], measured_by: str) -> bool:
        """All."""
        return True

    def untold(self, measured_by: str) -> Collection[str]:
        """None."""
        return ()


class ElasticsearchStand:
    """A real node: the logger writes into a folder, which is shipped there into a namespace of its own."""

    longest_name = KEYWORD_LENGTH
    spells = True

    def __init__(self, folder: Path, node: Node) -> None:
        self._node = node
        self._folders = (folder / f"spool{k}" for k in itertools.count())
        self._namespaces: dict[str, str] = {}
        ensure(connect(self._url))

    @property
    def _url(self) -> str:
        return f"elasticsearch+{self._node.url}"

    def place(self) -> str:
        """A new folder, and a namespace that holds nothing: two in turn, since data streams can't be deleted here."""
        folder = next(self._folders)
        folder.mkdir()
        self._namespaces[str(folder)] = f"stand{len(self._namespaces) % 2}"
        _empty(self._node, self._namespaces[str(folder)])
        return str(folder)

    def open(self, place: str) -> Store:
        """The store over what was shipped of that folder."""
        namespace = self._namespaces[place]
        shipper = Shipper(moved(Path(place), namespace), open_destination(self._url), give_up=30.0)
        shipper.run()
        assert shipper.problem is None
        store = ElasticsearchStore(self._url, namespace=namespace)
        store.refresh()
        return store

    def spoil(self, place: str, name: str, card: Any) -> None:
        """Index a document under a card's id."""
        body = {"somebody": "else's"} if card is None else {"card": card, "saved": "2027-01-01T00:00:00Z"}
        self._node.request("PUT", f"/mllog-cards/_doc/{name}?refresh=true", body)

    def blind(self, ruler: Ruler, measured_by: str) -> Collection[CellKey]:
        """Of what another ruler measured repeats and words, of what none did also margins and what is of no type."""
        cells: set[CellKey] = set()
        if measured_by != "the same card":
            cells |= {COMPARED, REPEATED}
            cells |= {key for key in ruler.cells if key[1] in {"tokens", "unseen_tokens"}}
        if measured_by == "no card":
            derived = [feature for feature in ruler.features if feature.name.startswith(("@margin", "@unusable", "@length", "@script", "@marks"))]
            cells |= {key for feature in derived for key in feature.cells()}
            cells |= {key for feature in ruler.inputs if feature.kind == "other" for key in feature.cells()}
        return cells

    def sees(self, inputs: Mapping[str, Any], measured_by: str) -> bool:
        """Without a card no lists and objects."""
        return measured_by != "no card" or not any(isinstance(value, list | dict) for value in inputs.values())

    def untold(self, measured_by: str) -> Collection[str]:
        """Of events that the ruler didn't measure tokens, and names that it doesn't know."""
        return () if measured_by == "the same card" else ("token", "unexpected", "renamed")


def _empty(node: Node, namespace: str) -> None:
    """Delete every document of a namespace, one by one from the backing indices."""
    for pattern, query in (
        (f"logs-*-{namespace}", {"match_all": {}}),
        ("mllog-*", {"term": {"data_stream.namespace": namespace}}),
        ("mllog-cards*", {"match_all": {}}),
    ):
        node.request("POST", f"/{pattern}/_refresh?allow_no_indices=true")
        while True:
            found = node.request(
                "POST", f"/{pattern}/_search?allow_no_indices=true", {"size": 5000, "query": query, "_source": False}
            )["hits"]["hits"]
            if not found:
                break
            lines = [json.dumps({"delete": {"_index": hit["_index"], "_id": hit["_id"]}}) for hit in found]
            node.request("POST", "/_bulk?refresh=true", ("\n".join(lines) + "\n").encode())


def _files(request: pytest.FixtureRequest, folder: Path) -> Stand:
    return FilesStand(folder)


def _elasticsearch(version: str, request: pytest.FixtureRequest, folder: Path) -> Stand:
    node = request.getfixturevalue("elasticsearch_nodes")(version)
    return ElasticsearchStand(folder, node)


STANDS: dict[str, Callable[[Any, Path], Stand]] = {
    "files": _files,
    "elasticsearch 9.5.2": functools.partial(_elasticsearch, "9.5.2"),
    "elasticsearch 8.19.8": functools.partial(_elasticsearch, "8.19.8"),
}


@pytest.fixture(params=sorted(STANDS))
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Stand:
    """Each store in turn."""
    return STANDS[request.param](request, tmp_path)


@pytest.fixture(scope="module", params=sorted(STANDS))
def lasting_stand(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stand:
    """Each store in turn, for several tests that only read what is in it; no other may come between them."""
    return STANDS[request.param](request, tmp_path_factory.mktemp("stand"))


@pytest.fixture
def ruler() -> Ruler:
    """The hostile one."""
    return hostile_ruler()


@pytest.fixture
def card(ruler: Ruler) -> ModelCard:
    """A card around it."""
    return ModelCard("model", "1", ruler, task="classification")
