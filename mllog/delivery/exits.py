"""SIGTERM and fork: the two moments at which a process changes under the logger's feet."""

from __future__ import annotations

import os
import signal
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final

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


def watch(engine: Engine) -> None:
    """Renew ``engine`` in forked children, and flush it on SIGTERM (only where the main thread makes it)."""
    global _fork_watched, _installed, _previous  # noqa: PLW0603 - a process has one handler for a signal
    _live.add(engine)
    if not _fork_watched and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)
        _fork_watched = True
    if _installed or threading.current_thread() is not threading.main_thread():
        return
    previous = signal.getsignal(signal.SIGTERM)
    # Ignored on purpose, or set by something that isn't Python: not ours to change.
    if previous is None or previous == signal.SIG_IGN:
        return
    _previous, _installed = previous, True
    signal.signal(signal.SIGTERM, _on_term)


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
    global _deferred  # noqa: PLW0603 - read when the interrupted write is done
    engines = list(_live)
    if any(engine.is_writing_here() for engine in engines):
        # Between a write and its being counted: writing on now would write the same lines twice.
        _deferred = (number, frame)
        return
    deadline = time.monotonic() + TERM_SECONDS
    for k, engine in enumerate(engines):
        engine.flush(timeout=_share(deadline, len(engines) - k))
    if callable(_previous):
        _previous(number, frame)
        return
    # The default action, so that whoever sent the signal sees a process that died of it.
    for k, engine in enumerate(engines):
        engine.close(timeout=_share(deadline, len(engines) - k))
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _share(deadline: float, engines: int) -> float:
    """Seconds for one of so many engines: a sink that hangs must not take the time of the others."""
    return max(deadline - time.monotonic(), 0.0) / engines


def _after_fork() -> None:
    for engine in list(_live):
        engine.renew()
