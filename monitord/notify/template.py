"""Webhook format ``template``: whatever the administrator's own template makes of an event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from monitord.config.templates import TemplateError
from monitord.config.templatesamples import OPTIONAL
from monitord.notify.call import Call
from monitord.notify.fault import DeliveryError, DeliveryFault
from monitord.notify.payload import write_payload
from monitord.notify.plain import plain
from monitord.notify.render import render_text
from monitord.notify.wording import write_letter

if TYPE_CHECKING:
    from monitord.config.templates import Template
    from monitord.outbox import Delivery


def write_call(delivery: Delivery, url: str, template: Template) -> Call:
    """The call with what the template gives. Raises DeliveryError if it cannot be rendered."""
    try:
        written = template.render(values_of(delivery))
    except TemplateError as error:
        sentence = f"the template does not work with this event: {error}; correct it and reload"
        raise DeliveryError(DeliveryFault.INTERNAL, plain(sentence)) from None
    headers = {"content-type": template.content_type}
    return Call(url, written.encode("utf-8", "backslashreplace"), headers)


def values_of(delivery: Delivery) -> dict[str, Any]:
    """What a template may use: the event as webhooks have it, of the same size, and the words that mail has.

    Every text but ``text`` is one line and printable.
    """
    letter = write_letter(delivery.events, delivery.created_at)
    event = _cleaned(json.loads(write_payload(delivery.body)))
    return {
        **event,
        "id": delivery.id,
        "data": {**OPTIONAL, **event["data"]},
        "subject": letter.subject,
        "title": letter.title,
        "lead": letter.lead,
        "text": render_text(letter),
    }


def _cleaned(value: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {plain(name): _cleaned(item) for name, item in value.items()}
    return [_cleaned(item) for item in value] if isinstance(value, list) else value
