"""Streaming models: a generator passed on as it is, with one event when it is over."""

from __future__ import annotations

import codecs
import functools
import hashlib
from typing import TYPE_CHECKING, Any, Final

from mllog import values

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from mllog.integrations.calls import Request

    RequestOf = Callable[[tuple[Any, ...], dict[str, Any]], Request]

ITEM_LIMIT: Final = 100
"""Items that are kept of a stream that isn't text."""

CHARACTER_LIMIT: Final = values.TEXT_LIMIT - 32
"""Characters that are kept of one that is: with mark and hash they still are one text."""


class Items:
    """What a stream gave, within bounds: texts joined, anything else as a list."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[Any] = []
        self._texts = True
        self._length = 0
        self._hash = hashlib.sha256()
        self._cut: values.Cut | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, item: Any) -> None:
        """One more item, as it is now."""
        self.count += 1
        kind = type(item)
        if self._texts and issubclass(kind, str | bytes):
            # As the base class has them: a subclass may do anything.
            self._add_text(str.__str__(item) if issubclass(kind, str) else self._decoder.decode(item))
            return
        if self._texts:  # from here on a list
            self._texts = False
            if self._cut is not None:
                self._kept[-1] = self._cut
            del self._kept[ITEM_LIMIT:]
        if len(self._kept) < ITEM_LIMIT:
            self._kept.append(values.typed(item))

    def _add_text(self, text: str) -> None:
        room = CHARACTER_LIMIT - self._length
        self._length += len(text)
        self._hash.update(text.encode("utf-8", "surrogatepass"))
        if room > 0:
            self._kept.append(text[:room])
            self._cut = values.cut(text, room) if len(text) > room else None

    def output(self) -> Any:
        """The output of the prediction: a text, a list, or ``None`` where nothing came.

        What was cut says so: a text ends in ``… #`` and the hash of all of it, a list in ``… N more``.
        """
        if not self.count:
            return None
        if self._texts:
            text = "".join(self._kept)
            digest = self._hash.hexdigest()[: values.DIGEST]
            return values.Cut.of(text, self._length, digest) if self._length > CHARACTER_LIMIT else text
        more = self.count - len(self._kept)
        return [*self._kept, f"… {more} more"] if more else list(self._kept)


def streamed(function: Callable[..., Generator[Any, Any, Any]], request_of: RequestOf) -> Callable[..., Any]:
    """A generator function that does what ``function`` does, whatever is sent or thrown into its generators.

    Everything is passed through by hand, ``GeneratorExit`` too, so that closing early, a value that is returned
    and an exception that is swallowed all behave as without it (compare PEP 380's expansion of ``yield from``).
    """

    @functools.wraps(function)
    def stream(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with request_of(args, kwargs) as request:
            items = Items()
            value: Any = None
            try:
                generator = function(*args, **kwargs)
                step: Callable[[Any], Any] = generator.send
                while True:
                    try:
                        item = step(value)
                    except StopIteration as stop:
                        return stop.value
                    items.add(item)
                    try:
                        value = yield item
                        step = generator.send
                    except BaseException as thrown:  # noqa: BLE001 - the generator's business
                        step, value = generator.throw, thrown
            finally:
                value = None  # else an exception whose traceback holds this frame would be held by it
                request.output = items.output()

    return stream


def streamed_async(function: Callable[..., AsyncGenerator[Any, Any]], request_of: RequestOf) -> Callable[..., Any]:
    """The same for asynchronous generators."""

    @functools.wraps(function)
    async def stream(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with request_of(args, kwargs) as request:
            items = Items()
            value: Any = None
            try:
                generator = function(*args, **kwargs)
                step: Callable[[Any], Any] = generator.asend
                while True:
                    try:
                        item = await step(value)
                    except StopAsyncIteration:
                        return
                    items.add(item)
                    try:
                        value = yield item
                        step = generator.asend
                    except BaseException as thrown:  # noqa: BLE001 - the generator's business
                        step, value = generator.athrow, thrown
            finally:
                value = None
                request.output = items.output()

    return stream
