"""`mllog ship` as a process: what it prints, how it ends, and what it never shows."""

from __future__ import annotations

import json
import pathlib
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest
from support import processes, spools
from support.receivers import logstash

from mllog.shipping import inspect, open_destination, ownership, registry
from mllog.shipping.dead import read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SECRET = "s3cret/p@ss"
ENCODED = "s3cret%2Fp%40ss"


def ship(
    *arguments: object, environment: dict[str, str] | None = None, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mllog.cli", "ship", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**processes.environment(), **(environment or {})},
    )


def test_all_delivered_is_0(tmp_path: pathlib.Path) -> None:
    """Said in words, or as one JSON document."""
    spools.spool(tmp_path, "a", spools.lines("a", 5))
    with logstash() as receiver:
        done = ship(tmp_path, "--to", receiver.place())
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"delivered 5 events to {receiver.place()}\n"
        again = ship(tmp_path, "--to", receiver.place(), "--once", "--json")
        assert again.returncode == 0
        document = json.loads(again.stdout)
    assert document.pop("seconds") >= 0
    assert document == {
        "folder": str(tmp_path),
        "destination": receiver.place(),
        "acknowledged": True,
        "delivered": 0,
        "duplicates": 0,
        "dead": 0,
        "lost": 0,
        "corrupt": 0,
        "corrupt_segments": 0,
        "unasked": 0,
        "missing_segments": 0,
        "restarts": 0,
        "pending": {"lines": 0, "bytes": 0},
        "dead_letters": 0,
        "deleted": 0,
        "kept_for": [],
        "problem": None,
        "warnings": [],
    }


def test_something_refused_or_corrupt_is_1(tmp_path: pathlib.Path) -> None:
    """Whatever was kept aside in this run is said, where it is too."""
    events = [*spools.lines("a", 5), spools.line("huge", message="x" * 5000), b"nonsense\n"]
    spools.spool(tmp_path, "a", events)
    with logstash(limit=3000) as receiver:
        done = ship(tmp_path, "--to", receiver.place())
        assert done.returncode == 1
        assert "delivered 5 events" in done.stdout
        assert "1 were refused; 1 of them are kept, see --replay-dead" in done.stdout
        assert "corrupt: 1 lines, 0 segments; they are kept in _corrupt" in done.stdout
        assert ship(tmp_path, "--to", receiver.place()).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{folder}"], "--to"),
        (["{folder}/none", "--to", "stdout:"], "no such folder"),
        (["{folder}/p", "--to", "stdout:"], "name the spool that it stands in, {folder}"),
        (["{folder}/p/00000001.ndjson", "--to", "stdout:"], "it is a file, not a folder"),
        (["{folder}", "--to", "file:{folder}/../{name}"], "the spool itself"),
        (["{folder}", "--to", "file:{folder}/within"], "stands in the spool"),
        (["{folder}", "--to", "file:{folder}/.."], "holds the spool"),
        (["{folder}", "--to", "stdout:", "--delete"], "would leave no copy"),
        (["{folder}", "--t=stdout:"], "--to"),
        (["{folder}", "--to", "http://host"], "isn't known"),
        (["{folder}", "--to", "file:{folder}"], "the spool itself"),
        (["{folder}", "--to", "logstash+http://host", "--once", "--follow"], "not allowed with"),
    ],
)
def test_wrong_usage_is_2(tmp_path: pathlib.Path, arguments: Sequence[str], words: str) -> None:
    """The message says what would be right, and nothing was done."""
    spools.spool(tmp_path, "p", spools.lines("p", 3))
    before = sorted(tmp_path.rglob("*"))
    done = ship(*(argument.format(folder=tmp_path, name=tmp_path.name) for argument in arguments))
    assert done.returncode == 2
    assert words.format(folder=tmp_path) in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["--to", "stdout:", f"logstash+http://ann:{ENCODED}@h:1"],
        [f"--t=logstash+http://ann:{ENCODED}@h:1"],
        [f"--too=logstash+http://ann:{ENCODED}@h:1"],
        ["--to", f"logstash+htp://ann:{ENCODED}@h:1"],
        ["--json", "--to", "stdout:", f"logstash+http://ann:{ENCODED}@h:1"],
    ],
)
def test_a_wrong_usage_repeats_no_password(tmp_path: pathlib.Path, arguments: Sequence[str]) -> None:
    """Whatever is wrong with a command line, what it says of it hides what a URL holds."""
    done = ship(tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_who_ships_already_is_said(tmp_path: pathlib.Path) -> None:
    """Where another shipper holds the lock, the reason names its process."""
    spools.spool(tmp_path, "a", spools.lines("a", 5))
    with logstash(always="silent") as receiver:
        command = [sys.executable, "-m", "mllog.cli", "ship", str(tmp_path), "--to", receiver.place()]
        first = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=processes.environment()
        )
        while not receiver.requests:
            assert first.poll() is None
            time.sleep(0.005)
        done = ship(tmp_path, "--to", receiver.place(), "--give-up", "0")
        assert done.returncode == 3
        assert f"a is being shipped there by process {first.pid} on " in done.stderr
        receiver.always = "ok"
        receiver.released.set()
        first.communicate(timeout=60)
    assert first.returncode == 0


def test_what_was_damaged_is_said(tmp_path: pathlib.Path) -> None:
    """A checkpoint, the list of destinations, a dead letter: 1, with words and the place where it is kept."""
    spool = tmp_path / "spool"
    spools.spool(spool, "a", spools.lines("a", 5))
    to = f"file:{tmp_path / 'to'}"
    assert ship(spool, "--to", to).returncode == 0
    (checkpoint,) = (spool / "a").glob("*.checkpoint")
    checkpoint.write_bytes(b"{")
    done = ship(spool, "--to", to)
    assert (done.returncode, "1 checkpoints could not be right" in done.stdout) == (1, True)
    (entry,) = (spool / "_destinations").glob("*.json")
    entry.write_bytes(b"")
    done = ship(spool, "--to", f"file:{tmp_path / 'other'}", "--delete")
    assert done.returncode == 1
    assert f"{entry} is damaged" in done.stderr
    spools.spool(spool, "b", spools.lines("b", 5))
    with logstash(limit=10) as receiver:
        assert ship(spool, "--to", receiver.place()).returncode == 1
        (letters,) = (spool / "_dead").glob("*/*.ndjson")
        letters.write_bytes(letters.read_bytes().replace(b"status", b"\0tatus", 1))
        receiver.limit = 10**6
        done = ship(spool, "--to", receiver.place(), "--replay-dead")
    assert (done.returncode, done.stdout) == (
        1,
        "of 4 dead letters 4 were delivered, 0 refused\n1 were damaged and can't be sent; they are kept in _corrupt\n",
    )


def test_what_can_not_be_noted_is_3(tmp_path: pathlib.Path) -> None:
    """All was delivered, but nobody will know: the next run sends it again, so this one didn't go well."""
    spool = tmp_path / "spool"
    spools.spool(spool, "a", spools.lines("a", 5))
    (spool / "_destinations").write_text("")
    done = ship(spool, "--to", f"file:{tmp_path / 'to'}", "--json")
    assert done.returncode == 3
    document = json.loads(done.stdout)
    assert document["delivered"] == 5
    assert "can't be noted" in document["problem"]


def test_what_waits_in_a_spool_that_can_not_be_written_is_counted(tmp_path: pathlib.Path) -> None:
    """Nobody could register there, and the events wait all the same."""
    spool = tmp_path / "spool"
    spools.spool(spool, "a", spools.lines("a", 5))
    to = f"file:{tmp_path / 'to'}"
    for name in (f"a/{open_destination(to).key}.lock", "_destinations"):
        (spool / name).mkdir() if name.endswith(".lock") else (spool / name).write_text("")
    done = ship(spool, "--to", to, "--give-up", "0", "--json")
    assert done.returncode == 3
    document = json.loads(done.stdout)
    assert (document["pending"]["lines"], document["delivered"]) == (5, 0)
    assert document["problem"]


def test_a_segment_that_was_deleted_meanwhile_is_3(tmp_path: pathlib.Path) -> None:
    """It is said how many there were; the next run has nothing to say of it any more."""
    spool = tmp_path / "spool"
    spools.spool(spool, "a", spools.lines("a", 50), segment_bytes=2000)
    with logstash(always=503) as receiver:
        assert ship(spool, "--to", receiver.place(), "--give-up", "0").returncode == 3
        (spool / "a" / "00000002.ndjson").unlink()
        receiver.always = "ok"
        done = ship(spool, "--to", receiver.place(), "--json")
        assert done.returncode == 3
        document = json.loads(done.stdout)
        assert (document["missing_segments"], "deleted before" in document["problem"]) == (1, True)
        assert ship(spool, "--to", receiver.place()).returncode == 0


def test_not_delivered_is_3(tmp_path: pathlib.Path) -> None:
    """What is left is said, with the reason."""
    spools.spool(tmp_path, "a", spools.lines("a", 5))
    with logstash(always=503) as receiver:
        done = ship(tmp_path, "--to", receiver.place(), "--give-up", "0.2")
        assert done.returncode == 3
        assert "5 events still wait" in done.stdout
        assert "answered 503" in done.stderr
        document = json.loads(ship(tmp_path, "--to", receiver.place(), "--give-up", "0.2", "--json").stdout)
    assert document["pending"]["lines"] == 5
    assert "503" in document["problem"]


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "soon"])
def test_patience_is_a_number_of_seconds(tmp_path: pathlib.Path, seconds: str) -> None:
    """Anything else is wrong usage, which names the option, the value and the remedy."""
    done = ship(tmp_path, "--to", "stdout:", f"--give-up={seconds}")
    assert done.returncode == 2
    assert f"argument --give-up: '{seconds}': write seconds, 0 or more" in done.stderr


def test_standard_output_gets_the_lines_and_nothing_else(tmp_path: pathlib.Path) -> None:
    """So that they can be piped; what there is to say goes to standard error."""
    events = spools.lines("a", 5)
    spools.spool(tmp_path, "a", events)
    done = ship(tmp_path, "--to", "stdout:")
    assert (done.returncode, done.stdout) == (0, b"".join(events).decode())
    assert "delivered 5 events to stdout:" in done.stderr


def test_following_begins_before_there_is_anything(tmp_path: pathlib.Path) -> None:
    """A sidecar may start before the service: it waits for the folder, and ends with 0 when it is told to."""
    folder = tmp_path / "later"
    with logstash() as receiver:
        command = [sys.executable, "-m", "mllog.cli", "ship", str(folder), "--to", receiver.place(), "--follow"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=processes.environment()
        )
        spools.spool(folder, "a", spools.lines("a", 5))
        while len(receiver.lines) < 5:
            assert process.poll() is None
            time.sleep(0.005)
        process.terminate()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, f"delivered 5 events to {receiver.place()}\n", "")


def test_dead_letters_are_replayed(tmp_path: pathlib.Path) -> None:
    """After a mending they arrive and leave the folder; those refused again stay, with the new reason."""
    events = [
        spools.line("a"),
        spools.line("big", message="x" * 5000),
        spools.line("huge", message="x" * 9000),
    ]
    spools.spool(tmp_path, "p", events)
    with logstash(limit=3000) as receiver:
        assert ship(tmp_path, "--to", receiver.place()).returncode == 1
        assert inspect(tmp_path)[0].dead == 2
        receiver.limit = 7000
        done = ship(tmp_path, "--to", receiver.place(), "--replay-dead")
        assert (done.returncode, done.stdout) == (1, "of 2 dead letters 1 were delivered, 1 refused\n")
        (status,) = inspect(tmp_path)
        assert (status.delivered, status.dead) == (2, 1)
        (path,) = (tmp_path / "_dead").glob("*/*.ndjson")
        assert [letter["id"] for letter in read(path)] == ["huge"]
        receiver.always = 503
        broken = ship(tmp_path, "--to", receiver.place(), "--replay-dead", "--give-up", "0.2", "--json")
        assert broken.returncode == 3
        assert "503" in json.loads(broken.stdout)["problem"]
        assert inspect(tmp_path)[0].dead == 1
        receiver.always, receiver.limit = "ok", 10_000
        done = ship(tmp_path, "--to", receiver.place(), "--replay-dead", "--json")
        assert done.returncode == 0
        assert json.loads(done.stdout) == {
            "destination": receiver.place(),
            "replayed": 1,
            "delivered": 1,
            "dead": 0,
            "corrupt": 0,
            "problem": None,
        }
        assert sorted(receiver.ids()) == ["a", "big", "huge"]
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.dead) == (3, 0)


def test_a_place_is_forgotten(tmp_path: pathlib.Path) -> None:
    """Nothing is kept for it any more, and it begins anew if it comes back."""
    folder = tmp_path / "spool"
    spools.spool(folder, "a", spools.lines("a", 5))
    to = f"file:{tmp_path / 'to'}"
    assert ship(folder, "--to", to).returncode == 0
    assert ship(folder, "--to", to, "--forget").stdout == f"{to}: forgotten\n"
    assert inspect(folder) == []
    assert ship(folder, "--to", to).stdout.startswith("delivered 5 events")


def test_a_place_that_nobody_knows_is_not_forgotten(tmp_path: pathlib.Path) -> None:
    """A slip of the pen is wrong usage; those that could be meant are named."""
    folder = tmp_path / "spool"
    spools.spool(folder, "a", spools.lines("a", 5))
    to = f"file:{tmp_path / 'to'}"
    none = ship(folder, "--to", f"{to}o", "--forget")
    assert (none.returncode, "known there: no place" in none.stderr) == (2, True)
    assert ship(folder, "--to", to).returncode == 0
    done = ship(folder, "--to", f"{to}o", "--forget")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{to}o was never shipped to from {folder}; known there: {to}\n" in done.stderr
    assert inspect(folder)[0].delivered == 5


def test_a_place_is_not_forgotten_while_it_is_shipped_to(tmp_path: pathlib.Path) -> None:
    """The one who ships is named, and goes on from where it was."""
    folder = tmp_path / "spool"
    writer = spools.spool(folder, "a", spools.lines("a", 5), closed=False)
    with logstash() as receiver:
        following = start(folder, "--to", receiver.place(), "--follow", "--json")
        wait(lambda: len(receiver.lines) == 5, following)
        done = ship(folder, "--to", receiver.place(), "--forget", "--json")
        assert done.returncode == 3
        assert json.loads(done.stdout)["forgotten"] is False
        assert f"by process {following.pid} on " in json.loads(done.stdout)["problem"]
        writer.write(spools.line("late"))
        wait(lambda: len(receiver.lines) == 6, following)
        following.terminate()
        out, _ = following.communicate(timeout=60)
        assert (following.returncode, json.loads(out)["delivered"]) == (0, 6)
        assert ship(folder, "--to", receiver.place(), "--forget").returncode == 0
    writer.close()


def test_a_follower_notices_that_its_place_was_forgotten(tmp_path: pathlib.Path) -> None:
    """One that has nothing to do holds no lock: it ends, says why, and leaves no checkpoint behind."""
    folder = tmp_path / "spool"
    spools.spool(folder, "a", spools.lines("a", 5))
    with logstash() as receiver:
        place = receiver.place()
        following = start(folder, "--to", place, "--follow")
        key = open_destination(place).key
        wait(lambda: len(receiver.lines) == 5 and registry.busy(folder, key) is None, following)
        done = ship(folder, "--to", place, "--forget")
        assert (done.returncode, done.stdout) == (0, f"{place}: forgotten\n")
        out, err = following.communicate(timeout=60)
    assert (following.returncode, out.splitlines()[0]) == (3, f"delivered 5 events to {place}")
    assert f"{place} is no longer on the list of {folder}: it was forgotten" in err
    assert not list(folder.rglob("*.checkpoint"))


def test_a_loggers_own_spool_keeps_nothing_for_others(tmp_path: pathlib.Path) -> None:
    """Another place, or the same one in other words, is refused with the remedies; a copy may be had all the same."""
    folder = tmp_path / "spool"
    spools.spool(folder, "a", spools.lines("a", 5))
    with logstash() as receiver, logstash() as other:
        ownership.claim(tmp_path / "new", receiver.place())
        (tmp_path / "new" / "_spool.json").rename(folder / "_spool.json")
        for wrong in (other.place(), receiver.place(host="localhost")):
            done = ship(folder, "--to", wrong)
            assert (done.returncode, done.stdout) == (2, "")
            for words in (f"ships it to {receiver.place()}", f"--to {receiver.place()}", "--copy"):
                assert words in done.stderr
        done = ship(folder, "--to", other.place(), "--replay-dead")
        assert (done.returncode, done.stderr) == (0, "")
        assert sorted(path.name for path in folder.iterdir()) == ["_spool.json", "a"]
        assert ship(folder, "--to", other.place(), "--copy").returncode == 0
        assert [(entry.name, entry.holds) for entry in registry.entries(folder)] == [(other.place(), False)]
        spools.spool(folder, "b", spools.lines("b", 5))
        assert ship(folder, "--to", receiver.place(), "--delete").returncode == 0
        assert (len(other.lines), len(receiver.lines)) == (5, 10)
        assert not list(folder.glob("[!_]*"))


def test_why_nothing_was_deleted_is_said(tmp_path: pathlib.Path) -> None:
    """For whom segments are kept, and what to do about it; or that they are still being written to."""
    spools.spool(tmp_path / "spool", "a", spools.lines("a", 50), segment_bytes=3000)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    wrong, to = f"logstash+http://127.0.0.1:{port}", f"file:{tmp_path / 'to'}"
    assert ship(tmp_path / "spool", "--to", wrong, "--give-up", "0").returncode == 3
    done = ship(tmp_path / "spool", "--to", to, "--delete")
    assert done.returncode == 0
    assert f"deleted 0 segments; others are kept for {wrong}, which hasn't got them" in done.stdout
    assert "--forget" in done.stdout
    assert ship(tmp_path / "spool", "--to", wrong, "--forget").returncode == 0
    document = json.loads(ship(tmp_path / "spool", "--to", to, "--delete", "--json").stdout)
    assert (document["deleted"] > 2, document["kept_for"]) == (True, [])
    writer = spools.spool(tmp_path / "spool", "b", spools.lines("b", 5), closed=False)
    done = ship(tmp_path / "spool", "--to", to, "--delete")
    assert "deleted 0 segments; what is left is still being written to\n" in done.stdout
    writer.close()
    assert "deleted 1 segments\n" in ship(tmp_path / "spool", "--to", to, "--delete").stdout


def test_a_replay_ends_when_it_is_told_to(tmp_path: pathlib.Path) -> None:
    """The letters in hand are dealt with, the others stay, and there is a summary."""
    spools.spool(tmp_path, "a", [*spools.lines("a", 700, message="x" * 50), *spools.lines("b", 700)])
    with logstash(limit=10) as receiver:
        assert ship(tmp_path, "--to", receiver.place()).returncode == 1
        receiver.limit = 10**7
        receiver.always = "hang"
        receiver.requests.clear()
        replaying = start(tmp_path, "--to", receiver.place(), "--replay-dead")
        wait(lambda: bool(receiver.requests), replaying)
        replaying.terminate()
        time.sleep(0.2)
        receiver.released.set()
        out, err = replaying.communicate(timeout=60)
        assert (replaying.returncode, out) == (3, "of 500 dead letters 500 were delivered, 0 refused\n")
        assert "stopped" in err
        assert (len(receiver.lines), inspect(tmp_path)[0].dead) == (500, 900)
        receiver.always = "ok"
        done = ship(tmp_path, "--to", receiver.place(), "--replay-dead")
        assert (done.returncode, done.stdout) == (0, "of 900 dead letters 900 were delivered, 0 refused\n")
        assert len(set(receiver.ids())) == 1400 == len(receiver.lines)


@pytest.mark.parametrize(("size", "count"), [(20, 5000), (300_000, 120)])
def test_memory_is_that_of_a_batch(tmp_path: pathlib.Path, size: int, count: int) -> None:
    """No request has more than 2,000 events or 4 MiB, and no more than a few of them are held, however much waits."""
    folder = tmp_path / "a"
    folder.mkdir()
    with (folder / "00000001.ndjson").open("wb") as file:
        for k in range(count):
            file.write(spools.line(f"a-{k}", message="x" * size))
    peak = "import sys; from mllog import cli; cli.main(sys.argv[1:]); print(open('/proc/self/status').read())"
    with logstash() as receiver:
        done = subprocess.run(
            [sys.executable, "-c", peak, "ship", str(tmp_path), "--to", receiver.place()],
            capture_output=True,
            text=True,
            check=True,
            env=processes.environment(),
        )
    assert done.stdout.startswith(f"delivered {count} events")
    assert len(receiver.requests) > 2
    for request in receiver.requests:
        assert len(request.body) <= 4 * 2**20
        assert request.body.count(b"\n") <= 2000
    kilobytes = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("VmHWM:"))
    assert int(kilobytes) < 90 * 2**10


def test_more_processes_than_files_may_be_open(tmp_path: pathlib.Path) -> None:
    """A folder for each of them, and a lock in each: few are kept open at a time."""
    for k in range(300):
        (tmp_path / f"p{k}").mkdir()
        (tmp_path / f"p{k}" / "00000001.ndjson").write_bytes(spools.line(f"p{k}"))
        (tmp_path / f"p{k}" / "writer.lock").touch()
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (285, 285)); from mllog import cli; "
    done = subprocess.run(
        [sys.executable, "-c", f"{limited}sys.exit(cli.main(sys.argv[1:]))", "ship", str(tmp_path), "--to", "stdout:"],
        capture_output=True,
        text=True,
        check=False,
        env=processes.environment(),
    )
    assert (done.returncode, done.stderr.splitlines()[-1:]) == (
        0,
        ["it acknowledges nothing: they were written to it, and that is all that is known"],
    )
    assert len(set(done.stdout.splitlines())) == 300


def start(*arguments: object) -> subprocess.Popen[str]:
    """The same that goes on."""
    return subprocess.Popen(
        [sys.executable, "-m", "mllog.cli", "ship", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=processes.environment(),
    )


def wait(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Until something is true, while a process lives."""
    while not condition():
        assert process.poll() is None
        time.sleep(0.005)


def test_a_password_is_seen_nowhere(tmp_path: pathlib.Path) -> None:
    """Not on the command line of the running process, not in what it prints, not in any file that it leaves."""
    spools.spool(tmp_path / "spool", "a", spools.lines("a", 5))
    with logstash(always="silent") as receiver:
        place = receiver.place(f"ann:{ENCODED}@")
        process = subprocess.Popen(
            [sys.executable, "-m", "mllog.cli", "ship", str(tmp_path / "spool"), f"--to={place}", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=processes.environment(),
        )
        while not receiver.requests:
            assert process.poll() is None
            time.sleep(0.005)
        titles = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes()
        titles += pathlib.Path(f"/proc/{process.pid}/comm").read_bytes()
        assert b"ann@" in titles
        receiver.always = 401
        receiver.released.set()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert receiver.requests[0].headers["authorization"] == "Basic YW5uOnMzY3JldC9wQHNz"
    seen = titles + out.encode() + err.encode()
    for path in (tmp_path / "spool").rglob("*"):
        seen += path.name.encode() + (path.read_bytes() if path.is_file() else b"")
    for secret in (SECRET, ENCODED, "YW5uOnMzY3JldC9wQHNz", "s3cret"):
        assert secret.encode() not in seen


@pytest.mark.parametrize(
    "variables",
    [
        {"MLLOG_USERNAME": "ann", "MLLOG_PASSWORD": SECRET},
        {"MLLOG_API_KEY": f"id:{SECRET}"},
        {"MLLOG_BEARER_TOKEN": "s3cret-token"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_a_server_that_echoes_secrets_does_not_spread_them(tmp_path: pathlib.Path, variables: dict[str, str]) -> None:
    """What an answer repeats of the request's header is taken out of every message."""
    spools.spool(tmp_path / "spool", "a", spools.lines("a", 5))
    (kind, secret) = next(iter(variables.items())) if len(variables) == 1 else ("MLLOG_PASSWORD", SECRET)
    echo = Echo()
    with echo:
        scheme = "elasticsearch" if kind == "MLLOG_API_KEY" else "logstash"
        done = ship(
            tmp_path / "spool", "--to", f"{scheme}+http://127.0.0.1:{echo.port}", "--json", environment=variables
        )
    assert done.returncode == 3
    assert echo.heard
    seen = done.stdout + done.stderr
    for path in (tmp_path / "spool").rglob("*"):
        seen += path.read_text() if path.is_file() else ""
    assert "answered 403" in seen
    assert "***" in seen
    for hidden in (secret, secret.rpartition(":")[2], echo.heard.rpartition(" ")[2]):
        assert hidden not in seen


class Echo:
    """Answers 403 with the header that it was sent."""

    def __init__(self) -> None:
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        outer = self
        self.heard = ""

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.heard = str(self.headers["Authorization"])
                body = f"no right: {outer.heard} {SECRET} s3cret-token".encode()
                self.send_response(403)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
