"""Typed values made anew: every string, key and number of one passed through functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def rewrite(value: Any, text: Callable[[str], str], number: Callable[[float], float | str]) -> Any:
    """A typed value with every string, key and number passed through a function; nothing that was given is changed."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return named(((text(key), rewrite(item, text, number)) for key, item in value.items()))
    if isinstance(value, list):
        return [rewrite(item, text, number) for item in value]
    if isinstance(value, int | float):
        return number(value)
    return value


def named(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of all items; where two keys became the same mark, the later ones are numbered."""
    result: dict[str, Any] = {}
    for key, item in items:
        free, n = key, 1
        while free in result:
            n += 1
            free = f"{key}{n}"
        result[free] = item
    return result
