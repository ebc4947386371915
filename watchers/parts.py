"""The parts of one prediction that came as events of their own, joined by its id: inputs, output, label, ..."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_MISSING_VALUES: Final = {"null": None, "nan": "NaN", "infinite": "Infinity", "empty": "", "sentinel": None}


def join(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One view of a prediction, in whatever order its events come; one that comes twice changes nothing.

    Args:
        events: All events of the prediction.

    Returns:
        ``parts``: for inputs, output, explanation, label and outcome the ``value`` that counts, which is the latest by
        event time (of an output each field for itself, so that scores may come after the label), when it was said
        (``at``) and by which ``event``; ``missing``: inputs or output where there is no event of them;
        ``conflicts``: parts of which different values were said, with all of them, oldest first.
    """
    once = {str(find(event, "event.id")): event for event in events}
    ordered = sorted(once.values(), key=lambda event: (str(find(event, "@timestamp")), str(find(event, "event.id"))))
    parts: dict[str, dict[str, Any]] = {}
    conflicts: dict[str, list[dict[str, Any]]] = {}

    def say(name: str, value: Any, event: Mapping[str, Any]) -> dict[str, Any]:
        said = {"value": value, "at": find(event, "@timestamp"), "event": find(event, "event.id")}
        before = conflicts.setdefault(name, [])
        if value not in [one["value"] for one in before]:
            before.append(said)
        return said

    for event in ordered:
        for name, read in _PARTS.items():
            value = read(event)
            if value is None:
                continue
            if name == "output":
                for key, one in value.items():
                    said = say(f"output.{key}", one, event)
                parts[name] = {**said, "value": {**parts.get(name, {"value": {}})["value"], **value}}
            else:
                parts[name] = say(name, value, event)
    return {
        "parts": {name: parts[name] for name in _PARTS if name in parts},
        "missing": [name for name in ("inputs", "output") if name not in parts],
        "conflicts": [{"part": name, "values": values} for name, values in conflicts.items() if len(values) > 1],
    }


def find(event: Mapping[str, Any], path: str) -> Any:
    """A value of an event, however its dots were written; None where there is none."""
    if path in event:
        return event[path]
    head, rest = "", path
    while "." in rest:
        step, _, rest = rest.partition(".")
        head = f"{head}.{step}" if head else step
        inner = event.get(head)
        value = find(inner, rest) if isinstance(inner, dict) else None
        if value is not None:
            return value
    return None


def _inputs(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """Inputs by name; those that were sent without a value too, as what they were."""
    if find(event, "event.action") != "predict":
        return None
    inputs: dict[str, Any] = {}
    for kind in ("number", "keyword", "boolean", "text", "other"):
        inputs |= find(event, f"ml.inputs.{kind}") or {}
    for kind, value in _MISSING_VALUES.items():
        for name in find(event, f"ml.missing.{kind}") or ():
            inputs.setdefault(name, value)
    return inputs or None


def _output(event: Mapping[str, Any]) -> dict[str, Any] | None:
    return find(event, "ml.outputs") or None


_PARTS: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "inputs": _inputs,
    "output": _output,
    "explanation": lambda event: find(event, "ml.explanation.values"),
    "label": lambda event: find(event, "ml.label.value"),
    "outcome": lambda event: find(event, "ml.outcome.value"),
}
