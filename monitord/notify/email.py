"""Mail through one SMTP server."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from typing import TYPE_CHECKING

import aiosmtplib

from monitord.config.receivers import SmtpTls, parse_mail_address
from monitord.notify.fault import DeliveryError, DeliveryFault, Receipt
from monitord.notify.message import write_mail
from monitord.notify.plain import plain
from monitord.notify.trust import CaFileError, ServerTrust

if TYPE_CHECKING:
    from datetime import datetime
    from email.message import EmailMessage

    from monitord.config.receivers import EmailSettings
    from monitord.config.secret import Secret
    from monitord.outbox import Delivery

_REFUSALS = range(400, 600)
_PERMANENT_REPLY = 500


class MailSender:
    """Sends mail as one receiver wants it.

    What a server refuses is tried again, even when it says 5xx: a full mailbox or a mistaken policy gets mended,
    while an alert that was given up is lost. If the server takes some recipients and not others, the mail goes to
    those it takes and counts as delivered, since trying again would send it to them twice; the receipt names the
    others.
    """

    def __init__(self, settings: EmailSettings) -> None:
        """A sender for these settings."""
        self._settings = settings
        self._smtp = settings.smtp
        self._trust = ServerTrust(settings.smtp.ca_file)

    async def send(self, delivery: Delivery, now: datetime) -> Receipt:
        """Hand the mail to the server; ``now`` is the time of the attempt. Raises DeliveryError.

        The timeout bounds the whole attempt. Once the server has accepted the mail, nothing makes it a failure.
        """
        message = write_mail(delivery, self._settings, now)
        try:
            return await self._attempt(message)
        except TimeoutError:
            cause = f"did not take the mail within {self._smtp.timeout:g} s"
            raise DeliveryError(DeliveryFault.TIMEOUT, self._sentence(cause)) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            fault, cause = _explain(error)
            raise DeliveryError(fault, self._sentence(cause)) from None

    async def _attempt(self, message: EmailMessage) -> Receipt:
        client = aiosmtplib.SMTP(
            hostname=self._smtp.host,
            port=self._smtp.port,
            local_hostname="localhost",  # only until the connection tells a better name; the default asks the DNS
            timeout=None,
            use_tls=self._smtp.tls is SmtpTls.IMPLICIT,
            start_tls=False,
            tls_context=None if self._smtp.tls is SmtpTls.NONE else self._tls_context(),
        )
        receipt: Receipt | None = None
        try:
            async with asyncio.timeout(self._smtp.timeout):
                await self._connect(client)
                await self._greet(client)
                receipt = await self._hand_over(client, message)
                await client.execute_command(b"QUIT")
        except (aiosmtplib.SMTPException, TimeoutError, OSError):
            if receipt is None:
                raise
        finally:
            _abort(client)
        return receipt

    async def _connect(self, client: aiosmtplib.SMTP) -> None:
        try:
            await client.connect()
        except UnicodeError:  # from Python's IDNA codec, before any look-up
            cause = "cannot be found: its name is not a host name"
            raise DeliveryError(DeliveryFault.DNS, self._sentence(cause)) from None

    async def _greet(self, client: aiosmtplib.SMTP) -> None:
        """EHLO, then STARTTLS and a login where they are configured."""
        client.local_hostname = _own_name(client)
        await client.ehlo()
        if self._smtp.tls is SmtpTls.STARTTLS:
            if not client.supports_extension("starttls"):
                cause = "offers no STARTTLS, so nothing was sent; set tls: implicit if it has a port for that"
                raise DeliveryError(DeliveryFault.TLS, self._sentence(cause))
            try:
                await client.starttls()
            except aiosmtplib.SMTPResponseException as error:
                cause = f"refused STARTTLS, so nothing was sent: {error.code} {error.message}"
                raise DeliveryError(DeliveryFault.TLS, self._sentence(cause)) from None
            await client.ehlo()
        if self._smtp.username is not None and self._smtp.password is not None:
            await self._log_in(client, self._smtp.username, self._smtp.password)

    async def _log_in(self, client: aiosmtplib.SMTP, username: str, password: Secret) -> None:
        if client.get_transport_info("sslcontext") is None:
            raise DeliveryError(DeliveryFault.AUTH, self._sentence("will not be sent a password in clear"))
        try:
            await client.login(username, password.reveal())
        except aiosmtplib.SMTPAuthenticationError as error:  # whose text may echo what was sent
            cause = f"did not accept the username and password (reply {error.code})"
        except aiosmtplib.SMTPServerDisconnected:
            raise
        except aiosmtplib.SMTPException:
            cause = "let nobody log in; it has to offer AUTH with CRAM-MD5, PLAIN or LOGIN, as username is set"
        else:
            return
        raise DeliveryError(DeliveryFault.AUTH, self._sentence(cause))

    async def _hand_over(self, client: aiosmtplib.SMTP, message: EmailMessage) -> Receipt:
        sender = parse_mail_address(self._settings.sender).addr_spec
        recipients = [parse_mail_address(address).addr_spec for address in self._settings.to]
        refused, _ = await client.send_message(message, sender=sender, recipients=recipients)
        return Receipt(
            tuple(
                self._sentence(f"does not take mail for {recipient}: {reply.code} {reply.message}")
                for recipient, reply in refused.items()
            )
        )

    def _tls_context(self) -> ssl.SSLContext:
        try:
            return self._trust.context()
        except CaFileError as error:
            raise DeliveryError(DeliveryFault.TLS, self._sentence(f"cannot be verified: {error}")) from None

    def _sentence(self, cause: str) -> str:
        """One sentence about the server that holds the password in no case, even if the server echoed it."""
        if self._smtp.password is not None:
            cause = cause.replace(self._smtp.password.reveal(), "***")
        return plain(f"mail server {self._smtp.host}:{self._smtp.port} {cause}")


def _own_name(client: aiosmtplib.SMTP) -> str:
    """What to say in EHLO: the host's full name, or else the address that it connects from (RFC 5321 section 4.1.4)."""
    name = socket.gethostname()
    if "." in name and name.isascii() and name.isprintable() and " " not in name:
        return name
    address = ipaddress.ip_address(str(client.get_transport_info("sockname")[0]).partition("%")[0])
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"  # noqa: PLR2004 - IP version


def _abort(client: aiosmtplib.SMTP) -> None:
    """Drop the connection; closing it politely could wait for a server that reads nothing."""
    transport = client.transport
    client.close()
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


def _explain(error: aiosmtplib.SMTPException | OSError) -> tuple[DeliveryFault, str]:
    """The fault behind an error of aiosmtplib, and what the mail server did."""
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            replies = "; ".join(f"{each.recipient}: {each.code} {each.message}" for each in error.recipients)
            return DeliveryFault.RECIPIENT_REFUSED, f"takes mail for none of the recipients: {replies}"
        case aiosmtplib.SMTPResponseException() if error.code in _REFUSALS:
            fault = DeliveryFault.REJECTED if error.code >= _PERMANENT_REPLY else DeliveryFault.SERVER_ERROR
            return fault, f"answered {error.code} {error.message}"
        case aiosmtplib.SMTPConnectError() if isinstance(error.__cause__, OSError):
            return _explain_connection(error.__cause__)
        case aiosmtplib.SMTPServerDisconnected():
            return DeliveryFault.PROTOCOL, "closed the connection before it had taken the mail"
        case aiosmtplib.SMTPException():
            return DeliveryFault.PROTOCOL, f"does not speak SMTP as expected: {error.args[-1]}"
    return _explain_connection(error)


def _explain_connection(error: OSError) -> tuple[DeliveryFault, str]:
    match error:
        case aiosmtplib.SMTPServerDisconnected():
            return DeliveryFault.PROTOCOL, "closed the connection without a greeting"
        case socket.gaierror():
            return DeliveryFault.DNS, "cannot be found: its host name does not resolve"
        case ssl.SSLCertVerificationError():
            return DeliveryFault.TLS, f"has a certificate that is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return DeliveryFault.TLS, f"failed the TLS handshake: {error.reason or 'no reason given'}"
    return DeliveryFault.REFUSED, f"cannot be connected to: {error.strerror or error}"
