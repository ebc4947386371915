"""What this process uses: processor, memory, files, threads. One look is a handful of system calls.

Names and units are those of OpenTelemetry where it has one
(https://opentelemetry.io/docs/specs/semconv/system/process-metrics/,
https://opentelemetry.io/docs/specs/semconv/runtime/cpython-metrics/,
https://opentelemetry.io/docs/specs/semconv/hardware/gpu/). What they call counters is written as the increase since
the last look, and what they tell apart by an attribute by the end of the name. Names of ours are marked *.

====================================  =====================  ====================================================
``process.cpu.utilization``           ``1``                  processor time / time / processors it may use
``process.cpu.usage`` *               ``{cpu}``              processor time / time: 1.5 is one and a half cores
``process.memory.usage``              ``By``                 resident memory
``process.memory.peak`` *             ``By``                 the most that ever was
``process.unix.file_descriptor.count``  ``{file_descriptor}``  open files and sockets (``process.windows.handle.count``)
``process.thread.count``              ``{thread}``           threads, those that aren't Python's too
``process.disk.io.read``, ``.write``  ``By``                 bytes from and to disks
``process.context_switches``          ``{context_switch}``   of all threads
``cpython.gc.collections``            ``{collection}``       of all generations
``hw.gpu.utilization``                ``1``                  mean of the GPUs (:mod:`mllog.environment.gpu`)
``hw.gpu.memory.usage``               ``By``                 their memory in use, by anybody
``process.gpu.utilization`` *         ``1``                  this process's share of them
``process.gpu.memory.usage`` *        ``By``                 its memory on them
====================================  =====================  ====================================================

On Linux everything is read from ``/proc`` (proc(5)); elsewhere through ``psutil``, where that is installed.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
import sys
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from mllog.environment import hardware

with contextlib.suppress(ImportError):  # on Windows
    import resource

_STATUS: Final = re.compile(r"^(VmRSS|VmHWM|Threads):\s*([0-9]+)", re.MULTILINE)
_IO: Final = re.compile(r"^(read_bytes|write_bytes): ([0-9]+)", re.MULTILINE)


class Figure(NamedTuple):
    """One measured figure.

    Attributes:
        name: What it measures.
        value: In ``unit``.
        unit: By UCUM.
    """

    name: str
    value: float
    unit: str


class Counted(NamedTuple):
    """What a system says of a process at one moment; ``None`` where it doesn't say."""

    memory: int | None = None
    peak: int | None = None
    files: int | None = None
    threads: int | None = None
    read: int | None = None
    written: int | None = None
    switches: int | None = None


class Usage:
    """Looks at this process; the first look counts from here.

    Args:
        proc: Where ``/proc/self`` is.
    """

    def __init__(self, proc: str = "/proc/self") -> None:
        self._source = source(proc)
        self._processors = hardware.processors() or 1
        self._before = self._now()

    def look(self) -> list[Figure]:
        """Figures since the last look; what the system doesn't say isn't there."""
        before, self._before = self._before, self._now()
        moment, cpu, collections, counted = self._before
        elapsed = max(moment - before[0], 1e-9)
        cores = (cpu - before[1]) / elapsed
        figures = [
            Figure("process.cpu.utilization", cores / self._processors, "1"),
            Figure("process.cpu.usage", cores, "{cpu}"),
        ]
        files = ("process.unix.file_descriptor.count", "{file_descriptor}")
        if sys.platform == "win32":
            files = ("process.windows.handle.count", "{handle}")
        for name, value, unit in (
            ("process.memory.usage", counted.memory, "By"),
            ("process.memory.peak", counted.peak, "By"),
            (files[0], counted.files, files[1]),
            ("process.thread.count", counted.threads, "{thread}"),
            ("process.disk.io.read", _increase(before[3].read, counted.read), "By"),
            ("process.disk.io.write", _increase(before[3].written, counted.written), "By"),
            ("process.context_switches", _increase(before[3].switches, counted.switches), "{context_switch}"),
            ("cpython.gc.collections", _increase(before[2], collections), "{collection}"),
        ):
            if value is not None:
                figures.append(Figure(name, value, unit))
        return figures

    def _now(self) -> tuple[float, float, int | None, Counted]:
        times = os.times()
        return time.monotonic(), times.user + times.system, _collections(), self._source.read()


class FromProc:
    """Linux's own files about a process."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def read(self) -> Counted:
        """What they say now: three files, of which one is only asked for its size."""
        status = {name: int(number) for name, number in _STATUS.findall(self._text("status"))}
        io = {name: int(number) for name, number in _IO.findall(self._text("io"))}
        return Counted(
            memory=_bytes(status.get("VmRSS")),
            peak=_bytes(status.get("VmHWM")),
            files=self._files(),
            threads=status.get("Threads"),
            read=io.get("read_bytes"),
            written=io.get("write_bytes"),
            switches=_switches(),
        )

    def _files(self) -> int | None:
        try:
            # Since Linux 6.2 the folder's size is their number, and a process may have a million of them. Else they
            # are listed, of which the listing is one.
            return (self._folder / "fd").stat().st_size or sum(1 for _ in (self._folder / "fd").iterdir()) - 1
        except OSError:
            return None

    def _text(self, name: str) -> str:
        try:
            return (self._folder / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


class FromPsutil:
    """The same by ``psutil``, on macOS, the BSDs and Windows."""

    def __init__(self, psutil: Any) -> None:
        self._process = psutil.Process()

    def read(self) -> Counted:
        """What the system says now."""
        memory = self._ask("memory_info")
        io = self._ask("io_counters")
        switches = self._ask("num_ctx_switches")
        files = self._ask("num_handles" if sys.platform == "win32" else "num_fds")
        return Counted(
            memory=getattr(memory, "rss", None),
            peak=getattr(memory, "peak_wset", None) or _peak(),
            files=files,
            threads=self._ask("num_threads"),
            read=getattr(io, "read_bytes", None),
            written=getattr(io, "write_bytes", None),
            switches=switches.voluntary + switches.involuntary if switches else None,
        )

    def _ask(self, question: str) -> Any:
        try:
            return getattr(self._process, question)()
        except Exception:  # noqa: BLE001 - not on this system, or not allowed
            return None


class FromPython:
    """What Python's own library knows, where there is nothing else."""

    def read(self) -> Counted:
        """What the system says now."""
        return Counted(peak=_peak(), switches=_switches())


def source(proc: str = "/proc/self") -> FromProc | FromPsutil | FromPython:
    """The best that this system has."""
    if Path(proc, "status").exists():
        return FromProc(proc)
    try:
        import psutil  # noqa: PLC0415 - an extra
    except ImportError:
        return FromPython()
    return FromPsutil(psutil)


def _collections() -> int | None:
    try:
        return int(sum(generation["collections"] for generation in gc.get_stats()))
    except (AttributeError, TypeError, KeyError):
        return None  # PyPy counts otherwise


def _increase(before: int | None, now: int | None) -> int | None:
    return None if before is None or now is None else max(now - before, 0)


def _bytes(kibibytes: int | None) -> int | None:
    return None if kibibytes is None else kibibytes * 1024


def _switches() -> int | None:
    used = _own_usage()
    return None if used is None else used.ru_nvcsw + used.ru_nivcsw


def _peak() -> int | None:
    used = _own_usage()
    if used is None:
        return None
    # getrusage(2): kilobytes, but bytes on macOS.
    return used.ru_maxrss if sys.platform == "darwin" else used.ru_maxrss * 1024


def _own_usage() -> resource.struct_rusage | None:
    with contextlib.suppress(NameError, OSError):  # there is no such module on Windows
        return resource.getrusage(resource.RUSAGE_SELF)
    return None
