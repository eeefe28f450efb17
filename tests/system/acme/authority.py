"""acme2certifier and certbot: the one issues, the other obtains."""

from __future__ import annotations

import os
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from monitord import pki
from monitord.pinning.certificate import Certificate, certificates_in, parse_certificate

_HERE = Path(__file__).parent
_CONFIGURATION = """\
[DEFAULT]
debug: False
[CAhandler]
handler_module: acme2certifier.cahandlers.openssl_ca_handler
issuing_ca_key: {directory}/issuer-key.pem
issuing_ca_cert: {directory}/issuer.pem
issuing_ca_crl: {directory}/crl.pem
ca_cert_chain_list: ["{directory}/root.pem"]
cert_save_path: {directory}/issued
cert_validity_days: 90
[DBhandler]
handler: wsgi
dbfile: {directory}/acme.db
[Challenge]
challenge_validation_disable: True
[Renewalinfo]
renewalthreshold_pctg: 66
retry_after_timeout: {retry_after}
renewal_force: {force}
"""


class AcmeAuthority:
    """A CA that issues by ACME for any name, without asking for proof; ``with`` runs it.

    ``force`` and ``retry_after`` (seconds) count from the next start on: whether all is to be renewed at once.
    """

    def __init__(self, programs: Path, directory: Path) -> None:
        """An authority whose files are in ``directory``, which is made. ``programs`` is what ``install`` gave."""
        self.force = False
        self.retry_after = 21600
        self.port = 0
        self._programs = programs
        self._directory = directory
        self._process: subprocess.Popen[str] | None = None
        (directory / "issued").mkdir(parents=True)
        root = pki.issue("Test Root")
        self.issuer = pki.issue("Test Issuer", issuer=root)
        server = pki.issue("127.0.0.1", issuer=root, names=["127.0.0.1"])
        (directory / "root.pem").write_bytes(root.pem)
        (directory / "issuer.pem").write_bytes(self.issuer.pem)
        (directory / "issuer-key.pem").write_bytes(self.issuer.key_pem)
        (directory / "server.pem").write_bytes(server.pem + server.key_pem)
        (directory / "crl.pem").write_bytes(_empty_crl(self.issuer))
        self.trust = ssl.create_default_context(cafile=directory / "root.pem")

    def __enter__(self) -> Self:
        """Start, on the port of the last time if there was one."""
        configuration = self._directory / "acme_srv.cfg"
        settings = {"directory": self._directory, "retry_after": self.retry_after, "force": self.force}
        configuration.write_text(_CONFIGURATION.format(**settings), "utf-8")
        # Proof of control is none of these tests' business, and the program wants this said.
        risky = {"ACME_SRV_CONFIGFILE": str(configuration), "ACME2CERTIFIER_I_KNOW_THE_RISK": "1"}
        program, certificate = str(_HERE / "serving.py"), str(self._directory / "server.pem")
        command = [str(self._programs / "python"), program, str(self.port), certificate]
        with (self._directory / "server.log").open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | risky, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, (self._directory / "server.log").read_text("utf-8")
        self.port = int(line)
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()

    @property
    def directory_url(self) -> str:
        """The URL of the ACME directory."""
        return f"https://127.0.0.1:{self.port}/directory"

    def issue(self, host: str) -> tuple[Certificate, ...]:
        """The chain that certbot obtains for this name, with a new key."""
        state = self._directory / "certbot"
        places = ["--config-dir", str(state), "--work-dir", str(state / "work"), "--logs-dir", str(state / "logs")]
        how = ["--manual", "--manual-auth-hook", "true", "--preferred-challenges", "http", "--force-renewal"]
        consent = ["--non-interactive", "--agree-tos", "-m", "ops@example.com", "--no-eff-email"]
        asked = ["--server", self.directory_url, "-d", host, "--cert-name", host]
        run = subprocess.run(
            [str(self._programs / "certbot"), "certonly", *asked, *how, *consent, *places],
            env=os.environ | {"REQUESTS_CA_BUNDLE": str(self._directory / "root.pem")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr + (self._directory / "server.log").read_text("utf-8")
        pem = (state / "live" / host / "fullchain.pem").read_bytes()
        return tuple(parse_certificate(der) for der in certificates_in(pem))


def _empty_crl(issuer: pki.Issued) -> bytes:
    """A CRL without entries: the program does not issue without one."""
    now = datetime.now(UTC)
    name = x509.load_der_x509_certificate(issuer.certificate.der).subject
    builder = x509.CertificateRevocationListBuilder().issuer_name(name)
    builder = builder.last_update(now).next_update(now + timedelta(days=7))
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
