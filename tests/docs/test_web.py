from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from monitord import pki
from monitord.config.webfile import load_web_file
from tests.docs.documents import Block, all_blocks

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("block", all_blocks("yaml web"), ids=lambda block: block.document)
def test_examples_of_the_web_configuration_load(block: Block, tmp_path: Path) -> None:
    """As they are, and with every line that is commented out, given the files that they name."""
    server = pki.issue("server", names=["monitor.example.com"])
    (tmp_path / "server.pem").write_bytes(server.pem)
    (tmp_path / "server.key").write_bytes(server.key_pem)
    (tmp_path / "clients-ca.pem").write_bytes(pki.issue("Clients").pem)
    path = tmp_path / "web.yaml"
    for text in (block.text, re.sub(r"(?m)^( *)# ", r"\1", block.text)):
        path.write_text(text, "utf-8")
        assert load_web_file(path, {}).authenticates
