"""From configured receivers to what sends to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from monitord.config.receivers import Rate, WebhookFormat
from monitord.notify.alertmanager import AlertmanagerSender
from monitord.notify.email import MailSender
from monitord.notify.webhook import WebhookSender

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from monitord.config.receivers import Receiver
    from monitord.notify.fault import Receipt
    from monitord.outbox import Delivery
    from monitord.turns import Digest


class Sender(Protocol):
    """A way to one receiver."""

    async def send(self, delivery: Delivery, now: datetime) -> Receipt:
        """Make one attempt at ``now``, in bounded time. Raises DeliveryError."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to one receiver, and how fast it may be used.

    ``together``: it takes several events of one cause. ``digest`` are the times at which it takes what can wait.
    """

    sender: Sender
    rate: Rate = field(default_factory=Rate)
    together: bool = True
    digest: Digest | None = None


def build_sender(receiver: Receiver) -> Sender:
    """The way to this receiver."""
    if receiver.email is not None:
        return MailSender(receiver.email)
    assert receiver.webhook is not None  # noqa: S101 - a Receiver has exactly one of the two
    if receiver.webhook.format is WebhookFormat.ALERTMANAGER:
        return AlertmanagerSender(receiver.webhook)
    return WebhookSender(receiver.webhook)


def build_channels(receivers: Iterable[Receiver]) -> Mapping[str, Channel]:
    """The way to each receiver, by its name."""
    return {
        receiver.name: Channel(build_sender(receiver), receiver.rate, _takes_several(receiver), receiver.digest)
        for receiver in receivers
    }


def _takes_several(receiver: Receiver) -> bool:
    """Whether several events may be one delivery; PagerDuty has a call for each, which are better retried alone."""
    return receiver.webhook is None or receiver.webhook.format is not WebhookFormat.PAGERDUTY
