"""Compiles the logger's loops where that works; where it doesn't, those in Python do the same for more CPU.

``MLLOG_PURE_PYTHON=1`` builds a wheel for every platform, without them.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "mllog.delivery.loops.compiled"
SOURCE = "mllog/delivery/loops/compiled.pyx"


class CompiledLoops(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the compiled module beside its source, for wheels and editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tell the builder what came of it; ``version`` is ``standard`` or ``editable``."""
        del version
        for old in Path(self.root, SOURCE).parent.glob("compiled.*"):
            if old.suffix in {".so", ".pyd"}:
                old.unlink()
        if os.environ.get("MLLOG_PURE_PYTHON", "").lower() not in {"", "0", "false", "no"}:
            return
        try:
            compile_loops(self.root)
        except (Exception, SystemExit) as problem:  # noqa: BLE001 - whatever a compiler may say; it is optional
            self.app.display_warning(f"mllog's loops were not compiled, Python's are used instead: {problem}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"] += ["mllog/delivery/loops/*.so", "mllog/delivery/loops/*.pyd"]


def compile_loops(root: str) -> None:
    """Translate the source to C and compile that, in place.

    Raises:
        Exception: Whatever the compiler says.
    """
    from Cython.Build import cythonize  # noqa: PLC0415 - needed only where it is used
    from setuptools import Distribution, Extension  # noqa: PLC0415

    before = Path.cwd()
    os.chdir(root)
    try:
        with tempfile.TemporaryDirectory() as temporary:
            extension = Extension(MODULE, [SOURCE], extra_compile_args=["-O2", "-g0"] if os.name == "posix" else [])
            modules = cythonize([extension], build_dir=temporary, quiet=True, compiler_directives={"language_level": 3})
            command = Distribution({"name": "mllog", "ext_modules": modules}).get_command_obj("build_ext")
            command.inplace = True
            command.build_temp = temporary
            command.ensure_finalized()
            command.run()
    finally:
        os.chdir(before)
