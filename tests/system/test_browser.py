"""The pages in Chromium, with axe-core to judge whether everybody can use them."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitord.pinning.incident import Acknowledgement, Handling, Incident
from tests.system.environments import install
from tests.web.fleets import NOW, SPARE, Company, Orders, Watched, authority, pinset, prediction, twenty
from tests.web.listening import serving, sources
from tests.web.logins import hashed
from tests.web.test_access import followed

pytestmark = pytest.mark.system

HERE = Path(__file__).parent / "browser"
MANY = 10_000


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A Python that has Playwright, and the file of axe-core."""
    directory = tmp_path_factory.mktemp("browser")
    python = install(HERE / "requirements.txt", directory / "environment") / "python"
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, directory)
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=directory, check=True)  # noqa: S607
    return python, directory / "node_modules" / "axe-core" / "axe.min.js"


class Effective(Orders):
    """Orders that have an effect on the fleet, as those of the daemon have."""

    def __init__(self, company: Company) -> None:
        super().__init__()
        self._company = company

    async def acknowledge(self, incident: str, by: str, reason: str) -> None:
        """Note it at the incident."""
        await super().acknowledge(incident, by, reason)
        self._handle(incident, Handling(Acknowledgement(NOW, by, reason)))

    async def unacknowledge(self, incident: str, by: str) -> None:
        """Take the note from the incident."""
        await super().unacknowledge(incident, by)
        self._handle(incident, Handling())

    def _handle(self, incident: str, handling: Handling) -> None:
        def seen(one: Incident) -> Incident:
            return replace(one, handling=handling) if one.id == incident else one

        several = self._company.fleet.snapshot().incidents.values()
        self._company.fleet.set_incidents([seen(one) for found in several for one in found])


async def walked(tools: tuple[Path, Path], company: Company, story: str, tmp_path: Path) -> dict[str, Any]:
    """What a walk through the pages of this fleet met: nothing in the console, no violation, no page too wide."""
    python, axe = tools
    following = followed(tmp_path, basic_auth_users={"alice": hashed("correct")})
    async with serving(sources(knowledge=company.knowledge()), following=following, patience=300) as server:
        walking = await asyncio.create_subprocess_exec(
            python, HERE / "walk.py", f"http://127.0.0.1:{server.port}", axe, story, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await walking.communicate()
        assert walking.returncode == 0
    met: dict[str, Any] = json.loads(said)
    assert (met["console"], met["violations"], met["overflows"]) == ([], [], [])
    facts: dict[str, Any] = met["facts"]
    return facts


async def test_an_empty_monitor(tools: tuple[Path, Path], tmp_path: Path) -> None:
    """It says how to start."""
    facts = await walked(tools, Company(), "empty", tmp_path)
    assert facts["answer"] == "Nothing is watched yet."
    assert facts["command"].startswith("monitord add api.example.com")


async def test_twenty_endpoints(tools: tuple[Path, Path], tmp_path: Path) -> None:
    """What fails is first; it is found by the keyboard, acknowledged and silenced, on a desktop and on a phone."""
    company = twenty()
    company.orders = Effective(company)
    facts = await walked(tools, company, "twenty", tmp_path)
    assert facts["answer"] == "Apps cannot connect to 1 of 20 endpoints."
    assert (facts["rows"], facts["found"], facts["pictures"], facts["incidents"]) == (20, 1, 2, 3)
    assert facts["first focus"] == "Skip to the content"
    assert facts["host"] == "payments.example.com:443"
    assert "Acknowledged by alice now: on it <b>" in facts["acknowledged"]
    assert facts["notice"] == "The incident is acknowledged."
    assert facts["silenced"] == "Nobody is told of it until the silence ends."
    assert facts["soon"] == ["api.example.com"]
    assert facts["taken back"] == "The acknowledgement is taken back."
    orders = ["acknowledge", "silence", "unacknowledge", "acknowledge", "silence"]
    assert [order[0] for order in company.orders.given] == orders


async def test_ten_thousand_endpoints(tools: tuple[Path, Path], tmp_path: Path) -> None:
    """They are searched, filtered, sorted and turned by the page."""
    facts = await walked(tools, crowd(), "many", tmp_path)
    assert facts["answer"] == "The apps connect to 9,900 of 10,000 endpoints."
    assert facts["rows"] == 50
    assert facts["second page"] == "51–100 of 10,000 endpoints"  # noqa: RUF001 - a dash as people write it
    assert facts["first to fail"] == "host-00010.example.com"
    assert facts["found"] == ["host-01234.example.com"]
    assert facts["unknown"] == "1–14 of 14 endpoints"  # noqa: RUF001


def crowd() -> Company:
    """Ten thousand endpoints: one in a hundred does not answer, one in ten will fail one day."""
    root, intermediate = (one.certificate.pin for one in authority())
    one = Watched("host.example.com", 100).pinned(
        pinset("android-5", root, SPARE), pinset("ios-5", intermediate, SPARE)
    )
    well, down = one.seen(), one.seen(one.down())
    hosts = [f"host-{number:05}.example.com" for number in range(MANY)]
    targets = [replace(one.target, host=host, labels={"team": f"t{number % 7}"}) for number, host in enumerate(hosts)]
    company = Company()
    company.watched = {(target.host, target.port): one for target in targets}
    company.fleet.set_targets(targets)
    for number, target in enumerate(targets):
        seen = down if number % 100 == 0 else well
        verdicts = tuple(replace(verdict, target=target) for verdict in seen.verdicts)
        coming = (prediction(20 + number // 10),) if number % 10 == 0 and seen is well else ()
        company.fleet.record(replace(seen, target=target, verdicts=verdicts, predictions=coming))
    return company
