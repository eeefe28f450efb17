"""What the pin files of all clients have in common: hosts and their pins."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.errors import MonitordError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitord.pinning.pins import Pin


class FormatError(MonitordError):
    """The pins cannot be written in a format so that its client would do what is meant."""


@dataclass(frozen=True, slots=True)
class ListedPin:
    """A pin in a file. ``authority``: of a CA's key, not a server's. ``note`` is for people, on one line."""

    pin: Pin
    authority: bool = False
    note: str = ""

    @property
    def base64(self) -> str:
        """The digest alone, in standard base64."""
        return base64.b64encode(self.pin.digest).decode("ascii")


@dataclass(frozen=True, slots=True)
class PinnedHost:
    """A host with its pins; ``port`` is only for formats that know ports."""

    host: str
    pins: tuple[ListedPin, ...]
    port: int = 443


def united(hosts: Iterable[PinnedHost]) -> list[PinnedHost]:
    """Each host once, with the pins of all its ports: for formats that know no ports."""
    pins: dict[str, dict[Pin, ListedPin]] = {}
    for host in hosts:
        of_host = pins.setdefault(host.host, {})
        for listed in host.pins:
            of_host.setdefault(listed.pin, listed)
    return [PinnedHost(name, tuple(found.values())) for name, found in pins.items()]


def comment(note: str) -> str:
    """A note as it may stand at the end of a line, after a comment's sign."""
    return "".join(character if character.isprintable() else "?" for character in note)
