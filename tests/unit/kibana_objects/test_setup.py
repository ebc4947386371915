"""`mllog setup --kibana`: what it puts there, what it says, and what a second run does: nothing. Over HTTP, by the protocol.

Both servers in one command are in ``tests/elasticsearch/test_setup_of_both.py``.
"""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys

import pytest
from support import processes

from kibana_objects.bundles import RULES_FILE, bundles
from kibana_objects.comparing import MOST_LINES, difference
from kibana_objects.rules import RULES
from kibana_objects.server import Kibana
from mllog.card import ModelCard
from mllog.cli import main
from mllog.errors import UnreachableError

COUNT = sum(map(len, bundles().values()))
RULE = RULES[0].id


def call(capsys, kibana, *arguments):
    """The command: its code and its document."""
    code = main(["setup", "--kibana", kibana.url, "--json", *arguments])
    out, _ = capsys.readouterr()
    return code, json.loads(out)


def states(said):
    """So many items in each state."""
    found = [item["state"] for item in said["items"]]
    return {state: found.count(state) for state in found}


def item(said, name):
    (found,) = (one for one in said["items"] if one["name"] == name)
    return found


def sent(kibana):
    """What was sent that changes anything."""
    return [path for method, path in kibana.requests if method == "POST" and "_export" not in path]


def test_everything_is_there_and_a_second_time_nothing_changes(kibana, capsys):
    """Not even something is sent; rules stay enabled, which an import would disable."""
    code, said = call(capsys, kibana, "--check")
    assert (code, states(said)) == (1, {"missing": COUNT, "same": 1})
    assert (said["changed"], said["differs"], sent(kibana), kibana.objects) == (False, True, [], {})
    code, said = call(capsys, kibana)
    assert (code, states(said)) == (0, {"created": COUNT, "same": 1})
    assert (said["changed"], said["differs"], said["further"], said["place"]) == (True, False, [kibana.url], None)
    assert kibana.enabled == {("", rule.id) for rule in RULES}
    kibana.requests.clear()
    for given in ([], ["--check"]):
        code, said = call(capsys, kibana, *given)
        assert (code, states(said), said["changed"]) == (0, {"same": COUNT + 1}, False)
    assert sent(kibana) == []
    assert {one["kind"] for one in said["items"]} == {"tag", "data view", "search", "dashboard", "rule", "connector"}


@pytest.mark.parametrize("tabs", ["", "both", "only"])
def test_what_kibana_makes_of_it_is_no_difference(kibana, capsys, tabs):
    """Migrations, tabs of searches, how often fields were looked at, tags of somebody's own, how a rule fares."""
    kibana.tabs = tabs
    call(capsys, kibana)
    there = kibana.objects[""]
    view = there["index-pattern", "mllog-windows"]["attributes"]
    counted = json.loads(view["fieldAttrs"])
    counted["drift.value"] = {**counted.get("drift.value", {}), "count": 7}
    counted["of.somebody"] = {"count": 1}
    view["fieldAttrs"] = json.dumps(counted)
    page = there["dashboard", "mllog-overview"]
    page["references"].append({"type": "tag", "id": "ours", "name": "tag-ref-ours"})
    page["attributes"]["panelsJSON"] = json.dumps(json.loads(page["attributes"]["panelsJSON"]), indent=2)
    there["alert", RULE]["attributes"] |= {"muteAll": True, "revision": 3, "snoozeSchedule": [], "updatedBy": "ann"}
    code, said = call(capsys, kibana, "--check")
    assert (code, states(said)) == (0, {"same": COUNT + 1})


EDITS = {
    "a title": ("dashboard", "mllog-overview", lambda held: held.update(title="Ours")),
    "a panel less": (
        "dashboard", "mllog-overview", lambda held: held.update(panelsJSON=json.dumps(json.loads(held["panelsJSON"])[1:])),
    ),
    "a pattern": ("index-pattern", "mllog-windows", lambda held: held.update(title="windows-*")),
    "columns": ("search", "mllog-search-predictions", lambda held: held.update(columns=["message"])),
    "a colour": ("tag", "mllog", lambda held: held.update(color="#000000")),
    "a threshold": ("alert", RULE, lambda held: held["params"].update(threshold=[100])),
    "a query": ("alert", RULE, lambda held: held["params"].update(esQuery='{"query":{"match_none":{}}}')),
    "no actions": ("alert", RULE, lambda held: held.update(actions=[])),
    "a throttle": ("alert", RULE, lambda held: held.update(throttle="1h")),
}  # fmt: skip


@pytest.mark.parametrize("tabs", ["both", "only"])
@pytest.mark.parametrize("name", EDITS)
def test_what_was_edited_is_put_back(kibana, capsys, name, tabs):
    """That object alone, with what differs shown; the check says so first and changes nothing."""
    kibana.tabs = tabs
    call(capsys, kibana)
    kind, identity, edit = EDITS[name]
    edit(kibana.objects[""][kind, identity]["attributes"])
    kibana.requests.clear()
    code, said = call(capsys, kibana, "--check")
    assert (code, states(said), sent(kibana)) == (1, {"same": COUNT, "different": 1}, [])
    assert item(said, identity)["diff"].startswith("--- there\n+++ wanted")
    code, said = call(capsys, kibana)
    assert (code, states(said)) == (0, {"same": COUNT, "changed": 1})
    assert sent(kibana)[0] == "/api/saved_objects/_import?overwrite=true"
    assert len(sent(kibana)) == (2 if kind == "alert" else 1)  # a rule is enabled again
    assert kibana.enabled == {("", rule.id) for rule in RULES}
    assert call(capsys, kibana, "--check")[0] == 0


def test_a_reference_that_leads_elsewhere(kibana, capsys):
    """Is a difference; so is one that is gone."""
    call(capsys, kibana)
    references = kibana.objects[""]["search", "mllog-search-predictions"]["references"]
    references[0]["id"] = "mllog-events"
    assert '"index-pattern mllog-events"' in item(call(capsys, kibana, "--check")[1], "mllog-search-predictions")["diff"]
    references.clear()
    assert item(call(capsys, kibana, "--check")[1], "mllog-search-predictions")["state"] == "different"


def test_what_was_deleted_comes_back(kibana, capsys):
    """That alone: the data views that it needs are there."""
    call(capsys, kibana)
    del kibana.objects[""]["dashboard", "mllog-text"]
    code, said = call(capsys, kibana, "--check")
    assert (code, item(said, "mllog-text")["state"]) == (1, "missing")
    code, said = call(capsys, kibana)
    assert (code, states(said)) == (0, {"same": COUNT, "created": 1})


def test_a_rule_that_is_disabled(kibana, capsys):
    """The check says so; the setup enables it, and imports nothing."""
    call(capsys, kibana)
    kibana.enabled.discard(("", RULE))
    kibana.requests.clear()
    code, said = call(capsys, kibana, "--check")
    assert (code, item(said, RULE)["state"], item(said, RULE)["detail"]) == (1, "different", "it isn't enabled")
    code, said = call(capsys, kibana)
    assert (code, item(said, RULE)["state"], item(said, RULE)["detail"]) == (0, "changed", "it is enabled now")
    assert sent(kibana) == [f"/api/alerting/rule/{RULE}/_enable"]


def test_rules_that_do_not_run(kibana, capsys):
    """With the reason that Kibana gives, at the setup and at each check; one that nobody may enable too."""
    kibana.failing[RULE] = "no index mllog-incidents"
    kibana.forbidden.add("mllog-rule-heartbeat")
    code, said = call(capsys, kibana)
    assert (code, states(said)) == (1, {"created": COUNT - 2, "left": 2, "same": 1})
    assert item(said, RULE)["detail"] == f"rule {RULE} doesn't run: no index mllog-incidents"
    assert "Unauthorized by stackAlerts" in item(said, "mllog-rule-heartbeat")["detail"]
    code, said = call(capsys, kibana, "--check")
    assert (code, item(said, RULE)["state"]) == (1, "left")
    assert item(said, "mllog-rule-heartbeat")["detail"] == "it isn't enabled"


def test_rules_that_never_run(kibana, capsys):
    """Not waited for longer than is said; a check doesn't wait at all, and finds no fault with one that is pending."""
    kibana.runs_after = 10**9
    code, said = call(capsys, kibana, "--wait", "0.2")
    assert (code, states(said)) == (1, {"created": COUNT - len(RULES), "left": len(RULES), "same": 1})
    assert call(capsys, kibana, "--check")[0] == 0


@pytest.mark.parametrize(
    ("end", "body", "why"),
    [
        ("/_export", {"success": True}, "[0].type is missing"),
        ("/_export", b"<html>", "[0] isn't an object"),
        ("/_export", {"type": "tag", "id": "mllog"}, "[0].attributes is missing"),
        ("/_export", {"type": "tag", "id": "mllog", "attributes": {}, "references": [1]}, "[0].references[0] isn't an object"),
        ("/_export", {"type": "search", "id": "a", "attributes": {"tabs": {}}}, "[0].attributes.tabs isn't a list"),
        ("/_import", {"success": "false", "successCount": 0}, "success isn't true or false"),
        (f"/rule/{RULE}", {"id": RULE}, "enabled is missing"),
        ("/connectors", {"success": True}, "it isn't a list"),
    ],
)
def test_answers_that_are_not_kibanas(kibana, capsys, end, body, why):
    """A proxy's: 3, with what was asked, what is wrong with the answer, and a piece of it."""
    kibana.odd[end] = 200, body
    code, said = call(capsys, kibana)
    assert code == 3
    assert f"isn't Kibana's ({why}), look for a proxy in between: " in said["error"]


@pytest.mark.parametrize("told", [None, [], {"objects": None}, {"objects": [None]}, {"objects": [{"id": "a", "error": []}]}])
def test_an_export_that_is_refused_oddly(kibana, capsys, told):
    """What it was refused for can't be read, so it is told as it is."""
    kibana.odd["/_export"] = 400, {"message": "Error fetching objects to export", "attributes": told}
    code, said = call(capsys, kibana)
    assert code == 3
    assert "answered 400 to POST /api/saved_objects/_export: Error fetching" in said["error"]


def test_connectors(kibana, capsys):
    """One that isn't there, or has lost its secrets, lets rules run and tell nobody: it is said, and nothing put there."""
    kibana.connectors[0]["is_missing_secrets"] = True
    code, said = call(capsys, kibana)
    assert (code, item(said, "mllog-log")["state"]) == (1, "left")
    assert "lost its secrets" in item(said, "mllog-log")["detail"]
    kibana.connectors = []
    for given in ([], ["--check"]):
        code, said = call(capsys, kibana, *given)
        assert (code, item(said, "mllog-log")["state"]) == (1, "left")
        assert "xpack.actions.preconfigured.mllog-log" in item(said, "mllog-log")["detail"]


def test_a_user_without_rights_on_rules(kibana, capsys):
    """They are skipped, with the reason, and everything else is there; ``--no-rules`` doesn't ask."""
    kibana.unseen.add("alert")
    for given in ([], ["--check"]):
        code, said = call(capsys, kibana, *given)
        assert (code, item(said, "rules")["state"]) == (0, "skipped")
        assert "Unable to bulk_get alert" in item(said, "rules")["detail"]
    assert states(said) == {"same": COUNT - len(RULES), "skipped": 1}
    kibana.requests.clear()
    assert call(capsys, kibana, "--no-rules") == (0, {**said, "items": said["items"][:-1]})
    assert not [path for _, path in kibana.requests if "alerting" in path or "actions" in path]


def test_an_import_that_is_refused(kibana, capsys, monkeypatch):
    """It answers 200 all the same; why is said of each, and no rule is touched for it."""
    broken = {name: [one for one in objects if one["id"] != "mllog-windows"] for name, objects in bundles().items()}
    monkeypatch.setattr("kibana_objects.bundles.bundles", lambda _: broken)
    code, said = call(capsys, kibana)
    assert code == 1
    assert "refers to what isn't there: index-pattern mllog-windows" in item(said, "mllog-overview")["detail"]
    assert item(said, "mllog-events")["detail"] == "it wasn't imported, since others beside it were refused"
    assert states(said) == {"left": COUNT - len(RULES) - 1, "created": len(RULES), "same": 1}


def test_spaces(kibana, capsys):
    """What is put into one isn't in another; ids are unique over all of them, so a second one can't have the same."""
    assert call(capsys, kibana, "--space", "models")[0] == 0
    assert set(kibana.objects) == {"models"}
    code, said = call(capsys, kibana, "--space", "models", "--check")
    assert (code, said["further"]) == (0, [f"{kibana.url}/s/models"])
    code, said = call(capsys, kibana)
    assert (code, states(said)) == (1, {"left": COUNT, "same": 1})
    assert "another space has an object of this id" in item(said, "mllog-overview")["detail"]


def test_cards_bring_their_pages(kibana, capsys, tmp_path):
    """Of files and folders; of two cards of one model the last counts."""
    draw = random.Random(1)
    (tmp_path / "cards").mkdir()
    for name, version, file in (("shop", "1", "cards/a.json"), ("shop", "2", "cards/b.json"), ("till", "1", "c.json")):
        ModelCard.from_frame({"amount": [draw.random() for _ in range(300)]}, name, version).save(tmp_path / file)
    code, said = call(capsys, kibana, "--card", str(tmp_path / "cards"), "--card", str(tmp_path / "c.json"))
    assert (code, states(said)) == (0, {"created": COUNT + 2, "same": 1})
    assert "shop 2" in kibana.objects[""]["dashboard", "mllog-card-shop"]["attributes"]["description"]
    assert call(capsys, kibana)[0] == 0


def test_it_is_told_to_people(kibana, capsys):
    """What is being done on standard error; what was, in the table of the other things."""
    assert main(["setup", "--kibana", kibana.url]) == 0
    out, err = capsys.readouterr()
    assert "import dashboards.ndjson: " in err
    assert "dashboard" in out
    assert f"1 of {COUNT + 1} are as they should be" in out
    assert main(["setup", "--kibana", kibana.url]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (f"{COUNT + 1} of {COUNT + 1} are as they should be\n", "")


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ([], 2, "name --elasticsearch URL, --kibana URL, or both"),
        (["--kibana", "kibana.example"], 2, "is no URL: write http(s)://HOST:5601"),
        (["--kibana", "http://127.0.0.1:1", "--space", "My Space"], 2, "is no space's id"),
        (["--kibana", "http://127.0.0.1:1", "--card", "nowhere.json"], 2, "card 'nowhere.json' can't be read"),
        (["--kibana", "http://127.0.0.1:1", "--raw", "90d"], 2, "--raw goes with --elasticsearch"),
        (["--kibana", "http://127.0.0.1:1", "--user", "mllog_writer"], 2, "--user goes with --elasticsearch"),
        (["--kibana", "http://127.0.0.1:1", "--elasticsearch", "http://127.0.0.1:1", "--expire"], 2, "name no other server"),
        (["--elasticsearch", "http://127.0.0.1:1", "--space", "a"], 2, "--space goes with --kibana URL"),
        (["--elasticsearch", "http://127.0.0.1:1", "--no-rules"], 2, "--no-rules goes with --kibana URL"),
        (["--elasticsearch", "http://127.0.0.1:1", "--wait", "5"], 2, "--wait goes with --kibana URL"),
        (["--kibana", "http://127.0.0.1:1", "--wait", "nan"], 2, "--wait 'nan' is no number of seconds up to a day"),
        (["--kibana", "http://127.0.0.1:1"], 3, "http://127.0.0.1:1"),
    ],
)
def test_what_cannot_be(given, code, said, capsys):
    """Usage, before any server is asked, apart from what may be mended by waiting."""
    assert main(["setup", *given, "--json"]) == code
    out, err = capsys.readouterr()
    assert said in json.loads(out)["error"]
    assert said in err


def test_an_old_kibana(kibana, capsys):
    """Nothing is sent."""
    kibana.version = "8.18.4"
    code, said = call(capsys, kibana)
    assert code == 2
    assert "is Kibana 8.18; these objects need 8.19" in said["error"]
    assert kibana.objects == {}


def test_without_what_it_needs(tmp_path):
    """The extra is named, and setup of Elasticsearch alone doesn't miss it."""
    code = "import sys; sys.modules['urllib3'] = None; from mllog.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "setup", "--kibana", "http://127.0.0.1:1"],
        capture_output=True, text=True, check=False, timeout=60, env=processes.environment(),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "mllog setup: --kibana needs urllib3: pip install 'mllog-elastic[kibana]'\n")
    code = code.replace("'urllib3'", "'kibana_objects.setup'")
    for given in ("--help", "--kibana=http://127.0.0.1:1"):
        done = subprocess.run(
            [sys.executable, "-c", code, "setup", given],
            capture_output=True, text=True, check=False, timeout=60, env=processes.environment(),
        )  # fmt: skip
        assert "--kibana needs kibana_objects.setup: pip install 'mllog-elastic[kibana]'" in " ".join((done.stdout + done.stderr).split())
        assert done.returncode == (0 if given == "--help" else 2)


def test_credentials(kibana, capsys, monkeypatch):
    """From the environment; a wrong password is 3 and shows nowhere."""
    secret = "s3cret-of-kibana"
    kibana.authorization = "Basic " + base64.b64encode(f"me:{secret}".encode()).decode()
    monkeypatch.setenv("MLLOG_USERNAME", "me")
    monkeypatch.setenv("MLLOG_PASSWORD", secret)
    assert call(capsys, kibana)[0] == 0
    monkeypatch.setenv("MLLOG_PASSWORD", "wr0ng-of-kibana")
    code, said = call(capsys, kibana)
    assert code == 3
    assert "401" in said["error"]
    assert "wr0ng-of-kibana" not in said["error"]


def test_the_protocol_of_exports_is_held_to(kibana):
    """The server of these tests refuses what Kibana refuses."""
    asked = Kibana(kibana.url)
    assert asked.export_objects([]) == {}
    assert asked.export_objects([("dashboard", "nowhere")]) == {}
    with pytest.raises(UnreachableError, match="non-exportable"):
        asked.export_objects([("api_key_pending_invalidation", "a")])
    one = bundles()[RULES_FILE][:1]
    asked.import_objects("a.ndjson", (json.dumps(one[0]) + "\n").encode())
    found = asked.export_objects([("dashboard", "nowhere"), ("alert", RULE)])
    assert list(found) == [("alert", RULE)]
    assert found["alert", RULE]["attributes"]["executionStatus"]["status"] == "pending"
    assert "updated_at" in found["alert", RULE]


def test_a_long_difference_is_cut():
    """A dashboard that was rebuilt would be thousands of lines."""
    page = next(one for one in bundles()["dashboards.ndjson"] if one["id"] == "mllog-overview")
    lines = difference({**page, "attributes": {}, "references": []}, page).splitlines()
    assert len(lines) == MOST_LINES + 1
    assert lines[-1].startswith("... and ")
