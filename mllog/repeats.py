"""Rows whose inputs are all equal to an earlier row's of the same hour.

Equal is what the events that the logger would write can't tell apart: ``5`` and ``5.0``, two blanks, plus and minus
infinity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from mllog import values
from mllog.delivery.routing import MISSING, Router
from mllog.events import Record
from mllog.ruler import Feature, Ruler, missing_kind

_OTHER: Final = Feature("", "other")


def repeated_rows(ruler: Ruler, data: Mapping[str, Sequence[Any]], hours: Sequence[Any]) -> npt.NDArray[np.bool_]:
    """Which rows repeat an earlier one of their hour.

    Args:
        ruler: Says which type each input is written as.
        data: Column name -> typed values, all of one length.
        hours: Of each row; any values, equal where the hours are.

    Returns:
        shape (rows,).
    """
    router, record = Router(ruler), Record("prediction", "predict", 0, "", 0)

    def written(name: str, value: Any) -> Any:
        kind = router.kind_of(name)
        target, placed = router.place(name, value, kind, record)
        if target in MISSING:
            return target
        if target == "number":
            return target, float(placed)
        if target == "other":
            missing = missing_kind(_OTHER, value) if kind == "other" else None
            return target, missing, orjson.dumps(values.strict(placed), default=str)
        return target, values.strict(placed)

    columns = [
        _codes(column, partial(written, name), number=router.kind_of(name) == "number") for name, column in data.items()
    ]
    seen: set[tuple[Any, ...]] = set()
    result = np.zeros(len(hours), dtype=np.bool_)
    for row, key in enumerate(zip(hours, *columns, strict=True)):
        if key in seen:
            result[row] = True
        else:
            seen.add(key)
    return result


def is_plain(value: object) -> bool:
    """Whether a value is a number that is written as the double it is: no truth, nothing infinite, nothing too wide."""
    if type(value) is float:
        return math.isfinite(value)
    return type(value) is int and value in values.INT64


def _codes(column: Sequence[Any], written: Callable[[Any], Any], *, number: bool) -> Sequence[int]:
    """A number for each value, the same for what is written the same; in a column of a ``number`` often at once."""
    if number and all(map(is_plain, column)):
        together: list[int] = np.unique(np.array(column, dtype=np.float64), return_inverse=True)[1].tolist()
        return together
    codes: dict[Any, int] = {}
    known: dict[Any, int] = {}
    result = []
    for value in column:
        key = (type(value), value) if isinstance(value, str | int | float) else None
        code = known.get(key) if key is not None else None
        if code is None:
            code = codes.setdefault(written(value), len(codes))
            if key is not None:
                known[key] = code
        result.append(code)
    return result
