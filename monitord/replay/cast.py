"""Real certificates for the names of a story, so that the rules judge DER as in production."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from monitord import pki
from monitord.pinning.pins import Client, Pin, PinSet
from monitord.replay.story import RSA_PREFIX, Unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.pinning.certificate import Certificate
    from monitord.replay.story import CertificatePlan, PinName, PinSetPlan, Story

DEFAULT_STORE = "mozilla"
"""The trust store of pin sets without ``trust:``, as in monitord.yaml."""


class Cast:
    """The certificates and keys of one story: each name stands for the same one throughout."""

    def __init__(self, story: Story) -> None:
        """Make every certificate of the story, issuers first."""
        self._story = story
        self._keys: dict[str, pki.PrivateKey] = {}
        self._issued: dict[str, pki.Issued] = {}
        self._issuing = {plan.issuer for plan in story.certificates.values()}
        for name in story.certificates:
            self._issue(name)

    def certificate(self, name: str) -> Certificate:
        """The certificate of this name."""
        return self._issued[name].certificate

    def chain(self, names: Sequence[str]) -> tuple[Certificate, ...]:
        """The certificates of these names, in order."""
        return tuple(self.certificate(name) for name in names)

    def way_up(self, name: str) -> tuple[Certificate, ...]:
        """A certificate and its issuers up to the root, which is left out; a root alone is itself."""
        plans = self._story.certificates
        names = [name]
        while (issuer := plans[names[-1]].issuer) and plans[issuer].issuer:
            names.append(issuer)
        return self.chain(names)

    def pinset(self, plan: PinSetPlan) -> PinSet:
        """The pin set that a plan stands for."""

        def pins(names: tuple[PinName, ...]) -> tuple[Pin, ...]:
            return tuple(dict.fromkeys(self._pin(name, plan.client) for name in names))

        return PinSet(
            name=plan.name,
            client=plan.client,
            pins=pins(plan.pins or ()),
            leaf_pins=None if plan.leaf_pins is None else pins(plan.leaf_pins),
            ca_pins=None if plan.ca_pins is None else pins(plan.ca_pins),
            trust=plan.trust or (DEFAULT_STORE,),
            expires=plan.expires,
            share=plan.share,
        )

    def _pin(self, name: PinName, client: Client) -> Pin:
        if isinstance(name, Unknown):
            return _foreign(f"unknown {name.number}")
        if client is Client.CERTIFICATE:
            issued = self._issued.get(name)
            return issued.certificate.certificate_pin if issued else _foreign(f"certificate {name}")
        for plan in self._story.certificates.values():
            if plan.key == name:
                return self.certificate(plan.name).pin
        return _foreign(f"key {name}")

    def _key(self, name: str) -> pki.PrivateKey:
        if name not in self._keys:
            self._keys[name] = pki.new_key("rsa" if name.startswith(RSA_PREFIX) else "ecdsa")
        return self._keys[name]

    def _issue(self, name: str) -> None:
        """Make a certificate, and those above it that are not made yet."""
        plans, waiting = self._story.certificates, [name]
        while waiting:
            plan = plans[waiting[-1]]
            if plan.name not in self._issued and plan.issuer and plan.issuer not in self._issued:
                waiting.append(plan.issuer)
                continue
            waiting.pop()
            if plan.name not in self._issued:
                self._issued[plan.name] = self._made(plan)

    def _made(self, plan: CertificatePlan) -> pki.Issued:
        authority = plan.issuer is None or plan.subject is not None or plan.name in self._issuing
        names = plan.names if plan.names is not None else () if authority else (self._story.host,)
        return pki.issue(
            self._subject(plan),
            issuer=self._issued[plan.issuer] if plan.issuer else None,
            key=self._key(plan.key),
            ca=authority,
            names=names,
            not_before=plan.not_before,
            not_after=plan.not_after,
        )

    def _subject(self, plan: CertificatePlan) -> str:
        while plan.subject is not None:
            plan = self._story.certificates[plan.subject]
        return plan.name


def _foreign(what: str) -> Pin:
    """A pin that matches nothing."""
    return Pin(hashlib.sha256(f"a pin of no known key: {what}".encode()).digest())
