"""What a prediction ran on: packages, Python, system; whole once a process, a fingerprint on each event.

Working it out takes about 3 ms where 400 packages are installed: names of files are read, hardly a file is opened,
no program is run. What a manifest says of packages is what is installed on the path of Python; a package that is
replaced while a process runs is noticed (:func:`refresh`), though what was imported before goes on as it was.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import platform
import stat
import time
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import orjson

from mllog.environment import hardware, installed, revision

if TYPE_CHECKING:
    from collections.abc import Mapping

FLAGS: Final = (
    "BLIS_NUM_THREADS",
    "CUBLAS_WORKSPACE_CONFIG",
    "DNNL_DEFAULT_FPMATH_MODE",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_ENABLE_X64",
    "MKL_CBWR",
    "MKL_DYNAMIC",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_NUM_THREADS",
    "NPY_DISABLE_CPU_FEATURES",
    "NPY_ENABLE_CPU_FEATURES",
    "NUMEXPR_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_DYNAMIC",
    "OMP_NUM_THREADS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "PYTHONOPTIMIZE",
    "PYTORCH_ENABLE_MPS_FALLBACK",
    "TF_CUDNN_DETERMINISTIC",
    "TF_CUDNN_USE_AUTOTUNE",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_AUTO_MIXED_PRECISION",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "VECLIB_MAXIMUM_THREADS",
    "XLA_FLAGS",
)
"""The only environment variables that a manifest repeats: those by which the same code gives other numbers."""

DEVICE_FLAGS: Final = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
"""Which of several like devices a process has; the fingerprint leaves them out."""

_FLAG_LENGTH: Final = 200
_TICK_NS: Final = 2_000_000_000
"""Coarser than the times of any file system in use (FAT's are even seconds)."""
_ALWAYS: Final = ("packages", "python", "implementation", "system")
_OF_THE_MACHINE: Final = frozenset({"kernel", "cpu", "cpus", "devices"})


@dataclass(frozen=True)
class Manifest:
    """Everything that may change a model's answers though its artefact is the same, and the machine it was on.

    Attributes:
        packages: Version by distribution name, as PEP 503 normalises it.
        python: Version of the interpreter.
        implementation: ``CPython``, ``PyPy``, …
        system: Operating system and architecture.
        commit: Commit of the code, where it is known.
        image: Container image, where the platform says it.
        libc: C library and its version.
        driver: Version of the GPU driver.
        cuda: Version of the system's CUDA toolkit.
        accelerators: Model of each GPU.
        flags: Variables of the environment out of :data:`FLAGS`.
        kernel: Release of the kernel.
        cpu: Model of the processor.
        cpus: Processors that the process may use.
        devices: Variables out of :data:`DEVICE_FLAGS`.
    """

    packages: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    implementation: str = ""
    system: str = ""
    commit: str | None = None
    image: str | None = None
    libc: str | None = None
    driver: str | None = None
    cuda: str | None = None
    accelerators: tuple[str, ...] = ()
    flags: Mapping[str, str] = field(default_factory=dict)
    kernel: str | None = None
    cpu: str | None = None
    cpus: int | None = None
    devices: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that are the same where, and only where, everything but the machine is the same.

        Kernel, processor and the choice among like devices are left out: replicas of one deployment are spread over
        machines, and each kind of machine would look like an environment that was never seen.
        """
        values = {name: value for name, value in self.to_dict().items() if name not in _OF_THE_MACHINE}
        return hashlib.sha256(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]

    def replace(self, **changes: Any) -> Manifest:
        """A copy with other values, for replays and tests.

        Args:
            **changes: Attributes; ``packages`` are merged into those that are there.
        """
        if "packages" in changes:
            changes["packages"] = {**self.packages, **changes["packages"]}
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """As JSON types: what a deployment event carries. What is unknown is left out."""
        values = {attribute.name: getattr(self, attribute.name) for attribute in dataclasses.fields(self)}
        values |= {name: dict(values[name]) for name in ("packages", "flags", "devices")}
        values["accelerators"] = list(self.accelerators)
        return {name: value for name, value in values.items() if value or name in _ALWAYS}


_current: tuple[installed.Signature, Manifest] | None = None
_hashes: Final[dict[tuple[object, ...], str]] = {}


def current() -> Manifest:
    """The manifest of this process; worked out once, until :func:`refresh` finds that packages changed."""
    global _current  # noqa: PLW0603 - a process has one environment
    if _current is None:
        # Taken before the names are read: a change in between is then found by the next look.
        _current = (_settled(installed.signature()), _read())
    return _current[1]


def refresh() -> Manifest:
    """The manifest of this process, with the packages as they are installed now.

    One ``stat`` for each folder of ``sys.path``; names are read again only where one of these has changed.

    Returns:
        The very manifest that :func:`current` gave before where no package has changed.
    """
    global _current  # noqa: PLW0603 - a process has one environment
    known = current()
    now = installed.signature()
    if _current is not None and _current[0] == now:
        return known
    packages = installed.installed()
    manifest = known if packages == known.packages else dataclasses.replace(known, packages=packages)
    _current = (_settled(now), manifest)
    return manifest


def artifact_hash(path: str | os.PathLike[str]) -> str:
    """sha256 of a file, or of the names and contents of all files in a folder.

    Links are followed, to files and to folders (``current -> ../v2``), and what they lead to stands under the link's
    name. A folder to which several names lead is read once; of the others it is hashed that they lead to it.

    It has to be known before the first event, so this waits for it: about a second for each 1.3 GB on a present
    server. A process that asks again gets the same answer at once, as long as no file has changed its size, inode or
    time of change.

    Raises:
        OSError: Where it can't be read.
    """
    root = Path(path)
    mode = root.stat().st_mode
    alone = stat.S_ISREG(mode)
    if not alone and not stat.S_ISDIR(mode):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root))
    files: dict[str, Path | str] = {"": root} if alone else _files(root)
    key = tuple((name, found if isinstance(found, str) else _state(found)) for name, found in files.items())
    known = _hashes.get(key)
    if known is not None:
        return known
    if alone:
        result = _sha256(root).hex()
    else:
        digest = hashlib.sha256()
        for name, found in files.items():
            digest.update(_bytes(name) + b"\0")
            digest.update(hashlib.sha256(_bytes(found)).digest() if isinstance(found, str) else _sha256(found))
        result = digest.hexdigest()
    _hashes[key] = result
    return result


def _settled(signature: installed.Signature) -> installed.Signature:
    """A signature that can be relied on: a folder that has just changed may change again within the same tick."""
    newest = max((stamp for _, stamp in signature), default=0)
    return signature if time.time_ns() - newest > _TICK_NS else ()


def _files(root: Path) -> dict[str, Path | str]:
    """Regular files by relative name, in the order of their names.

    A folder that was read under another name is there too: its name ends in ``/``, which no file's does, and leads to
    that other name. So there is an end to links that lead back, and yet it shows where each of them leads.
    """
    found: dict[str, Path | str] = {}
    read: dict[str, str] = {}
    # Folders before links: what has a name of its own is read under that.
    folders, links = deque([root]), deque[Path]()
    while folders or links:
        folder = folders.popleft() if folders else links.popleft()
        name = folder.relative_to(root).as_posix()
        first = read.setdefault(os.path.realpath(folder), name)
        if first != name:
            found[f"{name}/"] = first
            continue
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                (links if path.is_symlink() else folders).append(path)
            elif path.is_file():
                found[path.relative_to(root).as_posix()] = path
    return dict(sorted(found.items(), key=lambda item: PurePosixPath(item[0]).parts))


def _state(path: Path) -> tuple[int, ...]:
    """What changes whenever a file does."""
    state = path.stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _read() -> Manifest:
    accelerators = hardware.accelerators()
    return Manifest(
        packages=installed.installed(),
        python=platform.python_version(),
        implementation=platform.python_implementation(),
        system=f"{platform.system()} {platform.machine()}",
        commit=revision.commit(),
        image=revision.image(),
        libc=hardware.c_library(),
        driver=accelerators.driver,
        cuda=hardware.cuda(),
        accelerators=accelerators.names,
        flags=_variables(FLAGS),
        kernel=hardware.kernel(),
        cpu=hardware.processor(),
        cpus=hardware.processors(),
        devices=_variables(DEVICE_FLAGS),
    )


def _variables(names: tuple[str, ...]) -> dict[str, str]:
    return {name: os.environ[name][:_FLAG_LENGTH] for name in names if os.environ.get(name)}
