"""Where situations are set up: keys, authorities and leaves at hand, what is served, what is trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from monitord.pki import Issued, issue, new_key

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pki import KeyKind, PrivateKey

_P256_ORDER_BITS = 255
_EC_KEYS, _RSA_KEYS = 28, 4


def key_ring(rng: random.Random) -> tuple[PrivateKey, ...]:
    """Keys for all scenes, made once: mostly EC, since RSA keys take long to make."""
    curve = ec.SECP256R1()
    ring: list[PrivateKey] = [ec.derive_private_key(rng.getrandbits(_P256_ORDER_BITS), curve) for _ in range(_EC_KEYS)]
    return (*ring, *(new_key("rsa") for _ in range(_RSA_KEYS)))


@dataclass
class Scene:
    """One case in the making. A situation fills ``served`` and ``store`` and may change ``host``."""

    rng: random.Random
    now: datetime
    ring: tuple[PrivateKey, ...]
    host: str
    leaf: Issued = field(init=False)
    served: list[Certificate] = field(default_factory=list)
    store: list[Certificate] = field(default_factory=list)
    cast: list[Issued] = field(default_factory=list)
    """Everyone who was ever issued a certificate here: whose keys may be pinned."""

    def __post_init__(self) -> None:
        """Shuffle the keys, so that each kind plays each part."""
        self._keys = list(self.ring)
        self.rng.shuffle(self._keys)

    def key(self) -> PrivateKey:
        """A key that nobody here has yet."""
        return self._keys.pop()

    def key_of(self, kind: KeyKind) -> PrivateKey:
        """A key of this kind that nobody here has yet."""
        wanted = rsa.RSAPrivateKey if kind == "rsa" else ec.EllipticCurvePrivateKey
        return self._keys.pop(next(at for at, key in enumerate(self._keys) if isinstance(key, wanted)))

    def chance(self, probability: float) -> bool:
        """True this often."""
        return self.rng.random() < probability

    def root(self, name: str, **options: Any) -> Issued:
        """A self-signed authority."""
        return self.authority(name, None, **options)

    def authority(self, name: str, issuer: Issued | None, **options: Any) -> Issued:
        """An authority; pass ``key`` to give somebody another certificate."""
        options.setdefault("ca", True)
        return self._issue(name, issuer, **options)

    def end(self, issuer: Issued | None, **options: Any) -> Issued:
        """The leaf, for the scene's host unless ``names`` says otherwise; without issuer it is self-signed."""
        options.setdefault("names", (self.host,))
        options.setdefault("ca", False)
        self.leaf = self._issue(options.pop("subject", "Leaf"), issuer, **options)
        return self.leaf

    def line(self, issuer: Issued, length: int, name: str = "I") -> list[Issued]:
        """Authorities one below the other, the lowest first; with length 0 just the issuer."""
        line = [issuer]
        for number in range(length):
            line.insert(0, self.authority(f"{name}{number + 1}", line[0]))
        return line

    def serve(self, *issued: Issued) -> None:
        """Present these behind the leaf."""
        self.served.extend(one.certificate for one in issued)

    def trust(self, *issued: Issued) -> None:
        """Put these into the client's store."""
        self.store.extend(one.certificate for one in issued)

    def some(self, choices: Sequence[Issued], at_least: int = 0) -> list[Issued]:
        """Some of these, in any order."""
        return self.rng.sample(choices, self.rng.randint(min(at_least, len(choices)), len(choices)))

    def expired(self) -> dict[str, datetime]:
        """Options for a certificate that is past its end."""
        return {"not_after": self.now - timedelta(days=self.rng.randint(1, 400))}

    def premature(self) -> dict[str, datetime]:
        """Options for a certificate that is not valid yet."""
        return {"not_before": self.now + timedelta(days=self.rng.randint(2, 400))}

    def untimely(self) -> dict[str, datetime]:
        """Options for a certificate that is outside its validity, on either side."""
        return self.expired() if self.chance(0.7) else self.premature()

    def recast(self, old: Issued, new: Issued) -> Issued:
        """Let a rewritten certificate take the place of the original."""
        self.cast[self.cast.index(old)] = new
        return new

    def _issue(self, name: str, issuer: Issued | None, **options: Any) -> Issued:
        issued = issue(name, issuer=issuer, key=options.pop("key", None) or self.key(), **options)
        self.cast.append(issued)
        return issued


def as_if(name_of: Issued, key_of: Issued) -> Issued:
    """Somebody who signs in one's name with another's key, as an impostor does."""
    return Issued(name_of.certificate, key_of.key)
