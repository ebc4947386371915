"""Imports: what is there afterwards, what is said, and a second time the same; over HTTP against the documented protocol."""

from __future__ import annotations

import base64
import json
import random

import pytest

from kibana_objects.bundles import bundles, spelt
from kibana_objects.cli import main
from kibana_objects.rules import RULES
from kibana_objects.server import Kibana
from mllog.card import ModelCard
from mllog.errors import UnreachableError

COUNT = sum(map(len, bundles().values()))


def call(capsys, kibana, *arguments):
    """The command: its code and its document."""
    code = main(["import", "--kibana", kibana.url, "--json", *arguments])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def test_everything_is_there_and_runs(kibana, capsys):
    """All objects as they were built, each rule enabled and seen to have run."""
    code, said, _ = call(capsys, kibana)
    assert (code, said["objects"], said["problems"]) == (0, COUNT, [])
    assert said["rules"] == {rule.id: "ok" for rule in RULES}
    there = kibana.objects[""]
    for objects in bundles().values():
        for one in objects:
            assert there[one["type"], one["id"]] == one
    assert kibana.enabled == {("", rule.id) for rule in RULES}


def test_a_second_time_changes_nothing(kibana, capsys):
    """Rules, which an import disables, are enabled again."""
    first = call(capsys, kibana)
    before = json.dumps(sorted(map(str, kibana.objects[""].items())))
    assert call(capsys, kibana) == first
    assert json.dumps(sorted(map(str, kibana.objects[""].items()))) == before
    assert kibana.enabled == {("", rule.id) for rule in RULES}


def test_a_space_of_its_own(kibana, capsys):
    """Nothing is put into another one."""
    assert call(capsys, kibana, "--space", "models")[0] == 0
    assert set(kibana.objects) == {"models"}
    assert kibana.enabled == {("models", rule.id) for rule in RULES}


def test_a_second_space(kibana, capsys):
    """Ids are unique over all spaces, so the objects get others there, which is said; no rule is looked for in vain."""
    call(capsys, kibana)
    code, said, _ = call(capsys, kibana, "--space", "models")
    assert (code, said["rules"], len(said["problems"])) == (1, {}, COUNT)
    assert "dashboard mllog-overview: another space has an object of this id" in " ".join(said["problems"])
    assert kibana.enabled == {("", rule.id) for rule in RULES}


def test_a_card_brings_its_page(kibana, capsys, tmp_path):
    """With everything else."""
    draw = random.Random(1)
    card = ModelCard.from_frame({"amount": [draw.random() for _ in range(300)]}, "shop", "1")
    card.save(tmp_path / "card.json")
    code, said, _ = call(capsys, kibana, "--card", str(tmp_path / "card.json"))
    assert (code, said["objects"]) == (0, COUNT + 1)
    assert ("dashboard", "mllog-card-shop") in kibana.objects[""]


def test_without_rules(kibana, capsys):
    """For users who have no rights on them."""
    code, said, _ = call(capsys, kibana, "--no-rules")
    assert (code, said["rules"]) == (0, {})
    assert not [path for _, path in kibana.requests if "alerting" in path or "actions" in path]


def test_success_is_read_and_not_the_status(kibana, capsys, monkeypatch):
    """An import that failed answers 200; what is missing is named, and no rule is enabled."""
    broken = bundles()
    objects = broken["dashboards.ndjson"]
    objects.remove(next(one for one in objects if one["id"] == "mllog-windows"))
    monkeypatch.setattr("kibana_objects.bundles.bundles", lambda more: broken)
    code, said, _ = call(capsys, kibana)
    assert code == 1
    assert any("refers to what isn't there: index-pattern mllog-windows" in problem for problem in said["problems"])
    assert kibana.enabled == set()


def test_a_connector_that_is_not_there(kibana, capsys):
    """Rules run and tell nobody: what to put into kibana.yml is said."""
    kibana.connectors = []
    code, said, _ = call(capsys, kibana)
    assert code == 1
    (problem,) = said["problems"]
    assert "connector 'mllog-log' (.server-log) isn't there" in problem
    assert "xpack.actions.preconfigured.mllog-log" in problem


def test_a_connector_without_its_secrets(kibana, capsys):
    """As after an import of connectors."""
    kibana.connectors[0]["is_missing_secrets"] = True
    code, said, _ = call(capsys, kibana)
    assert code == 1
    assert "lost its secrets" in said["problems"][0]


def test_a_rule_that_fails_at_its_runs(kibana, capsys):
    """With the reason that Kibana gives."""
    kibana.failing["mllog-rule-critical"] = "no index mllog-incidents"
    code, said, _ = call(capsys, kibana)
    assert code == 1
    assert said["problems"] == ["rule mllog-rule-critical doesn't run: no index mllog-incidents"]
    assert said["rules"]["mllog-rule-warning"] == "ok"


def test_a_rule_that_nobody_may_enable(kibana, capsys):
    """The others are."""
    kibana.forbidden.add("mllog-rule-heartbeat")
    code, said, _ = call(capsys, kibana)
    assert code == 1
    assert "can't be enabled" in said["problems"][0]
    assert "Unauthorized by stackAlerts" in said["problems"][0]
    assert len(kibana.enabled) == len(RULES) - 1


def test_rules_that_never_run(kibana, capsys):
    """Not for ever: it is said after the time that is given."""
    kibana.runs_after = 10**9
    code, said, _ = call(capsys, kibana, "--wait", "0.2")
    assert code == 1
    assert set(said["rules"].values()) == {"pending"}
    assert "hasn't run within 0 s" in said["problems"][0]


def test_an_old_kibana(kibana, capsys):
    """Nothing is sent."""
    kibana.version = "8.18.4"
    code, said, _ = call(capsys, kibana)
    assert code == 2
    assert "is Kibana 8.18; these objects need 8.19" in said["error"]
    assert kibana.objects == {}


@pytest.mark.parametrize(
    ("url", "space", "code", "said"),
    [
        ("kibana.example", "", 2, "is no URL: write http(s)://HOST:5601"),
        ("ftp://kibana", "", 2, "is no URL"),
        ("http://127.0.0.1:1", "", 3, "http://127.0.0.1:1"),
        (None, "My Space", 2, "is no space's id"),
    ],
)
def test_what_cannot_be(kibana, capsys, url, space, code, said):
    """Usage apart from what may be mended by waiting."""
    assert main(["import", "--kibana", url or kibana.url, "--space", space]) == code
    assert said in capsys.readouterr().err


ABOUT = {"type": "tag", "id": "mllog"}
IMPORT, CONNECTORS, RULE = "/_import", "/connectors", f"/rule/{RULES[0].id}"
ODD = {
    "success alone": (IMPORT, {"success": True}, "successCount is missing"),
    "success as a text": (IMPORT, {"success": "false", "successCount": 1}, "success isn't true or false"),
    "no count": (IMPORT, {"success": True, "successCount": None}, "successCount isn't a whole number"),
    "a count that is none": (IMPORT, {"success": True, "successCount": True}, "successCount isn't a whole number"),
    "no errors": (IMPORT, {"success": False, "successCount": 0, "errors": None}, "errors isn't a list"),
    "errors by name": (IMPORT, {"success": False, "successCount": 0, "errors": {}}, "errors isn't a list"),
    "an error without one": (IMPORT, {"success": False, "successCount": 0, "errors": [ABOUT]}, "errors[0].error is missing"),
    "an error of words": (IMPORT, {"success": False, "successCount": 0, "errors": [{**ABOUT, "error": "no"}]}, "errors[0].error isn't an object"),
    "references of words": (
        IMPORT, {"success": False, "successCount": 0, "errors": [{**ABOUT, "error": {"type": "missing_references", "references": ["a"]}}]},
        "errors[0].error.references[0] isn't an object",
    ),
    "a result without an id": (IMPORT, {"success": True, "successCount": 1, "successResults": [{"type": "tag"}]}, "successResults[0].id is missing"),
    "a list": (IMPORT, [1], "it isn't an object"),
    "nothing": (IMPORT, None, "it isn't an object"),
    "a page": (IMPORT, b"<html>\n<h1>Sign in</h1>", "it isn't an object"),
    "deep": (IMPORT, b"[" * 100_000, "it isn't an object"),
    "connectors by name": (CONNECTORS, {"success": True}, "it isn't a list"),
    "connectors of words": (CONNECTORS, ["mllog-log"], "[0] isn't an object"),
    "a connector without an id": (CONNECTORS, [{"name": "a"}], "[0].id is missing"),
    "a rule of nothing": (RULE, {"success": True}, "enabled is missing"),
    "rules as a list": (RULE, [], "it isn't an object"),
    "a rule without a status": (RULE, {"enabled": True}, "execution_status is missing"),
    "a status as a text": (RULE, {"enabled": True, "execution_status": "ok"}, "execution_status isn't an object"),
    "a status of nothing": (RULE, {"enabled": True, "execution_status": {"status": None}}, "execution_status.status isn't a text"),
    "an error that is a text": (
        RULE, {"enabled": True, "execution_status": {"status": "error", "error": "no"}}, "execution_status.error isn't an object",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_answers_that_are_not_kibanas(kibana, capsys, name):
    """A proxy's: what was asked, what is wrong with the answer, and a piece of it, in one line."""
    end, body, why = ODD[name]
    kibana.odd[end] = 200, body
    code, said, err = call(capsys, kibana)
    assert code == 3
    assert f"{end.rpartition('/')[2]}" in said["error"]
    assert f"isn't Kibana's ({why}), look for a proxy in between: " in said["error"]
    assert len(said["error"]) < 500
    assert "\n" not in said["error"]
    assert "Traceback" not in err


def test_a_proxy_that_answers_everything_alike(kibana, capsys):
    """It is no Kibana, and nothing is sent to it."""
    for body in ({"success": True}, {"version": "9.5.2"}, {"version": ["9.5.2"]}, {"version": {"number": 9}}, [], None, b"<html>"):
        kibana.odd[""] = 200, body
        kibana.requests.clear()
        assert main(["import", "--kibana", kibana.url]) == 3
        assert "isn't a Kibana that is ready (200" in capsys.readouterr().err
        assert kibana.requests == [("GET", "/api/status")]


@pytest.mark.parametrize("wait", ["nan", "inf", "-5", "86401", "soon", ""])
def test_a_wait_that_is_none(kibana, capsys, wait):
    """It would never end, or isn't one: nothing is asked."""
    code, said, _ = call(capsys, kibana, "--wait", wait)
    assert (code, said["field"], said["value"]) == (2, "wait", wait)
    assert said["error"] == f"--wait {wait!r} is no number of seconds up to a day (86400); write it as 90"
    assert kibana.requests == []


def test_one_that_is_not_ready(kibana, capsys):
    """As just after its start."""
    kibana.ready = False
    assert main(["import", "--kibana", kibana.url]) == 3
    assert "isn't a Kibana that is ready (503" in capsys.readouterr().err


def test_credentials(kibana, capsys, monkeypatch):
    """From the environment or the URL; a wrong password is 3 and shows nowhere."""
    secret = "s3cret-of-kibana"
    kibana.authorization = "Basic " + base64.b64encode(f"me:{secret}".encode()).decode()
    monkeypatch.setenv("MLLOG_USERNAME", "me")
    monkeypatch.setenv("MLLOG_PASSWORD", secret)
    assert call(capsys, kibana)[0] == 0
    monkeypatch.setenv("MLLOG_PASSWORD", "wr0ng-of-kibana")
    assert main(["import", "--kibana", kibana.url]) == 3
    said = "".join(capsys.readouterr())
    assert "doesn't accept the credentials: look at MLLOG_API_KEY, or MLLOG_USERNAME and MLLOG_PASSWORD (401: " in said
    assert "wr0ng-of-kibana" not in said
    assert main(["import", "--kibana", kibana.url.replace("//", "//me:wr0ng-of-kibana@")]) == 3
    said = "".join(capsys.readouterr())
    assert "doesn't accept the user and password of --kibana" in said
    assert "wr0ng-of-kibana" not in said
    monkeypatch.delenv("MLLOG_USERNAME")
    assert main(["import", "--kibana", kibana.url]) == 3
    assert "wants credentials: set MLLOG_API_KEY" in capsys.readouterr().err


def test_a_user_who_may_do_nothing(kibana, capsys, monkeypatch):
    """403 at the first request is about the credentials too."""
    monkeypatch.setenv("MLLOG_USERNAME", "me")
    kibana.odd["/api/status"] = 403, {"statusCode": 403, "error": "Forbidden", "message": "Forbidden"}
    assert main(["import", "--kibana", kibana.url]) == 3
    assert "doesn't accept the credentials: look at MLLOG_API_KEY" in capsys.readouterr().err


def test_the_protocol_is_held_to(kibana):
    """The server of these tests refuses what Kibana refuses: without this the others would prove little."""
    import urllib.error
    import urllib.request

    def post(body, **headers):
        request = urllib.request.Request(f"{kibana.url}/api/saved_objects/_import", body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read())

    with pytest.raises(urllib.error.HTTPError, match="400"):
        post(b"{}", **{"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        post(b"{}", **{"Content-Type": "application/json", "kbn-xsrf": "x"})
    with pytest.raises(UnreachableError, match="Invalid file extension"):
        Kibana(kibana.url).import_objects("a.json", b"{}\n")
    one = spelt(bundles()["rules.ndjson"][:1])
    with pytest.raises(UnreachableError, match="Non-unique"):
        Kibana(kibana.url).import_objects("a.ndjson", one + one)
