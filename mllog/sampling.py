"""Sampling: which predictions are kept where not all can be, and how many each of them stands for.

A uniform draw keeps its share, and rules keep what is too rare or too telling to be left to a draw. Every kept event
says how it came to be kept, and how likely that was, so that nothing is biased: a sum over events weighted by
``ml.weight``, which is 1 / inclusion probability, estimates the sum over all predictions without bias (Horvitz and
Thompson 1952, Journal of the American Statistical Association 47:663); and those of ``ml.sample`` ``head``, the
draw's, are a uniform sample by themselves, which is what profiles count.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from mllog import draws
from mllog.errors import SettingError
from mllog.ruler import category_key

if TYPE_CHECKING:
    from mllog.events import Record

Rule = Literal["failure", "rare", "uncertain"]
RULES: Final[tuple[Rule, ...]] = get_args(Rule)

_LEAST_RARE_SHARE: Final = 0.001
_WINDOW_OF_RARE: Final = 100
"""So many events of a class at the limit of being rare are remembered."""
_IDS_REMEMBERED: Final = 10_000
_LABEL_LENGTH: Final = 256
_DIGEST_BYTES: Final = 8
_log: Final = logging.getLogger("mllog")


@dataclass(frozen=True, slots=True)
class Sampling:
    """What to keep.

    Attributes:
        rate: Share of the predictions that the draw keeps, in (0, 1]. Those with an id (else a trace id) are
            drawn by its hash, so that all services and all parts of a prediction agree without asking each other.
        always: Rules by which predictions are kept besides: ``failure`` (outcome or exception), ``rare`` (a predicted
            class below ``rare_share``), ``uncertain`` (the two best classes nearly equal).
        rare_share: Share of recent predictions, as this process saw them, below which a class is rare; at least 0.001.
        uncertain: Difference between the probabilities of the two best classes below which a prediction is
            uncertain; of a single score ``s`` it is ``|2 s - 1|``.
        keep: A rule of your own: called with each :class:`mllog.events.Record` on the caller's thread, so it must be
            quick; the values that it sees are raw, before any policy.
        seed: For replays: the same predictions are kept again. Services that shall keep the same ones need the same.

    Raises:
        SettingError: Where one of them is impossible.
    """

    rate: float = 1.0
    always: tuple[Rule, ...] = RULES
    rare_share: float = 0.01
    uncertain: float = 0.1
    keep: Callable[[Record], bool] | None = None
    seed: int | str | None = None

    def __post_init__(self) -> None:
        if not _within(self.rate, 0.0) or self.rate == 0:
            raise _error("rate", self.rate, "write the share to keep, above 0 and at most 1")
        always: Any = self.always
        if not isinstance(always, tuple | list | set | frozenset) or any(rule not in RULES for rule in always):
            raise _error("always", self.always, f"write a tuple of {', '.join(RULES)}")
        if not _within(self.rare_share, _LEAST_RARE_SHARE):
            raise _error("rare_share", self.rare_share, f"write a share from {_LEAST_RARE_SHARE} to 1")
        if not _within(self.uncertain, 0.0):
            raise _error("uncertain", self.uncertain, "write a difference of probabilities, from 0 to 1")
        if self.keep is not None and not callable(self.keep):
            raise _error("keep", self.keep, "write a function that takes a record and says whether to keep it")
        if self.seed is not None and not isinstance(self.seed, int | str):
            raise _error("seed", self.seed, "write a whole number or a text")


def resolve(given: float | str | Sampling) -> Sampling:
    """A sampling from what users write: a share, or all of it.

    Raises:
        SettingError: Where the rate isn't in (0, 1].
    """
    if isinstance(given, Sampling):
        return given
    try:
        return Sampling(float(given))
    except (TypeError, ValueError):
        raise _error("", given, "write the share to keep, above 0 and at most 1, or a mllog.Sampling") from None


class Sampler:
    """Decides on one prediction at a time, on the caller's thread.

    It takes no lock: counts that two threads raise at once may miss one, which moves an estimated share by nothing
    that matters, while a lock would be one more thing to wait for, and to be held at a fork.

    Args:
        sampling: What to keep.
        regression: Whether the model is one, so that a number between 0 and 1 is no probability.
    """

    def __init__(self, sampling: Sampling, *, regression: bool = False) -> None:
        self._sampling = sampling
        self._weight = 1 / sampling.rate
        self._threshold = min(round(sampling.rate * 2**64), 2**64 - 1).to_bytes(_DIGEST_BYTES, "big")
        self._salt = "" if sampling.seed is None else f"{sampling.seed}:"
        self._random = (draws.generator if sampling.seed is None else random.Random(sampling.seed)).random  # noqa: S311 - no secret
        self._failure = "failure" in sampling.always
        self._margin = sampling.uncertain if "uncertain" in sampling.always else 0.0
        self._regression = regression
        self._classes = _Shares(sampling.rare_share) if "rare" in sampling.always else None
        self._kept: set[str] = set()
        self._kept_before: set[str] = set()
        self._warned = False

    @property
    def needs_inputs(self) -> bool:
        """Whether the decision may depend on the inputs; without, it can be taken before they are copied."""
        return self._sampling.keep is not None

    def keep(self, record: Record) -> bool:
        """Whether ``record`` is kept; marks it with its sample and weight. Never raises.

        Args:
            record: A prediction with outcome, error, output and ids, or a later part of one: that goes with its
                prediction's id. Other kinds of event are always kept.
        """
        if record.kind != "prediction":
            return True
        by_rule = self._by_rule(record)
        if self._drawn(record):
            record.sample = "head"
        elif by_rule:
            record.sample = "tail"
        else:
            return False
        # A rule would have kept it whatever the draw said: its inclusion was certain.
        record.weight = 1.0 if by_rule else self._weight
        return True

    def _drawn(self, record: Record) -> bool:
        key = record.prediction_id or record.trace_id
        if key is None and record.context is not None:
            trace = record.context.get("trace")
            key = trace.get("id") if isinstance(trace, Mapping) else None
        if not isinstance(key, str):
            return self._random() < self._sampling.rate
        digest = blake2b((self._salt + key).encode("utf-8", "replace"), digest_size=_DIGEST_BYTES).digest()
        return digest <= self._threshold

    def _by_rule(self, record: Record) -> bool:
        known = record.prediction_id
        if record.action != "predict" and known is not None and (known in self._kept or known in self._kept_before):
            return True
        output = record.output
        # Every class is counted, whatever the other rules say: the shares are those of the traffic.
        found = self._classes is not None and self._classes.is_rare(output)
        if not found:
            found = self._failure and (record.outcome == "failure" or record.error is not None)
        if not found and self._margin:
            margin = _margin(output, regression=self._regression)
            found = margin is not None and margin < self._margin
        # A later part has no inputs to be asked about: it goes with its prediction.
        if not found and self._sampling.keep is not None and record.action == "predict":
            found = self._asked(self._sampling.keep, record)
        if found and known is not None:
            if len(self._kept) >= _IDS_REMEMBERED:
                self._kept_before, self._kept = self._kept, set()
            self._kept.add(known)
        return found

    def _asked(self, keep: Callable[[Record], bool], record: Record) -> bool:
        try:
            return bool(keep(record))
        except Exception as problem:  # noqa: BLE001 - the user's function; what it can't judge is kept
            if not self._warned:
                self._warned = True
                _log.warning("mllog: sampling.keep failed, such events are kept: %s", type(problem).__name__)
            return True


class _Shares:
    """Shares of predicted classes among recent predictions, in bounded memory.

    Counts are halved, and those of 1 forgotten, each time they add up to 100 / ``rare_share``; so no more classes than
    that are held, and old traffic counts for less and less.
    """

    def __init__(self, rare_share: float) -> None:
        self._rare_share = rare_share
        self._period = round(_WINDOW_OF_RARE / rare_share)
        self._counts: dict[str, int] = {}
        self._total = 0

    def is_rare(self, output: Any) -> bool:
        """Count the class of an output, and say whether it is rare."""
        label = output.get("label") if isinstance(output, dict) else output
        if type(label) is not str:
            if not isinstance(label, bool) and (label is output or not isinstance(label, int | float)):
                return False  # a bare number is a score or a value
            label = category_key(label)
        elif len(label) > _LABEL_LENGTH:
            label = label[:_LABEL_LENGTH]
        counts = self._counts
        count = counts[label] = counts.get(label, 0) + 1
        self._total += 1
        rare = count < self._rare_share * self._total
        if self._total >= self._period:
            self._counts = {name: number // 2 for name, number in list(counts.items()) if number > 1}
            self._total = sum(self._counts.values())
        return rare


def _margin(output: Any, *, regression: bool) -> float | None:
    """How far the best class is ahead of the second, in probability; ``None`` where nobody can say."""
    score = output
    if isinstance(output, dict):
        scores = output.get("scores")
        numbers = list(scores.values()) if isinstance(scores, dict) else scores
        if isinstance(numbers, list) and len(numbers) > 1 and all(isinstance(n, int | float) for n in numbers):
            best, second = sorted(numbers)[:-3:-1]
            return float(best - second)
        score = output.get("score")
    elif regression:
        return None
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        return None
    return abs(2 * score - 1)


def _within(value: object, least: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= 1


def _error(name: str, value: object, remedy: str) -> SettingError:
    where = f"sampling.{name}" if name else "sampling"
    return SettingError(f"{where} {value!r}: {remedy}", field=where if name else "sampling", value=value)
