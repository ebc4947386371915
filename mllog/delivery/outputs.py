"""A model's output in any of its forms as ``ml.outputs`` and ``ml.explanation``."""

from __future__ import annotations

import math
from typing import Any, Final

from mllog.ruler import category_key

TOP_ATTRIBUTIONS: Final = 10

_USUAL: Final = ("label", "score")
_KNOWN: Final = frozenset({"label", "score", "value", "scores", "top_k", "explanation"})


def outputs_of(output: Any, *, regression: bool | None) -> tuple[dict[str, Any], dict[str, Any] | None, list[str]]:
    """Sort out a typed output.

    Args:
        output: A number, a label, a mapping, a vector or ``None``. A bare number is a score where it is in
            [0, 1] and the model a classifier, a value where it is a regression, and where nobody knows a value that
            is also a score in [0, 1].
        regression: Whether the card says that it is one; None where there is no card, or it doesn't say.

    Returns:
        ``ml.outputs``, ``ml.explanation`` where there is one, and marks of what could not be written.
    """
    if type(output) is dict and len(output) == len(_USUAL):
        label, score = output.get("label"), output.get("score")
        if type(score) is float and type(label) is str and label.isascii() and math.isfinite(score):
            return output, None, []
    given = _named(output, regression=regression)
    outputs: dict[str, Any] = {}
    replaced: list[str] = []
    for key in ("score", "value"):
        number = given.get(key)
        if isinstance(number, float | int) and math.isfinite(number):
            outputs[key] = float(number)
        elif number is not None:
            # A model that answers NaN is a finding; the mark says so, since JSON can't.
            replaced.append(f"@{key}")
    other = {name: value for name, value in given.items() if name not in _KNOWN}
    replaced += [f"@{name}" for name, value in other.items() if isinstance(value, float) and not math.isfinite(value)]
    scores, explanation = given.get("scores"), given.get("explanation")
    _add_label(given.get("label"), outputs, other, replaced)
    if isinstance(scores, float) and not math.isfinite(scores):
        replaced.append("@scores")
    elif scores is not None:
        outputs["scores"] = scores if isinstance(scores, dict) else {"all": scores}
    _add_top_k(given.get("top_k"), outputs, other, replaced)
    if other:
        outputs["other"] = other
    attributions = _explanation(explanation, replaced) if isinstance(explanation, dict) else None
    if explanation is not None and attributions is None:
        replaced.append("@explanation")
    return outputs, attributions, replaced


def _add_label(label: Any, outputs: dict[str, Any], other: dict[str, Any], replaced: list[str]) -> None:
    if isinstance(label, dict | list):
        other["label"] = label
    elif label is not None:
        key = class_key(label)
        if key is not None:
            outputs["label"] = key
        if not _is_kept(label, key):
            replaced.append("@label")


def _add_top_k(top: Any, outputs: dict[str, Any], other: dict[str, Any], replaced: list[str]) -> None:
    """One class alone is a list of one; what holds more than classes is kept as it came."""
    ranked = top if isinstance(top, list) else [top]
    if any(isinstance(item, dict | list) for item in ranked):
        other["top_k"] = top
    elif top is not None:
        keys = list(map(class_key, ranked))
        if not all(map(_is_kept, ranked, keys)):
            replaced.append("@top_k")
        classes = [key for key in keys if key is not None]
        if classes or not ranked:
            outputs["top_k"] = classes


def class_key(value: Any) -> str | None:
    """A class as it is counted; ``None`` where a typed value names none: NaN is no class, nor is an infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return category_key(value) if isinstance(value, str | float | int) else None


def _is_kept(value: Any, key: str | None) -> bool:
    """Whether a class is written as it came: of lone surrogates UTF-8 knows nothing."""
    return key is not None and (type(value) is not str or key == value)


def _named(output: Any, *, regression: bool | None) -> dict[str, Any]:
    if isinstance(output, list) and len(output) == 1:
        output = output[0]
    if output is None:
        return {}
    if isinstance(output, dict):
        return output
    if isinstance(output, bool | str):
        return {"label": output}
    if isinstance(output, float | int):
        if regression is None:
            # Nobody said what it is: a stream must not be split by its values, so the value is always there.
            return {"value": output, "score": output} if 0 <= output <= 1 else {"value": output}
        return {"value" if regression or not 0 <= output <= 1 else "score": output}
    return {"output": output}


def _explanation(attributions: dict[str, Any], replaced: list[str]) -> dict[str, Any]:
    numbers = {
        name: float(value)
        for name, value in attributions.items()
        if isinstance(value, float | int) and math.isfinite(value)
    }
    if len(numbers) < len(attributions):
        replaced.append("@explanation")
    top = sorted(numbers, key=lambda name: -abs(numbers[name]))[:TOP_ATTRIBUTIONS]
    return {"features": top, "values": {name: numbers[name] for name in top}}
