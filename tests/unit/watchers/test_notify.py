"""Notifications against a real HTTP server."""

from __future__ import annotations

import datetime as dt
import json
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from watchers.incidents import Incident, IncidentEvent
from watchers.notify import Route, compose, notify, routes

# Apprise imports a module that Python 3.13 dropped, and copes.
pytestmark = pytest.mark.filterwarnings("ignore:.imghdr. is deprecated:DeprecationWarning")

AT = dt.datetime(2026, 3, 2, 14, tzinfo=dt.UTC)
INCIDENT = Incident(
    "abc123",
    "delay",
    AT,
    AT,
    AT - dt.timedelta(hours=2),
    versions=["7"],
    severity="critical",
    title="carrier: missing more often where origin = EWR",
    message="`carrier` is null in 31% of requests since 12:00.",
    features=["carrier", "dest"],
    segment={"origin": "EWR"},
    worst={"value": 0.31, "at": AT.isoformat()},
    documents=["0199"],
    causes=[{"kind": "version", "value": "7", "share": 1.0}],
)


def event(kind="opened", number=0):
    return IncidentEvent.make("abc123", AT, kind, number, {})


@pytest.fixture
def server():
    """A webhook receiver; ``server.status`` is what it answers, ``server.bodies`` what it got."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            http.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(http.status)
            self.end_headers()

        def log_message(self, *args):
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    http.bodies, http.status = [], 200
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield http
    http.shutdown()
    thread.join()
    http.server_close()


def route_to(port, **more):
    return Route(f"json://user:secret@127.0.0.1:{port}/hidden-path?cto=2&rto=2", **more)


def test_opened_is_told_once(server):
    """An event that stands twice in the list is told once, with all that a reader needs at 3 a.m."""
    assert (
        notify([event(), event()], {"abc123": INCIDENT}, [route_to(server.server_port)], store="file:events")
        == []
    )
    (body,) = server.bodies
    assert body["title"] == "[delay] carrier: missing more often where origin = EWR"
    assert body["type"] == "failure"
    for words in (
        INCIDENT.message,
        "Since: 2026-03-02 12:00 UTC",
        "Segment: origin = EWR",
        "+0.31",
        "version: 7 (100% of",
        "watchers incidents show abc123 --store file:events",
        "mllog show 0199 --store file:events",
    ):
        assert words in body["message"]


def test_only_beginnings_and_ends_are_told(server):
    """Updates and acknowledgements disturb nobody; a recovery goes the way of the alert."""
    events = [
        event(kind, number)
        for number, kind in enumerate(["updated", "acknowledged", "recovered", "reopened"])
    ]
    assert notify(events, {"abc123": INCIDENT}, [route_to(server.server_port)]) == []
    assert [body["type"] for body in server.bodies] == ["success", "failure"]
    assert server.bodies[0]["title"].startswith("Recovered: ")


def test_a_server_error_is_handed_back(server):
    """HTTP 500 is a failure with its status."""
    server.status = 500
    (failure,) = notify([event()], {"abc123": INCIDENT}, [route_to(server.server_port)])
    assert (
        failure.route,
        failure.incident,
        failure.reason,
    ) == ("json", "abc123", "the receiver answered HTTP 500")


def test_a_closed_port_is_handed_back_without_secrets(caplog, capfd):
    """Nobody listening is a failure, and neither it nor any log names the URL."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    caplog.set_level(logging.DEBUG)
    broken = Route("nonsense://secret-token")
    failures = notify([event()], {"abc123": INCIDENT}, [route_to(port), broken])
    assert [failure.reason for failure in failures] == [
        "the receiver could not be reached",
        "Apprise can't read the URL of this nonsense route",
    ]
    shown = repr(failures) + repr(broken) + "".join(capfd.readouterr())
    shown += "".join(
        record.getMessage() for record in caplog.records if record.name.startswith(("apprise", "watchers"))
    )
    assert "secret" not in shown
    assert "hidden-path" not in shown


def test_routes_choose_model_and_severity(server):
    """A receiver hears of its models from its severity on."""
    port = server.server_port
    deaf = [route_to(port, models=("fraud-*",)), route_to(port, severity="critical")]
    mild = Incident("abc123", "delay", AT, AT, AT, severity="warning")
    assert notify([event()], {"abc123": mild}, deaf) == []
    assert server.bodies == []


def test_who_heard_nothing_hears_that_it_became_worse(server):
    """A receiver of critical incidents is told when one becomes critical; whoever knew of it isn't told again."""
    port = server.server_port
    events = [
        IncidentEvent.make("abc123", AT, "opened", 0, {"severity": "warning"}),
        IncidentEvent.make("abc123", AT, "updated", 1, {"severity": "critical", "was": "warning"}),
    ]
    assert notify(events, {"abc123": INCIDENT}, [route_to(port, severity="critical")]) == []
    (body,) = server.bodies
    assert (body["title"], body["type"]) == (f"Worse: [delay] {INCIDENT.title}", "failure")
    assert notify(events, {"abc123": INCIDENT}, [route_to(port)]) == []
    assert [body["title"] for body in server.bodies[1:]] == [f"[delay] {INCIDENT.title}"]


def test_snoozed_is_silent(server):
    """Nothing is told before the snooze ends."""
    snoozed = Incident("abc123", "delay", AT, AT, AT, snoozed_until=AT + dt.timedelta(hours=1))
    assert notify([event("reopened")], {"abc123": snoozed}, [route_to(server.server_port)]) == []
    assert server.bodies == []


def test_routes_from_configuration_and_environment():
    """URLs with blanks between them or a JSON list; each receiver once."""
    assert [Route("json://a"), Route("slack://b")] == routes(
        ["json://a"], {"MLLOG_NOTIFY": "json://a slack://b"}
    )
    listed = json.dumps([{"url": "json://a", "models": ["m*"], "severity": "critical"}])
    assert [Route("json://a", ("m*",), "critical")] == routes(environ={"MLLOG_NOTIFY": listed})
    assert routes(environ={}) == []


@pytest.mark.parametrize(
    "value", ["secret", "[nonsense secret", '[{"url": "json://secret", "severity": "loud"}]', "[3]"]
)
def test_a_broken_route_is_named_without_its_url(value):
    """The error says which route is broken, and nothing of what stands in it."""
    with pytest.raises(ValueError) as error:
        routes(environ={"MLLOG_NOTIFY": value})
    assert "secret" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_title_is_one_line():
    """A hostile feature name can't write lines of its own into a title."""
    hostile = Incident("x", "delay", AT, AT, AT, title="a\r\nBcc: everybody: missing")
    assert compose(event(), hostile).title == "[delay] a Bcc: everybody: missing"
