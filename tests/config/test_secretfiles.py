"""Secrets out of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitord.config.secret import Secret
from monitord.config.secretfiles import SecretFileError, read_secret

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"s3cret", "s3cret"),
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        (b" s ", " s "),
        ("pä$$".encode(), "pä$$"),
    ],
)
def test_one_line_end_is_no_part_of_the_secret(tmp_path: Path, content: bytes, secret: str) -> None:
    """Editors and echo add one; blanks belong to the secret."""
    (tmp_path / "secret").write_bytes(content)
    assert read_secret(tmp_path / "secret", {}) == Secret(secret)


def test_the_file_wins_over_the_credential_of_the_same_name(tmp_path: Path) -> None:
    """The service manager's directory is where to look next."""
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "secret").write_text("credential")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    assert read_secret(tmp_path / "etc" / "secret", environment) == Secret("credential")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "secret").write_text("file")
    assert read_secret(tmp_path / "etc" / "secret", environment) == Secret("file")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"s3cret\nsecond line", "holds more than one line of text"),
        (b"s3cret\n\n", "holds more than one line of text"),
        (b"s3cret\0", "holds more than one line of text"),
        (b"s3cret\xff", "is not UTF-8 text"),
        (b"s3cret" * 20_000, "it is larger than 65,536 bytes"),
    ],
)
def test_an_unusable_secret_is_an_error_that_does_not_show_it(tmp_path: Path, content: bytes, complaint: str) -> None:
    """The path is named, the content is not."""
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(SecretFileError, match=complaint) as caught:
        read_secret(path, {})
    assert str(path) in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_secret_that_is_nowhere_is_an_error_naming_both_places(tmp_path: Path) -> None:
    """So that one sees which path is wrong."""
    path = tmp_path / "secret"
    with pytest.raises(SecretFileError, match=rf"there is no file {path}, nor is \$CREDENTIALS_DIRECTORY set"):
        read_secret(path, {})
    with pytest.raises(SecretFileError, match=f"there is no file {path}, nor /nowhere/secret"):
        read_secret(path, {"CREDENTIALS_DIRECTORY": "/nowhere"})
