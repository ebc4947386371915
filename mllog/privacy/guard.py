"""The guard between a record and its line: nothing that the policy keeps back gets past it.

It works on the writer's thread, once for each record, before anything is measured: so what the ruler measures
and what is written are of one piece, and bins, unseen categories and segments speak of hashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mllog.notices import once
from mllog.privacy.cleaning import Cleaner
from mllog.privacy.cuts import lost_its_front
from mllog.privacy.echo import Echo
from mllog.privacy.explaining import Attributions
from mllog.privacy.outputs import Outputs
from mllog.privacy.people import People
from mllog.privacy.protection import Protection, is_missing, is_text, mask_of
from mllog.privacy.rewriting import named
from mllog.ruler import LABEL, category_key

if TYPE_CHECKING:
    from mllog.card import ModelCard
    from mllog.events import Record
    from mllog.privacy.policy import Policy, Word
    from mllog.ruler import Ruler


class Guard:
    """Keeps back what a policy doesn't let pass.

    Args:
        protection: The policy, ready for use.
        ruler: The card's.

    Attributes:
        concealed: Features whose value is measured, or known to be there, and must not be written.
        keeps_unexpected: Whether inputs that the card doesn't know are written.
    """

    def __init__(self, protection: Protection, ruler: Ruler) -> None:
        self._protection = protection
        policy = self._policy = protection.policy
        policy.check_ruler(ruler)
        self._kinds = {feature.name: feature.kind for feature in ruler.inputs}
        words = {name: policy.word(name, kind) for name, kind in self._kinds.items()}
        self._words: dict[str, Word] = {name: word for name, word in words.items() if word != "keep"}
        self._masks = {
            feature.name: mask_of(feature.vocabulary)
            for feature in ruler.inputs
            if feature.kind == "text" and words[feature.name] == "redact"
        }
        # What training had was scrubbed then; most categories need no second look.
        self._trained = {f.name: f.listed for f in ruler.inputs if f.kind in {"category", "boolean"}}
        self._people = People(policy, protection.hasher)
        self._outputs = Outputs(
            self._without_protected,
            attributions=Attributions(words, keeps_others=policy.unexpected != "drop") if self._words else None,
            classes=ruler.by_name[LABEL].listed if LABEL in ruler.by_name else frozenset(),
        )
        self.concealed = frozenset(name for name, word in self._words.items() if word in {"drop", "redact"})
        self.keeps_unexpected = policy.unexpected == "keep"

    @classmethod
    def of(cls, card: ModelCard, policy: Policy, salt: str | bytes | None) -> Guard:
        """The guard that a card's policy asks for.

        Raises:
            CardError: Where the card's ruler wasn't laid by this policy.
            SettingError: Where the salt or a library is missing, or the salt is another one.
        """
        return cls(Protection.of(policy, salt), card.ruler)

    def prepare(self, record: Record) -> None:
        """Change what must not even be measured as it is. To be called once.

        Raises:
            RuntimeError: Where that fails; the record must not be written then.
        """
        try:
            self._prepare(record)
        except Exception as problem:  # noqa: BLE001 - its message may hold what must not be told
            raise RuntimeError(f"the privacy policy failed on an event: {type(problem).__name__}") from None

    def conceal(self, maps: dict[str, dict[str, Any]]) -> None:
        """Take out of ``ml.inputs`` what was measured and must not be written."""
        for target in list(maps):
            written = maps[target]
            gone = self.concealed & written.keys()
            if target == "other" and not self.keeps_unexpected:
                gone |= written.keys() - self._kinds.keys()
            for name in gone:
                del written[name]
            if gone and not written:
                del maps[target]

    def _prepare(self, record: Record) -> None:
        if record.kind == "deployment":
            return  # names of packages and machines, none of them a person's
        echo = Echo()
        inputs = record.inputs
        given = frozenset(inputs or ())
        if inputs is not None:
            self._protect_inputs(record, inputs, echo)
        self._people.collect(record, echo)
        cleaner = Cleaner(echo, self._protection.scrubber)
        if inputs is not None:
            self._clean_inputs(record, inputs, given, cleaner)
        if echo:
            _check_time(record, echo)
        self._people.write(record, cleaner)
        self._prepare_rest(record, cleaner)

    def _protect_inputs(self, record: Record, inputs: dict[str, Any], echo: Echo) -> None:
        """What the policy says of each feature; everything that it keeps back is in the echo then."""
        withheld = []
        for name, word in self._words.items():
            if name not in inputs:
                continue
            value = inputs[name]
            echo.add(name, value)
            if word != "hash" and not is_missing(value):
                withheld.append(name)
            protected = inputs[name] = self._protection.feature(name, self._kinds[name], value)
            if name in self._masks and is_text(protected):
                inputs[name] = self._masks[name](protected)
        if withheld:
            record.body = {**(record.body or {}), "withheld": withheld}
        if self._policy.unexpected != "keep":
            for name in [name for name in inputs if name not in self._kinds]:
                echo.add("unexpected", inputs[name])
                if self._policy.unexpected == "drop":
                    del inputs[name]

    def _clean_inputs(self, record: Record, inputs: dict[str, Any], given: frozenset[str], cleaner: Cleaner) -> None:
        """Marks in what is kept, names of unexpected inputs included."""
        renamed: dict[str, str] = {}
        for name, value in inputs.items():
            if name in self._words:
                continue
            kind = self._kinds.get(name)
            if kind == "number" and isinstance(value, int | float):
                continue  # a kept number is kept
            if (
                name in self._trained
                and not isinstance(value, dict | list)
                and category_key(value) in self._trained[name]
            ):
                continue  # it is in the card
            if kind is None and (new := cleaner.text(name)) != name:
                renamed[name] = new
            inputs[name] = cleaner.value(self._without_protected(value))
        if renamed:
            record.inputs = named((renamed.get(name, name), value) for name, value in inputs.items())
        if record.truncated or record.replaced:
            told = {renamed.get(name, name) for name in inputs if self._words.get(name) != "drop"}
            for marks in ("truncated", "replaced"):
                # The logger's own marks begin with an @, and so may the name of an input.
                kept = [
                    name
                    for name in getattr(record, marks) or ()
                    if name in told or (name[:1] == "@" and name not in given)
                ]
                setattr(record, marks, kept or None)

    def _prepare_rest(self, record: Record, cleaner: Cleaner) -> None:
        """Everything that may hold a string which nobody has declared."""
        policy = self._policy
        if policy.messages == "drop":
            record.message = None
            record.error = {name: told for name, told in (record.error or {}).items() if name == "type"} or None
        if policy.labels == "drop":
            record.labels = None
        if record.labels is not None:
            record.labels = cleaner.value(self._without_protected(record.labels))
        if record.output is not None:
            record.output = self._outputs.of(record, cleaner)
        for part in ("message", "trace_id"):
            value = getattr(record, part)
            if value is not None:
                setattr(record, part, cleaner.text(value))
        if record.error is not None:
            record.error = {
                name: cleaner.trace(value) if name == "stack_trace" and lost_its_front(value) else cleaner.text(value)
                for name, value in record.error.items()
            }
        if record.body is not None and record.kind != "prediction":
            record.body = {name: _fact(part, cleaner) for name, part in record.body.items()}

    def _without_protected(self, value: Any) -> Any:
        """A typed value in which names that the policy protects are protected, however deep they stand."""
        if not self._words:
            return value
        if isinstance(value, list):
            return [self._without_protected(item) for item in value]
        if not isinstance(value, dict):
            return value
        result = {}
        for name, item in value.items():
            word = self._words.get(name)
            if word is None:
                result[name] = self._without_protected(item)
            elif word == "hash":
                result[name] = self._protection.hashed(name, item)
        return result


def _fact(part: Any, cleaner: Cleaner) -> Any:
    """What is told of a label, a metric or a step; the names in it are ours, and a field of numbers holds no mark."""
    if not isinstance(part, dict):
        return cleaner.figures(part)
    told = {name: _fact(value, cleaner) for name, value in part.items()}
    same = told.get("value") == part.get("value")
    return {
        name: value
        for name, value in told.items()
        # A label's number is its value once more.
        if (same or name != "number") and not (isinstance(value, str) and isinstance(part[name], int | float))
    }


def _check_time(record: Record, echo: Echo) -> None:
    """A time that is a protected value isn't written either: the event has the one at which it was made, of its id."""
    try:
        made = int(record.id.replace("-", "")[:12], 16) * 1_000_000
    except ValueError:
        return
    if abs(record.time - made) < 1_000_000 or not echo.is_moment(record.time):
        return
    once(
        "the card's policy keeps back what was given as the time of events: they have the one at which they were logged"
    )
    record.time = made
    record.mark_replaced("@timestamp")
