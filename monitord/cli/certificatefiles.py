"""Certificates, trust stores and times as the command line names them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from monitord.config.document import read_capped
from monitord.config.times import parse_time
from monitord.config.truststores import TrustStoreError, TrustStoreReader
from monitord.errors import MonitordError
from monitord.pinning.certificate import CertificateUnreadable, certificates_in, parse_certificate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.trust import TrustStore

STANDARD_INPUT = "-"
_LONGEST_INPUT = 16 * 1024 * 1024
_FINER_THAN_MICROSECONDS = re.compile(r"(?<=\.\d{6})\d+")


class InputError(MonitordError):
    """A file or value that the user named cannot be used."""


def read_input(name: str) -> bytes:
    """The bytes of a file, or of standard input for ``-``. Raises InputError."""
    try:
        if name == STANDARD_INPUT:
            return _read_standard_input()
        return read_capped(Path(name), regular=False)
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or error}") from error


def read_chain(name: str) -> tuple[Certificate, ...]:
    """The certificates in a file, in order. Raises InputError if there is none, or one that cannot be read."""
    try:
        chain = tuple(parse_certificate(der) for der in certificates_in(read_input(name)))
    except CertificateUnreadable as error:
        raise InputError(f"{name}: {error}") from error
    if not chain:
        raise InputError(f"{name} has no certificate in it; give the chain as PEM, the server's certificate first")
    return chain


def read_trust(name: str, environment: Mapping[str, str]) -> tuple[TrustStore, tuple[str, ...]]:
    """A trust store out of a file or directory, and what was left out of it. Raises InputError."""
    try:
        return TrustStoreReader(environment).read(name, Path(name))
    except TrustStoreError as error:
        raise InputError(str(error)) from error


def read_time(text: str) -> datetime:
    """A point in time; digits beyond microseconds are dropped. Raises UnfitError."""
    return parse_time(_FINER_THAN_MICROSECONDS.sub("", text))


def _read_standard_input() -> bytes:
    data = sys.stdin.buffer.read(_LONGEST_INPUT + 1)
    if len(data) > _LONGEST_INPUT:
        raise OSError(0, f"it is larger than {_LONGEST_INPUT:,} bytes")
    return data
