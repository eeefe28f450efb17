"""What servers, stores and authorities get up to: each function sets up one kind of situation, with variations.

They know nothing of pins; ``generate`` pins somebody of the cast afterwards, and may dress the situation further.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from monitord.pki import new_key
from tests.system.differential.rewrite import as_version_1, with_compressed_point, with_pss, with_pss_key, with_sha1
from tests.system.differential.scene import as_if

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitord.pki import Issued, KeyKind
    from tests.system.differential.scene import Scene

    Situation = Callable[[Scene], None]

_LOOPBACK = "127.0.0.1"
_CLIENTS_ONLY = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
_ANY_PURPOSE = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
_SERVERS_TOO = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])


def plain(scene: Scene) -> None:
    """Root, intermediates, leaf, all as they should be."""
    line = scene.line(scene.root("Root"), scene.rng.randint(0, 3))
    scene.end(line[0])
    scene.serve(*line[:-1])
    if scene.chance(0.3):
        scene.serve(line[-1])
    scene.trust(line[-1])


def cross_signed_root(scene: Scene) -> None:
    """A new root that the old one cross-signs; either or both are trusted, the cross-sign is served or not."""
    old, new = scene.root("Old Root"), scene.root("New Root")
    cross = scene.authority("New Root", old, key=new.key, **_maybe(scene, 0.15, scene.untimely()))
    line = scene.line(new, scene.rng.randint(0, 2))
    scene.end(line[0])
    scene.serve(*line[:-1], *scene.some([cross, cross, new, old]))
    scene.trust(*scene.some([old, new, new], at_least=1))


def cross_signed_intermediate(scene: Scene) -> None:
    """One issuing key with certificates from two roots."""
    first, second = scene.root("Root A"), scene.root("Root B")
    key = scene.key()
    twins = [
        scene.authority("Issuer", root, key=key, **_maybe(scene, 0.2, scene.untimely())) for root in (first, second)
    ]
    scene.end(twins[0])
    scene.serve(*scene.some([*twins, *twins, first, second], at_least=1))
    scene.trust(*scene.some([first, second], at_least=1))


def root_and_cross_sign_trusted(scene: Scene) -> None:
    """A root and its cross-sign are both in the store."""
    old, new = scene.root("Old Root"), scene.root("New Root")
    cross = scene.authority("New Root", old, key=new.key)
    line = scene.line(new, scene.rng.randint(0, 2))
    scene.end(line[0])
    scene.serve(*line[:-1], *scene.some([cross, new, old]))
    scene.trust(new, cross, *scene.some([old]))


def renewed_intermediate(scene: Scene) -> None:
    """An intermediate that was renewed with its key; the old certificate has expired and may still be served."""
    root = scene.root("Root")
    key = scene.key()
    old = scene.authority("Issuer", root, key=key, **_maybe(scene, 0.8, scene.expired()))
    renewed = scene.authority("Issuer", root, key=key, **_maybe(scene, 0.1, scene.premature()))
    scene.end(renewed)
    scene.serve(*scene.some([old, renewed], at_least=1), *scene.some([root]))
    scene.trust(root)


def renewed_root(scene: Scene) -> None:
    """A root that was renewed with its key and name; stores and servers have one or both."""
    key = scene.key()
    old = scene.root("Root", key=key, **_maybe(scene, 0.7, scene.expired()))
    renewed = scene.root("Root", key=key)
    line = scene.line(renewed, scene.rng.randint(0, 2))
    scene.end(line[0])
    scene.serve(*line[:-1], *scene.some([old, renewed]))
    scene.trust(*scene.some([old, renewed], at_least=1))


def rekeyed_intermediate(scene: Scene) -> None:
    """Two generations of an intermediate under one name with different keys; the wrong one is served too, or only."""
    root = scene.root("Root")
    right, wrong = scene.authority("Issuer", root), scene.authority("Issuer", root)
    scene.end(right)
    scene.serve(*scene.some([right, wrong], at_least=1))
    scene.trust(root)


def self_signed_leaf(scene: Scene) -> None:
    """A leaf that signed itself, trusted or not."""
    leaf = scene.end(None, ca=scene.chance(0.5), **_maybe(scene, 0.3, scene.untimely()))
    if scene.chance(0.7):
        scene.trust(leaf)
    if scene.chance(0.3):
        scene.trust(scene.root("Bystander"))


def trusted_leaf(scene: Scene) -> None:
    """A leaf that an authority signed is itself in the store."""
    root = scene.root("Root")
    line = scene.line(root, scene.rng.randint(0, 1))
    leaf = scene.end(line[0], **_maybe(scene, 0.3, scene.untimely()))
    scene.serve(*scene.some(line))
    scene.trust(leaf, *scene.some([root]))


def untimely_parts(scene: Scene) -> None:
    """One or two of leaf, intermediate and root are expired or not yet valid."""
    late = scene.rng.choice([{"leaf"}, {"issuer"}, {"root"}, {"root"}, {"leaf", "root"}, {"issuer", "root"}])
    root = scene.root("Root", **_maybe(scene, "root" in late, scene.untimely()))
    issuer = scene.authority("Issuer", root, **_maybe(scene, "issuer" in late, scene.untimely()))
    scene.end(issuer, **_maybe(scene, "leaf" in late, scene.untimely()))
    scene.serve(issuer, *scene.some([root]))
    scene.trust(root)


def trusted_intermediate(scene: Scene) -> None:
    """The anchor is an intermediate: sound, expired, without CA flag, too short; what is above it may be served."""
    root = scene.root("Root")
    option: dict[str, Any] = scene.rng.choice(
        [{}, {}, {}, scene.untimely(), {"ca": False}, {"path_length": 0}, {"without": (x509.BasicConstraints,)}]
    )
    top = scene.authority("Top", root, **option)
    line = scene.line(top, scene.rng.randint(0, 2))
    scene.end(line[0])
    scene.serve(*line[:-1], *scene.some([top, root]))
    scene.trust(top, *scene.some([root, scene.root("Bystander")]))


def trusted_at_every_floor(scene: Scene) -> None:
    """Several certificates of one line are anchors."""
    line = scene.line(scene.root("Root"), scene.rng.randint(2, 4))
    scene.end(line[0])
    scene.serve(*line[: -1 if scene.chance(0.7) else None])
    scene.trust(*scene.some(line, at_least=1))


def no_authority(scene: Scene) -> None:
    """An issuer that does not say that it is an authority: the flag is off or missing, or it may not sign."""
    victim = scene.rng.choice(["issuer", "issuer", "root"])
    fault: dict[str, Any] = scene.rng.choice(
        [
            {"ca": False},
            {"without": (x509.BasicConstraints,)},
            {"extra": [(_usage(signs=False), True)]},
            {"without": (x509.KeyUsage,)},
            {"extra": [(x509.BasicConstraints(ca=True, path_length=None), False)]},
        ]
    )
    root = scene.root("Root", **_maybe(scene, victim == "root", fault))
    issuer = scene.authority("Issuer", root, **_maybe(scene, victim == "issuer", fault))
    scene.end(issuer)
    scene.serve(issuer, *scene.some([root]))
    scene.trust(root)


def path_length(scene: Scene) -> None:
    """A limit on the number of intermediates, kept or broken, set by the anchor or below it."""
    root = scene.root("Root", **_maybe(scene, 0.5, {"path_length": scene.rng.randint(0, 2)}))
    upper = scene.authority("Upper", root, **_maybe(scene, 0.5, {"path_length": scene.rng.randint(0, 2)}))
    line = scene.line(upper, scene.rng.randint(0, 2))
    if scene.chance(0.2):
        # A self-issued certificate (as for a change of keys) is not counted.
        line.insert(0, scene.authority(f"I{len(line) - 1}" if len(line) > 1 else "Upper", line[0]))
    scene.end(line[0])
    scene.serve(*line, *scene.some([root]))
    scene.trust(root)


def name_constraints(scene: Scene) -> None:
    """Names permitted or excluded by an intermediate or the anchor."""
    if scene.chance(0.15):
        scene.host = _LOOPBACK
    parent = scene.host.split(".", 1)[1]
    subject = scene.rng.choice(["Leaf", "Leaf", scene.host])
    within: list[x509.GeneralName] = [
        x509.DNSName(scene.rng.choice([scene.host, parent, "." + parent, "test", "other.test", "." + scene.host])),
        x509.IPAddress(ipaddress.ip_network(scene.rng.choice(["127.0.0.0/8", "10.0.0.0/8"]))),
        x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, scene.rng.choice([subject, "Other"]))])),
        x509.RFC822Name("example.test"),
    ]
    chosen = within[:1] if scene.chance(0.5) else scene.rng.sample(within, scene.rng.randint(1, 2))
    if scene.chance(0.5):
        constraints = x509.NameConstraints(permitted_subtrees=chosen, excluded_subtrees=None)
    else:
        constraints = x509.NameConstraints(permitted_subtrees=None, excluded_subtrees=chosen)
    option = {"extra": [(constraints, scene.chance(0.8))]}
    by_anchor = scene.chance(0.3)
    root = scene.root("Root", **_maybe(scene, by_anchor, option))
    issuer = scene.authority("Issuer", root, **_maybe(scene, not by_anchor, option))
    line = [issuer] if scene.chance(0.7) else [scene.authority("Lower", issuer), issuer]
    names = [(scene.host,)] * 4 + [(scene.host, "other.test"), ()]
    if constraints.permitted_subtrees:
        # What a wildcard is under an excluded name has changed between updates of the JDK.
        names.append((f"*.{parent}",))
    scene.end(line[0], subject=subject, names=scene.rng.choice(names))
    scene.serve(*line)
    scene.trust(root)


def purposes(scene: Scene) -> None:
    """Extended key usages of the leaf, an intermediate or the anchor that do or do not allow a server."""
    victim = scene.rng.choice(["leaf", "leaf", "issuer", "root"])
    option = {"extra": [(scene.rng.choice([_CLIENTS_ONLY, _ANY_PURPOSE, _SERVERS_TOO]), scene.chance(0.2))]}
    root = scene.root("Root", **_maybe(scene, victim == "root", option))
    issuer = scene.authority("Issuer", root, **_maybe(scene, victim == "issuer", option))
    none = {"server_auth": scene.chance(0.5)}
    scene.end(issuer, **(option if victim == "leaf" else none))
    scene.serve(issuer)
    scene.trust(root)


def leaf_usage(scene: Scene) -> None:
    """Key usages of the leaf that suit a TLS server or not, or a leaf that says it is an authority."""
    root = scene.root("Root")
    option: dict[str, Any] = scene.rng.choice(
        [
            {"extra": [(_usage(signs=True), True)]},
            {"extra": [(_usage(signs=False, digital=False), True)]},
            {"without": (x509.KeyUsage,)},
            {"ca": True},
            {"without": (x509.BasicConstraints,)},
            {"ca": True, "path_length": 0},
        ]
    )
    issuer = scene.authority("Issuer", root)
    scene.end(issuer, **option)
    scene.serve(issuer)
    scene.trust(root)


def names(scene: Scene) -> None:
    """Names in the leaf that cover the host or miss it: wildcards, common names, upper case, addresses."""
    root = scene.root("Root")
    first, _, parent = scene.host.partition(".")
    options: list[dict[str, Any]] = [
        {"names": ("other.example.test",)},
        {"names": ("other.example.test",), "subject": scene.host},
        {"names": (), "subject": scene.host},
        {"names": (), "subject": f"*.{parent}"},
        {"names": (), "subject": "other.example.test"},
        {"names": (_LOOPBACK,), "subject": scene.host},
        {"names": (f"*.{parent}",)},
        {"names": (f"*.{parent}", "other.example.test")},
        {"names": (f"*.{parent.partition('.')[2]}",)},
        {"names": (f"{first[:2]}*.{parent}",)},
        {"names": (f"*{first[2:]}.{parent}",)},
        {"names": (f"{first}.*.{parent.partition('.')[2]}",)},
        {"names": (f"*.*.{parent.partition('.')[2]}",)},
        {"names": ("*.test",)},
        {"names": ("*",)},
        {"names": (scene.host.upper(),)},
        {"names": (f"*.{parent.upper()}",)},
        {"names": (f"{scene.host}.",)},
        {"names": (f".{parent}",)},
        {
            "names": (),
            "subject": scene.host,
            "extra": [(x509.SubjectAlternativeName([x509.RFC822Name("a@b.test")]), False)],
        },
        {"subject": "", "names": (scene.host,)},
        {"subject": "", "extra": [(x509.SubjectAlternativeName([x509.DNSName(scene.host)]), True)]},
        {"extra": [(x509.SubjectAlternativeName([x509.DNSName(scene.host)]), True)]},
    ]
    issuer = scene.authority("Issuer", root)
    scene.end(issuer, **scene.rng.choice(options))
    scene.serve(issuer)
    scene.trust(root)


def address(scene: Scene) -> None:
    """The host is an IP address; the leaf names it as an address, as a DNS name, as common name or not at all."""
    scene.host = _LOOPBACK
    root = scene.root("Root")
    as_dns = x509.SubjectAlternativeName([x509.DNSName(_LOOPBACK)])
    options: list[dict[str, Any]] = [
        {"names": (_LOOPBACK,)},
        {"names": (_LOOPBACK, "example.test")},
        {"names": ("::1", _LOOPBACK)},
        {"names": ("127.0.0.2",)},
        {"names": (), "subject": _LOOPBACK},
        {"names": (), "extra": [(as_dns, False)]},
        {"names": ("*.0.0.1",)},
        {"names": ("::ffff:127.0.0.1",)},
    ]
    scene.end(root, **scene.rng.choice(options))
    scene.trust(root)


def missing_intermediate(scene: Scene) -> None:
    """Something between leaf and root is served by nobody."""
    line = scene.line(scene.root("Root"), scene.rng.randint(1, 3))
    scene.end(line[0], **_maybe(scene, 0.1, scene.untimely()))
    missing = scene.rng.choice(line[:-1])
    scene.serve(*(one for one in line if one is not missing))
    scene.trust(line[-1])


def unknown_root(scene: Scene) -> None:
    """A sound chain to a root that the store does not have; it is served or not."""
    line = scene.line(scene.root("Root"), scene.rng.randint(0, 2))
    scene.end(line[0])
    scene.serve(*line[: None if scene.chance(0.6) else -1])
    scene.trust(scene.root(scene.rng.choice(["Bystander", "Root"])))


def impostor_root(scene: Scene) -> None:
    """The store has one or two roots of one name with different keys; one of them signed."""
    real, fake = scene.root("Root"), scene.root("Root")
    line = scene.line(real, scene.rng.randint(0, 1))
    scene.end(line[0])
    scene.serve(*line[:-1], *scene.some([real, fake]))
    scene.trust(*scene.some([real, fake, fake], at_least=1))


def forged(scene: Scene) -> None:
    """A signature in the issuer's name that its key did not make, somewhere on the path."""
    root = scene.root("Root")
    issuer = scene.authority("Issuer", root)
    forger = scene.authority("Forger", root)
    if scene.chance(0.5):
        scene.end(as_if(issuer, forger))
    else:
        issuer = scene.authority("Issuer", as_if(root, forger), key=issuer.key)
        scene.end(issuer)
    scene.serve(issuer, *scene.some([forger, root]))
    scene.trust(root)


def key_identifiers(scene: Scene) -> None:
    """Key identifiers of leaf or issuer that are absent, or point elsewhere, or name issuer and serial number."""
    odd: dict[str, Any] = {"extra": [(x509.SubjectKeyIdentifier(scene.rng.randbytes(20)), False)]}
    none: dict[str, Any] = {"without": (x509.SubjectKeyIdentifier,)}
    root = scene.root("Root", **scene.rng.choice([{}, {}, {}, odd, none]))
    by_root, by_issuer = scene.rng.choice([(True, False), (False, True), (False, True)])
    key = scene.key()
    issuer = scene.authority(
        "Issuer", root, key=key, **scene.rng.choice([{}, odd, none]) if by_issuer else _pointing_to(scene, root)
    )
    twin = scene.authority("Issuer", root, key=key, **scene.rng.choice([{}, odd, none, scene.expired()]))
    scene.end(issuer, **({} if by_root else _pointing_to(scene, issuer)))
    scene.serve(*scene.some([issuer, twin], at_least=1), *scene.some([root]))
    scene.trust(root)


def _pointing_to(scene: Scene, issuer: Issued) -> dict[str, Any]:
    """Options for an authority key identifier that means this issuer, or does not."""
    certificate = x509.load_der_x509_certificate(issuer.certificate.der)
    name, serial = x509.DirectoryName(certificate.issuer), certificate.serial_number
    right, elsewhere = issuer.key.public_key(), scene.rng.randbytes(20)
    identifier = scene.rng.choice(
        [
            x509.AuthorityKeyIdentifier(elsewhere, None, None),
            x509.AuthorityKeyIdentifier(None, [name], serial),
            x509.AuthorityKeyIdentifier(None, [name], serial + 1),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(right),
            None,
        ]
    )
    return {"extra": [(identifier, False)]} if identifier else {"without": (x509.AuthorityKeyIdentifier,)}


def deep(scene: Scene) -> None:
    """One to eleven intermediates."""
    line = scene.line(scene.root("Root"), scene.rng.randint(1, 11))
    scene.end(line[0])
    scene.serve(*line[: None if scene.chance(0.4) else -1])
    if scene.chance(0.3):
        scene.rng.shuffle(scene.served)
    scene.trust(line[-1])


def disorder(scene: Scene) -> None:
    """Intermediates in any order, some twice, strangers and stale ones among them."""
    root, stranger = scene.root("Root"), scene.root("Stranger")
    line = scene.line(root, scene.rng.randint(2, 4))
    stale = scene.authority("Stale", root, **_maybe(scene, 0.5, scene.expired()))
    scene.end(line[0])
    scene.serve(*line[:-1], *scene.some([stranger, stale, root, *line]))
    scene.rng.shuffle(scene.served)
    scene.trust(root, *scene.some([stranger]))


def circle(scene: Scene) -> None:
    """Two authorities that sign each other; either, both or neither have a trusted root."""
    first, second = scene.root("A"), scene.root("B")
    by_second = scene.authority("A", second, key=first.key)
    by_first = scene.authority("B", first, key=second.key)
    scene.end(first)
    scene.serve(*scene.some([by_second, by_first, first, second], at_least=1))
    scene.trust(*scene.some([first, second, by_first], at_least=1))


def dead_end(scene: Scene) -> None:
    """Beside the sound issuer its key has a certificate that leads nowhere, or to somebody unknown."""
    root, unknown = scene.root("Root"), scene.root("Unknown")
    key = scene.key()
    sound = scene.authority("Issuer", root, key=key)
    fault: dict[str, Any] = scene.rng.choice(
        [{}, {}, {"ca": False}, scene.expired(), {"path_length": 0}, {"extra": [(_CLIENTS_ONLY, False)]}]
    )
    astray = scene.authority("Issuer", unknown if scene.chance(0.7) else root, key=key, **fault)
    line = scene.line(sound, scene.rng.randint(0, 1))
    scene.end(line[0])
    scene.serve(*line[:-1], *scene.some([astray, sound], at_least=2), *scene.some([unknown]))
    scene.trust(root)


def self_issued(scene: Scene) -> None:
    """Names that meet on a path though the keys differ: a leaf named as its issuer, a change of a root's keys."""
    root = scene.root("Root")
    if scene.chance(0.5):
        issuer = scene.authority("Issuer", root)
        scene.end(issuer, subject="Issuer")
    else:
        issuer = scene.authority("Root", root)
        scene.end(issuer)
    scene.serve(*scene.some([issuer, issuer, root], at_least=1))
    scene.trust(root)


def rare_keys(scene: Scene) -> None:
    """Keys and extensions that are rare: Ed25519, P-384, short RSA keys, a critical extension of nobody."""
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    option: dict[str, Any] = scene.rng.choice(
        [
            {"key": new_key("ed25519")},
            {"key": ec.generate_private_key(ec.SECP384R1())},
            {"key": ec.generate_private_key(ec.SECP521R1())},
            {"key": rsa.generate_private_key(public_exponent=65537, key_size=1024)},  # noqa: S505 - old ones are about
            {"extra": [(unknown, True)]},
            {"extra": [(unknown, False)]},
        ]
    )
    victim = scene.rng.choice(["leaf", "issuer", "root"])
    root = scene.root("Root", **_maybe(scene, victim == "root", option))
    issuer = scene.authority("Issuer", root, **_maybe(scene, victim == "issuer", option))
    scene.end(issuer, **_maybe(scene, victim == "leaf", option))
    scene.serve(issuer, *scene.some([root]))
    scene.trust(root)


def old_forms(scene: Scene) -> None:
    """SHA-1 signatures, authorities of version 1, compressed points, RSASSA-PSS keys and signatures."""
    rewrite = scene.rng.choice([with_sha1, as_version_1, with_compressed_point, with_pss_key, with_pss])
    signer_kind: KeyKind = "rsa" if rewrite in (with_pss, with_pss_key) else "ecdsa"
    victim = scene.rng.choice(["leaf", "issuer", "root"] if rewrite in (with_sha1, with_pss) else ["issuer", "root"])
    root = scene.root("Root", key=scene.key_of(signer_kind))
    if victim == "root":
        root = scene.recast(root, rewrite(root, root.key))
    issuer = scene.authority("Issuer", root, key=scene.key_of(signer_kind))
    if rewrite is with_pss_key and victim == "root":
        issuer = scene.recast(issuer, with_pss(issuer, root.key))
    if victim == "issuer":
        issuer = scene.recast(issuer, rewrite(issuer, root.key))
    leaf = scene.end(issuer)
    if victim == "leaf" or (rewrite is with_pss_key and victim == "issuer"):
        scene.leaf = scene.recast(leaf, (with_pss if rewrite is with_pss_key else rewrite)(leaf, issuer.key))
    scene.serve(issuer, *scene.some([root]))
    scene.trust(root)


def anything(scene: Scene) -> None:
    """A few names with a key or two each, certificates in every direction, some out of date."""
    titles = [f"N{number}" for number in range(scene.rng.randint(2, 4))]
    keys = {title: [scene.key() for _ in range(scene.rng.choice([1, 1, 2]))] for title in titles}
    made: list[Issued] = [scene.root(title, key=key) for title in titles for key in keys[title] if scene.chance(0.7)]
    made = made or [scene.root(titles[0], key=keys[titles[0]][0])]
    for _ in range(scene.rng.randint(1, 5)):
        title = scene.rng.choice(titles)
        fault: dict[str, Any] = scene.rng.choice([{}] * 8 + [scene.untimely(), {"ca": False}, {"path_length": 0}])
        made.append(scene.authority(title, scene.rng.choice(made), key=scene.rng.choice(keys[title]), **fault))
    scene.end(scene.rng.choice(made))
    scene.serve(*scene.some(made, at_least=1))
    scene.trust(*scene.some(made, at_least=1)[: scene.rng.randint(1, 3)])


SITUATIONS: Sequence[Situation] = (
    plain,
    cross_signed_root,
    cross_signed_intermediate,
    root_and_cross_sign_trusted,
    renewed_intermediate,
    renewed_root,
    rekeyed_intermediate,
    self_signed_leaf,
    trusted_leaf,
    untimely_parts,
    trusted_intermediate,
    trusted_at_every_floor,
    no_authority,
    path_length,
    name_constraints,
    purposes,
    leaf_usage,
    names,
    address,
    missing_intermediate,
    unknown_root,
    impostor_root,
    forged,
    key_identifiers,
    deep,
    disorder,
    circle,
    dead_end,
    self_issued,
    rare_keys,
    old_forms,
    anything,
)


def _maybe(scene: Scene, probability: float, options: dict[str, Any]) -> dict[str, Any]:
    """These options this often, else none."""
    return options if scene.chance(probability) else {}


def _usage(*, signs: bool, digital: bool = True) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=not digital,
        key_cert_sign=signs,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
