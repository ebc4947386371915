"""A node as in production: security on, TLS with a certificate of a private authority, users, roles and API keys.

It is always the distribution of Maven Central (:mod:`support.distribution`). That keeps users, roles and API keys in an
index whose analyser it lacks; a plugin of a few lines (``analysis/Email.java``) stands in for it, so that they are the
real ones.
"""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import zlib

import trustme
from support.distribution import NoNodeError, cache_folder, distribution, java_home
from support.elasticsearch import DEFAULT_VERSION, LocalNode

SUPERUSER = "elastic"
PASSWORD = "the superuser's own, of these tests"
HOST = "localhost"
"""The name in the node's certificate; it listens on 127.0.0.1, which isn't named there."""

PLUGIN = "mllog-tests-analysis"
SOURCE = pathlib.Path(__file__).parent / "analysis" / "Email.java"
COMPONENTS = {
    "org.elasticsearch.plugin.analysis.TokenizerFactory": {"uax_url_email": "mllog.tests.Email$Words"},
    "org.elasticsearch.plugin.analysis.TokenFilterFactory": {
        "pattern_capture": "mllog.tests.Email$Capture",
        "unique": "mllog.tests.Email$Unique",
    },
}
SETTINGS = {
    "xpack.security.enabled": "true",
    "xpack.security.http.ssl.enabled": "true",
    "xpack.security.http.ssl.certificate": "http.crt",
    "xpack.security.http.ssl.key": "http.key",
}


class SecuredNode(LocalNode):
    """The distribution with security on, for the superuser until somebody else logs in.

    Attributes:
        authority: That its certificate is of.
        authority_file: The authority's own certificate, in PEM.
    """

    def __init__(self, version: str = DEFAULT_VERSION, java: str = "") -> None:
        self.authority = trustme.CA()
        super().__init__(version, SETTINGS, java, home=secured_distribution(version))
        self.url = f"https://{HOST}:{self._port}"
        self.authority_file = self._folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.authority_file))
        self.authority_file.chmod(0o644)
        self._folder.chmod(0o755)
        self.login = (SUPERUSER, PASSWORD)
        self.context = ssl.create_default_context(cafile=self.authority_file)

    def answers(self) -> bool:
        """Whether it does, and has the index of roles, which comes a moment later."""
        try:
            self.request("GET", "/_security/role")
        except OSError:
            return False
        return super().answers()

    def prepare(self, config: pathlib.Path) -> None:
        """The certificate, and the superuser's password."""
        issued = self.authority.issue_cert(HOST)
        issued.cert_chain_pems[0].write_to_path(str(config / "http.crt"))
        issued.private_key_pem.write_to_path(str(config / "http.key"))
        subprocess.run(
            [self._home / "bin" / "elasticsearch-keystore", "add", "--stdin", "--force", "bootstrap.password"],
            check=True, input=PASSWORD, text=True, capture_output=True,
            env={**os.environ, "ES_JAVA_HOME": str(self._java), "ES_PATH_CONF": str(config)},
        )  # fmt: skip


def secured_distribution(version: str) -> pathlib.Path:
    """The unpacked distribution with the plugin in it, beside the one without; made once.

    Raises:
        NoNodeError: Where it can't be had.
    """
    plain = distribution(version)
    home = plain.with_name(f"{plain.name}-secured-{zlib.crc32(SOURCE.read_bytes()):08x}")
    with (cache_folder() / f".{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.is_dir():
            half = plain.with_name(f".{home.name}.{os.getpid()}")
            shutil.copytree(plain, half, copy_function=os.link)
            _plug(half, version)
            half.rename(home)
    return home


def _plug(home: pathlib.Path, version: str) -> None:
    """Compile the plugin and put it into a distribution."""
    java = java_home(version)
    if not (java / "bin" / "javac").exists():
        raise NoNodeError(f"{java} has no compiler: install a JDK (Debian: apt-get install openjdk-21-jdk-headless)")
    folder = home / "plugins" / PLUGIN
    classes = home / "classes"
    folder.mkdir(parents=True)
    jars = [path for name in ("lucene-core", "elasticsearch-plugin") for path in (home / "lib").glob(f"{name}*.jar")]
    for command in (
        [java / "bin" / "javac", "--release", "21", "-cp", os.pathsep.join(map(str, jars)), "-d", classes, SOURCE],
        [java / "bin" / "jar", "--create", "--file", folder / f"{PLUGIN}.jar", "-C", classes, "."],
    ):
        subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(classes)
    (folder / "named_components.json").write_text(json.dumps(COMPONENTS))
    descriptor = {
        "name": PLUGIN, "description": "for tests", "version": "1", "elasticsearch.version": version, "java.version": "21",
    }  # fmt: skip
    (folder / "stable-plugin-descriptor.properties").write_text("".join(f"{k}={v}\n" for k, v in descriptor.items()))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
