from __future__ import annotations

from typing import Any

import pytest

from monitord.web.openapi import description
from monitord.web.query import LIMIT
from tests.web.fleets import Company, twenty
from tests.web.test_api import asked

SCHEMAS = description("1.2.3")["components"]["schemas"]
KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
    "null": type(None),
}


def conforms(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value is as a schema has it, for the parts of JSON Schema that the description uses."""
    if "$ref" in schema:
        return conforms(value, SCHEMAS[schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return any(conforms(value, one) for one in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    if not isinstance(value, KINDS[schema["type"]]):
        return False
    return members_conform(value, schema) if isinstance(value, dict) else items_conform(value, schema)


def items_conform(value: Any, schema: dict[str, Any]) -> bool:
    """Whether all of a list are as the schema has them; what is no list has none."""
    return all(conforms(one, schema["items"]) for one in value) if isinstance(value, list) else True


def members_conform(values: dict[str, Any], schema: dict[str, Any]) -> bool:
    """Whether an object has what it must have, and nothing that it may not."""
    known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    if not set(schema.get("required", ())) <= values.keys() or (more is False and not values.keys() <= known.keys()):
        return False
    others = more if isinstance(more, dict) else None
    return all(
        conforms(one, known[name]) if name in known else others is None or conforms(one, others)
        for name, one in values.items()
    )


@pytest.mark.parametrize(
    "path", ["/domains", "/domains/api.example.com", "/domains/upload.example.com", "/incidents?state=all", "/silences"]
)
async def test_answers_are_as_described(path: str) -> None:
    """Every key is described, and none is missing; in the fleet there is one of each kind."""
    described = description("1.2.3")["paths"]
    for pattern, operations in described.items():
        if pattern.replace("{place}", "") in f"/api/v1{path}" and ("{" in pattern) == (path.count("/") > 1):
            schema = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            status, found, _ = await asked(twenty(), path)
            assert (status, bool(found), conforms(found, schema)) == (200, True, True)
            return
    pytest.fail(f"{path} is not described")


async def test_problems_are_as_described() -> None:
    """Whatever is wrong."""
    for path in ("/domains?page=x", "/domains/none.example", "/nothing"):
        _, found, _ = await asked(Company(), path)
        assert conforms(found, SCHEMAS["Problem"])


async def test_it_is_served() -> None:
    """With the version of monitord; the bound of lists is the real one."""
    status, found, _ = await asked(Company(), "/openapi.json")
    assert (status, found) == (200, description("1.2.3<script>"))
    limits = [one for one in found["paths"]["/api/v1/domains"]["get"]["parameters"] if one["name"] == "limit"]
    assert limits[0]["schema"]["maximum"] == LIMIT


def test_every_reference_leads_somewhere() -> None:
    """And no schema is left over."""
    used: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            used.update([node["$ref"].rpartition("/")[2]] if "$ref" in node else ())
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(description("1"))
    assert used == set(SCHEMAS)
