"""The configuration's shape as JSON Schema, for editors: what they offer and mark while a file is written.

It is less strict than the program: whether a file, a trust store or a pin is what it should be, only ``check-config``
can tell. What it refuses the program refuses too.
"""

from __future__ import annotations

import importlib.resources
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from monitord.config.schema import MainFile
from monitord.config.times import format_duration
from monitord.config.wording import sections_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import CoreSchema, core_schema

    from monitord.config.section import Section

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SHIPPED = "monitord.schema.json"
_DEFINITIONS = "$defs"


def shipped_schema() -> str:
    """The schema as it is shipped, a text of JSON."""
    return (importlib.resources.files("monitord.config") / SHIPPED).read_text("utf-8")


def json_schema(meanings: Mapping[str, str]) -> dict[str, Any]:
    """The schema of the main file; ``meanings`` says by the path of a key what it means, in one sentence."""
    schema = MainFile.model_json_schema(schema_generator=_Generator)
    definitions = schema.pop(_DEFINITIONS)
    for name, described in (("MainFile", schema), *definitions.items()):
        described.pop("description", None)
        for key, property_ in described["properties"].items():
            if said := meanings.get(_PATHS[name, key]):
                property_["description"] = said
    return {"$schema": DIALECT, "title": "monitord.yaml", **schema, _DEFINITIONS: definitions}


class _Generator(GenerateJsonSchema):
    """What pydantic makes of the sections, without its titles, and with values as the file spells them."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - of pydantic's several kinds
        """Whether a title is made of the field's name."""
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        """A mapping."""
        made = super().model_schema(schema)
        made.pop("title", None)
        return made

    def nullable_schema(self, schema: core_schema.NullableSchema) -> dict[str, Any]:
        """None stands for a key that is left out, and cannot be written."""
        return self.generate_inner(schema["schema"])

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> dict[str, Any]:
        """What is parsed is text, unless its kind says otherwise."""
        shape: CoreSchema | None = schema.get("json_schema_input_schema")
        if shape is None or shape["type"] == "any":
            return {"type": "string"}
        return self.generate_inner(shape)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> dict[str, Any]:
        """The kind of a value with its default, where that can be written down."""
        made = self.generate_inner(schema["schema"])
        default = _written(schema.get("default"))
        return made if default is None else {**made, "default": default}


def _written(default: object) -> str | int | float | bool | None:
    """A default as the file spells it; None for what it does not spell."""
    if isinstance(default, timedelta):
        return format_duration(default)
    if isinstance(default, Enum):
        return str(default.value)
    if isinstance(default, BaseModel) or not isinstance(default, str | int | float):
        return None
    return default


def _paths(section: type[Section], path: str = "") -> Iterator[tuple[tuple[str, str], str]]:
    """Where each key of each section first stands in the file."""
    for name, info in section.model_fields.items():
        key = _spelled(name, info)
        yield (section.__name__, key), f"{path}{key}"
        for nested in sections_in(info.annotation):
            yield from _paths(nested, f"{path}{key}.")


def _spelled(name: str, info: FieldInfo) -> str:
    return info.alias or name


_PATHS = dict(reversed(list(_paths(MainFile))))  # the first of several paths wins
