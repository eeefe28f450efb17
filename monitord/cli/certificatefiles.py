"""Certificates, trust stores and times as the command line names them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitord.config.document import read_capped
from monitord.config.times import parse_time
from monitord.config.truststores import TrustStoreError, TrustStoreReader
from monitord.errors import MonitordError
from monitord.pinning.certificate import CertificateUnreadable, certificates_in, parse_certificate
from monitord.pinning.keys import KeysUnreadable, PasswordNeeded, public_keys_in
from monitord.pinning.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.keys import PublicKey
    from monitord.pinning.trust import TrustStore

STANDARD_INPUT = "-"
_NO_CERTIFICATE = "no PEM or DER certificate in {}; give the chain as PEM, the server's certificate first"
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
    data = read_input(name)
    try:
        chain = tuple(parse_certificate(der) for der in certificates_in(data))
    except CertificateUnreadable as error:
        if _is_other_text(data):
            raise InputError(_NO_CERTIFICATE.format(name)) from error
        raise InputError(f"{name}: {error}") from error
    if not chain:
        raise InputError(_NO_CERTIFICATE.format(name))
    return chain


def read_keys(name: str, password: bytes | None) -> list[PublicKey]:
    """The keys in a file of any usual kind; a person is asked for a password that is missing. Raises InputError."""
    data = read_input(name)
    try:
        try:
            return public_keys_in(data, password)
        except PasswordNeeded:
            if not sys.stdin.isatty():
                raise
            asked = click.prompt(f"Password of {printable(name)}", hide_input=True, err=True)
            return public_keys_in(data, asked.encode("utf-8"))
    except PasswordNeeded as error:
        raise InputError(f"{name}: {error} with --password-file") from error
    except KeysUnreadable as error:
        raise InputError(f"{name}: {error}") from error


def read_password(name: str) -> bytes:
    """The first line of a file. Raises InputError."""
    return read_input(name).split(b"\n", 1)[0].removesuffix(b"\r")


def read_trust(name: str, environment: Mapping[str, str]) -> tuple[TrustStore, tuple[str, ...]]:
    """A trust store out of a file or directory, and what was left out of it. Raises InputError."""
    try:
        return TrustStoreReader(environment).read(name, Path(name))
    except TrustStoreError as error:
        raise InputError(str(error)) from error


def read_time(text: str) -> datetime:
    """A point in time; digits beyond microseconds are dropped. Raises UnfitError."""
    return parse_time(_FINER_THAN_MICROSECONDS.sub("", text))


def _is_other_text(data: bytes) -> bool:
    """Whether the bytes are text without PEM in it; the length that DER begins with is no UTF-8."""
    try:
        return "-----BEGIN " not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _read_standard_input() -> bytes:
    data = sys.stdin.buffer.read(_LONGEST_INPUT + 1)
    if len(data) > _LONGEST_INPUT:
        raise OSError(0, f"it is larger than {_LONGEST_INPUT:,} bytes")
    return data
