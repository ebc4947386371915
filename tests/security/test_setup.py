"""Roles and users, as `mllog setup` puts them on a node with security on."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from support import privileges
from support.elasticsearch import basic
from support.secured import PASSWORD, SUPERUSER

from mllog.cli import main
from mllog.elastic.roles import BY_NAME, ROLES

if TYPE_CHECKING:
    from conftest import Secured
    from support.elasticsearch import Node

WRITER = "mllog_writer"
KIBANA = "kibana_system"


def states(document: dict[str, Any], *kinds: str) -> dict[str, str]:
    return {item["name"]: item["state"] for item in document["items"] if item["kind"] in kinds}


def test_a_second_run_changes_nothing(secured: Secured) -> None:
    """Neither roles nor users, and `--check` finds nothing to do."""
    users = [word for name in secured.passwords for word in ("--user", name)]
    for words in (users, [*users, "--check"]):
        code, document = secured.setup(SUPERUSER, *words)
        assert (code, document["changed"], document["differs"]) == (0, False, False)
        assert states(document, "role") == dict.fromkeys(BY_NAME, "same")
        assert states(document, "user") == dict.fromkeys(secured.passwords, "same")


def test_the_server_holds_what_the_table_says(secured: Secured) -> None:
    """Every privilege is one that it knows, under the name that it goes by."""
    there = secured.node.request("GET", f"/_security/role/{','.join(BY_NAME)}")
    for role in ROLES:
        body, held = role.body(), there[role.name]
        assert held["cluster"] == body.get("cluster", [])
        assert [(one["names"], one["privileges"]) for one in held["indices"]] == [
            (one["names"], one["privileges"]) for one in body["indices"]
        ]
        assert held["applications"] == body.get("applications", [])
        assert not held["run_as"]


def test_a_role_that_somebody_widened_is_put_back(secured: Secured) -> None:
    """It is shown before."""
    body = BY_NAME[WRITER].body()
    body["indices"][0]["privileges"].append("read")
    secured.node.request("PUT", f"/_security/role/{WRITER}", body)
    code, document = secured.setup(SUPERUSER, "--check")
    (item,) = (item for item in document["items"] if item["state"] == "different")
    assert (code, item["kind"], item["name"]) == (1, "role", WRITER)
    assert any(line.strip('-+ ,"') == "read" and line.startswith("-") for line in item["diff"].splitlines())
    code, document = secured.setup(SUPERUSER)
    assert (code, states(document, "role")[WRITER]) == (0, "changed")
    action = next(action for action in privileges.ACTIONS if action.text == "read predictions")
    assert not privileges.may(action, WRITER, secured.backing, secured.node, secured.passwords[WRITER])


def test_a_newer_role_is_left_alone(secured: Secured) -> None:
    """As a newer template is."""
    body = BY_NAME[WRITER].body()
    secured.node.request("PUT", f"/_security/role/{WRITER}", {**body, "metadata": {"schema": 1_000}})
    code, document = secured.setup(SUPERUSER, "--user", WRITER)
    assert (code, states(document, "role", "user")) == (3, {WRITER: "newer"})
    secured.node.request("PUT", f"/_security/role/{WRITER}", body)
    assert secured.setup(SUPERUSER)[0] == 0


def test_a_password_is_set_where_it_does_not_let_in(secured: Secured) -> None:
    """A new one in the variable; what else somebody said of the user stays."""
    who = {"full_name": "Logstash of the west", "roles": [WRITER]}
    secured.node.request("PUT", f"/_security/user/{WRITER}", {**who, "password": "somebody's own"})
    code, document = secured.setup(SUPERUSER, "--user", WRITER, "--check")
    assert (code, states(document, "user")) == (1, {WRITER: "different"})
    assert secured.status("GET", "/_security/_authenticate", login=(WRITER, "somebody's own")) == 200
    code, document = secured.setup(SUPERUSER, "--user", WRITER)
    assert (code, states(document, "user")) == (0, {WRITER: "changed"})
    (item,) = (item for item in document["items"] if item["kind"] == "user")
    assert "MLLOG_WRITER_PASSWORD" in item["detail"]
    assert secured.status("GET", "/_security/_authenticate", login=(WRITER, "somebody's own")) == 401
    assert secured.status("GET", "/_security/_authenticate", login=(WRITER, secured.passwords[WRITER])) == 200
    assert secured.node.request("GET", f"/_security/user/{WRITER}")[WRITER]["full_name"] == who["full_name"]


def test_a_user_has_one_role(secured: Secured) -> None:
    """Who gave it another one reads what is taken away; its password isn't touched."""
    secured.node.request("PUT", f"/_security/user/{WRITER}", {"roles": [WRITER, "superuser"]})
    code, document = secured.setup(SUPERUSER, "--user", WRITER)
    (item,) = (item for item in document["items"] if item["kind"] == "user")
    assert (code, item["state"]) == (0, "changed")
    assert '-    "superuser"' in item["diff"].splitlines()
    assert secured.status("GET", "/.security/_search", login=(WRITER, secured.passwords[WRITER])) == 403


def test_a_reserved_user_gets_its_password_only(secured: Secured) -> None:
    """Its role is the server's."""
    secured.node.request("POST", f"/_security/user/{KIBANA}/_password", {"password": "another one"})
    code, document = secured.setup(SUPERUSER, "--user", KIBANA)
    assert (code, states(document, "user")) == (0, {KIBANA: "changed"})
    assert secured.status("GET", "/_security/_authenticate", login=(KIBANA, secured.passwords[KIBANA])) == 200
    assert secured.node.request("GET", f"/_security/user/{KIBANA}")[KIBANA]["roles"] == [KIBANA]


def test_a_disabled_user_stays_disabled(secured: Secured) -> None:
    """Somebody had a reason."""
    secured.node.request("PUT", f"/_security/user/{WRITER}/_disable")
    try:
        code, document = secured.setup(SUPERUSER, "--user", WRITER)
        assert (code, states(document, "user")) == (1, {WRITER: "left"})
        assert secured.status("GET", "/_security/_authenticate", login=(WRITER, secured.passwords[WRITER])) == 401
    finally:
        secured.node.request("PUT", f"/_security/user/{WRITER}/_enable")


def test_without_the_right_to_manage_security(secured: Secured) -> None:
    """All else is done by the role for it, and what it can't is said, with whose work it is."""
    secured.node.request("PUT", "/_component_template/mllog-run@mappings", {"template": {}})
    code, document = secured.setup("mllog_setup")
    assert (code, states(document, "component template")["mllog-run@mappings"]) == (0, "changed")
    (item,) = (item for item in document["items"] if item["name"] == "roles")
    assert item["state"] == "skipped"
    assert "manage_security" in item["detail"]
    assert not states(document, "role")
    code, document = secured.setup("mllog_setup", "--user", WRITER)
    assert (code, states(document, "user")) == (1, {WRITER: "left"})


def test_the_setup_of_its_own_role_rolls_over_and_extends(secured: Secured) -> None:
    """What is there already is brought up to date without the right to delete it."""
    stream = "logs-mllog.prediction.early-default"
    secured.node.request("PUT", f"/_index_template/{stream}", {
        "index_patterns": [stream], "priority": 900, "data_stream": {},
        "template": {"mappings": {"properties": {"ml": {"properties": {"outputs": {"properties": {"value": {"type": "long"}}}}}}}},
    })  # fmt: skip
    secured.node.request("PUT", f"/{stream}/_create/1", privileges.EVENT)
    secured.node.request("PUT", f"/_index_template/{stream}", {"index_patterns": [stream], "priority": 1, "data_stream": {}})
    code, document = secured.setup("mllog_setup")
    assert code == 0, document
    assert states(document, "data stream")[stream] == "rolled over"
    code, document = secured.setup("mllog_setup")
    assert (code, states(document, "data stream")[stream]) == (0, "same")


@pytest.mark.parametrize("role", sorted(set(BY_NAME) - {"mllog_setup"}))
def test_nobody_else_sets_up(role: str, secured: Secured) -> None:
    """A difference that is there stays; the reason names the right."""
    secured.node.request("PUT", "/_component_template/mllog-run@mappings", {"template": {}})
    code, document = secured.setup(role)
    assert code == 3
    assert "403" in document["error"]
    there = secured.node.request("GET", "/_component_template/mllog-run@mappings")["component_templates"]
    assert not there[0]["component_template"]["template"]
    assert secured.setup("mllog_setup")[0] == 0


def test_passwords_are_in_no_log(
    secured: Secured, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a user that is made, and of one that gets another password, with everything logged that anybody logs."""
    new = "tellnobody of the viewer"
    given = {"MLLOG_USERNAME": SUPERUSER, "MLLOG_PASSWORD": PASSWORD, "MLLOG_CA_CERTS": str(secured.node.authority_file)}
    for name, value in {**given, "MLLOG_VIEWER_PASSWORD": new}.items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.DEBUG)
    words = ["setup", "--elasticsearch", secured.node.url, "--user", "mllog_viewer", "--json"]
    assert main(words) == 0
    secured.node.request("DELETE", "/_security/user/mllog_viewer")
    assert main(words) == 0
    said = capsys.readouterr()
    assert "_security/user/mllog_viewer" in caplog.text
    for secret in (new, PASSWORD, basic("mllog_viewer", new), basic(SUPERUSER, PASSWORD)):
        assert secret.removeprefix("Basic ") not in caplog.text + said.out + said.err
    assert secured.status("GET", "/_security/_authenticate", login=("mllog_viewer", new)) == 200
    assert secured.setup(SUPERUSER, "--user", "mllog_viewer")[0] == 0


def test_a_server_without_security(elasticsearch_node: Node, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else is done; who asked for a user hears that there is none."""
    words = ["setup", "--elasticsearch", elasticsearch_node.url, "--json"]
    assert main(words) in {0, 1}
    roles = next(item for item in json.loads(capsys.readouterr().out)["items"] if item["name"] == "roles")
    assert (roles["state"], "xpack.security.enabled" in roles["detail"]) == ("skipped", True)
    monkeypatch.setenv("MLLOG_WRITER_PASSWORD", "long enough")
    assert main([*words, "--user", WRITER]) == 1
    (user,) = (item for item in json.loads(capsys.readouterr().out)["items"] if item["kind"] == "user")
    assert (user["state"], "no users" in user["detail"]) == ("left", True)


@pytest.mark.parametrize(("password", "words"), [(None, "isn't set"), ("", "isn't set"), ("five5", "too short"), ("line\nfeed", "control")])
def test_a_password_that_is_none(password: str | None, words: str, secured: Secured) -> None:
    """The variable is named, and its value isn't; nothing was done."""
    given = {} if password is None else {"MLLOG_VIEWER_PASSWORD": password}
    done = secured.run(SUPERUSER, "setup", "--elasticsearch", secured.node.url, "--user", "mllog_viewer", "--json", **given)
    assert done.returncode == 2
    assert f"MLLOG_VIEWER_PASSWORD {words}" in done.stderr or (words in done.stderr and "MLLOG_VIEWER_PASSWORD" in done.stderr)
    assert not password or password not in done.stdout + done.stderr
