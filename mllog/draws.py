"""Random numbers of our own: a model may seed the shared generator, and counts on nobody else drawing from it."""

from __future__ import annotations

import os
import random
from typing import Final

generator: Final = random.Random()  # noqa: S311 - for sampling and jitter, no secrets
if hasattr(os, "register_at_fork"):
    # A forked child would draw what its siblings draw.
    os.register_at_fork(after_in_child=generator.seed)
