"""What is on the disk before what: a loss of power may come between any two of these calls."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import spools

from mllog.delivery.spool import Spool
from mllog.shipping import Shipper, inspect, open_destination
from mllog.shipping.courier import Limits
from mllog.shipping.dead import DeadLetters
from mllog.shipping.destinations.base import Answer, Refusal
from mllog.shipping.shipper import TOGETHER

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.shipping.segments import Batch


class Disk:
    """Remembers in which order files were synced, renamed and removed; everything really happens.

    Attributes:
        calls: What was done, to what (its path when it was done), and its bytes then.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, str, int]] = []
        for name in ("fsync", "fdatasync"):
            patch.setattr(os, name, self._synced(getattr(os, name)))
        for name in ("replace", "rename", "unlink"):
            patch.setattr(os, name, self._named(name, getattr(os, name)))

    def _synced(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def sync(fd: int) -> None:
            real(fd)
            self.calls.append(("sync", str(Path(f"/proc/self/fd/{fd}").readlink()), os.fstat(fd).st_size))

        return sync

    def _named(self, name: str, real: Callable[..., None]) -> Callable[..., None]:
        def change(*paths: Any, **more: Any) -> None:
            real(*paths, **more)
            self.calls.append((name, os.fspath(paths[-1]), 0))

        return change

    def last(self, what: str, ending: str, before: int) -> int:
        """Where such a call stands, the last one before a position; -1 where there is none."""
        found = [k for k in range(before) if self.calls[k][0] == what and self.calls[k][1].endswith(ending)]
        return found[-1] if found else -1

    def all(self, what: str, ending: str) -> list[int]:
        """Where such calls stand."""
        return [k for k, call in enumerate(self.calls) if call[0] == what and call[1].endswith(ending)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def test_a_segment_is_on_the_disk_before_its_checksum(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its bytes are synced, then the checksum's, then that gets its name, which is synced too."""
    disk = Disk(monkeypatch)
    spool = Spool(folder, "p")
    spool.write(spools.line("a"))
    assert disk.calls == []
    spool.write(spools.line("b"))
    spool.close()
    data = folder / "p" / "00000001.ndjson"
    content, checksum, named, listed = disk.calls
    assert content == ("sync", str(data), data.stat().st_size)
    assert (checksum[0], ".sha256." in checksum[1]) == ("sync", True)
    assert named[:2] == ("replace", f"{data}.sha256")
    assert listed[:2] == ("sync", str(data.parent))


def test_nothing_is_deleted_before_the_checkpoint_is_on_the_disk(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint that passed a segment is synced, under its name, before the segment goes."""
    spools.spool(folder, "p", spools.lines("p", 60), segment_bytes=1500)
    disk = Disk(monkeypatch)
    positions: list[tuple[int, int]] = []
    save = os.replace

    def remember(source: Any, target: Any) -> None:
        held = json.loads(Path(source).read_bytes()) if str(target).endswith(".checkpoint") else None
        save(source, target)
        if held is not None:
            positions.append((len(disk.calls) - 1, held["segment"]))

    monkeypatch.setattr(os, "replace", remember)
    Shipper(folder, open_destination(f"file:{tmp_path / 'to'}"), give_up=0.0, delete=True).run()
    deleted = disk.all("unlink", ".ndjson")
    assert len(deleted) > 5
    for k in deleted:
        number = int(Path(disk.calls[k][1]).stem)
        named, segment = [position for position in positions if position[0] < k][-1]
        assert segment > number
        synced = disk.calls[named - 1]
        assert synced[0] == "sync"
        assert ".checkpoint." in synced[1]
        assert disk.last("sync", "/p", k) > named


def test_a_checkpoint_is_on_the_disk_before_anything_is_sent(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that more may have been sent than it speaks of; the one at the end says that it hasn't."""
    spools.spool(folder, "p", spools.lines("p", 20))
    disk = Disk(monkeypatch)
    for settled in (True, False):
        shipper = Shipper(folder, open_destination(f"file:{tmp_path / 'to'}"), give_up=0.0, limits=Limits(lines=5))
        path = folder / "p" / f"{shipper.destination.key}.checkpoint"
        sent: list[int] = []
        send = shipper.destination.send

        def noted(batch: Batch, path: Path = path, sent: list[int] = sent, send: Any = send) -> Answer:
            if not sent:
                named = disk.last("replace", path.name, len(disk.calls))
                assert disk.calls[named - 1][0] == "sync"
                assert ".checkpoint." in disk.calls[named - 1][1]
                assert disk.calls[named + 1][:2] == ("sync", str(folder / "p"))
            assert json.loads(path.read_bytes())["settled"] is False
            sent.append(len(batch.lines))
            return send(batch)

        monkeypatch.setattr(shipper.destination, "send", noted)
        if settled:
            shipper.stop.set()
            shipper.round()
            shipper.close()
        else:
            shipper.run()
        assert json.loads(path.read_bytes())["settled"] is True
        assert sent
        disk.calls.clear()


def test_folders_are_cleared_together(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they counted is on the disk, in one writing for many, before the first of them goes; few syncs for each."""
    count = 2 * TOGETHER
    for k in range(count):
        spools.spool(folder, f"p{k}", spools.lines(f"p{k}", 3))
    destination = open_destination(f"file:{tmp_path / 'to'}")
    monkeypatch.setattr(destination, "send", lambda _: Answer())
    monkeypatch.setattr(destination, "passed", lambda *_: None)
    disk = Disk(monkeypatch)
    removed: list[tuple[int, str]] = []
    remove = shutil.rmtree

    def noted(path: Path) -> None:
        held = json.loads((folder / "_destinations" / f"{destination.key}.json").read_bytes())
        assert path.name in held["folded"]
        removed.append((len(disk.calls), path.name))
        remove(path)

    monkeypatch.setattr(shutil, "rmtree", noted)
    Shipper(folder, destination, give_up=0.0, delete=True).run()
    assert len(removed) == count
    tallies = disk.all("replace", f"{destination.key}.json")
    assert len(tallies) == 1 + 2 * count // TOGETHER
    for at, _ in removed:
        assert any(k < at and disk.calls[k - 1][0] == "sync" for k in tallies[1::2])
    # The folders' names are gone on the disk before a tally forgets that it counted them.
    for k in tallies[2::2]:
        assert disk.last("sync", str(folder), k) >= max(at for at, _ in removed if at < k)
    syncs = [call for call in disk.calls if call[0] == "sync"]
    assert len(syncs) < 4.3 * count
    (status,) = inspect(folder)
    assert (status.delivered, status.pending_lines) == (3 * count, 0)
    assert json.loads((folder / "_destinations" / f"{destination.key}.json").read_bytes())["folded"] == []


def test_a_copy_is_on_the_disk_before_the_checkpoint_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No checkpoint ever says that a second folder has what was not synced there."""
    events = spools.lines("p", 50)
    spools.spool(folder, "p", events)
    disk = Disk(monkeypatch)
    said: list[int] = []
    save = os.replace

    def remember(source: Any, target: Any) -> None:
        if str(target).endswith(".checkpoint"):
            held = json.loads(Path(source).read_bytes())
            if held["segment"] == 1:
                said.append(held["offset"])
                copies = [call[2] for call in disk.calls if call[0] == "sync" and "/to/p/0" in call[1]]
                assert held["offset"] <= max([*copies, 0])
        save(source, target)

    monkeypatch.setattr(os, "replace", remember)
    Shipper(folder, open_destination(f"file:{tmp_path / 'to'}"), give_up=0.0, limits=Limits(lines=7)).run()
    assert max(said) == len(b"".join(events))


def test_a_checkpoint_is_on_the_disk_when_a_shipper_ends(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last checkpoint was synced before it got its name, and its name after."""
    spools.spool(folder, "p", spools.lines("p", 5))
    disk = Disk(monkeypatch)
    Shipper(folder, open_destination(f"file:{tmp_path / 'to'}"), give_up=0.0).run()
    named = disk.all("replace", ".checkpoint")[-1]
    assert disk.calls[named - 1][0] == "sync"
    assert ".checkpoint." in disk.calls[named - 1][1]
    assert disk.calls[named + 1][:2] == ("sync", str(folder / "p"))


def test_a_dead_letter_is_on_the_disk_before_the_checkpoint_passes_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was refused is then in one place at least, whenever the power goes."""
    spools.spool(folder, "p", spools.lines("p", 3))
    shipper = Shipper(folder, open_destination(f"file:{tmp_path / 'to'}"), give_up=0.0)

    def refuse(batch: Batch) -> Answer:
        return Answer(refused=dict.fromkeys(range(len(batch.lines)), Refusal("no", 400)))

    monkeypatch.setattr(shipper.destination, "send", refuse)
    disk = Disk(monkeypatch)
    shipper.run()
    letters = DeadLetters(folder, shipper.destination.key)
    assert letters.count() == 3
    (synced,) = disk.all("sync", "/p.ndjson")
    assert disk.calls[synced][2] == (letters.folder / "p.ndjson").stat().st_size
    passed = [k for k in disk.all("replace", ".checkpoint") if k > synced]
    assert passed
    # Their folder's name is synced as well, up to the spool's.
    for name in (letters.folder, letters.folder.parent, folder):
        assert -1 < disk.last("sync", str(name), passed[0])


def test_who_is_shipped_to_is_on_the_disk_before_anything_is_deleted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss of power doesn't make a spool forget for whom it keeps its segments."""
    spools.spool(folder, "p", spools.lines("p", 3))
    disk = Disk(monkeypatch)
    shipper = Shipper(folder, open_destination(f"file:{tmp_path / 'to'}"), give_up=0.0, delete=True)
    shipper.run()
    (named,) = disk.all("replace", f"{shipper.destination.key}.json")[:1]
    assert disk.calls[named - 1][0] == "sync"
    (deleted,) = disk.all("unlink", ".ndjson")
    assert named < disk.last("sync", "/_destinations", deleted)
