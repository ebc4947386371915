"""What the ASGI and the WSGI middleware have in common: one HTTP request while it is being served.

It is bound as the context of every event that is logged meanwhile, and where the middleware has a logger it is
an event itself: the JSON body is the inputs, the JSON answer the output.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from mllog import values
from mllog.context import Bound, current
from mllog.integrations.bodies import Body, TooLongError, is_json
from mllog.integrations.calls import outcome_of
from mllog.integrations.tracing import new_span_id, new_trace_id, parse_traceparent

if TYPE_CHECKING:
    from mllog.events import Outcome, Record
    from mllog.facts import FactLogger
    from mllog.integrations.options import HttpMiddleware
    from mllog.logger import ModelLogger

REQUEST_ID: Final = "x-request-id"
REQUEST: Final = "mllog.request"
"""Where in the scope or environ it stands which request it is: one that a handler makes itself is another one."""

_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_PLAIN: Final = frozenset({None, "", "identity"})
_SANE_ID: Final = re.compile(r"[!-~]{1,128}", re.ASCII)
_log: Final = logging.getLogger("mllog")


class Serving(Bound):
    """One request.

    Args:
        options: The middleware, with what it was told.
        source: The ASGI scope or the WSGI environ.
        method: HTTP method.
        path: Path of the request.
        header: A header's value by its lower-case name, ``None`` where there is none.
    """

    __slots__ = (
        "_around",
        "_done",
        "_error",
        "_key",
        "_length",
        "_logged",
        "_notes",
        "_options",
        "_request",
        "_route",
        "_source",
        "_start",
        "_told",
        "_wanted",
        "answer",
        "body",
        "request_id",
        "status",
    )

    def __init__(
        self,
        options: HttpMiddleware[Any, Any],
        source: Any,
        *,
        method: str,
        path: str,
        header: Callable[[str], str | None],
    ) -> None:
        outer, request = current.get(), source.get(REQUEST)
        around = None if outer is None or request is None else outer.serving(request)
        self._around = around if isinstance(around, Serving) else None
        self.request_id: str
        fields: dict[str, Any] = {}
        if self._around is not None:  # of an application that holds this one: a request has one id and one trace
            self._request, self.request_id = request, self._around.request_id
        else:
            self._request = source[REQUEST] = object()
            given = header(REQUEST_ID)
            self.request_id = given if given is not None and _SANE_ID.fullmatch(given) else secrets.token_hex(16)
            parent = parse_traceparent(header("traceparent"))
            span = new_span_id()
            # To Elastic's APM the work of one service on one request is a transaction; to W3C it is a span.
            fields = {
                "trace": {"id": parent.trace_id if parent is not None else new_trace_id()},
                "span": {"id": span},
                "transaction": {"id": span},
            }
        fields["http"] = {"request": {"id": self.request_id, "method": values.name_of(method)}}
        fields["url"] = {"path": values.name_of(path)}
        super().__init__(fields, outer=outer)
        self._options = options
        self._source = source
        self._route: str | None = None
        self._done = False
        self._error: BaseException | None = None
        self._logged = 0
        self._key: str | None = None
        self._told = False
        self.status: int | None = None
        self.body: Body | None = None
        self.answer: Body | None = None
        self._start = 0
        self._notes: list[str] = []
        self._length: int | None = None
        self._wanted = False
        log = options.log
        if log is None:
            return
        self._start = log.now()
        if not options.wants(path, header("content-type")):
            return
        has_body = (header("content-length") or "0") != "0" or header("transfer-encoding") is not None
        self._wanted = has_body or method not in _BODILESS
        coding = header("content-encoding")
        if coding in _PLAIN:
            self.body = Body(options.body_bytes)
        else:
            self._notes.append(f"request not kept: {coding}")

    def fields(self) -> Mapping[str, Any]:
        """What is known of the request now: its route only once the framework has found it."""
        if self._route is None:
            self._route = self._asked("route", self._options.route)
            if self._route is not None:
                self._fields = {**self._fields, "http": {**self._fields["http"], "route": self._route}}
        return super().fields()

    def user(self) -> str | None:
        """Who asks, by the middleware's function; asked late, since authentication may come after us."""
        if self._user is None and self._options.user is not None:
            self._user = self._asked("user", self._options.user)
        return super().user()

    def answered(self, status: int, header: Callable[[str], str | None]) -> None:
        """The answer has begun."""
        self.status = status
        self.fields()  # Flask forgets its request, and so the route, before the answer is out
        if not self._wanted:
            return
        kind, coding, length = (header(f"content-{name}") for name in ("type", "encoding", "length"))
        if is_json(kind) and coding in _PLAIN:
            self.answer = Body(self._options.body_bytes)
            self._length = int(length) if length is not None and length.isdecimal() else None
        elif status < 300 and status != 204:
            self._notes.append(f"response not kept: {kind if coding in _PLAIN else coding}")

    def take(self, chunk: bytes) -> bool:
        """A piece of the answer passes by; whether it is known to be the last."""
        if self.answer is None:
            return False
        self.answer.add(chunk)
        return self._length is not None and self.answer.size >= self._length

    def predicted(self, log: FactLogger, key: str | None, *, failed: bool) -> None:
        """Remember that the handler logs what it does itself; what another logger takes is another model's."""
        if log is self._options.log:
            self._logged += 1
            self._key = key if self._logged == 1 else None
            self._told = failed
        super().predicted(log, key, failed=failed)

    def logged_within(self, log: FactLogger, *, failed: bool) -> None:
        """Hear that a middleware within this one has logged this very request, which knows more of it."""
        if log is self._options.log:
            self._logged += 1
            self._told = failed
        if self._around is not None:
            self._around.logged_within(log, failed=failed)

    def serving(self, request: object) -> Bound | None:
        """This, where it is that request."""
        return self if self._request is request else super().serving(request)

    def fail(self, error: BaseException) -> None:
        """Remember an exception that the framework answers itself."""
        self._error = error
        super().fail(error)

    def end(self) -> None:
        """The last piece of the answer is about to go out: whoever has the answer finds the event.

        A server's own answer to an exception is followed by the exception, which the event is to tell.
        """
        if self.status is None or self.status < 500 or self._error is not None:
            self.finish()

    def finish(self, error: BaseException | None = None) -> None:
        """The answer is complete, or there will be none: write what nobody wrote yet.

        That is the event, where one is wanted; where the handler wrote it, that the answer failed, if the last
        prediction doesn't say so.

        Args:
            error: What the application raised.
        """
        log = self._options.log
        if self._done or log is None:
            return
        self._done = True
        try:
            if self._logged and not self._told:
                self._log_failure(log, error)
            elif self._wanted and not self._logged:
                self._log_to(log, error)
        except Exception as problem:  # noqa: BLE001 - never into the application; counted
            log.refuse(problem)

    def _log_failure(self, log: ModelLogger, error: BaseException | None) -> None:
        outcome, error = self._judged(error)
        if outcome != "failure":
            return
        # Several predictions have the request in common.
        key = self.request_id if self._key is None else self._key
        token = current.set(Bound(self._answered_by(), self.user()))
        try:
            log.failure(key, error, duration=(log.now() - self._start) / 1e9, at=self._start)
        finally:
            current.reset(token)
        # Another middleware of this logger, around this one, needn't tell it again.
        super().predicted(log, None, failed=True)

    def _log_to(self, log: ModelLogger, error: BaseException | None) -> None:
        latency = (log.now() - self._start) / 1e9
        outcome, error = self._judged(error)
        inputs = self._read("request", self.body, self._options.inputs)
        refused = self.status is not None and 400 <= self.status < 500
        known = inputs is not None and inputs != []  # no rows are no inputs
        if not known and refused:
            return
        # What is said together with an error isn't the model's output.
        answered = outcome == "success"
        output = self._read("response", self.answer, self._options.output) if answered else None
        token = current.set((Bound if known else _WithoutInputs)(self._answered_by(), self.user()))
        try:
            for row, one, suffix in _predictions(inputs if known else None, output):
                log.prediction(
                    row,
                    one,
                    self.request_id + suffix,
                    latency=latency,
                    time=self._start,
                    outcome=outcome,
                    error=error,
                    message="; ".join(self._notes) or None,
                )
        finally:
            current.reset(token)
        if self._around is not None:
            self._around.logged_within(log, failed=outcome == "failure")

    def _answered_by(self) -> dict[str, Any]:
        """What is known of the request, with the status of its answer."""
        fields = self.fields()
        status = {} if self.status is None else {"response": {"status_code": self.status}}
        return {**fields, "http": {**fields["http"], **status}}

    def _judged(self, error: BaseException | None) -> tuple[Outcome, BaseException | None]:
        """How the request went, and the exception to tell of; the status is known from then on."""
        if self.status is None and isinstance(error, Exception):
            self.status = 500  # what every server makes of it
        if error is not None:
            return outcome_of(error), error
        if self.status is None or 400 <= self.status < 500:
            return "unknown", None  # whatever the client did wrong, or whoever hung up, the model didn't fail
        return ("failure", self._error) if self.status >= 500 else ("success", None)

    def _read(self, what: str, body: Body | None, pick: Callable[[Any], Any] | None) -> Any:
        if body is None or not body.size:
            return None
        try:
            read = body.json()
        except Exception as problem:  # noqa: BLE001 - whatever came over the wire; noted
            # Others' messages may quote what no policy has seen.
            why = str(problem) if isinstance(problem, TooLongError) else type(problem).__name__
            self._notes.append(f"{what} not kept: {why}")
            return None
        try:
            picked = read if pick is None else pick(read)
            return list(picked) if type(picked) is tuple else picked
        except Exception as problem:  # noqa: BLE001 - the user's function; noted, without what its message quotes
            option = "inputs" if what == "request" else "output"
            self._notes.append(f"{what} not kept: {option}= raised {type(problem).__name__}")
            return None

    def _asked(self, option: str, function: Callable[[Any], Any]) -> str | None:
        try:
            answer = function(self._source)
        except Exception as problem:  # noqa: BLE001 - never into the application
            # Its message may quote what no policy has seen.
            _log.warning("mllog: %s= of the middleware raised %s", option, values.type_name(problem))
            return None
        return None if answer is None else values.name_of(answer)


class _WithoutInputs(Bound):
    """A request whose inputs aren't known: what wasn't read isn't missing."""

    __slots__ = ()

    def attach(self, record: Record) -> None:
        super().attach(record)
        record.truncated = [*(record.truncated or ()), "inputs"]  # as of an event that is too long for them


def _predictions(inputs: Any, output: Any) -> list[tuple[Any, Any, str]]:
    """Inputs, output and what their id ends in: for each object of a list of them, else once."""
    if not isinstance(inputs, list) or not inputs or not all(isinstance(row, Mapping) for row in inputs):
        return [(inputs, output, "")]
    paired = isinstance(output, list) and len(output) == len(inputs)
    return [(row, output[k] if paired else output, f"-{k}") for k, row in enumerate(inputs)]
