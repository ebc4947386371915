"""What the disk does to a spool, and how readers know that its writer lives."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support import spools

from mllog.delivery.locks import WRITER_LOCK, Lock, is_locked
from mllog.delivery.spool import Spool


def segments(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("p/*.ndjson"))]


def run(code: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_segment_that_may_not_grow_is_followed_by_another(tmp_path: Path) -> None:
    """EFBIG on a segment with lines in it: the same write goes to a new one, and no line is halved."""
    run(
        """
        import resource, sys
        from mllog.delivery.spool import Spool
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        spool = Spool(sys.argv[1], "p")
        for k in range(100): spool.write(b'{"k": %d, "x": "%s"}\\n' % (k, b"x" * 90))
        spool.close()
        """,
        tmp_path,
    )
    found = segments(tmp_path)
    assert len(found) >= 10
    assert all(content.endswith(b"}\n") and 0 < len(content) <= 1000 for content in found)
    assert len(b"".join(found).splitlines()) == 100
    assert len(list(tmp_path.glob("p/*.sha256"))) == len(found)


def test_a_write_that_never_fits_leaves_no_files_behind(tmp_path: Path) -> None:
    """However often it is tried again, a full disk collects no empty segments."""
    run(
        """
        import resource, sys
        from mllog.delivery.spool import Spool
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        spool = Spool(sys.argv[1], "p")
        spool.write(b"{}\\n")
        for _ in range(50):
            try:
                spool.write(b'{"x": "%s"}\\n' % (b"x" * 2000))
            except OSError as error:
                assert error.errno == 27, error
            else:
                raise AssertionError
        spool.write(b"{}\\n")
        spool.close()
        """,
        tmp_path,
    )
    assert segments(tmp_path) == [b"{}\n", b"{}\n"]


def test_a_disk_without_room_keeps_one_empty_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write of which nothing was taken is tried in the same empty file again."""
    spool = Spool(tmp_path, "p")

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        for _ in range(5):
            with pytest.raises(OSError, match="No space"):
                spool.write(b"{}\n")
    assert segments(tmp_path) == [b""]
    spool.write(b"{}\n")
    spool.close()
    assert segments(tmp_path) == [b"{}\n"]


@pytest.mark.parametrize("durable", [False, True])
def test_durable_syncs_every_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, durable: bool) -> None:
    """Without it only a sealed segment is on the disk for sure; with it each write is."""
    synced: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (synced.append(os.fstat(fd).st_size), real(fd))[1])
    spool = Spool(tmp_path, "p", durable=durable)
    for _ in range(3):
        spool.write(b"{}\n")
    assert synced == ([3, 6, 9] if durable else [])
    spool.close()


def test_a_write_that_can_not_be_synced_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What isn't on the disk wasn't taken: it will be offered again, and is there once."""
    spool = Spool(tmp_path, "p", durable=True)
    spool.write(b'{"n":1}\n')

    def broken(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        with pytest.raises(OSError, match="Input/output"):
            spool.write(b'{"n":2}\n')
    spool.write(b'{"n":2}\n')
    spool.close()
    assert b"".join(segments(tmp_path)) == b'{"n":1}\n{"n":2}\n'


def test_the_writers_lock_ends_with_it(tmp_path: Path) -> None:
    """kill -9 frees it; a forked child that lives on doesn't hold it."""
    out = run(
        """
        import os, signal, sys, time
        from mllog.delivery.spool import Spool
        pid = os.fork()
        if not pid:
            spool = Spool(sys.argv[1], "p")
            spool.write(b"{}\\n")
            child = os.fork()
            if not child:
                os.close(0); os.close(1); os.close(2)
                time.sleep(30)
                os._exit(0)
            print(child, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(pid, 0)
        """,
        tmp_path,
    )
    child = int(out)
    try:
        os.kill(child, 0)
        assert not is_locked(tmp_path / "p" / WRITER_LOCK)
    finally:
        os.kill(child, 9)


def test_a_lock_is_one_holders(tmp_path: Path) -> None:
    """A second one has to wait until it is free; a folder that was removed under it makes it worthless."""
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert not is_locked(tmp_path / "lock")
    assert first.acquire()
    assert first.acquire()
    assert is_locked(tmp_path / "lock")
    assert not second.acquire(timeout=0.01)
    first.release()
    first.release()
    assert second.acquire()
    second.release()
    assert not is_locked(tmp_path / "lock")


def test_a_folder_that_is_being_cleared_away_is_waited_for(tmp_path: Path) -> None:
    """A logger that was closed and writes once more doesn't write into a folder that is about to go."""
    spool = Spool(tmp_path, "p")
    spool.write(spools.line("a"))
    spool.close()
    held = Lock(tmp_path / "p" / WRITER_LOCK)
    assert held.acquire()
    with pytest.raises(OSError, match="clearing"):
        spool.write(spools.line("b"))
    held.release()
    spool.write(spools.line("b"))
    spool.close()
    assert segments(tmp_path) == [spools.line("a"), spools.line("b")]


def test_a_segment_is_on_the_disk_before_it_is_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sees a checksum may rely on the file: first its data are synced, then the checksum's, then its name."""
    done: list[str] = []
    sync, rename = os.fsync, os.replace

    def synced(fd: int) -> None:
        sync(fd)
        name = Path(f"/proc/self/fd/{fd}").readlink().name
        size = f" {os.fstat(fd).st_size}" if name.endswith(".ndjson") else ""
        done.append(f"sync {name.partition('.sha256.')[0]}{size}")

    def renamed(source: os.PathLike[str], target: os.PathLike[str]) -> None:
        rename(source, target)
        done.append(f"name {Path(target).name}")

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    spool = Spool(tmp_path, "p", segment_bytes=6)
    for _ in range(3):
        spool.write(b"{}\n")
    expected = ["sync 00000001.ndjson 6", "sync 00000001.ndjson", "name 00000001.ndjson.sha256", "sync p"]
    assert done == expected
    spool.close()
    assert done[4:] == [step.replace("1.ndjson", "2.ndjson").replace("json 6", "json 3") for step in expected]


def test_a_quiet_segment_is_sealed_by_its_age(tmp_path: Path) -> None:
    """Nobody has to write for that."""
    spool = Spool(tmp_path, "p", segment_seconds=0.0)
    spool.tend()
    assert not list(tmp_path.iterdir())
    spool.write(b"{}\n")
    spool.tend()
    spool.tend()
    assert len(list(tmp_path.glob("p/*.sha256"))) == len(segments(tmp_path)) == 1
    lasting = Spool(tmp_path, "q")
    lasting.write(b"{}\n")
    lasting.tend()
    assert not list(tmp_path.glob("q/*.sha256"))
    lasting.close()


@pytest.mark.parametrize("what", ["spool", "process", "segment"])
def test_what_follows_a_removal_goes_to_a_new_file(tmp_path: Path, what: str) -> None:
    """Lines that were written stay removed, as somebody wanted; none is written to a file that has no name any more."""
    spool = Spool(tmp_path / "s", "p")
    spool.write(b'{"n":1}\n')
    if what == "segment":
        (tmp_path / "s" / "p" / "00000001.ndjson").unlink()
    else:
        shutil.rmtree(tmp_path / "s" if what == "spool" else tmp_path / "s" / "p")
    spool.write(b'{"n":2}\n')
    spool.write(b'{"n":3}\n')
    assert segments(tmp_path / "s") == [b'{"n":2}\n{"n":3}\n']
    assert is_locked(tmp_path / "s" / "p" / WRITER_LOCK)
    shutil.rmtree(tmp_path / "s")
    spool.close()
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("what", ["spool", "process", "segment", "moved"])
def test_what_is_on_its_way_survives_a_removal(tmp_path: Path, what: str) -> None:
    """Where lines have not arrived yet, a removed segment is written again: same name, same bytes, same checksum."""
    spool = Spool(tmp_path / "s", "p", restore=int)
    lines = [b'{"n":%d}\n' % k for k in range(5)]
    spool.write(lines[0])

    def remove() -> None:
        if what == "segment":
            (tmp_path / "s" / "p" / "00000001.ndjson").unlink()
        elif what == "moved":
            (tmp_path / "s").rename(tmp_path / f"moved{len(list(tmp_path.iterdir()))}")
        else:
            shutil.rmtree(tmp_path / "s" if what == "spool" else tmp_path / "s" / "p")

    for k in range(1, 4):
        remove()
        spool.write(lines[k])
        assert segments(tmp_path / "s") == [b"".join(lines[: k + 1])]
    remove()
    spool.tend()
    assert segments(tmp_path / "s") == [b"".join(lines[:4])]
    assert is_locked(tmp_path / "s" / "p" / WRITER_LOCK)
    remove()
    spool.close()
    (path,) = (tmp_path / "s" / "p").glob("*.ndjson")
    checksum = path.with_name(f"{path.name}.sha256").read_text()
    assert checksum == f"{hashlib.sha256(b''.join(lines[:4])).hexdigest()}  {path.name}\n"
    assert spool.written == {1: 4}


def test_a_removed_segment_waits_for_its_folder(tmp_path: Path) -> None:
    """While no file can be made nothing is taken, and nothing is lost: it is all there once one can be."""
    spool = Spool(tmp_path / "s", "p", restore=int)
    spool.write(b'{"n":1}\n')
    shutil.rmtree(tmp_path / "s")
    (tmp_path / "s").write_text("in the way")
    for _ in range(3):
        with pytest.raises(OSError, match=r"exists|directory"):
            spool.write(b'{"n":2}\n')
        with pytest.raises(OSError, match=r"exists|directory"):
            spool.tend()
    (tmp_path / "s").unlink()
    spool.write(b'{"n":2}\n{"n":3}\n')
    spool.close()
    assert segments(tmp_path / "s") == [b'{"n":1}\n{"n":2}\n{"n":3}\n']


def test_a_removed_segment_leaves_another_ones_name_alone(tmp_path: Path) -> None:
    """A file that somebody put in its place is kept, and the lines come under the next name."""
    spool = Spool(tmp_path, "p", restore=int)
    spool.write(b'{"n":1}\n')
    path = tmp_path / "p" / "00000001.ndjson"
    path.unlink()
    path.write_bytes(b'{"n":0}\n')
    spool.write(b'{"n":2}\n')
    spool.close()
    assert segments(tmp_path) == [b'{"n":0}\n', b'{"n":1}\n{"n":2}\n']
    assert spool.written == {2: 2}


def test_a_refused_line_is_not_in_the_checksum(tmp_path: Path) -> None:
    """A write that failed while the spool was moved away, and is done when it is back, counts once."""
    spool = Spool(tmp_path / "s", "p", restore=int)
    spool.write(b'{"n":1}\n')
    (tmp_path / "s").rename(tmp_path / "moved")
    (tmp_path / "s").write_text("in the way")
    for _ in range(2):
        with pytest.raises(OSError, match=r"exists|directory"):
            spool.write(b'{"n":2}\n')
    (tmp_path / "s").unlink()
    (tmp_path / "moved").rename(tmp_path / "s")
    spool.write(b'{"n":2}\n')
    spool.close()
    content = b'{"n":1}\n{"n":2}\n'
    assert segments(tmp_path / "s") == [content]
    (path,) = (tmp_path / "s" / "p").glob("*.sha256")
    assert path.read_text().split()[0] == hashlib.sha256(content).hexdigest()
