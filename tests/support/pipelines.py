"""Logstash's pipeline files as plain trees: what stands in them, and in which order.

The parser is PyPI's ``logstash-pipeline-parser``, a grammar of the whole language; it doesn't know plugins.
"""

from __future__ import annotations

import functools
import pathlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml
from logstash_pipeline_parser import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER: Final = pathlib.Path(__file__).parents[2] / "logstash"
VARIABLE: Final = re.compile(r"\$\{(?P<name>[a-zA-Z_.][a-zA-Z0-9_.]*)(?::(?P<default>[^}]*))?\}")
"""As ``SubstitutionVariables`` of Logstash finds them: keystore first, then environment, then the default."""


@dataclass(frozen=True)
class Plugin:
    """One plugin with its options.

    Attributes:
        kind: ``input``, ``filter``, ``output`` or ``codec``.
        options: Of strings, numbers, booleans, lists and dicts; a codec with options is a :class:`Plugin`.
        inside: Conditions that hold where it stands, the outermost first; those of branches before it negated.
        file: Name of the file that it stands in.
    """

    kind: str
    name: str
    options: dict[str, Any]
    inside: tuple[tuple[bool, Condition], ...] = ()
    file: str = ""

    @property
    def id(self) -> str:
        return self.options.get("id", "")


@dataclass(frozen=True)
class Condition:
    """What stands between ``if`` and its brace: terms joined by ``and`` or ``or``, never both."""

    terms: tuple[tuple[Any, ...], ...]
    joined: str = "and"

    def __str__(self) -> str:
        return f" {self.joined} ".join(" ".join(map(str, term)) for term in self.terms)


@dataclass(frozen=True)
class Branch:
    """``if``, ``else if`` …, ``else``: the first whose condition holds; ``None`` always does."""

    arms: tuple[tuple[Condition | None, tuple[Any, ...]], ...]


@dataclass(frozen=True)
class Section:
    """One of ``input``, ``filter``, ``output``."""

    kind: str
    body: tuple[Plugin | Branch, ...]

    def plugins(self) -> Iterator[Plugin]:
        return _plugins(self.body)


@dataclass(frozen=True)
class Pipelines:
    """Every file of the folder.

    Attributes:
        files: Name -> text, those of ``pipeline/`` without the folder.
        sections: Name -> sections.
        settings: ``logstash.yml``.
        list: ``pipelines.yml``.
    """

    files: Mapping[str, str]
    sections: Mapping[str, tuple[Section, ...]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    list: tuple[dict[str, Any], ...] = ()

    def of(self, pipeline: str) -> tuple[Section, ...]:
        """Sections of a pipeline: those of its files, in the order of their names, which Logstash joins."""
        (row,) = [row for row in self.list if row["pipeline.id"] == pipeline]
        path = pathlib.PurePosixPath(VARIABLE.sub("", row["path.config"]).lstrip("/"))
        found = [name for name in sorted(self.sections) if pathlib.PurePosixPath(name).match(str(path))]
        assert found, f"no file for {pipeline}"
        return tuple(section for name in found for section in self.sections[name])

    def filters(self, pipeline: str) -> tuple[Plugin | Branch, ...]:
        return tuple(part for section in self.of(pipeline) if section.kind == "filter" for part in section.body)

    def outputs(self, pipeline: str) -> tuple[Plugin | Branch, ...]:
        return tuple(part for section in self.of(pipeline) if section.kind == "output" for part in section.body)

    def plugins(self) -> list[Plugin]:
        """All of them, codecs too."""
        found = []
        for name, sections in self.sections.items():
            for section in sections:
                for plugin in section.plugins():
                    found.append(Plugin(plugin.kind, plugin.name, plugin.options, plugin.inside, name))
                    found += [value for value in plugin.options.values() if isinstance(value, Plugin)]
        return found

    def plugin(self, identity: str) -> Plugin:
        (found,) = [plugin for plugin in self.plugins() if plugin.id == identity]
        return found


def texts() -> dict[str, str]:
    """What the repository holds."""
    files = {path.name: path.read_text() for path in sorted((FOLDER / "pipeline").glob("*.conf"))}
    return files | {name: (FOLDER / name).read_text() for name in ("logstash.yml", "pipelines.yml")}


def read(files: Mapping[str, str]) -> Pipelines:
    """The trees of files.

    Raises:
        ParseError: Where one is no pipeline.
        YAMLError: Where one is no YAML.
    """
    sections = {name: parse(text) for name, text in files.items() if name.endswith(".conf")}
    return Pipelines(files, sections, yaml.safe_load(files["logstash.yml"]), tuple(yaml.safe_load(files["pipelines.yml"])))


@functools.cache
def parse(text: str) -> tuple[Section, ...]:
    """The sections of one file."""
    parser = Pipeline(text)
    for name in list(parser.get_types()):
        parser.remove_type(name)  # they make Paths of some options by their names
    return tuple(Section(kind, _body(kind, parts, ())) for kind, parts in parser.parse())


def _body(kind: str, parts: list[Any], inside: tuple[tuple[bool, Condition], ...]) -> tuple[Plugin | Branch, ...]:
    found: list[Plugin | Branch] = []
    arms: list[tuple[Condition | None, tuple[Any, ...]]] = []
    before: tuple[tuple[bool, Condition], ...] = ()
    for name, content in parts:
        if name not in {"if", "else if", "else"}:
            found += [Branch(tuple(arms))] if arms else []
            arms = []
            found.append(Plugin(kind, name, _options(content), inside))
            continue
        if name == "if":
            found += [Branch(tuple(arms))] if arms else []
            arms, before = [], ()
        condition = None if name == "else" else _condition(content[:-1])
        body = content if condition is None else content[-1][0]
        holds = () if condition is None else ((True, condition),)
        arms.append((condition, _body(kind, body, (*inside, *before, *holds))))
        before += () if condition is None else ((False, condition),)
    return (*found, Branch(tuple(arms))) if arms else tuple(found)


def _condition(parts: list[Any]) -> Condition:
    operators = set(parts[1::2])
    assert len(operators) <= 1, f"{parts}: both `and` and `or` without a nested if"
    return Condition(tuple(tuple(term) for term in parts[::2]), next(iter(operators), "and"))


def _options(content: list[Any]) -> dict[str, Any]:
    names = [name for name, _ in content]
    assert len(set(names)) == len(names), f"twice the same option: {names}"
    return {name: _codec(value[0]) if name == "codec" else _value(value[0]) for name, value in content}


def _codec(value: Any) -> Any:
    return Plugin("codec", value[0], _options(value[1])) if isinstance(value, list) else value


def _value(value: Any) -> Any:
    if not isinstance(value, list):
        return value if isinstance(value, bool | int | float) else str(value)
    if value and all(isinstance(part, list) and len(part) == 2 and isinstance(part[1], list) for part in value):
        return {str(name): _value(held[0]) for name, held in value}
    return [_value(part) for part in value]


def _plugins(body: tuple[Plugin | Branch, ...]) -> Iterator[Plugin]:
    for part in body:
        if isinstance(part, Plugin):
            yield part
        else:
            for _, inner in part.arms:
                yield from _plugins(inner)
