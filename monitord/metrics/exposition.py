"""The state behind ``/metrics`` and its rendering; the only place that knows Prometheus's client library.

What is said of an endpoint is written into lines when it is learned, and a scrape joins them: a scrape of ten thousand
endpoints costs no more than copying its bytes. An endpoint that was removed leaves none behind.
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

from monitord.metrics.columns import Columns
from monitord.metrics.endpoint import Watched, label_value, summarize
from monitord.metrics.families import COUNTERS, GAUGES, LAG, LAG_BUCKETS, PREFIX
from monitord.metrics.negotiation import negotiate
from monitord.metrics.signals import ListState, SourceState
from monitord.metrics.text import head, sample
from monitord.pinning.incident import IncidentKind, Severity
from monitord.pinning.observation import FailureReason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

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
        self._columns = Columns()
        self._probe_failures: Counter[str] = Counter()
        self._incidents: Counter[tuple[str, str]] = Counter()
        self._notifications: dict[str, int] = {}
        self._notifications_failed: dict[tuple[str, str], int] = {}
        self._signals: dict[str, SourceState] = {}
        self._facts: dict[str, int] = {}
        self._lists: dict[str, ListState] = {}
        self._lags = [0] * (len(LAG_BUCKETS) + 1)
        self._lag_sum = 0.0
        self._probes_in_flight = 0
        self._known: dict[str, float] = {}
        self._build = (version, platform.python_version())
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)

    def set_targets(self, targets: Iterable[Target]) -> None:
        """Show exactly these endpoints. What was said about pins is dropped where they or their trust changed."""
        registered = {target.key: target for target in targets}
        with self._lock:
            for endpoint in self._watched.keys() - registered.keys():
                self._forget(endpoint)
            for endpoint, target in registered.items():
                before = self._watched.get(endpoint)
                if before is None or before.target != target:
                    self._watch(before.retargeted(target) if before else Watched(target))

    def forget(self, host: str, port: int) -> None:
        """Show this endpoint no more."""
        with self._lock:
            self._forget((host, port))

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

    def set_sources(self, names: Iterable[str]) -> None:
        """Show exactly these sources of signals; those that stay keep their counts."""
        with self._lock:
            before = self._signals
            self._signals = {name: before.get(name, SourceState()) for name in names}

    def polled(self, source: str, at: datetime, *, success: bool | None) -> None:
        """A source of signals was asked. ``success`` None: nothing was due, and it had been failing."""
        with self._lock:
            if source in self._signals:
                self._signals[source] = self._signals[source].after(at.timestamp(), success=success)

    def facts(self, counts: Mapping[str, int]) -> None:
        """Show that so many facts are known, by source."""
        with self._lock:
            self._facts = dict(counts)

    def set_lists(self, targets: Mapping[str, int]) -> None:
        """Show exactly these lists of endpoints, each with how many it has; those that stay keep their counts."""
        with self._lock:
            before = self._lists
            self._lists = {name: before.get(name, ListState()).holding(number) for name, number in targets.items()}

    def list_read(self, source: str, at: datetime, *, success: bool) -> None:
        """A list of endpoints was read, or could not be used."""
        with self._lock:
            if source in self._lists:
                self._lists[source] = self._lists[source].after(at.timestamp(), success=success)

    def record(self, outcome: Outcome) -> None:
        """Take in a round. Of an endpoint that is registered no more, only the failures are counted."""
        key = outcome.target.key
        before = self._watched.get(key)
        again = before.again(outcome) if before is not None else None
        if again is not None:
            with self._lock:
                self._watched[key] = again
                self._columns.touch(again)
            return
        reasons = {observation.failure.reason for observation in outcome.observations if observation.failure}
        latest = summarize(outcome)
        with self._lock:
            self._probe_failures.update(reasons)
            watched = self._watched.get(key)
            if watched is not None:
                probed = Watched(outcome.target, watched.rounds + 1, latest, outcome.verdicts)
                self._watch(probed.retargeted(watched.target))

    def incidents(self, open_incidents: Iterable[Incident]) -> None:
        """Show exactly these open incidents."""
        found = list(open_incidents)
        counts = Counter((incident.key.kind.value, incident.severity.value) for incident in found)
        with self._lock:
            self._incidents = counts
        self._learn(
            incidents_acknowledged=sum(incident.handling.acknowledged is not None for incident in found),
            incidents_silenced=sum(incident.handling.silenced_by is not None for incident in found),
        )

    def silences(self, number: int) -> None:
        """Note how many silences are in force."""
        self._learn(silences=number)

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

    def tick(self, now: datetime, *, overdue: float, skipped: int) -> None:
        """Note when the scheduler last looked for due endpoints, what waits, and what was left out until then."""
        self._learn(
            scheduler_last_tick_timestamp_seconds=now.timestamp(),
            probe_overdue_seconds=overdue,
            probes_skipped=skipped,
        )

    def policy(self, release_time: timedelta, horizon: timedelta) -> None:
        """Show what alerts of predictions go by."""
        self._learn(release_time_seconds=release_time.total_seconds(), horizon_seconds=horizon.total_seconds())

    def config_reload(self, *, ok: bool, now: datetime) -> None:
        """Note that the configuration was read, at the start or later, and whether it was accepted."""
        self._learn(config_last_reload_successful=ok)
        if ok:
            self._learn(config_last_reload_success_timestamp_seconds=now.timestamp())

    def store_writable(self, *, writable: bool) -> None:
        """Note whether the last write to the store succeeded."""
        self._learn(store_writable=writable)

    def heartbeat(self, at: datetime, *, success: bool) -> None:
        """A beat of the dead man's switch was tried."""
        if success:
            self._learn(heartbeat_last_success_timestamp_seconds=at.timestamp())
        else:
            self._learn(heartbeat_failures=self._known.get("heartbeat_failures", 0.0) + 1)

    def tasks(self, number: int) -> None:
        """Note how many tasks the event loop has."""
        self._learn(tasks=number)

    def outbox(self, pending: int, oldest: datetime | None) -> None:
        """Note how many messages wait for delivery and when the oldest of them was written."""
        self._learn(outbox_pending=pending, outbox_oldest_timestamp_seconds=oldest.timestamp() if oldest else None)

    def render(self, accept: str = "") -> tuple[list[bytes], str]:
        """The series as they are now, in pieces, and their content type: OpenMetrics if ``accept`` asks for it."""
        encode, content_type, openmetrics = negotiate(accept)
        with self._lock:
            lines = self._columns.copy()
            plain = tuple(self._plain_series())
            lags, lag_sum = tuple(self._lags), self._lag_sum
        pieces = []
        for kind, families in (("gauge", GAUGES), ("counter", COUNTERS)):
            for family in families:
                pieces.append(head(PREFIX + family.name, kind, family.help, openmetrics=openmetrics).encode())
                pieces.append(lines.of(family.name))
                suffix = "_total" if kind == "counter" else ""
                pieces += [
                    sample(f"{PREFIX}{name}{suffix}", sorted(zip(family.labels, labels, strict=True)), value).encode()
                    for name, labels, value in plain
                    if name == family.name
                ]
        pieces.append(_histogram(lags, lag_sum, openmetrics=openmetrics).encode())
        pieces.append(encode(self._process))
        return [piece for piece in pieces if piece], content_type

    def _watch(self, watched: Watched) -> None:
        self._watched[watched.target.key] = watched
        self._columns.write(watched)

    def _forget(self, endpoint: tuple[str, int]) -> None:
        self._watched.pop(endpoint, None)
        self._columns.erase(endpoint)

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
        for source, state in self._signals.items():
            yield "signal_polls", (source,), state.polls
            yield "signal_poll_failures", (source,), state.failures
            yield "signal_facts", (source,), self._facts.get(source, 0)
            if state.last_success is not None:
                yield "signal_last_success_timestamp_seconds", (source,), state.last_success
        yield from _list_series(self._lists)


def _histogram(counts: Sequence[int], total: float, *, openmetrics: bool) -> str:
    """The lines of the lag; ``counts`` are those between the bounds."""
    name = PREFIX + LAG.name
    bounds = (*map(str, LAG_BUCKETS), "+Inf")
    lines = [
        sample(f"{name}_bucket", (("le", bound),), count)
        for bound, count in zip(bounds, accumulate(counts), strict=True)
    ]
    above = head(name, "histogram", LAG.help, openmetrics=openmetrics)
    return "".join([above, *lines, sample(f"{name}_count", (), sum(counts)), sample(f"{name}_sum", (), total)])


def _list_series(lists: Mapping[str, ListState]) -> Iterator[Series]:
    """The series of lists of endpoints."""
    for name, listed in lists.items():
        source = (label_value(name),)
        yield "discovery_targets", source, listed.targets
        yield "discovery_refreshes", source, listed.reads.polls
        yield "discovery_refresh_failures", source, listed.reads.failures
        if listed.reads.last_success is not None:
            yield "discovery_last_success_timestamp_seconds", source, listed.reads.last_success
