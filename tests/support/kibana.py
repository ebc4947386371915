"""A server that keeps to Kibana's documented protocol for imports and rules, and refuses what Kibana refuses.

https://www.elastic.co/docs/api/doc/kibana/ (saved objects: import, export; alerting: get, enable; connectors: list). It parses
the multipart body itself, wants ``kbn-xsrf``, looks at the references that Kibana looks at, imports rules disabled, and gives
an object whose id another space has an id of its own. What it exports has what Kibana adds.
"""

from __future__ import annotations

import copy
import email.parser
import email.policy
import http.server
import json
import re
import threading
import urllib.parse
import uuid
from typing import Any

CHECKED = frozenset({"index-pattern", "search"})
EXPORTABLE = frozenset({"index-pattern", "search", "dashboard", "lens", "visualization", "tag", "alert", "action"})
ADDED = {"created_at": "2026-11-30T09:00:00.000Z", "updated_at": "2026-11-30T09:00:00.000Z", "version": "WzEsMV0=", "created_by": "u_1"}


class KibanaServer:
    """Attributes:
    url: Where it listens.
    objects: Space -> (type, id) -> object; the default space is ``""``.
    enabled: (space, id) of rules that are enabled.
    connectors: What ``GET /api/actions/connectors`` lists.
    failing: Id of a rule -> why each of its runs fails.
    runs_after: So many looks at a rule show it pending.
    forbidden: Ids of rules that this user may not enable.
    unseen: Types that this user may neither import nor export.
    tabs: How it keeps searches: ``""`` as they come (8.19), ``both`` in tabs too (9.4), ``only`` in tabs (later).
    odd: End of a path -> (status, body) that a proxy answers instead.
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
        self.unseen: set[str] = set()
        self.tabs = "both"
        self.runs_after = 1
        self.looks: dict[str, int] = {}
        self.odd: dict[str, tuple[int, Any]] = {}
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
                self.answer(*(kibana.instead(self.path) or kibana.get(self.path, self.headers)))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.answer(*(kibana.instead(self.path) or kibana.post(self.path, self.headers, body)))

            def answer(self, status: int, body: Any) -> None:
                kibana.requests.append((self.command, self.path))
                data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                kind = "application/ndjson" if isinstance(body, bytes) else "application/json; charset=utf-8"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def instead(self, path: str) -> tuple[int, Any] | None:
        """What a proxy answers."""
        return next((answer for end, answer in self.odd.items() if path.partition("?")[0].endswith(end)), None)

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
        if parts.path == "/api/saved_objects/_export":
            return self.exported(space, body)
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
        unseen = sorted({kind for kind, _ in keys} & self.unseen)
        if unseen:
            return 403, error(403, "Forbidden", f"Unable to bulk_create {','.join(unseen)}")
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
        results = []
        for one in objects:
            results.append({"type": one["type"], "id": one["id"], "meta": {}})
            own = self.destination(space, one["type"], one["id"])
            if own != one["id"]:
                results[-1]["destinationId"] = own
                one |= {"id": own, "originId": one["id"]}
            if one["type"] == "alert":
                one["attributes"]["enabled"] = False
                self.enabled.discard((space, own))
            there[one["type"], own] = one
        rules = sum(one["type"] == "alert" for one in objects)
        warnings = [{"type": "action_required", "message": f"{rules} rules must be enabled after the import."}] if rules else []
        return 200, {"success": True, "successCount": len(objects), "warnings": warnings, "successResults": results}

    def destination(self, space: str, kind: str, identity: str) -> str:
        """The id under which an import puts an object: ids of these types are unique over all spaces."""
        there = self.objects[space]
        if (kind, identity) in there or not any((kind, identity) in held for held in self.objects.values()):
            return identity
        before = [own for (of, own), one in there.items() if of == kind and one.get("originId") == identity]
        return before[0] if before else str(uuid.uuid4())

    def exported(self, space: str, body: bytes) -> tuple[int, Any]:
        """https://www.elastic.co/docs/api/doc/kibana/operation/operation-post-saved-objects-export"""
        asked = json.loads(body)
        unknown = set(asked) - {"type", "objects", "hasReference", "search", "includeReferencesDeep", "excludeExportDetails"}
        if unknown:
            return 400, error(400, "Bad Request", f"[request body.{min(unknown)}]: definition for this key is missing")
        if not asked.get("type") and not asked.get("objects"):
            return 400, error(400, "Bad Request", "Either `type` or `objects` are required.")
        keys = [(one["type"], one["id"]) for one in asked["objects"]]
        strange = sorted({kind for kind, _ in keys} - EXPORTABLE)
        if strange:
            named = ", ".join(f"{kind}:{identity}" for kind, identity in keys if kind in strange)
            return 400, error(400, "Bad Request", f"Trying to export object(s) with non-exportable types: {named}")
        unseen = sorted({kind for kind, _ in keys} & self.unseen)
        if unseen:
            return 403, error(403, "Forbidden", f"Unable to bulk_get {','.join(unseen)}")
        there = self.objects.get(space, {})
        gone = [
            {"type": kind, "id": identity, "error": error(404, "Not Found", f"Saved object [{kind}/{identity}] not found")}
            for kind, identity in keys if (kind, identity) not in there
        ]  # fmt: skip
        if gone:
            about = error(400, "Bad Request", "Error fetching objects to export")
            return 400, {**about, "attributes": {"objects": gone}}
        lines = [json.dumps(self.shown(there[key]), sort_keys=True) for key in reversed(keys)]
        if not asked.get("excludeExportDetails"):
            lines.append(json.dumps({"exportedCount": len(keys), "missingRefCount": 0, "missingReferences": []}))
        return 200, "\n".join(lines).encode()

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        """An object as an export has it: with what Kibana adds, migrated, and of a rule nothing of how it fares."""
        held = copy.deepcopy(one["attributes"])
        if one["type"] == "alert":
            fresh = {"status": "pending", "lastExecutionDate": "2026-11-30T10:00:00.000Z"}
            held |= {"enabled": False, "apiKey": None, "scheduledTaskId": None, "executionStatus": fresh, "artifacts": {}}
        if one["type"] == "search" and self.tabs:
            tab = {name: value for name, value in held.items() if name not in {"title", "description"}}
            kept = held if self.tabs == "both" else {name: held[name] for name in ("title", "description")}
            held = {**kept, "tabs": [{"id": str(uuid.uuid4()), "label": "Untitled", "attributes": tab}]}
        if one["type"] == "index-pattern":
            held["fields"] = "[]"
        return {**one, "attributes": held, "typeMigrationVersion": "10.16.0", **ADDED}


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
