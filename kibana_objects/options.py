"""Options of what imports: ``kibana-objects import`` and ``mllog setup --kibana``."""

from __future__ import annotations

import argparse
import math
from typing import Any, Final

from mllog.errors import SettingError

RUN_SECONDS: Final = 90.0
_DAY: Final = 86_400


def declare(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add them to a command.

    Args:
        parser: The command's.
        required: Whether there must be a Kibana.
    """
    parser.add_argument("--kibana", metavar="URL", required=required, help="http(s)://HOST:5601")
    parser.add_argument("--space", metavar="ID", default="", help="id of a space of Kibana (default: the default one)")
    parser.add_argument(
        "--card",
        action="append",
        default=[],
        metavar="FILE",
        help="a model's card, or a folder with cards in *.json: a dashboard of that model besides (repeatable)",
    )
    parser.add_argument("--no-rules", action="store_true", help="dashboards and searches alone")
    parser.add_argument("--wait", metavar="SECONDS", help="for the rules' first runs (default: 90)")


def seconds(args: argparse.Namespace) -> float:
    """How long to wait for the rules' first runs.

    Raises:
        SettingError: ``--wait`` doesn't say it.
    """
    if args.wait is None:
        return RUN_SECONDS
    try:
        found = float(args.wait)
    except ValueError:
        found = math.nan
    if not 0 <= found <= _DAY:  # which NaN isn't either
        raise SettingError(
            f"--wait {args.wait!r} is no number of seconds up to a day ({_DAY}); write it as {RUN_SECONDS:.0f}",
            field="wait",
            value=args.wait,
        )
    return found


def wanted(args: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """What they ask for: saved objects by the name of their file.

    Raises:
        CardError: A card can't be read.
    """
    from kibana_objects.bundles import RULES_FILE, bundles  # noqa: PLC0415 - builds all dashboards
    from kibana_objects.cards import dashboards_of  # noqa: PLC0415 - the same

    found = bundles(dashboards_of(args.card))
    if args.no_rules:
        del found[RULES_FILE]
    return found
