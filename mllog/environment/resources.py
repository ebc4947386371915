"""The resource sampler: looks at this process now and then, on a thread of its own, and logs what it sees.

There is one a process, however many loggers that has: the figures are the process's. They are logged through the
oldest logger that is still open, and so carry its model's name; `ml.sequence.process`, `process.pid` and `host.name`
say whose they are. With each look the sampler also asks whether packages were changed under the running process
(:func:`mllog.environment.refresh`); where they were, each logger that reports this process's own manifest says so.

A look takes 0.3 to 1.2 ms of processor time, its ten events included, so one a minute is at most 0.002 % of a core.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from typing import TYPE_CHECKING, Final

from mllog import environment, events
from mllog.environment.gpu import Gpus
from mllog.environment.usage import Figure, Usage

if TYPE_CHECKING:
    from mllog.delivery.engine import Engine

LEAST_SECONDS: Final = 0.01
"""Oftener it doesn't look, whatever it is told."""


class Sampler:
    """Looks for the engines that asked for it, as long as there is one."""

    def __init__(self) -> None:
        # In the order they came. No lock: a signal handler may close a logger in the middle of anything.
        self._engines: dict[int, tuple[weakref.ref[Engine], float]] = {}
        self._starting = threading.Lock()
        self._stop: threading.Event | None = None
        self._usage: Usage | None = None
        self._gpus: Gpus | None = None
        self.looks = 0

    def add(self, engine: Engine, seconds: float) -> None:
        """Look every ``seconds``, for ``engine`` where it is the oldest."""
        self._engines.setdefault(id(engine), (weakref.ref(engine), seconds))
        self._start()

    def remove(self, engine: Engine) -> None:
        """Look no more for ``engine``; with the last one the thread ends."""
        self._engines.pop(id(engine), None)
        if not self._engines:
            # Taken first: a signal handler that closes in the middle of set() must not wait for set()'s own lock.
            stop, self._stop = self._stop, None
            if stop is not None:
                stop.set()

    def look(self) -> list[Figure]:
        """What the process uses, since the last look."""
        self.looks += 1
        if self._usage is None:
            self._usage = Usage()
        figures = self._usage.look()
        if self._gpus is None and environment.current().driver:
            self._gpus = Gpus()
        return figures if self._gpus is None else [*figures, *self._gpus.look()]

    def _live(self) -> list[tuple[Engine, float]]:
        live = []
        for key, (reference, seconds) in list(self._engines.items()):
            engine = reference()
            if engine is None:
                self._engines.pop(key, None)
            else:
                live.append((engine, seconds))
        return live

    def _start(self) -> None:
        # Who finds it taken leaves the start to the one that holds it.
        if not self._starting.acquire(blocking=False):
            return
        try:
            if self._stop is None or self._stop.is_set():
                stop = self._stop = threading.Event()
                with contextlib.suppress(RuntimeError):  # the interpreter is going down
                    threading.Thread(target=self._run, args=(stop,), name="mllog-resources", daemon=True).start()
        finally:
            self._starting.release()

    def _run(self, stop: threading.Event) -> None:
        with contextlib.suppress(Exception):
            self._usage = Usage()
        while True:
            seconds = next((seconds for _, seconds in self._live()), None)
            if seconds is None or stop.wait(min(max(seconds, LEAST_SECONDS), threading.TIMEOUT_MAX)):
                break
            self._report([engine for engine, _ in self._live()])
        stop.set()
        if self._live():  # came while the last one went
            self._start()

    def _report(self, live: list[Engine]) -> None:
        if not live:
            return
        try:
            for figure in self.look():
                record = live[0].record("metric", "resource")
                record.body = events.metric_body(figure.name, figure.value, figure.unit)
                live[0].accept(record)
            before, now = environment.current(), environment.refresh()
            if now is not before:
                for engine in live:
                    if engine.manifest is before:
                        engine.redeploy(now)
        except Exception as problem:  # noqa: BLE001 - never into model code; counted
            live[0].refuse(problem)


sampler: Sampler = Sampler()


def watch(engine: Engine, seconds: float) -> None:
    """Have this process's sampler look for ``engine`` every ``seconds``."""
    sampler.add(engine, seconds)


def forget(engine: Engine) -> None:
    """The opposite of :func:`watch`."""
    sampler.remove(engine)


def _renew() -> None:
    global sampler  # noqa: PLW0603 - a forked child has a sampler of its own
    sampler = Sampler()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
