"""Debian's Postfix in a directory of its own: takes mail for one address, in clear or with TLS, and keeps it."""

from __future__ import annotations

import asyncio
import email
import email.policy
import pwd
import shutil
from typing import TYPE_CHECKING

from tests.support.waiting import eventually
from tests.system.servers import Program, free_ports

if TYPE_CHECKING:
    from email.message import EmailMessage

    from monitord.pki import Issued

ADDRESS = "ops@example.com"

_MAIN = """\
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = /dev/stdout
inet_interfaces = 127.0.0.1
myhostname = mail.example.com
mynetworks = 127.0.0.0/8
mydestination =
virtual_mailbox_domains = example.com
virtual_mailbox_base = {directory}/mail
virtual_mailbox_maps = inline:{{ {address}=inbox/ }}
virtual_minimum_uid = 1
virtual_uid_maps = static:{user}
virtual_gid_maps = static:{group}
smtpd_recipient_restrictions = reject_unlisted_recipient, permit_mynetworks, reject
smtpd_tls_chain_files = {directory}/chain.pem
smtpd_tls_security_level = encrypt
smtpd_tls_received_header = yes
smtpd_peername_lookup = no
biff = no
"""

_SERVICES = """\
127.0.0.1:{starttls} inet n - n - - smtpd
127.0.0.1:{implicit} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
127.0.0.1:{clear} inet n - n - - smtpd -o smtpd_tls_security_level=none
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix(Program):
    """A mail server with this certificate; ``starttls``, ``implicit`` and ``clear`` are its ports."""

    def __init__(self, issued: Issued) -> None:
        super().__init__(free_ports(3))
        self.starttls, self.implicit, self.clear = self.ports
        self._issued = issued

    def prepare(self) -> list[str]:
        """Its files; the queue and what it keeps for itself belong to Debian's user."""
        place = self.directory
        for name in ("queue", "data", "mail"):
            (place / name).mkdir()
        shutil.chown(place / "data", "postfix")
        shutil.chown(place / "mail", "postfix")
        (place / "chain.pem").write_bytes(self._issued.key_pem + self._issued.pem)
        (place / "chain.pem").chmod(0o600)
        owner = pwd.getpwnam("postfix")
        settings = {"directory": place, "address": ADDRESS, "user": owner.pw_uid, "group": owner.pw_gid}
        (place / "main.cf").write_text(_MAIN.format(**settings))
        ports = {"starttls": self.starttls, "implicit": self.implicit, "clear": self.clear}
        (place / "master.cf").write_text(_SERVICES.format(**ports))
        return ["/usr/sbin/postfix", "-c", str(place), "start-fg"]

    async def __aexit__(self, *_: object) -> None:
        """Stop it in its own way: what was started is a script, which ends without its server."""
        stop = await asyncio.create_subprocess_exec(
            "/usr/sbin/postfix", "-c", str(self.directory), "stop", stderr=asyncio.subprocess.DEVNULL
        )
        await stop.wait()
        await super().__aexit__()

    @property
    def mails(self) -> list[EmailMessage]:
        """What it has taken, the oldest first."""
        files = sorted((self.directory / "mail" / "inbox" / "new").glob("*"), key=lambda path: path.stat().st_mtime_ns)
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in files]

    async def wait_for(self, count: int) -> list[EmailMessage]:
        """The mails, once there are this many."""

        async def look() -> list[EmailMessage] | None:
            found = self.mails
            return found if len(found) >= count else None

        # A delivery that failed is tried again after 5 s, 15 s and a minute.
        return await eventually(look, f"Postfix has {count} mails", seconds=150.0)
