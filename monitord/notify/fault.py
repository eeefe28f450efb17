"""What can go wrong with one attempt to deliver, and what may be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from monitord.errors import MonitordError

if TYPE_CHECKING:
    from datetime import timedelta


class DeliveryFault(StrEnum):
    """Why an attempt failed; a closed list that metrics use."""

    TIMEOUT = "timeout"
    REFUSED = "refused"  # no connection, for any reason but the other ones here
    DNS = "dns"
    TLS = "tls"
    AUTH = "auth"
    REJECTED = "rejected"  # the receiver understood and said no
    REDIRECT = "redirect"
    GONE = "gone"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"  # the receiver said that it is in trouble
    PROTOCOL = "protocol"
    RECIPIENT_REFUSED = "recipient_refused"
    UNKNOWN_RECEIVER = "unknown_receiver"
    INTERNAL = "internal"  # a fault of monitord


class DeliveryError(MonitordError):
    """An attempt failed; the sentence shows no credential and no control character.

    ``permanent`` says that trying again is pointless; ``retry_after`` is how long the receiver asked to be left alone.
    """

    def __init__(
        self, fault: DeliveryFault, sentence: str, *, permanent: bool = False, retry_after: timedelta | None = None
    ) -> None:
        """A fault and the sentence that explains it."""
        super().__init__(sentence)
        self.fault = fault
        self.permanent = permanent
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receiver took the message. ``refused`` has a sentence for each recipient that its server would not take."""

    refused: tuple[str, ...] = ()
