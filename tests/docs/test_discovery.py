from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from monitord.config.discovered import LABELS, Listed, read_list
from monitord.config.load import load
from tests.docs.documents import ROOT, blocks, rows, spans

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "discovery.md"
INGRESSES: dict[str, Any] = {
    "items": [
        {
            "metadata": {
                "namespace": "shop",
                "name": "web",
                "annotations": {"monitord/pinsets": "android-5", "other": "x"},
            },
            "spec": {"tls": [{"hosts": ["shop.example.com", "www.example.com"]}, {"hosts": ["shop.example.com"]}, {}]},
        },
        {"metadata": {"namespace": "shop", "name": "plain"}, "spec": {}},
    ]
}


@pytest.fixture
def examples_pinsets(tmp_path: Path) -> Any:
    """The rules of the page's example with pin sets."""
    path = tmp_path / "monitord.yaml"
    path.write_text(blocks(PAGE, "yaml")[1].text, "utf-8")
    return load(path, environment={}, receivers=False).discovery.rules


def read(text: bytes, rules: Any) -> Listed:
    """What a list comes to."""
    return read_list(text, "list.json", rules, lines=True)


def test_the_list_shown_is_one(examples_pinsets: Any) -> None:
    """It is read without a fault or a warning."""
    (shown,) = blocks(PAGE, "json")
    listed = read(shown.text.encode(), examples_pinsets)
    assert (listed.faults, listed.warnings) == ((), ())
    assert [target.endpoint for target in listed.targets] == [
        "api.example.com:443",
        "shop.example.com:8443",
        "[2001:db8::1]:443",
    ]


def test_every_label_is_described_and_no_other() -> None:
    """The table has the labels that are heeded."""
    assert {spans(row[0])[0] for row in rows(PAGE.read_text("utf-8"), "label")} == set(LABELS)


@pytest.mark.system
def test_the_list_made_of_ingresses_is_one(examples_pinsets: Any) -> None:
    """The program for jq makes a list that is read as meant."""
    (shown,) = blocks(PAGE, "sh")
    (program,) = re.findall(r"jq '(.*?)'", shown.text, re.DOTALL)
    made = subprocess.run(
        ["/usr/bin/jq", program], input=json.dumps(INGRESSES).encode(), capture_output=True, check=True
    )
    listed = read(made.stdout, examples_pinsets)
    assert listed.faults == ()
    assert [(target.host, dict(target.labels), target.pinsets[0].name) for target in listed.targets] == [
        ("shop.example.com", {"namespace": "shop", "ingress": "web"}, "android-5"),
        ("www.example.com", {"namespace": "shop", "ingress": "web"}, "android-5"),
    ]
