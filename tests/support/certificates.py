"""deploy/certificates.sh, run as the container of docker-compose.yml runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from support.stack import ROOT

if TYPE_CHECKING:
    import pathlib

SCRIPT = ROOT / "deploy" / "certificates.sh"
SERVICES = ("elasticsearch", "kibana", "logstash")


def make(
    folder: pathlib.Path, *services: str, names: str = "", script: pathlib.Path = SCRIPT, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run the script; ``names`` are further ones of all services, ``options`` those of :func:`subprocess.run`."""
    assert shutil.which("openssl"), "openssl isn't installed: apt-get install openssl, as make test does"
    return subprocess.run(
        ["sh", script, folder, *services], capture_output=True, text=True, check=False, timeout=120,
        env={"PATH": os.environ["PATH"], "MLLOG_CERTIFICATE_NAMES": names}, **options,
    )  # fmt: skip
