"""What certspotter finds in a local log, handed over by its hook."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitord import pki
from monitord.pinning.evidence import LoggedCertificate
from monitord.pinning.target import Target
from monitord.signals.ct.hook import HookSource
from monitord.signals.source import Subject
from tests.support.ctentries import certificate_entry, issuance
from tests.support.ctlogs import Rfc6962Log
from tests.support.polling import Polled
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.system

HOST = "api.example.test"
NOW = datetime.now(UTC).replace(microsecond=0)
ROOT = pki.issue("Test Root")
ISSUER = pki.issue("Test Issuer", issuer=ROOT)
ISSUED = issuance(ISSUER, HOST, now=NOW, above=(ROOT.certificate,))
OTHER = issuance(ISSUER, "other.test", now=NOW, above=(ROOT.certificate,))
BELOW = issuance(ISSUER, "www.example.test", now=NOW, above=(ROOT.certificate,))


class Site:
    """A host where certspotter watches ``.example.test`` and monitord ``api.example.test``."""

    def __init__(self, directory: Path, log: Rfc6962Log) -> None:
        self._directory = directory
        self.spool = directory / "ct-hook"
        self.hook = Polled(HookSource(self.spool))
        configuration = directory / "monitord.yaml"
        configuration.write_text("store: sqlite:///monitord.db\n")
        hooks = directory / "config" / "hooks.d"
        hooks.mkdir(parents=True)
        (hooks / "monitord").write_text(f"#!/bin/sh\nexec {sys.executable} -m monitord -c {configuration} ct-hook\n")
        (hooks / "monitord").chmod(0o755)
        (directory / "config" / "watchlist").write_text(".example.test\n")
        listed = {
            "description": "Test log",
            "log_id": base64.b64encode(hashlib.sha256(log.spki).digest()).decode(),
            "key": base64.b64encode(log.spki).decode(),
            "url": log.url,
            "mmd": 86400,
            "state": {"usable": {"timestamp": "2025-01-01T00:00:00Z"}},
        }
        operators = [{"name": "Operator", "email": [], "logs": [listed]}]
        (directory / "logs.json").write_text(json.dumps({"version": "1", "operators": operators}))

    @asynccontextmanager
    async def certspotter(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """The program, for as long as the block lasts, or until it ends by itself."""
        environment = {
            "CERTSPOTTER_CONFIG_DIR": str(self._directory / "config"),
            "CERTSPOTTER_STATE_DIR": str(self._directory / "state"),
        }
        process = await asyncio.create_subprocess_exec(
            "/usr/bin/certspotter",
            *("-logs", str(self._directory / "logs.json")),
            env=environment,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await process.communicate()

    async def holds(self, count: int) -> None:
        """Wait until so many files lie in the spool."""

        async def look() -> bool:
            return len(list(self.spool.glob("*.json"))) >= count

        await eventually(look, f"{count} certificates in the spool")

    async def facts(self) -> dict[str, LoggedCertificate]:
        """What the source makes of the spool, by the hash of the certificate."""
        poll = await self.hook.poll([Subject(Target(HOST))], NOW)
        assert poll.faults == ()
        assert {one.host for one in poll.learned} <= {HOST}
        facts = [one.fact for one in poll.learned if isinstance(one.fact, LoggedCertificate)]
        return {fact.chain[0].sha256.hex(): fact for fact in facts}


async def test_what_certspotter_finds_is_known(tmp_path: Path) -> None:
    """Precertificate and certificate of the registered host with their issuers; others of the watch list are not."""
    entries = [OTHER.logged_first, ISSUED.logged_first, BELOW.logged_first, ISSUED.logged_later]
    async with Rfc6962Log(NOW, *entries) as log:
        site = Site(tmp_path, log)
        async with site.certspotter():
            await site.holds(3)
    facts = await site.facts()
    assert {fact.chain for fact in facts.values()} == {
        (ISSUED.precertificate, *ISSUED.issuers),
        (ISSUED.certificate, *ISSUED.issuers),
    }
    assert len({fact.identity for fact in facts.values()}) == 1
    where = f"Certificate Transparency, by certspotter in {log.url}"
    assert {fact.source for fact in facts.values()} == {f"{where}, entry 1", f"{where}, entry 3"}


async def test_a_hook_that_fails_loses_nothing(tmp_path: Path) -> None:
    """The program ends and says why; started again, it tells of the same certificate again."""
    async with Rfc6962Log(NOW, ISSUED.logged_first) as log:
        site = Site(tmp_path, log)
        site.spool.touch()
        async with site.certspotter() as process:
            _, said = await asyncio.wait_for(process.communicate(), 60)
            assert process.returncode != 0
            assert f"monitord: the spool {site.spool} cannot be written: File exists".encode() in said
        site.spool.unlink()
        async with site.certspotter():
            await site.holds(1)
    (fact,) = (await site.facts()).values()
    assert fact.chain[0] == ISSUED.precertificate


async def test_a_malformed_certificate_is_told(tmp_path: Path) -> None:
    """As a fault of the source, since nobody knows whose it is."""
    async with Rfc6962Log(NOW, certificate_entry(b"\x30\x03junk")) as log:
        site = Site(tmp_path, log)
        async with site.certspotter():
            await site.holds(1)
    poll = await site.hook.poll([Subject(Target(HOST))], NOW + timedelta(minutes=1))
    (fault,) = poll.faults
    assert fault.startswith("certspotter reports: ")
    assert "error parsing X.509 certificate" in fault
