"""Options of what imports: ``kibana-objects import`` and ``mllog setup --kibana``."""

from __future__ import annotations

import argparse
from typing import Any, Final

RUN_SECONDS: Final = 90.0


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
    parser.add_argument(
        "--wait", type=float, default=RUN_SECONDS, metavar="SECONDS", help="for the rules' first runs (default: 90)"
    )


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
