"""Cards in Elasticsearch: whoever counts there must know how events were measured."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from pathlib import Path

CARDS: Final = "mllog-cards"
"""Index of all cards; of one model and ruler it holds one, the one that was saved last."""

VERSIONED: Final = "external_gte"
"""Kind of the versions of its documents (:func:`card_version`): one that was saved later stays, whoever comes late."""


def card_document(path: Path) -> tuple[str, int, bytes]:
    """Id, version and body of the card in a file that is called as :attr:`mllog.ModelCard.file_name` says.

    Raises:
        OSError: It can't be read, or holds no card.
    """
    content, saved = path.read_bytes(), path.stat().st_mtime
    try:
        card = orjson.loads(content)
        name, version = card["model"], card["version"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise OSError(f"{path} holds no card; save it anew") from None
    body = card_body(name, version, path.stem.rpartition("-")[2], orjson.Fragment(content), saved)
    return path.stem, card_version(saved), body


def card_version(saved: float) -> int:
    """Version of a card's document: a folder, too, keeps the card that was saved last.

    Args:
        saved: Seconds since 1970.
    """
    return max(0, int(saved * 1000))


def card_body(model: str, version: str, ruler: str, card: Any, saved: float) -> bytes:
    """A card as a document.

    Args:
        model: Model's name.
        version: Its version.
        ruler: Hash of the card's ruler.
        card: As :meth:`mllog.ModelCard.to_dict` writes it, or that as JSON.
        saved: Seconds since 1970.
    """
    body = {
        "ml": {"model": {"name": model, "version": version}, "card": ruler},
        "saved": dt.datetime.fromtimestamp(saved, dt.UTC).isoformat(),
        "card": card,
    }
    return orjson.dumps(body)
