"""Objects that do what no object should: raise, recurse, lie or never end in every method that anybody may call."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Keeper:
    """Something to hold a weak reference to."""

    one: Keeper


Keeper.one = Keeper()


class Raising:
    """Raises wherever it is touched."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise ValueError("no")

    __str__ = __repr__

    def __iter__(self) -> Any:
        raise OSError("no")

    def __len__(self) -> int:
        raise MemoryError("no")

    def __bool__(self) -> bool:
        raise TypeError("no")

    def __eq__(self, other: object) -> bool:
        raise KeyError("no")

    def __hash__(self) -> int:
        raise AttributeError("no")


class RaisingKey:
    """Can be a key, and raises when it is compared with anything else."""

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        raise ZeroDivisionError("no")

    def __repr__(self) -> str:
        raise MemoryError("no")


class Recursing:
    """Calls itself until Python gives up."""

    def __repr__(self) -> str:
        return repr(self)

    def __str__(self) -> str:
        return str(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self, f"{name}_")


class Wrong:
    """Gives wrong types."""

    def __repr__(self) -> str:
        return 5  # type: ignore[return-value]

    def __len__(self) -> int:
        return -1  # noqa: PLE0303

    def __iter__(self) -> Any:
        return 5

    def __float__(self) -> float:
        return "x"  # type: ignore[return-value]

    def tolist(self) -> Any:
        """Not a list."""
        return self

    shape = "large"


class Liar:
    """Says that it is a text."""

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        return str


class ClassRaising:
    """Doesn't say what it is."""

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no")

    def __hash__(self) -> int:
        return 2


class Meta(type):
    """A class of classes without a name."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("no")

    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("no")

    def __getattr__(cls, name: str) -> Any:
        raise RuntimeError(name)

    def __hash__(cls) -> int:
        raise RuntimeError("no")

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("no")


class Nameless(metaclass=Meta):
    """Its class raises wherever it is touched."""


class EverythingMeta(type):
    """A class of classes that have every attribute."""

    def __getattr__(cls, name: str) -> Any:
        return lambda *_: Everything()


class Everything(metaclass=EverythingMeta):
    """Has every attribute and method, each of which gives another of the kind."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: Everything()


class EndlessMapping(Mapping[str, int]):
    """Never ends."""

    def __getitem__(self, key: str) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        return map(str, itertools.count())

    def __len__(self) -> int:
        return 3


class EndlessSequence(Sequence[int]):
    """Never ends either."""

    def __getitem__(self, index: Any) -> Any:
        return 1

    def __len__(self) -> int:
        return 2**40

    def __iter__(self) -> Iterator[int]:
        return itertools.count()


class EndlessSet(AbstractSet[int]):
    """Nor does this."""

    def __contains__(self, value: object) -> bool:
        return True

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[int]:
        return itertools.count()


class EndlessList(list[int]):
    """A list that never ends and says that it is long."""

    def __iter__(self) -> Iterator[int]:
        return itertools.count()

    def __len__(self) -> int:
        return 10**6


class RaisingMapping(dict[str, int]):
    """A dict whose items nobody may see."""

    def items(self) -> Any:
        """No."""
        raise KeyError("no")

    keys = values = copy = items

    def __iter__(self) -> Any:
        raise KeyError("no")


class WrongMapping(dict[str, int]):
    """A dict whose items are none."""

    def items(self) -> Any:
        """No pairs."""
        return [1, (2, 3, 4), None]


class Shrinking(dict[str, Any]):
    """Forgets while it is read."""

    def items(self) -> Any:
        """Its items, until the second."""
        for item in super().items():
            self.clear()
            yield item


class RaisingText(str):
    """A text that raises."""

    __slots__ = ()

    def __str__(self) -> str:
        raise ValueError("no")

    __repr__ = __len__ = encode = isspace = strip = __str__  # type: ignore[assignment]

    def __hash__(self) -> int:
        return 3

    def __eq__(self, other: object) -> bool:
        raise ValueError("no")


class RaisingNumber(float):
    """A number that raises."""

    __slots__ = ()

    def __float__(self) -> float:
        raise ValueError("no")

    __repr__ = __int__ = __lt__ = __gt__ = __le__ = __ge__ = __float__  # type: ignore[assignment]

    def __hash__(self) -> int:
        return 4

    def __eq__(self, other: object) -> bool:
        raise ValueError("no")


class RaisingProperty:
    """A dataclass by its looks, whose field raises."""

    __dataclass_fields__ = {"x": None, "y": None}  # noqa: RUF012
    y = 1

    @property
    def x(self) -> int:
        """No."""
        raise LookupError("no")


class WrongFields:
    """A dataclass by its looks, without fields."""

    __dataclass_fields__ = 5
    __attrs_attrs__ = None


class Dumping:
    """A pydantic model by its looks, which dumps another of its kind for ever."""

    def model_dump(self) -> Any:
        """Another."""
        return Dumping()


class Lazy:
    """Computes itself when it is asked for its items, and then raises."""

    def __init__(self) -> None:
        self.asked = 0

    def to_list(self) -> Any:
        """No."""
        raise ConnectionError("no database")

    def __len__(self) -> int:
        return 5


class Weird(BaseException):
    """An exception that can't be shown."""

    def __str__(self) -> str:
        raise ValueError("no")

    __repr__ = __str__


class Hidden(Exception):  # noqa: N818 - hostile names too
    """Another one."""

    __slots__ = ()

    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307


class Growing(collections.UserList[int]):
    """Grows while it is read."""

    def __iter__(self) -> Iterator[int]:
        for item in self.data:
            self.data.append(1)
            yield item


HOSTILE = (
    Raising, RaisingKey, Recursing, Wrong, Liar, ClassRaising, Nameless, Everything, EndlessMapping, EndlessSequence,
    EndlessSet, EndlessList, lambda: RaisingMapping(a=1), lambda: WrongMapping(a=1), lambda: Shrinking(a=1, b=2),
    lambda: RaisingText("x"), lambda: RaisingNumber(1.5), RaisingProperty, WrongFields, Dumping, Lazy, Weird, Hidden,
    lambda: Growing([1]),
)  # fmt: skip
