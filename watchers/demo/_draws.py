"""Random numbers that depend on an identifier, not on the order of rows.

A flight keeps its remark, its latency and its luck whatever else is in the frame: the draws come
from a hash of the flight's id and the seed, mixed with the name of what is drawn (splitmix64).
"""

from collections.abc import Collection
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def keys(identifiers: Collection[str], seed: int) -> NDArray[np.uint64]:
    """Hash identifiers to one 64-bit key each.

    Args:
        identifiers: What the draws belong to.
        seed: Another seed gives other keys.

    Returns:
        One key for each identifier, in their order.
    """
    salt = str(seed).encode()
    hashes = (
        int.from_bytes(blake2b(each.encode(), digest_size=8, key=salt).digest(), "little") for each in identifiers
    )
    return np.fromiter(hashes, dtype=np.uint64, count=len(identifiers))


def uniform(key: NDArray[np.uint64], stream: str) -> NDArray[np.float64]:
    """Draw one number in [0, 1) for each key.

    Args:
        key: Keys from `keys`.
        stream: The name of what is drawn; draws of different names are independent.

    Returns:
        One number for each key.
    """
    offset = np.uint64(int.from_bytes(blake2b(stream.encode(), digest_size=8).digest(), "little"))
    mixed = (key ^ offset) + _STEP
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def normal(key: NDArray[np.uint64], stream: str) -> NDArray[np.float64]:
    """Draw one standard normal number for each key (Box and Muller 1958).

    Args:
        key: Keys from `keys`.
        stream: The name of what is drawn.

    Returns:
        One number for each key.
    """
    radius = np.sqrt(-2.0 * np.log1p(-uniform(key, stream + ":radius")))
    angle: NDArray[np.float64] = np.cos(2.0 * np.pi * uniform(key, stream + ":angle"))
    return radius * angle
