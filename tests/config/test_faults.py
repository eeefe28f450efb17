"""One bad file for each rule, with its exact messages beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitord.config.faults import ConfigurationError, Fault
from monitord.config.load import load

BAD = Path(__file__).parent / "testdata" / "bad"
SECRET = "a-literal-secret"


def messages(path: Path) -> str:
    """The faults of a file, with paths relative to the directory of bad files."""
    with pytest.raises(ConfigurationError) as caught:
        load(path, environment={"A_SECRET": SECRET})
    return str(caught.value).replace(f"{BAD}/", "") + "\n"


@pytest.mark.parametrize("name", sorted(path.stem for path in BAD.glob("*.yaml")))
def test_a_bad_file_has_these_faults_and_no_others(name: str) -> None:
    """Every fault of the file at once, each with its line and a sentence that shows no secret."""
    found = messages(BAD / f"{name}.yaml")
    assert found == (BAD / f"{name}.txt").read_text()
    assert SECRET not in found


def test_every_message_file_belongs_to_a_bad_file() -> None:
    """Nothing is left over from a rule that is gone."""
    assert [path.stem for path in sorted(BAD.glob("*.txt"))] == [path.stem for path in sorted(BAD.glob("*.yaml"))]


def test_the_main_file_is_missing(tmp_path: Path) -> None:
    """A missing file is a fault like the others."""
    path = tmp_path / "monitord.yaml"
    with pytest.raises(ConfigurationError) as caught:
        load(path, environment={})
    assert caught.value.faults == (Fault(path, 1, "the file cannot be read: No such file or directory"),)
