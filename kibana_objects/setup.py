"""``mllog setup --kibana``: a step that is found by its entry point. What it needs is loaded with its plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kibana_objects import options
from mllog.errors import SettingError

if TYPE_CHECKING:
    import argparse

    from kibana_objects.server import Kibana
    from mllog.elastic.report import Item
    from mllog.places import Place


class KibanaStep:
    """``mllog setup --kibana URL``."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its options."""
        options.declare(parser, required=False)

    def plan(self, args: argparse.Namespace) -> KibanaPlan | None:
        """What was asked of it; None where nothing was.

        Raises:
            SettingError: An option is of a Kibana, and none is named; or URL or space are none.
            CardError: A card can't be read.
        """
        if args.kibana is None:
            given = {"space": args.space, "card": args.card, "no-rules": args.no_rules, "wait": args.wait}
            stray = next((name for name, value in given.items() if value), None)
            if stray is not None:
                raise SettingError(f"--{stray} goes with --kibana URL", field=stray, value=given[stray])
            return None
        from kibana_objects.server import Kibana  # noqa: PLC0415 - the extra

        return KibanaPlan(args.kibana, Kibana(args.kibana, args.space), options.wanted(args), options.seconds(args))


@dataclass(frozen=True, slots=True)
class KibanaPlan:
    """One space of one Kibana, and what is to be there.

    Attributes:
        url: As it was given.
        kibana: The space.
        bundles: File name -> its objects.
        wait: Seconds to wait for the rules' first runs.
    """

    url: str
    kibana: Kibana
    bundles: Mapping[str, Sequence[dict[str, Any]]]
    wait: float

    @property
    def places(self) -> dict[str, dict[str, Place]]:
        """By option, the places that follow it on the command line."""
        return {"--kibana": {self.url: self.kibana.place}}

    @property
    def place(self) -> str:
        """The space, for messages."""
        return self.kibana.base

    def run(self, *, change: bool, tell: Callable[[str], None]) -> Iterator[Item]:
        """Set it up, or say what would be changed: see :func:`kibana_objects.ensuring.ensure`."""
        from kibana_objects.ensuring import ensure  # noqa: PLC0415 - the extra

        return ensure(self.kibana, self.bundles, change=change, wait=self.wait, tell=tell)


step = KibanaStep()
