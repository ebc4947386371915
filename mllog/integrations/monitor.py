"""The decorator: functions, methods and streams with an event for each call."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

from mllog import values
from mllog.delivery.snapshot import WHOLE, Snapshot
from mllog.errors import SettingError
from mllog.integrations.calls import Request
from mllog.integrations.streams import streamed, streamed_async
from mllog.structures import field_names

if TYPE_CHECKING:
    from mllog.logger import ModelLogger

P = ParamSpec("P")
R = TypeVar("R")

Chosen = str | Callable[..., Any] | None
"""The name of an argument, or a function of the call's arguments."""

_log: Final = logging.getLogger("mllog")
_NAMED: Final = (
    "keys", "model_dump", "__dataclass_fields__", "__attrs_attrs__", "_asdict", "to_pydict", "iter_columns",
)  # fmt: skip
"""What types have that hold values by name: mappings, a Series, pydantic's, dataclasses, attrs', named tuples, rows of
databases and frames."""


def monitor(
    log: ModelLogger, function: Callable[P, R], *, inputs: Chosen = None, id_: Chosen = None, user: Chosen = None
) -> Callable[P, R]:
    """``function`` with an event for each call; :meth:`mllog.ModelLogger.monitor` documents the arguments.

    Raises:
        SettingError: Where ``function`` is none, or a class, or has no argument of a name that was given.
    """
    if isinstance(function, classmethod | staticmethod):
        inner = monitor(log, function.__func__, inputs=inputs, id_=id_, user=user)
        return cast("Callable[P, R]", type(function)(inner))
    if not callable(function) or isinstance(function, type):
        # A class would be a function from then on, which isinstance() and its subclasses could make nothing of.
        raise SettingError(
            f"monitor {function!r}: give a function; of a class, one of its methods", field="function", value=function
        )
    request_of = _Requests(log, function, inputs, id_, user).request
    if _is(inspect.isasyncgenfunction, function):
        return streamed_async(cast("Any", function), request_of)
    if _is(inspect.isgeneratorfunction, function):
        return streamed(cast("Any", function), request_of)
    if _is(inspect.iscoroutinefunction, function):

        @functools.wraps(function)
        async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
            with request_of(args, kwargs) as request:
                result = request.output = await cast("Any", function(*args, **kwargs))
            return result

        return cast("Callable[P, R]", awaited)

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        with request_of(args, kwargs) as request:
            result = request.output = function(*args, **kwargs)
        return result

    return called


def _is(kind: Callable[[Any], bool], function: Any) -> bool:
    """Whether a function, or the ``__call__`` of an object that is called like one, is of a kind."""
    return kind(function) or kind(getattr(type(function), "__call__", None))  # noqa: B004 - it is looked at


class _Requests:
    """Makes a request of each call's arguments."""

    def __init__(
        self, log: ModelLogger, function: Callable[..., Any], inputs: Chosen, id_: Chosen, user: Chosen
    ) -> None:
        self._log = log
        self._inputs, self._id, self._user = inputs, id_, user
        try:
            self._signature = inspect.signature(function)
        except (TypeError, ValueError):  # max, and others that are written in C
            raise SettingError(
                f"monitor {function!r}: nobody knows its arguments; put a function of your own around it",
                field="function",
                value=function,
            ) from None
        parameters = self._signature.parameters
        for option, name in (("inputs", inputs), ("id", id_), ("user", user)):
            if name is not None and not isinstance(name, str) and not callable(name):
                raise SettingError(
                    f"{option} {name!r}: give the name of an argument, or a function of the call's arguments",
                    field=option,
                    value=name,
                )
            if isinstance(name, str) and name not in parameters:
                raise SettingError(
                    f"{option} {name!r}: the function's arguments are {', '.join(parameters) or 'none'}",
                    field=option,
                    value=name,
                )
        first = next(iter(parameters.values()), None)
        self._not_inputs = {name for name in (id_, user) if isinstance(name, str)}
        if first is not None and first.name in {"self", "cls"}:
            self._not_inputs.add(first.name)
        self._more = next((p.name for p in parameters.values() if p.kind is p.VAR_KEYWORD), None)
        # Most models have one argument, a dict: nobody needs to bind a signature for that.
        plain = first is not None and first.kind in {first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD}
        self._simple = plain and len(parameters) == 1 and not self._not_inputs and inputs is id_ is user is None

    def request(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
        """The request of one call."""
        if self._simple and len(args) == 1 and type(args[0]) is dict:
            return Request(self._log, args[0])
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError:  # the call itself is about to say so
            return Request(self._log)
        try:
            return self._of(bound, args, kwargs)
        except Exception as problem:  # noqa: BLE001 - arguments are foreign code; never into the model's
            _log.warning("mllog: the arguments of a monitored call can't be read: %s", values.type_name(problem))
            return Request(self._log, Snapshot({}, 0, replaced=[WHOLE]))

    def _of(self, bound: inspect.BoundArguments, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
        given = dict(bound.arguments)
        bound.apply_defaults()
        every = dict(bound.arguments)

        def chosen(option: Chosen, name: str) -> Any:
            if option is None:
                return None
            try:
                return every[option] if isinstance(option, str) else option(*args, **kwargs)
            except Exception as problem:  # noqa: BLE001 - never into model code
                # Its text may hold a value of the call, which no policy has seen.
                _log.warning("mllog: %s= of a monitored call failed: %s", name, values.type_name(problem))
                return None

        return Request(
            self._log,
            self._inputs_of(given, every) if self._inputs is None else chosen(self._inputs, "inputs"),
            chosen(self._id, "id"),
            user=chosen(self._user, "user"),
        )

    def _inputs_of(self, given: dict[str, Any], every: dict[str, Any]) -> Any:
        given = self._flat(given)
        records = [name for name, value in given.items() if _holds_names(value)]
        if len(records) != 1:
            return self._flat(every)
        record = given.pop(records[0])
        # What stands beside it is an input where it is a plain value (a threshold), not a connection or a model.
        beside = {name: value for name, value in given.items() if _is_plain(value)}
        if not beside:
            return record
        if type(record) is dict:
            return {**beside, **record}
        named = self._log.snapshot(record)
        if named is None or set(named.values) <= {"value"}:  # no names after all, or none that can be read
            return self._flat(every)
        others = self._log.snapshot(beside)
        if others is None:
            return self._flat(every)
        return Snapshot(
            {**others.values, **named.values},
            others.size + named.size,
            [*(named.truncated or ()), *(others.truncated or ())] or None,
            [*(named.replaced or ()), *(others.replaced or ())] or None,
        )

    def _flat(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Arguments by name without those that are no inputs; those of ``**kwargs`` by their own."""
        flat = {name: value for name, value in arguments.items() if name not in self._not_inputs}
        more = flat.pop(self._more, {}) if self._more is not None else {}
        return {**flat, **more}


def _holds_names(value: Any) -> bool:
    """Whether a value's type is one of those that hold values by name; numpy's records say so themselves."""
    try:
        return any(hasattr(type(value), name) for name in _NAMED) or bool(field_names(value))
    except Exception:  # noqa: BLE001 - a class of classes may raise anything
        return False


def _is_plain(value: Any) -> bool:
    return any(type(value) is kind for kind in values.SCALARS)  # a class may refuse to be hashed
