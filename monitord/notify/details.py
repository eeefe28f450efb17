"""The part of a message for who looks into it: pins, chains and what each address showed."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from monitord.notify.letter import Code, Fact, Section, Text
from monitord.notify.plain import plain, readable
from monitord.pinning.target import format_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from monitord.notify.letter import Line

_LONGEST_LIST = 30


def describe(data: Mapping[str, Any]) -> tuple[Section, ...]:
    """What was seen and what the apps hold; a section without lines is about nothing."""
    store = f", from trust store {plain(data['trust'])}" if data.get("trust") else ""
    return (
        Section("Pins the apps hold", tuple(_pins(data))),
        Section("Chain the server presented", tuple(_certificates(data.get("chain") or [], data))),
        Section(f"Also on the path{store}", tuple(_completion(data))),
        Section("Seen at each address", tuple(_observations(data))),
    )


def endpoint_of(data: Mapping[str, Any]) -> str:
    """HOST:PORT of an event, or the host alone, or nothing."""
    host, port = data.get("host"), data.get("port")
    return format_endpoint(str(host), port) if host and port else str(host or "")


def address_of(seen: Mapping[str, Any]) -> str:
    """Where something was seen, and for which type of key."""
    address = seen.get("address") or "no address"
    return f"{address} ({seen['key_type']})" if seen.get("key_type") else str(address)


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
        until = readable(certificate.get("not_after"))
        yield Fact(plain(certificate.get("role")), f"{plain(certificate.get('subject'))}, valid until {until}")
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
        yield Fact(plain(address_of(seen)), readable(words))
    yield from _more(observations)


def _more(items: Sequence[Any]) -> Iterator[Line]:
    if len(items) > _LONGEST_LIST:
        yield Text(f"and {len(items) - _LONGEST_LIST} more")
