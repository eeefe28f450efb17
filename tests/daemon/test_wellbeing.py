"""What monitord finds wrong with itself, and the beat by which others know that it lives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitord.daemon.wellbeing import LATE_SECONDS, RECEIVER_SECONDS, STORE_SECONDS, Wellbeing
from monitord.errors import MonitordError
from monitord.notify.fault import DeliveryFault
from monitord.signals.source import SourceName
from monitord.signals.watch import Failing
from monitord.web.server import Health
from tests.support.sinks import WebhookSink
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.deployment import Deployment

NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Body:
    """Parts of monitord in the test's hands."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.health = Health(ok=True, sentence="the last tick was 0.1 s ago")
        self.failing: list[Failing] = []
        self.overdue = 0.0
        self.shortest_interval = 900.0
        self.wellbeing = Wellbeing(
            lambda _: None,
            healthy=lambda: self.health,
            failing=lambda: self.failing,
            overdue=lambda: self.overdue,
            shortest_interval=lambda: self.shortest_interval,
            pulse=self,
            now=lambda: NOW,
            clock=lambda: self.seconds,
            log=self,
        )

    def heartbeat(self, at: datetime, *, success: bool) -> None:
        """Nothing beats here."""

    def info(self, event: str, **details: Any) -> None:
        """Nothing is logged here."""

    warning = info

    def said(self) -> dict[str, bool | None]:
        """Each cause and whether it holds; sources of signals only where they fail."""
        found = {trouble.key.pinset: trouble.holds for trouble in self.wellbeing.troubles()}
        return {cause: holds for cause, holds in found.items() if holds or not cause.startswith("signals:")}

    def detail(self, cause: str) -> str:
        """What is said of a cause."""
        return next(trouble.detail for trouble in self.wellbeing.troubles() if trouble.key.pinset == cause)


@pytest.fixture
def body() -> Body:
    """All is well, and nothing was written or sent yet."""
    return Body()


def test_what_was_never_tried_is_not_known(body: Body) -> None:
    """An incident that is open from before a restart does not end because nothing is known yet."""
    assert body.said() == {"store": None, "tick": False, "lag": False}


def test_a_store_that_goes_on_to_refuse_is_a_trouble(body: Body) -> None:
    """Not at the first refusal, for a lock may be held for a moment; over as soon as it takes something."""
    body.wellbeing.recorded(MonitordError("the disk reports that it is full"))
    assert body.said()["store"] is None
    body.seconds += STORE_SECONDS
    body.wellbeing.recorded(MonitordError("the disk reports that it is full"))
    assert body.said()["store"] is True
    assert body.detail("store") == "the disk reports that it is full"
    body.wellbeing.recorded(None)
    assert body.said()["store"] is False


def test_a_scheduler_that_stands_still_is_a_trouble_at_the_second_look(body: Body) -> None:
    """The first look after the host has slept finds a late tick, which is none."""
    body.health = Health(ok=False, sentence="the last tick was 61.0 s ago")
    assert body.said()["tick"] is None
    assert body.said()["tick"] is True
    assert body.detail("tick") == "the last tick was 61.0 s ago"
    body.health = Health(ok=True, sentence="the last tick was 0.1 s ago")
    assert body.said()["tick"] is False


def test_endpoints_that_wait_for_their_turn_are_a_trouble(body: Body) -> None:
    """Not at the first look, for a host that was asleep has much to make up for; over when little waits, not before."""
    body.overdue = LATE_SECONDS
    assert body.said()["lag"] is None
    assert body.said()["lag"] is True
    assert body.detail("lag") == "endpoints wait 60 s for their turn"
    body.overdue = LATE_SECONDS - 1
    assert body.said()["lag"] is None
    body.overdue = LATE_SECONDS / 2 - 1
    assert body.said()["lag"] is False


def test_to_wait_for_a_whole_interval_is_a_trouble_too(body: Body) -> None:
    """Where endpoints are probed more often than each minute, for one of them has missed a round by then."""
    body.shortest_interval = 10.0
    body.overdue = 9.9
    assert [body.said()["lag"] for _ in range(2)] == [None, None]
    body.overdue = 10.0
    assert [body.said()["lag"] for _ in range(2)] == [None, True]
    body.overdue = 4.9
    assert body.said()["lag"] is False


def test_a_receiver_that_takes_nothing_for_long_is_a_trouble(body: Body) -> None:
    """Counted from its first failure; one message that it takes ends it, also if some recipients are refused."""
    body.wellbeing.delivered("ops", None)
    body.wellbeing.delivered("pager", DeliveryFault.TIMEOUT)
    assert (body.said()["receiver:ops"], body.said()["receiver:pager"]) == (False, None)
    body.seconds += RECEIVER_SECONDS
    body.wellbeing.delivered("pager", DeliveryFault.REFUSED)
    assert body.said()["receiver:pager"] is True
    assert body.detail("receiver:pager") == "each attempt of the last 10 minutes failed: refused"
    body.wellbeing.delivered("pager", DeliveryFault.RECIPIENT_REFUSED)
    assert body.said()["receiver:pager"] is False


def test_a_source_of_signals_that_has_been_failing_for_a_day_is_a_trouble(body: Body) -> None:
    """Until it is asked with success, or no longer asked."""
    body.failing = [Failing(SourceName.CRL, NOW - timedelta(days=2), ("crl.example.com did not answer.",))]
    assert body.said()["signals:crl"] is True
    assert body.detail("signals:crl") == "crl.example.com did not answer"
    body.failing = []
    assert "signals:crl" not in body.said()


async def test_a_running_daemon_beats(deployment: Deployment) -> None:
    """As the configuration says, and shows when it did."""
    async with WebhookSink() as switch:
        deployment.configure(heartbeat={"url": f"{switch.url}/token", "every": "10s"})
        async with deployment.daemon() as daemon:
            (call, *_) = await switch.wait_for(1)
            assert (call.method, call.path) == ("GET", "/hook/token")

            async def shown() -> bool:
                beaten = (await daemon.scrape()).value("heartbeat_last_success_timestamp_seconds")
                return beaten is not None

            await eventually(shown, "the beat is shown")
            assert await daemon.stop() == 0
        assert all("token" not in text for text in daemon.lines)
