"""Debian's Postfix: takes the mail of sender and daemon over TLS of a private authority, and says no where due."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from monitord import pki
from monitord.config.receivers import EmailSettings, SmtpSettings, SmtpTls
from monitord.notify.email import MailSender
from monitord.notify.fault import DeliveryError, DeliveryFault
from monitord.notify.message import write_mail
from tests.notify import events
from tests.notify.events import delivery
from tests.support.deployment import Deployment
from tests.system.postfix import ADDRESS, Postfix

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import EmailMessage
    from pathlib import Path

pytestmark = pytest.mark.system

HOST = "api.example.com"
ROOT = pki.issue("Private Root")
SERVER = pki.issue("mail", issuer=ROOT, names=["127.0.0.1"])


@pytest.fixture
async def postfix() -> AsyncIterator[Postfix]:
    """A mail server whose certificate is of a private authority."""
    async with Postfix(SERVER) as postfix:
        yield postfix


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    """That authority."""
    path = tmp_path / "ca.pem"
    path.write_bytes(ROOT.pem)
    return path


def settings(port: int, tls: SmtpTls, *to: str, **smtp: Any) -> EmailSettings:
    """Mail by this port."""
    return EmailSettings(to or (ADDRESS,), "monitord@example.org", SmtpSettings("127.0.0.1", port, tls, **smtp))


def text_of(message: EmailMessage) -> str:
    """Its text, as a person reads it."""
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


@pytest.mark.parametrize("tls", [SmtpTls.STARTTLS, SmtpTls.IMPLICIT])
async def test_mail_arrives_as_it_was_written(postfix: Postfix, ca_file: Path, tls: SmtpTls) -> None:
    """Encrypted, with its headers, and with lines that mean something to SMTP as the text that they are."""
    port = postfix.starttls if tls is SmtpTls.STARTTLS else postfix.implicit
    how = settings(port, tls, ca_file=ca_file)
    now = datetime.now(UTC)
    tricky = events.event("pin_mismatch", summary="a\r\n.\r\nQUIT\r\n.dot", advice=".\n..\nFrom me\n" + "x" * 2000)
    await MailSender(how).send(delivery(tricky), now)
    (mail,) = await postfix.wait_for(1)
    written = write_mail(delivery(tricky), how, now)
    assert text_of(mail) == text_of(written)
    for name in ("Subject", "Message-ID", "References", "X-Monitord-Event", "X-Monitord-Incident", "To"):
        assert mail[name] == written[name]
    assert "with ESMTPS" in mail["Received"]


async def test_nothing_is_sent_to_a_server_that_cannot_prove_who_it_is(postfix: Postfix) -> None:
    """Without the private authority the certificate is not trusted, and STARTTLS is not gone without."""
    with pytest.raises(DeliveryError) as caught:
        await MailSender(settings(postfix.starttls, SmtpTls.STARTTLS)).send(delivery(), events.NOW)
    assert caught.value.fault is DeliveryFault.TLS
    with pytest.raises(DeliveryError) as caught:
        await MailSender(settings(postfix.clear, SmtpTls.STARTTLS)).send(delivery(), events.NOW)
    assert caught.value.fault is DeliveryFault.TLS
    assert "offers no STARTTLS" in str(caught.value)
    assert postfix.mails == []


async def test_what_the_server_refuses_is_told_in_its_words(postfix: Postfix, ca_file: Path) -> None:
    """In clear where it wants TLS; for nobody that it knows; for one of two."""
    with pytest.raises(DeliveryError) as caught:
        await MailSender(settings(postfix.starttls, SmtpTls.NONE)).send(delivery(), events.NOW)
    assert caught.value.fault is DeliveryFault.REJECTED
    assert "530 5.7.0 Must issue a STARTTLS command first" in str(caught.value)
    unknown = "nobody@example.com"
    with pytest.raises(DeliveryError) as caught:
        await MailSender(settings(postfix.clear, SmtpTls.NONE, unknown)).send(delivery(), events.NOW)
    assert caught.value.fault is DeliveryFault.RECIPIENT_REFUSED
    assert "User unknown in virtual mailbox table" in str(caught.value)
    assert postfix.mails == []
    both = settings(postfix.starttls, SmtpTls.STARTTLS, ADDRESS, unknown, ca_file=ca_file)
    receipt = await MailSender(both).send(delivery(), events.NOW)
    assert len(receipt.refused) == 1
    assert unknown in receipt.refused[0]
    await postfix.wait_for(1)


async def test_the_daemon_s_alerts_arrive_though_the_server_was_down(tmp_path: Path, ca_file: Path) -> None:
    """What it could not deliver it delivers when Postfix is there: beginning and end, as one thread."""
    postfix = Postfix(SERVER)
    async with Deployment(tmp_path) as deployment:
        shipped, renewed = deployment.leaf(HOST), deployment.leaf(HOST)
        server = deployment.serve(shipped)
        deployment.register(HOST, server.port, shipped)
        smtp = {"host": "127.0.0.1", "port": postfix.starttls, "ca_file": str(ca_file)}
        mail = {"name": "mail", "email": {"to": [ADDRESS], "from": "monitord@example.org", "smtp": smtp}}
        deployment.configure(receivers=[mail])
        async with deployment.daemon() as daemon:
            await daemon.shows("pin_match", 1, host=HOST)
            server.present(renewed, deployment.intermediate.certificate)
            await daemon.logged("delivery_failed", fault="refused")
            async with postfix:
                (firing,) = await postfix.wait_for(1)
                server.present(shipped, deployment.intermediate.certificate)
                _, resolved = await postfix.wait_for(2)
                await daemon.shows("outbox_pending", 0)
                assert await daemon.stop() == 0
                assert len(postfix.mails) == 2
    assert firing["X-Monitord-Event"] == "pin_mismatch.firing"
    assert resolved["X-Monitord-Event"] == "pin_mismatch.resolved"
    assert firing["References"] == resolved["References"]
    assert firing["Message-ID"] != resolved["Message-ID"]
