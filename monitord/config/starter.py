"""The configuration to begin with: a file that includes ``domains.d``, and shows how to say who is told."""

from __future__ import annotations

import importlib.resources
import os
from typing import TYPE_CHECKING

from monitord.config.document import MarkedDict, read_document
from monitord.errors import MonitordError

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = "starter.yaml"


class StarterError(MonitordError):
    """The file to begin with cannot be written; the sentence names it."""


def starter() -> str:
    """What the file to begin with says."""
    return (importlib.resources.files("monitord.config") / SHIPPED).read_text("utf-8")


def write_starter(path: Path) -> None:
    """Write the file to begin with, where there is none. Raises StarterError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(starter())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StarterError(f"{path} cannot be written: {error.strerror}") from error


def tells_somebody(path: Path) -> bool:
    """Whether the configuration in this file has receivers, faulty or not."""
    root = read_document(path, regular=False).root
    return isinstance(root, MarkedDict) and bool(root.get("receivers"))
