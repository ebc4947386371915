"""``mllog ship``: forwards a spool, resumable."""

from __future__ import annotations

import argparse
import functools
import json
import math
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from mllog.errors import MllogError, PlaceError
from mllog.places import parse
from mllog.shipping.hiding import hide_passwords

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.shipping.destinations.base import Destination
    from mllog.shipping.shipper import Shipper

DELIVERED, REFUSED, USAGE, UNDELIVERED = 0, 1, 2, 3
GIVE_UP_SECONDS: Final = 60.0
STOP_SECONDS: Final = 4.0
"""After SIGTERM, for the batch in hand; Kubernetes kills after 30."""

_EPILOG: Final = """\
example: mllog ship events/ --to logstash+https://logstash.example:8080 --follow --delete

environment: MLLOG_USERNAME and MLLOG_PASSWORD, MLLOG_API_KEY (Elasticsearch) or MLLOG_BEARER_TOKEN;
MLLOG_CA_CERTS (file or folder), MLLOG_CLIENT_CERT, MLLOG_CLIENT_KEY, MLLOG_CLIENT_KEY_PASSWORD;
MLLOG_TIMEOUT (seconds to wait for an answer, 30)
A password in PLACE can be read by everybody on this machine for a moment: rather name the user there, and set
MLLOG_PASSWORD.

exit code: 0 all delivered, 1 something was refused, corrupt or damaged (kept aside), 2 wrong usage,
3 not all could be delivered, or it can't be noted what was; with the reason"""


class Ship:
    """The command, as ``mllog`` finds it by its entry point."""

    name = "ship"
    help = "forward a spool to Logstash, Elasticsearch or another folder; resumable"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""
        parser.epilog = _EPILOG
        parser.add_argument("folder", metavar="FOLDER", help="the spool: a folder that loggers write to")
        parser.add_argument(
            "--to",
            metavar="PLACE",
            required=True,
            help="logstash+http(s)://HOST, elasticsearch+http(s)://HOST, file:FOLDER, stdout:, "
            "or logstash+tcp://HOST:PORT (never acknowledges)",
        )
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--once", action="store_true", help="ship what is there now, and end (the default)")
        how.add_argument("--follow", action="store_true", help="go on with what is written later, until SIGTERM")
        how.add_argument(
            "--drain",
            action="store_true",
            help="as --follow, and at SIGTERM ship what is left as --once does: a spool may go with its host",
        )
        how.add_argument("--replay-dead", action="store_true", help="send this place's dead letters again, and end")
        how.add_argument(
            "--forget", action="store_true", help="this place needs the spool no more: keep nothing for it"
        )
        parser.add_argument(
            "--delete", action="store_true", help="delete segments that every place has which the spool was shipped to"
        )
        parser.add_argument(
            "--copy",
            action="store_true",
            help="keep no segments until this place has them: the only way to a second place for a logger's own spool",
        )
        parser.add_argument(
            "--give-up",
            metavar="SECONDS",
            type=_seconds,
            default=GIVE_UP_SECONDS,
            help="but while following: end after so long without success (default %(default)g)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def run(self, args: argparse.Namespace) -> int:
        """Ship."""
        place = parse(args.to)
        hide_passwords({"--to": {args.to: place}})
        folder = Path(args.folder)
        follow = args.follow or args.drain
        _check_folder(folder, follow=follow)
        with _Signals() as signals:
            from mllog.shipping.destinations import open_destination  # noqa: PLC0415 - after the password is hidden
            from mllog.shipping.shipper import Shipper  # noqa: PLC0415 - the same

            def shipper(give_up: float | None, *, spared: int = 0) -> Shipper:
                made = Shipper(
                    folder,
                    open_destination(place, parallel=True),
                    delete=args.delete and not args.replay_dead,
                    copy=args.copy or args.replay_dead,
                    stop=threading.Event(),
                    give_up=give_up,
                )
                signals.end(made, spared)
                return made

            if args.forget:
                return _forget(folder, open_destination(place, parallel=True), as_json=args.json)
            first = shipper(None if follow else args.give_up)
            if args.replay_dead:
                return _replay(first, as_json=args.json)
            drain = functools.partial(shipper, args.give_up, spared=1) if args.drain else None
            return _ship(first, signals, follow=follow, drain=drain, delete=args.delete, as_json=args.json)


command = Ship()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: write seconds, 0 or more")
    return seconds


def _check_folder(folder: Path, *, follow: bool) -> None:
    """Whether a folder may be a spool."""
    from mllog.delivery.locks import WRITER_LOCK  # noqa: PLC0415 - after the password is hidden
    from mllog.shipping.segments import numbers  # noqa: PLC0415 - the same

    reason = None
    if folder.exists() and not folder.is_dir():
        reason = "it is a file, not a folder; name the folder that loggers write to"
    elif not folder.exists() and not follow:
        # Beside a service that hasn't begun to log, there is nothing to follow yet.
        reason = "no such folder; name the one that loggers write to"
    elif numbers(folder) or (folder / WRITER_LOCK).exists():
        reason = f"it is the folder of one process; name the spool that it stands in, {folder.absolute().parent}"
    if reason is not None:
        raise PlaceError(f"{folder}: {reason}", field="folder", value=str(folder))


class _Signals:
    """SIGTERM and SIGINT: the first gives the batch in hand a few seconds, any other ends all; it stays in the spool.

    Attributes:
        count: How many came.
    """

    def __init__(self) -> None:
        self.count = 0
        self._shipper: Shipper | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._came) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def end(self, shipper: Shipper, spared: int) -> None:
        """End this one at the next signal, and at once where more than ``spared`` came before."""
        self._shipper = shipper
        if self.count > spared:
            self._end(shipper)

    def _came(self, *_: object) -> None:
        self.count += 1
        if self._shipper is not None:
            self._end(self._shipper)

    def _end(self, shipper: Shipper) -> None:
        shipper.destination.hurry(STOP_SECONDS if self.count == 1 else 0.0, altogether=True)
        shipper.stop.set()


def _ship(
    shipper: Shipper,
    signals: _Signals,
    *,
    follow: bool,
    drain: Callable[[], Shipper] | None,
    delete: bool,
    as_json: bool,
) -> int:
    """Ship, and where one signal ended that go on with what ``drain`` makes, for what is left."""
    from mllog.shipping.progress import Progress  # noqa: PLC0415 - needs the shipper

    began = time.monotonic()
    refused = None
    with Progress(shipper, silent=as_json) as progress:
        shipper.run(follow=follow, progress=progress)
        if drain is not None and signals.count == 1 and not shipper.forgotten:
            try:
                rest = drain()
            except MllogError as error:
                refused = str(error)
            else:
                rest.take_over(shipper)
                progress.go_on(rest)
                shipper, follow = rest, False
                shipper.run(progress=progress)
    return _told(shipper, refused, follow=follow, delete=delete, as_json=as_json, began=began)


def _told(
    shipper: Shipper, refused: str | None, *, follow: bool, delete: bool, as_json: bool, began: float
) -> int:
    """Say what became of it; the exit code."""
    from mllog.shipping import clearing  # noqa: PLC0415 - after the password is hidden

    counts, problem = shipper.counts, refused or shipper.reason
    status = shipper.status()
    if problem is None and status.pending_lines and not follow:
        problem = shipper.others
    summary: dict[str, Any] = {
        "folder": str(shipper.folder),
        "destination": shipper.destination.name,
        "acknowledged": shipper.destination.acknowledges,
        "delivered": counts.delivered,
        "duplicates": counts.duplicates,
        "dead": counts.dead,
        "lost": counts.lost,
        "corrupt": counts.corrupt,
        "corrupt_segments": counts.corrupt_segments,
        "unasked": counts.unasked,
        "missing_segments": counts.missing_segments,
        "restarts": counts.restarts,
        "pending": {"lines": status.pending_lines, "bytes": status.pending_bytes},
        "dead_letters": status.dead,
        "deleted": shipper.deleted,
        "kept_for": clearing.kept_for(shipper.folder, shipper.destination) if delete else [],
        "problem": problem,
        "warnings": shipper.warnings,
        "seconds": round(time.monotonic() - began, 3),
    }
    if as_json:
        print(json.dumps(summary))
    else:
        _report(summary, _deletion(summary, left=clearing.is_left(shipper.folder)) if delete else None)
    if problem is not None or (status.pending_lines and not follow):
        return UNDELIVERED
    aside = counts.dead or counts.corrupt or counts.corrupt_segments or counts.restarts or shipper.warnings
    return REFUSED if aside else DELIVERED


def _report(summary: dict[str, Any], deletion: str | None) -> None:
    told = sys.stderr if summary["destination"] == "stdout:" else sys.stdout
    print(f"delivered {summary['delivered']} events to {summary['destination']}", file=told)
    if not summary["acknowledged"]:
        print("it acknowledges nothing: they were written to it, and that is all that is known", file=told)
    if summary["dead"]:
        kept = summary["dead"] - summary["lost"]
        print(f"{summary['dead']} were refused; {kept} of them are kept, see --replay-dead", file=told)
    if summary["corrupt"] or summary["corrupt_segments"]:
        segments, lines = summary["corrupt_segments"], summary["corrupt"]
        print(f"corrupt: {lines} lines, {segments} segments; they are kept in _corrupt", file=told)
    if summary["restarts"]:
        print(
            f"{summary['restarts']} checkpoints could not be right, so everything there was sent again; "
            "they are kept in _corrupt",
            file=told,
        )
    if deletion is not None:
        print(deletion, file=told)
    for warning in summary["warnings"]:
        print(f"mllog ship: {warning}", file=sys.stderr)
    if summary["pending"]["lines"]:
        print(f"{summary['pending']['lines']} events still wait", file=told)
    if summary["problem"]:
        print(f"mllog ship: {summary['problem']}", file=sys.stderr)


def _deletion(summary: dict[str, Any], *, left: bool) -> str:
    """What ``--delete`` did, and why not more."""
    text = f"deleted {summary['deleted']} segments"
    if summary["kept_for"]:
        return (
            f"{text}; others are kept for {', '.join(summary['kept_for'])}, which hasn't got them yet: ship there too, "
            "or take it off the list (--to THAT_PLACE --forget) if it needs them no more"
        )
    if left and not summary["deleted"] and not summary["pending"]["lines"]:
        return f"{text}; what is left is still being written to"
    return text


def _forget(folder: Path, destination: Destination, *, as_json: bool) -> int:
    from mllog.shipping import holders, registry  # noqa: PLC0415 - rarely needed

    lock = registry.busy(folder, destination.key)
    problem = None
    if lock is not None:
        problem = f"{destination.name} is being shipped to by {holders.holder(lock)}: end that first"
    elif not registry.forget(folder, destination.key):
        known = ", ".join(entry.name for entry in registry.entries(folder)) or "no place"
        raise PlaceError(
            f"{destination.name} was never shipped to from {folder}; known there: {known}",
            field="place",
            value=destination.name,
        )
    if as_json:
        print(json.dumps({"destination": destination.name, "forgotten": problem is None, "problem": problem}))
    elif problem is None:
        print(f"{destination.name}: forgotten")
    else:
        print(f"mllog ship: {problem}", file=sys.stderr)
    return DELIVERED if problem is None else UNDELIVERED


def _replay(shipper: Shipper, *, as_json: bool) -> int:
    from mllog.shipping.replay import replay  # noqa: PLC0415 - rarely needed

    result = replay(shipper)
    if as_json:
        document = {"destination": shipper.destination.name, **result}
        print(json.dumps(document))
    else:
        print(f"of {result['replayed']} dead letters {result['delivered']} were delivered, {result['dead']} refused")
        if result["corrupt"]:
            print(f"{result['corrupt']} were damaged and can't be sent; they are kept in _corrupt")
        if result["problem"]:
            print(f"mllog ship: {result['problem']}", file=sys.stderr)
    if result["problem"]:
        return UNDELIVERED
    return REFUSED if result["dead"] or result["corrupt"] else DELIVERED
