"""Elasticsearch for tests, out of Maven Central: fetched once, unpacked once, and a JDK to run it with."""

from __future__ import annotations

import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import zipfile

ARTEFACT = "org.elasticsearch.distribution.integ-test-zip:elasticsearch:{version}:zip"
JDK_NEEDED = {8: 17, 9: 21}
"""Oldest Java release that runs each major version of Elasticsearch."""


class NoNodeError(RuntimeError):
    """No Elasticsearch can be had here; says what to install."""


def cache_folder() -> pathlib.Path:
    """Where downloads survive between runs. Elasticsearch refuses root, and an ordinary user can't look into root's
    home: as root it is a folder that anybody may read."""
    if os.geteuid() == 0:
        return pathlib.Path("/var/cache/mllog-tests")
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "mllog-tests"


def distribution(version: str) -> pathlib.Path:
    """The unpacked distribution of ``version``; several runs at once download it once.

    Raises:
        NoNodeError: Where it can't be fetched.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    home = cache / f"elasticsearch-{version}"
    with (cache / f".{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.is_dir():
            archive = _fetch(version, cache)
            _unpack(archive, cache, home)
            archive.unlink()
    return home


def java_home(version: str) -> pathlib.Path:
    """The home of a JDK that is new enough for ``version``; of several the newest.

    Raises:
        NoNodeError: Where there is none.
    """
    needed = JDK_NEEDED[int(version.split(".", maxsplit=1)[0])]
    found = {home: _release(home) for home in _java_homes()}
    fitting = [home for home, release in found.items() if release >= needed]
    if not fitting:
        raise NoNodeError(
            f"Elasticsearch {version} needs a JDK {needed} or newer, found {sorted(found.values()) or 'none'}: "
            f"install one (Debian: apt-get install openjdk-{needed}-jre-headless, or Temurin from adoptium.net) "
            "or set ES_JAVA_HOME"
        )
    return max(fitting, key=found.__getitem__)


def _java_homes() -> list[pathlib.Path]:
    named = [os.environ[name] for name in ("ES_JAVA_HOME", "JAVA_HOME") if os.environ.get(name)]
    installed = sorted(pathlib.Path("/usr/lib/jvm").glob("*"))
    on_path = shutil.which("java")
    first = [pathlib.Path(on_path).resolve().parents[1]] if on_path else []
    return [home for home in (*map(pathlib.Path, named), *installed, *first) if (home / "bin" / "java").exists()]


def _release(home: pathlib.Path) -> int:
    """The feature release of a JDK, 0 where it doesn't say."""
    try:
        text = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    found = re.search(r'JAVA_VERSION="(\d+)', text)
    return int(found[1]) if found else 0


def _fetch(version: str, cache: pathlib.Path) -> pathlib.Path:
    maven = shutil.which("mvn")
    if maven is None:
        raise NoNodeError(
            "no Elasticsearch for tests: install Maven (Debian: apt-get install maven), which fetches one from Maven "
            "Central; or start a Docker engine; or name a node in MLLOG_TEST_ELASTICSEARCH"
        )
    artefact = ARTEFACT.format(version=version)
    done = subprocess.run(
        [maven, "--batch-mode", "--quiet", "dependency:copy", f"-Dartifact={artefact}", f"-DoutputDirectory={cache}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=cache,
    )
    archive = cache / f"elasticsearch-{version}.zip"
    if done.returncode or not archive.exists():
        raise NoNodeError(f"Maven can't fetch {artefact}:\n{done.stdout[-2000:]}")
    return archive


def _unpack(archive: pathlib.Path, cache: pathlib.Path, home: pathlib.Path) -> None:
    """Unpack beside ``home`` and rename, so that half an archive is never taken for a distribution."""
    half = cache / f".{home.name}.{os.getpid()}"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(half)
        for member in packed.infolist():
            mode = member.external_attr >> 16 & 0o777
            (half / member.filename).chmod((mode or 0o644) | (0o755 if member.is_dir() else 0o444))
    for path in ("bin/elasticsearch", "bin/elasticsearch-cli", "bin/elasticsearch-env", "bin/elasticsearch-keystore"):
        executable = half / home.name / path
        if executable.exists():
            executable.chmod(0o755)
    (half / home.name).rename(home)
    shutil.rmtree(half)
