"""Which of the keys found go into a client's file, under which host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from monitord.cli.certificatefiles import InputError
from monitord.cli.extraction import INTERMEDIATE, LEAF, ROOT
from monitord.config.hosts import parse_host
from monitord.formats.catalogue import WRITERS
from monitord.formats.pinfile import ListedPin, PinnedHost
from monitord.pinning.extensions import read_profile
from monitord.pinning.target import DEFAULT_PORT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from monitord.pinning.keys import PublicKey


class Found(Protocol):
    """A key that was found, as ``pin`` prints it."""

    @property
    def source(self) -> str:
        """The file or endpoint."""

    @property
    def key(self) -> PublicKey:
        """The key."""

    @property
    def role(self) -> str | None:
        """One of ROLES, None for a bare key."""

    @property
    def host(self) -> str | None:
        """The host of the live endpoint, None for a file."""

    @property
    def port(self) -> int | None:
        """The port of the live endpoint, None for a file."""


def file_role(key: PublicKey) -> str | None:
    """What the certificate of a key in a file is for, by what it says of itself; None without certificate."""
    certificate = key.certificate
    if certificate is None:
        return None
    constraints = read_profile(certificate).basic_constraints
    old_root = certificate.version == 1 and certificate.self_issued
    if not old_root and not (constraints and constraints.ca):
        return LEAF
    return ROOT if certificate.self_issued else INTERMEDIATE


def write_snippet(form: str, found: Sequence[Found], wanted: Collection[str], named: str | None) -> str:
    """A client's file with the pins of these roles and of bare keys; keys of files go to every host.

    Raises InputError where there is no host or no pin, FormatError where the client would not do what is meant.
    """
    chosen = [one for one in found if one.role is None or one.role in wanted]
    hosts = list(dict.fromkeys((one.host, one.port or DEFAULT_PORT) for one in chosen if one.host is not None))
    if not hosts and chosen:
        hosts = [(parse_host(named) if named else _certified_host(chosen), DEFAULT_PORT)]
    elif named:
        raise InputError("--host is for files; the snippet is for the endpoints that were given")
    pinned = [
        PinnedHost(host, _listed(one for one in chosen if one.host in (None, host)), port) for host, port in hosts
    ]
    if not pinned:
        raise InputError(f"there is nothing to pin: no {' or '.join(sorted(wanted))} was found")
    return WRITERS[form](pinned)


def _listed(found: Iterable[Found]) -> tuple[ListedPin, ...]:
    pins: dict[object, ListedPin] = {}
    for one in found:
        note = ", ".join(filter(None, (one.role or one.key.holder.value, one.key.subject)))
        pins.setdefault(one.key.pin, ListedPin(one.key.pin, one.role in (INTERMEDIATE, ROOT), note))
    return tuple(pins.values())


def _certified_host(found: Iterable[Found]) -> str:
    """The first name of the first leaf."""
    for one in found:
        names = read_profile(one.key.certificate).alternative_names or () if one.key.certificate else ()
        for name in names:
            if name.kind == "dns":
                return parse_host(name.text)
    raise InputError("no certificate names a host; say for which host the pins are: --host HOST")
