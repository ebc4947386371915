"""Settings: the ``MLLOG_*`` variables that are set, whether anybody reads them, and whether they are possible."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from mllog.delivery import settings
from mllog.doctor.base import Diagnosis
from mllog.errors import MllogError
from mllog.places import parse, without_password

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllog.doctor.base import Subject

SECRET: Final = frozenset(
    {
        "MLLOG_API_KEY",
        "MLLOG_BEARER_TOKEN",
        "MLLOG_NOTIFY",  # URLs of notification services hold their tokens
        "MLLOG_PASSWORD",
        "MLLOG_SALT",
    }
)
KNOWN: Final = SECRET | {
    "MLLOG_CARD",
    "MLLOG_CA_CERTS",
    "MLLOG_CLIENT_CERT",
    "MLLOG_CLIENT_KEY",
    "MLLOG_COMMIT",
    "MLLOG_DURABLE",
    "MLLOG_FLUSH_INTERVAL",
    "MLLOG_IMAGE",
    "MLLOG_MAX_BYTES",
    "MLLOG_MODEL",
    "MLLOG_NAMESPACE",
    "MLLOG_OVERFLOW",
    "MLLOG_PURE_PYTHON",
    "MLLOG_RESOURCES",
    "MLLOG_ROLE",
    "MLLOG_SAMPLING",
    "MLLOG_SEGMENT_BYTES",
    "MLLOG_SERVICE",
    "MLLOG_SERVICE_ENVIRONMENT",
    "MLLOG_SERVICE_VERSION",
    "MLLOG_SINK",
    "MLLOG_SPOOL",
    "MLLOG_SPOOL_BYTES",
    "MLLOG_TIMEOUT",
    "MLLOG_USERNAME",
    "MLLOG_VERSION",
}
"""Every variable that something of this project reads."""

_PREFIX: Final = "MLLOG_"
_TESTS: Final = "MLLOG_TEST_"


class Settings:
    """The check."""

    name = "settings"

    def run(self, subject: Subject) -> Iterator[Diagnosis]:
        """One line for all that are fine, one for each that isn't."""
        given = {name: value for name, value in sorted(subject.variables.items()) if name.startswith(_PREFIX)}
        shown = {name: "***" if name in SECRET else without_password(value) for name, value in given.items()}
        text = ", ".join(f"{name}={value}" for name, value in shown.items())
        yield Diagnosis(
            self.name,
            "ok",
            f"set here: {text}" if text else "no MLLOG_* variable is set here",
            figures={"variables": shown},
        )
        for name in given:
            if name not in KNOWN and not name.startswith(_TESTS):
                meant = difflib.get_close_matches(name, KNOWN, n=1)
                yield Diagnosis(
                    self.name,
                    "warning",
                    f"{name} is set, and nothing reads it",
                    f"write {meant[0]}, if that was meant" if meant else "unset it",
                    {"variable": name},
                )
        yield from self._impossible()

    def _impossible(self) -> Iterator[Diagnosis]:
        # By what a logger does itself, in the environment of this process.
        options = dict.fromkeys(
            (
                "role", "service", "namespace", "flush_interval", "max_bytes", "overflow", "durable", "segment_bytes",
                "spool", "spool_bytes", "resources",
            )
        )  # fmt: skip
        try:
            settings.resolve(**options)
            sink = settings.variable("sink")
            if sink:
                parse(sink)
        except MllogError as error:
            yield Diagnosis(
                self.name,
                "problem",
                f"no logger can be made here: {error}",
                "mend the variable; a logger that is given the argument instead isn't concerned",
                {"field": error.field},
            )


check = Settings()
