"""``mllog doctor`` on folders that real loggers wrote, and on servers that listen."""

from __future__ import annotations

import contextlib
import email.utils
import io
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

import mllog
from mllog import cli
from mllog.delivery.lastword import LastWord
from mllog.doctor import asking, examination, words
from mllog.doctor.base import DAY, Diagnosis, Subject
from mllog.doctor.checks import folders, ledger, settings, versions
from mllog.doctor.command import subject_of
from mllog.doctor.reading import Numbers, ProcessReading, read
from mllog.environment import Manifest
from mllog.errors import MllogError
from mllog.places import parse
from mllog.shipping import Shipper, checkpoint, open_destination, registry
from mllog.shipping.dead import DeadLetters
from mllog.shipping.destinations.base import Refusal
from mllog.shipping.segments import Segments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllog.card import ModelCard

BODY = b'{"status": "green"}'
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual sink, ``events/``, is a folder of the test's; nobody waits for long."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.3)


def make(folder: Path, **options: Any) -> mllog.ModelLogger:
    options.setdefault("environment", Manifest())
    options.setdefault("resources", 0)
    return mllog.ModelLogger("model", version="1", sink=folder, **options)


def logged(folder: Path, count: int = 10, **options: Any) -> None:
    """What a logger leaves that ended in order."""
    with make(folder, **options) as log:
        for k in range(count):
            log.prediction({"distance": 200.0 + k})


def doctor(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[dict[str, Any]]]:
    """Its exit code and what it says, as JSON."""
    capsys.readouterr()
    code = cli.main(["doctor", *map(str, arguments), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == mllog.__version__
    return code, document["checks"]


def of(checks: list[dict[str, Any]], name: str, *, fine: bool = False) -> list[dict[str, Any]]:
    """Findings of one check; with ``fine``, what it found in order."""
    return [check for check in checks if check["check"] == name and (check["state"] == "ok") is fine]


def only(checks: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The one finding of all."""
    (finding,) = [check for check in checks if check["state"] != "ok"]
    assert finding["check"] == name
    assert finding["remedy"]
    return finding


def run(folder: Path, code: str) -> subprocess.Popen[str]:
    """A process of its own that logs."""
    prelude = (
        "import os, sys, time, mllog\nfrom mllog.environment import Manifest\n"
        "def make(**options):\n"
        "    return mllog.ModelLogger('model', version='1', sink=sys.argv[1], environment=Manifest(), **options)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", prelude + textwrap.dedent(code), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@contextlib.contextmanager
def server(
    *, status: int = 200, ahead: float | None = 0.0, context: ssl.SSLContext | None = None
) -> Iterator[ThreadingHTTPServer]:
    """An HTTP server that answers ``status``; its clock is ``ahead`` seconds ahead, or it tells no time."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(status)
            if ahead is not None:
                self.send_header("Date", email.utils.formatdate(time.time() + ahead, usegmt=True))
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass

    with Server(("127.0.0.1", 0), Handler) as listening:
        if context is not None:
            listening.socket = context.wrap_socket(listening.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield listening
        finally:
            listening.shutdown()
            thread.join()


def test_all_is_wired(tmp_path: Path, card: ModelCard, capsys: pytest.CaptureFixture[str]) -> None:
    """A logger with a card, closed in order, and a server that answers: exit code 0, nothing found."""
    logged(tmp_path / "events", card=card)
    with server() as listening:
        code, checks = doctor(capsys, "--sink", f"logstash+http://127.0.0.1:{listening.server_port}")
    assert [check for check in checks if check["state"] != "ok"] == []
    assert code == 0
    assert {check["check"] for check in checks} == set(examination.CHECKS)
    assert of(checks, "ledger", fine=True)[0]["figures"]["here"] == 11
    assert of(checks, "cards", fine=True)[0]["figures"]["rulers"] == {card.ruler.hash: 10}
    assert all(check["remedy"] is None for check in checks)


@pytest.mark.parametrize("rich", [True, False])
def test_what_people_see(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, rich: bool
) -> None:
    """A table where rich is installed, plain lines elsewhere; findings with their remedy, the number of them last."""
    import importlib.util

    logged(tmp_path / "events")
    if not rich:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert cli.main(["doctor"]) == 0
    assert capsys.readouterr().out.endswith("everything is wired\n")
    (next((tmp_path / "events").glob("*/*.ndjson"))).write_bytes(b"not an event\n")
    assert cli.main(["doctor", "events"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "warning" in out
    assert "1 line (not JSON)" in out
    assert "-> look for a failing disk" in out
    assert "10 are missing" in out
    assert out.endswith("2 findings")


def test_nothing_there_yet(capsys: pytest.CaptureFixture[str]) -> None:
    """Without any event it says where it looked."""
    code, checks = doctor(capsys)
    assert code == 1
    assert "events isn't there" in only(checks, "folders")["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--sink", "s3://bucket"],
        ["--elasticsearch", "ftp://host"],
        ["--elasticsearch", "notaurl"],
        ["--elasticsearch", ""],
        ["--elastic", "http://host"],
        ["--no-such-option"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and a document that says why."""
    assert cli.main(["doctor", *arguments, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    """And says what the exit codes mean."""
    assert cli.main(["doctor", "--help"]) == 0
    out = capsys.readouterr().out
    assert "example: mllog doctor" in out
    assert "exit code: 0 fine" in out


@pytest.mark.parametrize("kind", ["logstash+http", "logstash+tcp", "elasticsearch+http"])
def test_a_closed_port(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody listens: a problem, with what to look at."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        code, checks = doctor(capsys, "--sink", f"{kind}://127.0.0.1:{unused.getsockname()[1]}")
    assert code == 1
    finding = only(checks, "destinations")
    assert finding["state"] == "problem"
    assert "is it running" in finding["remedy"]


def test_a_socket_that_never_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """It is told from one that is closed."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        code, checks = doctor(capsys, "--elasticsearch", f"http://127.0.0.1:{hole.getsockname()[1]}")
    assert code == 1
    finding = only(checks, "destinations")
    assert "didn't answer in time" in finding["message"]
    assert "said nothing" in finding["remedy"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.mark.parametrize(("name", "trusted"), [("127.0.0.1", True), ("127.0.0.1", False), ("other.example", True)])
def test_tls(
    name: str,
    trusted: bool,
    authority: trustme.CA,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A certificate of an unknown authority, or of another host, is named as that; the right one is fine."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "events").mkdir()
    if trusted:
        monkeypatch.setenv("MLLOG_CA_CERTS", str(tmp_path / "ca.pem"))
    with server(context=tls(authority, name)) as listening:
        code, checks = doctor(capsys, "events", "--elasticsearch", f"https://127.0.0.1:{listening.server_port}")
    if trusted and name == "127.0.0.1":
        assert code == 0
        return
    assert code == 1
    finding = only(checks, "destinations")
    assert "certificate is refused" in finding["message"]
    assert "MLLOG_CA_CERTS" in finding["remedy"]


def test_a_ca_file_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that is wrong for one place stops no other check."""
    monkeypatch.setenv("MLLOG_CA_CERTS", str(tmp_path / "no.pem"))
    code, checks = doctor(capsys, "--elasticsearch", "https://127.0.0.1:9")
    assert code == 1
    for check in ("destinations", "settings"):
        (finding,) = of(checks, check)
        assert "no.pem" in finding["message"]
    assert len([check for check in checks if check["state"] != "ok"]) == 2


@pytest.mark.parametrize("status", [401, 404, 503])
def test_a_server_that_refuses(
    status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status is named, the password isn't, wherever it came from."""
    monkeypatch.setenv("MLLOG_PASSWORD", "hunter2")
    with server(status=status) as listening:
        code = cli.main(["doctor", "--sink", f"elasticsearch+http://ann@127.0.0.1:{listening.server_port}", "--json"])
    captured = capsys.readouterr()
    checks = json.loads(captured.out)["checks"]
    assert code == 1
    assert str(status) in only(checks, "destinations")["message"]
    assert "hunter2" not in captured.out + captured.err


@pytest.mark.parametrize(
    ("ahead", "state", "words"),
    [
        (600.0, "problem", "10 minutes behind"),
        (-600.0, "problem", "10 minutes ahead of"),
        (-60.0, "warning", "seconds"),
    ],
)
def test_a_server_whose_clock_differs(ahead: float, state: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By its Date header, which way and how far."""
    with server(ahead=ahead) as listening:
        code, checks = doctor(capsys, "--sink", f"logstash+http://127.0.0.1:{listening.server_port}")
    finding = only(checks, "clock")
    assert (code, finding["state"]) == (1, state)
    assert words in finding["message"]
    assert finding["figures"]["skew"] == pytest.approx(ahead, abs=2)


def test_a_server_without_a_clock(capsys: pytest.CaptureFixture[str]) -> None:
    """What can't be compared is said, and is no finding."""
    with server(ahead=None) as listening:
        code, checks = doctor(capsys, "--sink", f"logstash+http://127.0.0.1:{listening.server_port}")
    assert code == 0
    assert "not compared" in of(checks, "clock", fine=True)[0]["message"]


def test_tcp_acknowledges_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A place that can lose events on the way is a warning."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        code, checks = doctor(capsys, "--sink", f"logstash+tcp://127.0.0.1:{listening.getsockname()[1]}")
    assert code == 1
    assert "acknowledges nothing" in only(checks, "destinations")["message"]


def test_events_from_the_future(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A service whose clock is an hour ahead; one that replays the past is fine."""
    logged(tmp_path / "past", clock=lambda: 10**18)
    assert doctor(capsys, "past")[0] == 0
    logged(tmp_path / "future", clock=lambda: time.time_ns() + 3600 * 10**9)
    code, checks = doctor(capsys, "future")
    finding = only(checks, "clock")
    assert (code, finding["state"]) == (1, "problem")
    assert "in the future" in finding["message"]


def test_files_from_the_future(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The clock of a file server differs; events ahead of their file are a service's that differs from it."""
    logged(tmp_path / "events")
    path = next((tmp_path / "events").glob("*/*.ndjson"))
    os.utime(path, (time.time() + 100, time.time() + 100))
    assert "were changed" in only(doctor(capsys)[1], "clock")["message"]
    os.utime(path, (time.time() - 1000, time.time() - 1000))
    assert "ahead of the disk" in only(doctor(capsys)[1], "clock")["message"]


def test_drops_are_counted_and_nothing_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A queue that is too small for a burst: the figure is the logger's own, and the numbers add up."""
    log = make(tmp_path / "events", max_bytes=20_000, flush_interval=60)
    for k in range(100):
        log.prediction({"k": k})
    log.close()
    dropped = log.status().dropped
    assert 0 < dropped < 100
    code, checks = doctor(capsys)
    assert code == 1
    assert f"{dropped} events dropped" in only(checks, "ledger")["message"]
    figures = of(checks, "ledger", fine=True)[0]["figures"]
    assert (figures["dropped"], figures["missing"]) == (dropped, {})
    assert figures["here"] + dropped == log.status().accepted


def test_rejects_are_counted_and_nothing_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An event that can't be made at all leaves a number and a figure."""
    log = make(tmp_path / "events")
    log.prediction({"k": 1})
    log.refuse(ZeroDivisionError("a bug"))
    log.prediction({"k": 2})
    log.close()
    code, checks = doctor(capsys)
    assert code == 1
    assert "1 event that could not be made" in only(checks, "ledger")["message"]


def test_what_was_long_ago_is_no_finding(tmp_path: Path) -> None:
    """Drops and kills of another day are told, and that is all."""
    log = make(tmp_path / "events", max_bytes=20_000, flush_interval=60)
    for k in range(100):
        log.prediction({"k": k})
    log.close()
    for days, states in ((0.5, ["ok", "warning"]), (2, ["ok", "ok"])):
        subject = Subject((tmp_path / "events",), (), {}, time.time() + days * DAY)
        assert [diagnosis.state for diagnosis in ledger.check.run(subject)] == states


def test_a_line_that_was_taken_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its number is named, and the segment isn't what its checksum says."""
    logged(tmp_path / "events", 20)
    path = next((tmp_path / "events").glob("*/*.ndjson"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], *lines[6:]]))
    code, checks = doctor(capsys)
    assert code == 1
    missing, broken = of(checks, "ledger")
    assert "2 are missing without a trace, of 1 process" in missing["message"]
    assert "numbers 5-6" in missing["message"]
    assert list(missing["figures"]["missing"].values()) == [{"events": 2, "ranges": [[5, 6]]}]
    assert "1 sealed segment not what the checksum says" in broken["message"]


def test_lines_that_are_there_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A segment that was copied shows by its numbers."""
    logged(tmp_path / "events", 5)
    path = next((tmp_path / "events").glob("*/*.ndjson"))
    (path.parent / "00000002.ndjson").write_bytes(path.read_bytes())
    (path.parent / "00000002.ndjson.sha256").write_bytes(path.with_name(f"{path.name}.sha256").read_bytes())
    assert "6 numbers are there twice" in only(doctor(capsys)[1], "ledger")["message"]


def test_corrupt_lines_account_for_their_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bad disk makes a line unreadable: it is named, with its reason, and isn't missing as well."""
    logged(tmp_path / "events", 5)
    path = next((tmp_path / "events").glob("*/*.ndjson"))
    content = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*content[:2], b"\x00" * 20 + b"\n", b"{}\n", *content[4:]]))
    path.with_name(f"{path.name}.sha256").unlink()
    checks = doctor(capsys)[1]
    assert of(checks, "ledger", fine=True)[0]["figures"]["missing"] == {}
    corrupt = of(checks, "ledger")[0]
    assert corrupt["figures"]["lines"] == {"not JSON": 1, "no event of this logger: parts are missing": 1}


def test_a_process_that_was_killed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """kill -9 leaves a tail that nobody knows, and the doctor says so; while it lives there is nothing to say."""
    process = run(
        tmp_path / "events",
        """
        log = make()
        for k in range(50): log.prediction({"k": k})
        log.flush()
        print("ready", flush=True)
        time.sleep(600)
        """,
    )
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "ready\n"
        assert doctor(capsys)[0] == 0
        process.send_signal(signal.SIGKILL)
    code, checks = doctor(capsys)
    finding = only(checks, "ledger")
    assert (code, finding["state"]) == (1, "warning")
    assert "1 process ended without closing" in finding["message"]
    assert "can't be known" in finding["message"]
    assert of(checks, "ledger", fine=True)[0]["figures"]["here"] == 51


def test_a_process_that_was_killed_at_its_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Then what waited in memory is gone too, whatever durable says: the log says so once, and the doctor."""
    process = run(
        tmp_path / "spool",
        """
        import logging
        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        log = mllog.ModelLogger(
            "model", version="1", sink="logstash+http://127.0.0.1:9", spool=sys.argv[1], spool_bytes=20_000,
            durable="each", environment=Manifest(), resources=0,
        )
        while log.status().queued < 20: log.prediction({"k": 1})
        print("ready", flush=True)
        time.sleep(600)
        """,
    )
    assert process.stdout is not None
    with process:
        said = list(iter(process.stdout.readline, "ready\n"))
        process.send_signal(signal.SIGKILL)
    (warning,) = [line for line in said if "can't be written" in line]
    assert "until then they wait in memory, with durable='each' too" in warning
    checks = doctor(capsys, "spool")[1]
    (full,) = of(checks, "folders")
    assert full["state"] == "problem"
    assert "waits in memory (kill -9 takes it, with durable='each' too)" in full["message"]
    (killed,) = of(checks, "ledger")
    assert "nor what waited in memory since there was no room, which may be much" in killed["message"]
    assert "as long as there is room" in killed["remedy"]


def test_a_line_without_an_end_takes_no_memory(tmp_path: Path) -> None:
    """A segment of 200 MB in one line, as a bad disk leaves one: it is corrupt, and what is behind it is read."""
    logged(tmp_path / "events", 5)
    (path,) = (tmp_path / "events").glob("*/*.ndjson")
    with path.open("r+b") as file:
        file.truncate(200 * 10**6)
        file.seek(0, os.SEEK_END)
        file.write(b"\n?\n")
    path.with_name(f"{path.name}.sha256").write_text(f"{'0' * 64}  {path.name}\n")
    # Of this program alone: getrusage() counts what its parent had, too.
    code = (
        "import re, sys\nfrom mllog.cli import main\nmain(['doctor', 'events', '--json'])\n"
        "print(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert int(done.stderr) < 200_000
    sums, broken = [check for check in json.loads(done.stdout)["checks"] if check["check"] == "ledger"]
    assert sums["figures"]["here"] == 6
    assert broken["figures"]["lines"] == {"a line of more than 33554432 bytes": 1, "not JSON": 1}
    assert broken["figures"]["segments"] == [f"{path.parent.name}/{path.name}"]


@given(st.lists(st.one_of(st.binary(max_size=30), st.just(b"\n"), st.integers(1, 60).map(lambda n: b"x" * n + b"\n"))))
def test_pieces_are_the_whole_file(parts: list[bytes]) -> None:
    """Whatever stands in it: pieces joined are the file, and each line of it is there once or counted as too long."""
    content = b"".join(parts)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("mllog.doctor.reading.LINE_BYTES", 20)
        patched.setattr("mllog.doctor.reading._BLOCK", 7)
        found = list(mllog.doctor.reading._lines(io.BytesIO(content)))
    assert b"".join(piece for piece, _ in found) == content
    lines = re.findall(rb"[^\n]*\n|[^\n]+$", content)
    expected = [line if len(line.rstrip(b"\n")) <= 20 else b"" for line in lines]
    assert [line for _, line in found if line is not None] == expected


def test_events_for_another_handler_are_not_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A formatter renders lines for a handler of the service's: their numbers are where that writes."""
    log = make(tmp_path / "events")
    for k in range(10):
        log.render({"k": k})
    log.kpi("revenue", 1.0)
    log.close()
    code, checks = doctor(capsys)
    assert code == 0
    assert "gave events to another handler" in of(checks, "ledger", fine=True)[0]["message"]


@given(st.lists(st.integers(1, 60)))
def test_numbers_are_a_set(numbers: list[int]) -> None:
    """Whatever the order and however often, ranges say what a set says."""
    ranges = Numbers()
    for number in numbers:
        ranges.add(number)
    held = set(numbers)
    assert ranges.count == len(held)
    assert ranges.repeated == len(numbers) - len(held)
    assert (ranges.first, ranges.last) == ((min(held), max(held)) if held else (0, 0))
    absent = [n for low, high in ranges.holes(100) for n in range(low, high + 1)]
    assert absent == [n for n in range(ranges.first, ranges.last) if n not in held]


@given(st.integers(1, 200), st.sets(st.integers(1, 200)), st.integers(0, 50))
def test_every_number_is_accounted_for(last: int, gone: set[int], said: int) -> None:
    """Missing is what was numbered and is neither here nor said to be dropped."""
    reading = ProcessReading("p")
    here = [n for n in range(1, last + 1) if n not in gone]
    for number in here:
        reading.numbers.add(number)
    reading.losses["mllog.dropped"] = said
    assert ledger.missing(reading) == (max(here[-1] - len(here) - said, 0) if here else 0)


@given(
    st.lists(st.lists(st.sampled_from(["here", "dropped", "corrupt", "rendered"]), max_size=5), min_size=1, max_size=4),
    st.data(),
)
def test_what_is_deleted_of_a_closed_process_is_missing(
    tmp_path_factory: pytest.TempPathFactory, segments: list[list[str]], data: st.DataObject
) -> None:
    """Any segments but all of them, the last ones too: what they held is missing, and nothing else."""
    folder = tmp_path_factory.mktemp("events") / "p"
    folder.mkdir()
    events = sum(map(len, segments))
    counts = Counter(kind for kinds in segments for kind in kinds)
    gone = data.draw(st.sets(st.integers(2, len(segments)))) if len(segments) > 1 else set()
    number = lost = 0
    for segment, kinds in enumerate(segments, 1):
        lines = b""
        for kind in kinds:
            number += 1
            if kind == "here":
                event = {"event": {"action": "predict"}, "@timestamp": "2026-11-23T10:00:00Z"}
                lines += json.dumps({**event, "ml": {"sequence": {"number": number}}}).encode() + b"\n"
            elif kind == "corrupt":
                lines += b"?\n"
            lost += segment in gone and kind in {"here", "corrupt"}
        if segment not in gone:
            (folder / f"{segment:08d}.ndjson").write_bytes(lines)
    word = LastWord(True, counts["here"] + counts["corrupt"], counts["rendered"], counts["dropped"])
    (folder / "writer.lock").write_bytes(word.content())
    (reading,) = read(folder.parent)
    assert reading.word is not None
    assert (reading.word.numbered, reading.losses["mllog.dropped"]) == (events, counts["dropped"])
    assert (ledger.missing(reading), ledger.gone(reading)) == (lost, 0)


def quick(folder: Path, place: str, **options: Any) -> Shipper:
    return Shipper(folder, open_destination(place), give_up=0.0, **options)


def test_delivered_and_cleared_away_is_not_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a shipper delivered and deleted is counted by its checkpoint; what is still written goes on."""
    log = make(tmp_path / "spool", segment_bytes=2000)
    for k in range(50):
        log.prediction({"k": k})
        log.flush()
    quick(tmp_path / "spool", f"file:{tmp_path}/archive", delete=True).run()
    (reading,) = read(tmp_path / "spool")
    assert reading.removed > 0
    assert not reading.whole
    assert reading.removed + reading.events == log.status().written
    code, checks = doctor(capsys, "spool")
    assert (code, of(checks, "ledger")) == (0, [])
    assert f"{reading.removed} were delivered" in of(checks, "ledger", fine=True)[0]["message"]
    log.close()


def in_segments(folder: Path) -> None:
    """What a logger leaves whose segments are small."""
    with make(folder, segment_bytes=2000) as log:
        for k in range(30):
            log.prediction({"k": k})
            log.flush()


def test_first_segments_that_nobody_of_ours_deleted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers that begin late are told, as a warning where it was just now and the folder was never shipped."""
    in_segments(tmp_path / "events")
    (process,) = (tmp_path / "events").glob("[!_]*")
    (process / "00000001.ndjson").unlink()
    (reading,) = read(tmp_path / "events")
    first = reading.numbers.first
    assert first > 1
    code, checks = doctor(capsys)
    finding = only(checks, "ledger")
    assert (code, finding["state"]) == (1, "warning")
    assert f"{reading.name} begin at {first}" in finding["message"]
    assert "can't be judged" in finding["message"]
    assert finding["figures"]["begin_at"] == {reading.name: first}
    later = Subject((tmp_path / "events",), (), {}, time.time() + 2 * DAY)
    assert [diagnosis.state for diagnosis in ledger.check.run(later)] == ["ok"]


def test_a_last_segment_that_somebody_deleted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A process that was closed said how many there are: what is behind the last event that is here is missing."""
    in_segments(tmp_path / "events")
    *_, path = sorted((tmp_path / "events").glob("*/*.ndjson"))
    first, *others = [orjson.loads(line)["ml"]["sequence"]["number"] for line in path.read_bytes().splitlines()]
    path.unlink()
    path.with_name(f"{path.name}.sha256").unlink()
    code, checks = doctor(capsys)
    finding = only(checks, "ledger")
    assert (code, finding["state"]) == (1, "problem")
    assert f"{1 + len(others)} are missing without a trace, of 1 process: {path.parent.name}" in finding["message"]
    assert list(finding["figures"]["missing"].values()) == [{"events": 1 + len(others), "ranges": [[first, 31]]}]


def test_all_segments_of_a_process_that_somebody_deleted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Archived, or lost: told for a day, with the number of events; what a shipper had before is none of it."""
    in_segments(tmp_path / "events")
    in_segments(tmp_path / "shipped")
    quick(tmp_path / "shipped", f"file:{tmp_path}/archive").run()
    for path in tmp_path.glob("*/*/*.ndjson*"):
        if "archive" not in path.parts:
            path.unlink()
    code, checks = doctor(capsys)
    finding = only(checks, "ledger")
    assert (code, finding["state"]) == (1, "warning")
    assert "all segments are gone of" in finding["message"]
    assert list(finding["figures"]["gone"].values()) == [31]
    later = Subject((tmp_path / "events",), (), {}, time.time() + 2 * DAY)
    assert [diagnosis.state for diagnosis in ledger.check.run(later)] == ["ok"]
    assert of(doctor(capsys, "shipped")[1], "ledger") == []


def test_a_process_of_which_nothing_says_where_it_ends(tmp_path: Path) -> None:
    """Without a last word (a copy, another version's) a sealed segment is the end, as before."""
    in_segments(tmp_path / "events")
    (lock,) = tmp_path.glob("events/*/writer.lock")
    lock.write_bytes(b"")
    *_, path = sorted((tmp_path / "events").glob("*/*.ndjson"))
    path.unlink()
    (reading,) = read(tmp_path / "events")
    assert (reading.closed, reading.word, ledger.missing(reading)) == (True, None, 0)


@pytest.mark.parametrize("state", ["cleared", "retiring", "retired"])
def test_a_shipper_that_clears_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    """Segments that go between two looks have arrived, and are not missing; at whatever moment, however far it got."""

    def clear() -> None:
        if state == "retired":
            shutil.rmtree(process)
            return
        last = checkpoint.Checkpoint(process / "k.checkpoint", "file:/k", 99, counts=checkpoint.Counts(delivered=10))
        last.save()
        for path in sorted(process.glob("*.ndjson")):
            path.unlink()
        if state == "retiring":
            registry.fold(tmp_path / "spool", "k", {process.name: (last.counts, None)})
            last.path.unlink()

    logged(tmp_path / "spool", 9, segment_bytes=2000, flush_interval=0.001, durable="each")
    (process,) = (tmp_path / "spool").glob("[!_]*")
    whole = {path.name: path.read_bytes() for path in process.iterdir()}
    moment = looks = 0
    while moment <= looks:
        for name, content in whole.items():
            process.mkdir(exist_ok=True)
            (process / name).write_bytes(content)
        moment, looks = moment + 1, 0

        def then(look: Any, now: int = moment) -> Any:
            def looked(*arguments: Any) -> Any:
                nonlocal looks
                looks += 1
                if looks == now:
                    clear()
                return look(*arguments)

            return looked

        with monkeypatch.context() as patched:
            patched.setattr("mllog.doctor.reading.checkpoints", then(checkpoint.checkpoints))
            patched.setattr("mllog.doctor.reading.LastWord.read", then(LastWord.read))
            patched.setattr("mllog.doctor.reading.Segments.numbers", then(Segments.numbers))
            patched.setattr("mllog.doctor.reading.Segments.path", then(Segments.path))
            found = read(tmp_path / "spool")
        assert [(ledger.missing(r), ledger.gone(r)) for r in found] == [(0, 0)] * len(found)
        for folder in (process, tmp_path / "spool" / "_destinations"):
            shutil.rmtree(folder, ignore_errors=True)
    assert moment > len(whole)


def test_segments_that_were_deleted_before_they_were_shipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a destination never got is a problem, with the number of segments."""
    in_segments(tmp_path / "events")
    (tmp_path / "archive").write_text("")
    quick(tmp_path / "events", f"file:{tmp_path}/archive").run()
    (tmp_path / "archive").unlink()
    next((tmp_path / "events").glob("*/00000002.ndjson")).unlink()
    quick(tmp_path / "events", f"file:{tmp_path}/archive").run()
    (finding,) = of(doctor(capsys)[1], "shipping")
    assert (finding["state"], finding["figures"]["segments"]) == ("problem", 1)
    assert "1 segment was deleted" in finding["message"]


def test_a_destination_whose_file_is_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named, since segments are kept for it until somebody mends that."""
    logged(tmp_path / "events", 10)
    quick(tmp_path / "events", f"file:{tmp_path}/archive").run()
    (path,) = (tmp_path / "events" / "_destinations").glob("*.json")
    path.write_bytes(b"")
    finding = only(doctor(capsys)[1], "shipping")
    assert finding["state"] == "problem"
    assert path.name in finding["message"]
    assert finding["figures"]["destination"] == f"file:{tmp_path}/archive"


def test_a_checkpoint_that_can_not_be_right_stops_no_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing becomes unknown by it; what waits is told."""
    logged(tmp_path / "events", 10)
    quick(tmp_path / "events", f"file:{tmp_path}/archive").run()
    (path,) = (tmp_path / "events").glob("*/*.checkpoint")
    path.write_bytes(json.dumps({**json.loads(path.read_bytes()), "last_error_at": "x"}).encode())
    _, checks = doctor(capsys)
    assert [check for check in checks if check["state"] == "unknown"] == []
    assert [check["figures"]["pending_lines"] for check in checks if check["check"] == "shipping"] == [11]


def test_the_folder_of_one_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It isn't what loggers write to; the one that is gets named."""
    logged(tmp_path / "events", 10)
    (process,) = (tmp_path / "events").glob("[!_]*")
    finding = only(doctor(capsys, process)[1], "folders")
    assert finding["remedy"].endswith(f"mllog doctor {tmp_path / 'events'}")


@pytest.mark.parametrize(
    ("option", "place"), [("--sink", "logstash+http://ann:s3cret@{}"), ("--elasticsearch", "http://ann:s3cret@{}")]
)
@pytest.mark.parametrize("joined", [False, True])
def test_a_password_is_off_the_command_line(tmp_path: Path, option: str, place: str, *, joined: bool) -> None:
    """Nobody sees it in the list of processes, and the server gets it all the same."""
    heard = threading.Event()
    lines: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def listen() -> None:
            connection, _ = listening.accept()
            with connection:
                lines.append(connection.recv(65536))
                heard.set()
                done.wait(30)

        done = threading.Event()
        thread = threading.Thread(target=listen)
        thread.start()
        text = place.format(f"127.0.0.1:{listening.getsockname()[1]}")
        arguments = [f"{option}={text}"] if joined else [option, text]
        process = subprocess.Popen(
            [sys.executable, "-m", "mllog.cli", "doctor", *arguments, "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )  # fmt: skip
        assert heard.wait(60)
        title = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        done.set()
        out, err = process.communicate(timeout=60)
        thread.join()
    assert b"ann@" in title
    assert "s3cret" not in title.decode() + out + err
    assert b"Basic YW5uOnMzY3JldA==" in lines[0]


def test_nobody_ships(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Events that wait for a destination: how many, for how long, why, and what to run."""
    logged(tmp_path / "events", 10, clock=lambda: time.time_ns() - 7200 * 10**9)
    with server() as listening:
        place = f"logstash+http://127.0.0.1:{listening.server_port}"
    quick(tmp_path / "events", place).run()
    code, checks = doctor(capsys)
    assert code == 1
    (finding,) = of(checks, "shipping")
    assert finding["state"] == "problem"
    assert finding["figures"]["pending_lines"] == 11
    assert finding["figures"]["lag"] == pytest.approx(7200, abs=60)
    assert "can't be reached" in finding["message"]
    # Where it was shipped to is asked, too.
    assert of(checks, "destinations")[0]["figures"]["destination"] == place


def test_a_lag_without_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A destination that has everything is fine; once more is logged and nobody ships, the command is named."""
    (tmp_path / "events").mkdir()
    quick(tmp_path / "events", f"file:{tmp_path}/archive").run()
    logged(tmp_path / "events", 10, clock=lambda: time.time_ns() - 120 * 10**9)
    finding = only(doctor(capsys)[1], "shipping")
    assert finding["state"] == "warning"
    assert finding["remedy"] == f"mllog ship events --to file:{tmp_path}/archive --follow"
    quick(tmp_path / "events", f"file:{tmp_path}/archive").run()
    assert of(doctor(capsys)[1], "shipping", fine=True)[0]["figures"]["delivered"] == 11


def test_dead_letters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How many, the commonest reasons, and the command that sends them again."""
    logged(tmp_path / "events", 10)
    destination = open_destination(f"file:{tmp_path}/archive")
    Shipper(tmp_path / "events", destination).run()
    process = next((tmp_path / "events").glob("[!_]*")).name
    segments = Segments(tmp_path / "events" / process)
    batch = segments.read(1, 0, max_bytes=2**20, max_lines=100, finished=True)
    assert batch is not None
    refused = {k: Refusal("mapper_parsing_exception: field [x]" if k < 3 else "other", 400) for k in range(4)}
    DeadLetters(tmp_path / "events", destination.key).keep(batch, refused)
    code, checks = doctor(capsys)
    assert code == 1
    finding = only(checks, "refused")
    assert "refused 4 events; 3 x mapper_parsing_exception: field [x]; 1 x other" in finding["message"]
    assert f"mllog ship events --to file:{tmp_path}/archive --replay-dead" in finding["remedy"]


def test_corrupt_parts_that_a_shipper_set_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the reason that it gave."""
    logged(tmp_path / "events", 3)
    path = next((tmp_path / "events").glob("*/*.ndjson"))
    path.write_bytes(b"no event\n" + path.read_bytes())
    path.with_name(f"{path.name}.sha256").unlink()
    quick(tmp_path / "events", f"file:{tmp_path}/archive").run()
    findings = of(doctor(capsys)[1], "refused")
    assert "not JSON" in findings[0]["message"]


def test_cards(tmp_path: Path, card: ModelCard, capsys: pytest.CaptureFixture[str]) -> None:
    """The card that measured the events must lie beside them; another version of it isn't that one."""
    logged(tmp_path / "events", card=card)
    cards = tmp_path / "events" / "_cards"
    (path,) = cards.iterdir()
    text = path.read_text()
    path.unlink()
    finding = only(doctor(capsys)[1], "cards")
    assert card.ruler.hash in finding["message"]
    assert "copy the card" in finding["remedy"]
    path.write_text(text[: len(text) // 2])
    assert [finding["state"] for finding in of(doctor(capsys)[1], "cards")] == ["problem", "problem"]
    path.write_text(text)
    assert doctor(capsys)[0] == 0
    logged(tmp_path / "events")
    assert "10 predictions without a card" in only(doctor(capsys)[1], "cards")["message"]


def test_the_card_of_the_environment(
    tmp_path: Path, card: ModelCard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLLOG_CARD is read, as a logger would."""
    logged(tmp_path / "events")
    monkeypatch.setenv("MLLOG_CARD", str(tmp_path / "card.json"))
    assert "can't be read" in only(doctor(capsys)[1], "cards")["message"]
    card.save(tmp_path / "card.json")
    assert doctor(capsys)[0] == 0


def test_settings_are_shown_without_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of all, values of those that aren't secret."""
    logged(tmp_path / "events")
    for name in settings.SECRET:
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("MLLOG_API_KEY", "id:hunter2")
    monkeypatch.setenv("MLLOG_ROLE", "shadow")
    monkeypatch.setenv("MLLOG_SINK", "elasticsearch+http://ann:hunter2@127.0.0.1:9")
    cli.main(["doctor", "--json"])
    captured = capsys.readouterr()
    assert "hunter2" not in captured.out + captured.err
    (shown,) = of(json.loads(captured.out)["checks"], "settings", fine=True)
    assert shown["figures"]["variables"]["MLLOG_ROLE"] == "shadow"
    assert settings.SECRET <= shown["figures"]["variables"].keys()


def test_settings_that_are_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that nothing reads is a warning, with the one that was meant; an impossible value a problem."""
    logged(tmp_path / "events")
    monkeypatch.setenv("MLLOG_SINKS", "x")
    assert "write MLLOG_SINK," in only(doctor(capsys)[1], "settings")["remedy"]
    monkeypatch.delenv("MLLOG_SINKS")
    monkeypatch.setenv("MLLOG_OVERFLOW", "explode")
    finding = only(doctor(capsys)[1], "settings")
    assert (finding["state"], finding["figures"]) == ("problem", {"variable": "MLLOG_OVERFLOW", "field": "overflow"})


IMPOSSIBLE = {
    "MLLOG_API_KEY": "abc",
    "MLLOG_BEARER_TOKEN": "tökens3cret",
    "MLLOG_CA_CERTS": "/none",
    "MLLOG_CLIENT_CERT": "/none",
    "MLLOG_CLIENT_KEY": "/none",
    "MLLOG_DURABLE": "always",
    "MLLOG_FLUSH_INTERVAL": "often",
    "MLLOG_MAX_BYTES": "-1",
    "MLLOG_MODEL": " ",
    "MLLOG_NAMESPACE": "Not One",
    "MLLOG_OVERFLOW": "explode",
    "MLLOG_RESOURCES": "-1",
    "MLLOG_ROLE": "king",
    "MLLOG_SALT": "s3cret",
    "MLLOG_SAMPLING": "abc",
    "MLLOG_SEGMENT_BYTES": "0",
    "MLLOG_SINK": "kafka://x",
    "MLLOG_SPOOL_BYTES": "5",
    "MLLOG_TIMEOUT": "5",
    "MLLOG_USERNAME": "ann:s3cret",
    "MLLOG_VERSION": " ",
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_values_that_are_impossible(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each variable is tried as whoever reads it does, and a folder that was named is looked at all the same."""
    logged(tmp_path / "events")
    monkeypatch.setenv(name, IMPOSSIBLE[name])
    code, checks = doctor(capsys, "events")
    finding = only(checks, "settings")
    assert (code, finding["state"], finding["figures"]["variable"]) == (1, "problem", name)
    assert finding["message"].startswith(f"{name} can't be used: ")
    assert "s3cret" not in json.dumps(finding)
    assert of(checks, "ledger", fine=True)


def test_all_of_them_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is impossible hides no other; those that anything goes for are no finding."""
    logged(tmp_path / "events")
    for name in settings.KNOWN - {"MLLOG_CARD", "MLLOG_CLIENT_KEY", "MLLOG_PASSWORD"}:
        monkeypatch.setenv(name, IMPOSSIBLE.get(name, "anything"))
    checks = doctor(capsys, "events")[1]
    found = {finding["figures"]["variable"] for finding in of(checks, "settings")}
    assert found == IMPOSSIBLE.keys() - {"MLLOG_CLIENT_KEY"}
    assert {check["check"] for check in checks if check["state"] != "ok"} == {"settings"}


def test_no_place_at_all(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is named and MLLOG_SINK is no place, that is the one finding."""
    monkeypatch.setenv("MLLOG_SINK", "kafka://ann:s3cret@x")
    code, checks = doctor(capsys)
    assert code == 1
    assert "'kafka://***@x'" in only(checks, "settings")["message"]


def test_a_password_that_is_nobodys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user by variable or in a place makes it somebody's."""
    logged(tmp_path / "events")
    monkeypatch.setenv("MLLOG_PASSWORD", "s3cret")
    finding = only(doctor(capsys)[1], "settings")
    assert (finding["state"], "MLLOG_USERNAME" in finding["remedy"]) == ("warning", True)
    with server() as listening:
        place = f"logstash+http://ann@127.0.0.1:{listening.server_port}"
        assert doctor(capsys, "events", "--sink", place)[0] == 0
    monkeypatch.setenv("MLLOG_USERNAME", "ann")
    assert doctor(capsys)[0] == 0


def test_a_logger_is_refused_where_the_doctor_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried is what a logger reads: none can be made for any server with such a value."""
    for name, value in IMPOSSIBLE.items():
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            if name in {"MLLOG_MODEL", "MLLOG_VERSION", "MLLOG_SALT"}:  # read only where they are needed
                continue
            place = None if name == "MLLOG_SINK" else "elasticsearch+https://127.0.0.1:9"
            with pytest.raises(MllogError):
                mllog.ModelLogger("model", version="1", sink=place, environment=Manifest(), resources=None)


def test_every_variable_that_is_read_is_known() -> None:
    """The list of the doctor is that of the source."""
    text = "".join(
        path.read_text()
        for package in ("mllog", "watchers", "kibana_objects")
        for path in (ROOT / package).rglob("*.py")
        if "doctor" not in path.parts
    )
    named = set(re.findall(r"\bMLLOG_[A-Z_]*[A-Z]\b", text))
    named |= {f"MLLOG_{name.upper()}" for name in re.findall(r'\bvariable\("([a-z_]+)"\)', text)}
    named |= {f"MLLOG_{name.upper()}" for name in re.findall(r'= _(?:number|choice)\("([a-z_]+)"', text)}
    assert {name for name in named if not name.startswith("MLLOG_TEST_")} - settings.KNOWN == set()


def test_extras_are_those_of_the_metadata() -> None:
    """An extra that includes another needs what that needs; those of developers aren't listed."""
    extras = versions.extras()
    assert extras["frames"] < extras["watchers"] < extras["demo"]
    assert extras["ship"] == {"urllib3"}
    assert not extras.keys() & {"test", "bench", "all"}


def test_a_spool_at_its_bound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is down fills the spool: the doctor finds spool and server by MLLOG_SINK, and says how full it is."""
    with server() as listening:
        place = f"logstash+http://127.0.0.1:{listening.server_port}"
    log = mllog.ModelLogger(
        "model", version="1", sink=place, spool=tmp_path / "spool", spool_bytes=20_000, environment=Manifest()
    )
    for k in range(100):
        log.prediction({"k": k})
        log.flush()
    log.close(timeout=0.1)
    monkeypatch.setenv("MLLOG_SINK", place)
    monkeypatch.setenv("MLLOG_SPOOL", str(tmp_path / "spool"))
    # Of another service: the bound is the one that this spool's own logger was given.
    monkeypatch.setenv("MLLOG_SPOOL_BYTES", "4000000")
    code, checks = doctor(capsys)
    assert code == 1
    (finding,) = of(checks, "folders")
    assert finding["state"] == "problem"
    assert "of the 20.0 kB it may have" in finding["message"]
    assert finding["figures"]["bound"] == 20_000
    assert of(checks, "destinations")[0]["state"] == "problem"
    assert of(checks, "shipping")[0]["figures"]["pending_lines"] > 0


def test_a_disk_that_is_full_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By how fast the folder grew; and one that is full already."""
    logged(tmp_path / "events", 100)
    logged(tmp_path / "events", 100)
    first, second = sorted((tmp_path / "events").glob("*/*.ndjson"))
    os.utime(first, (time.time() - 7200, time.time() - 7200))
    size = first.stat().st_size + second.stat().st_size
    usage = type(folders.shutil.disk_usage("/"))
    for free, state, text in (
        (2**30 + size * 12 * 3, "ok", "are free"),
        (2**29, "problem", "only 536.9 MB are free"),
    ):
        monkeypatch.setattr(folders.shutil, "disk_usage", lambda _, free=free: usage(2**40, 2**40 - free, free))
        (diagnosis,) = folders.check.run(Subject((tmp_path / "events",), (), {}, time.time()))
        assert diagnosis.state == state
        assert text in diagnosis.message
    monkeypatch.setattr(folders, "FREE_BYTES", 0)
    monkeypatch.setattr(folders.shutil, "disk_usage", lambda _: usage(2**40, 2**40 - size * 36, size * 36))
    (diagnosis,) = folders.check.run(Subject((tmp_path / "events",), (), {}, time.time()))
    assert diagnosis.state == "warning"
    assert "full in 3 days" in diagnosis.message


def test_a_folder_that_this_user_may_not_read(tmp_path: Path) -> None:
    """Permissions are looked at as the user who asks."""
    logged(tmp_path / "events")
    (process,) = (path for path in (tmp_path / "events").iterdir() if path.name[0] != "_")
    subject = Subject((tmp_path / "events",), (), {}, time.time())
    assert [diagnosis.state for diagnosis in folders.check.run(subject)] == ["ok"]
    process.chmod(0)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        with contextlib.suppress(BaseException):
            if os.geteuid() == 0:
                for folder in [tmp_path, *list(tmp_path.parents)[:2]]:
                    folder.chmod(folder.stat().st_mode | 0o055)  # of /tmp, too, everything else must stay
                os.setuid(65534)
            found = folders.check._permissions(tmp_path / "events")
            os.write(writing, "\n".join(diagnosis.message for diagnosis in found).encode())
            code = 0
        os._exit(code)
    os.close(writing)
    said = os.read(reading, 10_000).decode()
    os.close(reading)
    assert os.waitpid(child, 0)[1] == 0
    process.chmod(0o755)
    assert "can't be read by this user" in said
    assert str(process) in said


class Gossip:
    """A check as another package brings it."""

    name = "gossip"

    def run(self, subject: Subject) -> Iterator[Diagnosis]:
        if "MLLOG_GOSSIP" in subject.variables:
            raise ValueError("no gossip today")
        yield Diagnosis(self.name, "ok", f"{len(subject.folders)} folder")


gossip = Gossip()


def test_checks_of_other_packages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come by entry points; one that fails, or can't be loaded, is unknown and stops no other."""
    logged(tmp_path / "events")
    points = [EntryPoint("gossip", f"{__name__}:gossip", examination.GROUP)]
    monkeypatch.setattr(examination, "entry_points", lambda group: points if group == examination.GROUP else [])
    load = EntryPoint.load
    monkeypatch.setattr(EntryPoint, "load", lambda point: gossip if point.name == "gossip" else load(point))
    code, checks = doctor(capsys)
    assert code == 0
    assert of(checks, "gossip", fine=True)[0]["message"] == "1 folder"
    points.insert(0, EntryPoint("absent", "no_such:check", examination.GROUP))
    code, checks = doctor(capsys)
    assert code == 3
    assert "can't be loaded" in only(checks, "absent")["message"]
    points.pop(0)
    monkeypatch.setenv("MLLOG_GOSSIP", "1")
    code, checks = doctor(capsys)
    assert code == 1  # the variable is one that nothing reads
    assert of(checks, "gossip")[0]["state"] == "unknown"
    assert "no gossip today" in of(checks, "gossip")[0]["message"]


def test_what_is_looked_at(tmp_path: Path) -> None:
    """Without words, what a logger would use; a server that is named once isn't asked twice."""
    assert subject_of([], [], {}).folders == (Path("events/"),)
    assert subject_of([], [parse("stdout:")], {}).folders == ()
    subject = subject_of([], [], {"MLLOG_SINK": "logstash+http://a:1"})
    assert (subject.folders, [str(place) for place in subject.places]) == ((), ["logstash+http://a:1"])
    with server() as listening:
        place = f"logstash+http://127.0.0.1:{listening.server_port}"
    logged(tmp_path / "events")
    quick(tmp_path / "events", place).run()
    assert len(subject_of([], [], {}).places) == 1
    assert len(subject_of([], [parse(place.replace("//", "//ann:secret@"))], {}).places) == 1


def test_it_changes_nothing(tmp_path: Path, card: ModelCard, capsys: pytest.CaptureFixture[str]) -> None:
    """No file is made, changed or removed."""
    logged(tmp_path / "events", card=card)

    def state() -> dict[str, tuple[int, int]]:
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(tmp_path.rglob("*"))}

    before = state()
    doctor(capsys)
    assert state() == before


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0.4 seconds"), (119.0, "119 seconds"), (599.4, "10 minutes"), (7200, "2 hours"), (400 * DAY, "400 days")],
)
def test_spans_as_people_say_them(seconds: float, text: str) -> None:
    """In the greatest unit of which there are two."""
    assert words.span_of(seconds) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2e16, "20.0 PB")])
def test_bytes_as_people_say_them(size: float, text: str) -> None:
    """In powers of a thousand."""
    assert words.bytes_of(size) == text


def test_lists_and_counts_as_people_say_them() -> None:
    """One is one, and a long list says how much of it isn't there."""
    assert [words.counted(n, "process") for n in (0, 1, 2)] == ["0 processes", "1 process", "2 processes"]
    assert words.some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert words.some(["a"]) == "a"


def test_the_page_names_every_check() -> None:
    """Its table is that of the code, and its own check runs."""
    page = (ROOT / "docs" / "how-to" / "doctor.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(examination.CHECKS)
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    (diagnosis,) = names["check"].run(Subject((), (), {}, 0.0))
    assert diagnosis.state == "ok"
