"""What may be set about a logger, from arguments first, ``MLLOG_*`` variables second, defaults last."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, get_args

from mllog.delivery.queue import OVERFLOWS, Overflow
from mllog.delivery.spool import SEGMENT_BYTES
from mllog.errors import SettingError

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
    chosen = _choice("overflow", overflow, OVERFLOWS, "drop_new")
    return Settings(
        role=_choice("role", role, ROLES, "champion"),
        service=_service(service),
        namespace=_namespace(namespace),
        # As long as a thread can wait: centuries.
        flush_interval=min(number("flush_interval", flush_interval, FLUSH_INTERVAL), threading.TIMEOUT_MAX),
        max_bytes=int(number("max_bytes", max_bytes, MAX_BYTES)),
        overflow=next(name for name in get_args(Overflow) if name == chosen),
        durable=_choice("durable", durable, ("each", "interval"), "interval") == "each",
        segment_bytes=int(number("segment_bytes", segment_bytes, SEGMENT_BYTES)),
        spool=spool,
        spool_bytes=None if spool_bytes is None else int(number("spool_bytes", spool_bytes, 1)),
        resources=number("resources", resources, RESOURCE_SECONDS, zero=True),
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
    namespace = value or variable("namespace") or "default"
    if (
        not all(letter.islower() or letter.isdigit() or letter in "_." for letter in namespace)
        or len(namespace) > 100
    ):
        raise SettingError(
            f"namespace {namespace!r}: a data stream's namespace has lower-case letters, digits, '_' and '.'",
            field="namespace",
            value=namespace,
        )
    return namespace


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
