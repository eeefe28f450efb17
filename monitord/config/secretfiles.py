"""Secrets out of files, which is how systemd, Kubernetes and people keep them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from monitord.config.document import read_capped
from monitord.config.secret import Secret
from monitord.errors import MonitordError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_BYTES = 64 * 1024
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class SecretFileError(MonitordError):
    """A secret is not to be had; the sentence names the file and shows nothing of what it holds."""


def read_secret(path: Path, environment: Mapping[str, str]) -> Secret:
    """The secret in a file of one line, without the line end; found as by ``read_secret_bytes``.

    Raises SecretFileError.
    """
    found, content = read_secret_bytes(path, environment)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise SecretFileError(f"{found} is not UTF-8 text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise SecretFileError(f"{found} is empty")
    if _CONTROL.search(text):
        raise SecretFileError(f"{found} holds more than one line of text")
    return Secret(text)


def read_secret_bytes(path: Path, environment: Mapping[str, str]) -> tuple[Path, bytes]:
    """The file that was found and what it holds.

    Where there is no file at ``path``, the one of the same name in ``$CREDENTIALS_DIRECTORY`` is read, as systemd
    provides it. Raises SecretFileError.
    """
    directory = environment.get("CREDENTIALS_DIRECTORY")
    credential = Path(directory) / path.name if directory else None
    try:
        if path.exists():
            found = path
        elif credential is None:
            raise SecretFileError(f"there is no file {path}, nor is $CREDENTIALS_DIRECTORY set")
        elif credential.exists():
            found = credential
        else:
            raise SecretFileError(f"there is no file {path}, nor {credential}")
        return found, read_capped(found, limit=_MOST_BYTES)
    except OSError as error:
        raise SecretFileError(f"{error.filename or path}: {error.strerror}") from error
