"""The state behind ``/metrics`` and its rendering; the only place that knows Prometheus's client library.

State is kept as values and turned into series at each scrape, so an endpoint that was removed leaves none behind.
"""

from __future__ import annotations

import platform
import threading
from bisect import bisect_left
from collections import Counter
from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder

from monitord.metrics.endpoint import Watched, endpoint_labels, label_value, series, summarize
from monitord.metrics.families import COUNTERS, GAUGES, LAG, LAG_BUCKETS, PREFIX
from monitord.pinning.incident import IncidentKind, Severity
from monitord.pinning.observation import FailureReason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from prometheus_client.core import Metric

    from monitord.metrics.endpoint import Series
    from monitord.pinning.incident import Incident
    from monitord.pinning.outcome import Outcome
    from monitord.pinning.target import Target


class Metrics:
    """Takes in what happens, on the event loop, and renders it, in any thread."""

    def __init__(self, version: str, delivery_faults: Sequence[str] = ()) -> None:
        """Nothing has happened yet. ``delivery_faults`` is the closed list of reasons why a delivery may fail."""
        # Held only to replace and to copy values: a rendering does not keep the event loop waiting.
        self._lock = threading.Lock()
        self._delivery_faults = tuple(delivery_faults)
        self._watched: dict[tuple[str, int], Watched] = {}
        self._probe_failures: Counter[str] = Counter()
        self._incidents: Counter[tuple[str, str]] = Counter()
        self._notifications: dict[str, int] = {}
        self._notifications_failed: dict[tuple[str, str], int] = {}
        self._lags = [0] * (len(LAG_BUCKETS) + 1)
        self._lag_sum = 0.0
        self._probes_in_flight = 0
        self._known: dict[str, float] = {}
        self._build = (version, platform.python_version())
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def set_targets(self, targets: Iterable[Target]) -> None:
        """Show exactly these endpoints. What was said about pins is dropped where they or their trust changed."""
        with self._lock:
            before = self._watched
            self._watched = {
                key: before[key].retargeted(target) if key in before else Watched(target)
                for key, target in {(target.host, target.port): target for target in targets}.items()
            }

    def forget(self, host: str, port: int) -> None:
        """Show this endpoint no more."""
        with self._lock:
            self._watched.pop((host, port), None)

    def set_receivers(self, names: Iterable[str]) -> None:
        """Count for exactly these receivers; those that stay keep their counts."""
        with self._lock:
            before, failed_before = self._notifications, self._notifications_failed
            self._notifications = {name: before.get(name, 0) for name in names}
            self._notifications_failed = {
                (name, fault): failed_before.get((name, fault), 0)
                for name in self._notifications
                for fault in self._delivery_faults
            }

    def record(self, outcome: Outcome) -> None:
        """Take in a round. Of an endpoint that is registered no more, only the failures are counted."""
        reasons = {observation.failure.reason for observation in outcome.observations if observation.failure}
        latest = summarize(outcome)
        key = (outcome.target.host, outcome.target.port)
        with self._lock:
            self._probe_failures.update(reasons)
            watched = self._watched.get(key)
            if watched is not None:
                probed = Watched(outcome.target, watched.rounds + 1, latest)
                self._watched[key] = probed.retargeted(watched.target)

    def incidents(self, open_incidents: Iterable[Incident]) -> None:
        """Show exactly these open incidents."""
        counts = Counter((incident.key.kind.value, incident.severity.value) for incident in open_incidents)
        with self._lock:
            self._incidents = counts

    def notification(self, receiver: str, fault: str | None) -> None:
        """Count an attempt to deliver a message; ``fault`` is its reason from the closed list if it failed."""
        with self._lock:
            if receiver not in self._notifications:
                return  # taken out of the configuration while the message was under way
            self._notifications[receiver] += 1
            if fault is not None:
                count = self._notifications_failed.get((receiver, fault), 0)
                self._notifications_failed[receiver, fault] = count + 1

    @contextmanager
    def probing(self) -> Iterator[None]:
        """Count a round as in flight while the block runs."""
        with self._lock:
            self._probes_in_flight += 1
        try:
            yield
        finally:
            with self._lock:
                self._probes_in_flight -= 1

    def lag(self, seconds: float) -> None:
        """Take in how long after its due time a round began."""
        seconds = max(0.0, seconds)
        with self._lock:
            self._lags[bisect_left(LAG_BUCKETS, seconds)] += 1
            self._lag_sum += seconds

    def tick(self, now: datetime) -> None:
        """Note when the scheduler last looked for due endpoints."""
        self._learn(scheduler_last_tick_timestamp_seconds=now.timestamp())

    def config_reload(self, *, ok: bool, now: datetime) -> None:
        """Note that the configuration was read, at the start or later, and whether it was accepted."""
        self._learn(config_last_reload_successful=ok)
        if ok:
            self._learn(config_last_reload_success_timestamp_seconds=now.timestamp())

    def store_writable(self, *, writable: bool) -> None:
        """Note whether the last write to the store succeeded."""
        self._learn(store_writable=writable)

    def outbox(self, pending: int, oldest: datetime | None) -> None:
        """Note how many messages wait for delivery and when the oldest of them was written."""
        self._learn(outbox_pending=pending, outbox_oldest_timestamp_seconds=oldest.timestamp() if oldest else None)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The series as they are now, and their content type: OpenMetrics if ``accept`` asks for it, else text."""
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version in the header that cannot be compared
            encode, content_type = choose_encoder("")
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """Every family of ours with its series, for the registry."""
        with self._lock:
            # Frozen values: what is copied here does not change under the rendering.
            watched = tuple(self._watched.values())
            plain = tuple(self._plain_series())
            lags, lag_sum = tuple(self._lags), self._lag_sum
        families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {
            **{
                family.name: GaugeMetricFamily(PREFIX + family.name, family.help, labels=family.labels)
                for family in GAUGES
            },
            **{
                family.name: CounterMetricFamily(PREFIX + family.name, family.help, labels=family.labels)
                for family in COUNTERS
            },
        }
        for name, labels, value in plain:
            families[name].add_metric(labels, value)
        for endpoint in watched:
            families["endpoint_info"].add_sample(PREFIX + "endpoint_info", endpoint_labels(endpoint.target), 1.0)
            for name, labels, value in series(endpoint):
                families[name].add_metric(labels, value)
        yield from families.values()
        counts = zip((*map(str, LAG_BUCKETS), "+Inf"), accumulate(lags), strict=True)
        yield HistogramMetricFamily(PREFIX + LAG.name, LAG.help, buckets=list(counts), sum_value=lag_sum)

    def _learn(self, **values: float | None) -> None:
        with self._lock:
            known = {**self._known, **values}
            self._known = {name: value for name, value in known.items() if value is not None}

    def _plain_series(self) -> Iterator[Series]:
        """The series that belong to no endpoint."""
        yield "build_info", self._build, 1
        yield "probes_in_flight", (), self._probes_in_flight
        for name, value in self._known.items():
            yield name, (), value
        for reason in FailureReason:
            yield "probe_failures", (reason.value,), self._probe_failures[reason]
        for kind in IncidentKind:
            for severity in Severity:
                yield "incidents", (kind.value, severity.value), self._incidents[kind.value, severity.value]
        for receiver, count in self._notifications.items():
            yield "notifications", (label_value(receiver),), count
        for (receiver, fault), count in self._notifications_failed.items():
            yield "notifications_failed", (label_value(receiver), fault), count
