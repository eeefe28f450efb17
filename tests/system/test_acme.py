"""What a real ACME server says about certificates that a real client obtained from it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from monitord.pinning.evidence import RenewalWindow
from monitord.pinning.target import Target
from monitord.signals.ari import AriSource
from monitord.signals.fetch import Fetcher
from monitord.signals.source import Poll, Subject
from tests.system.acme.authority import AcmeAuthority
from tests.system.environments import install

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.pinning.certificate import Certificate

pytestmark = pytest.mark.system

HOST = "api.example.test"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where acme2certifier and certbot are."""
    requirements = Path(__file__).parent / "acme" / "requirements.txt"
    return install(requirements, tmp_path_factory.mktemp("acme") / "environment")


async def asked(
    authority: AcmeAuthority, chains: Sequence[tuple[Certificate, ...]], state: dict[str, Any], now: datetime
) -> Poll:
    """One poll about these chains, served by one host; ``state`` is carried on, as JSON."""
    source = AriSource([authority.directory_url], Fetcher(tls=authority.trust), public=())
    poll = await source.poll([Subject(Target(HOST), tuple(chains))], state, now)
    state |= json.loads(json.dumps(dict(poll.state)))
    return poll


def window_of(poll: Poll) -> RenewalWindow:
    """The one window that was learned."""
    (learned,) = poll.learned
    assert learned.host == HOST
    assert isinstance(learned.fact, RenewalWindow)
    return learned.fact


async def test_windows_of_a_real_acme_server(programs: Path, tmp_path: Path) -> None:
    """It suggests a time before the end; then the CA wants all renewed at once, and the window moves into the past."""
    authority = AcmeAuthority(programs, tmp_path / "authority")
    state: dict[str, Any] = {}
    now = datetime.now(UTC)
    with authority:
        chain = authority.issue(HOST)
        leaf = chain[0]
        poll = await asked(authority, [chain], state, now)
        window = window_of(poll)
        lifetime = leaf.not_after - leaf.not_before
        assert abs(window.start - (leaf.not_before + lifetime * 0.66)) <= timedelta(seconds=1)
        assert (window.certificate, window.end, window.learned_at) == (leaf.sha256, leaf.not_after, now)
        assert (window.previous_start, poll.faults) == (None, ())
        assert now + timedelta(hours=6) <= poll.next_at <= now + timedelta(hours=6.3)
        assert leaf.issuer_key == authority.issuer.certificate.subject_key

    authority.force, authority.retry_after = True, 30
    with authority:
        later = poll.next_at
        forced = await asked(authority, [chain], state, later)
        moved = window_of(forced)
        assert moved.start < now
        assert (moved.previous_start, moved.learned_at) == (window.start, later)
        assert later + timedelta(minutes=1) <= forced.next_at <= later + timedelta(minutes=1.1)

        # Its window slides along with its clock: the same demand, not another one.
        again = await asked(authority, [chain], state, forced.next_at)
        assert window_of(again) == moved


async def test_a_real_acme_server_does_not_know_what_others_issued(programs: Path, tmp_path: Path) -> None:
    """That is no fault; a certificate of its own beside it is answered about."""
    ours = AcmeAuthority(programs, tmp_path / "ours")
    theirs = AcmeAuthority(programs, tmp_path / "theirs")
    now = datetime.now(UTC)
    with theirs:
        foreign = theirs.issue(HOST)
    with ours:
        own = ours.issue(HOST)
        poll = await asked(ours, [foreign, own], {}, now)
        alone = await asked(ours, [foreign], {}, now)
    assert window_of(poll).certificate == own[0].sha256
    assert (poll.faults, alone.learned, alone.faults) == ((), (), ())
    assert alone.next_at >= now + timedelta(days=1)
