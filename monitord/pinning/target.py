"""What is watched: an endpoint and the pin sets that the apps hold for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitord.pinning.pins import PinSet

DEFAULT_PORT = 443
DEFAULT_INTERVAL = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class ConnectAddress:
    """An IP address, with a port if it is not the target's, that is connected to instead of asking DNS."""

    address: str
    port: int | None = None


@dataclass(frozen=True, slots=True)
class StagingEndpoint:
    """Where the operator shows beforehand what an endpoint will serve."""

    host: str
    port: int

    @property
    def endpoint(self) -> str:
        """``host:port``, as for a target."""
        return format_endpoint(self.host, self.port)


class StartTls(StrEnum):
    """The protocol that an endpoint speaks before TLS, and in which TLS is asked for."""

    SMTP = "smtp"
    IMAP = "imap"
    POP3 = "pop3"
    FTP = "ftp"
    LDAP = "ldap"
    POSTGRES = "postgres"
    XMPP = "xmpp"


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that connects by CONNECT; user name and password, both or neither, are for it alone."""

    host: str
    port: int
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What proves who we are to a server that demands it.

    ``chain`` is the DER of the certificate and then of its issuers; ``key`` is the private key to the first, as PKCS#8
    in DER.
    """

    chain: tuple[bytes, ...] = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint as configured.

    ``host`` is lower-case and in its ASCII (IDNA) form, without a trailing dot, or an IP literal without brackets.
    ``server_name`` is the name sent as SNI and checked in the certificate; None means ``host``. ``send_server_name``
    False sends none, which changes nothing about the check. ``starttls`` None is TLS from the first byte.
    ``interval`` is the time between two rounds. ``staging`` None is no staging endpoint. ``key`` is host and port: what
    a registered endpoint is found by, everywhere the very same object, for there may be very many.
    """

    host: str
    port: int = DEFAULT_PORT
    server_name: str | None = None
    connect_to: tuple[ConnectAddress, ...] = ()
    interval: timedelta = DEFAULT_INTERVAL
    labels: Mapping[str, str] = field(default_factory=dict)
    pinsets: tuple[PinSet, ...] = ()
    trust: tuple[str, ...] = ("mozilla",)
    starttls: StartTls | None = None
    proxy: Proxy | None = None
    client_certificate: ClientCertificate | None = None
    send_server_name: bool = True
    staging: StagingEndpoint | None = None
    key: tuple[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the key."""
        object.__setattr__(self, "key", (self.host, self.port))

    @property
    def name(self) -> str:
        """The name that the certificate must carry, and that SNI announces if it announces one."""
        return self.server_name or self.host

    @property
    def endpoint(self) -> str:
        """``host:port``, with brackets around an IPv6 literal: how people and alerts name the target."""
        return format_endpoint(self.host, self.port)


def format_endpoint(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 literal."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
