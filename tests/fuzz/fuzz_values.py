"""A coverage-guided fuzzer (atheris, which is libFuzzer for Python) over odd objects that a logger is called with.

::

    python tests/fuzz/fuzz_values.py -runs=20000

Bytes become calls by :func:`support.probe.decoded`; bytes that reach code that none before them reached are kept and
changed further. It ends with an error, and leaves the bytes in a file, where an exception reaches the caller, a line
isn't strict JSON, what was passed was changed, an input vanished or later changes were logged
(:meth:`support.probe.Probe.check`). Options are libFuzzer's: https://llvm.org/docs/LibFuzzer.html#options
"""

from __future__ import annotations

import pathlib
import sys

import atheris

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

with atheris.instrument_imports(include=["mllog"]):
    from support.probe import Probe


def main() -> None:
    """Fuzz until an error, or for as many runs as were asked for."""
    probe = Probe()
    atheris.Setup([*sys.argv, "-max_len=400", "-timeout=60", "-rss_limit_mb=4096"], probe.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
