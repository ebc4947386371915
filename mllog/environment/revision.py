"""Which code runs: the commit and the container image, from variables or from the files of git; no program is run."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMIT_VARIABLES: Final = (
    "GIT_COMMIT",  # Jenkins
    "GITHUB_SHA",  # GitHub Actions
    "CI_COMMIT_SHA",  # GitLab
    "BITBUCKET_COMMIT",
    "CIRCLE_SHA1",
    "BUILD_SOURCEVERSION",  # Azure Pipelines
    "HEROKU_SLUG_COMMIT",
    "RENDER_GIT_COMMIT",
    "RAILWAY_GIT_COMMIT_SHA",
)
IMAGE_VARIABLES: Final = (
    "MLLOG_IMAGE",
    "FLY_IMAGE_REF",
    "K_REVISION",  # Cloud Run, Knative
    "CONTAINER_APP_REVISION",  # Azure Container Apps
)
_HASH: Final = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)
_REF: Final = re.compile(r"ref:\s*(refs/\S+)")
_LENGTH: Final = 256


def commit(folder: Path | None = None, variables: Mapping[str, str] = os.environ) -> str | None:
    """The commit: ``MLLOG_COMMIT``, else a build system's variable, else what is checked out in ``folder``.

    Args:
        folder: Where to look for a checkout, upwards; the working directory by default.
        variables: The environment.

    Returns:
        What the variable says, or a hash; ``None`` where neither is plain to see.
    """
    given = variables.get("MLLOG_COMMIT", "").strip()
    if given:
        return given[:_LENGTH]
    for name in COMMIT_VARIABLES:
        value = variables.get(name, "").strip()
        # Only what looks like a commit: such a name may be used for something else, which isn't ours to log.
        if _HASH.fullmatch(value):
            return value.lower()
    try:
        return checked_out(folder or Path.cwd())
    except (OSError, ValueError):
        return None


def checked_out(folder: Path) -> str | None:
    """The commit that is checked out in ``folder`` or above it, by git's own files (gitrepository-layout(5)).

    Raises:
        OSError: Where they can't be read.
    """
    git = _git_folder(folder)
    if git is None:
        return None
    head = _line(git / "HEAD")
    match = _REF.fullmatch(head)
    if match is None:
        return head if _HASH.fullmatch(head) else None
    # A worktree has a HEAD of its own, and shares the branches of the repository it was made from.
    common = git
    if (git / "commondir").is_file():
        common = git / _line(git / "commondir")
    for root in (git, common):
        if (root / match[1]).is_file():
            value = _line(root / match[1])
            return value if _HASH.fullmatch(value) else None
    packed = common / "packed-refs"
    if packed.is_file():
        with packed.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                value, _, name = line.strip().partition(" ")
                if name == match[1] and _HASH.fullmatch(value):
                    return value
    return None


def image(variables: Mapping[str, str] = os.environ) -> str | None:
    """The container image, where a platform's well-known variable says it.

    Amazon ECS says it in a file that ``ECS_CONTAINER_METADATA_FILE`` names.
    """
    for name in IMAGE_VARIABLES:
        value = variables.get(name, "").strip()
        if value:
            return value[:_LENGTH]
    path = variables.get("ECS_CONTAINER_METADATA_FILE")
    if path:
        try:
            value = json.loads(Path(path).read_bytes()).get("ImageID")
        except (OSError, ValueError, AttributeError):
            return None
        return value[:_LENGTH] if isinstance(value, str) and value else None
    return None


def _git_folder(folder: Path) -> Path | None:
    for parent in (folder, *folder.parents):
        git = parent / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            # A worktree or submodule: a file that says where.
            target = _line(git)
            return parent / target.removeprefix("gitdir:").strip() if target.startswith("gitdir:") else None
    return None


def _line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(4096).strip()
