"""``web:`` and the file that it names, when nothing is wrong with them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitord import pki
from monitord.config.load import load
from monitord.config.settings import ProbeScope, WebSettings
from monitord.config.webfile import RateLimit, load_web_file

if TYPE_CHECKING:
    from pathlib import Path

    from tests.config.conftest import Loader

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
USERS = f"basic_auth_users: {{alice: {HASH}}}\n"
_OPEN = "can be reached from other hosts"


def test_the_file_lies_beside_the_one_that_names_it(load_text: Loader, tmp_path: Path) -> None:
    """And who may write is known, so that reloading can be allowed."""
    (tmp_path / "web.yaml").write_text(USERS)
    web = load_text("web: {listen: ':9000', config_file: web.yaml, probe: registered, reload: true}\n").web
    assert web == WebSettings("", 9000, tmp_path / "web.yaml", ProbeScope.REGISTERED, reload=True)


def test_commands_that_tell_nobody_do_not_read_it(tmp_path: Path) -> None:
    """They may run where its keys are not to be had."""
    path = tmp_path / "monitord.yaml"
    path.write_text("web: {config_file: none.yaml, reload: true}\n")
    assert load(path, environment={}, receivers=False).web == WebSettings()


@pytest.mark.parametrize(
    ("web", "warned"),
    [
        ("listen: ':9843'", True),
        ("listen: '192.0.2.1:9843'", True),
        ("listen: 'monitor.example.com:9843'", True),
        ("listen: ':9843', probe: registered", False),
        ("listen: ':9843', config_file: web.yaml", False),
        ("listen: ':9843', config_file: headers.yaml", True),
        ("listen: '127.0.0.2:9843'", False),
        ("listen: '[::1]:9843'", False),
        ("listen: 'localhost:9843'", False),
    ],
)
def test_probing_for_anybody_is_dubious(web: str, warned: bool, load_text: Loader, tmp_path: Path) -> None:
    """Where others reach the listener, nobody logs in, and any target may be named."""
    (tmp_path / "web.yaml").write_text(USERS)
    (tmp_path / "headers.yaml").write_text("http_server_config: {headers: {X-Frame-Options: deny}}\n")
    warnings = [str(warning) for warning in load_text(f"web: {{{web}}}\n").warnings]
    assert any(re.search(_OPEN, warning) for warning in warnings) == warned


def test_everything_that_the_file_may_say(tmp_path: Path) -> None:
    """Values as exporter-toolkit writes them; the key also where systemd provides credentials."""
    server, authority = pki.issue("server", names=["a.example"]), pki.issue("Root")
    (tmp_path / "server.pem").write_bytes(server.pem)
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "server.key").write_bytes(server.key_pem)
    path = tmp_path / "web.yaml"
    path.write_text(
        "tls_server_config:\n"
        "  cert_file: server.pem\n"
        "  key_file: server.key\n"
        "  client_auth_type: VerifyClientCertIfGiven\n"
        "  client_ca_file: ca.pem\n"
        "  min_version: TLS12\n"
        "  max_version: TLS13\n"
        "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]\n"
        "  prefer_server_cipher_suites: false\n"
        "  curve_preferences: [X25519]\n"
        "http_server_config:\n"
        "  http2: true\n"
        "  headers: {X-XSS-Protection: 0, X-Frame-Options: deny}\n"
        f"{USERS}"
        "rate_limit: {interval: 100ms, burst: 20}\n"
    )
    found = load_web_file(path, {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")})
    assert found.tls is not None
    assert found.tls.verifies_clients
    assert {user: secret.reveal() for user, secret in found.users.items()} == {"alice": HASH}
    assert found.headers == {"X-XSS-Protection": "0", "X-Frame-Options": "deny"}
    assert found.rate_limit == RateLimit(timedelta(milliseconds=100), 20)
    files = ("web.yaml", "server.pem", "credentials/server.key", "ca.pem")
    assert found.files == tuple(tmp_path / file for file in files)
    assert HASH not in repr(found)
