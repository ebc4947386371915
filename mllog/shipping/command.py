"""``mllog ship``: forwards a spool, resumable."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mllog.errors import PlaceError
from mllog.places import parse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from mllog.places import Place
    from mllog.shipping.shipper import Shipper

DELIVERED, REFUSED, USAGE, UNDELIVERED = 0, 1, 2, 3
GIVE_UP_SECONDS: Final = 60.0

_EPILOG: Final = """\
example: mllog ship events/ --to logstash+https://logstash.example:8080 --follow --delete

environment: MLLOG_USERNAME and MLLOG_PASSWORD, MLLOG_API_KEY (Elasticsearch) or MLLOG_BEARER_TOKEN;
MLLOG_CA_CERTS, MLLOG_CLIENT_CERT, MLLOG_CLIENT_KEY; MLLOG_TIMEOUT (seconds to wait for an answer, 30)

exit code: 0 all delivered, 1 something was refused or corrupt (kept aside), 2 wrong usage,
3 not all could be delivered"""


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
        how.add_argument("--replay-dead", action="store_true", help="send this place's dead letters again, and end")
        how.add_argument(
            "--forget", action="store_true", help="this place needs the spool no more: keep nothing for it"
        )
        parser.add_argument(
            "--delete", action="store_true", help="delete segments that every place has which the spool was shipped to"
        )
        parser.add_argument(
            "--give-up",
            metavar="SECONDS",
            type=float,
            default=GIVE_UP_SECONDS,
            help="without --follow: end after so long without success (default %(default)g)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def run(self, args: argparse.Namespace) -> int:
        """Ship."""
        place = parse(args.to)
        _hide_password(args.to, place)
        folder = Path(args.folder)
        # Beside a service that hasn't begun to log, there is nothing to follow yet.
        if not folder.is_dir() and not args.follow:
            raise PlaceError(f"{folder}: no such folder; name the one that loggers write to", field="folder")
        from mllog.shipping.destinations import open_destination  # noqa: PLC0415 - after the password is hidden
        from mllog.shipping.shipper import Shipper  # noqa: PLC0415 - the same

        destination = open_destination(place, parallel=True)
        stop = threading.Event()
        shipper = Shipper(
            folder,
            destination,
            delete=args.delete,
            stop=stop,
            give_up=None if args.follow else max(args.give_up, 0.0),
        )
        if args.forget:
            return _forget(shipper, as_json=args.json)
        if args.replay_dead:
            return _replay(shipper, as_json=args.json)
        with _stopped_by_signals(stop):
            return _ship(shipper, follow=args.follow, as_json=args.json)


command = Ship()


@contextlib.contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)


def _ship(shipper: Shipper, *, follow: bool, as_json: bool) -> int:
    from mllog.shipping.progress import Progress  # noqa: PLC0415 - needs the shipper

    began = time.monotonic()
    with Progress(shipper, silent=as_json) as progress:
        shipper.run(follow=follow, progress=progress)
    counts, problem = shipper.counts, shipper.problem
    status = shipper.status()
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
        "pending": {"lines": status.pending_lines, "bytes": status.pending_bytes},
        "dead_letters": status.dead,
        "problem": None if problem is None else str(problem),
        "seconds": round(time.monotonic() - began, 3),
    }
    if as_json:
        print(json.dumps(summary))
    else:
        _report(summary)
    if problem is not None or (status.pending_lines and not follow):
        return UNDELIVERED
    return REFUSED if counts.dead or counts.corrupt or counts.corrupt_segments else DELIVERED


def _report(summary: dict[str, Any]) -> None:
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
    if summary["pending"]["lines"]:
        print(f"{summary['pending']['lines']} events still wait", file=told)
    if summary["problem"]:
        print(f"mllog ship: {summary['problem']}", file=sys.stderr)


def _forget(shipper: Shipper, *, as_json: bool) -> int:
    from mllog.shipping import registry  # noqa: PLC0415 - rarely needed

    known = registry.forget(shipper.folder, shipper.destination.key)
    if as_json:
        print(json.dumps({"destination": shipper.destination.name, "forgotten": known}))
    else:
        print(f"{shipper.destination.name}: {'forgotten' if known else 'was never shipped to from here'}")
    return DELIVERED


def _replay(shipper: Shipper, *, as_json: bool) -> int:
    from mllog.shipping.replay import replay  # noqa: PLC0415 - rarely needed

    result = replay(shipper)
    if as_json:
        document = {"destination": shipper.destination.name, **result}
        print(json.dumps(document))
    else:
        print(f"of {result['replayed']} dead letters {result['delivered']} were delivered, {result['dead']} refused")
        if result["problem"]:
            print(f"mllog ship: {result['problem']}", file=sys.stderr)
    if result["problem"]:
        return UNDELIVERED
    return REFUSED if result["dead"] else DELIVERED


def _hide_password(text: str, place: Place) -> None:
    """Take a password off the command line, where every user of the machine can read it.

    The process becomes itself again with the user in the place and the password in ``MLLOG_PASSWORD``.
    """
    command = list(sys.orig_argv)
    spellings: Sequence[str] = [part for part in command if part in {text, f"--to={text}"}]
    if place.password is None or not spellings or not hasattr(os, "execve"):
        return
    shown = [part.replace(text, str(place)) if part in spellings else part for part in command]
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *shown[1:]], {**os.environ, "MLLOG_PASSWORD": place.password})  # noqa: S606 - itself
