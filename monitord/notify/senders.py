"""From configured receivers to what sends to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from monitord.notify.email import MailSender
from monitord.notify.webhook import WebhookSender

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from monitord.config.receivers import Receiver
    from monitord.notify.fault import Receipt
    from monitord.outbox import Delivery


class Sender(Protocol):
    """A way to one receiver."""

    async def send(self, delivery: Delivery, now: datetime) -> Receipt:
        """Make one attempt at ``now``, in bounded time. Raises DeliveryError."""


def build_sender(receiver: Receiver) -> Sender:
    """The way to this receiver."""
    if receiver.email is not None:
        return MailSender(receiver.email)
    assert receiver.webhook is not None  # noqa: S101 - a Receiver has exactly one of the two
    return WebhookSender(receiver.webhook)


def build_senders(receivers: Iterable[Receiver]) -> Mapping[str, Sender]:
    """The way to each receiver, by its name."""
    return {receiver.name: build_sender(receiver) for receiver in receivers}
