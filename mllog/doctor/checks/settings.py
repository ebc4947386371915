"""Settings: the ``MLLOG_*`` variables that are set, whether anybody reads them, and whether they are possible.

Whether they are is asked of those who read them, in the environment of this process.
"""

from __future__ import annotations

import difflib
import importlib.util
import os
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from mllog.delivery import settings, setup
from mllog.delivery.sinks import spool_bound
from mllog.doctor.base import Diagnosis
from mllog.elastic.roles import ROLES, variable
from mllog.errors import MllogError
from mllog.places import parse, without_password
from mllog.shipping.destinations import credentials, tls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllog.doctor.base import Subject

SECRET: Final = frozenset(
    {
        "MLLOG_API_KEY",
        "MLLOG_BEARER_TOKEN",
        "MLLOG_CLIENT_KEY_PASSWORD",
        "MLLOG_NOTIFY",  # URLs of notification services hold their tokens
        "MLLOG_PASSWORD",
        "MLLOG_SALT",
        *(variable(role.name) for role in ROLES),
    }
)

_PREFIX: Final = "MLLOG_"
_TESTS: Final = "MLLOG_TEST_"

_ANYTHING: Final = None
"""Any text is possible."""


def _timeout() -> None:
    if importlib.util.find_spec("urllib3") is not None:  # without it nobody reads it, and the check of versions says so
        from mllog.shipping.destinations.http import answer_seconds  # noqa: PLC0415 - an extra

        answer_seconds()


def _salt() -> None:
    from mllog.privacy.hashing import salt_of  # noqa: PLC0415 - most have none

    salt_of(None)


def _present() -> None:
    tls.present(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def _basic() -> None:
    credentials.user_and_password(os.environ)


def _named(**given: str) -> None:
    named = {"model": "model", "version": "1", **given}
    setup.check(**named, artifact=None, card=None, environment=None, salt=None)


LOGGERS: Final[Mapping[str, Callable[[], object] | None]] = {
    **{f"{_PREFIX}{name.upper()}": partial(read, None) for name, read in settings.READERS.items()},
    "MLLOG_CARD": _ANYTHING,  # the check of cards reads it
    "MLLOG_MODEL": lambda: _named(model=os.environ["MLLOG_MODEL"]),
    "MLLOG_SALT": _salt,
    "MLLOG_SAMPLING": lambda: setup.sampler(None),
    "MLLOG_SERVICE_ENVIRONMENT": _ANYTHING,
    "MLLOG_SERVICE_VERSION": _ANYTHING,
    "MLLOG_SINK": lambda: parse(os.environ["MLLOG_SINK"]),
    "MLLOG_SPOOL": _ANYTHING,
    "MLLOG_SPOOL_BYTES": spool_bound,
    "MLLOG_VERSION": lambda: _named(version=os.environ["MLLOG_VERSION"]),
}
"""Variables that an argument of a logger replaces, and who reads each; that raises where it is impossible."""

OTHERS: Final[Mapping[str, Callable[[], object] | None]] = {
    "MLLOG_API_KEY": lambda: credentials.api_key(os.environ),
    "MLLOG_BEARER_TOKEN": lambda: credentials.bearer_token(os.environ),
    "MLLOG_CA_CERTS": tls.trusting,
    "MLLOG_CLIENT_CERT": _present,
    "MLLOG_CLIENT_KEY": _present,
    "MLLOG_CLIENT_KEY_PASSWORD": _ANYTHING,  # read with the key
    "MLLOG_COMMIT": _ANYTHING,
    "MLLOG_IMAGE": _ANYTHING,
    "MLLOG_NOTIFY": _ANYTHING,  # the watchers', who say what is wrong with it
    "MLLOG_PASSWORD": _basic,
    "MLLOG_PURE_PYTHON": _ANYTHING,
    "MLLOG_TIMEOUT": _timeout,
    "MLLOG_USERNAME": _basic,
    **{variable(role.name): _ANYTHING for role in ROLES},  # read by mllog setup --user
}
"""The same of all other variables that something of this project reads."""

KNOWN: Final = LOGGERS.keys() | OTHERS.keys()


class Settings:
    """The check."""

    name = "settings"

    def run(self, subject: Subject) -> Iterator[Diagnosis]:
        """One line for all that are fine, one for each that isn't."""
        given = {name: value for name, value in sorted(subject.variables.items()) if name.startswith(_PREFIX)}
        # What nobody knows may be a secret whose name somebody mistyped.
        open_ = KNOWN - SECRET
        shown = {name: without_password(value) if name in open_ else "***" for name, value in given.items()}
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
        yield from self._impossible(name for name in given if os.environ.get(name))
        yield from self._useless(subject)

    def _impossible(self, given: Iterator[str]) -> Iterator[Diagnosis]:
        told = set()
        for name in given:
            read = {**LOGGERS, **OTHERS}.get(name)
            if read is None:
                continue
            try:
                read()
            except MllogError as error:
                if str(error) in told:  # a certificate and its key are read together
                    continue
                told.add(str(error))
                argument = "; a logger that is given the argument instead isn't concerned" if name in LOGGERS else ""
                yield Diagnosis(
                    self.name,
                    "problem",
                    f"{name} can't be used: {error}",
                    f"mend the variable{argument}",
                    {"variable": name, "field": error.field},
                )

    def _useless(self, subject: Subject) -> Iterator[Diagnosis]:
        variables = subject.variables
        if not variables.get("MLLOG_PASSWORD") or variables.get("MLLOG_USERNAME"):
            return
        if all(place.user is None for place in subject.places):
            yield Diagnosis(
                self.name,
                "warning",
                "MLLOG_PASSWORD is set, and nothing here says whose it is",
                "set MLLOG_USERNAME; where a logger's own place names the user, name that place (--sink)",
                {"variable": "MLLOG_PASSWORD"},
            )


check = Settings()
