"""Requests whose inputs nobody could read are counted as predictions, and none of their features as missing."""

from __future__ import annotations

import datetime as dt
from typing import Any

from fastapi import FastAPI, Request
from support import servers

from mllog.card import ModelCard
from mllog.environment import Manifest
from mllog.integrations.asgi import MllogMiddleware
from mllog.logger import ModelLogger
from watchers.finding import Window
from watchers.profile import ALL, merge

START = dt.datetime(2026, 3, 6, 10, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def test_no_inputs_no_measuring(stand: Any) -> None:
    """No body, one that is too long, one that is no JSON, an empty list, with a card and without; a failure still counts."""
    card = ModelCard.from_frame({"a": [float(k) for k in range(60)], "b": ["x", "y"] * 30}, "m", "1")
    place = stand.place()
    for used in (card, None):
        app = FastAPI()

        @app.api_route("/{how}", methods=["GET", "POST"])
        async def handle(how: str, request: Request) -> Any:
            await request.body()
            if how == "fail":
                raise ZeroDivisionError
            return {"score": 0.5}

        with ModelLogger(
            "m",
            version="1",
            card=used,
            sink=place,
            environment=Manifest(),
            clock=lambda: int(START.timestamp()) * 10**9,
        ) as log:
            app.add_middleware(MllogMiddleware, log=log, paths="*", body_bytes=100)
            with servers.asgi(app) as server:
                server.ask("/none", method="POST")
                server.ask("/long", {"a": 1.0, "b": "x" * 200})
                server.ask("/odd", b"{'a'}", {"content-type": "application/json"})
                server.ask("/empty", [])
                server.ask("/fail", b"{", {"content-type": "application/json"})
                server.ask("/fine", {"a": 1.0, "b": "x"})
                server.ask("/fine", {"a": 1.0})
    profile = merge(stand.open(place).profiles("m", card.ruler, START, START + HOUR))
    total, index = profile.total(ALL), card.ruler.index
    assert profile.window == Window(START, START + HOUR)
    assert (total[0], total[1]) == (14, 2)
    missing = {key: int(total[i]) for key, i in index.items() if key[1] == "missing" and total[i]}
    assert missing == {("b", "missing", "absent"): 2}
    assert total[[index["b", "category", name] for name in ("x", "y")]].tolist() == [2, 0]
    assert int(total[index["b", "other", ""]]) == 0
