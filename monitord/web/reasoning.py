"""How a look came to its result, step by step, as text: ``/probe?debug=true``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.pinning.pins import Client
from monitord.pinning.printable import printable
from monitord.pinning.report import roles, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.examination import Examination
    from monitord.pinning.observation import Observation
    from monitord.pinning.pins import PinSet
    from monitord.pinning.target import Target
    from monitord.pinning.verdict import Judgement, PinSetVerdict


def reasoning(seen: Examination, metrics: str, *, registered: bool) -> str:
    """What was looked at and how, what was seen, what each verdict rests on, and the series that follow."""
    sections = (
        ("Target", _target(seen, registered=registered)),
        ("Log of the probe", _log(seen)),
        ("Path and trust, pins aside", _verdict(seen.trust)),
        *((f"Pin set {verdict.pinset.name}", _verdict(verdict)) for verdict in seen.verdicts),
    )
    told = [f"{title}:\n" + "".join(f"  {line}\n" for line in lines) for title, lines in sections]
    return printable("\n".join([*told, "Metrics that would have been returned:\n"]), keep_lines=True) + metrics


def _target(seen: Examination, *, registered: bool) -> Iterator[str]:
    target = seen.target
    yield f"{target.endpoint}, " + ("as it is registered" if registered else "which is not registered")
    yield f"name in the certificate: {target.name}; announced: {'yes' if target.send_server_name else 'no'}"
    yield from _way(target)
    yield f"trust stores: {', '.join(dict.fromkeys(one.trust for one in seen.trust.judgements)) or seen.trust.trust}"
    yield f"time allowed: {seen.budget:.3g} s"


def _way(target: Target) -> Iterator[str]:
    if target.connect_to:
        places = ", ".join(f"{one.address} port {one.port or target.port}" for one in target.connect_to)
        yield f"connected to instead of asking DNS: {places}"
    if target.starttls is not None:
        yield f"STARTTLS: {target.starttls}"
    if target.proxy is not None:
        yield f"through the proxy {target.proxy.host} port {target.proxy.port}"
    if target.client_certificate is not None:
        yield "with a client certificate"


def _log(seen: Examination) -> Iterator[str]:
    if seen.lookup is not None:
        yield f"looking {seen.target.host} up took {seen.lookup:.3f} s"
    for one in seen.observations:
        yield from _observation(one)
    yield f"all of it took {seen.duration:.3f} s; probe_success {int(seen.success)}"


def _observation(one: Observation) -> Iterator[str]:
    asked = f", {one.key_type} key" if one.key_type else ""
    yield f"{one.address or '(no address)'} port {one.port}{asked}: {one.duration:.3f} s"
    if one.tls_version:
        yield f"  {one.tls_version} {one.cipher or ''}".rstrip()
    if one.failure:
        yield f"  failed: {one.failure.reason}: {one.failure.detail}"
    for number, (certificate, role) in enumerate(zip(one.chain, roles(one.chain), strict=True), 1):
        yield f"  sent {number}: {role} {certificate.display_subject}"
        yield f"    issuer {certificate.display_issuer}"
        yield f"    valid {timestamp(certificate.not_before)} to {timestamp(certificate.not_after)}"
        yield f"    certificate sha256 {certificate.sha256.hex()}"
        yield f"    pin {certificate.pin}"
        yield from (f"    problem: {problem}" for problem in certificate.problems)


def _verdict(verdict: PinSetVerdict) -> Iterator[str]:
    pinset = verdict.pinset
    if pinset.all_pins:
        yield f"client {pinset.client}, trust {', '.join(pinset.trust)}"
    yield f"{verdict.verdict}: {verdict.reason}"
    for pin in pinset.all_pins:
        yield f"pin {pin}: {verdict.standings[pin].replace('_', ' ') if pin in verdict.standings else 'unknown'}"
    for judgement in verdict.judgements:
        yield from _judgement(judgement, pinset)


def _judgement(judgement: Judgement, pinset: PinSet) -> Iterator[str]:
    one = judgement.observation
    key = f" {one.key_type}" if one.key_type else ""
    yield f"{one.address or '(no address)'}{key}, trust {judgement.trust}: {judgement.verdict}: {judgement.reason}"
    yield from _path(judgement.path, judgement, pinset)


def _path(path: Sequence[Certificate], judgement: Judgement, pinset: PinSet) -> Iterator[str]:
    for certificate, role in zip(path, roles(path), strict=True):
        pin = certificate.certificate_pin if pinset.client is Client.CERTIFICATE else certificate.pin
        matched = "  <- this pin matches" if pin in judgement.matched else ""
        yield f"  path: {role} {certificate.display_subject} {pin}{matched}"
