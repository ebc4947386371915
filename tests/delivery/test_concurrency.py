"""Threads, tasks, pools and the end of the interpreter: nothing lost, nothing doubled, no deadlock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from support import processes

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX system")


def check(
    folder: pathlib.Path, fault_row: Callable[..., None], fault: str, expected: list[int], repetitions: int = 1
) -> None:
    """The predictions on disk are those that were logged, each process's numbers are complete; a row says so."""
    events = processes.read(folder)
    assert processes.predictions(events) == expected
    assert processes.holes(events) == 0
    fault_row(
        fault,
        repetitions=repetitions,
        accepted=sum(max(given) for given in processes.sequences(events).values()),
        delivered=len(events),
        duplicates=processes.duplicates(events),
    )


def test_threads(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """16 threads log at once, and each waits for its own events now and then."""
    processes.run(
        tmp_path,
        """
        import threading
        log = make(flush_interval=0.001)
        def work(n):
            for k in range(1_000):
                log.prediction({"k": 1_000 * n + k})
                if k % 100 == 0: assert log.flush()
        threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """,
    )
    check(tmp_path, fault_row, "16 threads that log and flush", list(range(16_000)))


def test_asyncio(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """1,000 requests at once in one event loop, some of which are cancelled or fail: an event for each."""
    processes.run(
        tmp_path,
        """
        import asyncio
        log = make()
        everybody = asyncio.Event()
        async def serve(k):
            async with log.request({"k": k}, str(k)) as request:
                await everybody.wait()
                await asyncio.sleep(k % 7 / 1000)
                if k % 10 == 0: raise ValueError(k)
                if k % 10 == 1: asyncio.current_task().cancel(); await asyncio.sleep(0)
                request.output = k
        async def main():
            tasks = [asyncio.create_task(serve(k)) for k in range(1_000)]
            await asyncio.sleep(0)
            everybody.set()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert sum(isinstance(result, BaseException) for result in done) == 200
        asyncio.run(main())
        """,
    )
    events = processes.read(tmp_path)
    outcomes = [event["event"]["outcome"] for event in events if "inputs" in event["ml"]]
    assert {outcome: outcomes.count(outcome) for outcome in outcomes} == {
        "success": 800,
        "failure": 100,
        "unknown": 100,
    }
    check(tmp_path, fault_row, "1,000 asyncio requests at once, 200 of which fail or are cancelled", list(range(1_000)))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(tmp_path: pathlib.Path, fault_row: Callable[..., None], method: str) -> None:
    """Children log beside their parent; each ends without atexit, as multiprocessing does it."""
    processes.run_file(
        tmp_path / "script.py",
        f"""
        import multiprocessing, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        log = None
        def work(n):
            global log
            log = log or make(flush_interval=60)
            for k in range(500): log.prediction({{"k": 500 * n + k}})
        if __name__ == "__main__":
            if {method!r} == "fork": log = make()
            context = multiprocessing.get_context({method!r})
            children = [context.Process(target=work, args=(n,)) for n in range(1, 5)]
            for child in children: child.start()
            work(0)
            for child in children: child.join()
            assert all(child.exitcode == 0 for child in children)
        """,
        tmp_path / "events",
    )
    check(tmp_path / "events", fault_row, f"multiprocessing, `{method}`, 4 children", list(range(2_500)), 4)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_process_pools(tmp_path: pathlib.Path, fault_row: Callable[..., None], method: str) -> None:
    """Workers of concurrent.futures end when told to; those of multiprocessing.Pool are terminated by SIGTERM."""
    processes.run_file(
        tmp_path / "script.py",
        f"""
        import concurrent.futures, multiprocessing, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        log = None
        def work(k):
            global log
            log = log or make(flush_interval=60)
            log.prediction({{"k": k}})
            return k
        if __name__ == "__main__":
            context = multiprocessing.get_context({method!r})
            if {method!r} == "fork": log = make()
            with concurrent.futures.ProcessPoolExecutor(3, mp_context=context) as pool:
                assert list(pool.map(work, range(300))) == list(range(300))
            with context.Pool(3) as pool:
                assert pool.map(work, range(300, 600)) == list(range(300, 600))
        """,
        tmp_path / "events",
    )
    check(tmp_path / "events", fault_row, f"process pools, `{method}`, ended and terminated", list(range(600)), 6)


def test_daemon_threads_at_the_end(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """The interpreter ends while daemon threads are logging: every call that returned is on disk."""
    out = processes.run(
        tmp_path,
        """
        import itertools, threading
        log = make(flush_interval=60)
        returned = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        def work(n):
            for k in itertools.count():
                log.prediction({"k": 1_000_000 * n + k})
                os.write(returned, b"%d\\n" % (1_000_000 * n + k))
        for n in range(4): threading.Thread(target=work, args=(n,), daemon=True).start()
        time.sleep(0.5)
        """,
        tmp_path / "returned",
    )
    assert out == ""
    returned = {int(line) for line in (tmp_path / "returned").read_text().splitlines()}
    events = processes.read(tmp_path)
    written = processes.predictions(events)
    assert returned <= set(written)
    # A thread may be stopped between the write and the return of its call.
    assert len(written) - len(returned) <= 4
    fault_row(
        "the interpreter ends while 4 daemon threads log",
        accepted=len(written),
        delivered=len(set(written)),
        duplicates=processes.duplicates(events),
    )


def test_threads_that_outlive_the_main_thread(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """The main thread has ended, others still log and then the interpreter goes; so do exit handlers and finalizers."""
    processes.run(
        tmp_path,
        """
        import atexit, threading
        log = None
        class Last:
            def __del__(self): log.prediction({"k": 203})
        last = Last()
        atexit.register(lambda: log.prediction({"k": 202}))
        log = make(flush_interval=60)
        atexit.register(lambda: log.prediction({"k": 201}))
        def work():
            threading.main_thread().join()
            for k in range(200): log.prediction({"k": k})
            threading.Timer(0.01, lambda: log.prediction({"k": 200})).start()
        threading.Thread(target=work).start()
        """,
    )
    check(tmp_path, fault_row, "threads, exit handlers and finalizers that log at the end", list(range(204)))


def test_a_child_that_ends_at_once_loses_what_a_kill_loses(tmp_path: pathlib.Path) -> None:
    """os._exit in a forked child runs no handler: its parent's events are safe, its own are lost unless flushed."""
    processes.run(
        tmp_path,
        """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        log = make(flush_interval=60)
        for k in range(10): log.prediction({"k": k})
        for flushes in (False, True):
            pid = os.fork()
            if not pid:
                log.prediction({"k": 100 + flushes})
                if flushes: log.flush()
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        """,
    )
    assert processes.numbers(tmp_path) == [*range(10), 101]
