"""A server that speaks Kibana's protocol, for what is imported."""

from __future__ import annotations

import pytest
from support.kibana import KibanaServer


@pytest.fixture
def kibana(monkeypatch):
    """The server, which asks for no password; rules are looked at again at once."""
    for name in ("MLLOG_API_KEY", "MLLOG_BEARER_TOKEN", "MLLOG_USERNAME", "MLLOG_PASSWORD", "MLLOG_CA_CERTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("kibana_objects.importing._NAP", 0.01)
    server = KibanaServer()
    yield server
    server.close()
