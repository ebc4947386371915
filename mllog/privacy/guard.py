"""The guard between a record and its line: nothing that the policy keeps back gets past it.

It works on the writer's thread, once for each record, before anything is measured: so what the ruler measures
and what is written are of one piece, and bins, unseen categories and segments speak of hashes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from mllog.privacy.echo import Echo
from mllog.privacy.explaining import Attributions
from mllog.privacy.hashing import PREDICTION_ID, USER
from mllog.privacy.protection import Protection, is_missing, is_text, mask_of, named, rewrite
from mllog.privacy.scrubbing import without_hash
from mllog.values import TEXT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.card import ModelCard
    from mllog.events import Record
    from mllog.privacy.policy import Policy, Word
    from mllog.ruler import Ruler

_NUMBERS: Final = frozenset({"score", "value"})
_CLASSES: Final = frozenset({"label", "scores", "top_k"})
"""Parts of an output that have a meaning of their own, whatever the features are called."""


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
        self._trained = {f.name: f.known for f in ruler.inputs if f.kind in {"category", "boolean"}}
        # Without patterns only what may hold names of its own needs a look.
        self._plain = frozenset(name for name, kind in self._kinds.items() if kind != "other")
        self._attributions = Attributions(words, keeps_others=policy.unexpected != "drop") if self._words else None
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
        if record.inputs is not None:
            self._prepare_inputs(record, record.inputs, echo)
        self._prepare_people(record, echo)
        self._prepare_rest(record, echo)

    def _prepare_inputs(self, record: Record, inputs: dict[str, Any], echo: Echo) -> None:
        if self._policy.unexpected == "drop":
            for name in [name for name in inputs if name not in self._kinds]:
                del inputs[name]
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
        self._scrub_inputs(record, inputs)
        if record.truncated or record.replaced:
            told = {name for name in record.inputs or () if self._words.get(name) != "drop"}
            record.truncated = [name for name in record.truncated or () if name in told] or None
            record.replaced = [name for name in record.replaced or () if name in told or name[:1] == "@"] or None

    def _scrub_inputs(self, record: Record, inputs: dict[str, Any]) -> None:
        """Marks in whatever holds strings, names of unexpected inputs included."""
        scrubber = self._protection.scrubber
        renamed: dict[str, str] = {}
        for name in inputs if scrubber is not None else inputs.keys() - self._plain:
            kind, value = self._kinds.get(name), inputs[name]
            if kind == "number" and isinstance(value, float):
                continue
            if kind in {None, "other"} and isinstance(value, dict | list):
                inputs[name] = value = self._without_protected(value)
            if scrubber is None or name in self._words:
                continue
            if kind is None:
                inputs[name] = self._protection.scrubbed(value)
                new = scrubber.text(name)
                if new != name:
                    renamed[name] = new
            elif not (isinstance(value, str) and value in self._trained.get(name, ())):
                inputs[name] = self._protection.feature(name, kind, value)
        if renamed:
            record.inputs = named((renamed.get(name, name), value) for name, value in inputs.items())

    def _prepare_people(self, record: Record, echo: Echo) -> None:
        policy, hasher = self._policy, self._protection.hasher
        context = record.context
        if context is not None and isinstance(context.get("user"), dict) and policy.user != "keep":
            record.user = record.user or context["user"].get("id")
            record.context = {name: part for name, part in context.items() if name != "user"} or None
        if record.user is not None and policy.user != "keep":
            echo.add("user", record.user)
            if policy.user == "hash" and hasher is not None:
                user = {"hash": hasher.hash(USER, record.user)}
                record.context = {**(record.context or {}), "user": user}
            record.user = None
        if record.prediction_id is not None and policy.ids != "keep":
            echo.add("prediction_id", record.prediction_id)
            hashed = policy.ids == "hash" and hasher is not None
            record.prediction_id = hasher.hash(PREDICTION_ID, record.prediction_id) if hasher and hashed else None

    def _prepare_rest(self, record: Record, echo: Echo) -> None:
        """Everything that may hold a string which nobody has declared."""
        policy = self._policy
        if policy.messages == "drop":
            record.message = None
            record.error = {"type": record.error["type"]} if record.error else None
        if policy.labels == "drop":
            record.labels = None
        text = self._text(echo)
        if record.labels is not None:
            record.labels = self._rewritten(self._without_protected(record.labels), text)
        if isinstance(record.output, dict | list | str):
            record.output = self._output(record.output, text)
        if text is None:
            return
        for part in ("message", "context", "trace_id"):
            value = getattr(record, part)
            if value is not None:
                setattr(record, part, self._rewritten(value, text))
        if record.error is not None:
            record.error = {name: text(_whole_lines(value)) for name, value in record.error.items()}
        if record.body is not None and record.kind != "prediction":
            record.body = {name: _fact(part, text) for name, part in record.body.items()}

    def _output(self, output: Any, text: Callable[[str], str] | None) -> Any:
        if not isinstance(output, dict):
            return self._rewritten(self._without_protected(output), text)
        result = {}
        for name, value in output.items():
            if name in _NUMBERS:
                result[name] = value
            elif name == "explanation" and isinstance(value, dict):
                told = value if self._attributions is None else self._attributions.of(value)
                result[name] = told if text is None else rewrite(told, text, _as_it_is)
            elif name in _CLASSES:
                # A class may be called as somebody's value is; it is counted, so only patterns touch it.
                result[name] = self._protection.scrubbed(value)
            else:
                result |= self._rewritten(self._without_protected({name: value}), text)
        return result

    def _rewritten(self, value: Any, text: Callable[[str], str] | None) -> Any:
        scrubber = self._protection.scrubber
        if text is None:
            return value
        return rewrite(value, text, _as_it_is if scrubber is None else scrubber.number)

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

    def _text(self, echo: Echo) -> Callable[[str], str] | None:
        """What a string goes through; ``None`` where nothing is looked for."""
        scrubber, echoes = self._protection.scrubber, echo.text()
        if scrubber is None:
            return echoes
        if echoes is None:
            return scrubber.text
        found = echoes
        return lambda text: scrubber.text(found(text))


def _as_it_is(number: float) -> float:
    return number


def _fact(part: Any, text: Callable[[str], str]) -> Any:
    """What is told of a label, a metric or a step."""
    told = rewrite(part, text, _as_it_is)
    if isinstance(part, dict) and told.get("value") != part.get("value"):
        told.pop("number", None)  # the same once more
    return told


def _whole_lines(text: str) -> str:
    """A stack trace that was cut at its front, from its first whole line on."""
    if len(text) == TEXT_LIMIT:
        return text[re.search(r"\n|\Z", text).end() :]  # type: ignore[union-attr]
    return without_hash(text)
