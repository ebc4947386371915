"""SIGTERM and fork: the two moments at which a process changes under the logger's feet."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final

from mllog.delivery import stuck

if TYPE_CHECKING:
    from types import FrameType

    from mllog.delivery.engine import Engine

TERM_SECONDS: Final = 5.0
"""For all loggers of a process together."""

_live: Final[weakref.WeakSet[Engine]] = weakref.WeakSet()
_previous: Any = None
_deferred: tuple[int, FrameType | None] | None = None
_installed = False
_fork_watched = False
_ending = False
_held: Final[set[int]] = set()
"""Threads in the middle of a fork, for which SIGTERM waits meanwhile."""


def watch(engine: Engine) -> None:
    """Renew ``engine`` in forked children, and flush it on SIGTERM (only where the main thread makes it)."""
    global _fork_watched, _installed, _previous  # noqa: PLW0603 - a process has one handler for a signal
    _live.add(engine)
    if not _fork_watched and hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before_fork, after_in_parent=_let_go, after_in_child=_after_fork)
        _fork_watched = True
    if _installed or threading.current_thread() is not threading.main_thread():
        return
    previous = signal.getsignal(signal.SIGTERM)
    # Ignored on purpose, or set by something that isn't Python: not ours to change.
    if previous is None or previous == signal.SIG_IGN:
        return
    _previous, _installed = previous, True
    signal.signal(signal.SIGTERM, _on_term)
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        _watch_waits()


def forget(engine: Engine) -> None:
    """``engine`` is closed; with the last one the former handler comes back, if ours still stands."""
    global _installed  # noqa: PLW0603 - a process has one handler for a signal
    _live.discard(engine)
    if not _installed or _live or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is _on_term:
        signal.signal(signal.SIGTERM, _previous)
        _installed = False


def run_deferred() -> None:
    """Do what a SIGTERM asked for that came while this thread was writing."""
    global _deferred
    if _deferred is not None and threading.current_thread() is threading.main_thread():
        (number, frame), _deferred = _deferred, None
        _on_term(number, frame)


def _on_term(number: int, frame: FrameType | None) -> None:
    global _deferred, _ending  # noqa: PLW0603 - read when the interrupted write is done; and by another thread
    engines = list(_live)
    if any(engine.is_writing_here() for engine in engines):
        # Between a write and its being counted: writing on now would write the same lines twice.
        _deferred = (number, frame)
        return
    _ending = True
    try:
        if callable(_previous):
            _flush(engines)
            _previous(number, frame)
        else:
            _end(engines, number)
    finally:
        _ending = False


def _flush(engines: list[Engine]) -> float:
    """Flush all of them; until when there is time for that and for closing them."""
    deadline = time.monotonic() + TERM_SECONDS
    for k, engine in enumerate(engines):
        engine.flush(timeout=_share(deadline, len(engines) - k))
    return deadline


def _end(engines: list[Engine], number: int) -> None:
    """Flush, close and take the default action, so that whoever sent the signal sees a process that died of it."""
    deadline = _flush(engines)
    for k, engine in enumerate(engines):
        engine.close(timeout=_share(deadline, len(engines) - k))
    stuck.die(number)


def _by_default() -> bool:
    """Whether it is we who end the process at SIGTERM: nobody has a handler of their own, before ours or since."""
    return not callable(_previous) and signal.getsignal(signal.SIGTERM) is _on_term


def _watch_waits() -> None:
    """End this process at SIGTERM even while its main thread waits in C.

    Of those that multiprocessing started, which are ended so while they wait, and joined without a timeout. Others have
    no need of one more thread, and may have plans of their own with what signals wake.
    """
    if _by_default() and hasattr(os, "fork"):
        stuck.watch(_instead_of_the_main_thread)


def _instead_of_the_main_thread() -> None:
    if not _ending and _by_default():
        _end(list(_live), signal.SIGTERM)


def _share(deadline: float, engines: int) -> float:
    """Seconds for one of so many engines: a sink that hangs must not take the time of the others."""
    return max(deadline - time.monotonic(), 0.0) / engines


def _before_fork() -> None:
    # Python forgets in a child which signals came before its first step, and until then they would wake its parent
    # (mllog.delivery.stuck). By default the child would have died of it.
    if _by_default() and signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}):
        _held.add(threading.get_ident())


def _let_go() -> None:
    if threading.get_ident() in _held:
        _held.remove(threading.get_ident())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _after_fork() -> None:
    stuck.leave()
    for engine in list(_live):
        engine.renew()
    util = sys.modules.get("multiprocessing.util")
    if util is not None and _by_default():
        # Called next where this is a child of multiprocessing, and by nobody where it isn't.
        util.register_after_fork(_on_term, lambda _: _watch_waits())
    _held.intersection_update({threading.get_ident()})
    _let_go()
