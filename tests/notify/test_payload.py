from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitord.notify.payload import SIZE_LIMIT, write_payload
from monitord.outbox import grouped_body
from tests.notify import events
from tests.notify.events import certificate, event, observation, pin


def test_a_usual_event_is_sent_whole() -> None:
    """What the rules wrote is what the receiver reads."""
    assert json.loads(write_payload(events.MISMATCH)) == events.MISMATCH


def test_the_order_of_the_keys_does_not_change_the_bytes() -> None:
    """An event that went through a database in between has the same signature."""
    shuffled = {name: events.MISMATCH[name] for name in ("data", "timestamp", "type")}
    shuffled["data"] = dict(reversed(shuffled["data"].items()))
    assert write_payload(shuffled) == write_payload(events.MISMATCH)


def test_a_huge_chain_is_cut_from_its_end_and_the_cut_is_told() -> None:
    """The leaf, the pins and the advice survive; what went is counted."""
    chain = [certificate("leaf", "CN=" + "x" * 5000, "leaf")]
    chain += [certificate("intermediate", f"CN=CA {number}", str(number)) for number in range(1000)]
    body = event("pin_mismatch", chain=chain, path=chain, advice="Roll back. " * 20)
    written = write_payload(body)
    assert len(written) < SIZE_LIMIT
    data = json.loads(written)["data"]
    assert data["path"] == []
    assert data["chain"][0]["spki"] == pin("leaf")
    assert len(data["chain"]) > 20
    assert data["omitted"] == {"path": 1001, "chain": 1001 - len(data["chain"])}
    assert data["pins"] == body["data"]["pins"]
    assert data["advice"] == body["data"]["advice"]


def test_observations_go_first() -> None:
    """A host with hundreds of addresses keeps its chain."""
    body = event(
        "pin_mismatch", observations=[observation(f"10.0.0.{n}", "pin_mismatch", "r" * 99) for n in range(250)]
    )
    data = json.loads(write_payload(body))["data"]
    assert data["chain"] == body["data"]["chain"]
    assert len(data["observations"]) + data["omitted"]["observations"] == 250
    assert len(data["observations"]) > 50


def test_a_long_list_of_endpoints_leaves_room_for_the_first() -> None:
    """Of five hundred endpoints as many as fit into half of the event are listed; the first event is whole."""
    body = grouped_body(events.MEMBERS * 84)
    data = json.loads(write_payload(body))["data"]
    assert len(write_payload(body)) < SIZE_LIMIT
    assert len(data["grouped"]) > 50
    assert data["omitted"] == {"grouped": 504 - len(data["grouped"])}
    assert data["grouped"] == body["data"]["grouped"][: len(data["grouped"])]
    assert data["chain"] == body["data"]["chain"]


anything = st.text(st.characters(codec=None), max_size=30).map(lambda text: text * 200)


@settings(deadline=None, max_examples=50)
@given(
    subject=anything,
    words=anything,
    labels=st.dictionaries(anything, anything, max_size=3),
    length=st.integers(0, 200),
)
def test_no_event_is_too_large(subject: str, words: str, labels: dict[str, str], length: int) -> None:
    """Whatever is in an event, its body is below 20 kB, still JSON, and still says what it is about."""
    entries: list[dict[str, Any]] = [certificate("leaf", subject, str(number)) for number in range(length)]
    seen = [observation("192.0.2.1", "pin_mismatch", words)] * length
    body = event(
        "pin_mismatch", chain=entries, path=entries, observations=seen, advice=words, summary=words, labels=labels
    )
    written = write_payload(body)
    assert len(written) < SIZE_LIMIT
    parsed = json.loads(written)
    assert parsed["type"] == "pin_mismatch.firing"
    assert parsed["data"]["host"] == "api.example.com"
    assert written == write_payload(body)
