"""Which files there are, and what is in each."""

from __future__ import annotations

import json
from pathlib import Path

from generate.completion import SHELLS, completion
from generate.configpage import config_page, meanings
from generate.mainpage import main_page
from monitord.config.jsonschema import json_schema

ROOT = Path(__file__).parents[1]


def generated() -> dict[str, str]:
    """The text of each generated file, by its name from the root of the project."""
    configuration = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    schema = json.dumps(json_schema(meanings(configuration)), indent=2, ensure_ascii=False) + "\n"
    return {
        "monitord/config/monitord.schema.json": schema,
        # Copies, since a link is not kept by every way in which a source tree travels.
        "config/monitord.schema.json": schema,
        "config/distrust.yaml": (ROOT / "monitord" / "config" / "distrust.yaml").read_text("utf-8"),
        "man/monitord.1": main_page(),
        "man/monitord.yaml.5": config_page(configuration),
        **{f"completions/{name}": completion(shell) for shell, name in SHELLS.items()},
    }
