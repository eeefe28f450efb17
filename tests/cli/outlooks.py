"""Forecasts that are the same in every run: certificates with fixed keys, and a time that stands still."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ed25519

from monitord import pki
from monitord.cli.configured import Selected
from monitord.cli.foresight import foresee_each
from monitord.cli.foretold import pictures, told
from monitord.cli.judging import judge_each
from monitord.cli.outlook import Outlook
from monitord.cli.past import Past
from monitord.cli.timeline import UNICODE
from monitord.config.load import default_configuration
from monitord.pinning.history import ChangePoint, Seen
from monitord.pinning.judge import judge
from monitord.pinning.pins import Pin, PinSet
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore
from monitord.signals.ledger import Ledger
from monitord.signals.source import Learned

if TYPE_CHECKING:
    from monitord.cli.timeline import Glyphs
    from monitord.config.settings import Configuration
    from monitord.pinning.certificate import Certificate
    from monitord.signals.source import Fact

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOST = "api.example.com"
SPARE = Pin(b"\x5a" * 32)


def issued(  # a story varies in each of these
    subject: str,
    number: int,
    issuer: pki.Issued | None,
    *names: str,
    begin: datetime = pki.EARLY,
    end: datetime = pki.LATE,
) -> pki.Issued:
    """A certificate whose key and serial follow from ``number``; Ed25519 signs the same bytes the same way."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    return pki.issue(subject, issuer=issuer, key=key, names=names, serial=number, not_before=begin, not_after=end)


ROOT = issued("Example Root", 1, None)
INTERMEDIATE = issued("Example Intermediate", 2, ROOT)


def leaf(number: int, begin: datetime, days: int = 90, subject: str = HOST) -> pki.Issued:
    """A certificate for the host."""
    return issued(subject, number, INTERMEDIATE, HOST, begin=begin, end=begin + days * DAY)


def chain(one: pki.Issued) -> tuple[Certificate, ...]:
    """What a server with this leaf presents."""
    return one.certificate, INTERMEDIATE.certificate


class Story:
    """One endpoint at NOW, as its store tells of it."""

    def __init__(self, *pinsets: PinSet, release_time: timedelta = 14 * DAY) -> None:
        self.target = Target(HOST, pinsets=pinsets, trust=("own",))
        self._points: list[ChangePoint] = []
        self._ledger = Ledger()
        self._release_time = release_time

    def showed(self, at: datetime, one: pki.Issued, address: str = "192.0.2.1") -> None:
        """From then on the address presented this leaf."""
        seen = Seen(one.certificate.key_type, chain(one), "TLSv1.3", None)
        self._points.append(ChangePoint(at, address, 443, (seen,)))

    def told(self, fact: Fact) -> None:
        """A signal told this."""
        self._ledger.take_in("test", [Learned(HOST, fact)])

    @property
    def configuration(self) -> Configuration:
        """Every default, with the small authority as the only trust store."""
        store = TrustStore("own", [ROOT.certificate])
        plain = default_configuration(environment={})
        return replace(plain, trust_stores={"own": store}, release_time=self._release_time)

    @property
    def past(self) -> Past:
        """What the store has."""
        return Past({(HOST, 443): self._points}, self._ledger)

    @property
    def outlooks(self) -> list[Outlook]:
        """What is coming for each pin set."""
        configuration, past = self.configuration, self.past
        look = past.last_seen(self.target)
        judges = [partial(judge, observations=look, trust=configuration.trust_stores, now=NOW)]
        judged = judge_each([Selected(self.target, registered=True)], judges, NOW, configuration.horizon)
        return [
            Outlook(ruling, foresight, probed=False)
            for one, foresight in foresee_each(judged, [look], past, configuration, NOW)
            for ruling in one.rulings
        ]

    def printed(self, *, everything: bool = False, width: int | None = None) -> str:
        """The table and the remarks."""
        return "".join(f"{line.plain}\n" for line in told(self.outlooks, NOW, everything=everything, width=width))

    def drawn(self, width: int = 100, glyphs: Glyphs = UNICODE, most: int | None = None) -> list[str]:
        """The pictures, line by line."""
        lines = pictures(self.outlooks, self.configuration, NOW, width, glyphs, most)
        return [line.plain for line in lines]


def pinset(name: str, *pins: Pin, **more: object) -> PinSet:
    """A pin set that trusts the small authority."""
    return PinSet(name, pins=pins, trust=("own",), **more)  # type: ignore[arg-type]
