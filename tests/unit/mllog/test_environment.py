from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mllog import environment
from mllog.environment import Manifest, hardware, installed, revision

if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTENING: list[list[str]] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _LISTENING and event == "open":
        _LISTENING[-1].append(str(arguments[0]))


sys.addaudithook(_audit)


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Files opened in the course of a test."""
    _LISTENING.append([])
    yield _LISTENING[-1]
    _LISTENING.pop()


def python(code: str, **variables: str) -> str:
    """What ``code`` prints in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
    ).stdout


def distribution(folder: Path, name: str) -> Path:
    """A folder as an installer leaves it."""
    path = folder / name
    path.mkdir(parents=True)
    (path / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 0\n")
    return path


def test_current_knows_this_process() -> None:
    """Packages by normalised name, worked out once."""
    manifest = environment.current()
    assert manifest.packages["orjson"] == importlib.metadata.version("orjson")
    assert manifest.implementation == "CPython"
    assert environment.current() is manifest
    assert manifest.cpus == len(os.sched_getaffinity(0))
    assert manifest.to_dict()["kernel"] == os.uname().release


def test_packages_are_those_of_importlib_metadata() -> None:
    """Names of folders say the same as the metadata in them, each distribution once."""
    expected: dict[str, str] = {}
    for found in importlib.metadata.distributions():
        expected.setdefault(installed.normalised(found.metadata["Name"]), found.version)
    assert installed.installed() == dict(sorted(expected.items()))


def test_no_metadata_is_read(tmp_path: Path, opened: list[str]) -> None:
    """300 distributions cost one listing, no open file."""
    for number in range(300):
        distribution(tmp_path, f"package_{number}-1.{number}.dist-info")
    opened.clear()
    found = installed.installed([str(tmp_path)])
    assert opened == []
    assert len(found) == 300
    assert found["package-299"] == "1.299"


def test_odd_ways_to_be_installed(tmp_path: Path) -> None:
    """The first on the path counts; legacy metadata is read, what a broken removal left is not."""
    first, second = tmp_path / "a", tmp_path / "b"
    distribution(first, "Foo.Bar-1.0.dist-info")
    distribution(second, "foo_bar-2.0.dist-info")
    distribution(second, "~umpy-2.0.dist-info")
    distribution(second, "twice-1.0.dist-info")
    distribution(second, "twice-1.1.dist-info")
    distribution(second, "local-1.0+cu121.dist-info")
    (second / "egg-1.5-py3.11.egg-info").write_text("Name: egg\nVersion: 1.5\n")
    (second / "develop.egg-info").mkdir()
    (second / "develop.egg-info" / "PKG-INFO").write_text("Name: develop\nVersion: 3.1\n\nVersion: 4\n")
    (second / "nothing.egg-info").mkdir()
    egg = tmp_path / "zipped-0.5-py3.11-linux-x86_64.egg"
    egg.mkdir()
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("inside-7.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: inside\nVersion: 7.0\n")
    path = [str(first), str(second), str(egg), str(archive), str(tmp_path / "absent"), str(first)]
    assert installed.installed(path) == {
        "develop": "3.1",
        "egg": "1.5",
        "foo-bar": "1.0",
        "inside": "7.0",
        "local": "1.0+cu121",
        "twice": "1.1",
        "zipped": "0.5",
    }


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


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"cpu": "other"}, True),
        ({"cpus": 64}, True),
        ({"kernel": "6.1"}, True),
        ({"devices": {"CUDA_VISIBLE_DEVICES": "3"}}, True),
        ({"accelerators": ("NVIDIA A100",)}, False),
        ({"driver": "550"}, False),
        ({"cuda": "12.4"}, False),
        ({"libc": "musl"}, False),
        ({"image": "registry/model:2"}, False),
        ({"commit": "abc"}, False),
        ({"flags": {"OMP_NUM_THREADS": "1"}}, False),
    ],
)
def test_what_the_fingerprint_covers(change: dict[str, object], same: bool) -> None:
    """All that may change an answer; not the machine that a replica happens to be on."""
    manifest = Manifest(python="3.11")
    changed = manifest.replace(**change)
    assert (changed.fingerprint == manifest.fingerprint) is same
    assert changed.to_dict() != manifest.to_dict()


def test_two_processes_have_one_fingerprint() -> None:
    """The order of folders, hash seeds and pids have no part in it; a flag has."""
    code = "from mllog.environment import current; print(current().fingerprint)"
    seeds = [python(code, PYTHONHASHSEED="0", MALLOC_ARENA_MAX=str(number)) for number in range(2)]
    assert len(set(seeds)) == 1
    assert python(code, PYTHONHASHSEED="0", OMP_NUM_THREADS="3") not in seeds


def test_no_other_variable_is_repeated() -> None:
    """Of the environment only the listed flags are kept, whatever else begins like them."""
    secret = "hunter2-c0ffee"
    variables = {
        "TF_VAR_password": secret,
        "MKL_SECRET": secret,
        "AWS_SECRET_ACCESS_KEY": secret,
        "MLLOG_SALT": secret,
        "GIT_COMMIT": secret,
        "CUDA_VERSION": secret,
        "OMP_NUM_THREADS": "7",
        "CUDA_VISIBLE_DEVICES": "1",
    }
    document = python(
        "import json; from mllog.environment import current; print(json.dumps(current().to_dict()))", **variables
    )
    assert secret not in document
    assert json.loads(document)["flags"]["OMP_NUM_THREADS"] == "7"
    assert json.loads(document)["devices"] == {"CUDA_VISIBLE_DEVICES": "1"}


def test_no_program_is_run() -> None:
    """Working it out starts no process and loads no library of a GPU's."""
    code = """
import sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event))
from mllog.environment import current
current().fingerprint
print(sorted({e for e in seen if e.startswith(("subprocess", "os.system", "os.fork", "os.exec", "os.posix_spawn"))}))
print("pynvml" in sys.modules, "importlib.metadata" in sys.modules)
"""
    assert python(code) == "[]\nFalse False\n"


def test_refresh_finds_packages_that_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new distribution gives a new manifest; a folder that was only touched gives the same one."""
    monkeypatch.setattr(environment, "_current", None)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = environment.current()
    assert environment.refresh() is before
    (tmp_path / "data.txt").write_text("no package")
    assert environment.refresh() is before
    old = distribution(tmp_path, "hot-1.0.dist-info")
    added = environment.refresh()
    assert added.packages == {**before.packages, "hot": "1.0"}
    assert added.fingerprint != before.fingerprint
    assert environment.current() is added
    old.rename(tmp_path / "hot-1.1.dist-info")
    assert environment.refresh().packages["hot"] == "1.1"
    (tmp_path / "hot-1.1.dist-info").rename(tmp_path / "gone")
    assert environment.refresh().fingerprint == before.fingerprint


def test_artifact_hash(tmp_path: Path) -> None:
    """A file's is its sha256; a folder's changes with any name or content."""
    (tmp_path / "model.bin").write_bytes(b"weights")
    assert environment.artifact_hash(tmp_path / "model.bin") == hashlib.sha256(b"weights").hexdigest()
    first = environment.artifact_hash(tmp_path)
    (tmp_path / "model.bin").rename(tmp_path / "other.bin")
    assert environment.artifact_hash(tmp_path) != first
    with pytest.raises(FileNotFoundError):
        environment.artifact_hash(tmp_path / "absent")


def test_artifact_behind_a_link_to_a_folder(tmp_path: Path) -> None:
    """What `current` leads to is hashed under that name: the same as a copy there, and another when it leads elsewhere."""
    model, copy = tmp_path / "model", tmp_path / "copy" / "current"
    for version in ("v1", "v2"):
        (tmp_path / "releases" / version / "deep").mkdir(parents=True)
        (tmp_path / "releases" / version / "deep" / "model.bin").write_text(version)
    copy.parent.mkdir()
    (tmp_path / "releases" / "v1").rename(copy)
    copied = environment.artifact_hash(copy.parent)
    copy.rename(tmp_path / "releases" / "v1")
    model.mkdir()
    (model / "current").symlink_to("../releases/v1")
    assert environment.artifact_hash(model) == copied
    (model / "current").unlink()
    (model / "current").symlink_to("../releases/v2")
    assert environment.artifact_hash(model) != copied
    (tmp_path / "releases" / "v2" / "deep" / "model.bin").write_text("v1")
    assert environment.artifact_hash(model) == copied


@pytest.mark.parametrize("name", ["current", "z"])
def test_artifact_with_links_within_it(tmp_path: Path, name: str) -> None:
    """Each folder is read once, and yet it shows to which of them a link leads, before or behind it."""
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "model.bin").write_text(version)
    hashes = {environment.artifact_hash(tmp_path)}
    for version in ("v1", "v2"):
        (tmp_path / name).symlink_to(version)
        hashes.add(environment.artifact_hash(tmp_path))
        (tmp_path / name).unlink()
    assert len(hashes) == 3


def test_artifact_with_links_that_lead_back(tmp_path: Path, opened: list[str]) -> None:
    """A folder that holds itself, two that hold each other, a link to itself, one to nothing: there is an end."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, other in ((first, second), (second, first)):
        (folder / "deep").mkdir(parents=True)
        (folder / "model.bin").write_text(folder.name)
        for number in range(12):
            (folder / f"back{number}").symlink_to(other)
            (folder / "deep" / f"up{number}").symlink_to("..")
    (first / "itself").symlink_to("itself")
    (first / "nothing").symlink_to("absent")
    opened.clear()
    found = environment.artifact_hash(first)
    assert sorted(path for path in opened if path.endswith("model.bin")) == [
        str(first / "back0" / "model.bin"),
        str(first / "model.bin"),
    ]
    (second / "model.bin").write_text("another")
    assert environment.artifact_hash(first) != found


def test_artifact_that_can_not_all_be_read(tmp_path: Path) -> None:
    """A folder that is left out would leave the hash the same, whatever is in it."""
    (tmp_path / "hidden").mkdir(mode=0)
    root = os.geteuid() == 0
    if root:  # who may read everything
        for folder in [tmp_path, *list(tmp_path.parents)[:2]]:
            folder.chmod(folder.stat().st_mode | 0o055)  # of /tmp, too, everything else must stay
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionError):
            environment.artifact_hash(tmp_path)
    finally:
        if root:
            os.seteuid(0)


def test_artifact_is_read_once(tmp_path: Path, opened: list[str]) -> None:
    """A second logger of a process doesn't read it again, unless it was changed, even to the same size and time."""
    path = tmp_path / "model.bin"
    path.write_bytes(b"weights")
    first = environment.artifact_hash(tmp_path)
    opened.clear()
    assert environment.artifact_hash(tmp_path) == first
    assert str(path) not in opened
    state = path.stat()
    path.write_bytes(b"changed")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert environment.artifact_hash(tmp_path) != first
    assert str(path) in opened


def git(folder: Path, *arguments: str) -> str:
    """Git itself, without the configuration of whoever runs this."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**variables, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
    ).stdout.strip()


def test_commit_is_what_git_says(tmp_path: Path) -> None:
    """On a branch, with packed references, in a worktree, at a detached head: the same as ``git rev-parse HEAD``."""
    repository = tmp_path / "repository"
    source = repository / "src" / "deep"
    source.mkdir(parents=True)
    git(repository, "init", "--quiet")
    assert revision.checked_out(source) is None
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "first")
    head = git(repository, "rev-parse", "HEAD")
    assert revision.checked_out(source) == head
    git(repository, "pack-refs", "--all")
    assert revision.checked_out(source) == head
    git(repository, "worktree", "add", "--quiet", "-b", "other", str(tmp_path / "worktree"))
    git(tmp_path / "worktree", "commit", "--quiet", "--allow-empty", "--message", "second")
    assert revision.checked_out(tmp_path / "worktree") == git(tmp_path / "worktree", "rev-parse", "HEAD") != head
    git(repository, "pack-refs", "--all")
    assert revision.checked_out(tmp_path / "worktree") == git(tmp_path / "worktree", "rev-parse", "HEAD")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "third")
    git(repository, "checkout", "--quiet", "--detach", head)
    assert revision.checked_out(repository) == head
    (repository / ".git" / "HEAD").write_bytes(b"\xff\xfe nonsense")
    assert revision.commit(repository, {}) is None


def test_commit_by_variable(tmp_path: Path) -> None:
    """Ours first, then what build systems set, where it looks like a commit; then git."""
    sha = "0123456789abcdef0123456789abcdef01234567"
    assert revision.commit(tmp_path, {"MLLOG_COMMIT": "release-7", "GITHUB_SHA": sha}) == "release-7"
    assert revision.commit(tmp_path, {"GIT_COMMIT": "not a commit", "CI_COMMIT_SHA": sha.upper()}) == sha
    assert revision.commit(tmp_path / "nowhere", {"GIT_COMMIT": "s3cret!"}) is None


def test_image_by_variable(tmp_path: Path) -> None:
    """Ours first, then the platforms'; Amazon's is in a file."""
    assert revision.image({}) is None
    assert revision.image({"MLLOG_IMAGE": "a@sha256:1", "FLY_IMAGE_REF": "b"}) == "a@sha256:1"
    assert revision.image({"K_REVISION": "model-00042-abc"}) == "model-00042-abc"
    path = tmp_path / "metadata.json"
    assert revision.image({"ECS_CONTAINER_METADATA_FILE": str(path)}) is None
    path.write_text('{"ImageID": "sha256:2"}')
    assert revision.image({"ECS_CONTAINER_METADATA_FILE": str(path)}) == "sha256:2"
    path.write_text("[]")
    assert revision.image({"ECS_CONTAINER_METADATA_FILE": str(path)}) is None


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n", "535.104.05"),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.14  Release Build  (dvs-builder@U16)\n",
            "550.54.14",
        ),
        ("something else\n", None),
    ],
)
def test_accelerators_from_proc(tmp_path: Path, text: str, driver: str | None) -> None:
    """Driver and models as NVIDIA's kernel module writes them, closed and open."""
    root = tmp_path / "driver" / "nvidia"
    for slot in ("0000:01:00.0", "0000:02:00.0"):
        (root / "gpus" / slot).mkdir(parents=True)
        (root / "gpus" / slot / "information").write_text("Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 45\n")
    (root / "version").write_text(text)
    found = hardware.accelerators(str(tmp_path))
    assert found.driver == driver
    assert found.names == (("NVIDIA A100-SXM4-40GB",) * 2 if driver else ())


def test_no_accelerators_where_there_is_no_driver(tmp_path: Path) -> None:
    """A machine without a GPU has none, and nothing fails."""
    assert hardware.accelerators(str(tmp_path)) == hardware.Accelerators()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nmodel name\t: AMD EPYC 7763\n\nprocessor\t: 1\n", "AMD EPYC 7763"),
        ("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n", "ARM 0x41 0xd0c"),
        ("", None),
    ],
)
def test_processor(tmp_path: Path, text: str, expected: str | None) -> None:
    """By name, or by ARM's numbers."""
    (tmp_path / "cpuinfo").write_text(text)
    assert hardware.processor(str(tmp_path)) == expected


def test_cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the variable of NVIDIA's images, else from the toolkit's file."""
    monkeypatch.delenv("CUDA_VERSION", raising=False)
    path = tmp_path / "version.json"
    assert hardware.cuda(str(path)) is None
    path.write_text('{"cuda" : {"name" : "CUDA SDK", "version" : "12.4.1"}, "cuda_nvcc": {"version": "9"}}')
    assert hardware.cuda(str(path)) == "12.4.1"
    monkeypatch.setenv("CUDA_VERSION", "11.8")
    assert hardware.cuda(str(path)) == "11.8"
