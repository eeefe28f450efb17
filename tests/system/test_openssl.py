"""Servers that are old or odd, by the program that can be all of them: ``openssl s_server``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from monitord import pki
from tests.support.daemon import write_config
from tests.support.deployment import SPARE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system

HOST = "api.example.com"


@contextmanager
def s_server(*options: str) -> Iterator[int]:
    """``openssl s_server`` with these options; its port."""
    command = ["/usr/bin/openssl", "s_server", "-accept", "127.0.0.1:0", *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            accepting = next(line for line in process.stdout if line.startswith("ACCEPT"))
            yield int(re.sub(r".*:", "", accepting))
        finally:
            process.kill()


@pytest.fixture(scope="module")
def chain() -> tuple[pki.Issued, pki.Issued, pki.Issued]:
    """An RSA leaf, an intermediate, a root."""
    root = pki.issue("Root")
    intermediate = pki.issue("Intermediate", issuer=root)
    return pki.issue(HOST, issuer=intermediate, names=[HOST], key=pki.new_key("rsa")), intermediate, root


def look(directory: Path, chain: tuple[pki.Issued, pki.Issued, pki.Issued], *options: str) -> tuple[int, Any]:
    """What ``check`` says of such a server: its exit code and the verdict."""
    leaf, intermediate, root = chain
    for name, content in (("leaf", leaf.pem), ("key", leaf.key_pem), ("inter", intermediate.pem), ("root", root.pem)):
        (directory / f"{name}.pem").write_bytes(content)
    files = {name: str(directory / f"{name}.pem") for name in ("leaf", "key", "inter", "root")}
    with s_server(*(option.format(**files) for option in options)) as port:
        domain = {"host": HOST, "connect_to": [f"127.0.0.1:{port}"], "pins": [str(leaf.certificate.pin), SPARE]}
        trust = {"default": "test", "test": "root.pem"}
        config = write_config(directory / "monitord.yaml", trust=trust, domains=[domain])
        run = subprocess.run(
            [sys.executable, "-m", "monitord", "-c", str(config), "check", "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.stderr == ""
    return run.returncode, json.loads(run.stdout)


SERVED = ("-cert", "{leaf}", "-key", "{key}", "-cert_chain", "{inter}")


@pytest.mark.parametrize(
    ("options", "version"),
    [
        (("-tls1_2", "-cipher", "AES128-SHA@SECLEVEL=0"), "TLSv1.2"),  # no forward secrecy, as on old appliances
        (("-tls1_2", "-serverpref", "-no_ticket", "-legacy_renegotiation"), "TLSv1.2"),
        (("-tls1_3", "-groups", "P-384"), "TLSv1.3"),  # asks the client to begin again with another key share
        (("-Verify", "1", "-CAfile", "{root}"), "TLSv1.3"),
        (("-tls1_2", "-Verify", "1", "-CAfile", "{root}"), None),
    ],
    ids=["rsa key exchange", "legacy renegotiation", "another group", "client certificate", "the same on TLS 1.2"],
)
def test_an_odd_server_is_judged(
    tmp_path: Path, chain: tuple[pki.Issued, pki.Issued, pki.Issued], options: tuple[str, ...], version: str | None
) -> None:
    """Its chain is seen and judged, whatever comes after it."""
    code, ruling = look(tmp_path, chain, *SERVED, *options)
    assert (code, ruling["verdict"]) == (0, "ok"), ruling
    (observation,) = ruling["observations"]
    assert [one["role"] for one in observation["chain"]] == ["leaf", "intermediate"]
    if version:
        assert observation["tls_version"] == version


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("-nocert", "-tls1_2", "-cipher", "AECDH-AES128-SHA@SECLEVEL=0"), "tls_alert"),
        ((*SERVED, "-tls1", "-cipher", "DEFAULT@SECLEVEL=0"), "tls_alert"),
    ],
    ids=["no certificate", "TLS 1.0"],
)
def test_a_server_that_no_app_would_speak_to_is_a_named_failure(
    tmp_path: Path, chain: tuple[pki.Issued, pki.Issued, pki.Issued], options: tuple[str, ...], reason: str
) -> None:
    """It is not a mismatch, and not ok."""
    code, ruling = look(tmp_path, chain, *options)
    assert (code, ruling["verdict"]) == (3, "undetermined"), ruling
    assert ruling["observations"][0]["failure"]["reason"] == reason
