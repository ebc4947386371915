"""The documentation runs."""

import datetime as dt
import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mllog
from kibana_objects.cli import _parser
from watchers.demo.drive import SERVING

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page):
    """Fenced blocks of a page as (language, text)."""
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def flights(n, seed, start):
    """A small frame with the columns that the README names."""
    rng = np.random.default_rng(seed)
    times = pd.Timestamp(start, tz="UTC") + pd.to_timedelta(np.sort(rng.uniform(0, 10 * 86400, n)), unit="s")
    words = np.array(["gate", "held", "clear", "ramp", "crew", "late"])
    return pd.DataFrame(
        {
            "departure": times,
            "carrier": rng.choice(["UA", "B6", "DL"], n),
            "distance": rng.normal(1000, 200, n),
            "remarks": [" ".join(rng.choice(words, 5)) for _ in range(n)],
            "late": rng.choice(["late", "on time"], n),
        }
    )


def run_shell(text, cwd):
    """Run the lines of a shell block as the commands of this environment; findings are no failure."""
    for line in text.strip().splitlines():
        command, *arguments = line.split()
        if command in {"make", "python3", "pip"} or "pip install" in line:
            continue
        path = Path(sys.executable).parent / command
        done = subprocess.run([path, *arguments], check=False, cwd=cwd, capture_output=True, text=True, timeout=120)
        assert done.returncode in {0, 1}, f"{line}\n{done.stdout}\n{done.stderr}"


def test_readme(tmp_path, monkeypatch, capsys):
    """Every Python block and every command of the README runs as it stands."""
    monkeypatch.chdir(tmp_path)
    train, served = flights(4000, 1, "2026-01-01"), flights(400, 2, "2026-02-01")
    served["distance"] *= 1.609
    names = {"train": train, "served": served}
    languages = []
    found = blocks("README.md")
    # The card comes second on the page and first in life.
    python = sorted(
        (text for language, text in found if language == "python"), key=lambda text: "from_frame" not in text
    )
    exec("import mllog", names)
    for text in python:
        exec(compile(text, "README.md", "exec"), names)
        languages.append("python")
    names["log"].close()
    earlier = time.time_ns() - 3 * 3600 * 10**9  # the current hour isn't closed, so hours that are must hold something
    log = mllog.ModelLogger(
        "flight-delay", version="2026.11.1", card="card.json", sink="events/", clock=lambda: earlier
    )
    for row in served.head(50).to_dict("records"):
        log.prediction({name: row[name] for name in ("carrier", "distance", "remarks")}, 0.4)
    log.close()
    assert "distance" in capsys.readouterr().out
    for language, text in found:
        if language == "sh":
            run_shell(text, tmp_path)
    assert len(languages) == 3
    assert (tmp_path / "events").is_dir()


def test_readme_names_the_test_command_that_ci_calls():
    """.ci/run calls exactly the commands that the README gives."""
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "\nmake test\n" in (ROOT / "README.md").read_text()
    assert "\nmake demo\n" in (ROOT / "README.md").read_text()


def test_what_the_readme_makes():
    """Each target is one of the Makefile's; the pages' command is understood, and of the demo's own times."""
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^make ([a-z-]+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {"demo", "demo-dashboards", "demo-elastic", "test"} <= set(targets)
    assert [target for target in targets if f"\n{target}: " not in makefile] == []
    (line,) = re.findall(r"kibana-objects (preview .+)$", makefile, re.MULTILINE)
    args = _parser().parse_args(line.replace("$(OUT)", "demo-out").split())
    start, end = (dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC) for text in (args.start, args.end))
    assert SERVING[0] <= start < end <= SERVING[1]


def test_tutorial(tmp_path, monkeypatch):
    """The tutorial can be followed from its first command to the last but the report, which needs judged hours."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    at = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.sort(rng.uniform(0, 5 * 86400, 2000)), unit="s")
    frame = pd.DataFrame({"at": at, "country": rng.choice(["DE", "FR"], 2000), "amount": rng.lognormal(4, 1, 2000)})
    frame["fraud"] = rng.random(2000) < 0.1
    frame.to_csv("train.csv", index=False)
    for language, text in blocks("docs/tutorial.md"):
        if language == "python":
            exec(compile(text, "tutorial", "exec"), {})
        elif "watchers report" not in text:
            run_shell(text, tmp_path)
    assert list((tmp_path / "events").rglob("*.ndjson"))


@pytest.mark.parametrize("page", ["events.md", "checks.md", "elasticsearch.md"])
def test_generated_pages_are_up_to_date(page):
    """A derived page equals what the code derives."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8") == generate.PAGES[page]()


def test_links_of_the_documentation_lead_somewhere():
    """Every relative link of a page is a file."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
