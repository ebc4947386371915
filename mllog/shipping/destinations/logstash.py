"""Logstash's http input: a batch is NDJSON in one POST, and 200 says that Logstash's queue has it.

With a persisted queue (``queue.type: persisted``) that means on its disk. 200 never means valid: Logstash answers so
for lines that are no JSON, which is why they are looked at before. Anything else than 200 takes nothing for sure. 429
is back-pressure, and after a time-out, a broken connection or 500 the batch may be in the queue all the same, so it is
sent again, the same bytes with the same ids, and the store tells the copies by those. Other 2xx count for nothing, as a
gateway may give them before anybody has anything (so leave the input's ``response_code`` at 200); nor does a web page
with 200, as of a login or of maintenance.

The content type is ``application/x-ndjson``; the input needs ``additional_codecs => { "application/x-ndjson" =>
"json_lines" }`` (under ``application/json`` Logstash would keep the first line and drop the rest without a word).
See https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-http.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mllog.shipping.destinations.base import (
    CHECK_SECONDS,
    Answer,
    Check,
    TooLargeError,
    UnavailableError,
    canonical,
    key,
)
from mllog.shipping.destinations.http import Client, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllog.places import Place
    from mllog.shipping.destinations.base import Refusal
    from mllog.shipping.segments import Batch

_CODE: Final = "; only 200 says that the queue has it: is this Logstash's http input, and its response_code 200?"
_PAGE: Final = "{} answered 200 with a web page, which is no answer of Logstash's http input: what listens there?"


class LogstashDestination:
    """Logstash's http input.

    Raises:
        SettingError: Where a certificate or a variable is wrong.
    """

    acknowledges = True
    holds = True

    def __init__(self, place: Place) -> None:
        self.name = canonical(place)
        self.key = key(place)
        self._client = Client(place)

    def send(self, batch: Batch) -> Answer:
        """Send a batch.

        Raises:
            UnavailableError: On anything but 200 and 413.
            TooLargeError: On 413, the input's ``max_content_length``.
        """
        body = b"".join(line.data for line in batch.lines)
        answer = self._client.request("POST", "/", body, content_type="application/x-ndjson")
        if answer.status == 413:
            raise TooLargeError(f"Logstash takes no {len(body)} bytes at once (413)", 413)
        refusal = self._problem(answer)
        if refusal is not None:
            raise refusal
        return Answer()

    def bury(self, batch: Batch, refused: Mapping[int, Refusal]) -> None:
        """Nobody to tell."""

    def passed(self, process: str, segment: int) -> None:
        """Nothing to do."""

    def check(self, timeout: float = CHECK_SECONDS) -> Check:
        """Ask for its root: the input answers 200 to an empty request, and makes no event of it."""
        try:
            answer = self._client.request("GET", "/", seconds=timeout)
        except UnavailableError as problem:
            return Check(False, str(problem))
        if answer.status == 429:
            return Check(True, f"{self.name} answers, and is under back-pressure (429)", answer.date)
        refusal = self._problem(answer)
        if refusal is not None:
            return Check(False, str(refusal), answer.date)
        return Check(True, f"{self.name} answers", answer.date)

    def hurry(self, seconds: float, *, altogether: bool = False) -> None:
        """Wait no longer than that for an answer from now on."""
        self._client.hurry(seconds, altogether=altogether)

    def renew(self) -> None:
        """Begin anew in a forked child."""
        self._client.renew()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _problem(self, answer: Response) -> UnavailableError | None:
        """Why an answer says of nothing that it was taken; ``None`` where it says so of everything."""
        if answer.status != 200:
            refused = self._client.refused(answer, hint=_CODE if 200 < answer.status < 300 else "")
            refused.doubtful = refused.doubtful or answer.status < 300
            return refused
        if answer.data.lstrip()[:1] == b"<":
            return UnavailableError(_PAGE.format(self.name), hopeless=True)
        return None
