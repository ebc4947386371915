"""Lines of JSON from columns of fragments: all rows of a slice are joined at once.

The fragments stand in one list, row after row, where each column takes every *w*-th place. What is hard are commas: a
member that a row lacks leaves none behind.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mllog.delivery.strands import Mask, Strand


class Weaver:
    """Lines in the making.

    Args:
        n: Number of rows.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._slots: list[bytes | list[bytes]] = []

    def add(self, text: bytes | list[bytes]) -> None:
        """Add a fragment to each row: the same one, or a list of one each."""
        before = self._slots[-1] if self._slots else None
        if isinstance(text, bytes) and isinstance(before, bytes):
            self._slots[-1] = before + text
        else:
            self._slots.append(text)

    def group(
        self,
        opener: bytes,
        strands: Sequence[Strand],
        closer: bytes,
        *,
        behind: Mask | bool = True,
        in_order: bool = False,
    ) -> Mask | bool:
        """Add an object or array to each row that has members of it.

        Args:
            opener: What it begins with.
            strands: Its members; unless ``in_order`` the one that the fewest rows lack comes first.
            closer: What it ends with.
            behind: Rows in which something stands before it, so that it needs a comma.
            in_order: Whether members stand in the order of ``strands``.

        Returns:
            Rows that have one.
        """
        if not strands:
            return False
        order = list(strands)
        if not in_order:
            fullest = min(strands, key=lambda strand: 0 if strand.holes is None else int(strand.holes.sum()))
            order = [fullest, *(strand for strand in strands if strand is not fullest)]
        members = [strand.make(b"," if k else b"") for k, strand in enumerate(order)]
        lacking = order[0].holes
        if lacking is not None:
            lacking = lacking.copy()
            for strand, texts in zip(order[1:], members[1:], strict=True):
                first = lacking if strand.holes is None else lacking & ~strand.holes
                for row in np.flatnonzero(first).tolist():
                    texts[row] = texts[row][1:]
                lacking = lacking & ~first
                if not lacking.any():
                    break
        has: Mask | bool = True if lacking is None or not lacking.any() else ~lacking
        self.add(self._chosen(b"," + opener, opener, has, behind))
        for texts in members:
            self.add(texts)
        self.add(self._chosen(closer, closer, has, behind))
        return has

    def _chosen(self, behind_text: bytes, text: bytes, has: Mask | bool, behind: Mask | bool) -> bytes | list[bytes]:
        if has is True and isinstance(behind, bool):
            return behind_text if behind else text
        which = np.where(np.broadcast_to(has, self._n), 1 + np.broadcast_to(behind, self._n).astype(np.intp), 0)
        chosen: list[bytes] = np.array([b"", text, behind_text], dtype=object).take(which).tolist()
        return chosen

    def texts(self) -> list[bytes]:
        """The rows' fragments, joined, one a row."""
        slots = [[slot] * self._n if isinstance(slot, bytes) else slot for slot in self._slots]
        return list(map(b"".join, zip(*slots, strict=True)))

    def lines(self, instead: dict[int, bytes]) -> bytes:
        """The rows' fragments, joined.

        Args:
            instead: Lines of rows that are written otherwise; empty for those that aren't written at all.
        """
        n, width = self._n, len(self._slots)
        woven: list[bytes] = [b""] * (n * width)
        for k, slot in enumerate(self._slots):
            woven[k::width] = [slot] * n if isinstance(slot, bytes) else slot
        nothing = [b""] * (width - 1)
        for row, line in instead.items():
            woven[row * width : (row + 1) * width] = [line, *nothing]
        return b"".join(woven)
