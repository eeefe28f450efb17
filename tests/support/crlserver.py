"""What a CA runs beside issuing: revocation lists over HTTP, and an OCSP responder."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from monitord.pinning import der

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from monitord import pki
    from monitord.pinning.certificate import Certificate

    Extension = tuple[x509.ExtensionType, bool]

WEEK = timedelta(days=7)
_DER = serialization.Encoding.DER


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived; ``headers`` have lower-case names."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass
class CaServer:
    """A web server on loopback.

    ``files`` are served under their paths, with an ETag, and 304 for who has them already. ``statuses`` are answered
    in their place. ``responder`` makes the answer to an OCSP question that comes in under ``/ocsp``; ``questions`` are
    those that came.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    responder: Callable[[bytes], bytes] = lambda _: b""
    asked: list[Asked] = field(default_factory=list)
    questions: list[bytes] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        """Listen on a free port, or again on the one it had."""
        app = web.Application()
        app.router.add_route("*", "/ocsp{question:.*}", self._respond)
        app.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        """Where something is served."""
        return f"{self.origin}/{path}"

    def _note(self, request: web.Request) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(request.method, request.path.removeprefix("/"), headers))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self._note(request)
        path = request.match_info["path"]
        if path in self.statuses or path not in self.files:
            return web.Response(status=self.statuses.get(path, 404))
        tag = f'"{hash(self.files[path])}"'
        if request.headers.get("if-none-match") == tag:
            return web.Response(status=304)
        return web.Response(body=self.files[path], headers={"etag": tag})

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        self._note(request)
        if request.method == "POST":
            question = await request.read()
        else:
            question = base64.b64decode(unquote(request.rel_url.raw_path.removeprefix("/ocsp/")))
        self.questions.append(question)
        return web.Response(body=self.responder(question), content_type="application/ocsp-response")


def points(*names: str | x509.DistributionPoint) -> Extension:
    """CRL distribution points, each a URL or as given."""
    return (
        x509.CRLDistributionPoints(
            [
                x509.DistributionPoint([x509.UniformResourceIdentifier(name)], None, None, None)
                if isinstance(name, str)
                else name
                for name in names
            ]
        ),
        False,
    )


def answered_by(*urls: str) -> Extension:
    """Authority information that names OCSP responders."""
    return (
        x509.AuthorityInformationAccess(
            [
                x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))
                for url in urls
            ]
        ),
        False,
    )


def scope(*urls: str, **flags: bool | frozenset[x509.ReasonFlags]) -> Extension:
    """An issuing distribution point."""
    options: dict[str, Any] = {
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
        **flags,
    }
    names = [x509.UniformResourceIdentifier(url) for url in urls] or None
    return x509.IssuingDistributionPoint(full_name=names, **options), True


def revocation(
    certificate: Certificate | int,
    at: datetime,
    reason: x509.ReasonFlags | None = None,
    extra: Sequence[Extension] = (),
) -> x509.RevokedCertificate:
    """An entry of a list, for a certificate or a serial number."""
    serial = certificate if isinstance(certificate, int) else int.from_bytes(certificate.serial)
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at)
    if reason is not None:
        builder = builder.add_extension(x509.CRLReason(reason), critical=False)
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical)
    return builder.build()


def revocation_list(
    issuer: pki.Issued,
    begin: datetime,
    *entries: x509.RevokedCertificate,
    end: datetime | None = None,
    extra: Sequence[Extension] = (),
    key: pki.PrivateKey | None = None,
) -> bytes:
    """A list in DER; ``key`` signs it in place of the issuer's."""
    name = x509.load_der_x509_certificate(issuer.certificate.der).subject
    builder = x509.CertificateRevocationListBuilder().issuer_name(name)
    builder = builder.last_update(begin).next_update(end or begin + WEEK)
    for entry in entries:
        builder = builder.add_revoked_certificate(entry)
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical)
    signer = key or issuer.key
    return builder.sign(signer, _digest(signer)).public_bytes(_DER)


def raw_revocation_list(issuer: pki.Issued, *fields: bytes) -> bytes:
    """A list whose signed part has these fields after the issuer, as DER, and is of version 2."""
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256
    version = der.encode(der.INTEGER, b"\x01")
    signed = der.encode(der.SEQUENCE, version + algorithm + issuer.certificate.subject + b"".join(fields))
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    signature = issuer.key.sign(signed, ec.ECDSA(hashes.SHA256()))
    return der.encode(der.SEQUENCE, signed + algorithm + der.encode(der.BIT_STRING, b"\0" + signature))


def utc_time(moment: datetime) -> bytes:
    """A UTCTime."""
    return der.encode(der.UTC_TIME, moment.strftime("%y%m%d%H%M%SZ").encode())


def ocsp_answer(
    certificate: Certificate,
    issuer: Certificate,
    signer: pki.Issued,
    begin: datetime,
    *,
    end: datetime | None = None,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    revoked_at: datetime | None = None,
    reason: x509.ReasonFlags | None = None,
    enclosed: Sequence[pki.Issued] = (),
    extra: Sequence[Extension] = (),
    digest: hashes.HashAlgorithm | None = None,
) -> bytes:
    """A response in DER about one certificate."""
    builder = ocsp.OCSPResponseBuilder().add_response(
        x509.load_der_x509_certificate(certificate.der),
        x509.load_der_x509_certificate(issuer.der),
        digest or hashes.SHA1(),  # noqa: S303 - what responders use
        status,
        begin,
        end,
        revoked_at,
        reason,
    )
    responder = x509.load_der_x509_certificate(signer.certificate.der)
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder)
    if enclosed:
        builder = builder.certificates([x509.load_der_x509_certificate(one.certificate.der) for one in enclosed])
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer.key, _digest(signer.key)).public_bytes(_DER)


def _digest(key: pki.PrivateKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
