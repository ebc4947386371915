"""Where messages go: a list of Apprise URLs, each for some models and from some severity on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Final

from watchers.finding import SEVERITIES, Severity

VARIABLE: Final = "MLLOG_NOTIFY"


@dataclass(frozen=True, slots=True)
class Route:
    """One receiver.

    Attributes:
        url: Apprise URL; it may hold secrets, so it appears in no message, log or ``repr``.
        models: Patterns of model names (``fraud-*``).
        severity: The least severity it's told of.
    """

    url: str
    models: tuple[str, ...] = ("*",)
    severity: Severity = "warning"

    @property
    def name(self) -> str:
        """Its service; all that may be shown of it."""
        scheme = self.url.partition("://")[0].lower()
        return scheme if scheme.isalnum() and scheme != self.url.lower() else "unknown service"

    @property
    def key(self) -> str:
        """The same for the same receiver, in the store of any scheduler; its URL can't be told from it."""
        return _key(self.url)

    def __repr__(self) -> str:
        return f"Route({self.name}://…, models={self.models}, severity={self.severity!r})"

    def takes(self, model: str, severity: Severity) -> bool:
        """Whether its receiver wants to know of an incident of ``model`` that is so severe."""
        severe = SEVERITIES.index(severity) >= SEVERITIES.index(self.severity)
        return severe and any(fnmatchcase(model, pattern) for pattern in self.models)


@cache
def _key(url: str) -> str:
    # Slow by intent: a URL may hold a weak password, which a quick hash would let somebody guess.
    return hashlib.scrypt(url.encode("utf-8", "surrogatepass"), salt=b"mllog route", n=2**14, r=8, p=1, dklen=8).hex()


def routes(configured: Iterable[str | Mapping[str, Any]] = (), environ: Mapping[str, str] | None = None) -> list[Route]:
    """Routes of the configuration, then those of the environment.

    Args:
        configured: URLs, or ``{"url", "models", "severity"}``.
        environ: Environment (default: the process's). ``MLLOG_NOTIFY`` holds URLs, blanks between them, or
            a JSON list of what ``configured`` takes.

    Raises:
        ValueError: something in it is no route; the message says which, without its URL.
    """
    result = []
    for number, entry in enumerate([*configured, *listed(os.environ if environ is None else environ)], start=1):
        route = _route({"url": entry} if isinstance(entry, str) else entry, number)
        if route not in result:
            result.append(route)
    return result


def listed(environ: Mapping[str, str]) -> list[Any]:
    """What ``MLLOG_NOTIFY`` lists: URLs, or what :func:`routes` takes.

    Raises:
        ValueError: it begins as JSON and isn't a list.
    """
    text = environ.get(VARIABLE, "").strip()
    if not text.startswith("["):
        return text.split()
    try:
        return list(json.loads(text))
    except ValueError:
        raise ValueError(f"{VARIABLE} begins with '[' but isn't a JSON list") from None


def _route(entry: Any, number: int) -> Route:
    if not isinstance(entry, Mapping) or "://" not in str(entry.get("url", "")):
        raise ValueError(f"notification route {number} has no URL; expected for example slack://… or mailto://…")
    severity = entry.get("severity", "warning")
    if severity not in SEVERITIES:
        raise ValueError(f"notification route {number}: severity must be one of {', '.join(SEVERITIES)}")
    models = entry.get("models", "*")
    return Route(str(entry["url"]), (models,) if isinstance(models, str) else tuple(map(str, models)), severity)
