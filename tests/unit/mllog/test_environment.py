from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mllog import environment
from mllog.environment import Manifest

if TYPE_CHECKING:
    from pathlib import Path


def test_current_knows_this_process() -> None:
    """Packages by lower-case name, worked out once."""
    manifest = environment.current()
    assert manifest.packages["orjson"]
    assert manifest.implementation == "CPython"
    assert environment.current() is manifest


def test_fingerprint_follows_the_contents() -> None:
    """Same contents, same fingerprint; one version bumped, another."""
    manifest = Manifest(packages={"b": "1", "a": "2"}, python="3.11")
    assert manifest.fingerprint == Manifest(packages={"a": "2", "b": "1"}, python="3.11").fingerprint
    assert len(manifest.fingerprint) == 16
    bumped = manifest.replace(packages={"a": "3"})
    assert bumped.packages == {"a": "3", "b": "1"}
    assert bumped.fingerprint != manifest.fingerprint
    assert manifest.replace(python="3.12").fingerprint != manifest.fingerprint
    assert "fingerprint" not in manifest.to_dict()


def test_artifact_hash(tmp_path: Path) -> None:
    """A file's is its sha256; a folder's changes with any name or content."""
    (tmp_path / "model.bin").write_bytes(b"weights")
    assert environment.artifact_hash(tmp_path / "model.bin") == hashlib.sha256(b"weights").hexdigest()
    first = environment.artifact_hash(tmp_path)
    (tmp_path / "model.bin").rename(tmp_path / "other.bin")
    assert environment.artifact_hash(tmp_path) != first


def test_commit_is_read_from_the_folder(tmp_path: Path) -> None:
    """The checked-out commit, by branch or alone; nothing where there is no repository."""
    assert environment._commit(tmp_path / "none") is None or (tmp_path / ".git").exists() is False
    (tmp_path / ".git" / "refs").mkdir(parents=True)
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/main\n")
    assert environment._commit(tmp_path) is None
    (tmp_path / ".git" / "refs" / "main").write_text("abc\n")
    assert environment._commit(tmp_path / "src") == "abc"
    (tmp_path / ".git" / "HEAD").write_text("def\n")
    assert environment._commit(tmp_path) == "def"
