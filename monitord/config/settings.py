"""A configuration that holds: checked values with every default filled in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from monitord.config.faults import Fault, Place
    from monitord.config.receivers import Receiver
    from monitord.pinning.target import Target
    from monitord.pinning.trust import TrustStore


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """How often an open incident is told again, and whether its end is told."""

    repeat: timedelta = timedelta(hours=4)
    resolved: bool = True


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where the HTTP server listens; host "" is every interface, port 0 any free one."""

    host: str = "127.0.0.1"
    port: int = 9843


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """How many addresses of an endpoint are probed, and how many probes run at the same time."""

    max_addresses: int = 16
    concurrency: int = 200


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that the user decides.

    ``path`` is the main file, None for the defaults. ``trust_stores`` holds the default store and those that a pin
    set or target names. ``store`` is a database URL, and not shown. ``sources`` says where each (host, port) is
    registered. ``warnings`` are about what is allowed and dubious.
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
    sources: Mapping[tuple[str, int], Place] = field(default_factory=dict)
    warnings: tuple[Fault, ...] = ()
