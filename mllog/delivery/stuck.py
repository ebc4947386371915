"""SIGTERM while the main thread waits in C: a thread learns of it all the same.

CPython's handler in C only notes a signal, and Python's runs once the main thread is back in Python. Where the signal
comes in the moment before a wait that nothing ends (a worker of ``multiprocessing.Pool`` that is about to ask for its
next task), that is never, and who joins the process waits for ever; by default the kernel would have ended it. In the
middle of a long computation in C it is late.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
import types
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS: Final = 0.5
"""For the main thread to begin by itself."""

_pipe: tuple[int, int] | None = None


def watch(act: Callable[[], None]) -> None:
    """Have a thread call ``act`` some time behind each SIGTERM; to be called by the main thread.

    Without effect where somebody else wants to be woken by signals: an event loop that was there before. One that comes
    later takes our place.
    """
    global _pipe  # noqa: PLW0603 - a process has one wakeup file
    if _pipe is not None or "trio" in sys.modules:  # which warns of whoever was here before it
        return
    if not isinstance(_thread.start_new_thread, types.BuiltinFunctionType):
        return  # gevent's: a greenlet that reads would stop all others
    # Threads import nothing: a lock on a module may be one of those that a fork left behind.
    with contextlib.suppress(ImportError):
        import ctypes  # noqa: F401, PLC0415 - with the first process that needs it
    read, write = os.pipe()
    os.set_blocking(write, False)
    others = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    try:
        if others == -1:
            threading.Thread(target=_listen, args=(read, act), name="mllog-sigterm", daemon=True).start()
            _pipe = read, write
            return
    except RuntimeError:  # no more threads
        pass
    _give_back(others)
    os.close(write)
    with contextlib.suppress(OSError):
        # What came just now was theirs.
        if others != -1 and (came := os.read(read, 512)):
            os.write(others, came)
    os.close(read)


def leave() -> None:
    """Let go, in a forked child: its signals must not wake its parent, and the thread is its parent's."""
    global _pipe  # noqa: PLW0603 - as in watch()
    if _pipe is None:
        return
    current = signal.set_wakeup_fd(-1)
    if current == _pipe[1]:
        for number in _pipe:
            with contextlib.suppress(OSError):
                os.close(number)
    else:
        # Who took our place may put us back, and the number must not be another file's by then.
        _give_back(current)
    _pipe = None


def _give_back(number: int) -> None:
    with contextlib.suppress(OSError, ValueError):  # they have closed it: nothing of theirs is woken by it
        signal.set_wakeup_fd(number)


def die(number: int) -> None:
    """Die of a signal by its default action, in any thread.

    Only the main thread may set a signal's action by way of ``signal``. Where ``ctypes`` isn't there either, the status
    is the one that a shell gives to such an end.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(number, signal.SIG_DFL)
    elif (ctypes := sys.modules.get("ctypes")) is not None:
        set_action = ctypes.pythonapi.PyOS_setsig
        set_action.argtypes, set_action.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
        set_action(number, None)
    else:
        os._exit(128 + number)
    os.kill(os.getpid(), number)


def _listen(read: int, act: Callable[[], None]) -> None:
    # Whatever file has this number, once somebody has closed ours, is none of our business.
    with contextlib.suppress(OSError):
        while came := os.read(read, 512):
            if signal.SIGTERM in came:
                time.sleep(SECONDS)
                act()
