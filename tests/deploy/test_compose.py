"""docker-compose.yml: read by docker-compose, held to its specification, and to what each service must be.

No engine is at hand, so nothing here starts a container; what its commands do is tested where they are.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess

import jsonschema
import pytest
import yaml
from support.elasticsearch import DEFAULT_VERSION
from support.stack import EXAMPLE, FILE, ROOT, Stack, compose, environment_of, read
from support.stack_rules import RULES

SERVICES = sorted(yaml.safe_load(FILE.read_text())["services"])
VARIABLE = re.compile(r"\$\{(\w+)(:[?-])?([^}]*)\}")


@pytest.fixture(scope="module")
def stack() -> Stack:
    """As docker-compose reads it, with secrets that are known."""
    return read(FILE.read_text(), EXAMPLE.read_text())


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("sentence", RULES)
def test_every_service(stack: Stack, service: str, sentence: str) -> None:
    """Each rule for each service."""
    assert list(RULES[sentence](stack.services[service])) == []


def test_the_file_is_of_the_compose_specification() -> None:
    """By the specification's own schema, which knows no key that isn't of it."""
    schema = json.loads((ROOT / "tests/deploy/schemas/compose-spec.json").read_text())
    jsonschema.Draft7Validator(schema).validate(yaml.safe_load(FILE.read_text()))


def test_the_schema_refuses_what_it_does_not_know() -> None:
    """A word that is misspelt is found."""
    schema = json.loads((ROOT / "tests/deploy/schemas/compose-spec.json").read_text())
    body = yaml.safe_load(FILE.read_text())
    body["services"]["kibana"]["helthcheck"] = body["services"]["kibana"].pop("healthcheck")
    assert not jsonschema.Draft7Validator(schema).is_valid(body)


def test_the_order() -> None:
    """Certificates, Elasticsearch, the setup, then the rest; the demo behind Logstash."""
    body = yaml.safe_load(FILE.read_text())["services"]
    order: list[str] = []
    while len(order) < len(body):
        ready = sorted(
            name for name, one in body.items() if name not in order and set(one.get("depends_on", {})) <= set(order)
        )
        assert ready, f"{sorted(set(body) - set(order))} wait for each other"
        order += ready
    assert order[:3] == ["certificates", "elasticsearch", "setup"]
    assert order.index("logstash") < order.index("demo")


def test_every_variable_is_in_the_example() -> None:
    """Secrets stand there open, the rest with the very default that the file has."""
    used: dict[str, set[str]] = {}
    for name, kind, rest in VARIABLE.findall(FILE.read_text()):
        used.setdefault(name, set()).add(f"{kind}{rest}")
    example = EXAMPLE.read_text()
    secrets = set(re.findall(r"^([A-Z_]+)=$", example, re.MULTILINE))
    defaults = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", example, re.MULTILINE))
    assert {name for name, how in used.items() if any(one.startswith(":?") for one in how)} == secrets
    assert {name: {f":-{value}"} for name, value in defaults.items()} == {
        name: how for name, how in used.items() if name not in secrets
    }
    # docker-compose reads it by itself.
    assert set(environment_of(example)) == {*secrets, "COMPOSE_PROJECT_NAME"}


def test_no_secret_has_a_default() -> None:
    """Neither in the file nor in the example: whatever is called like one is asked for."""
    texts = {path: path.read_text() for path in (FILE, EXAMPLE, *ROOT.glob("deploy/kibana/*"))}
    for name, kind, _ in VARIABLE.findall("\n".join(texts.values())):
        if re.search(r"PASSWORD|KEY|SECRET|TOKEN", name):
            assert kind == ":?" or name in (ROOT / "deploy/kibana/kibana.yml").read_text(), name
    assert re.findall(r"^\w*(?:PASSWORD|KEY)=.+$", EXAMPLE.read_text(), re.MULTILINE) == []


@pytest.mark.parametrize("name", sorted(re.findall(r"^([A-Z_]+)=$", EXAMPLE.read_text(), re.MULTILINE)))
def test_nothing_starts_without_a_secret(name: str) -> None:
    """The message names the variable, and says what to do; an empty one is none."""
    done = compose(FILE.read_text(), {**environment_of(EXAMPLE.read_text()), name: ""})
    assert done.returncode != 0
    assert name in done.stderr
    assert "is missing: make .env as .env.example says" in done.stderr


def test_the_command_of_the_example_makes_secrets(tmp_path) -> None:
    """As it stands there: each secret differs, nobody else may read them, and the stack can be read with them."""
    example = EXAMPLE.read_text()
    (line,) = re.findall(r"^#     (\(umask.*)$", example, re.MULTILINE)
    (tmp_path / ".env.example").write_text(example)
    subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True, timeout=60)
    made = tmp_path / ".env"
    assert made.stat().st_mode & 0o077 == 0
    values = dict(re.findall(r"^([A-Z_]+)=(.*)$", made.read_text(), re.MULTILINE))
    secrets = [value for name, value in values.items() if re.search("PASSWORD|KEY", name)]
    assert len(set(secrets)) == len(secrets) == len(environment_of(example)) - 1
    assert all(re.fullmatch(r"[0-9a-f]{48}", secret) for secret in secrets)
    assert compose(FILE.read_text(), values).returncode == 0
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert ".env" in ignored


def test_one_version_of_elastics_parts() -> None:
    """One variable for the three, whose default is the version of the node that tests run on."""
    images = re.findall(r"image: docker\.elastic\.co/(.*)", FILE.read_text())
    assert sorted(images) == [
        f"{name}/{name}:${{ELASTIC_VERSION:-{DEFAULT_VERSION}}}" for name in ("elasticsearch", "kibana", "logstash")
    ]


def test_every_volume_is_used(stack: Stack) -> None:
    """And none is left to chance."""
    used = {mount.source for service in stack.services.values() for mount in service.mounts if not mount.bind}
    assert set(stack.body["volumes"]) == used


def test_kibanas_settings(stack: Stack) -> None:
    """What kibana.yml takes from the environment is there, its files are mounted, and it speaks TLS to both sides."""
    text = (ROOT / "deploy/kibana/kibana.yml").read_text()
    kibana = stack.services["kibana"]
    assert {name for name, _, _ in VARIABLE.findall(text)} == set(kibana.environment) - {"NODE_OPTIONS"}
    settings = yaml.safe_load(text)
    (certificates,) = (mount.target for mount in kibana.mounts if mount.source == "certificates-kibana")
    assert settings["server.ssl.enabled"] is True
    assert settings["server.ssl.certificate"] == f"{certificates}/kibana.crt"
    assert settings["server.ssl.key"] == f"{certificates}/kibana.key"
    assert settings["elasticsearch.ssl.certificateAuthorities"] == [f"{certificates}/ca.crt"]
    assert settings["elasticsearch.hosts"] == ["https://elasticsearch:9200"]
    for name, value in settings.items():
        if re.search(r"[Kk]ey$|password", name) and not name.startswith("server.ssl"):
            assert VARIABLE.fullmatch(value), name


def test_logstashs_settings(stack: Stack) -> None:
    """Whatever its pipelines take from the environment is there."""
    files = [path for path in (ROOT / "logstash").rglob("*") if path.suffix in {".conf", ".yml"}]
    assert files
    wanted = {name for path in files for name in re.findall(r"\$\{(\w+)\}", path.read_text())}
    assert wanted <= set(stack.services["logstash"].environment)


def change(service: str, key: str, value: object) -> object:
    """Set one key of a service."""
    return lambda body: body[service].__setitem__(key, value)


def drop(service: str, key: str) -> object:
    """Leave one key of a service out."""
    return lambda body: body[service].pop(key)


def inside(service: str, part: str, key: str, value: object) -> object:
    """Set one key of a part of a service."""
    return lambda body: body[service][part].__setitem__(key, value)


def add(service: str, part: str, value: object) -> object:
    """Add to a list of a service."""
    return lambda body: body[service].setdefault(part, []).append(value)


def swap(service: str, part: str, old: str, new: str) -> object:
    """Replace a text within a part of a service."""
    return lambda body: body[service].__setitem__(part, json.loads(json.dumps(body[service][part]).replace(old, new)))


SECRET = environment_of(EXAMPLE.read_text())["ELASTIC_PASSWORD"]
HTTP = environment_of(EXAMPLE.read_text())["MLLOG_LOGSTASH_PASSWORD"]
BROKEN = [
    ("runs as an ordinary user", "kibana", drop("kibana", "user")),
    ("runs as an ordinary user", "watchers", change("watchers", "user", "0:0")),
    ("runs as an ordinary user", "setup", change("setup", "user", "root")),
    ("gains no privileges by what it starts", "demo", drop("demo", "security_opt")),
    ("gains no privileges by what it starts", "demo", change("demo", "security_opt", ["seccomp:unconfined"])),
    ("has no capabilities", "logstash", drop("logstash", "cap_drop")),
    ("has no capabilities", "logstash", change("logstash", "cap_add", ["NET_ADMIN"])),
    ("shares nothing of the host", "watchers", change("watchers", "privileged", True)),
    ("shares nothing of the host", "watchers", change("watchers", "network_mode", "host")),
    ("has bounded memory, and its heap fits in", "watchers", drop("watchers", "mem_limit")),
    ("has bounded memory, and its heap fits in", "elasticsearch", change("elasticsearch", "mem_limit", "1g")),
    ("has bounded memory, and its heap fits in", "logstash", inside("logstash", "environment", "LS_JAVA_OPTS", "")),
    ("has a bounded number of processes", "demo", drop("demo", "pids_limit")),
    ("is of a pinned version: Elastic's the one that is tested, ours this one", "kibana",
     change("kibana", "image", "docker.elastic.co/kibana/kibana:9.4.0")),
    ("is of a pinned version: Elastic's the one that is tested, ours this one", "kibana",
     change("kibana", "image", "docker.elastic.co/kibana/kibana")),
    ("is of a pinned version: Elastic's the one that is tested, ours this one", "demo", change("demo", "image", "mllog:latest")),
    ("has a log that is bounded", "elasticsearch", drop("elasticsearch", "logging")),
    ("is started again where it stays, and only there", "watchers", drop("watchers", "restart")),
    ("is started again where it stays, and only there", "setup", change("setup", "restart", "unless-stopped")),
    ("says whether it is healthy where it stays, within a bounded time", "watchers", drop("watchers", "healthcheck")),
    ("says whether it is healthy where it stays, within a bounded time", "kibana",
     inside("kibana", "healthcheck", "test", ["NONE"])),
    ("says whether it is healthy where it stays, within a bounded time", "kibana", inside("kibana", "healthcheck", "timeout", "5s")),
    ("shows no secret on a command line", "demo", add("demo", "command", f"--password={HTTP}")),
    ("shows no secret on a command line", "elasticsearch",
     swap("elasticsearch", "healthcheck", "--config -", "-u elastic:$$ELASTIC_PASSWORD")),
    ("shows no secret on a command line", "kibana", inside("kibana", "environment", "ELASTICSEARCH_PASSWORD", SECRET)),
    ("is reached from this machine alone", "elasticsearch", change("elasticsearch", "ports", ["9200:9200"])),
    ("is reached from this machine alone", "kibana", change("kibana", "ports", ["0.0.0.0:5601:5601"])),
    ("waits for what it needs to be healthy, or done", "watchers", drop("watchers", "depends_on")),
    ("waits for what it needs to be healthy, or done", "logstash",
     inside("logstash", "depends_on", "setup", {"condition": "service_started"})),
    ("waits for what it needs to be healthy, or done", "demo", change("demo", "depends_on", ["logstash"])),
    ("waits for the servers that it talks to", "demo",
     change("demo", "depends_on", {"elasticsearch": {"condition": "service_healthy"}})),
    ("mounts files of this repository, read-only, and volumes by name", "logstash",
     add("logstash", "volumes", "/var/run/docker.sock:/var/run/docker.sock:ro")),
    ("mounts files of this repository, read-only, and volumes by name", "kibana",
     add("kibana", "volumes", f"{ROOT}/deploy/kibana/other.yml:/usr/share/kibana/other.yml:ro")),
    ("mounts files of this repository, read-only, and volumes by name", "kibana",
     add("kibana", "volumes", f"{ROOT}/deploy/kibana:/usr/share/kibana/more")),
    ("has a volume for whatever it must find again, and writes to no other", "elasticsearch",
     lambda body: body["elasticsearch"]["volumes"].pop(0)),
    ("has a volume for whatever it must find again, and writes to no other", "logstash",
     swap("logstash", "volumes", "/usr/share/logstash/data", "/usr/share/logstash/queue")),
    ("can't write to its own image, where that is known to work", "setup", drop("setup", "read_only")),
    ("can't write to its own image, where that is known to work", "demo", drop("demo", "tmpfs")),
    ("talks TLS, but to itself", "watchers", swap("watchers", "command", "https://", "http://")),
    ("talks TLS, but to itself", "demo", swap("demo", "command", "+https://", "+tcp://")),
    ("talks TLS, but to itself", "elasticsearch",
     inside("elasticsearch", "environment", "xpack.security.http.ssl.enabled", "false")),
    ("talks TLS, but to itself", "elasticsearch", inside("elasticsearch", "environment", "xpack.security.enabled", "false")),
    ("knows the secrets that it needs, and no others", "watchers", inside("watchers", "environment", "MLLOG_PASSWORD", SECRET)),
    ("knows the secrets that it needs, and no others", "kibana", inside("kibana", "environment", "KIBANA_OBJECTS_KEY", "short")),
    ("has its own key, and nobody else's", "demo", add("demo", "volumes", "authority:/etc/mllog/authority:ro")),
    ("has its own key, and nobody else's", "kibana", swap("kibana", "volumes", "certificates-kibana", "certificates-logstash")),
    ("has its own key, and nobody else's", "setup", swap("setup", "volumes", '"nocopy": true', '"nocopy": false')),
    ("has time to end in order", "watchers", drop("watchers", "stop_grace_period")),
    ("has time to end in order", "demo", drop("demo", "init")),
    ("may lock and open what it needs", "elasticsearch", drop("elasticsearch", "ulimits")),
    ("has no variable that its image takes for a setting of a file that can't be written", "logstash",
     inside("logstash", "environment", "PIPELINE_WORKERS", "2")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "service", "breaks"),
    BROKEN,
    ids=[f"{number}-{service}" for number, (_, service, _) in enumerate(BROKEN)],
)
def test_a_broken_copy_is_found(stack: Stack, sentence: str, service: str, breaks: object) -> None:
    """What is taken out, or made worse, breaks its rule."""
    broken = Stack(copy.deepcopy(stack.body), stack.secrets)
    breaks(broken.body["services"])
    assert list(RULES[sentence](broken.services[service])) != []


def test_every_rule_was_seen_to_break() -> None:
    """None of them is always true."""
    assert {sentence for sentence, _, _ in BROKEN} == set(RULES)
