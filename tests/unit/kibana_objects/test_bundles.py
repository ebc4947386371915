"""What is imported: valid by the schemas of each type, the same to the byte each time, and what is committed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema
import pytest
from referencing import Registry, Resource

from kibana_objects.bundles import BUILT, bundles, spelt
from kibana_objects.cards import MOST_BINS, MOST_FEATURES, dashboard_of
from kibana_objects.cli import main
from kibana_objects.dashboards import all_dashboards
from kibana_objects.lint import lint
from kibana_objects.model import Chart, Documents, Heat, Ratio, Table
from mllog.card import ModelCard

SCHEMAS = {path.name: json.loads(path.read_text()) for path in (Path(__file__).parents[2] / "kibana_schemas").glob("*.json")}
REGISTRY = Registry().with_resources([(name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()])
OBJECTS = [one for objects in bundles().values() for one in objects]
DASHBOARDS = {one["id"]: one for one in OBJECTS if one["type"] == "dashboard"}


def problems(schema, value, name=None):
    """What a schema, or one of its definitions, says of a value."""
    asked = SCHEMAS[schema] if name is None else {"$ref": f"{schema}#/$defs/{name}"}
    validator = jsonschema.Draft202012Validator(asked, registry=REGISTRY)
    return [f"{list(error.absolute_path)}: {error.message[:200]}" for error in validator.iter_errors(value)]


def card(features=3, model="Fraud Model/2"):
    """A card with features of each kind, one of them with a name that needs care."""
    draw = random.Random(1)
    rows = 300
    frame = {f"amount {k}": [draw.lognormvariate(3, 1) for _ in range(rows)] for k in range(features)}
    frame |= {
        'the "kind"': [draw.choice("abc") for _ in range(rows)],
        "is_new": [draw.random() < 0.5 for _ in range(rows)],
        "remarks": [draw.choice(["late at gate", "gate change"]) for _ in range(rows)],
    }
    return ModelCard.from_frame(frame, model, "7", text=["remarks"])


@pytest.mark.parametrize("one", OBJECTS, ids=lambda one: f"{one['type']}-{one['id']}")
def test_an_object_is_valid(one):
    """By the schema of its type."""
    assert problems(f"{one['type']}.schema.json", one) == []


@pytest.mark.parametrize("identity", sorted(DASHBOARDS))
def test_what_is_packed_in_a_dashboard_is_valid_too(identity):
    """Panels, options, filters and controls, which an import doesn't look into; and each panel's Lens."""
    held = DASHBOARDS[identity]["attributes"]
    assert problems("dashboard.schema.json", json.loads(held["panelsJSON"]), "panelsJSON") == []
    assert problems("dashboard.schema.json", json.loads(held["optionsJSON"]), "optionsJSON") == []
    assert problems("dashboard.schema.json", json.loads(held["controlGroupInput"]["panelsJSON"]), "controlPanelsJSON") == []
    source = json.loads(held["kibanaSavedObjectMeta"]["searchSourceJSON"])
    assert problems("dashboard.schema.json", source, "searchSourceJSON") == []
    lenses = [panel for panel in json.loads(held["panelsJSON"]) if panel["type"] == "lens"]
    assert len(lenses) >= 6
    for panel in lenses:
        assert problems("lens.schema.json", panel["embeddableConfig"]["attributes"], "attributes") == []


def test_searches_and_rules_are_valid_inside():
    """Their strings of JSON."""
    for one in OBJECTS:
        if one["type"] == "search":
            source = json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
            assert problems("search.schema.json", source, "searchSourceJSON") == []
        if one["type"] == "alert":
            assert problems("alert.schema.json", one["attributes"]["params"], "esQueryParams") == []


def test_nothing_is_wrong():
    """By the linter."""
    assert lint(OBJECTS) == []


def test_what_is_committed_is_what_is_built(tmp_path):
    """To the byte, and twice."""
    assert main(["build", "--out", str(tmp_path)]) == 0
    built = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert built == {path.name: path.read_bytes() for path in BUILT.iterdir()}, "run: kibana-objects build --out kibana_objects/built"
    assert built == {name: spelt(objects) for name, objects in bundles().items()}


def test_the_set():
    """Ten pages; each says what is seen in it, has numbers on top and documents at the bottom, and knows no model."""
    pages = all_dashboards()
    assert len(pages) == 10
    for page in pages:
        assert page.story.endswith(".")
        assert len(page.story) > 60
        assert isinstance(page.rows[-1].panels[0], Documents)
        assert all(sum(panel.width for panel in row.panels) == 48 for row in page.rows)
        drilled = [panel for panel in page.panels if isinstance(panel, Chart) and not panel.drill]
        assert len(drilled) <= 2, [panel.title for panel in drilled]
    assert len({panel.title for page in pages for panel in page.panels if isinstance(panel, Documents)}) >= 6


def test_a_card_makes_a_page(tmp_path, capsys):
    """Each feature now beside training, numbers with their range as lines; names with quotes and blanks included."""
    made = card()
    file = tmp_path / "card.json"
    made.save(file)
    assert main(["build", "--card", str(file), "--out", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    assert main(["check", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["objects"], said["dashboards"], said["problems"]) == (len(OBJECTS) + 1, 11, [])
    page = dashboard_of(made)
    titles = " ".join(panel.title for panel in page.panels)
    assert all(feature.name in titles for feature in made.ruler.inputs)
    numbers = [panel for panel in page.panels if isinstance(panel, Chart) and panel.lines]
    assert [panel.title.split(":")[0] for panel in numbers] == ["amount 0", "amount 1", "amount 2"]
    amount = made.ruler.by_name["amount 0"]
    assert [value for _, value, _ in numbers[0].lines] == [amount.low, amount.high]
    assert page.where == 'ml.model.name : "Fraud Model/2"'


def test_shares_of_numbers_stand_in_their_order():
    """Bins are ordered by their names, so that a shift can be read, and categories by their shares."""
    page = dashboard_of(card())
    spreads = {panel.title.split(":")[0]: panel.x for panel in page.panels if panel.title.endswith("beside training")}
    assert {name: (spread.by, spread.size) for name, spread in spreads.items()} == {
        name: (None, MOST_BINS) if name.startswith("amount") else (0, 20) for name in spreads
    }
    assert {spread.by for spread in spreads.values()} == {None, 0}


def test_a_page_has_the_missing_rates_of_all_its_features():
    """Numbers too, whose own panels have none."""
    (heat,) = (panel for panel in dashboard_of(card()).panels if isinstance(panel, Heat))
    assert (heat.y.of, heat.y.size, heat.measure.of) == ("feature.name", MOST_FEATURES, "missing.rate")


def test_categories_name_the_new_values():
    """As the page promises: which value of which feature, and since when. Answers are left to the page of predictions."""
    page = next(page for page in all_dashboards() if page.id == "mllog-categories")
    (table,) = (panel for panel in page.panels if isinstance(panel, Table) and "kind : unseen" in panel.where)
    assert [row.of for row in table.rows] == ["feature.name", "unseen.value"]
    assert [(number.operation, number.of) for number in table.measures] == [
        ("sum", "unseen.count"), ("min", "@timestamp"), ("max", "@timestamp"),
    ]  # fmt: skip
    shares = [panel for panel in page.panels if "kind : bucket" in panel.where]
    assert len(shares) == 3
    assert all('not feature.name : "@label"' in panel.where for panel in shares)


def test_panels_of_windows_count_nothing_twice():
    """Each takes windows of one length: a day's hold its hours' events once more."""
    for page in all_dashboards():
        for panel in page.panels:
            if panel.view != "mllog-windows":
                continue
            numbers = [getattr(panel, "measure", None), *getattr(panel, "measures", ())]
            parts = [part for n in numbers if n for part in ((n.top, n.bottom) if isinstance(n, Ratio) else (n,))]
            added = [part.where for part in parts if part.operation in {"count", "sum", "average", "median", "percentile"}]
            assert all("window.seconds" in f"{panel.where} {where}" for where in added), (page.id, panel.title)


def test_pages_of_models_are_told_apart():
    """Names that differ in case or signs alone are different pages, and one name is always the same page."""
    names = ["Fraud Model/2", "fraud-model-2", "fraud model 2", "fraud-model/2"]
    pages = [dashboard_of(card(1, name)).id for name in names]
    assert len(set(pages)) == len(names)
    assert pages == [dashboard_of(card(1, name)).id for name in names]


def test_a_card_of_many_features_fits_on_a_page():
    """Kibana leaves out what is beyond 100 panels; the first ones are shown."""
    page = dashboard_of(card(60))
    assert sum(bool(getattr(panel, "lines", ())) for panel in page.panels) == MOST_FEATURES
    assert lint([one for objects in bundles([page]).values() for one in objects]) == []


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ("{", 2, "a.ndjson:1 is no JSON"),
        ("[]", 2, "a.ndjson:1 is no saved object"),
        ('{"type":"dashboard","id":"x"}', 2, "a.ndjson:1 is no saved object"),
        (None, 2, "has no file *.ndjson; kibana-objects build --out"),
        ('{"exportedCount":0}', 0, ""),
    ],
)
def test_files_that_are_none(tmp_path, capsys, content, code, said):
    """Usage errors that name file and line; the last line of Kibana's own exports is none."""
    if content is not None:
        (tmp_path / "a.ndjson").write_text(content)
    assert main(["check", str(tmp_path)]) == code
    assert said in capsys.readouterr().err


def test_what_is_not_installed_is_named():
    """With the extra that brings it; what needs it not works without it."""
    code = "import sys; sys.modules['lark'] = None; from kibana_objects.cli import main; sys.exit(main({!r}))"

    def call(*arguments):
        return subprocess.run(
            [sys.executable, "-c", code.format(list(arguments))], capture_output=True, text=True, check=False, timeout=60
        )

    done = call("check")
    assert done.returncode == 2
    assert done.stderr == "kibana-objects check: needs lark: pip install 'mllog-elastic[kibana]'\n"
    with tempfile.TemporaryDirectory() as folder:
        assert call("build", "--out", folder).returncode == 0
