"""From a YAML file to a story that can be played, or every fault of it with its line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from monitord.config.document import Document, MarkedDict, MarkedList, read_document
from monitord.config.faults import Fault, UnfitError, shown
from monitord.pinning.incident import IncidentKind
from monitord.pinning.target import DEFAULT_PORT
from monitord.replay.events import EventReader
from monitord.replay.pinsets import Evolution, read_pinset
from monitord.replay.section import (
    Findings,
    Section,
    alternative_name,
    duration,
    host,
    label,
    number,
    one_of,
    text,
    time,
    time_or_never,
)
from monitord.replay.story import CertificatePlan, Expectation, Repinned, Story, Trusted, probe_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from monitord.replay.story import Event

MOST_PROBES = 100_000
KEYS = (
    "name",
    "start",
    "end",
    "step",
    "release_time",
    "horizon",
    "host",
    "port",
    "confirm",
    "failures",
    "certificates",
    "pinsets",
    "events",
    "expect",
)
CERTIFICATE_KEYS = ("key", "not_before", "not_after", "issuer", "subject", "names")
EXPECT_KEYS = ("fails_at", "fails_at_tolerance", "warned_by", "max_false_alarms", "kinds", "forbid_kinds")
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)  # where none can be read, so that reading goes on
_LONGEST = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as read: a story, or the ``faults`` that forbid playing it; ``warnings`` are about what is odd in it."""

    path: Path
    story: Story | None
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()


def read_story(path: Path) -> Reading:
    """The story in a file. Nothing is raised: what is wrong is in ``faults``, all at once."""
    document = read_document(path, regular=False)
    findings = Findings(document, list(document.faults))
    if not isinstance(document.root, MarkedDict):
        if document.root is not None:
            findings.fault((), "the file is not a mapping of keys such as name: and events:")
        return _reading(findings, None)
    story = _Reader(findings, document).read(document.root)
    return _reading(findings, story)


def _reading(findings: Findings, story: Story | None) -> Reading:
    faults = tuple(sorted(set(findings.faults)))
    warnings = tuple(sorted(set(findings.warnings)))
    return Reading(findings.document.path, None if faults else story, faults, warnings)


class _Reader:
    def __init__(self, findings: Findings, document: Document) -> None:
        self._findings = findings
        self._document = document

    def read(self, root: MarkedDict) -> Story:
        top = Section(self._findings, (), root)
        top.refuse_others(KEYS)
        start = top.required("start", time, _ANY_TIME)
        certificates = self._certificates(top)
        pinsets = tuple(
            read_pinset(self._findings, ("pinsets", index), item)
            for index, item in enumerate(self._list(top, "pinsets", required=False))
        )
        names = tuple(pinset.name for pinset in pinsets)
        reader = EventReader(self._findings, certificates, names)
        story = Story(
            name=top.optional("name", text, self._document.path.stem[:200]),
            start=start,
            end=top.required("end", time, start),
            step=top.required("step", duration(timedelta(seconds=1), timedelta(days=365)), timedelta(days=365)),
            release_time=top.optional("release_time", duration(timedelta(), _LONGEST), timedelta(days=14)),
            horizon=top.optional("horizon", duration(timedelta(), _LONGEST), timedelta(days=30)),
            host=top.required("host", host, "host.invalid"),
            port=top.optional("port", number(1, 65535), DEFAULT_PORT),
            confirm=top.optional("confirm", number(1, 10), 2),
            failures=top.optional("failures", number(1, 1000), 3),
            certificates=certificates,
            pinsets=pinsets,
            events=tuple(reader.read(self._list(top, "events"), start)),
        )
        self._hold_together(story)
        return replace(story, expect=self._expectations(top, names or ("default",)))

    def _list(self, top: Section, key: str, *, required: bool = True) -> MarkedList:
        value = top.content.get(key)
        if isinstance(value, MarkedList):
            return value
        if key in top:
            top.fault(key, f"{key} is not a list")
        elif required:
            self._findings.fault((), f"the key {key!r} is missing")
        return MarkedList()

    def _certificates(self, top: Section) -> dict[str, CertificatePlan]:
        if "certificates" not in top:
            self._findings.fault((), "the key 'certificates' is missing")
            return {}
        what = "write it like leaf: {issuer: inter, key: leaf-key, not_before: 2027-01-01, not_after: 2027-04-01}"
        entries = Section.of(self._findings, ("certificates",), top.content["certificates"], what).content
        plans = {name: self._certificate(name, value, entries, what) for name, value in entries.items()}
        for name in plans:
            self._refuse_circles(name, plans)
        return plans

    def _certificate(self, name: str, value: object, entries: MarkedDict, what: str) -> CertificatePlan:
        section = Section.of(self._findings, ("certificates", name), value, what)
        try:
            label(name)
        except UnfitError as error:
            self._findings.fault(section.at, str(error))
        section.refuse_others(CERTIFICATE_KEYS)
        certificate = one_of(entries, "the name of a certificate")
        plan = CertificatePlan(
            name=name,
            key=section.required("key", label, name),
            not_before=section.required("not_before", time, _ANY_TIME),
            not_after=section.required("not_after", time, _ANY_TIME),
            issuer=section.optional("issuer", certificate, None),
            subject=section.optional("subject", certificate, None),
            names=section.items("names", alternative_name, single=True) if "names" in section else None,
        )
        if plan.not_after < plan.not_before and {"not_before", "not_after"} <= set(section.content):
            section.fault("not_after", f"certificate {shown(name)} ends before it begins")
        return plan

    def _refuse_circles(self, name: str, plans: Mapping[str, CertificatePlan]) -> None:
        for key, what in (("issuer", "is issued by itself"), ("subject", "takes its subject from itself")):
            seen, above = {name}, getattr(plans[name], key)
            while above in plans and above not in seen:
                seen.add(above)
                above = getattr(plans[above], key)
            if above == name:
                way = "" if len(seen) == 1 else ", by way of others"
                self._findings.fault(("certificates", name, key), f"certificate {shown(name)} {what}{way}")

    def _hold_together(self, story: Story) -> None:
        """What only shows when the parts are seen together."""
        if {"start", "end"} <= set(self._document.root) and story.end < story.start:
            self._findings.fault(("end",), "the story ends before it starts")
        elif (story.end - story.start) // story.step >= MOST_PROBES:
            self._findings.fault(("step",), f"these are more than {MOST_PROBES:,} probes; take a longer step")
        self._follow_pinsets(story)
        for event in story.events:
            if probe_after(story.start, story.step, event.at) > (story.end - story.start) // story.step:
                self._findings.warn(("events", event.position), "this is after the last probe, so it never happens")
        trusted = [one for event in story.events for one in event.happenings if isinstance(one, Trusted)]
        for index, pinset in enumerate(story.pinsets):
            for store in pinset.trust or ():
                if not any(one.store in (None, store) for one in trusted):
                    message = f"no event says what trust store {shown(store)} holds, so it trusts nothing"
                    self._findings.warn(("pinsets", index, "trust"), message)
        if not trusted:
            self._findings.warn(("events",), "no event has trust:, so the clients trust nothing")

    def _follow_pinsets(self, story: Story) -> None:
        evolution = Evolution(self._findings, story.certificates)
        for index, plan in enumerate(story.pinsets):
            evolution.begin(("pinsets", index), plan)
        for event in in_order(story.events, story):
            for one in event.happenings:
                if isinstance(one, Repinned):
                    evolution.change(("events", event.position, "pinset"), one.pinset, one.changes)

    def _expectations(self, top: Section, pinsets: Sequence[str]) -> dict[str | None, Expectation]:
        if "expect" not in top:
            return {}
        what = f"its keys are {', '.join(EXPECT_KEYS)}, or the names of the pin sets"
        section = Section.of(self._findings, ("expect",), top.content["expect"], what)
        if not section.content or not all(isinstance(value, MarkedDict) for value in section.content.values()):
            return {None: self._expectation(section)}
        found: dict[str | None, Expectation] = {}
        for name, value in section.content.items():
            if name not in pinsets:
                section.fault(name, f"there is no pin set {shown(name)}; there are: {', '.join(pinsets)}")
            found[name] = self._expectation(Section(self._findings, ("expect", name), value))
        return found

    def _expectation(self, section: Section) -> Expectation:
        section.refuse_others(EXPECT_KEYS)
        return Expectation(
            asks_for_failure="fails_at" in section,
            fails_at=section.optional("fails_at", time_or_never, None),
            tolerance=section.optional("fails_at_tolerance", duration(timedelta(), _LONGEST), None),
            warned_by=section.optional("warned_by", time_or_never, None),
            max_false_alarms=section.optional("max_false_alarms", number(0, MOST_PROBES), None),
            kinds=tuple(self._kinds(section, "kinds")),
            forbid_kinds=tuple(self._kinds(section, "forbid_kinds")),
        )

    def _kinds(self, section: Section, key: str) -> Iterator[IncidentKind]:
        if key in section:
            found = section.items(key, one_of(list(IncidentKind), "a kind of incident"), single=True)
            yield from map(IncidentKind, found)


def in_order(events: Sequence[Event], story: Story) -> list[Event]:
    """The events in the order in which they apply: by the probe that they precede, then as in the file."""
    return sorted(events, key=lambda event: (probe_after(story.start, story.step, event.at), event.position))
