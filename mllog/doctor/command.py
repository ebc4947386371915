"""The command ``mllog doctor``."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mllog import __version__
from mllog.delivery.ledger import host_name
from mllog.delivery.settings import DEFAULT_SINK
from mllog.delivery.sinks import SPOOL_FOLDER
from mllog.doctor.base import Subject
from mllog.doctor.examination import examine, worst
from mllog.doctor.words import bytes_of, counted
from mllog.errors import MllogError, PlaceError
from mllog.places import Place, parse, without_password
from mllog.shipping.hiding import hide_passwords

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from mllog.doctor.base import Diagnosis, State

EXIT: Final[dict[State, int]] = {"ok": 0, "warning": 1, "problem": 1, "unknown": 3}
_COLOURS: Final[dict[State, str]] = {"ok": "green", "warning": "yellow", "problem": "red", "unknown": "magenta"}

_EPILOG: Final = """\
example: mllog doctor events/ --elasticsearch https://elastic.example:9200

Without a folder and a place it looks where a logger would write: MLLOG_SINK, else events/.
Credentials and certificates are those of mllog ship: MLLOG_API_KEY, MLLOG_USERNAME and MLLOG_PASSWORD,
MLLOG_CA_CERTS, ... It sends no event and changes nothing. A password in a place can be read by everybody on this
machine for a moment: rather name the user there, and set MLLOG_PASSWORD.

exit code: 0 fine, 1 something is wrong or soon will be, 2 wrong usage, 3 something could not be judged"""


class Doctor:
    """The command, as ``mllog`` finds it by its entry point."""

    name = "doctor"
    help = "is everything wired? sinks, spool, lag, losses, cards, clocks"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its options."""
        parser.epilog = _EPILOG
        parser.add_argument("folder", metavar="FOLDER", nargs="*", help="a folder of events, or a spool")
        parser.add_argument(
            "--sink", metavar="PLACE", action="append", default=[], help="what a logger writes to, or is shipped to"
        )
        parser.add_argument("--elasticsearch", metavar="URL", help="http(s)://HOST:9200; the same as a --sink")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def run(self, args: argparse.Namespace) -> int:
        """Look, and say what was seen."""
        sinks = {text: parse(text) for text in args.sink}
        servers = {} if args.elasticsearch is None else {args.elasticsearch: _elasticsearch(args.elasticsearch)}
        hide_passwords({"--sink": sinks, "--elasticsearch": servers})
        places = [*sinks.values(), *servers.values()]
        subject = subject_of([Path(text) for text in args.folder], places, os.environ)
        if not args.json and sys.stderr.isatty():
            subject.tell = _tell
        diagnoses = examine(subject)
        state = worst(diagnoses)
        if args.json:
            print(json.dumps(_document(subject, diagnoses, state), default=str))
        else:
            _print(diagnoses)
        return EXIT[state]


def _elasticsearch(text: str) -> Place:
    """The place of a URL.

    Raises:
        PlaceError: Where it is none.
    """
    place = parse(text if text.startswith("elasticsearch+") else f"elasticsearch+{text}")
    if place.kind != "elasticsearch":
        shown = without_password(text)
        raise PlaceError(
            f"--elasticsearch {shown!r} is no URL: write http(s)://HOST:9200", field="elasticsearch", value=shown
        )
    return place


def subject_of(folders: Sequence[Path], places: Sequence[Place], variables: Mapping[str, str]) -> Subject:
    """What is to be looked at: what was named, else what a logger would use; and where folders are shipped to.

    Args:
        folders: Folders that were named.
        places: Places that were named; folders among them count as such.
        variables: The environment; where its ``MLLOG_SINK`` isn't a place, only what was named is looked at.
    """
    usual = _usual(variables)
    # Beside a server that was named, the usual folder is looked at where there is one.
    if not folders and usual and (not places or (usual.kind == "file" and Path(usual.location).is_dir())):
        places = [usual, *places]
    wanted = [*folders, *(Path(place.location) for place in places if place.kind == "file")]
    servers = [place for place in places if place.kind not in {"file", "stdout"}]
    if not folders:
        wanted += [spool for place in servers if (spool := _spool_of(place, variables)).is_dir()]
    servers += _shipped_to(wanted, servers)
    return Subject(tuple(dict.fromkeys(wanted)), tuple(servers), dict(variables), time.time())


def _usual(variables: Mapping[str, str]) -> Place | None:
    """Where a logger would write that is told nothing."""
    try:
        return parse(variables.get("MLLOG_SINK") or DEFAULT_SINK)
    except PlaceError:
        return None  # the check of settings says so


def _spool_of(place: Place, variables: Mapping[str, str]) -> Path:
    from mllog.shipping.destinations.base import key  # noqa: PLC0415 - only for servers

    return Path(variables.get("MLLOG_SPOOL") or Path(SPOOL_FOLDER) / key(place))


def _shipped_to(folders: Sequence[Path], known: Sequence[Place]) -> list[Place]:
    """Servers that the folders were shipped to, those that are known already aside."""
    from mllog.shipping import registry  # noqa: PLC0415 - only where folders are looked at
    from mllog.shipping.destinations.base import canonical  # noqa: PLC0415 - the same
    from mllog.shipping.ownership import owner  # noqa: PLC0415 - the same

    names = [entry.name for folder in folders for entry in registry.entries(folder) if entry.holds]
    names += [name for folder in folders if (name := owner(folder)) is not None]
    found: list[Place] = []
    for name in dict.fromkeys(names):
        try:
            place = parse(name)
        except MllogError:
            continue  # written by another version
        if place.kind not in {"file", "stdout"} and name not in {canonical(other) for other in known}:
            found.append(place)
    return found


def _document(subject: Subject, diagnoses: Sequence[Diagnosis], state: State) -> dict[str, Any]:
    return {
        "state": state,
        "checks": [
            {
                "check": diagnosis.check,
                "state": diagnosis.state,
                "message": diagnosis.message,
                "remedy": None if diagnosis.state == "ok" else diagnosis.remedy,
                "figures": dict(diagnosis.figures),
            }
            for diagnosis in diagnoses
        ],
        "version": __version__,
        "host": host_name(),
        "at": subject.now,
    }


def _print(diagnoses: Sequence[Diagnosis]) -> None:
    if importlib.util.find_spec("rich") is None:
        _print_plain(diagnoses)
    else:
        _print_table(diagnoses)
    found = sum(diagnosis.state in {"problem", "warning"} for diagnosis in diagnoses)
    unknown = sum(diagnosis.state == "unknown" for diagnosis in diagnoses)
    parts = [counted(found, "finding")] if found else []
    parts += [f"{unknown} could not be judged"] if unknown else []
    print(", ".join(parts) or "everything is wired")


def _print_plain(diagnoses: Sequence[Diagnosis]) -> None:
    for diagnosis in diagnoses:
        print(f"{diagnosis.state:8} {diagnosis.check:13} {diagnosis.message}")
        if diagnosis.remedy and diagnosis.state != "ok":
            print(f"{'':23}-> {diagnosis.remedy}")


def _print_table(diagnoses: Sequence[Diagnosis]) -> None:
    from rich.console import Console  # noqa: PLC0415 - an extra
    from rich.table import Table  # noqa: PLC0415 - an extra
    from rich.text import Text  # noqa: PLC0415 - an extra

    table = Table("", "check", "what was seen, and what to do", show_lines=False)
    for diagnosis in diagnoses:
        text = Text(diagnosis.message)
        if diagnosis.remedy and diagnosis.state != "ok":
            text.append(f"\n-> {diagnosis.remedy}", style="bold")
        table.add_row(Text(diagnosis.state, style=_COLOURS[diagnosis.state]), diagnosis.check, text)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _tell(done: int, total: int) -> None:
    sys.stderr.write(f"\rmllog doctor: {bytes_of(done)} of {bytes_of(total)} read{'' if done < total else chr(10)}")
    sys.stderr.flush()


command = Doctor()
