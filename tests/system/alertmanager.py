"""A real Alertmanager on loopback that passes on to a webhook what it is told."""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from urllib.parse import urlencode

from tests.system.servers import Program, free_ports

_CONFIGURATION = """\
global: {resolve_timeout: 1s}
route: {receiver: sink, group_by: [alertname, host, severity], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers:
  - name: sink
    webhook_configs: [{url: "%s", send_resolved: true}]
"""


class Alertmanager(Program):
    """Debian's Alertmanager. It takes for resolved after a second what comes without an end."""

    def __init__(self, sink: str) -> None:
        """One that tells the webhook at this URL."""
        super().__init__(free_ports(1))
        self._sink = sink

    @property
    def url(self) -> str:
        """Its own."""
        return f"http://127.0.0.1:{self.ports[0]}"

    def prepare(self) -> list[str]:
        """Its configuration and its command."""
        path = self.directory / "alertmanager.yml"
        path.write_text(_CONFIGURATION % self._sink, "utf-8")
        return [
            "/usr/bin/prometheus-alertmanager",
            f"--config.file={path}",
            f"--storage.path={self.directory}",
            f"--web.listen-address=127.0.0.1:{self.ports[0]}",
            "--cluster.listen-address=",
        ]

    def alerts(self, **matching: str) -> list[dict[str, Any]]:
        """The active alerts with these labels, as its API has them."""
        query = urlencode([("filter", f'{name}="{value}"') for name, value in matching.items()])
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?{query}", timeout=10) as answer:  # noqa: S310 - loopback
            found: list[dict[str, Any]] = json.loads(answer.read())
        return found
