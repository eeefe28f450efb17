"""Real servers of other protocols on loopback, each with its own configuration and directory."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from monitord.pki import pem_of
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.pinning.certificate import Certificate
    from monitord.pki import Issued

_POSTGRES_USER = "postgres"


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


class Program:
    """A server in the foreground, from ``async with``, once it listens on its ports, to the end of the block.

    ``directory`` is its own, and can be entered by whatever user it changes to.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = list(ports)
        self.directory = Path()

    def prepare(self) -> list[str]:
        """Write its files into the directory; the command that starts it."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Start it."""
        self.directory = Path(tempfile.mkdtemp(prefix="monitord-test-"))
        self.directory.chmod(0o755)
        command = self.prepare()
        with self._output.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, cwd=self.directory, stdout=log, stderr=asyncio.subprocess.STDOUT
            )
        try:
            await eventually(self._listening, f"{command[0]} listens on {self.ports}")
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()
        shutil.rmtree(self.directory)

    @property
    def _output(self) -> Path:
        return self.directory / "output"

    async def _listening(self) -> bool:
        assert self._process.returncode is None, self._output.read_text("utf-8", "replace")
        for port in self.ports:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)):
                    return False
        return True


_DOVECOT = """\
protocols = imap pop3 submission
base_dir = {directory}/run
state_dir = {directory}/state
log_path = /dev/stderr
listen = 127.0.0.1
hostname = mail.example.com
submission_relay_host = 127.0.0.1
ssl = required
ssl_cert = <{directory}/chain.pem
ssl_key = <{directory}/key.pem
{other}{users}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = home={directory}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service submission-login {{
  inet_listener submission {{
    port = {smtp}
  }}
}}
"""


class Dovecot(Program):
    """Dovecot with SMTP (submission), IMAP and POP3, each with STARTTLS; ``other`` is its second certificate."""

    def __init__(self, leaf: Issued, *extra: Certificate, other: Issued | None = None) -> None:
        super().__init__(free_ports(3))
        self.smtp, self.imap, self.pop3 = self.ports
        self._leaf, self._extra, self._other = leaf, extra, other

    def prepare(self) -> list[str]:
        """Write its configuration."""
        files = {"chain.pem": pem_of(self._leaf.certificate, *self._extra), "key.pem": self._leaf.key_pem}
        other = users = ""
        if self._other is not None:
            files |= {"other.pem": pem_of(self._other.certificate, *self._extra), "other.key": self._other.key_pem}
            other = f"ssl_alt_cert = <{self.directory}/other.pem\nssl_alt_key = <{self.directory}/other.key\n"
        for name, content in files.items():
            (self.directory / name).write_bytes(content)
        if os.geteuid() != 0:
            user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
            users = f"default_internal_user = {user}\ndefault_login_user = {user}\ndefault_internal_group = {group}\n"
        text = _DOVECOT.format(
            directory=self.directory, smtp=self.smtp, imap=self.imap, pop3=self.pop3, other=other, users=users
        )
        (self.directory / "dovecot.conf").write_text(text, "utf-8")
        return ["/usr/sbin/dovecot", "-F", "-c", str(self.directory / "dovecot.conf")]


class Postgres(Program):
    """PostgreSQL with ``ssl = on``, or off without a certificate."""

    def __init__(self, leaf: Issued | None = None, *extra: Certificate) -> None:
        super().__init__(free_ports(1))
        (self.port,) = self.ports
        self._leaf, self._extra = leaf, extra

    def prepare(self) -> list[str]:
        """Make a database; it refuses to be root's."""
        programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
        data = self.directory / "data"
        as_user = ["runuser", "-u", _POSTGRES_USER, "--"] if os.geteuid() == 0 else []
        if as_user:
            shutil.chown(self.directory, _POSTGRES_USER)
        command = [*as_user, str(programs / "initdb"), "--no-sync", "--auth=trust", "-D", str(data)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.directory}"]
        if self._leaf is not None:
            (data / "server.crt").write_bytes(pem_of(self._leaf.certificate, *self._extra))
            key = data / "server.key"
            key.write_bytes(self._leaf.key_pem)
            key.chmod(0o600)
            if as_user:
                shutil.chown(key, _POSTGRES_USER)
            settings.append("ssl=on")
        options = [part for setting in [*settings, "fsync=off"] for part in ("-c", setting)]
        return [*as_user, str(programs / "postgres"), "-D", str(data), *options]


class Tinyproxy(Program):
    """An HTTP proxy that connects to these ports only, for who has this login."""

    def __init__(self, username: str, password: str, *ports: int) -> None:
        super().__init__(free_ports(1))
        (self.port,) = self.ports
        self._login = f"{username} {password}"
        self._allowed = ports

    def prepare(self) -> list[str]:
        """Write its configuration."""
        lines = [f"Port {self.port}", "Listen 127.0.0.1", "Timeout 60", "MaxClients 50", f"BasicAuth {self._login}"]
        lines += [f"ConnectPort {port}" for port in self._allowed]
        (self.directory / "tinyproxy.conf").write_text("\n".join(lines) + "\n", "utf-8")
        return ["/usr/bin/tinyproxy", "-d", "-c", str(self.directory / "tinyproxy.conf")]
