from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from monitord.store import migrate
from monitord.store.faults import StoreError
from monitord.store.store import Store
from tests.store.samples import HOST, NOON, PORT, Chains, at, clock, outcome, shown

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


def fact(
    identity: str, *, host: str = HOST, source: str = "ari", minute: float = 0, body: str = "{}"
) -> tuple[str, str, str, datetime, str]:
    """A row as a source's side hands it over."""
    return host, identity, source, at(minute), body


async def test_facts_and_state_come_back(store: Store, url: str) -> None:
    """What was saved is there after a restart, facts in the order in which they were learned."""
    later, earlier = fact("b", minute=5, body='{"kind": "x"}'), fact("a", source="crl")
    await store.save_signals("ari", [later, earlier], {"one": "[1]", "two": "2"})
    await store.save_signals("crl", [], {"one": '"other"'})
    await store.close()
    again = await Store.open(url, now=clock)
    try:
        facts, states = await again.load_signals()
        assert facts == [earlier, later]
        assert states == {"ari": {"one": "[1]", "two": "2"}, "crl": {"one": '"other"'}}
    finally:
        await again.close()


async def test_a_fact_takes_the_place_of_the_one_with_its_identity(store: Store) -> None:
    """Of the same host only, and whichever source told the earlier one."""
    await store.save_signals("ari", [fact("a"), fact("a", host="other.example.test")], {})
    await store.save_signals("crl", [fact("a", source="crl", minute=1, body="[]")], {})
    facts, _ = await store.load_signals()
    assert facts == [fact("a", host="other.example.test"), fact("a", source="crl", minute=1, body="[]")]


async def test_facts_that_are_gone_and_keys_of_none_are_deleted(store: Store) -> None:
    """By host and identity, and by key; what is not there may be deleted too."""
    await store.save_signals("dns", [fact("a"), fact("b")], {"kept": "1", "dropped": "2"})
    await store.save_signals("dns", [fact("c")], {"dropped": None, "never": None}, [(HOST, "a"), (HOST, "never")])
    facts, states = await store.load_signals()
    assert {row.identity for row in facts} == {"b", "c"}
    assert states == {"dns": {"kept": "1"}}


async def test_facts_and_state_are_written_together_or_not_at_all(store: Store) -> None:
    """Where the state is refused the facts are not there either: the source will learn them again."""
    with pytest.raises(StoreError):
        await store.save_signals("ari", [fact("a")], {"key": "no text: \ud800"})
    assert await store.load_signals() == ([], {})


async def test_pruning_keeps_what_is_young_and_about_a_registered_host(store: Store) -> None:
    """What concerns every endpoint is bounded by its age alone."""
    await store.save_signals(
        "ari",
        [
            fact("old"),
            fact("young", minute=10),
            fact("strange", host="gone.example.test", minute=10),
            fact("old", host=""),
            fact("young", host="", minute=10),
        ],
        {"kept": "1"},
    )
    assert await store.prune_signals([HOST], at(5)) == 3
    facts, states = await store.load_signals()
    assert {(row.host, row.identity) for row in facts} == {(HOST, "young"), ("", "young")}
    assert states == {"ari": {"kept": "1"}}
    assert await store.prune_signals([HOST], at(5)) == 0


async def test_history_is_that_of_the_change_points(store: Store, chains: Chains) -> None:
    """The leaf that was there first, the one that took its place, and since when the endpoint is watched."""
    assert (await store.history(HOST, PORT)).began is None
    await store.record([outcome(shown(chains.first))], [])
    await store.record([outcome(shown(chains.second), minute=30)], [])
    history = await store.history(HOST, PORT)
    assert history.began == NOON
    assert [tenure.leaf for tenure in history.tenures] == [chains.first[0], chains.second[0]]
    (renewal,) = history.renewals
    assert (renewal.since, renewal.replaced) == (NOON + timedelta(minutes=30), chains.first[0])


async def test_a_store_of_the_first_schema_is_migrated(path: Path, url: str) -> None:
    """What an earlier version wrote stays, and signals can be saved; the log says that the schema was changed."""
    path.parent.mkdir()
    config = Config()
    config.set_main_option("script_location", str(migrate._MIGRATIONS))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "INSERT INTO endpoint (host, port, first_seen, streaks) VALUES (?, ?, 0, ?)",
            (HOST, PORT, '{"endpoint": 2, "addresses": {}}'),
        )
    with pytest.raises(StoreError, match="older schema; restart the monitord"):
        await Store.open(url, now=clock, exclusive=False)
    store = await Store.open(url, now=clock)
    try:
        (note,) = store.opened_notes
        assert "brought to the newest schema" in note
        assert (await store.load_streaks())[HOST, PORT].endpoint == 2
        await store.save_signals("ari", [fact("a")], {})
        assert (await store.load_signals())[0] == [fact("a")]
    finally:
        await store.close()
