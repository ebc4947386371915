"""Sets of strings that are too many to be listed: a few bits each, and a stated share of errors to one side."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Collection, Mapping
from typing import Any, Final

RATE: Final = 0.01
"""Share of the strings that were never added and are taken for members."""


class Bloom:
    """A Bloom filter (Bloom 1970, Communications of the ACM 13:422): a member is always found, another one rarely.

    The hashes of a string are sums of two (Kirsch & Mitzenmacher 2008, Less hashing, same performance, Random
    Structures & Algorithms 33:187), which are halves of one BLAKE2b digest: the same in every process.

    Args:
        bits: The filter, a multiple of 8 bits.
        hashes: Positions of each string.
        count: Number of members.

    Raises:
        ValueError: it is empty, or there are no hashes.
    """

    __slots__ = ("_bits", "_count", "_hashes")

    def __init__(self, bits: bytes, hashes: int, count: int) -> None:
        if not bits or hashes < 1:
            raise ValueError(f"a Bloom filter of {len(bits)} bytes and {hashes} hashes holds nothing")
        self._bits, self._hashes, self._count = bits, hashes, count

    @classmethod
    def of(cls, members: Collection[str], rate: float = RATE) -> Bloom:
        """The smallest one of these members with so many false ones: 9.6 bits a member for 1 %."""
        count = max(len(members), 1)
        size = math.ceil(-count * math.log(rate) / math.log(2) ** 2 / 8)
        hashes = max(round(8 * size / count * math.log(2)), 1)
        bits = bytearray(size)
        for member in members:
            for position in _positions(member, hashes, 8 * size):
                bits[position >> 3] |= 1 << (position & 7)
        return cls(bytes(bits), hashes, len(members))

    def __contains__(self, item: object) -> bool:
        bits = self._bits
        return isinstance(item, str) and all(
            bits[position >> 3] >> (position & 7) & 1 for position in _positions(item, self._hashes, 8 * len(bits))
        )

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bloom) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(self._bits)

    def __deepcopy__(self, memo: object) -> Bloom:
        return self  # it never changes

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {"bloom": base64.b64encode(self._bits).decode(), "hashes": self._hashes, "count": self._count}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Bloom:
        """Read what :meth:`to_dict` wrote.

        Raises:
            KeyError, TypeError, ValueError: where it isn't one.
        """
        return cls(base64.b64decode(data["bloom"], validate=True), int(data["hashes"]), int(data["count"]))


def _positions(item: str, hashes: int, size: int) -> list[int]:
    digest = hashlib.blake2b(item.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    first, step = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big") | 1
    return [(first + k * step) % size for k in range(hashes)]
