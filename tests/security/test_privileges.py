"""Each role can do its job and nothing else: every action of the matrix, by a real user on a real node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import privileges
from support.privileges import ACTIONS

from mllog.elastic.indices import INDICES
from mllog.elastic.roles import BY_NAME, RESULTS, SHOWN, STREAMS

if TYPE_CHECKING:
    from conftest import Secured


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.text)
def test_who_may(action: privileges.Action, secured: Secured, request: pytest.FixtureRequest) -> None:
    """Those that the table says, and no other; each is let or refused by the node."""
    held = frozenset(
        role for role in BY_NAME
        if privileges.may(action, role, secured.backing, secured.node, secured.passwords[role])
    )  # fmt: skip
    request.config.stash.setdefault(privileges.HELD, {})[action.text] = held
    assert held == action.allowed


def test_a_user_of_a_role_is_nobody_else(secured: Secured) -> None:
    """Acting as the superuser is refused, whoever asks; and without a password nobody gets in."""
    for role, password in secured.passwords.items():
        if role in BY_NAME:
            assert secured.status("GET", "/_security/_authenticate", login=(role, password)) == 200
            assert secured.status("GET", "/_security/_authenticate", login=(role, "not the password")) == 401
            assert secured.status("GET", "/_security/_authenticate", login=(role, password), runas="elastic") == 403


def test_the_table_knows_every_index() -> None:
    """A new kind of event or result has to be somebody's to read, and is looked at here."""
    asked = " ".join(action.path for action in ACTIONS)
    for pattern in RESULTS:
        assert f"/{pattern.removesuffix('*')}" in asked, pattern
    for stream in privileges.STREAMS.values():
        assert f"/{stream}/_search" in asked
    assert {pattern for row in INDICES if row.kind == "stream" for pattern in row.patterns} == {
        "logs-mllog.*-*", "logs-mllog.label.*-*", "logs-mllog.deployment-*",
    }  # fmt: skip
    assert STREAMS == ("logs-mllog.*",)
    shown = {name.removeprefix("logs-mllog.").rstrip("-.*") for name in SHOWN}
    assert set(privileges.STREAMS) - shown == {"label", "deadletter", "reject"}
