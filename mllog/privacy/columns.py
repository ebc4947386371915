"""Training data and other frames, protected before they are counted, exactly as events are before they are measured."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mllog.privacy.policy import Policy
from mllog.privacy.protection import Protection, is_text, mask_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mllog.card import ModelCard
    from mllog.ruler import Feature, Kind


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
    protection: Protection, data: Mapping[str, Sequence[Any]], kinds: Mapping[str, Kind]
) -> dict[str, list[Any]]:
    """Columns of typed values as the ruler may see them.

    Args:
        protection: The policy, ready for use.
        data: Column name -> values.
        kinds: Kinds of the features, as far as they are known.
    """
    if not protection.policy.keeps_something_back:
        return {name: list(values) for name, values in data.items()}
    result: dict[str, list[Any]] = {}
    for name, values in data.items():
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
    return kind != "text" and all(protection.scrubbed(key) == key for key in feature.known)


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
    known = {name: values for name, values in data.items() if name in kinds or policy.unexpected != "drop"}
    protected = protect_columns(Protection.of(policy, salt), known, kinds)
    for feature in card.ruler.inputs:
        if feature.name in protected and policy.word(feature.name, feature.kind) == "redact" and feature.kind == "text":
            masked = mask_of(feature.vocabulary)
            protected[feature.name] = [masked(v) if is_text(v) else v for v in protected[feature.name]]
    return protected
