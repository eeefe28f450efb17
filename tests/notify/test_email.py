from __future__ import annotations

import asyncio
import base64
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord.config.receivers import EmailSettings, SmtpSettings, SmtpTls
from monitord.config.secret import Secret
from monitord.notify.email import MailSender
from monitord.notify.fault import DeliveryError, DeliveryFault
from monitord.notify.render import render_html, render_text
from monitord.notify.wording import write_letter
from tests.notify import events
from tests.notify.events import NOW, delivery, event
from tests.notify.rough import RoughServer, drip, say_and_close, stay_silent
from tests.support.sinks import SmtpSink

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from tests.notify.rough import Behaviour

DEADLINE = 0.3
LOGIN: dict[str, Any] = {"username": "monitord", "password": Secret("pa55 wörd")}


def mailer(port: int, *to: str, **smtp: Any) -> MailSender:
    """A sender to this port of the loopback, in clear unless said otherwise."""
    server = SmtpSettings("127.0.0.1", port, **{"tls": SmtpTls.NONE, **smtp})
    return MailSender(EmailSettings(to or ("ops@example.com",), "monitord <monitord@example.com>", server))


async def fault_of(sender: MailSender) -> DeliveryError:
    """The error of one attempt."""
    with pytest.raises(DeliveryError) as caught:
        await sender.send(delivery(), NOW)
    return caught.value


async def test_a_plain_server_gets_the_whole_message() -> None:
    """Envelope, headers, text and HTML arrive as they were written."""
    async with SmtpSink() as sink:
        receipt = await mailer(sink.port, "ops@example.com", "On Call <oncall@example.com>").send(delivery(), NOW)
    (mail,) = sink.mails
    assert receipt.refused == ()
    assert (mail.sender, mail.recipients) == ("monitord@example.com", ("ops@example.com", "oncall@example.com"))
    assert mail.message["Message-ID"] == f"<{delivery().id}@example.com>"
    assert mail.message["X-Monitord-Event"] == "pin_mismatch.firing"
    letter = write_letter((events.MISMATCH,), NOW)
    assert mail.part("plain") == render_text(letter)
    assert mail.part("html") == render_html(letter)
    assert not mail.encrypted


@pytest.mark.parametrize(("host", "literal"), [("127.0.0.1", "[127.0.0.1]"), ("::1", "[IPv6:::1]")])
async def test_the_client_introduces_itself_by_name_or_address(host: str, literal: str) -> None:
    """EHLO says the machine's full name, or else an address literal, as RFC 5321 wants it."""
    name = socket.gethostname()
    async with SmtpSink(host=host) as sink:
        server = SmtpSettings(host, sink.port, SmtpTls.NONE)
        await MailSender(EmailSettings(("ops@example.com",), "monitord@example.com", server)).send(delivery(), NOW)
    assert sink.mails[0].greeted_as == (name if "." in name else literal)


@pytest.mark.parametrize("tls", [SmtpTls.STARTTLS, SmtpTls.IMPLICIT])
async def test_mail_goes_encrypted_and_with_a_login(tls: SmtpTls, loopback_tls: ssl.SSLContext, ca_file: Path) -> None:
    """Both TLS modes verify the server and only then log in."""
    offered: dict[str, Any] = {"starttls" if tls is SmtpTls.STARTTLS else "implicit": loopback_tls}
    async with SmtpSink(**offered, login=("monitord", "pa55 wörd")) as sink:
        await mailer(sink.port, tls=tls, ca_file=ca_file, **LOGIN).send(delivery(), NOW)
    (mail,) = sink.mails
    assert mail.encrypted
    assert mail.username == "monitord"


@pytest.mark.parametrize("tls", [SmtpTls.STARTTLS, SmtpTls.IMPLICIT])
async def test_a_server_that_is_not_trusted_gets_nothing(tls: SmtpTls, loopback_tls: ssl.SSLContext) -> None:
    """Without the private authority the certificate does not verify: no login, no mail."""
    offered: dict[str, Any] = {"starttls" if tls is SmtpTls.STARTTLS else "implicit": loopback_tls}
    async with SmtpSink(**offered, login=("monitord", "pa55 wörd")) as sink:
        error = await fault_of(mailer(sink.port, tls=tls, **LOGIN))
    assert error.fault is DeliveryFault.TLS
    assert "certificate" in str(error)
    assert (sink.mails, sink.logins) == ([], [])


async def test_a_ca_file_that_is_missing_is_a_tls_fault(tmp_path: Path) -> None:
    """The error names the file, and the attempt can be repeated when it is back."""
    error = await fault_of(mailer(1, tls=SmtpTls.STARTTLS, ca_file=tmp_path / "gone.pem"))
    assert error.fault is DeliveryFault.TLS
    assert "gone.pem" in str(error)


@pytest.mark.parametrize("extensions", [b"250 mail\r\n", b"250-mail\r\n250 AUTH PLAIN LOGIN\r\n"])
async def test_a_server_without_starttls_gets_nothing_in_clear(extensions: bytes) -> None:
    """STARTTLS that was stripped on the way, or is missing, ends the attempt before anything is told."""
    heard = bytearray()

    async def strip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while line := await reader.readline():
            heard.extend(line)
            writer.write(extensions)

    async with RoughServer(strip) as server:
        error = await fault_of(mailer(server.port, tls=SmtpTls.STARTTLS, **LOGIN))
    assert error.fault is DeliveryFault.TLS
    assert heard.startswith(b"EHLO ")
    assert heard.count(b"\n") == 1


async def test_a_refused_starttls_gets_nothing_in_clear() -> None:
    """A server that offers STARTTLS and then will not do it is no reason to go on without."""
    heard = bytearray()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while line := await reader.readline():
            heard.extend(line)
            writer.write(b"250-mail\r\n250 STARTTLS\r\n" if line.startswith(b"EHLO") else b"454 not now\r\n")

    async with RoughServer(refuse) as server:
        error = await fault_of(mailer(server.port, tls=SmtpTls.STARTTLS, **LOGIN))
    assert error.fault is DeliveryFault.TLS
    assert heard.splitlines()[1:] == [b"STARTTLS"]


async def test_text_injected_before_starttls_is_not_believed(loopback_tls: ssl.SSLContext, ca_file: Path) -> None:
    """What somebody on the way appends to the go-ahead does not become an answer inside TLS."""

    async def inject(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        await reader.readline()
        writer.write(b"250-mail\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go ahead\r\n250-mail\r\n250 AUTH PLAIN\r\n")
        await writer.start_tls(loopback_tls)
        await reader.readline()
        writer.write(b"250 mail\r\n")
        await reader.read()

    async with RoughServer(inject) as server:
        error = await fault_of(mailer(server.port, tls=SmtpTls.STARTTLS, ca_file=ca_file, **LOGIN))
    assert error.fault in (DeliveryFault.AUTH, DeliveryFault.TLS)


async def test_a_wrong_password_is_an_auth_fault(loopback_tls: ssl.SSLContext, ca_file: Path) -> None:
    """The reason is told without the password."""
    async with SmtpSink(implicit=loopback_tls, login=("monitord", "another")) as sink:
        error = await fault_of(mailer(sink.port, tls=SmtpTls.IMPLICIT, ca_file=ca_file, **LOGIN))
    assert error.fault is DeliveryFault.AUTH
    assert not error.permanent
    assert sink.logins
    assert sink.mails == []


async def test_a_server_without_logins_is_an_auth_fault(loopback_tls: ssl.SSLContext, ca_file: Path) -> None:
    """A login that is configured but not offered is told, not skipped."""
    async with SmtpSink(implicit=loopback_tls) as sink:
        error = await fault_of(mailer(sink.port, tls=SmtpTls.IMPLICIT, ca_file=ca_file, **LOGIN))
    assert error.fault is DeliveryFault.AUTH
    assert sink.mails == []


@pytest.mark.parametrize(
    "behave", [stay_silent, drip(b"220-welcome\r\n"), drip(b"2"), drip(b"\0", first=b"220 hi\r\n")]
)
async def test_a_tarpit_is_given_up(behave: Behaviour) -> None:
    """A server that never greets, or never finishes a reply, does not outlive the deadline."""
    async with RoughServer(behave) as server:
        error = await fault_of(mailer(server.port, timeout=DEADLINE))
    assert error.fault is DeliveryFault.TIMEOUT


async def test_a_tarpit_before_tls_is_given_up() -> None:
    """A handshake that never comes is under the same deadline."""
    async with RoughServer(stay_silent) as server:
        error = await fault_of(mailer(server.port, tls=SmtpTls.IMPLICIT, timeout=DEADLINE))
    assert error.fault is DeliveryFault.TIMEOUT


async def test_replies_that_come_slowly_add_up() -> None:
    """Each reply is in time for itself; the deadline is for the attempt as a whole."""
    answered = 0

    async def dawdle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        writer.write(b"220 mail\r\n")
        while await reader.readline():
            await asyncio.sleep(DEADLINE * 0.6)  # the server's slowness itself, nothing waits for it
            answered += 1
            writer.write(b"250 mail\r\n")

    async with RoughServer(dawdle) as server:
        error = await fault_of(mailer(server.port, timeout=DEADLINE))
    assert error.fault is DeliveryFault.TIMEOUT
    assert answered >= 1


async def test_a_cancelled_attempt_closes_its_connection() -> None:
    """Shutting down leaves no connection behind."""
    connected, gone = asyncio.Event(), asyncio.Event()

    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        await reader.readline()
        connected.set()
        await reader.read()
        gone.set()

    async with RoughServer(watch) as server:
        attempt = asyncio.create_task(mailer(server.port).send(delivery(), NOW))
        await connected.wait()
        attempt.cancel()
        await asyncio.wait([attempt])
        assert attempt.cancelled()
        async with asyncio.timeout(10):
            await gone.wait()


async def test_an_accepted_mail_stays_accepted_whatever_follows() -> None:
    """A server that hangs after its 250 has the mail all the same: it must not be sent twice."""

    async def hang_at_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while (line := await reader.readline()) and not line.startswith(b"DATA"):
            writer.write(b"250 OK\r\n")
        writer.write(b"354 go\r\n")
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 OK\r\n")
        await reader.read()

    async with RoughServer(hang_at_the_end) as server:
        receipt = await mailer(server.port, timeout=DEADLINE).send(delivery(), NOW)
    assert receipt.refused == ()


async def test_some_refused_recipients_do_not_stop_the_mail() -> None:
    """Those accepted get it, the others are named; it is not sent again."""
    async with SmtpSink(replies={"gone@example.com": "550 5.1.1 no such user\x1b"}) as sink:
        receipt = await mailer(sink.port, "gone@example.com", "ops@example.com").send(delivery(), NOW)
    assert sink.mails[0].recipients == ("ops@example.com",)
    (sentence,) = receipt.refused
    assert "gone@example.com" in sentence
    assert "550" in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize("reply", ["450 greylisted", "550 no such user"])
async def test_when_all_recipients_are_refused_it_is_tried_again(reply: str) -> None:
    """Even a 5xx is retried: the mailbox may come back, the alert would not."""
    async with SmtpSink(replies={"ops@example.com": reply}) as sink:
        error = await fault_of(mailer(sink.port))
    assert (error.fault, error.permanent) == (DeliveryFault.RECIPIENT_REFUSED, False)
    assert sink.mails == []


@pytest.mark.parametrize(
    ("reply", "fault"), [("451 try later", DeliveryFault.SERVER_ERROR), ("554 looks like spam", DeliveryFault.REJECTED)]
)
async def test_refused_content_is_tried_again(reply: str, fault: DeliveryFault) -> None:
    """The reply is quoted, so that the administrator finds the rule."""
    async with SmtpSink(replies={"DATA": reply}) as sink:
        error = await fault_of(mailer(sink.port))
    assert (error.fault, error.permanent) == (fault, False)
    assert reply in str(error)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b"", DeliveryFault.PROTOCOL),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", DeliveryFault.PROTOCOL),
        (b"220 " + b"x" * 100_000, DeliveryFault.PROTOCOL),
        (b"421 too busy\r\n", DeliveryFault.SERVER_ERROR),
        (b"554 go away\r\n", DeliveryFault.REJECTED),
    ],
)
async def test_a_bad_greeting_is_explained(said: bytes, fault: DeliveryFault) -> None:
    """Other protocols, floods and refusals are told apart."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.write_eof()
        await reader.read()

    async with RoughServer(greet) as server:
        assert (await fault_of(mailer(server.port))).fault is fault


async def test_a_closed_port_is_refused() -> None:
    """No listener is its own reason."""
    async with RoughServer(stay_silent) as server:
        port = server.port
    assert (await fault_of(mailer(port))).fault is DeliveryFault.REFUSED


@pytest.mark.parametrize("host", ["mail.invalid", "mail..example.com", "x" * 64 + ".example.com"])
async def test_an_unknown_name_is_a_dns_fault(host: str) -> None:
    """A name that does not exist, or cannot, is told from a dead host."""
    server = SmtpSettings(host, 25, SmtpTls.NONE)
    error = await fault_of(MailSender(EmailSettings(("ops@example.com",), "m@example.com", server)))
    assert error.fault is DeliveryFault.DNS
    assert host in str(error)


async def test_tls_to_a_plain_port_is_a_tls_fault() -> None:
    """The usual mistake with ports 465 and 587 is explained."""
    async with RoughServer(say_and_close(b"220 mail\r\n", after=b"\x16\x03")) as server:
        error = await fault_of(mailer(server.port, tls=SmtpTls.IMPLICIT))
    assert error.fault is DeliveryFault.TLS


async def test_a_line_break_in_a_certificate_adds_no_recipient() -> None:
    """The mail as it arrives has the headers that were written and no other."""
    evil = "CN=api\r\nBcc: victim@example.org\r\n.\r\nRCPT TO:<victim@example.org>\r\n"
    body = event("pin_mismatch", pinset=evil, chain=[{**events.LEAF, "subject": evil}])
    async with SmtpSink() as sink:
        await mailer(sink.port).send(delivery(body), NOW)
    (mail,) = sink.mails
    assert mail.recipients == ("ops@example.com",)
    assert mail.message["Bcc"] is None


passwords = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=8, max_size=20)


@settings(deadline=None, max_examples=30)
@given(password=passwords, echo=st.sampled_from(["{}", "AUTH PLAIN {}"]))
def test_no_error_shows_the_password(password: str, echo: str, loopback_tls: ssl.SSLContext, ca_file: Path) -> None:
    """Not even when the server repeats what it was sent."""
    encoded = base64.b64encode(f"\0monitord\0{password}".encode()).decode()

    async def parrot(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        await reader.readline()
        writer.write(b"250-mail\r\n250 AUTH PLAIN\r\n")
        while await reader.readline():
            writer.write(f"535-{echo.format(password)}\r\n535 {echo.format(encoded)}\r\n".encode())

    async def attempt() -> DeliveryError:
        login = {"username": "monitord", "password": Secret(password)}
        async with RoughServer(parrot, tls=loopback_tls) as server:
            return await fault_of(mailer(server.port, tls=SmtpTls.IMPLICIT, ca_file=ca_file, **login))

    error = asyncio.run(attempt())
    assert error.fault is DeliveryFault.AUTH
    assert password not in f"{error} {error!r}"
    assert encoded not in f"{error} {error!r}"
