"""What is said where this user, or a name, can't be used: with what to do about it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest

import mllog
from mllog.environment import Manifest
from mllog.errors import PlaceError
from mllog.shipping import Shipper, open_destination

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACE = "logstash+http://127.0.0.1:9"


@contextlib.contextmanager
def somebody(folder: Path) -> Iterator[None]:
    """Be a user who may read a folder and write nothing there; whoever runs tests as root is one for a moment."""
    for path in (folder, *list(folder.parents)[:2]):
        path.chmod(path.stat().st_mode | 0o055)  # of /tmp, too, everything else must stay
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)


def test_a_logger_that_may_not_make_its_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a working directory that it may only read, as in many containers, it says how to name another."""
    monkeypatch.chdir(tmp_path)
    log = mllog.ModelLogger("model", version="1", sink=PLACE, environment=Manifest(), resources=0, flush_interval=3600)
    with somebody(tmp_path):
        log.prediction({"a": 1})
        assert not log.flush()
        error = log.status().last_error
    log.close(0.1)
    assert error is not None
    assert error.startswith("PermissionError")
    assert str(tmp_path / "mllog-spool") in error
    assert "spool=, MLLOG_SPOOL" in error


def test_a_spool_that_a_shipper_may_only_read(tmp_path: Path) -> None:
    """It says who has to ship, and where."""
    with mllog.ModelLogger("model", version="1", sink=tmp_path / "events", environment=Manifest(), resources=0) as log:
        log.prediction({"a": 1})
    shipper = Shipper(tmp_path / "events", open_destination(PLACE), give_up=0.0)
    with somebody(tmp_path / "events"):
        shipper.run()
    assert shipper.reason is not None
    assert ".lock" in shipper.reason
    assert f"ship as a user that may write to {tmp_path / 'events'}" in shipper.reason


def test_a_problem_of_another_kind_has_no_such_remedy(tmp_path: Path) -> None:
    """A server that isn't there is no matter of users."""
    with mllog.ModelLogger("model", version="1", sink=tmp_path / "events", environment=Manifest(), resources=0) as log:
        log.prediction({"a": 1})
    shipper = Shipper(tmp_path / "events", open_destination(PLACE), give_up=0.0)
    shipper.run()
    assert shipper.reason is not None
    assert "can't be reached" in shipper.reason
    assert "user" not in shipper.reason


@pytest.mark.parametrize("place", ["x{}", "file:/a/x{}/b", "logstash+http://host/x{}"])
def test_a_place_that_is_no_utf8(place: str) -> None:
    """The spool's own files are JSON, which can't hold its name."""
    name = place.format(os.fsdecode(b"\xff"))
    with pytest.raises(PlaceError, match="its name isn't UTF-8") as caught:
        open_destination(name)
    assert caught.value.field == "place"
    assert str(caught.value.value).endswith(name.rpartition(":")[2])
