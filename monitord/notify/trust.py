"""Whom mail servers and webhooks may be: the authorities of the system, and those of a private file."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from monitord.errors import MonitordError

if TYPE_CHECKING:
    from pathlib import Path


class CaFileError(MonitordError):
    """The file of authorities cannot be read; the sentence names it."""


class ServerTrust:
    """The TLS context for a server, made at its first use, since reading the system's authorities takes a while."""

    def __init__(self, ca_file: Path | None) -> None:
        """Trust in the system's authorities and, if it is given, those in the PEM file ``ca_file``."""
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """The context. Raises CaFileError; a later call may succeed."""
        if self._context is None:
            context = ssl.create_default_context()
            if self._ca_file is not None:
                try:
                    context.load_verify_locations(self._ca_file)
                except OSError as error:
                    raise CaFileError(f"ca_file {self._ca_file}: {error.strerror or error}") from None
            self._context = context
        return self._context
