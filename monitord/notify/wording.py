"""What a message says, before it is text or HTML: from an event's body to a ``Letter``.

A body may quote a hostile server (subjects, failure details), so every piece of text passes ``plain`` on its way in.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitord.pinning.incident import IncidentKind, IncidentState
from monitord.pinning.target import format_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TEST_KIND = "test"
_LONGEST_SUBJECT = 200
_LONGEST_TEXT = 2000
_LONGEST_LIST = 30
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)Z")


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence or more, wrapped as the reader's window wants it."""

    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A value with its name."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Code:
    """Something to copy, alone on its line, and a remark beside it."""

    code: str
    remark: str = ""


Line = Text | Fact | Code


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under a title."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """A whole message. ``mood`` is the severity, or ``resolved``; ``link`` is the page of the incident, if any."""

    subject: str
    headline: str
    mood: str
    sections: tuple[Section, ...]
    link: str | None
    footer: str


def write_letter(body: Mapping[str, Any]) -> Letter:
    """The letter for an event's body."""
    data = body["data"]
    resolved = data["state"] == IncidentState.RESOLVED
    sections = (
        Section("What happened", tuple(_what_happened(data))),
        Section("Who was hit" if resolved else "Who is hit", tuple(_who_is_hit(data))),
        Section("What to do now", tuple(Text(plain(line)) for line in (data.get("advice") or "").splitlines())),
        Section("New pins, ready to paste", tuple(_new_pins(data))),
        Section("Pins the apps hold", tuple(_pins(data))),
        Section("Chain the server presented", tuple(_certificates(data.get("chain") or [], data))),
        Section(f"Also on the path, from trust store {plain(data.get('trust'))}", tuple(_completion(data))),
        Section("Seen at each address", tuple(_observations(data))),
    )
    return Letter(
        subject=write_subject(data),
        headline="TEST" if data["kind"] == TEST_KIND else plain(f"{data['state'].upper()}: {data['kind']}"),
        mood="resolved" if resolved else plain(data.get("severity")),
        sections=tuple(section for section in sections if section.lines),
        link=plain(data["url"]) if data.get("url") else None,
        footer=f"Incident {plain(data['incident'])}, sent by monitord.",
    )


def write_subject(data: Mapping[str, Any]) -> str:
    """One line for the subject of a mail: state, kind, endpoint and pin set."""
    if data["kind"] == TEST_KIND:
        return _shorten(f"[monitord] TEST: {plain(data['summary'])}", _LONGEST_SUBJECT)
    pinset = f"({data['pinset']})" if data.get("pinset") else ""
    words = ("[monitord]", data["state"].upper(), data["kind"], _endpoint(data), pinset)
    return _shorten(plain(" ".join(word for word in words if word)), _LONGEST_SUBJECT)


def plain(value: object) -> str:
    r"""A value as one line of printable text, of a length that people read.

    Line breaks and tabs become blanks; other controls, direction marks and lone surrogates become ``\u{…}``.
    """
    text = str(value)[: _LONGEST_TEXT + 1]
    return _shorten("".join(c if c.isprintable() else _escape(c) for c in text), _LONGEST_TEXT)


def _escape(character: str) -> str:
    return " " if character in "\t\r\n" else f"\\u{{{ord(character):x}}}"


def _shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _endpoint(data: Mapping[str, Any]) -> str:
    host, port = data.get("host"), data.get("port")
    return format_endpoint(str(host), port) if host and port else str(host or "")


def _moment(value: object) -> str:
    return plain(_MOMENT.sub(r"\1 \2 UTC", str(value)))


def _what_happened(data: Mapping[str, Any]) -> Iterator[Line]:
    yield Text(plain(data["summary"]))
    if data.get("reason") and data["reason"] not in data["summary"]:
        yield Text(plain(data["reason"]))
    if data["kind"] == TEST_KIND:
        return
    yield Fact("Endpoint", plain(_endpoint(data)))
    if data.get("severity"):
        yield Fact("Severity", plain(data["severity"]))
    for name, key in (("Since", "since"), ("Resolved", "resolved_at"), ("Predicted for", "predicted_at")):
        if data.get(key):
            yield Fact(name, _moment(data[key]))
    if data.get("cause"):
        yield Fact("Cause", plain(data["cause"]))
    if data.get("labels"):
        yield Fact("Labels", plain(", ".join(f"{name}={value}" for name, value in sorted(data["labels"].items()))))


def _who_is_hit(data: Mapping[str, Any]) -> Iterator[Line]:
    if data.get("pinset"):
        yield Fact("Apps", plain(f"pin set {data['pinset']}, client {data.get('client')}"))
    if data.get("share") is not None:
        yield Fact("Users", f"{data['share'] * 100:.3g} %")
    if data["state"] == IncidentState.RESOLVED:
        return
    hit = [_address(seen) for seen in data.get("observations") or () if _is_hit(seen, data["kind"])]
    if hit:
        yield Fact("Addresses", plain(", ".join(dict.fromkeys(hit))))


def _is_hit(seen: Mapping[str, Any], kind: str) -> bool:
    if not seen.get("address"):
        return False
    return seen.get("verdict") == kind or (kind == IncidentKind.UNREACHABLE and seen.get("failure") is not None)


def _address(seen: Mapping[str, Any]) -> str:
    address = seen.get("address") or "no address"
    return f"{address} ({seen['key_type']})" if seen.get("key_type") else str(address)


def _new_pins(data: Mapping[str, Any]) -> Iterator[Line]:
    for pin in (data.get("new_pins") or ())[:_LONGEST_LIST]:
        yield Fact(plain(pin.get("role")), plain(pin.get("subject")))
        yield Code(plain(pin.get("pin")))


def _pins(data: Mapping[str, Any]) -> Iterator[Line]:
    matched = data.get("matched") or ()
    pins = data.get("pins") or ()
    for pin in pins[:_LONGEST_LIST]:
        yield Code(plain(pin), "matches" if pin in matched else "not matched")
    yield from _more(pins)


def _completion(data: Mapping[str, Any]) -> Iterator[Line]:
    """What the judged path holds beside the presented chain: the root, as a rule."""
    presented = _identities(data, "chain")
    path = data.get("path") or []
    return _certificates([one for one in path if one.get("certificate_sha256") not in presented], data)


def _identities(data: Mapping[str, Any], key: str) -> set[Any]:
    return {certificate.get("certificate_sha256") for certificate in data.get(key) or ()}


def _certificates(certificates: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> Iterator[Line]:
    path = _identities(data, "path")
    for certificate in certificates[:_LONGEST_LIST]:
        subject, until = plain(certificate.get("subject")), _moment(certificate.get("not_after"))
        yield Fact(plain(certificate.get("role")), f"{subject}, valid until {until}")
        remarks = [_standing(certificate, data)] if data.get("pins") else []
        if path and certificate.get("certificate_sha256") not in path:
            remarks.append("not on the path")
        yield Code(plain(certificate.get("spki")), ", ".join(remarks))
    yield from _more(certificates)


def _standing(certificate: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """What the certificate's pin means to the apps."""
    spellings = {certificate.get("spki"), _certificate_pin(certificate)}
    if spellings & set(data.get("matched") or ()):
        return "matches a pin"
    return "pinned, but not counted by the client" if spellings & set(data["pins"]) else "not pinned"


def _certificate_pin(certificate: Mapping[str, Any]) -> str:
    """The pin of the whole certificate, which is what client ``certificate`` compares."""
    try:
        digest = bytes.fromhex(certificate.get("certificate_sha256") or "")
    except ValueError:
        return ""
    return "sha256/" + base64.b64encode(digest).decode("ascii")


def _observations(data: Mapping[str, Any]) -> Iterator[Line]:
    observations = data.get("observations") or ()
    for seen in observations[:_LONGEST_LIST]:
        failure = seen.get("failure")
        words = f"{seen.get('verdict')}: {seen.get('reason')}"
        if failure and str(failure.get("detail")) not in words:
            words += f" ({failure.get('reason')}: {failure.get('detail')})"
        yield Fact(plain(_address(seen)), plain(words))
    yield from _more(observations)


def _more(items: Sequence[Any]) -> Iterator[Line]:
    if len(items) > _LONGEST_LIST:
        yield Text(f"and {len(items) - _LONGEST_LIST} more")
