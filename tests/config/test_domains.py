"""How a domain is reached: STARTTLS, proxy, client certificate, SNI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord.config.faults import UnfitError
from monitord.config.proxies import parse_proxy
from monitord.pinning.target import Proxy, StartTls, Target
from monitord.pki import issue, new_key

if TYPE_CHECKING:
    from pathlib import Path

    from tests.config.conftest import Loader


def test_a_domain_that_is_reached_in_a_special_way(load_text: Loader, tmp_path: Path) -> None:
    """STARTTLS, a proxy, a client certificate and no SNI arrive as values; no secret is in their printed form."""
    (tmp_path / "proxy-password").write_text("the p:ssword\n")
    client, authority = issue("client", ca=False), issue("authority")
    (tmp_path / "client.pem").write_bytes(client.pem + authority.pem)
    (tmp_path / "client-key.pem").write_bytes(client.key_pem)
    configuration = load_text(
        """
domains:
  - host: a.example.com
    port: 25
    sni: false
    starttls: smtp
    proxy: http://us%C3%A9r@Proxy.example.com:3128/
    proxy_password_file: proxy-password
    client_certificate: {cert_file: client.pem, key_file: client-key.pem}
  - {host: b.example.com, proxy: "http://user:${PASSWORD}@[2001:db8::1]:80"}
  - {host: c.example.com, proxy: "${PROXY}"}
  - {host: d.example.com, proxy: "http://proxy.example.com:3128"}
  - {host: e.example.com, sni: true}
""",
        PASSWORD="p%40ss",
        PROXY="http://me:s3cret@proxy.example.com:3128",
    )
    a, b, c, d, e = configuration.targets
    assert (a.send_server_name, a.name, a.starttls) == (False, "a.example.com", StartTls.SMTP)
    assert a.proxy == Proxy("proxy.example.com", 3128, "usér", "the p:ssword")
    assert a.client_certificate is not None
    assert a.client_certificate.chain == (client.certificate.der, authority.certificate.der)
    key = load_der_private_key(a.client_certificate.key, None)
    assert key.public_key() == client.key.public_key()
    assert b.proxy == Proxy("2001:db8::1", 80, "user", "p@ss")
    assert c.proxy == Proxy("proxy.example.com", 3128, "me", "s3cret")
    assert d.proxy == Proxy("proxy.example.com", 3128)
    assert e == Target("e.example.com")
    for secret in ("ssword", "p@ss", "p%40ss", "s3cret", repr(a.client_certificate.key)):
        assert secret not in repr(configuration)


def test_a_client_certificate_may_be_one_file_or_a_credential(load_text: Loader, tmp_path: Path) -> None:
    """Certificate and key in one file, as some tools want it; DER; and a key that the service manager provides."""
    client = issue("client", ca=False, key=new_key("rsa"))
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (tmp_path / "both.pem").write_bytes(client.key_pem + client.pem)
    (tmp_path / "client.der").write_bytes(client.certificate.der)
    (credentials / "key").write_bytes(
        client.key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    one, other = load_text(
        """
domains:
  - {host: a.example.com, client_certificate: {cert_file: both.pem, key_file: both.pem}}
  - {host: b.example.com, client_certificate: {cert_file: client.der, key_file: somewhere/key}}
""",
        CREDENTIALS_DIRECTORY=str(credentials),
    ).targets
    assert one.client_certificate == other.client_certificate
    assert one.client_certificate is not None


def test_starttls_at_the_default_port_is_dubious(load_text: Loader) -> None:
    """Most probably the port was forgotten."""
    configuration = load_text("domains: [{host: a.example.com, starttls: smtp}]\n")
    assert "smtp at port 443 is unusual; is port missing?" in [warning.message for warning in configuration.warnings]


@settings(deadline=None)
@given(before=st.text(max_size=20), after=st.text(max_size=20), scheme=st.sampled_from(["http://", "https://", ""]))
def test_no_spelling_shows_a_password(before: str, after: str, scheme: str) -> None:
    """Wherever in the text it stands, and whatever else is wrong."""
    said = ""
    try:
        said = repr(parse_proxy(f"{scheme}{before}S3CRET{after}"))
    except UnfitError as error:
        said = str(error)
    assert "S3CRET" not in said
