"""What a logger does once, when it is made: read and place the card, hash the artefact."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Final

from mllog import environment as environments
from mllog.delivery import settings
from mllog.delivery.encoder import Constants, Encoder
from mllog.errors import CardError, MllogError, SettingError
from mllog.fields import KEYWORD_LENGTH

if TYPE_CHECKING:
    from pathlib import Path

    from mllog.card import ModelCard
    from mllog.privacy import Guard
    from mllog.sampling import Sampler, Sampling

_log: Final = logging.getLogger("mllog")


def load_card(card: ModelCard | str | os.PathLike[str] | None, model: str) -> ModelCard | None:
    """The card, read where a path is given.

    Raises:
        CardError: Where it can't be read or is another model's.
    """
    if card is None:
        return None
    if isinstance(card, str | os.PathLike):
        from mllog.card import ModelCard  # noqa: PLC0415 - not every logger has a card

        card = ModelCard.load(card)
    if card.model != model:
        raise CardError(
            f"card of model {card.model!r} given to the logger of model {model!r}: load its own card",
            field="card",
            value=card.model,
        )
    card.require_tokenizers()
    return card


def check(*, model: Any, version: Any, artifact: Any, card: Any, environment: Any, salt: Any) -> None:
    """Look whether the arguments of a logger are what they should be, as far as their types tell.

    Raises:
        SettingError: Where one isn't; it names the argument, the value and the remedy.
    """
    if not isinstance(model, str) or not model.strip():
        raise SettingError(f"model {model!r}: write the model's name", field="model", value=model)
    characters = len(model.encode("utf-16-le", "surrogatepass")) // 2  # as a server counts them
    if characters > KEYWORD_LENGTH:
        raise SettingError(
            f"model {model[:40]!r}…: {characters} characters are more than {KEYWORD_LENGTH}, and no index would hold "
            "the name: shorten it",
            field="model",
            value=model,
        )
    if version is None or not str(version).strip():
        raise SettingError(f"version {version!r}: write the model's version", field="version", value=version)
    settings.check_kind("artifact", artifact, (str, os.PathLike), "give the path of the model's file or folder")
    if not hasattr(card, "ruler"):
        settings.check_kind("card", card, (str, os.PathLike), "give a ModelCard, or the path of one")
    settings.check_kind(
        "environment", environment, (environments.Manifest,), "give a mllog.environment.Manifest, or leave it out"
    )
    if not isinstance(salt, str | bytes | None):
        # Its value is a secret, whatever it is.
        raise SettingError("salt: give a text or bytes, the same for all services", field="salt", value="<hidden>")


def leave_card(card: ModelCard, folder: Path) -> None:
    """Put the card beside the events, so that whoever reads them finds it."""
    path = folder / card.file_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{path.name}.{os.getpid()}"
        card.save(temporary)
        temporary.replace(path)
    except (OSError, MllogError) as problem:
        _log.warning("mllog: the card can't be put beside the events: %s", problem)


def artifact_hash(artifact: str | os.PathLike[str]) -> str:
    """sha256 of the model's file or folder.

    Raises:
        SettingError: Where it can't be read.
    """
    try:
        return environments.artifact_hash(artifact)
    except OSError as problem:
        raise SettingError(
            f"artifact {str(artifact)!r}: {problem.strerror}; give the model's file or folder",
            field="artifact",
            value=artifact,
        ) from problem


def encoder(constants: Constants, card: ModelCard | None, salt: str | bytes | None = None) -> Encoder:
    """The encoder that a card asks for."""
    if card is None:
        return Encoder(constants)
    return Encoder(
        constants,
        ruler=card.ruler,
        regression=card.task == "regression" if card.task else None,
        guard=guard_of(card, salt),
    )


def guard_of(card: ModelCard, salt: str | bytes | None) -> Guard | None:
    """What keeps back what the card's policy doesn't let pass; ``None`` where it lets everything pass.

    Raises:
        CardError: Where the policy isn't one, or the card's ruler wasn't laid by it.
        SettingError: Where the salt of its hashes, or the library of a pattern, isn't there.
    """
    if card.policy in ({}, {"texts": "keep"}):
        return None
    from mllog.privacy import Guard, Policy  # noqa: PLC0415 - most cards keep nothing back

    policy = Policy.read(card.policy)
    return Guard.of(card, policy, salt) if policy.keeps_something_back else None


def sampler(sampling: float | Sampling | None, card: ModelCard | None = None) -> Sampler | None:
    """The sampler that was asked for; ``None`` where every prediction is kept.

    Raises:
        SettingError: Where it is impossible.
    """
    given = sampling if sampling is not None else settings.variable("sampling")
    if given is None:
        return None
    from mllog.sampling import Sampler, resolve  # noqa: PLC0415 - most loggers keep everything

    return Sampler(resolve(given), regression=card is not None and card.task == "regression")
