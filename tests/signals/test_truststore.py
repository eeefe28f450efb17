from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from monitord import pki
from monitord.config.truststores import TrustStoreReader
from monitord.pinning.evidence import StoreChange
from monitord.pinning.trust import TrustStore
from monitord.signals.source import Learned, SourceName
from monitord.signals.truststore import TrustStoreSource
from tests.support.polling import Polled

if TYPE_CHECKING:
    from pathlib import Path

    from monitord.pinning.certificate import Certificate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = pki.new_key()
OLD, KEPT, NEW = (pki.issue(f"{name} Root", key=KEY).certificate for name in ("Old", "Kept", "New"))


class Stores:
    """Trust stores that a test replaces."""

    def __init__(self, **stores: list[Certificate]) -> None:
        self.stores = stores
        self.polled = Polled(TrustStoreSource(self))

    def __call__(self) -> dict[str, TrustStore]:
        """The stores as they are now."""
        return {name: TrustStore(name, anchors) for name, anchors in self.stores.items()}


async def test_the_first_run_tells_nothing_and_a_change_is_told_once() -> None:
    """What came and what left, as certificates, about every endpoint."""
    stores = Stores(mozilla=[OLD, KEPT])
    assert stores.polled.source.name is SourceName.TRUST_STORE
    first = await stores.polled.poll([], NOW)
    assert (first.learned, first.next_at) == ((), NOW + HOUR)
    stores.stores["mozilla"] = [KEPT, NEW]
    poll = await stores.polled.poll([], NOW + HOUR)
    assert poll.learned == (Learned("", StoreChange("mozilla", NOW + HOUR, added=(NEW,), removed=(OLD,))),)
    assert poll.faults == ()
    assert (await stores.polled.poll([], NOW + 2 * HOUR)).learned == ()


async def test_another_order_is_no_change() -> None:
    """A store is a set."""
    stores = Stores(mozilla=[OLD, KEPT])
    await stores.polled.poll([], NOW)
    stores.stores["mozilla"] = [KEPT, OLD]
    assert (await stores.polled.poll([], NOW + HOUR)).learned == ()


async def test_each_store_is_compared_with_itself() -> None:
    """One may change while another that has the same root stays; one that is new or gone has not changed."""
    stores = Stores(mozilla=[OLD, KEPT], system=[OLD])
    await stores.polled.poll([], NOW)
    stores.stores = {"mozilla": [KEPT], "system": [OLD], "android": [NEW]}
    poll = await stores.polled.poll([], NOW + HOUR)
    assert [one.fact for one in poll.learned] == [StoreChange("mozilla", NOW + HOUR, removed=(OLD,))]
    del stores.stores["system"]
    assert (await stores.polled.poll([], NOW + 2 * HOUR)).learned == ()
    stores.stores["system"] = [NEW]
    assert (await stores.polled.poll([], NOW + 3 * HOUR)).learned == ()


async def test_what_is_kept_is_bounded_and_shared() -> None:
    """A root in two stores is kept once, one that left is forgotten; of very many some can only be counted."""
    stores = Stores(mozilla=[OLD, KEPT], system=[OLD, KEPT])
    await stores.polled.poll([], NOW)
    assert sum(key.startswith("anchor:") for key in stores.polled.state) == 2
    stores.stores = {"mozilla": [KEPT]}
    await stores.polled.poll([], NOW + HOUR)
    assert sum(key.startswith("anchor:") for key in stores.polled.state) == 1


async def test_roots_that_cannot_be_named_are_a_fault() -> None:
    """A certificate of ten kilobytes is not kept, only its hash."""
    names = [f"host-{n}.a-rather-long-name-for-a-host.example.test" for n in range(300)]
    large = pki.issue("Large Root", names=names, ca=True).certificate
    stores = Stores(mozilla=[KEPT, large, OLD])
    await stores.polled.poll([], NOW)
    stores.stores["mozilla"] = [KEPT]
    poll = await stores.polled.poll([], NOW + HOUR)
    assert [one.fact for one in poll.learned] == [StoreChange("mozilla", NOW + HOUR, removed=(OLD,))]
    assert poll.faults == ("1 of the roots that left the trust store mozilla cannot be named",)


async def test_a_file_that_is_replaced_is_a_change(tmp_path: Path) -> None:
    """As the stores come out of the configuration."""
    file = tmp_path / "android.pem"
    file.write_bytes(pki.pem_of(OLD, KEPT))
    source = TrustStoreSource(lambda: {"android": TrustStoreReader({}).read("android", file)[0]})
    polled = Polled(source)
    await polled.poll([], NOW)
    file.write_bytes(pki.pem_of(KEPT, NEW))
    (learned,) = (await polled.poll([], NOW + HOUR)).learned
    assert learned.fact == StoreChange("android", NOW + HOUR, added=(NEW,), removed=(OLD,))
