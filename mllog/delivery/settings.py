"""What may be set about a logger, from arguments first, ``MLLOG_*`` variables second, defaults last."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from mllog.delivery.queue import OVERFLOWS, Overflow
from mllog.delivery.spool import SEGMENT_BYTES
from mllog.errors import SettingError
from mllog.places import checked_namespace

DEFAULT_SINK: Final = "events/"
MAX_BYTES: Final = 64 * 2**20
FLUSH_INTERVAL: Final = 0.05
RESOURCE_SECONDS: Final = 60.0
ROLES: Final = ("champion", "shadow", "canary")


@dataclass(frozen=True, slots=True)
class Settings:
    """Checked settings of one logger."""

    role: str
    service: Mapping[str, str]
    namespace: str
    flush_interval: float
    max_bytes: int
    overflow: Overflow
    durable: bool
    segment_bytes: int
    spool: str | os.PathLike[str] | None
    spool_bytes: int | None
    resources: float


def resolve(
    *,
    role: str | None,
    service: str | Mapping[str, str] | None,
    namespace: str | None,
    flush_interval: float | None,
    max_bytes: int | None,
    overflow: str | None,
    durable: str | None,
    segment_bytes: int | None,
    spool: str | os.PathLike[str] | None,
    spool_bytes: int | None,
    resources: float | None,
) -> Settings:
    """Settings from arguments (``None``: not given) and the environment.

    Raises:
        SettingError: Where a value is impossible.
    """
    given = {
        "role": role,
        "service": service,
        "namespace": namespace,
        "flush_interval": flush_interval,
        "max_bytes": max_bytes,
        "overflow": overflow,
        "durable": durable,
        "segment_bytes": segment_bytes,
        "resources": resources,
    }
    return Settings(
        **{name: READERS[name](value) for name, value in given.items()},
        spool=spool,
        # The sink's business, and only that of one that ships.
        spool_bytes=None if spool_bytes is None else int(number("spool_bytes", spool_bytes, 1)),
    )


alone: Final[ContextVar[bool]] = ContextVar("mllog_alone", default=False)
"""Whether ``MLLOG_*`` variables are looked past: users' tests don't depend on who runs them."""


def variable(name: str) -> str | None:
    """``MLLOG_<NAME>``, where it is set and not empty."""
    if alone.get():
        return None
    return os.environ.get(f"MLLOG_{name.upper()}") or None


def _choice(name: str, value: str | None, choices: tuple[str, ...], default: str) -> str:
    value = value if value is not None else variable(name)
    if value is None:
        return default
    if value not in choices:
        raise SettingError(f"{name} {value!r}: write one of {', '.join(choices)}", field=name, value=value)
    return value


def number(name: str, value: float | None, default: float, *, zero: bool = False) -> float:
    """A number from an argument (``None``: not given), ``MLLOG_<NAME>``, or the default.

    Raises:
        SettingError: Where it isn't above 0; ``zero``: or 0.
    """
    raw: Any = value if value is not None else variable(name) or default
    try:
        given = -1.0 if isinstance(raw, bool) else float(raw)
    except (TypeError, ValueError, OverflowError):
        given = -1.0
    if not (0 < given < float("inf") or (zero and given == 0)):
        least = "0 (never) or a number above it" if zero else "a number above 0"
        raise SettingError(f"{name} {raw!r}: write {least}", field=name, value=raw)
    return given


def check_clock(clock: object) -> None:
    """Look whether something can be asked for the time.

    Raises:
        SettingError: Where it can't be called.
    """
    if not callable(clock):
        raise SettingError(
            f"clock {clock!r}: give a function without arguments that returns nanoseconds since 1970, "
            "such as time.time_ns",
            field="clock",
            value=clock,
        )


def check_kind(name: str, value: object, kinds: tuple[type, ...], remedy: str) -> None:
    """Look whether a setting that may be left out is of a usable type.

    Raises:
        SettingError: Where it isn't.
    """
    if value is not None and not isinstance(value, kinds):
        raise SettingError(f"{name} {value!r}: {remedy}", field=name, value=value)


def _namespace(value: str | None) -> str:
    return checked_namespace(value or variable("namespace") or "default")


def _service(value: str | Mapping[str, str] | None) -> dict[str, str]:
    if isinstance(value, str):
        return {"name": value}
    if value is not None:
        check_kind("service", value, (Mapping,), "write its name, or a mapping of name, version and environment")
        unknown = sorted(set(value) - {"name", "version", "environment"})
        if unknown:
            raise SettingError(
                f"service has {', '.join(unknown)}: write name, version or environment",
                field="service",
                value=value,
            )
        return {name: str(text) for name, text in value.items()}
    found = {
        "name": variable("service"),
        "version": variable("service_version"),
        "environment": variable("service_environment"),
    }
    return {name: text for name, text in found.items() if text}


READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "role": lambda value: _choice("role", value, ROLES, "champion"),
    "service": _service,
    "namespace": _namespace,
    # As long as a thread can wait: centuries.
    "flush_interval": lambda value: min(number("flush_interval", value, FLUSH_INTERVAL), threading.TIMEOUT_MAX),
    "max_bytes": lambda value: int(number("max_bytes", value, MAX_BYTES)),
    "overflow": lambda value: _choice("overflow", value, OVERFLOWS, "drop_new"),
    "durable": lambda value: _choice("durable", value, ("each", "interval"), "interval") == "each",
    "segment_bytes": lambda value: int(number("segment_bytes", value, SEGMENT_BYTES)),
    "resources": lambda value: number("resources", value, RESOURCE_SECONDS, zero=True),
}
"""What reads each setting: from what was given (``None``: nothing), else its variable, else the default.

Raises :class:`mllog.errors.SettingError` where that is impossible.
"""
