"""Exceptions of which somebody has made text before they come here: structlog's renderers, a pickled record, a caller.

They are what they were, ``error.*``, whatever key they come under: a policy that drops messages must find them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from mllog import events, values

_KEYS: Final = frozenset({"error", "exc_info", "exc_text", "exception"})
"""Where frameworks put an exception, or the text of one."""

_HEADER: Final = "Traceback (most recent call last):"
_STACK: Final = "Stack (most recent call last):"
_FIGURES: Final = (int, float, type(None))
_RAISED: Final = re.compile(
    rf"{re.escape(_HEADER)}\n(?:[ \t].*\n)+(?:\w+\.)*(\w+)(?:: (?P<message>.*))?\Z", re.DOTALL | re.ASCII
)


@dataclass(slots=True)
class ToldError:
    """What is known of an exception, and of the call that logged it.

    Attributes:
        exception: Itself, where there is one.
        messages: What was said of it.
        traces: Tracebacks as text, with the stack of the call.
        type: Its class by name, where only that is known.
    """

    exception: BaseException | None = None
    messages: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    type: str | None = None

    @property
    def is_failure(self) -> bool:
        """Whether anything went wrong; the stack of a call says nothing of that."""
        return self.exception is not None or bool(self.messages) or any(_HEADER in trace for trace in self.traces)

    @property
    def says_more(self) -> bool:
        """Whether anything is known beside the exception itself."""
        return bool(self.messages or self.traces)

    def take(self, key: Any, value: Any) -> bool:
        """Take what a key of a log call says of an exception; whether it says anything."""
        kind = type(value)
        if issubclass(kind, str):
            text = str.__str__(value)
            if _HEADER in text:
                self._take_trace(text)
            elif text.startswith(_STACK):
                self.traces.insert(0, text)
            elif key in _KEYS:
                self.messages.append(text)
            else:
                return False
            return True
        if type(key) is not str or key not in _KEYS or issubclass(kind, _FIGURES):
            return False
        if issubclass(kind, BaseException) and self.exception is None:
            self.exception = value
        elif kind is not list or not self._take_frames(value):
            self.messages.append(values.text_of(value))
        return True

    def fields(self) -> dict[str, str]:
        """``error.*``."""
        fields = {} if self.exception is None else events.error_fields(self.exception)
        if self.type is not None:
            fields.setdefault("type", self.type)
        messages = [*self.messages, *([fields["message"]] if "message" in fields else ())]
        if messages:
            fields["message"] = values.text_of(": ".join(filter(None, messages)))
        traces = [*self.traces, *([fields["stack_trace"]] if "stack_trace" in fields else ())]
        if traces:
            fields["stack_trace"] = "\n".join(traces)[-values.TEXT_LIMIT :]
        return fields

    def _take_trace(self, text: str) -> None:
        self.traces.append(text)
        found = _RAISED.search(text, text.rindex(_HEADER))
        if found is not None and self.type is None:
            self.type = found[1]
            self.messages.append(found["message"] or "")

    def _take_frames(self, traces: list[Any]) -> bool:
        """Tracebacks as structlog's ``dict_tracebacks`` has them, the last one first; without local variables."""
        try:
            lines = [line for trace in reversed(traces) for line in _lines(trace)]
            kind, message = str(traces[0]["exc_type"]), str(traces[0]["exc_value"])
        except Exception:  # noqa: BLE001 - a list of something else
            return False
        self.traces.append("\n".join(lines))
        self.type = self.type or kind
        self.messages.append(message)
        return True


def _lines(trace: Any) -> list[str]:
    frames = trace["frames"][-events.TRACE_FRAMES :]
    return [
        _HEADER,
        *(f'  File "{frame["filename"]}", line {frame["lineno"]}, in {frame["name"]}' for frame in frames),
        f"{trace['exc_type']}: {trace['exc_value']}",
    ]
