"""The look-up of a receiver's name counts towards the one deadline of an attempt."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from monitord.config.receivers import EmailSettings, Receiver, SmtpSettings, SmtpTls, WebhookSettings
from monitord.config.secret import Secret
from monitord.notify.fault import DeliveryError, DeliveryFault
from monitord.notify.senders import build_sender
from tests.notify.events import NOW, delivery
from tests.support.sinks import SmtpSink, WebhookSink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

DEADLINE = 0.3


@pytest.fixture
async def hanging_lookups() -> AsyncIterator[None]:
    """No name is ever looked up, as where the name servers do not answer: whoever looks them up is busy for ever."""
    over = threading.Event()
    lookups = ThreadPoolExecutor(1)
    lookups.submit(over.wait)
    asyncio.get_running_loop().set_default_executor(lookups)
    yield
    over.set()
    lookups.shutdown()


def mail(port: int) -> Receiver:
    """A mail server that has a name."""
    smtp = SmtpSettings("localhost", port, SmtpTls.NONE, timeout=DEADLINE)
    return Receiver("mail", email=EmailSettings(("ops@example.com",), "monitord@example.com", smtp))


def hook(port: int) -> Receiver:
    """A webhook that has a name."""
    return Receiver("hook", webhook=WebhookSettings(Secret(f"http://localhost:{port}/"), timeout=DEADLINE))


@pytest.mark.parametrize("receiver", [mail, hook])
@pytest.mark.usefixtures("hanging_lookups")
async def test_a_name_that_is_never_found_ends_the_attempt(receiver: Callable[[int], Receiver]) -> None:
    """The attempt ends by its own deadline, as a timeout, and can be made again."""
    async with SmtpSink() as mailbox, WebhookSink() as webhook:
        sender = build_sender(receiver(mailbox.port if receiver is mail else webhook.port))
        for _ in range(2):
            with pytest.raises(DeliveryError) as caught:
                await sender.send(delivery(), NOW)
            assert caught.value.fault is DeliveryFault.TIMEOUT
        assert (mailbox.mails, webhook.calls) == ([], [])
