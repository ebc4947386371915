"""A card's policy, read and checked: which inputs may be written, and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

from mllog.errors import CardError
from mllog.privacy.scrubbing import PATTERNS

if TYPE_CHECKING:
    from mllog.ruler import Kind, Ruler

Word = Literal["keep", "drop", "redact", "hash"]
WORDS: Final[tuple[Word, ...]] = get_args(Word)

_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "texts": ("keep", "drop"),
    "unexpected": ("keep", "redact", "drop"),
    "ids": ("keep", "hash", "drop"),
    "user": ("keep", "hash", "drop"),
    "labels": ("keep", "drop"),
    "messages": ("keep", "drop"),
}
_KEYS: Final = (*_CHOICES, "only", "features", "patterns", "regions", "salt")


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be written of an event.

    A card without a policy (``{}`` or ``{"texts": "keep"}``) lets everything pass. Any other is cautious in what it
    doesn't speak of: texts and users are dropped, and of inputs that the card doesn't know only the names are written.

    Attributes:
        texts: Texts, where ``features`` doesn't name them: ``keep``, or ``drop`` (counted, neither they nor their
            words written).
        unexpected: Inputs that the card doesn't know: ``keep``, ``redact`` (only their names) or ``drop``.
        ids: ``ml.prediction_id`` and ``http.request.id``: ``keep``, ``hash`` or ``drop`` (then labels can't be joined).
        user: Who asked: ``keep`` (``user.id``), ``hash`` (``user.hash``) or ``drop``.
        labels: The caller's own keys: ``keep`` or ``drop``.
        messages: ``message``, ``error.message`` and ``error.stack_trace``: ``keep`` or ``drop``.
        only: Names of the inputs that may be written; ``None``: all.
        features: Feature -> ``keep``, ``drop``, ``redact`` or ``hash``.
        patterns: Kinds of :data:`mllog.privacy.PATTERNS` that are replaced by marks in every string.
        regions: Where phone numbers without a country code may be from (ISO 3166 codes, such as ``"US"``).
        salt: Fingerprint of the salt that the card's hashes were made with.
    """

    texts: str = "keep"
    unexpected: str = "keep"
    ids: str = "keep"
    user: str = "keep"
    labels: str = "keep"
    messages: str = "keep"
    only: tuple[str, ...] | None = None
    features: Mapping[str, Word] = field(default_factory=dict)
    patterns: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    salt: str | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Policy:
        """Read a policy as it stands in a card, or as users write it.

        Raises:
            CardError: Where it isn't one; names the field, its value and what to write.
        """
        if not isinstance(data, Mapping):
            raise _error("", data, "write a mapping, such as {'texts': 'drop', 'features': {'email': 'hash'}}")
        for key in data:
            if key not in _KEYS:
                raise _error(str(key), data[key], f"there is no such field; a policy has {', '.join(_KEYS)}")
        cautious = dict(data) not in ({}, {"texts": "keep"})
        only = None if data.get("only") is None else _names(data, "only")
        defaults = {
            "texts": "drop" if cautious else "keep",
            "unexpected": "keep" if not cautious else "redact" if only is None else "drop",
            "ids": "keep",
            "user": "drop" if cautious else "keep",
            "labels": "keep" if only is None else "drop",
            "messages": "keep" if only is None else "drop",
        }
        chosen = {key: _choice(key, data.get(key, default), _CHOICES[key]) for key, default in defaults.items()}
        features = data.get("features") or {}
        if not isinstance(features, Mapping):
            raise _error("features", features, "write a mapping of feature names to keep, drop, redact or hash")
        words = {name: cast("Word", _choice(f"features.{name}", word, WORDS)) for name, word in features.items()}
        for name, word in words.items():
            if only is not None and name not in only and word == "keep":
                raise _error(f"features.{name}", word, "'only' doesn't list it; add it there, or write drop")
        patterns = _names(data, "patterns")
        for pattern in patterns:
            _choice("patterns", pattern, PATTERNS)
        if only is not None and chosen["unexpected"] == "keep":
            raise _error("unexpected", "keep", "'only' lists all that may be written; write redact or drop")
        salt = data.get("salt")
        if salt is not None and not isinstance(salt, str):
            raise _error("salt", type(salt).__name__, "it is the salt's fingerprint, which from_frame writes")
        return cls(
            only=only, features=words, patterns=patterns, regions=_names(data, "regions"), salt=salt, **chosen
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, every choice written out."""
        data: dict[str, Any] = {key: getattr(self, key) for key in _CHOICES}
        for key in ("only", "patterns", "regions"):
            names = getattr(self, key)
            if names is not None and (names or key == "only"):
                data[key] = list(names)
        if self.features:
            data["features"] = dict(self.features)
        if self.salt is not None:
            data["salt"] = self.salt
        return data

    def word(self, name: str, kind: Kind | None) -> Word:
        """What becomes of a feature of the card."""
        if name in self.features:
            return self.features[name]
        if self.only is not None and name not in self.only:
            return "drop"
        return "redact" if kind == "text" and self.texts == "drop" else "keep"

    @property
    def hashes(self) -> bool:
        """Whether anything is hashed, so that a salt is needed."""
        return "hash" in (*self.features.values(), self.ids, self.user)

    @property
    def keeps_something_back(self) -> bool:
        """Whether there is anything to do."""
        return (
            any(getattr(self, key) != "keep" for key in _CHOICES)
            or self.only is not None
            or bool(self.patterns)
            or any(word != "keep" for word in self.features.values())
        )

    def check_names(self, names: Iterable[str]) -> None:
        """Refuse a policy that speaks of features which aren't there: a typing error would let a value pass.

        Raises:
            CardError: Where it does.
        """
        there = sorted(names)
        for key, given in (("only", self.only or ()), ("features", self.features)):
            for name in given:
                if name not in there:
                    raise _error(
                        key if key == "only" else f"features.{name}",
                        name if key == "only" else self.features[name],
                        f"there is no feature {name!r} (there are {', '.join(map(repr, there))}); inputs that the card "
                        "doesn't know are the business of 'unexpected'",
                    )

    def check_kinds(self, kinds: Mapping[str, Kind]) -> None:
        """Refuse what can't be carried out on features of these kinds.

        Raises:
            CardError: Where a category is to be redacted, or a feature isn't there.
        """
        self.check_names(kinds)
        for name, kind in kinds.items():
            if kind in {"category", "boolean"} and self.word(name, kind) == "redact":
                raise _error(
                    f"features.{name}",
                    "redact",
                    f"it is a {kind}, and a store counts those by the values that are written; write hash, by which "
                    "profiles go on, or drop",
                )

    def check_ruler(self, ruler: Ruler) -> None:
        """Refuse a ruler that wasn't laid by this policy: it would measure, and hold, what mustn't be known.

        Raises:
            CardError: Where they don't go together.
        """
        self.check_kinds({feature.name: feature.kind for feature in ruler.inputs})
        for feature in ruler.inputs:
            word = self.word(feature.name, feature.kind)
            unhashed = word == "hash" and (feature.kind not in {"category", "other"} or self.salt is None)
            if unhashed or (word == "drop" and feature.kind != "other"):
                raise _error(
                    f"features.{feature.name}",
                    word,
                    f"the card's ruler was laid without it and measures a {feature.kind}; make the card anew with "
                    "ModelCard.from_frame(..., policy=...), which protects what the card holds of training too",
                )


def _choice(key: str, value: object, choices: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise _error(key, value, f"write {', '.join(choices[:-1])} or {choices[-1]}")
    return value


def _names(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = data.get(key) or ()
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(n, str) for n in names):
        raise _error(key, names, "write a list of names")
    return tuple(dict.fromkeys(names))


def _error(key: str, value: object, remedy: str) -> CardError:
    where = f"policy.{key}" if key else "policy"
    return CardError(f"{where} is {value!r}: {remedy}", field=where, value=value)
