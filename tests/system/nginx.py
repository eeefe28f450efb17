"""A real nginx on loopback, with its own configuration and directory."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from monitord.pki import pem_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from monitord.pinning.certificate import Certificate
    from monitord.pki import Issued

_NGINX = "/usr/sbin/nginx"
_MAIN = """\
daemon off;
{user}pid {directory}/nginx.pid;
error_log {directory}/error.log notice;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    ssl_protocols TLSv1.2 TLSv1.3;
{servers}
}}
"""
_SERVER = """\
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {host};
        {settings}
    }}
"""


@dataclass(frozen=True)
class Site:
    """A ``server`` block: its name, what it presents, its further settings, and which of the ports it listens on.

    ``other`` is a leaf with another type of key, presented with the same ``extra``.
    """

    host: str
    leaf: Issued
    extra: Sequence[Certificate] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    listener: int = 0
    other: Issued | None = None


class Nginx:
    """nginx with these sites. ``ports`` are its listeners' ports, free ones."""

    def __init__(self, directory: Path, *sites: Site) -> None:
        self._directory = directory
        self._sites = {site.host: site for site in sites}
        self._sockets: list[socket.socket] = []
        self.ports: list[int] = []

    def __enter__(self) -> Self:
        """Start it. Connections are taken from now on."""
        self._directory.mkdir()
        for _ in range(1 + max(site.listener for site in self._sites.values())):
            self._sockets.append(socket.create_server(("127.0.0.1", 0)))
        self.ports = [listener.getsockname()[1] for listener in self._sockets]
        self._write()
        descriptors = [listener.fileno() for listener in self._sockets]
        # Handed over as at an upgrade of its program, so that no port can be lost to others.
        inherited = "".join(f"{descriptor};" for descriptor in descriptors)
        self._process = subprocess.Popen(
            self._command(), env={**os.environ, "NGINX": inherited}, pass_fds=descriptors, stderr=subprocess.DEVNULL
        )
        for listener in self._sockets:
            listener.close()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait()

    def port(self, host: str) -> int:
        """Where this site is."""
        return self.ports[self._sites[host].listener]

    def replace(self, site: Site) -> None:
        """Install another certificate for a site and reload, as an operator does."""
        self._sites[site.host] = site
        self._write()
        done = subprocess.run([*self._command(), "-s", "reload"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def _command(self) -> list[str]:
        return [_NGINX, "-p", str(self._directory), "-c", str(self._directory / "nginx.conf")]

    def _write(self) -> None:
        servers = []
        for site in self._sites.values():
            settings = list(site.settings.items())
            for leaf in filter(None, (site.leaf, site.other)):
                name = f"{site.host}.{leaf.certificate.key_type}"
                chain, key = self._directory / f"{name}.pem", self._directory / f"{name}.key"
                chain.write_bytes(pem_of(leaf.certificate, *site.extra))
                key.write_bytes(leaf.key_pem)
                settings += [("ssl_certificate", str(chain)), ("ssl_certificate_key", str(key))]
            lines = "\n        ".join(f"{name} {value};" for name, value in settings)
            servers.append(_SERVER.format(port=self.port(site.host), host=site.host, settings=lines))
        user = "user root root;\n" if os.geteuid() == 0 else ""
        text = _MAIN.format(user=user, directory=self._directory, servers="".join(servers))
        (self._directory / "nginx.conf").write_text(text, "utf-8")
