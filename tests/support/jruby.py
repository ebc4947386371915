"""A real JRuby, out of Maven Central: what Logstash runs its filters and regular expressions with."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

from support.distribution import NoNodeError, cache_folder, java_home
from support.elasticsearch import DEFAULT_VERSION

if TYPE_CHECKING:
    import pathlib

VERSION: Final = "10.0.6.0"
"""The one that Logstash pins (``versions.yml``, August 2026)."""
ARTEFACT: Final = f"org.jruby:jruby-complete:{VERSION}"


def jar() -> pathlib.Path:
    """The whole of JRuby in one file, fetched once.

    Raises:
        NoNodeError: Where it can't be had.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"jruby-complete-{VERSION}.jar"
    with (cache / ".jruby.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        maven = shutil.which("mvn")
        if not path.exists() and maven is not None:
            subprocess.run(
                [maven, "--batch-mode", "--quiet", "dependency:copy", f"-Dartifact={ARTEFACT}", f"-DoutputDirectory={cache}"],
                check=False, cwd=cache, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
    if not path.exists():
        raise NoNodeError(f"no JRuby for tests: install Maven, which fetches {ARTEFACT} from Maven Central")
    return path


def run(script: pathlib.Path, given: Any) -> Any:
    """What a script prints as JSON when it is given JSON."""
    java = java_home(DEFAULT_VERSION) / "bin" / "java"
    done = subprocess.run(
        [java, "-XX:TieredStopAtLevel=1", "-jar", jar(), script],
        check=False, input=json.dumps(given), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)
