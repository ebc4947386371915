"""What the ASGI and the WSGI middleware can be told, in one place."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from mllog.errors import SettingError
from mllog.integrations.bodies import is_json
from mllog.integrations.loggers import check_logger
from mllog.integrations.swallowed import listen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mllog.logger import ModelLogger

BODY_BYTES: Final = 2**20

Application = TypeVar("Application")
Source = TypeVar("Source")


class HttpMiddleware(Generic[Application, Source]):
    """Binds request id, W3C trace context, method, path, route and user to every event logged during a request.

    The request id is that of ``x-request-id`` where it is sane (up to 128 visible ASCII characters), else a new
    one; the answer carries it. With ``log`` a request is an event too, unless its handler logged a prediction
    itself, with the same logger; of an answer that failed behind that there is an event ``output``. The JSON body is
    the inputs, the JSON answer the output, the request id the prediction's, and it carries the status. 5xx and
    exceptions are failures; of 4xx the model is taken to know nothing. A body that is a list of objects gives one
    event for each. Where inputs can't be known (no body, or one that is too long, packed or no JSON) the event says
    so in ``ml.truncated``, and no feature is counted as missing. A GET is no prediction, unless it has a body.

    Bodies pass through as they come. What is logged inside of a handler carries the route, but not the status, which
    nobody knows yet.

    Args:
        app: The application.
        log: Takes an event for each request; ``None``: requests are only bound.
        paths: Patterns of the paths whose requests are predictions (``/models/*/predict``, as :mod:`fnmatch` reads
            them); all with a JSON body where they aren't given.
        user: Who asks, from the ASGI scope or the WSGI environ; asked when an event is logged.
        route: The route's pattern, from the same; that of well-known frameworks is known.
        inputs: The inputs in the JSON of a body, where they aren't all of it.
        output: The output in the JSON of an answer, where it isn't all of it.
        body_bytes: Bytes of a body, and of an answer, that are held at most; longer ones aren't kept.

    Raises:
        SettingError: Where an argument is impossible.
    """

    def __init__(
        self,
        app: Application,
        log: ModelLogger | None = None,
        *,
        paths: Sequence[str] | None = None,
        user: Callable[[Source], Any] | None = None,
        route: Callable[[Source], Any] | None = None,
        inputs: Callable[[Any], Any] | None = None,
        output: Callable[[Any], Any] | None = None,
        body_bytes: int = BODY_BYTES,
    ) -> None:
        if log is None and any(given is not None for given in (paths, inputs, output)):
            raise SettingError("paths, inputs and output are of no use without log: pass log=", field="log", value=None)
        if log is not None:
            check_logger(log)
        patterns = (paths,) if isinstance(paths, str) else paths
        if patterns is not None:
            if not isinstance(patterns, Collection) or not all(isinstance(pattern, str) for pattern in patterns):
                raise SettingError(
                    f"paths {paths!r}: write a list of patterns, such as ['/predict']", field="paths", value=paths
                )
            patterns = tuple(patterns)
        for name, function in {"user": user, "route": route, "inputs": inputs, "output": output}.items():
            if function is not None and not callable(function):
                raise SettingError(f"{name} {function!r}: give a function", field=name, value=function)
        if type(body_bytes) is not int or body_bytes <= 0:
            raise SettingError(
                f"body_bytes {body_bytes!r}: write a whole number above 0", field="body_bytes", value=body_bytes
            )
        self.app = app
        self.log = log
        self.paths = patterns
        self.user = user
        self.route = route or type(self).find_route(app)
        self.inputs = inputs
        self.output = output
        self.body_bytes = body_bytes
        if log is not None:
            listen()

    @staticmethod
    def find_route(app: Any) -> Callable[[Any], str | None]:
        """A function that finds a request's route, as the application's framework leaves it."""
        del app
        return lambda _: None

    def wants(self, path: str, content_type: str | None) -> bool:
        """Whether a request is a prediction."""
        if self.log is None:
            return False
        if self.paths is None:
            return is_json(content_type)
        return any(fnmatchcase(path, pattern) for pattern in self.paths)
