"""What is logged: predictions of one model with 30 features, the same for every contender.

14 floats, 3 integers, 7 categories, 4 booleans, 2 texts of 10 to 20 words. 3 % of the values are null, 2 % of the
numbers NaN, 2 % of the keys absent, 1 % of the words new, some numbers outside of the training range. The output is a
label and a score. Beside them stand what every event should say of its origin: model, version, and the versions of
40 dependencies.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

MODEL: Final = "flight-delay"
VERSION: Final = "2026.11.1"

FLOATS: Final = tuple(f"float_{k}" for k in range(14))
INTEGERS: Final = tuple(f"integer_{k}" for k in range(3))
CATEGORIES: Final = tuple(f"category_{k}" for k in range(7))
BOOLEANS: Final = tuple(f"boolean_{k}" for k in range(4))
TEXTS: Final = ("remarks", "notes")
FEATURES: Final = (*FLOATS, *INTEGERS, *CATEGORIES, *BOOLEANS, *TEXTS)

DEPENDENCIES: Final = {f"package-{k}": f"{k % 7}.{k % 11}.{k % 5}" for k in range(40)}

TRAINING_ROWS: Final = 4_000
ROWS: Final = 512
"""Different rows; a run goes through them again and again."""

NULL, NAN, ABSENT, NEW_WORD, FAR = 0.03, 0.02, 0.02, 0.01, 0.002

_WORDS: Final = tuple(f"{a}{b}{c}" for a in ("de", "ga", "lo", "mi", "su") for b in ("ran", "tel", "vok") for c in
                      ("a", "en", "ing", "ity", "or", "s", "um", "y"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prediction:
    """One prediction as model code has it: inputs by name, and the output."""

    inputs: dict[str, Any]
    output: dict[str, Any]


@cache
def predictions() -> tuple[Prediction, ...]:
    """The rows that are logged."""
    rng = random.Random(4)
    return tuple(Prediction(_faulty(_row(rng), rng), _output(rng)) for _ in range(ROWS))


def with_numpy_scalars() -> tuple[Prediction, ...]:
    """The same rows as services have them that take a row out of a frame: numpy scalars, not Python's."""
    import numpy as np  # noqa: PLC0415 - a logger must not be measured in a process that has numpy without need

    kinds = {float: np.float64, int: np.int64, bool: np.bool_}
    return tuple(
        Prediction({name: kinds.get(type(v), lambda v: v)(v) for name, v in p.inputs.items()}, p.output)
        for p in predictions()
    )


def save_card(path: Path) -> None:
    """Make the model's card from training rows and save it."""
    import pandas as pd  # noqa: PLC0415 - only the parent needs it

    from mllog import ModelCard  # noqa: PLC0415

    rng = random.Random(1)
    rows = [_row(rng) for _ in range(TRAINING_ROWS)]
    frame = pd.DataFrame({name: [row[name] for row in rows] for name in FEATURES})
    scores = [rng.random() for _ in rows]
    frame["label"] = [_label(score) for score in scores]
    frame["score"] = scores
    ModelCard.from_frame(frame, MODEL, VERSION, target="label", predictions="score", text=TEXTS).save(path)


def _row(rng: random.Random) -> dict[str, Any]:
    row: dict[str, Any] = {name: rng.gauss(100 * k, 10 + k) for k, name in enumerate(FLOATS)}
    row |= {name: rng.randrange(10 ** (k + 1)) for k, name in enumerate(INTEGERS)}
    row |= {name: f"C{min(int(rng.expovariate(0.3)), 4 + 3 * k)}" for k, name in enumerate(CATEGORIES)}
    row |= {name: rng.random() < 0.3 for name in BOOLEANS}
    row |= {name: " ".join(rng.choices(_WORDS, k=rng.randint(10, 20))) for name in TEXTS}
    return row


def _faulty(row: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in row.items():
        if rng.random() < ABSENT:
            continue
        if rng.random() < NULL:
            result[name] = None
        elif name in FLOATS and rng.random() < NAN:
            result[name] = math.nan
        elif name in FLOATS and rng.random() < FAR:
            result[name] = value * 1000
        elif name in TEXTS:
            words = [f"new{rng.randrange(10**6):x}" if rng.random() < NEW_WORD else word for word in value.split()]
            result[name] = " ".join(words)
        else:
            result[name] = value
    return result


def _output(rng: random.Random) -> dict[str, Any]:
    score = rng.random()
    return {"label": _label(score), "score": score}


def _label(score: float) -> str:
    return "late" if score > 0.5 else "on time"
