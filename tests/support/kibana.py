"""A server that keeps to Kibana's documented protocol for imports and rules, and refuses what Kibana refuses.

https://www.elastic.co/docs/api/doc/kibana/ (saved objects: import; alerting: get, enable; connectors: list). It parses the
multipart body itself, wants ``kbn-xsrf``, looks at the references that Kibana looks at, and imports rules disabled.
"""

from __future__ import annotations

import email.parser
import email.policy
import http.server
import json
import re
import threading
import urllib.parse
from typing import Any

CHECKED = frozenset({"index-pattern", "search"})


class KibanaServer:
    """Attributes:
    url: Where it listens.
    objects: Space -> (type, id) -> object; the default space is ``""``.
    enabled: (space, id) of rules that are enabled.
    connectors: What ``GET /api/actions/connectors`` lists.
    failing: Id of a rule -> why each of its runs fails.
    runs_after: So many looks at a rule show it pending.
    requests: (method, path) of each.
    user: Wanted by basic authentication, ``name:password``.
    version: Its own.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
        self.enabled: set[tuple[str, str]] = set()
        self.connectors = [{"id": "mllog-log", "connector_type_id": ".server-log", "is_preconfigured": True, "is_missing_secrets": False}]
        self.failing: dict[str, str] = {}
        self.forbidden: set[str] = set()
        self.runs_after = 1
        self.looks: dict[str, int] = {}
        self.requests: list[tuple[str, str]] = []
        self.authorization: str | None = None
        self.version = "9.5.2"
        self.ready = True
        kibana = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                self.answer(*kibana.get(self.path, self.headers))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.answer(*kibana.post(self.path, self.headers, body))

            def answer(self, status: int, body: Any) -> None:
                kibana.requests.append((self.command, self.path))
                data = b"" if body is None else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def get(self, path: str, headers: Any) -> tuple[int, Any]:
        refused = self.refusal(headers)
        if refused:
            return refused
        space, path = split(path)
        if path == "/api/status":
            return (200 if self.ready else 503), {"version": {"number": self.version}, "status": {"overall": {"level": "available"}}}
        if path == "/api/actions/connectors":
            return 200, self.connectors
        found = re.fullmatch(r"/api/alerting/rule/([^/]+)", path)
        identity = urllib.parse.unquote(found[1]) if found else ""
        if not found or ("alert", identity) not in self.objects.get(space, {}):
            return 404, error(404, "Not Found", f"Saved object [alert/{identity}] not found")
        self.looks[identity] = self.looks.get(identity, 0) + 1
        on = (space, identity) in self.enabled
        if not on or self.looks[identity] <= self.runs_after:
            status: dict[str, Any] = {"status": "pending"}
        elif identity in self.failing:
            status = {"status": "error", "error": {"reason": "execute", "message": self.failing[identity]}}
        else:
            status = {"status": "ok"}
        return 200, {"id": identity, "enabled": on, "execution_status": status}

    def post(self, path: str, headers: Any, body: bytes) -> tuple[int, Any]:
        if not headers.get("kbn-xsrf"):
            return 400, error(400, "Bad Request", "Request must contain a kbn-xsrf header.")
        refused = self.refusal(headers)
        if refused:
            return refused
        space, path = split(path)
        parts = urllib.parse.urlsplit(path)
        if parts.path == "/api/saved_objects/_import":
            return self.imported(space, urllib.parse.parse_qs(parts.query), headers, body)
        found = re.fullmatch(r"/api/alerting/rule/([^/]+)/_enable", parts.path)
        if found:
            identity = urllib.parse.unquote(found[1])
            if identity in self.forbidden:
                return 403, error(403, "Forbidden", "Unauthorized by stackAlerts to enable rule")
            if ("alert", identity) not in self.objects.get(space, {}):
                return 404, error(404, "Not Found", f"Saved object [alert/{identity}] not found")
            self.enabled.add((space, identity))
            self.looks.pop(identity, None)
            return 204, None
        return 404, error(404, "Not Found", "Not Found")

    def refusal(self, headers: Any) -> tuple[int, Any] | None:
        if self.authorization is not None and headers.get("Authorization") != self.authorization:
            return 401, error(401, "Unauthorized", "[security_exception]: unable to authenticate user")
        return None

    def imported(self, space: str, query: dict[str, list[str]], headers: Any, body: bytes) -> tuple[int, Any]:
        name, content = uploaded(headers, body)
        if name is None:
            return 400, error(400, "Bad Request", "[request body.file]: expected value of type [Stream] but got [undefined]")
        if not name.endswith(".ndjson"):
            return 400, error(400, "Bad Request", f"Invalid file extension .{name.rpartition('.')[2]}")
        objects = [json.loads(line) for line in content.decode().splitlines() if line]
        keys = [(one["type"], one["id"]) for one in objects]
        if len(set(keys)) < len(keys):
            return 400, error(400, "Bad Request", "Non-unique import objects detected")
        there = self.objects.setdefault(space, {})
        errors = []
        for one in objects:
            missing = [
                {"type": reference["type"], "id": reference["id"]}
                for reference in one["references"]
                if reference["type"] in CHECKED and (reference["type"], reference["id"]) not in {*keys, *there}
            ]
            about = {"type": one["type"], "id": one["id"], "title": one["attributes"].get("title")}
            if missing:
                errors.append({**about, "error": {"type": "missing_references", "references": missing}})
            elif (one["type"], one["id"]) in there and query.get("overwrite") != ["true"]:
                errors.append({**about, "error": {"type": "conflict"}})
        if errors:
            return 200, {"success": False, "successCount": 0, "warnings": [], "errors": errors}
        for one in objects:
            if one["type"] == "alert":
                one["attributes"]["enabled"] = False
                self.enabled.discard((space, one["id"]))
            there[one["type"], one["id"]] = one
        rules = sum(one["type"] == "alert" for one in objects)
        warnings = [{"type": "action_required", "message": f"{rules} rules must be enabled after the import."}] if rules else []
        return 200, {"success": True, "successCount": len(objects), "warnings": warnings, "successResults": []}


def split(path: str) -> tuple[str, str]:
    """Space and the rest of a path."""
    found = re.match(r"/s/([a-z0-9_-]+)(/.*)", path)
    return (found[1], found[2]) if found else ("", path)


def error(status: int, kind: str, message: str) -> dict[str, Any]:
    """As Kibana shapes them."""
    return {"statusCode": status, "error": kind, "message": message}


def uploaded(headers: Any, body: bytes) -> tuple[str | None, bytes]:
    """Name and content of the multipart field ``file``."""
    kind = headers.get("Content-Type", "")
    if not kind.startswith("multipart/form-data"):
        return None, b""
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    for part in message.iter_parts():
        if part.get_param("name", header="content-disposition") == "file":
            return part.get_filename(), part.get_payload(decode=True)
    return None, b""
