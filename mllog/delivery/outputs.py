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
    label, scores, top = given.get("label"), given.get("scores"), given.get("top_k")
    if isinstance(label, str | float | int):
        outputs["label"] = category_key(label)
        if type(label) is str and outputs["label"] != label:  # lone surrogates
            replaced.append("@label")
    elif label is not None:
        other["label"] = label
    if scores is not None:
        outputs["scores"] = scores if isinstance(scores, dict) else {"all": scores}
    if isinstance(top, list):
        outputs["top_k"] = [category_key(item) for item in top if isinstance(item, str | float | int)]
    if other:
        outputs["other"] = other
    explanation = given.get("explanation")
    return outputs, _explanation(explanation) if isinstance(explanation, dict) else None, replaced


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


def _explanation(attributions: dict[str, Any]) -> dict[str, Any]:
    numbers = {
        name: float(value)
        for name, value in attributions.items()
        if isinstance(value, float | int) and math.isfinite(value)
    }
    top = sorted(numbers, key=lambda name: -abs(numbers[name]))[:TOP_ATTRIBUTIONS]
    return {"features": top, "values": {name: numbers[name] for name in top}}
