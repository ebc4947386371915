"""Cards that can't be brought yet: what is said of them is true, and no event waits."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
from support import spools
from support.scripted import scripted

from mllog.card import ModelCard
from mllog.elastic.cards import card_document
from mllog.shipping import Shipper, open_destination

if TYPE_CHECKING:
    from pathlib import Path

    from support.scripted import Asked


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """With three events and a card."""
    spools.spool(tmp_path, "a", spools.lines("a", 3))
    card = ModelCard.from_frame({"n": [1.0, 2.0]}, "m", "1")
    card.save(tmp_path / "_cards" / card.file_name)
    return tmp_path


def test_nobody_answers(spool: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Then no event was delivered either, and nothing says so."""
    with caplog.at_level(logging.WARNING, "mllog"):
        shipper = Shipper(spool, open_destination("elasticsearch+http://127.0.0.1:1"), give_up=0.0)
        shipper.run()
    assert shipper.counts.delivered == 0
    (said,) = [record.getMessage() for record in caplog.records if "card" in record.getMessage()]
    assert said.startswith(f"mllog: a card isn't shipped yet, and stays in {spool / '_cards'}; no event waits for it: ")
    assert "its events are" not in said


@pytest.mark.parametrize(
    ("number", "name", "told"),
    [
        (5, "index read-only (api)", "remove index.blocks.read_only from mllog-cards"),
        (8, "index write (api)", "remove index.blocks.write from mllog-cards"),
        (12, "disk usage exceeded flood-stage watermark", "free disk on the node"),
    ],
)
def test_cards_are_blocked(spool: Path, caplog: pytest.LogCaptureFixture, number: int, name: str, told: str) -> None:
    """What to do about it is said, and it isn't another key; events go on."""
    kind = "TOO_MANY_REQUESTS" if number == 12 else "FORBIDDEN"
    reason = f"index [mllog-cards] blocked by: [{kind}/{number}/{name}];"

    def answer(asked: Asked) -> Any:
        if asked.path.endswith("/_bulk"):
            return 200, {"items": [{"create": {"status": 201}} for _ in asked.ids]}
        if asked.path == "/mllog-cards":
            return 200
        return 429 if number == 12 else 403, {"error": {"type": "cluster_block_exception", "reason": reason}}

    with scripted(answer) as server, caplog.at_level(logging.WARNING, "mllog"):
        shipper = Shipper(spool, open_destination(server.place("elasticsearch+http")), give_up=5.0)
        shipper.run()
    assert shipper.counts.delivered == 3
    (said,) = [record.getMessage() for record in caplog.records if "card" in record.getMessage()]
    assert f"it is blocked; {told}" in said
    assert "no right" not in said


def test_a_card_is_as_old_as_its_file(tmp_path: Path) -> None:
    """Its version is the time at which it was saved, wherever and whenever it is shipped."""
    card = ModelCard.from_frame({"n": [1.0, 2.0]}, "m", "1")
    path = tmp_path / card.file_name
    card.save(path)
    os.utime(path, (0, 1_800_000_000.25))
    name, version, body = card_document(path)
    assert (f"{name}.json", version) == (card.file_name, 1_800_000_000_250)
    assert json.loads(body)["saved"] == "2027-01-15T08:00:00.250000+00:00"
    os.utime(path, (0, -5))
    assert card_document(path)[1] == 0


def test_a_newer_card_is_there(spool: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Then there is nothing to do, and nothing to say."""

    def answer(asked: Asked) -> Any:
        if asked.path.endswith("/_bulk"):
            return 200, {"items": [{"create": {"status": 201}} for _ in asked.ids]}
        return 200 if asked.path == "/mllog-cards" else 409

    with scripted(answer) as server, caplog.at_level(logging.WARNING, "mllog"):
        shipper = Shipper(spool, open_destination(server.place("elasticsearch+http")), give_up=5.0)
        shipper.run()
    assert (shipper.counts.delivered, shipper.problem, caplog.records) == (3, None, [])
