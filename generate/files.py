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
    schema = json.dumps(json_schema(meanings(configuration)), indent=2, ensure_ascii=False)
    return {
        "monitord/config/monitord.schema.json": schema + "\n",
        "man/monitord.1": main_page(),
        "man/monitord.yaml.5": config_page(configuration),
        **{f"completions/{name}": completion(shell) for shell, name in SHELLS.items()},
    }
