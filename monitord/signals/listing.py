"""One revocation list: which certificates name it, what it said of them, and when it is to be asked again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from monitord.pinning.revocation import Revoked
from monitord.signals.asking import is_due, join
from monitord.signals.fetch import origin_of
from monitord.signals.revocable import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import timedelta

    from monitord.pinning.revocation import Findings, Question

_LONGEST_VALIDATOR = 500


@dataclass(slots=True)
class Listing:
    """The list at a URL.

    ``questions`` are the certificates that name it now, by the SHA-256 in hexadecimal. ``seen`` are those that it was
    read for when that last succeeded, ``revoked`` those of them that it revokes. ``validators`` are the headers by
    which the server can tell that nothing is new; none where the list was of no use for some certificate, so that it
    is read again. ``faults`` are what was wrong when it was last asked for.
    """

    url: str
    questions: dict[str, Question] = field(default_factory=dict)
    due: datetime | None = None
    failures: int = 0
    until: datetime | None = None
    seen: frozenset[str] = frozenset()
    revoked: dict[str, Revoked] = field(default_factory=dict)
    validators: dict[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    asked: bool = False

    @classmethod
    def read(cls, url: str, noted: Mapping[str, Any] | None) -> Listing:
        """What ``write`` noted of the list at this URL."""
        if noted is None:
            return cls(url)
        return cls(
            url,
            due=_moment(noted["due"]),
            failures=noted["failures"],
            until=_moment(noted["until"]),
            seen=frozenset(noted["seen"]),
            revoked={
                key: Revoked(datetime.fromisoformat(at), reason) for key, (at, reason) in noted["revoked"].items()
            },
            validators=noted["validators"],
            faults=tuple(noted["faults"]),
        )

    def write(self) -> dict[str, Any]:
        """All but the questions, as JSON."""
        return {
            "due": self.due.isoformat() if self.due else None,
            "failures": self.failures,
            "until": self.until.isoformat() if self.until else None,
            "seen": sorted(self.seen),
            "revoked": {key: [found.at.isoformat(), found.reason] for key, found in self.revoked.items()},
            "validators": self.validators,
            "faults": list(self.faults),
        }

    @property
    def complete(self) -> bool:
        """Whether it was read for every certificate that names it now."""
        return self.questions.keys() <= self.seen

    @property
    def conditions(self) -> Mapping[str, str]:
        """The headers of a request that may be answered by "not modified"."""
        return self.validators if self.complete else {}

    @property
    def title(self) -> str:
        """What it is, and for which certificates, for people."""
        first, *others = self.questions.values()
        more = f" and {len(others)} more" if others else ""
        return f"the revocation list at {origin_of(self.url)} for {show(first.certificate)}{more}"

    def is_due(self, now: datetime, every: timedelta) -> bool:
        """Whether it is to be fetched; a certificate that was added makes it due, unless it failed just before."""
        return is_due(self.due, now, every) or (not self.complete and not self.failures)

    def answers(self) -> Iterator[tuple[str, Revoked]]:
        """The certificates that name it now and that it revokes."""
        return ((key, found) for key, found in self.revoked.items() if key in self.questions)

    def take_in(self, found: Findings, validators: Mapping[str, str], due: datetime) -> None:
        """Note what the list says, and about which certificates it says nothing."""
        self.until = found.until
        self.seen = frozenset(self.questions)
        self.revoked = {
            key: found.revoked[question.certificate.sha256]
            for key, question in self.questions.items()
            if question.certificate.sha256 in found.revoked
        }
        sound = not found.unclear and all(len(value) <= _LONGEST_VALIDATOR for value in validators.values())
        self.validators = dict(validators) if sound else {}
        self.renew(due)
        self.faults = join(
            [
                f"the revocation list at {origin_of(self.url)} says nothing about {show(one.certificate)}: it "
                f"{found.unclear[one.certificate.sha256]}"
                for one in self.questions.values()
                if one.certificate.sha256 in found.unclear
            ]
        )

    def renew(self, due: datetime) -> None:
        """Note that what is known still holds."""
        self.due, self.failures, self.faults, self.asked = due, 0, (), True

    def fail(self, due: datetime, fault: str | None) -> None:
        """Note that it could not be read; what was known before stays."""
        self.due, self.failures, self.asked = due, self.failures + 1, True
        self.faults = (fault,) if fault else ()


def _moment(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)
