"""What is imported as one file, and how it is spelt: the same to the byte each time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from kibana_objects.api import body
from kibana_objects.dashboards import all_dashboards
from kibana_objects.data_views import data_views
from kibana_objects.model import Dashboard
from kibana_objects.objects import dashboard, rule, search, tag
from kibana_objects.rules import RULES
from kibana_objects.searches import SEARCHES
from mllog.files import replace

BUILT: Final = Path(__file__).parent / "built"
"""The committed files."""

DASHBOARDS: Final = "dashboards.ndjson"
RULES_FILE: Final = "rules.ndjson"
"""Apart, since an import with rules needs rights on rules, and a Kibana with an encryption key."""

Json = dict[str, Any]


def bundles(more: Sequence[Dashboard] = ()) -> dict[str, list[Json]]:
    """Saved objects by the name of their file.

    Args:
        more: Dashboards besides the set's, as of models with cards.
    """
    described = [*all_dashboards(), *more]
    titles = {each.id: each.title.removeprefix("[mllog] ") for each in all_dashboards()}
    return {
        DASHBOARDS: [
            tag(),
            *data_views(),
            *(search(each) for each in SEARCHES),
            *(dashboard(each, titles) for each in described),
        ],
        RULES_FILE: [rule(each) for each in RULES],
    }


def spelt(objects: Iterable[Json]) -> bytes:
    """NDJSON: an object a line."""
    lines = (json.dumps(each, sort_keys=True, separators=(",", ":"), ensure_ascii=False) for each in objects)
    return "".join(f"{line}\n" for line in lines).encode()


def build(folder: Path, more: Sequence[Dashboard] = ()) -> list[Path]:
    """Write the files, whole or not at all.

    Raises:
        OSError: The disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, objects in bundles(more).items():
        replace(folder / name, spelt(objects))
        written.append(folder / name)
    return written


def build_bodies(folder: Path, more: Sequence[Dashboard] = ()) -> list[Path]:
    """Write the body of each dashboard for Kibana's own API, ``<id>.json``, whole or not at all.

    Raises:
        OSError: The disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for each in (*all_dashboards(), *more):
        text = json.dumps(body(each), sort_keys=True, indent=1, ensure_ascii=False)
        replace(folder / f"{each.id}.json", f"{text}\n".encode())
        written.append(folder / f"{each.id}.json")
    return written
