"""Small stories for tests: the same few certificates, and events of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monitord.replay.played import Played, play_through
from monitord.replay.reading import read_story

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.incident import IncidentKind, Transition
    from monitord.pinning.verdict import PinSetVerdict, Verdict
    from monitord.replay.play import Round
    from monitord.replay.reckoning import Reckoned
    from monitord.replay.story import Story

SCENARIOS = Path(__file__).parents[1] / "data" / "scenarios"

_HEAD = """\
start: {start}
end: {end}
step: {step}
release_time: 14d
horizon: {horizon}
host: api.example.test
{more}certificates:
  root:     {{key: root, not_before: 2020-01-01, not_after: 2040-01-01}}
  other:    {{key: other, not_before: 2020-01-01, not_after: 2040-01-01}}
  inter:    {{issuer: root, key: inter, not_before: 2024-01-01, not_after: 2034-01-01}}
  inter-2:  {{issuer: root, key: inter-2, not_before: 2024-01-01, not_after: 2034-01-01}}
  foreign:  {{issuer: other, key: foreign, not_before: 2024-01-01, not_after: 2034-01-01}}
  leaf:     {{issuer: inter, key: a, not_before: 2026-01-01, not_after: 2026-04-01}}
  same:     {{issuer: inter, key: a, not_before: 2026-01-04, not_after: 2026-04-04}}
  new:      {{issuer: inter, key: b, not_before: 2026-01-04, not_after: 2026-04-04}}
  moved:    {{issuer: inter-2, key: a, not_before: 2026-01-04, not_after: 2026-04-04}}
  away:     {{issuer: foreign, key: c, not_before: 2026-01-04, not_after: 2026-04-04}}
  rsa:      {{issuer: inter, key: rsa2048, not_before: 2026-01-01, not_after: 2026-04-01}}
{certificates}pinsets:
{pinsets}
events:
{events}
"""
_PINSET = "  - {name: app, client: okhttp, pins: [a, {unknown: 1}]}"
GOOD = """\
  - {at: 2026-01-01, trust: [root]}
  - {at: 2026-01-01, serve: [leaf, inter]}
"""


def story(
    events: str = "",
    *,
    start: str = "2026-01-01",
    end: str = "2026-01-10",
    step: str = "1d",
    horizon: str = "30d",
    pinsets: str = _PINSET,
    certificates: str = "",
    before: str = GOOD,
    more: str = "",
    expect: str = "",
) -> str:
    """The text of a story: ten days, a probe at each midnight, one app that pins key ``a``, unless told otherwise."""
    text = _HEAD.format(
        start=start,
        end=end,
        step=step,
        horizon=horizon,
        more=more,
        certificates=certificates,
        pinsets=pinsets,
        events=before + events,
    )
    return text + (f"expect: {expect}\n" if expect else "")


def read(text: str, directory: Path) -> Story:
    """The story that a text tells."""
    file = directory / "story.yaml"
    file.write_text(text)
    reading = read_story(file)
    assert reading.story is not None, "\n".join(map(str, reading.faults))
    return reading.story


@dataclass(frozen=True)
class Told:
    """A story that was played, to be asked about."""

    played: Played

    def verdicts(self, pinset: str = "app") -> list[Verdict]:
        """The verdict on a pin set at each probe."""
        return [self.verdict(number, pinset).verdict for number in range(len(self.played.rounds))]

    def verdict(self, number: int, pinset: str = "app") -> PinSetVerdict:
        """The verdict at the probe of this number, counted from 0."""
        return next(one for one in self.played.rounds[number].verdicts if one.pinset.name == pinset)

    def shown(self, number: int) -> dict[tuple[str, str | None], str]:
        """What a probe saw: the digest of each leaf by address and type of key, or the reason why there is none."""
        seen = [one.observation for one in self.played.rounds[number].verdicts[0].judgements]
        return {
            (one.address, one.key_type): one.chain[0].sha256.hex()
            if one.chain
            else str(one.failure and one.failure.reason)
            for one in seen
        }

    def transitions(self, kind: IncidentKind, pinset: str = "app") -> list[Transition]:
        """The transitions of incidents of this kind."""
        every = [step for one in self.played.rounds for step in one.transitions]
        return [step for step in every if step.incident.key.kind is kind and step.incident.key.pinset in ("", pinset)]

    def opened(self, kind: IncidentKind, pinset: str = "app") -> list[Transition]:
        """Those of them that open an incident."""
        return [step for step in self.transitions(kind, pinset) if step.number == 1]

    def reckoned(self, pinset: str = "app") -> Reckoned:
        """What became of a pin set."""
        return next(one for one in self.played.reckoned if one.pinset == pinset)

    @property
    def rounds(self) -> tuple[Round, ...]:
        """Every probe."""
        return self.played.rounds

    @property
    def times(self) -> list[datetime]:
        """When the probes were."""
        return [one.at for one in self.played.rounds]

    @property
    def unmet(self) -> list[str]:
        """The keys of ``expect:`` that do not hold, those of a pin set with its name."""
        return [
            f"{check.pinset}.{check.key}" if check.pinset else check.key
            for check in self.played.checks
            if not check.holds
        ]


def tell(text: str, directory: Path) -> Told:
    """Read a story and play it."""
    return Told(play_through(read(text, directory)))
