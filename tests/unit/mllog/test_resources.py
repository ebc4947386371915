from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from mllog.environment import resources, usage
from mllog.environment.usage import Usage
from mllog.testing import capture_events

_LISTENING: list[list[str]] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _LISTENING and event in {"open", "os.listdir", "os.scandir", "import", "subprocess.Popen"}:
        _LISTENING[-1].append(f"{event} {arguments[0]}")


sys.addaudithook(_audit)

PRELUDE = """
import os, sys, threading, time
import mllog
from mllog.environment import Manifest
def make(model="model", **options):
    options.setdefault("resources", 0.02)
    options.setdefault("environment", Manifest())
    return mllog.ModelLogger(model, version="1", sink=sys.argv[1], **options)
def read():
    import glob, json
    for log in (value for value in globals().values() if isinstance(value, mllog.ModelLogger)):
        log.flush()
    lines = [line for name in sorted(glob.glob(sys.argv[1] + "/*/*.ndjson")) for line in open(name)]
    return [json.loads(line) for line in lines]
def figures(events):
    return [event for event in events if event["event"]["action"] == "resource"]
def until(condition):
    while not condition():
        time.sleep(0.005)
def samplers():
    return [thread for thread in threading.enumerate() if thread.name == "mllog-resources"]
"""


def run(folder: Path, code: str, **variables: str) -> list[str]:
    """Lines that ``code`` prints in a process of its own, which writes nothing to standard error."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def read(folder: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for path in folder.glob("*/*.ndjson") for line in path.read_bytes().splitlines()]


def values(look: list[usage.Figure]) -> dict[str, float]:
    assert len({figure.name for figure in look}) == len(look)
    return {figure.name: figure.value for figure in look}


def test_a_look_says_what_the_process_uses() -> None:
    """Each figure moves by just what was done since the last look."""
    process = psutil.Process()
    ready, leave = threading.Barrier(4), threading.Event()
    threads = [threading.Thread(target=lambda: (ready.wait(), leave.wait())) for _ in range(3)]
    looker = Usage()
    gc.collect()  # what other tests left open is closed now, and not between the looks
    before = values(looker.look())
    for thread in threads:
        thread.start()
    ready.wait()
    files = [Path(os.devnull).open() for _ in range(5)]  # noqa: SIM115
    collections = sum(generation["collections"] for generation in gc.get_stats())
    for _ in range(3):
        gc.collect()
    collections = sum(generation["collections"] for generation in gc.get_stats()) - collections
    start = sum(os.times()[:2])
    while sum(os.times()[:2]) - start < 0.05:
        sum(range(1000))
    after = values(looker.look())
    leave.set()
    for file in files:
        file.close()
    for thread in threads:
        thread.join()
    assert after["process.thread.count"] - before["process.thread.count"] == 3
    assert after["process.unix.file_descriptor.count"] - before["process.unix.file_descriptor.count"] == 5
    assert after["cpython.gc.collections"] >= collections >= 3
    assert 0 < after["process.cpu.usage"] < 64
    assert after["process.cpu.utilization"] * len(os.sched_getaffinity(0)) == pytest.approx(after["process.cpu.usage"])
    assert after["process.memory.peak"] >= after["process.memory.usage"] > 2**20
    assert after["process.memory.usage"] == pytest.approx(process.memory_info().rss, rel=0.2)
    assert after["process.context_switches"] > 0


def test_psutil_says_the_same_as_proc(tmp_path: Path) -> None:
    """Where there is no ``/proc``, psutil answers, in the same names, units and magnitudes."""
    here, there = Usage(), Usage(str(tmp_path))
    assert type(here._source) is usage.FromProc
    assert type(there._source) is usage.FromPsutil
    block = bytearray(64 * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    first, second = here._source.read(), there._source.read()
    assert second.memory == pytest.approx(first.memory, rel=0.2)
    assert second.peak == pytest.approx(first.peak, rel=0.2)
    assert second.threads == first.threads
    assert second.files - first.files in {0, 1}  # psutil lists them, and the listing is one
    assert second.written == pytest.approx(first.written, abs=2**20)
    assert [(f.name, f.unit) for f in there.look()] == [(f.name, f.unit) for f in here.look()]


def test_without_either_python_answers() -> None:
    """Processor time, peak memory and context switches are known everywhere."""
    counted = usage.FromPython().read()
    # Of the process's whole life, while /proc's begins anew where somebody resets it, as a benchmark does.
    assert 0.8 < counted.peak / usage.FromProc("/proc/self").read().peak < 100
    assert counted.switches is not None
    assert counted.memory is None


def test_open_files_are_counted_on_any_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 6.2 the folder's size says nothing, and they are listed."""
    expected = len(list(Path("/proc/self/fd").iterdir())) - 1
    source = usage.FromProc("/proc/self")
    assert source.read().files == expected
    size = os.stat_result((0,) * 10)
    monkeypatch.setattr(Path, "stat", lambda _path: size)
    assert source.read().files == expected


def test_what_a_system_hides_is_left_out(tmp_path: Path) -> None:
    """A hardened container may forbid to read one file or another: no figure, no failure."""
    (tmp_path / "status").write_text("VmRSS:\t    100 kB\n")
    counted = usage.FromProc(str(tmp_path)).read()
    assert (counted.memory, counted.peak, counted.files, counted.read) == (102_400, None, None, None)


def test_a_look_costs_two_files() -> None:
    """However often it looks: two small files are read, nothing is listed, imported or run."""
    looker = Usage()
    looker.look()
    _LISTENING.append([])
    for _ in range(10):
        looker.look()
    assert sorted(_LISTENING.pop()) == ["open /proc/self/io"] * 10 + ["open /proc/self/status"] * 10


def test_a_look_is_little_work() -> None:
    """Counted in lines of Python and calls of C, its ten events included: some thousands, which is under 1.2 ms."""
    sampler = resources.Sampler()
    counted = {"line": 0, "call": 0}

    def trace(_frame: Any, event: str, _argument: object) -> Any:
        counted["line"] += event == "line"
        return trace

    def profile(_frame: Any, event: str, _argument: object) -> None:
        counted["call"] += event == "c_call"

    with capture_events(flush_interval=3600) as captured:
        engine = captured.log._engine
        sampler._report([engine])  # the first one begins
        captured.log.flush()
        before = sys.gettrace(), sys.getprofile()
        sys.settrace(trace)
        sys.setprofile(profile)
        try:
            sampler._report([engine])
            lines = [engine._encoder.line(record) for record in list(engine._queue._records)]
        finally:
            sys.settrace(before[0])
            sys.setprofile(before[1])
    assert len(lines) >= 8
    folders = 50 * len(sys.path)  # whether packages were changed is asked of each
    assert 0 < counted["line"] < 4_000 + folders
    assert 0 < counted["call"] < 1_000 + folders


def test_one_sampler_for_all_loggers_of_a_process(tmp_path: Path) -> None:
    """Figures come through the oldest open logger; the next takes over; with the last one the thread ends."""
    lines = run(
        tmp_path,
        """
        first, second = make("first"), make("second")
        until(lambda: len(figures(read())) >= 30)
        print(len(samplers()), {e["ml"]["model"]["name"] for e in figures(read())})
        first.close()
        until(lambda: any(e["ml"]["model"]["name"] == "second" for e in figures(read())))
        print(len(samplers()))
        second.close()
        until(lambda: not samplers())
        third = make("third")
        until(lambda: any(e["ml"]["model"]["name"] == "third" for e in figures(read())))
        print(len(samplers()))
        """,
    )
    assert lines == ["1 {'first'}", "1", "1"]
    looks = [event for event in read(tmp_path) if event["event"]["action"] == "resource"]
    assert {event["event"]["dataset"] for event in looks} == {"mllog.metric"}
    names = {event["ml"]["metric"]["name"] for event in looks}
    assert {"process.cpu.usage", "process.memory.usage", "process.thread.count", "process.disk.io.write"} <= names
    assert all(isinstance(event["ml"]["metric"]["value"], float) for event in looks)


def test_events_are_numbered_without_a_hole(tmp_path: Path) -> None:
    """Figures are events of the ledger like all others."""
    run(tmp_path, "log = make()\nuntil(lambda: len(figures(read())) >= 20)\nlog.close()")
    numbers = sorted(event["ml"]["sequence"]["number"] for event in read(tmp_path))
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_forked_child_has_a_sampler_of_its_own(tmp_path: Path) -> None:
    """Parent and child each report themselves, from when each of them logs."""
    run(
        tmp_path,
        """
        log = make()
        until(lambda: len(figures(read())) >= 10)
        child = os.fork()
        if not child:
            assert not samplers()
            log.prediction({"k": 1})
            until(lambda: any(e["process"]["pid"] == os.getpid() for e in figures(read())))
            assert len(samplers()) == 1
            log.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        seen = len(figures(read()))
        until(lambda: len(figures(read())) > seen)
        log.close()
        """,
    )
    looks = [event for event in read(tmp_path) if event["event"]["action"] == "resource"]
    assert len({event["process"]["pid"] for event in looks}) == 2
    assert len({event["event"]["id"] for event in looks}) == len(looks)


@pytest.mark.parametrize("options", ["resources=0", "resources=None, clock=lambda: 10**18"])
def test_no_sampler_where_none_is_wanted(tmp_path: Path, options: str) -> None:
    """0 is never; a replay, whose clock isn't the wall's, has none unless it says so."""
    lines = run(
        tmp_path,
        f"log = make({options})\nlog.prediction({{'k': 1}})\nprint(len(samplers()), 'mllog.environment.resources' in sys.modules)",
    )
    assert lines == ["0 False"]
    lines = run(tmp_path / "b", "log = make(clock=lambda: 10**18)\nprint(len(samplers()))")
    assert lines == ["1"]


def test_a_sampler_that_fails_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong in a look, the model doesn't see it, and the ledger does."""

    def fail(_: object) -> list[usage.Figure]:
        raise ZeroDivisionError("a look went wrong")

    monkeypatch.setattr(resources.Sampler, "look", fail)
    with capture_events() as captured:
        resources.Sampler()._report([captured.log._engine])
        assert captured.log.prediction({"a": 1})
        status = captured.log.status()
    assert status.rejected == 1
    assert status.last_error == "ZeroDivisionError: a look went wrong"


def test_looks_are_counted_and_reported_once() -> None:
    """Each look gives each figure once, as an event of its own."""
    sampler = resources.Sampler()
    with capture_events() as captured:
        for _ in range(5):
            sampler._report([captured.log._engine])
        names = [event["ml"]["metric"]["name"] for event in captured.events("metric")]
    assert sampler.looks == 5
    assert len(names) == 5 * len(set(names))
    assert len(set(names)) >= 8


def test_the_page_names_every_figure(tmp_path: Path) -> None:
    """What a look gives is what the documentation lists, with its unit."""
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "environment.md").read_text()
    for figure in Usage().look():
        (row,) = [line for line in page.splitlines() if f"`{figure.name}`" in line]
        assert f"`{figure.unit}`" in row


def test_packages_that_change_under_a_running_process(tmp_path: Path) -> None:
    """A new manifest is an event, and events from then on carry its fingerprint; a manifest that was given stays."""
    (tmp_path / "site").mkdir()
    lines = run(
        tmp_path / "events",
        """
        site = os.environ["SITE"]
        sys.path.append(site)
        log, replay = make(environment=None), make("replay")
        log.prediction({"k": 1})
        log.flush()
        os.mkdir(os.path.join(site, "hot-1.0.dist-info"))
        deployed = lambda: [e for e in read() if e["event"]["action"] == "deploy"]
        until(lambda: len(deployed()) == 3)
        log.prediction({"k": 2})
        replay.prediction({"k": 3})
        def of(k):
            return next(e for e in read() if e["ml"].get("inputs") == {"number": {"k": k}})["ml"]["environment"]
        old, new = [e["ml"] for e in deployed() if e["ml"]["model"]["name"] == "model"]
        print(of(1) == old["environment"], of(2) == new["environment"] != old["environment"])
        print(of(3) == Manifest().fingerprint)
        print(new["manifest"]["packages"]["hot"], "hot" in old["manifest"]["packages"], log.status().rejected)
        """,
        SITE=str(tmp_path / "site"),
    )
    assert lines == ["True True", "True", "1.0 False 0"]


NVML = """
#include <string.h>
#include <unistd.h>
typedef struct { unsigned int gpu, memory; } rates;
typedef struct { unsigned long long total, free, used; } memory;
typedef struct { unsigned int pid; unsigned long long used; unsigned int gpu, compute; } process;
typedef struct { unsigned int pid; unsigned long long stamp; unsigned int sm, mem, enc, dec; } sample;
int nvmlInitWithFlags(unsigned int f) { return 0; }
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned int *n) { *n = 3; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int k, void **h) { *h = (void *)(unsigned long)(k + 1); return 0; }
int nvmlDeviceGetUtilizationRates(void *h, rates *r) { r->gpu = 20 * (unsigned long)h; r->memory = 0; return 0; }
int nvmlDeviceGetMemoryInfo(void *h, memory *m) { m->used = 1000 * (unsigned long)h; return 0; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *h, unsigned int *n, process *p) {
    if ((unsigned long)h == 1) { *n = 0; return 0; }
    if (*n < 2) { *n = 2; return 7; }
    *n = 2;
    p[0].pid = 1; p[0].used = 5;
    p[1].pid = getpid(); p[1].used = 300 * (unsigned long)h;
    return 0;
}
int nvmlDeviceGetProcessUtilization(void *h, sample *s, unsigned int *n, unsigned long long since) {
    if (!since) return 2;
    if (!s) { *n = 3; return 7; }
    s[0].pid = getpid(); s[0].sm = 10 * (unsigned long)h;
    s[1].pid = getpid(); s[1].sm = 30 * (unsigned long)h;
    s[2].pid = 1; s[2].sm = 99;
    return 0;
}
"""


def test_gpus_through_nvml(tmp_path: Path) -> None:
    """The real `nvidia-ml-py` on a library with NVML's interface: this process's devices, its share and its memory.

    There is no GPU where tests run: the library answers for three devices, this process has memory on two.
    """
    compiler = shutil.which("cc")
    assert compiler is not None, "no C compiler: the stand-in for libnvidia-ml.so can't be built"
    (tmp_path / "nvml.c").write_text(NVML)
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(tmp_path / "nvml.c")], check=True)
    code = "from mllog.environment.gpu import Gpus\ngpus = Gpus()\nfor figure in gpus.look(): print(*figure)"
    assert run(tmp_path, code, LD_LIBRARY_PATH=str(tmp_path)) == [
        "hw.gpu.utilization 0.5 1",
        "hw.gpu.memory.usage 5000 By",
        "process.gpu.utilization 0.5 1",
        "process.gpu.memory.usage 1500 By",
    ]


def test_no_gpu_is_no_figure(tmp_path: Path) -> None:
    """Without NVIDIA's library there is nothing to report, and nothing fails."""
    assert run(tmp_path, "from mllog.environment.gpu import Gpus\nprint(Gpus().look())") == ["[]"]
