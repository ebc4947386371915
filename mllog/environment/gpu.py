"""What this process and its GPUs do, as NVIDIA's management library says (NVML, through ``nvidia-ml-py``).

Inside of a container NVML lists processes by the host's numbers, or none: then only the figures of the devices are
known. https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from mllog.environment.usage import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

_PERCENT = 100


class Gpus:
    """The GPUs that this process can see; none where the package, the driver or a device is missing."""

    def __init__(self) -> None:
        self._nvml: Any = None
        self._handles: list[Any] = []
        self._looked = time.time_ns() // 1000
        try:
            import pynvml  # noqa: PLC0415 - an extra, and 30 ms

            pynvml.nvmlInit()
            self._handles = [pynvml.nvmlDeviceGetHandleByIndex(k) for k in range(pynvml.nvmlDeviceGetCount())]
            self._nvml = pynvml
        except Exception:  # noqa: BLE001 - whatever is missing, there is nothing to report
            self._handles = []

    def look(self) -> list[Figure]:
        """Figures since the last look.

        Devices are those on which this process has memory, where NVML can tell, else all: utilization is their mean,
        memory their sum. What a device doesn't support isn't there.
        """
        since, self._looked = self._looked, time.time_ns() // 1000
        mine = {k: used for k, handle in enumerate(self._handles) if (used := self._memory(handle)) is not None}
        handles = [self._handles[k] for k in mine] or self._handles
        rates = [x for x in (self._ask("nvmlDeviceGetUtilizationRates", handle) for handle in handles) if x is not None]
        memory = [x for x in (self._ask("nvmlDeviceGetMemoryInfo", handle) for handle in handles) if x is not None]
        figures = []
        if rates:
            figures.append(Figure("hw.gpu.utilization", sum(rate.gpu for rate in rates) / len(rates) / _PERCENT, "1"))
        if memory:
            figures.append(Figure("hw.gpu.memory.usage", sum(info.used for info in memory), "By"))
        if mine:
            shares = [share for handle in handles if (share := self._share(handle, since)) is not None]
            if shares:
                figures.append(Figure("process.gpu.utilization", sum(shares) / len(shares), "1"))
            figures.append(Figure("process.gpu.memory.usage", sum(mine.values()), "By"))
        return figures

    def _memory(self, handle: Any) -> int | None:
        """Bytes that this process has on a device; ``None`` where it has none, or nobody knows."""
        used = [
            process.usedGpuMemory
            for question in ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses")
            for process in self._ask(question, handle) or ()
            if process.pid == os.getpid() and process.usedGpuMemory is not None
        ]
        return max(used, default=None)

    def _share(self, handle: Any, since: int) -> float | None:
        """Share of a device's time that this process had, of the samples since ``since`` (microseconds)."""
        samples = list(self._samples(handle, since))
        return sum(samples) / len(samples) / _PERCENT if samples else None

    def _samples(self, handle: Any, since: int) -> Iterator[int]:
        for sample in self._ask("nvmlDeviceGetProcessUtilization", handle, since) or ():
            if sample.pid == os.getpid():
                yield sample.smUtil

    def _ask(self, question: str, *arguments: Any) -> Any:
        try:
            return getattr(self._nvml, question)(*arguments)
        except Exception:  # noqa: BLE001 - not supported by this device, not allowed, nothing found
            return None
