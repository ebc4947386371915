"""What a process runs on below Python: processor, C library, accelerators and their driver.

Read from files alone, so that it costs under a millisecond when a logger is made: no program is run, and NVML is
asked (it may take seconds to wake a driver) only where there is no ``/proc`` to read the same from.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = "/proc"
_DRIVER: Final = re.compile(r"Kernel Module(?: for \S+)?\s+([0-9]+(?:\.[0-9]+)+)")
_CUDA: Final = re.compile(r'"cuda"\s*:\s*\{[^}]*"version"\s*:\s*"([0-9.]+)"')
_CUDA_FILE: Final = "/usr/local/cuda/version.json"


@dataclass(frozen=True, slots=True)
class Accelerators:
    """GPUs as their driver shows them.

    Attributes:
        driver: Version of the NVIDIA driver.
        names: Model of each one, sorted: the same kind twice is there twice.
    """

    driver: str | None = None
    names: tuple[str, ...] = ()


def processor(proc: str = PROC) -> str | None:
    """Model of the processor, e.g. ``AMD EPYC 7763 64-Core Processor``."""
    # The first page is about the first cores; all of it would ask each of 256 cores for its clock.
    text = _start_of(f"{proc}/cpuinfo")
    fields = dict(re.findall(r"^([^\n:]*?)\s*:[ \t]*(.*)$", text, re.MULTILINE))
    # ARM has numbers in place of a name.
    arm = [fields[key] for key in ("CPU implementer", "CPU part") if key in fields]
    return fields.get("model name") or fields.get("cpu model") or (f"ARM {' '.join(arm)}" if arm else None)


def processors() -> int | None:
    """How many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        with contextlib.suppress(OSError):
            return len(os.sched_getaffinity(0))
    return os.cpu_count()


def c_library() -> str | None:
    """Name and version of the C library, e.g. ``glibc 2.36``."""
    with contextlib.suppress(ValueError, OSError, AttributeError):
        version = os.confstr("CS_GNU_LIBC_VERSION")
        if version:
            return version
    with contextlib.suppress(OSError):
        if any(Path("/lib").glob("ld-musl-*")):
            return "musl"
    return None


def accelerators(proc: str = PROC) -> Accelerators:
    """NVIDIA's GPUs and their driver.

    From ``/proc/driver/nvidia`` (the driver's README, appendix "proc Interface"), else from NVML where the package
    ``nvidia-ml-py`` is installed and ``/proc`` isn't there (Windows) or hides the driver (WSL).
    """
    root = f"{proc}/driver/nvidia"
    match = _DRIVER.search(_start_of(f"{root}/version"))
    if match is None:
        return _by_nvml() if not Path(proc).is_dir() or Path("/dev/dxg").exists() else Accelerators()
    names = []
    with contextlib.suppress(OSError):
        for device in Path(root, "gpus").iterdir():
            model = re.search(r"^Model:\s*(.+?)\s*$", _start_of(device / "information"), re.MULTILINE)
            if model is not None:
                names.append(model[1])
    return Accelerators(match[1], tuple(sorted(names)))


def cuda(path: str = _CUDA_FILE) -> str | None:
    """Version of the CUDA toolkit of the system; one that came as a package stands among the packages."""
    variable = os.environ.get("CUDA_VERSION", "")
    if re.fullmatch(r"[0-9]+(\.[0-9]+)*", variable):
        return variable
    match = _CUDA.search(_start_of(path))
    return match[1] if match else None


def kernel() -> str | None:
    """Release of the operating system's kernel."""
    return platform.release() or None


def _by_nvml() -> Accelerators:
    try:
        import pynvml  # noqa: PLC0415 - an extra

        pynvml.nvmlInit()
        try:
            handles = [pynvml.nvmlDeviceGetHandleByIndex(k) for k in range(pynvml.nvmlDeviceGetCount())]
            names = sorted(_text(pynvml.nvmlDeviceGetName(handle)) for handle in handles)
            return Accelerators(_text(pynvml.nvmlSystemGetDriverVersion()), tuple(names))
        finally:
            pynvml.nvmlShutdown()
    except Exception:  # noqa: BLE001 - no package, no library, no driver, no device: nothing to report
        return Accelerators()


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _start_of(path: str | Path, size: int = 4096) -> str:
    try:
        with Path(path).open("rb", buffering=0) as file:
            return (file.read(size) or b"").decode("utf-8", "replace")
    except OSError:
        return ""
