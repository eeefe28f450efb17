"""The description of the API, as OpenAPI 3.1 has it. A test holds it against what the API answers."""

from __future__ import annotations

from typing import Any

from monitord.pinning.certificate import KeyType
from monitord.pinning.incident import IncidentKind, IncidentState, Severity
from monitord.pinning.observation import FailureReason
from monitord.pinning.pins import Client
from monitord.pinning.prediction import Cause
from monitord.pinning.standing import Standing
from monitord.pinning.verdict import Verdict
from monitord.web.fleet import State
from monitord.web.query import LIMIT, MOST_PAGES, Order

Schema = dict[str, Any]

_JSON, _PROBLEM = "application/json", "application/problem+json"
_TIME: Schema = {"type": "string", "format": "date-time"}
_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_PIN: Schema = {"type": "string", "pattern": "^sha256/[A-Za-z0-9+/]{43}=$"}
_DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_COUNT: Schema = {"type": "integer", "minimum": 1}
_DAYS: Schema = {"type": "string", "pattern": "^([0-9]{1,4}d?)?$"}
_LABEL: Schema = {"type": "string", "pattern": r"^([A-Za-z_][A-Za-z0-9_]*=[^\n]*)?$", "maxLength": 200}
_PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}


def description(version: str) -> Schema:
    """The whole of it; ``version`` is monitord's."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "monitord",
            "version": version,
            "description": "Will the installed apps still connect, now and after the next change of certificates?",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"login": []}, {"certificate": []}],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "login": {"type": "http", "scheme": "basic"},
                "certificate": {"type": "mutualTLS"},
            },
        },
    }


def _paths() -> Schema:
    place = {
        "name": "place",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
        "description": "HOST, for all its ports, or HOST:PORT",
        "example": "api.example.com:443",
    }
    filters = [
        _parameter("q", "host, pin set or label contains this text", {"type": "string", "maxLength": 200}),
        _parameter(
            "state", "one of these states", {"type": "array", "items": {"enum": list(State)}, "maxItems": len(State)}
        ),
        _parameter(
            "label", "has all of these labels, each NAME=VALUE", {"type": "array", "items": _LABEL, "maxItems": 4}
        ),
        _parameter("within", "is predicted to fail within so many days", _DAYS),
        _parameter("sort", "what comes first", {"enum": list(Order), "default": Order.STATE}),
        *_paging(),
    ]
    incident_filters = [
        _parameter("state", "open, over (in the last 30 days), or both", {"enum": ["all", *IncidentState]}),
        _parameter("kind", "of this kind", {"enum": list(IncidentKind)}),
        _parameter("severity", "of this severity", {"enum": list(Severity)}),
        _parameter("host", "of this host", _TEXT),
        *_paging(),
    ]
    return {
        "/api/v1/domains": _get("Endpoints", _list_of("Endpoint"), filters, listed=True),
        "/api/v1/domains/{place}": _get("The verdicts on one host", _list_of("Verdict"), [place], missing=True),
        "/api/v1/incidents": _get("Incidents", _list_of("Incident"), incident_filters, listed=True),
        "/api/v1/silences": _get("Silences in force", _list_of("Silence"), []),
        "/api/v1/openapi.json": _get("This description", {"type": "object"}, []),
    }


def _paging() -> list[Schema]:
    return [
        _parameter("limit", "at most so many", {**_COUNT, "maximum": LIMIT, "default": LIMIT}),
        _parameter("page", "which page of that size", {**_COUNT, "maximum": MOST_PAGES, "default": 1}),
    ]


def _parameter(name: str, what: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "description": what, "schema": schema}


def _list_of(name: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


def _get(
    summary: str,
    schema: Schema,
    parameters: list[Schema],
    *,
    listed: bool = False,
    missing: bool = False,
) -> Schema:
    answer: Schema = {"description": summary, "content": {_JSON: {"schema": schema}}}
    if listed:
        answer["headers"] = {
            "Link": {"description": "first, prev, next and last page (RFC 8288)", "schema": _TEXT},
            "X-Total-Count": {"description": "how many there are on all pages", "schema": {"type": "integer"}},
        }
    failures = {
        "400": ("a parameter cannot be understood", listed),
        "401": ("a login is needed", True),
        "403": ("the client certificate has no allowed name", True),
        "404": ("no such host is registered", missing),
        "429": ("too many requests", True),
        "503": ("the store cannot be read, or it takes too long now", True),
    }
    problems = {
        code: {"description": text, "content": {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        for code, (text, there) in failures.items()
        if there
    }
    operation: Schema = {"summary": summary, "responses": {"200": answer, **problems}}
    if parameters:
        operation["parameters"] = parameters
    return {"get": operation}


def _object(properties: Schema, *, more: bool = False) -> Schema:
    """An object that has all of these and, only with ``more``, others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": more,
    }


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _a(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> Schema:
    prediction: Schema = {
        "cause": {"enum": list(Cause)},
        "at": _TIME,
        "until": _TIME,
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "severity": {"enum": list(Severity)},
        "expected": {"enum": list(Verdict)},
        "evidence": _TEXT,
        "advice": _TEXT,
        "act_by": _TIME,
        "new_pins": {"type": "array", "items": _PIN},
    }
    endpoint: Schema = {"host": _TEXT, "port": _PORT}
    return {
        "Problem": _object(
            {
                "type": _TEXT,
                "title": _TEXT,
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": _TEXT,
            }
        ),
        "Endpoint": _object(
            {
                **endpoint,
                "state": {"enum": list(State)},
                "why": _TEXT,
                "labels": {"type": "object", "additionalProperties": _TEXT},
                "pinsets": {"type": "array", "items": _a("PinSet")},
                "last_look": _or_null(_TIME),
                "next_failure": _or_null(_a("Failure")),
                "incidents": _TEXTS,
                "details": _TEXT,
            }
        ),
        "PinSet": _object(
            {
                "pinset": _TEXT,
                "client": {"enum": list(Client)},
                "verdict": _or_null({"enum": list(Verdict)}),
                "reason": _or_null(_TEXT),
            }
        ),
        "Failure": _object({"pinset": _TEXT, **prediction}),
        "Prediction": _object(prediction),
        "Verdict": _object(
            {
                **endpoint,
                "pinset": _TEXT,
                "client": {"enum": list(Client)},
                "trust": _TEXT,
                "verdict": {"enum": list(Verdict)},
                "reason": _TEXT,
                "matched": {"type": "array", "items": _PIN},
                "pins": {"type": "array", "items": _object({"pin": _PIN, "standing": {"enum": list(Standing)}})},
                "observations": {"type": "array", "items": _a("Observation")},
                "predictions": {"type": "array", "items": _a("Prediction")},
            }
        ),
        "Observation": _object(
            {
                "address": _TEXT,
                "key_type": _or_null({"enum": list(KeyType)}),
                "verdict": {"enum": list(Verdict)},
                "reason": _TEXT,
                "trust": _TEXT,
                "tls_version": _or_null(_TEXT),
                "chain": {"type": "array", "items": _a("Certificate")},
                "path": {"type": "array", "items": _a("Certificate")},
                "failure": _or_null(_object({"reason": {"enum": list(FailureReason)}, "detail": _TEXT})),
            }
        ),
        "Certificate": _object(
            {
                "role": {"enum": ["leaf", "intermediate", "root"]},
                "subject": _TEXT,
                "spki": _PIN,
                "certificate_sha256": _DIGEST,
                "not_after": _TIME,
            }
        ),
        "Incident": _object(
            {
                "incident": _TEXT,
                "kind": {"enum": list(IncidentKind)},
                "state": {"enum": list(IncidentState)},
                "severity": {"enum": list(Severity)},
                "host": _or_null(_TEXT),
                "port": _or_null(_PORT),
                "pinset": _or_null(_TEXT),
                "since": _TIME,
                "resolved_at": _or_null(_TIME),
                "last_notified_at": _TIME,
                "acknowledged": _or_null(_object({"at": _TIME, "by": _TEXT, "reason": _TEXT})),
                "silenced": _or_null(_object({"by": _or_null(_TEXT), "id": _TEXT, "reason": _TEXT, "until": _TIME})),
                "summary": _TEXT,
            },
            more=True,
        ),
        "Silence": _object(
            {
                "silence": _TEXT,
                "hosts": _TEXTS,
                "match": {"type": "object", "additionalProperties": _TEXT},
                "kinds": {"type": "array", "items": {"enum": list(IncidentKind)}},
                "starts_at": _TIME,
                "ends_at": _TIME,
                "reason": _TEXT,
                "by": _TEXT,
            }
        ),
    }
