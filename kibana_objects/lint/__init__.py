"""What Kibana doesn't say at an import and shows when a dashboard is opened, or never: found before.

Kibana checks two kinds of references and parses no panel; one that it can't read is dropped when somebody looks. So a
bundle is held here to what its panels must be; each rule is a function of one file of this folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kibana_objects.lint import fields, grid, layers, objects, references
from kibana_objects.lint.problem import Bundle, Problem
from mllog.errors import SettingError

Rule = Callable[[Bundle], Iterator[Problem]]

RULES: Final[tuple[Rule, ...]] = (*objects.RULES, *references.RULES, *grid.RULES, *layers.RULES, *fields.RULES)
"""In this order, since later ones read what earlier ones found to be readable."""


def lint(found: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """All that is wrong with saved objects that are imported together.

    Args:
        found: The objects of one import, or of several that go together.
    """
    bundle = Bundle(list(found))
    problems = []
    for rule in RULES:
        try:
            problems += list(rule(bundle))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            # Files may be of any origin: what a rule can't even read Kibana can't either.
            said = f"something isn't of the shape that it must have ({type(error).__name__}: {error})"
            problems.append(Problem("the bundle", rule.__name__, said))
    return problems


def figures(found: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many dashboards, panels and fields there are, of those that can be read; a field counts once a data view."""
    bundle = Bundle(list(found))
    list(objects.strings(bundle))  # notes what can't be read
    panels = [panel for panel in bundle.panels() if panel.held.get("type") != "links"]
    return {
        "dashboards": sum(1 for _ in bundle.of("dashboard")),
        "panels": len(panels),
        "fields": len(fields.named(bundle)),
    }


def read(files: Sequence[Path]) -> list[dict[str, Any]]:
    """The objects of NDJSON files.

    Raises:
        SettingError: A line is none; names file and line.
    """
    found = []
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                one = json.loads(line)
            except ValueError as error:
                raise SettingError(f"{file}:{number} is no JSON: {error}", field="file", value=str(file)) from error
            if isinstance(one, dict) and "exportedCount" in one:
                continue
            if not isinstance(one, dict) or not isinstance(one.get("attributes"), dict):
                raise SettingError(f"{file}:{number} is no saved object", field="file", value=str(file))
            found.append(one)
    return found


__all__ = ["RULES", "Bundle", "Problem", "figures", "lint", "read"]
