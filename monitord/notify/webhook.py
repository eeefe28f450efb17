"""Webhooks: a delivery as calls in the format that the receiver understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.config.receivers import WebhookFormat, decode_webhook_secret
from monitord.notify import pagerduty, slack, standard, template
from monitord.notify.call import GONE_ADVICE, Call, Caller
from monitord.notify.fault import DeliveryError, DeliveryFault, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from monitord.config.receivers import WebhookSettings
    from monitord.outbox import Delivery

    Writer = Callable[[Delivery, datetime], Sequence[Call]]

_JSON = {"content-type": "application/json"}


class WebhookSender:
    """Calls one webhook.

    A receiver that once answers 410 is not called again by this sender: Standard Webhooks wants it disabled. Messages
    for it fail and wait. A reload of the configuration makes a new sender, which tries again.
    """

    def __init__(self, settings: WebhookSettings) -> None:
        """A sender for these settings."""
        self._settings = settings
        self._caller = Caller(settings)
        self._write = _writer(settings)
        self._gone = False

    async def send(self, delivery: Delivery, now: datetime) -> Receipt:
        """Make one attempt at ``now``; only a 2xx status counts as delivered. Raises DeliveryError."""
        if self._gone:
            sentence = f"webhook {self._settings.origin} answered 410 before: {GONE_ADVICE}"
            raise DeliveryError(DeliveryFault.GONE, sentence)
        try:
            for call in self._write(delivery, now):
                await self._caller.post(call, now)
        except DeliveryError as error:
            if error.fault is DeliveryFault.GONE:
                self._gone = True
            raise
        return Receipt()


def _writer(settings: WebhookSettings) -> Writer:
    """What makes calls out of a delivery, in the format of these settings."""
    url = settings.url.reveal()
    if settings.format is WebhookFormat.SLACK:
        return lambda delivery, _: (Call(url, slack.write_message(delivery), _JSON),)
    if settings.format is WebhookFormat.PAGERDUTY:
        key = settings.routing_key.reveal() if settings.routing_key else ""
        return lambda delivery, _: [Call(url, pagerduty.write_event(event, key), _JSON) for event in delivery.events]
    if settings.template is not None:
        own = settings.template
        return lambda delivery, _: (template.write_call(delivery, url, own),)
    keys = tuple(map(decode_webhook_secret, settings.secrets))
    return lambda delivery, now: (standard.write_call(delivery, url, keys, now),)
