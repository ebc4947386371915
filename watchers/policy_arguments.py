"""A card's privacy policy on the command line."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

from mllog.errors import CardError
from mllog.privacy.scrubbing import PATTERNS

_WORDS: Final = {
    "drop": "of which only the presence is known",
    "redact": "that is measured and not written",
    "hash": "that is written as salted hashes (MLLOG_SALT)",
}


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments to a command."""
    for word, what in _WORDS.items():
        parser.add_argument(
            f"--{word}", action="append", default=[], metavar="COLUMN", help=f"privacy: a column {what} (repeatable)"
        )
    parser.add_argument(
        "--pattern", action="append", default=[], choices=PATTERNS, help="privacy: replaced by a mark (repeatable)"
    )
    parser.add_argument("--policy", metavar="FILE", help="JSON file with the rest of the privacy policy")


def policy_of(args: argparse.Namespace) -> dict[str, Any] | None:
    """The policy that the arguments state; ``None`` where they state none.

    Raises:
        OSError: the file can't be read.
        ValueError: it is no JSON.
        CardError: it is no object, or its ``features`` isn't one.
    """
    policy: Any = json.loads(Path(args.policy).read_text(encoding="utf-8")) if args.policy else {}
    if not isinstance(policy, dict) or not isinstance(policy.get("features", {}), dict):
        raise CardError(f"policy {args.policy!r} is no JSON object with an object 'features'", field="policy")
    features = {name: word for word in _WORDS for name in getattr(args, word)}
    if features:
        policy["features"] = {**policy.get("features", {}), **features}
    if args.pattern:
        policy["patterns"] = [*policy.get("patterns", ()), *args.pattern]
    return policy or None
