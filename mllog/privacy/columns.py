"""Training data and other frames, protected before they are counted, exactly as events are before they are measured."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mllog.privacy.cleaning import Cleaner
from mllog.privacy.cuts import pieces
from mllog.privacy.echo import Echo
from mllog.privacy.policy import Policy
from mllog.privacy.protection import Protection, is_text, mask_of
from mllog.privacy.spellings import HEAD, bytes_of
from mllog.ruler import category_key
from mllog.values import NAME_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mllog.card import ModelCard
    from mllog.ruler import Feature, Kind

_WORD: Final = re.compile(r"[a-z0-9]+", re.ASCII)


def protection_of(
    given: Mapping[str, Any] | None, previous: Mapping[str, Any] | None, salt: str | bytes | None
) -> tuple[Protection, dict[str, Any]]:
    """What training data is protected by, and the policy that the card will hold.

    Args:
        given: Policy of the caller; ``None``: the previous one holds.
        previous: Policy of the previous card.
        salt: The secret of its hashes; ``None``: that of ``MLLOG_SALT``.

    Raises:
        CardError: Where the policy isn't one.
        SettingError: Where the salt is missing, or isn't that of the policy which goes on.
    """
    chosen = given if given is not None else previous if previous is not None else {}
    policy = Policy.read(chosen)
    protection = Protection.of(policy, salt)
    held = policy.to_dict() if policy.keeps_something_back else {"texts": "keep"}
    if given is None and previous is not None:
        held = copy.deepcopy(dict(previous))
    if protection.hasher is not None:
        held["salt"] = protection.hasher.fingerprint
        protection = replace(protection, policy=replace(policy, salt=protection.hasher.fingerprint))
    return protection, held


def protect_columns(
    protection: Protection,
    data: Mapping[str, Sequence[Any]],
    kinds: Mapping[str, Kind],
    trained: Mapping[str, frozenset[str]] | None = None,
) -> dict[str, list[Any]]:
    """Columns of typed values as the ruler may see them.

    Args:
        protection: The policy, ready for use.
        data: Column name -> values.
        kinds: Kinds of the features, as far as they are known.
        trained: Categories of training, which stay what they are; ``None`` where all categories are those of training.
    """
    if not protection.policy.keeps_something_back:
        return {name: list(values) for name, values in data.items()}
    result: dict[str, list[Any]] = {}
    for name, values in _without_echo(protection, data, kinds, trained).items():
        kind = kinds.get(name)
        cache: dict[tuple[type, Any], Any] = {}
        column = []
        for value in values:
            key = (type(value), value) if isinstance(value, str | int | float) else None
            if key is None:
                column.append(protection.feature(name, kind, value))
                continue
            if key not in cache:
                cache[key] = protection.feature(name, kind, value)
            column.append(cache[key])
        result[name] = column
    return result


def _without_echo(
    protection: Protection,
    data: Mapping[str, Sequence[Any]],
    kinds: Mapping[str, Kind],
    trained: Mapping[str, frozenset[str]] | None,
) -> dict[str, Sequence[Any]]:
    """The columns, with marks where a row's kept strings quote its protected values."""
    policy = protection.policy
    result = dict(data)
    protected = {
        name
        for name in data
        if policy.word(name, kinds.get(name)) != "keep" or (name not in kinds and policy.unexpected != "keep")
    }
    wanted = {"text"} if trained is None else {"text", "category", "boolean"}
    kept = [name for name in data if name not in protected and kinds.get(name) in wanted]
    for row in range(max(map(len, data.values()), default=0)) if protected else ():
        strings = {
            name: value
            for name in kept
            if isinstance(value := data[name][row], str)
            and not (kinds[name] != "text" and category_key(value) in (trained or {}).get(name, ()))
        }
        if not strings:
            continue
        lower = "\n".join(strings.values()).lower()
        values = {name: data[name][row] for name in protected}
        was_cut = len(lower) >= NAME_LIMIT and any(pieces(text)[0] for text in strings.values())
        if not was_cut and not any(_may_stand(value, lower) for value in values.values()):
            continue
        echo = Echo()
        for name, value in values.items():
            echo.add(name if name in kinds else "unexpected", value)
        cleaner = Cleaner(echo, protection.scrubber)
        for name, text in strings.items():
            cleaned = cleaner.text(text)
            if cleaned != text:
                column = result[name]
                if column is data[name]:
                    column = result[name] = list(column)
                column[row] = cleaned  # type: ignore[index]
    return result


def _may_stand(value: Any, lower: str) -> bool:
    """Whether it is worth a closer look if a value stands in a text: most don't, and rows are many."""
    if not isinstance(value, str):
        return value is not None
    words = _words(value)
    if not words or _telling(words, value) in lower:
        return True
    return any(_telling(_words(spelling), spelling) in lower for spelling in bytes_of(value))


def _words(value: str) -> list[str]:
    return _WORD.findall(value[:HEAD].lower())


def _telling(words: list[str], value: str) -> str:
    """A word that stands wherever the value does: of a moment the first one, since its date is looked for too."""
    return (words[0] if value[:1].isdigit() else max(words[:-1] or words, key=len)) if words else "\0"


def as_before(protection: Protection, previous: ModelCard, feature: Feature) -> bool:
    """Whether a feature's ruler in the previous card may stand in one with this policy.

    Args:
        protection: The policy.
        previous: The previous card.
        feature: The feature as that card has it.
    """
    now, before = protection.policy, Policy.read(previous.policy)
    name, kind = feature.name, feature.kind
    word = now.word(name, kind)
    if word != before.word(name, kind) or (word == "hash" and now.salt != before.salt):
        return False
    if (now.patterns, now.regions) == (before.patterns, before.regions) or word in {"hash", "drop"}:
        return True
    # Other patterns: what they find now may stand in it, and of a text only its single words are left to look at.
    listed = feature.listed if isinstance(feature.known, frozenset) else None
    return kind != "text" and listed is not None and all(protection.scrubbed(key) == key for key in listed)


def protect_frame(card: ModelCard, data: dict[str, list[Any]], salt: str | bytes | None = None) -> dict[str, list[Any]]:
    """Columns as the logger with this card would have measured them; what was given isn't changed.

    Args:
        card: With its policy.
        data: Column name -> typed values.
        salt: The secret of the card's hashes; ``None``: that of ``MLLOG_SALT``.

    Raises:
        CardError: Where the policy isn't one, or the card's ruler wasn't laid by it.
        SettingError: Where the salt is missing or another one.
    """
    policy = Policy.read(card.policy)
    if not policy.keeps_something_back:
        return data
    policy.check_ruler(card.ruler)
    kinds = {feature.name: feature.kind for feature in card.ruler.inputs}
    trained = {feature.name: feature.listed for feature in card.ruler.inputs}
    protected = protect_columns(Protection.of(policy, salt), data, kinds, trained)
    if policy.unexpected == "drop":
        protected = {name: values for name, values in protected.items() if name in kinds}
    for feature in card.ruler.inputs:
        if feature.name in protected and policy.word(feature.name, feature.kind) == "redact" and feature.kind == "text":
            masked = mask_of(feature.vocabulary)
            protected[feature.name] = [masked(v) if is_text(v) else v for v in protected[feature.name]]
    return protected
