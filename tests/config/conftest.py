"""Configurations out of a few lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from monitord.config.load import load

if TYPE_CHECKING:
    from pathlib import Path

    from monitord.config.settings import Configuration

SIGNING_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


class Loader(Protocol):
    """Loads the configuration in a text."""

    def __call__(self, text: str, **environment: str) -> Configuration:
        """The configuration, in a file monitord.yaml of the test's directory."""


@pytest.fixture
def load_text(tmp_path: Path) -> Loader:
    """Load a text as tmp_path/monitord.yaml."""

    def load_it(text: str, **environment: str) -> Configuration:
        path = tmp_path / "monitord.yaml"
        path.write_text(text)
        return load(path, environment=environment)

    return load_it
