"""Peers' environments: a virtual environment each, made on demand below ``build/``, with every version pinned."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

from benchmarks.detection.contenders import CONTENDERS
from benchmarks.detection.settings import CACHE, ROOT

PINS: Final = Path(__file__).parent / "peers"
INSTALL_SECONDS: Final = 900


def python_of(contender: str) -> Path:
    """The interpreter that a contender runs with.

    Raises:
        RuntimeError: its environment can't be made; the message says why.
    """
    peer = CONTENDERS[contender].peer
    if peer is None:
        return Path(sys.executable)
    pins = PINS / f"{peer}.txt"
    folder = CACHE / "peers" / peer
    python, made = folder / "bin" / "python", folder / ".installed"
    wanted = pins.read_text(encoding="utf-8")
    if made.exists() and made.read_text(encoding="utf-8") == wanted:
        return python
    folder.parent.mkdir(parents=True, exist_ok=True)
    venv.create(folder, with_pip=True, clear=True)
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
        str(pins),
    ]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=INSTALL_SECONDS, cwd=ROOT)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"pip took more than {INSTALL_SECONDS} s") from error
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2][:300] or f"pip ended with {done.returncode}")
    made.write_text(wanted, encoding="utf-8")
    return python


def version_of(contender: str) -> str:
    """The pinned version of a peer; empty where the contender is none."""
    peer = CONTENDERS[contender].peer
    if peer is None:
        return ""
    lines = (PINS / f"{peer}.txt").read_text(encoding="utf-8").splitlines()
    return next((line for line in lines if line.lower().startswith(f"{peer}==")), peer)
