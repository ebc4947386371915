"""How to ask a framework for the pattern of a route, where it doesn't leave it with the request."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def django_route(app: Any, path_of: Callable[[Any], str]) -> Callable[[Any], str | None] | None:
    """Where ``app`` is Django's handler: a function that resolves a request's path once more, by its URL patterns.

    Args:
        app: The application.
        path_of: The path of a request, from the ASGI scope or the WSGI environ.
    """
    if not type(app).__module__.startswith("django."):
        return None

    def route(source: Any) -> str | None:
        urls = importlib.import_module("django.urls")  # there, since the application is Django's
        try:
            return f"/{urls.resolve(path_of(source)).route}"
        except urls.Resolver404:
            return None

    return route
