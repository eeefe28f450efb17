from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from monitord import pki
from monitord.pinning.certificate import certificates_in
from monitord.signals.ct.spool import MOST_FILES, Event, take, waiting
from tests.cli.test_main import start
from tests.support.ctentries import issuance

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

NOW = datetime.now(UTC).replace(microsecond=0)
ROOT = pki.issue("Test Root")
ISSUED = issuance(ROOT, "api.example.test", now=NOW)
CHAIN = pki.pem_of(ISSUED.precertificate, ROOT.certificate)
HEX = ISSUED.precertificate.spki_sha256.hex()


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Sets the environment as certspotter does for a certificate that it has found; None leaves a variable out."""

    def tell(chain: bytes = CHAIN, **changes: str | None) -> Path:
        file = tmp_path / "certs" / "found.pem"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(chain)
        variables: dict[str, str | None] = {
            "EVENT": "discovered_cert",
            "SUMMARY": "Certificate Discovered for .example.test",
            "WATCH_ITEM": ".example.test",
            "LOG_URI": "https://log.example.test/2026/",
            "ENTRY_INDEX": "4711",
            "CERT_SHA256": ISSUED.precertificate.sha256.hex(),
            "PUBKEY_SHA256": HEX,
            "CERT_FILENAME": str(file),
            "JSON_FILENAME": "",
            "TEXT_FILENAME": "",
        }
        for name, value in (variables | changes).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        return file

    return tell


def handed_over(spool: Path) -> list[Event]:
    """What lies in the spool."""
    return [take(spool, name) for name in waiting(spool, MOST_FILES)]


def test_a_certificate_is_handed_over(told: Callable[..., Path], home: Path, monitord: Callable[..., Result]) -> None:
    """Beside the store of the configuration, for the daemon; the same again is the same file."""
    told()
    spool = home / "ct-hook"
    for _ in range(2):
        result = monitord("ct-hook")
        assert (result.code, result.err) == (0, "")
        assert result.out == f"the certificate CN=api.example.test is handed over to {spool}\n"
    (event,) = handed_over(spool)
    assert list(certificates_in(event.chain)) == [ISSUED.precertificate.der, ROOT.certificate.der]
    assert (event.log, event.entry, event.problem) == ("https://log.example.test/2026/", "4711", "")


def test_as_json(told: Callable[..., Path], home: Path, monitord: Callable[..., Result]) -> None:
    """One object for the event."""
    told()
    assert monitord("ct-hook", "--json").record == {
        "event": "discovered_cert",
        "handed_over": True,
        "spool": str(home / "ct-hook"),
        "subject": "CN=api.example.test",
        "spki": str(ISSUED.precertificate.pin),
        "certificate_sha256": ISSUED.precertificate.sha256.hex(),
        "problem": None,
    }
    told(EVENT="error", SUMMARY="all logs are down")
    record = monitord("ct-hook", "--json").record
    assert (record["event"], record["problem"], record["spki"]) == ("error", "all logs are down", None)


def test_the_spool_may_be_named(
    told: Callable[..., Path], home: Path, monitord: Callable[..., Result], tmp_path: Path
) -> None:
    """In the configuration, or in the call, which then needs no configuration at all."""
    told()
    with (home / "monitord.yaml").open("a") as file:
        file.write("signals: {ct: {spool: spool}}\n")
    assert monitord("ct-hook").code == 0
    assert len(handed_over(home / "spool")) == 1
    assert monitord("-c", tmp_path / "nowhere.yaml", "ct-hook", "--spool", tmp_path / "given").code == 0
    assert len(handed_over(tmp_path / "given")) == 1


def test_it_needs_no_secrets(told: Callable[..., Path], home: Path, monitord: Callable[..., Result]) -> None:
    """It runs as certspotter's user, to whom they are closed; and it goes on while the rest is being edited."""
    told()
    with (home / "monitord.yaml").open("a") as file:
        file.write("receivers: [{name: x, webhook: {url: 'https://x.test', secret_file: /nowhere}}]\nnonsense: 1\n")
    assert monitord("ct-hook").code == 0
    assert len(handed_over(home / "ct-hook")) == 1


def test_a_key_in_capitals_is_the_same_key(
    told: Callable[..., Path], home: Path, monitord: Callable[..., Result]
) -> None:
    """And one that is not told is not compared."""
    for value in (HEX.upper(), None, ""):
        told(PUBKEY_SHA256=value)
        assert monitord("ct-hook").code == 0
    assert len(handed_over(home / "ct-hook")) == 1


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (
            {"EVENT": "malformed_cert", "SUMMARY": "Unable to Parse Entry 5", "PARSE_ERROR": "bad \x1b[2Jlength"},
            "Unable to Parse Entry 5: bad ?[2Jlength",
        ),
        ({"EVENT": "malformed_cert", "SUMMARY": None}, "malformed_cert"),
        ({"EVENT": "error", "SUMMARY": "Backlog of size 9"}, "Backlog of size 9"),
        ({"EVENT": "error", "SUMMARY": None}, "error"),
    ],
)
def test_a_problem_of_certspotter_is_handed_over(
    told: Callable[..., Path],
    home: Path,
    monitord: Callable[..., Result],
    event: dict[str, str | None],
    problem: str,
) -> None:
    """The daemon tells it, for then certificates may be missed."""
    told(**event)
    result = monitord("ct-hook")
    assert (result.code, result.out) == (0, f"a problem of certspotter's is handed over to {home / 'ct-hook'}\n")
    (found,) = handed_over(home / "ct-hook")
    assert (found.problem, found.chain) == (problem, b"")


@pytest.mark.parametrize(
    "chain",
    [
        b"",
        b"junk",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nanVuaw==\n-----END CERTIFICATE-----\n",
    ],
)
def test_a_certificate_that_cannot_be_read_is_a_problem(
    told: Callable[..., Path], home: Path, monitord: Callable[..., Result], chain: bytes
) -> None:
    """It will be no better at another time, and certspotter ends when its hook fails."""
    file = told(chain)
    assert monitord("ct-hook").code == 0
    (found,) = handed_over(home / "ct-hook")
    assert found.problem.startswith(f"the certificate {file} cannot be used: ")


def test_events_of_a_new_kind_are_passed_over(
    told: Callable[..., Path], home: Path, monitord: Callable[..., Result]
) -> None:
    """A later certspotter may have more; it must not end because of that."""
    told(EVENT="new\x1b[2J")
    result = monitord("ct-hook")
    assert (result.code, result.out) == (0, "")
    assert result.err == ("monitord: certspotter tells of an event that is not known and is passed over: new\\x1b[2J\n")
    assert not (home / "ct-hook").exists()
    assert monitord("ct-hook", "--json").record["handed_over"] is False


def test_nothing_is_handed_over_to_nobody(
    told: Callable[..., Path], home: Path, monitord: Callable[..., Result]
) -> None:
    """Where the daemon does not look, files would only pile up."""
    told()
    with (home / "monitord.yaml").open("a") as file:
        file.write("signals: {ct: {hook: false}}\n")
    result = monitord("ct-hook")
    assert (result.code, result.out) == (0, "")
    assert result.err == (
        f"monitord: signals.ct.hook is false in {home / 'monitord.yaml'}, so nothing is handed over\n"
    )
    assert not (home / "ct-hook").exists()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"EVENT": None}, "ct-hook is for certspotter to run, which sets EVENT and more in the environment"),
        ({"EVENT": ""}, "ct-hook is for certspotter to run, which sets EVENT and more in the environment"),
        ({"CERT_FILENAME": ""}, "certspotter does not say where the certificate is (CERT_FILENAME)"),
        ({"CERT_FILENAME": None}, "certspotter does not say where the certificate is (CERT_FILENAME)"),
        (
            {"CERT_FILENAME": "/nowhere/x.pem"},
            "the certificate /nowhere/x.pem cannot be read: No such file or directory",
        ),
        ({"CERT_FILENAME": "/dev/zero"}, "the certificate /dev/zero cannot be read: it is not a regular file"),
        ({"CERT_FILENAME": "/"}, "the certificate / cannot be read: it is not a regular file"),
        ({"PUBKEY_SHA256": "00" * 32}, "does not have the public key that certspotter tells of"),
        ({"PUBKEY_SHA256": "junk\x1b[2J"}, "(PUBKEY_SHA256 junk\\x1b[2J)"),
    ],
)
def test_what_cannot_be_handed_over_is_told(
    told: Callable[..., Path],
    home: Path,
    monitord: Callable[..., Result],
    changes: dict[str, Any],
    complaint: str,
) -> None:
    """In one sentence; certspotter then ends and calls again after its start, so that nothing is lost."""
    told(**changes)
    result = monitord("ct-hook")
    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("monitord: ")
    assert complaint in result.err
    assert result.err.count("\n") == 1
    assert not (home / "ct-hook").exists()


def test_a_certificate_that_is_too_large_is_told(told: Callable[..., Path], monitord: Callable[..., Result]) -> None:
    """A chain has a few kilobytes."""
    told(b"x" * (1024 * 1024 + 1))
    result = monitord("ct-hook")
    assert (result.code, "it is larger than 1,048,576 bytes" in result.err) == (3, True)


def test_a_spool_that_cannot_be_written_is_told(
    told: Callable[..., Path], home: Path, monitord: Callable[..., Result]
) -> None:
    """With what to do about it."""
    told()
    (home / "ct-hook").touch()
    result = monitord("ct-hook")
    assert result.code == 3
    assert result.err == (
        f"monitord: the spool {home / 'ct-hook'} cannot be written: File exists; make it, and give certspotter's user "
        "the right to write there\n"
    )


def test_without_a_configuration_the_spool_must_be_named(
    told: Callable[..., Path], monitord: Callable[..., Result], tmp_path: Path
) -> None:
    """Nobody would look at the usual place."""
    told()
    result = monitord("-c", tmp_path / "nowhere.yaml", "ct-hook")
    assert (result.code, result.out) == (3, "")
    assert result.err.startswith(f"monitord: there is no configuration file {tmp_path / 'nowhere.yaml'}: ")


def test_a_configuration_that_cannot_be_understood_is_told(
    told: Callable[..., Path], home: Path, monitord: Callable[..., Result]
) -> None:
    """As everywhere, with file and line."""
    told()
    (home / "monitord.yaml").write_text("store: sqlite:///x.db\nsignals: {ct: {spool: 5}}\n")
    result = monitord("ct-hook")
    assert result.code == 3
    assert f"{home / 'monitord.yaml'}:2: signals.ct.spool: 5 is not a text; put it in quotes\n" in result.err


def test_the_program_itself(told: Callable[..., Path], home: Path) -> None:
    """As certspotter runs it: without arguments, what it says on standard output thrown away."""
    told()
    environment = {**os.environ, "MONITORD_CONFIG": str(home / "monitord.yaml")}
    done = start("ct-hook", environment=environment)
    assert (done.returncode, done.stderr) == (0, "")
    (file,) = (home / "ct-hook").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
