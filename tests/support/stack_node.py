"""A node with the settings that docker-compose.yml gives to Elasticsearch, and the certificates that its script makes."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING, Final

from support.elasticsearch import DEFAULT_VERSION, QUICK, LocalNode
from support.secured import SUPERUSER, secured_distribution

if TYPE_CHECKING:
    import pathlib

    from support.stack import Service

LEFT_OUT: Final = {
    "bootstrap.memory_lock",  # a test locks no memory
    "ingest.geoip.downloader.enabled",  # of a module that the distribution of Maven Central hasn't got
    "path.repo",  # stands elsewhere here
}


class StackNode(LocalNode):
    """That node.

    Attributes:
        home: Its working directory: below it the same paths as in its container.
    """

    def __init__(self, service: Service, certificates: pathlib.Path) -> None:
        self._certificates = certificates
        self._password = service.environment["ELASTIC_PASSWORD"]
        settings = {name: value for name, value in service.environment.items() if re.fullmatch(r"[a-z_.]+", name)}
        settings = {name: value for name, value in settings.items() if name not in LEFT_OUT}
        super().__init__(DEFAULT_VERSION, settings, QUICK, home=secured_distribution(DEFAULT_VERSION))
        self.home = self._folder
        self.port = self._port
        self.url = f"https://localhost:{self._port}"
        self.login = (SUPERUSER, self._password)
        self.context = ssl.create_default_context(cafile=str(certificates / "trust" / "ca.crt"))

    def prepare(self, config: pathlib.Path) -> None:
        """The service's own certificates, and the superuser's password as its image puts it there."""
        shutil.copytree(self._certificates / "elasticsearch", config / "certs")
        (self._folder / "snapshots").mkdir()
        with (config / "elasticsearch.yml").open("a") as settings:
            settings.write(f"path.repo: {self._folder}/snapshots\n")
        subprocess.run(
            [self._home / "bin" / "elasticsearch-keystore", "add", "--stdin", "--force", "bootstrap.password"],
            check=True, input=self._password, text=True, capture_output=True,
            env={**os.environ, "ES_JAVA_HOME": str(self._java), "ES_PATH_CONF": str(config)},
        )  # fmt: skip
