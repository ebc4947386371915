"""What must be so of every service of docker-compose.yml: one function a sentence, each yields what isn't so."""

from __future__ import annotations

import pathlib
import re
import tomllib
from typing import TYPE_CHECKING, Final

from support.elasticsearch import DEFAULT_VERSION
from support.stack import ROOT, seconds, size

from mllog.shipping.command import STOP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.stack import Service

    Rule = Callable[[Service], Iterator[str]]

RULES: Final[dict[str, Rule]] = {}
"""Sentence -> rule."""

STATE: Final = {
    "elasticsearch": {"/usr/share/elasticsearch/data", "/usr/share/elasticsearch/snapshots"},
    "kibana": {"/usr/share/kibana/data"},
    "logstash": {"/usr/share/logstash/data"},
    "demo": {"/var/lib/mllog"},
    "certificates": {
        f"/certificates/{name}" for name in ("authority", "trust", "elasticsearch", "kibana", "logstash", "snapshots")
    },
}
"""What a service must find again after it was made anew. The others keep nothing: their state is in Elasticsearch."""

SECRETS: Final = {
    "elasticsearch": {"ELASTIC_PASSWORD"},
    "setup": {
        "ELASTIC_PASSWORD", "KIBANA_SYSTEM_PASSWORD", "MLLOG_WRITER_PASSWORD", "MLLOG_WATCHER_PASSWORD",
        "MLLOG_VIEWER_PASSWORD",
    },
    "kibana": {"KIBANA_SYSTEM_PASSWORD", "KIBANA_OBJECTS_KEY", "KIBANA_SESSIONS_KEY", "KIBANA_REPORTS_KEY"},
    "logstash": {"MLLOG_LOGSTASH_PASSWORD", "MLLOG_WRITER_PASSWORD"},
    "watchers": {"MLLOG_WATCHER_PASSWORD"},
    "dashboards": {"ELASTIC_PASSWORD"},
    "demo": {"MLLOG_LOGSTASH_PASSWORD"},
}  # fmt: skip
"""Who needs which; the others none."""

BUILDER: Final = "certificates"
"""Who builds the image of all that is ours: builds side by side would export it over each other."""

WRITABLE: Final = {"elasticsearch", "kibana", "logstash"}
"""Elastic's images write beside their volumes (a keystore, unpacked libraries)."""

STOPS: Final = {"elasticsearch": 60, "kibana": 30, "logstash": 30, "watchers": 60, "demo": 10 + STOP_SECONDS + 5}
"""Seconds that an orderly end may take, where it is more than Docker's 10."""

ON_COMMAND_LINES: Final = {
    "elasticsearch": re.compile(r"[a-z0-9_]+\.[a-z0-9_]+"),
    "kibana": re.compile(r"(ELASTICSEARCH|SERVER|XPACK|LOGGING|PATH|PID|OPS|STATUS|TELEMETRY|I18N|MAP)_.*"),
}
"""Variables that an image's start script puts on its program's command line."""


def rule(sentence: str) -> Callable[[Rule], Rule]:
    """Add a rule under its sentence."""

    def add(function: Rule) -> Rule:
        RULES[sentence] = function
        return function

    return add


@rule("runs as an ordinary user")
def _user(service: Service) -> Iterator[str]:
    if not re.fullmatch(r"[1-9]\d*(:\d+)?", str(service.body.get("user", ""))):
        yield f"user {service.body.get('user')!r}"


@rule("gains no privileges by what it starts")
def _privileges(service: Service) -> Iterator[str]:
    if service.body.get("security_opt") != ["no-new-privileges:true"]:
        yield f"security_opt {service.body.get('security_opt')}"


@rule("has no capabilities")
def _capabilities(service: Service) -> Iterator[str]:
    if service.body.get("cap_drop") != ["ALL"] or service.body.get("cap_add"):
        yield f"cap_drop {service.body.get('cap_drop')}, cap_add {service.body.get('cap_add')}"


@rule("shares nothing of the host")
def _host(service: Service) -> Iterator[str]:
    for name in ("privileged", "pid", "ipc", "userns_mode", "uts", "devices", "volumes_from", "cgroup_parent"):
        if service.body.get(name):
            yield f"{name}: {service.body[name]}"
    if service.body.get("network_mode") not in {None, "none"}:
        yield f"network_mode {service.body['network_mode']}"


@rule("has bounded memory, and its heap fits in")
def _memory(service: Service) -> Iterator[str]:
    if not service.memory:
        yield "no mem_limit"
    for name, value in service.environment.items():
        for least, most in re.findall(r"-Xms(\w+) -Xmx(\w+)", value):
            if least != most or 2 * size(most) > service.memory:
                yield f"{name} {value} in {service.memory} bytes"
        for megabytes in re.findall(r"--max-old-space-size=(\d+)", value):
            if 1.5 * int(megabytes) * 2**20 > service.memory:
                yield f"{name} {value} in {service.memory} bytes"
    options = " ".join(service.environment.values())
    if not service.ours and not re.search(r"-Xmx|--max-old-space-size", options):
        yield "its heap isn't set"


@rule("has a bounded number of processes")
def _processes(service: Service) -> Iterator[str]:
    if not 0 < int(service.body.get("pids_limit", 0)) <= 4096:
        yield f"pids_limit {service.body.get('pids_limit')}"


@rule("is of a pinned version: Elastic's the one that is tested, ours this one")
def _version(service: Service) -> Iterator[str]:
    name, tag = service.image
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    wanted = project if service.ours else DEFAULT_VERSION
    if tag != wanted:
        yield f"{name}:{tag}, not {wanted}"
    if ("build" in service.body) != (service.name == BUILDER):
        yield "what is ours is built here, once, and nothing else is"


@rule("has a log that is bounded")
def _log(service: Service) -> Iterator[str]:
    logging = service.body.get("logging", {})
    options = logging.get("options", {})
    if logging.get("driver") != "json-file" or not {"max-size", "max-file"} <= set(options):
        yield f"logging {logging}"


@rule("is started again where it stays, and only there")
def _restart(service: Service) -> Iterator[str]:
    if service.body.get("restart") != ("unless-stopped" if service.lasting else "no"):
        yield f"restart {service.body.get('restart')}"


@rule("says whether it is healthy where it stays, within a bounded time")
def _health(service: Service) -> Iterator[str]:
    check = service.body.get("healthcheck") or {}
    if not service.lasting:
        if check:
            yield "a health check of what ends"
        return
    if not service.health or check.get("disable") or service.health in (["true"], ["exit 0"]):
        yield "no health check"
        return
    if missing := {"interval", "timeout", "retries", "start_period"} - set(check):
        yield f"its health check has no {missing}"
        return
    allowed = [int(found) for found in re.findall(r"(?<=-m )\d+", " ".join(service.health))]
    if sum(allowed) >= seconds(check["timeout"]) or ("curl" in " ".join(service.health) and not allowed):
        yield f"curl may take {allowed} s of {check['timeout']}"


@rule("shows no secret on a command line")
def _command_lines(service: Service) -> Iterator[str]:
    lines = [*service.command, *service.health, str(service.body.get("entrypoint", ""))]
    for name, value in service.stack.secrets.items():
        if any(value in line for line in lines):
            yield f"{name} stands on one"
    # What a shell puts in stands on the command line of what it starts, but for its own printf.
    for line in service.health:
        for part in re.split(r"[|;&]+", line):
            if re.search(r"\$\{?\w*(PASSWORD|KEY|SECRET)", part) and not part.lstrip().startswith("printf "):
                yield f"a shell puts one on: {part}"
    settings = ON_COMMAND_LINES.get(service.name)
    for name, value in service.environment.items():
        if settings and settings.fullmatch(name) and value in service.stack.secrets.values():
            yield f"its image puts {name} on one"


@rule("is reached from this machine alone")
def _ports(service: Service) -> Iterator[str]:
    for port in service.body.get("ports", []):
        host = port.get("host_ip") if isinstance(port, dict) else str(port).rpartition(":")[0].rpartition(":")[0]
        if host != "127.0.0.1":
            yield f"port {port}"


@rule("waits for what it needs to be healthy, or done")
def _waits(service: Service) -> Iterator[str]:
    if service.name != "certificates" and not service.waits:
        yield "it waits for nothing"
    for name, condition in service.waits.items():
        # Whether a service ends is said by others that wait for its end.
        if condition != (
            "service_healthy" if service.stack.services[name].lasting else "service_completed_successfully"
        ):
            yield f"it waits for {name} by {condition}"


@rule("waits for the servers that it talks to")
def _reaches(service: Service) -> Iterator[str]:
    waits, todo = set(), [service.name]
    while todo:
        for name in service.stack.services[todo.pop()].waits:
            if name not in waits:
                waits.add(name)
                todo.append(name)
    text = " ".join([*service.command, *service.environment.values()])
    for host in re.findall(r"https?://(\w+):\d+", text):
        if host not in waits | {service.name, "localhost"}:
            yield f"it doesn't wait for {host}"
    if service.name in waits:
        yield "it waits for itself"


@rule("mounts files of this repository, read-only, and volumes by name")
def _mounts(service: Service) -> Iterator[str]:
    volumes = service.stack.body.get("volumes", {})
    for mount in service.mounts:
        if not mount.bind:
            if mount.source not in volumes:
                yield f"volume {mount.source} isn't declared"
            continue
        source = pathlib.Path(mount.source)
        if not mount.read_only:
            yield f"{source} can be written"
        if ROOT not in source.parents:
            yield f"{source} isn't a part of this repository"
        elif not source.exists():
            yield f"{source} isn't there"


@rule("has a volume for whatever it must find again, and writes to no other")
def _state(service: Service) -> Iterator[str]:
    writes = {mount.target for mount in service.mounts if not mount.read_only}
    if writes != STATE.get(service.name, set()):
        yield f"it writes to {sorted(writes)}"


@rule("can't write to its own image, where that is known to work")
def _image(service: Service) -> Iterator[str]:
    if bool(service.body.get("read_only")) == (service.name in WRITABLE):
        yield f"read_only {service.body.get('read_only')}"
    temporary = [str(one) for one in service.body.get("tmpfs", [])]
    if service.body.get("read_only") and not any(re.match(r"/tmp:.*size=", one) for one in temporary):
        yield "nowhere to write for a moment, or without a bound"


@rule("talks TLS, but to itself")
def _tls(service: Service) -> Iterator[str]:
    for text in [*service.command, *service.health, *service.environment.values()]:
        for scheme, host in re.findall(r"([a-z+]+)://([\w.]+)", text):
            if not scheme.endswith("https") and (scheme, host) not in {("http", "127.0.0.1"), ("http", "localhost")}:
                yield f"{scheme}://{host}"
    if service.name == "elasticsearch":
        for layer in ("http", "transport"):
            if service.environment.get(f"xpack.security.{layer}.ssl.enabled") != "true":
                yield f"no TLS for {layer}"
        if service.environment.get("xpack.security.enabled") != "true":
            yield "no security at all"


@rule("knows the secrets that it needs, and no others")
def _secrets(service: Service) -> Iterator[str]:
    known = {name for name, value in service.stack.secrets.items() if value in service.environment.values()}
    if known != SECRETS.get(service.name, set()):
        yield f"it knows {sorted(known)}"


@rule("has its own key, and nobody else's")
def _keys(service: Service) -> Iterator[str]:
    if service.name == "certificates":
        return
    keys = {mount.source for mount in service.mounts if re.match(r"authority|certificates-", mount.source)}
    if keys - {f"certificates-{service.name}"}:
        yield f"it has {sorted(keys)}"
    for mount in service.mounts:
        if mount.source in {"trust", *keys} and not (mount.read_only and mount.as_is):
            yield f"{mount.source} can be written, or filled by the image"


@rule("has time to end in order")
def _stops(service: Service) -> Iterator[str]:
    if seconds(service.body.get("stop_grace_period", "10s")) <= STOPS.get(service.name, 0):
        yield f"stop_grace_period {service.body.get('stop_grace_period')}"
    if service.ours and service.body.get("init") is not True:
        yield "signals reach a program that is no init"


@rule("may lock and open what it needs")
def _limits(service: Service) -> Iterator[str]:
    if service.environment.get("bootstrap.memory_lock") == "true":
        limits = service.body.get("ulimits", {})
        if limits.get("memlock") != {"soft": -1, "hard": -1} or limits.get("nofile", {}).get("soft", 0) < 65535:
            yield f"ulimits {limits}"


@rule("has no variable that its image takes for a setting of a file that can't be written")
def _settings(service: Service) -> Iterator[str]:
    if service.name != "logstash":
        return
    # Its start script compares names without dots and underscores.
    for name in service.environment:
        if not re.match(r"MLLOG_|LS_JAVA_OPTS$", name):
            yield name
