from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitord.config.receivers import EmailSettings, Receiver, SmtpSettings, WebhookFormat, WebhookSettings
from monitord.config.secret import Secret
from monitord.errors import MonitordError
from monitord.notify.resend import AFTERGLOW, Resender
from monitord.notify.senders import build_channels
from monitord.outbox import DeliveryState, Message, Standing
from monitord.pinning.incident import Incident, IncidentKey, IncidentKind, IncidentState, Severity
from tests.notify.events import MISMATCH, NOW
from tests.notify.outbox import Diary
from tests.support.sinks import WebhookSink

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

FACTS = {**MISMATCH["data"], "timestamp": "2026-03-02T00:00:00Z"}
KEY = IncidentKey("api.example.com", 443, "android-5", IncidentKind.PIN_MISMATCH)


def incident(identifier: str, **more: Any) -> Incident:
    """An open incident."""
    facts = {name: value for name, value in FACTS.items() if name not in ("incident", "kind", "state", "severity")}
    usual: dict[str, Any] = {
        "id": identifier,
        "key": replace(KEY, host=f"{identifier}.example.com"),
        "state": IncidentState.FIRING,
        "severity": Severity.CRITICAL,
        "since": NOW,
        "last_notified_at": NOW,
        "facts": facts,
    }
    return Incident(**{**usual, **more})


def told(identifier: str, receiver: str = "am", state: DeliveryState = DeliveryState.DELIVERED) -> Standing:
    """A firing message about an incident in the outbox."""
    return Standing(f"{identifier} to {receiver}", receiver, identifier, 1, state, firing=True)


class Broken(MonitordError):  # noqa: N818 - reads as what the store is
    """The store does not work."""


@dataclass
class Memory:
    """What a store remembers."""

    messages: list[Standing] = field(default_factory=list)
    ended: list[Incident] = field(default_factory=list)
    broken: bool = False

    async def lines(self, incidents: Collection[str]) -> Sequence[Standing]:
        """As the port says."""
        if self.broken:
            raise Broken
        return [one for one in self.messages if one.incident in incidents]

    async def load_ended(self, since: datetime) -> Sequence[Incident]:
        """As the port says."""
        if self.broken:
            raise Broken
        return [one for one in self.ended if one.resolved_at and one.resolved_at >= since]


class Stage:
    """A resender, what it works on, and the Alertmanager that it renews."""

    def __init__(self, sink: WebhookSink, **receiver: Any) -> None:
        self.sink = sink
        self.store = Memory()
        self.firing: list[Incident] = []
        self.unwritten: list[Message] = []
        self.diary = Diary()
        self.now = NOW
        self.resender = self.start()
        self.receiver = Receiver(
            "am", webhook=WebhookSettings(Secret(sink.url), WebhookFormat.ALERTMANAGER), **receiver
        )
        self.follow(self.receiver)

    def start(self) -> Resender:
        """A resender that remembers nothing, as after a start."""
        return Resender(self.store, lambda: self.firing, lambda: self.unwritten, now=lambda: self.now, log=self.diary)

    def follow(self, *receivers: Receiver) -> None:
        """Renew these."""
        self.resender.follow(receivers, build_channels(receivers))

    async def renewed(self) -> dict[str, bool]:
        """Which incidents were renewed by one more round, and whether as firing."""
        before = len(self.sink.calls)
        await self.resender.resend()
        alerts = [alert for call in self.sink.calls[before:] for alert in json.loads(call.body)]
        end = f"{self.now:%Y-%m-%dT%H:%M:%SZ}"
        return {alert["annotations"]["incident"]: alert["endsAt"] > end for alert in alerts}


async def test_what_was_told_is_told_again_while_it_fires() -> None:
    """Each time with a later end."""
    async with WebhookSink() as sink:
        stage = Stage(sink)
        stage.firing, stage.store.messages = [incident("a")], [told("a")]
        assert await stage.renewed() == {"a": True}
        stage.now += timedelta(minutes=1)
        assert await stage.renewed() == {"a": True}
    first, second = (json.loads(call.body)[0] for call in sink.calls)
    assert first["labels"] == second["labels"]
    assert first["endsAt"] < second["endsAt"]


@pytest.mark.parametrize(
    ("state", "renewed"),
    [
        (DeliveryState.PENDING, True),
        (DeliveryState.DELIVERED, True),
        (DeliveryState.DEAD, True),
        (DeliveryState.SKIPPED, False),
    ],
)
async def test_only_what_a_receiver_was_to_be_told_is_renewed(state: DeliveryState, *, renewed: bool) -> None:
    """Also what it did not take for days; not what somebody dropped, nor what others alone were told."""
    async with WebhookSink() as sink:
        stage = Stage(sink)
        stage.firing = [incident("a"), incident("silenced"), incident("others")]
        stage.store.messages = [told("a", state=state), told("others", "mail")]
        assert await stage.renewed() == ({"a": True} if renewed else {})


async def test_what_has_ended_is_told_for_a_while_also_after_a_restart() -> None:
    """In case that Alertmanager, or monitord, was started anew in the meantime."""
    async with WebhookSink() as sink:
        stage = Stage(sink)
        over = incident("a", state=IncidentState.RESOLVED, resolved_at=NOW)
        stage.store.ended, stage.store.messages = [over], [told("a")]
        stage.now += AFTERGLOW
        assert await stage.renewed() == {"a": False}
        stage.resender = stage.start()
        stage.follow(stage.receiver)
        assert await stage.renewed() == {"a": False}
        stage.now += timedelta(seconds=1)
        assert await stage.renewed() == {}


async def test_a_store_that_does_not_work_lets_no_alert_end() -> None:
    """What fires is known from memory, who was told from the last look, and what is unwritten from the backlog."""
    async with WebhookSink() as sink:
        stage = Stage(sink)
        stage.firing, stage.store.messages = [incident("a")], [told("a")]
        assert await stage.renewed() == {"a": True}
        stage.store.broken = True
        stage.firing.append(incident("b"))
        stage.unwritten = [Message("b", 1, "am", MISMATCH, NOW)]
        assert await stage.renewed() == {"a": True, "b": True}


async def test_what_became_too_severe_for_a_receiver_ends_there() -> None:
    """It is for another receiver now."""
    async with WebhookSink() as sink:
        stage = Stage(sink, severities=frozenset({Severity.WARNING}))
        stage.store.messages = [told("a")]
        stage.firing = [incident("a", severity=Severity.WARNING)]
        assert await stage.renewed() == {"a": True}
        stage.firing = [incident("a")]
        assert await stage.renewed() == {}


async def test_others_are_left_alone() -> None:
    """Mail and plain webhooks are told by the relay alone."""
    async with WebhookSink() as sink:
        stage = Stage(sink)
        mail = EmailSettings(("ops@example.com",), "m@example.com", SmtpSettings("mail.invalid", 25))
        stage.follow(
            Receiver("am", webhook=WebhookSettings(Secret(sink.url))),
            Receiver("mail", email=mail),
        )
        stage.firing, stage.store.messages = [incident("a")], [told("a")]
        assert await stage.renewed() == {}


async def test_a_receiver_that_fails_is_named_once_and_holds_up_no_other() -> None:
    """And once more when it takes alerts again."""
    async with WebhookSink() as sink:
        stage = Stage(sink)
        dead = Receiver("dead", webhook=WebhookSettings(Secret("http://127.0.0.1:1/"), WebhookFormat.ALERTMANAGER))
        stage.follow(dead, stage.receiver)
        stage.firing, stage.store.messages = [incident("a")], [told("a"), told("a", "dead")]
        assert await stage.renewed() == await stage.renewed() == {"a": True}
        assert [(event, told["receiver"]) for _, event, told in stage.diary.entries] == [("alerts_not_renewed", "dead")]
        stage.follow(replace(dead, webhook=stage.receiver.webhook))
        await stage.renewed()
        assert [event for _, event, _ in stage.diary.entries] == ["alerts_not_renewed", "alerts_renewed_again"]
