"""A configuration that holds: checked values with every default filled in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from monitord.config.discovery import DiscoverySettings
from monitord.config.signals import SignalSettings
from monitord.config.truststores import TrustSources
from monitord.pinning.conditions import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from monitord.config.faults import Fault, Place
    from monitord.config.receivers import Receiver, WebhookSettings
    from monitord.pinning.incident import Severity
    from monitord.pinning.quiet import Window
    from monitord.pinning.target import Target
    from monitord.pinning.trust import TrustStore


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """How often an open incident is told again, and whether its end is told.

    ``repeat`` is for critical ones, of others a day at least; ``repeat_by`` is for each severity that has its own.
    Messages about one cause wait ``group_wait`` for each other, 0 for not at all; once a receiver knows the cause, more
    of them are gathered for ``group_interval``.
    """

    repeat: timedelta = timedelta(hours=4)
    resolved: bool = True
    group_wait: timedelta = timedelta(seconds=5)
    group_interval: timedelta = timedelta(minutes=5)
    repeat_by: Mapping[Severity, timedelta] = field(default_factory=dict)

    @property
    def waits(self) -> tuple[timedelta, timedelta]:
        """How long messages of one cause wait for each other, and for more."""
        return self.group_wait, self.group_interval


class ProbeScope(StrEnum):
    """What ``/probe`` may be pointed at."""

    ANY = "any"
    REGISTERED = "registered"


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where the HTTP server listens; host "" is every interface, port 0 any free one.

    ``config_file`` has its TLS and logins (see ``webfile``). ``reload`` is whether it may be told to reload.
    """

    host: str = "127.0.0.1"
    port: int = 9843
    config_file: Path | None = None
    probe: ProbeScope = ProbeScope.ANY
    reload: bool = False


@dataclass(frozen=True, slots=True)
class HeartbeatSettings:
    """A dead man's switch: ``call`` is where it is told, each ``every``, that monitord is alive."""

    call: WebhookSettings
    every: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """How many addresses of an endpoint are probed, and how many connections there are at the same time.

    ``concurrency`` is that of all, ``per_address`` and ``per_network`` of those to one address and into one network.
    ``hurried_interval`` is the time between two rounds of an endpoint where a failure may come at any moment;
    ``hurried_limit`` is how many endpoints are probed that often at a time.
    """

    max_addresses: int = 16
    concurrency: int = 200
    hurried_interval: timedelta = timedelta(minutes=1)
    hurried_limit: int = 100
    per_address: int = 20
    per_network: int = 100


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that the user decides.

    ``path`` is the main file, None for the defaults. ``trust_stores`` holds the default store and those that a pin
    set or target names, as they were when the configuration was read; ``trust_sources`` says where they come from.
    ``store`` is a database URL, and not shown. ``windows`` are the times for maintenance. ``sources`` says where each
    (host, port) is registered, ``discovered`` from which list those come that are not. ``warnings`` are about what is
    allowed and dubious.
    """

    path: Path | None
    targets: tuple[Target, ...]
    trust_stores: Mapping[str, TrustStore]
    default_trust: str
    interval: timedelta
    timeout: timedelta
    release_time: timedelta
    horizon: timedelta
    confirm: int
    failures: int
    receivers: tuple[Receiver, ...]
    store: str = field(repr=False)
    alerts: AlertSettings = AlertSettings()
    web: WebSettings = WebSettings()
    probing: ProbeSettings = ProbeSettings()
    signals: SignalSettings = field(default_factory=SignalSettings)
    include: tuple[str, ...] = ()
    discovery: DiscoverySettings = field(default_factory=DiscoverySettings)
    discovered: Mapping[tuple[str, int], str] = field(default_factory=dict)
    heartbeat: HeartbeatSettings | None = None
    trust_sources: TrustSources = field(default_factory=TrustSources)
    windows: tuple[Window, ...] = ()
    sources: Mapping[tuple[str, int], Place] = field(default_factory=dict)
    warnings: tuple[Fault, ...] = ()

    def with_discovered(self, found: Mapping[tuple[str, int], tuple[Target, str]]) -> Configuration:
        """The same with endpoints out of lists, each with the list's name; what is registered goes before them."""
        new = {endpoint: item for endpoint, item in found.items() if endpoint not in self.sources}
        registered = tuple(target for target in self.targets if (target.host, target.port) in self.sources)
        return replace(
            self,
            targets=(*registered, *(target for target, _ in new.values())),
            discovered={endpoint: name for endpoint, (_, name) in new.items()},
        )

    @property
    def policy(self) -> Policy:
        """How sure and how near something must be before people hear of it."""
        return Policy(
            confirm=self.confirm,
            failures=self.failures,
            release_time=self.release_time,
            horizon=self.horizon,
            repeat=self.alerts.repeat,
            resolved=self.alerts.resolved,
            repeat_by=self.alerts.repeat_by,
        )
