"""docs/how-to/running.md: what it says of the files in deploy/ is what stands there."""

from __future__ import annotations

import pathlib
import re
import subprocess

import yaml

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/running.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


def test_the_table_of_services_is_the_stack() -> None:
    """Each service, the ports that it opens, and its memory, in the order in which they start."""
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|[^|]*\|([^|]*)\|$", PAGE, re.MULTILINE)
    assert [name for name, _, _ in rows] == list(SERVICES)
    for name, ports, memory in rows:
        opened = [":".join(port.split(":")[:2]) for port in SERVICES[name].get("ports", [])]
        assert re.findall(r"[\d.]+:\d+", ports) == opened
        limit = re.sub(r"\$\{\w+:-(\w+)\}", r"\1", SERVICES[name]["mem_limit"])
        assert memory.strip() == {"128m": "128 MB", "256m": "256 MB", "512m": "512 MB", "1g": "1 GB", "2g": "2 GB"}[limit]


def test_the_memory_that_it_takes_is_the_sum() -> None:
    """Of those that stay."""
    sizes = [re.sub(r"\$\{\w+:-(\w+)\}", r"\1", one["mem_limit"]) for one in SERVICES.values() if "healthcheck" in one]
    assert f"{sum(int(size.removesuffix('g')) for size in sizes)} GB of memory for the containers" in PAGE


def test_the_secrets_are_made_as_the_example_says() -> None:
    """The same line in both."""
    (line,) = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines() if "umask" in line]
    assert f"#     {line}\n" in (ROOT / ".env.example").read_text(encoding="utf-8")
    assert subprocess.run(["sh", "-n", "-c", line], check=False).returncode == 0


def test_every_shell_line_is_one() -> None:
    """Each block of commands can be parsed by a shell, and names files and services that there are."""
    commands = re.compile(r"docker |kubectl |install |systemctl |useradd |python3 |sysctl |/opt/|\(umask")
    lines = [line for _, text in BLOCKS for line in text.splitlines() if commands.match(line)]
    assert len(lines) >= 18
    for line in lines:
        assert subprocess.run(["sh", "-n", "-c", line], check=False).returncode == 0, line
        for path in re.findall(r"deploy/\S+", line):
            assert (ROOT / path).is_file(), line
        for name in re.findall(r"compose (?:run --rm|restart|cp) (.*)", line):
            assert set(re.findall(r"(?<![/.\w])[a-z]+(?=[:\s]|$)", name.split(":")[0])) <= set(SERVICES), line


def test_the_units_expect_what_the_page_installs() -> None:
    """The folder of the commands, the user, and the files with variables."""
    for path in (ROOT / "deploy/systemd").glob("*.service"):
        text = path.read_text(encoding="utf-8")
        for file in re.findall(r"^EnvironmentFile=(.*)$", text, re.MULTILINE):
            assert f"install --mode 600 /dev/null {file}\n" in PAGE
        assert "ExecStart=/opt/mllog/bin/" in text
        assert f"/{path.name}" in PAGE
    assert "useradd --system --home-dir /var/lib/mllog --shell /usr/sbin/nologin mllog" in PAGE


def test_every_manifest_is_on_the_page() -> None:
    """With a line of its own."""
    named = set(re.findall(r"^\| `([\w-]+\.yaml)` \|", PAGE, re.MULTILINE))
    assert named == {path.name for path in (ROOT / "deploy/kubernetes").glob("*.yaml")}
