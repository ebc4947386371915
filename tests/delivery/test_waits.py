"""SIGTERM to children of multiprocessing, at the moments at which Python's handlers don't run."""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING

import pytest
from support import processes

if TYPE_CHECKING:
    import pathlib

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX system")

CHILD = """
import ctypes, multiprocessing, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
log = None
def wait_in_c():
    # A lock that its own thread waits for: like a wait that begins just behind the signal, nothing ends it.
    mutex = ctypes.create_string_buffer(256)
    for _ in range(2): ctypes.CDLL(None).pthread_mutex_lock(mutex)
def end(child):
    child.terminate()
    child.join(60)
    code = child.exitcode
    child.kill()
    return code
"""


def run(folder: pathlib.Path, code: str) -> str:
    """What a script printed that children may import."""
    return processes.run_file(folder / "script.py", CHILD + textwrap.dedent(code), folder / "events")


@pytest.mark.parametrize(
    ("method", "made"), [("fork", "before"), ("fork", "within"), ("spawn", "within"), ("forkserver", "within")]
)
def test_a_child_that_waits_in_c_is_flushed_and_ends(tmp_path: pathlib.Path, method: str, made: str) -> None:
    """Its main thread never comes back to Python: what it logged is on disk, and it has died of SIGTERM."""
    out = run(
        tmp_path,
        f"""
        def work(said):
            global log
            log = log or make(flush_interval=60)
            for k in range(100): log.prediction({{"k": k}})
            threading.Timer(0.3, said.set).start()
            wait_in_c()
        if __name__ == "__main__":
            if {made!r} == "before": log = make()
            context = multiprocessing.get_context({method!r})
            said = context.Event()
            child = context.Process(target=work, args=(said,))
            child.start()
            assert said.wait(60)
            print(end(child))
        """,
    )
    assert out == "-15\n"
    assert processes.numbers(tmp_path / "events") == list(range(100))


def test_a_child_that_never_logged_ends_too(tmp_path: pathlib.Path) -> None:
    """It has its parent's handler all the same."""
    out = run(
        tmp_path,
        """
        def work(said):
            threading.Timer(0.3, said.set).start()
            wait_in_c()
        if __name__ == "__main__":
            log = make()
            context = multiprocessing.get_context("fork")
            said = context.Event()
            child = context.Process(target=work, args=(said,))
            child.start()
            assert said.wait(60)
            print(end(child))
        """,
    )
    assert out == "-15\n"


def test_children_that_are_ended_as_they_begin(tmp_path: pathlib.Path) -> None:
    """Python forgets in a forked child which signals came before its first step; ours isn't among them."""
    out = run(
        tmp_path,
        """
        if __name__ == "__main__":
            log = make()
            context = multiprocessing.get_context("fork")
            for _ in range(100):
                child = context.Process(target=time.sleep, args=(100,))
                child.start()
                child.terminate()
                child.join(20)
                assert child.exitcode == -signal.SIGTERM, child.kill()
            assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
        """,
    )
    assert out == ""


def test_a_grandchild_that_ends_takes_nobody_with_it(tmp_path: pathlib.Path) -> None:
    """What wakes a worker is its own: SIGTERM to what it forked, at once or later, is none of its business."""
    out = run(
        tmp_path,
        """
        def work():
            log.prediction({"k": 1})
            before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
            for pause in [0] * 50 + [0.02] * 10:
                pid = os.fork()
                if not pid:
                    # The pipe is closed, nothing else.
                    after = len(os.listdir("/proc/self/fd")) if before else -2
                    if after != before - 2: os._exit(after)
                    while True: time.sleep(0.01)
                time.sleep(pause)
                os.kill(pid, signal.SIGTERM)
                assert os.waitpid(pid, 0)[1] == signal.SIGTERM
            time.sleep(1)
            log.prediction({"k": 2})
        if __name__ == "__main__":
            log = make()
            child = multiprocessing.get_context("fork").Process(target=work)
            child.start()
            child.join(60)
            print(child.exitcode)
        """,
    )
    assert out == "0\n"
    assert processes.numbers(tmp_path / "events") == [1, 2]


@pytest.mark.parametrize("first", ["loop", "logger"])
def test_an_event_loop_keeps_what_wakes_it(tmp_path: pathlib.Path, first: str) -> None:
    """Whoever is there first, the loop's own handler is called at SIGTERM, once, and the process goes on."""
    out = run(
        tmp_path,
        f"""
        import asyncio
        async def serve(said):
            global log
            if {first!r} == "logger": log = make(flush_interval=60)
            loop, told = asyncio.get_running_loop(), asyncio.Event()
            calls = []
            loop.add_signal_handler(signal.SIGTERM, lambda: (calls.append(1), told.set()))
            if {first!r} == "loop": log = make(flush_interval=60)
            log.prediction({{"k": 1}})
            said.set()
            await told.wait()
            await asyncio.sleep(1)
            loop.remove_signal_handler(signal.SIGTERM)
            print(len(calls), flush=True)
        def work(said):
            asyncio.run(serve(said))
        if __name__ == "__main__":
            context = multiprocessing.get_context("fork")
            said = context.Event()
            child = context.Process(target=work, args=(said,))
            child.start()
            assert said.wait(60)
            print(end(child))
        """,
    )
    assert out == "1\n0\n"
    assert processes.numbers(tmp_path / "events") == [1]


@pytest.mark.parametrize("handler", ["lambda *_: said.append(1)", "signal.SIG_IGN"])
@pytest.mark.parametrize("first", ["handler", "logger"])
def test_a_handler_of_somebody_elses_decides(tmp_path: pathlib.Path, handler: str, first: str) -> None:
    """Where SIGTERM is theirs the process is not ended in their place, however long they take."""
    out = run(
        tmp_path,
        f"""
        said = []
        def work():
            if {first!r} == "handler": signal.signal(signal.SIGTERM, {handler})
            log = make(flush_interval=60)
            log.prediction({{"k": 1}})
            if {first!r} == "logger": signal.signal(signal.SIGTERM, {handler})
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
            print(len(said), flush=True)
        if __name__ == "__main__":
            child = multiprocessing.get_context("fork").Process(target=work)
            child.start()
            child.join(60)
            print(child.exitcode)
        """,
    )
    assert out == f"{int('said' in handler)}\n0\n"
    assert processes.numbers(tmp_path / "events") == [1]
