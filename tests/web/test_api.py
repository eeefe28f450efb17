from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from monitord.pinning.incident import IncidentKind, Severity
from monitord.pinning.quiet import Quiet
from monitord.pinning.report import verdict_entry
from monitord.store.faults import StoreError
from tests.web.fleets import DAY, NOW, SPARE, Company, Watched, incident, pinset, prediction, twenty
from tests.web.listening import client, serving, sources
from tests.web.logins import hashed
from tests.web.test_access import followed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


async def asked(company: Company, path: str) -> tuple[int, Any, Mapping[str, str]]:
    """Status, content and headers of an answer of the API."""
    async with (
        serving(sources(knowledge=company.knowledge())) as server,
        client(server) as session,
        session.get(f"/api/v1{path}") as answer,
    ):
        assert answer.content_type == ("application/json" if answer.status == 200 else "application/problem+json")
        return answer.status, json.loads(await answer.text()), answer.headers


async def test_an_endpoint_in_short() -> None:
    """How it is, why, what its pin sets say, when it is looked at and when it fails next."""
    one = Watched("api.example.com", 100, 8443, labels={"team": "payments"})
    company = Company(one.pinned(pinset("app", one.root.certificate.pin, SPARE)))
    company.fleet.record(replace(one.seen(), predictions=(prediction(6, "app"),)))
    company.fleet.set_incidents([incident(one.target, IncidentKind.PIN_MISMATCH_PREDICTED, "app", number=5)])
    status, (found,), _ = await asked(company, "/domains")
    assert status == 200
    failure = found.pop("next_failure")
    assert (failure["pinset"], failure["cause"], failure["at"]) == ("app", "ct_issued", "2026-03-07T12:00:00Z")
    assert found == {
        "host": "api.example.com",
        "port": 8443,
        "state": "soon",
        "why": "ct_issued expected on 2026-03-07",
        "labels": {"team": "payments"},
        "pinsets": [{"pinset": "app", "client": "okhttp", "verdict": "ok", "reason": "a pin matches the root"}],
        "last_look": "2026-03-01T11:56:00Z",
        "incidents": ["0000000000000005"],
        "details": "/api/v1/domains/api.example.com:8443",
    }
    status, (verdict,), _ = await asked(company, found["details"].removeprefix("/api/v1"))
    assert (status, verdict["host"], verdict["port"]) == (200, "api.example.com", 8443)


async def test_a_host_is_told_as_check_tells_it() -> None:
    """The objects of check --json, one for each pin set, at all ports or at the one that is named."""
    first, second = Watched("a.example", 1), Watched("a.example", 2, 8443)
    for one in (first, second):
        one.pinned(pinset("app", one.root.certificate.pin, SPARE), pinset("old", one.leaf.certificate.pin, SPARE))
    company = Company(first, second)
    rounds = [one.seen() for one in (first, second)]
    for done in rounds:
        company.fleet.record(done)
    expected = [
        verdict_entry(verdict, [one for one in done.predictions if one.pinset == verdict.pinset.name])
        for done in rounds
        for verdict in done.verdicts
    ]
    assert (await asked(company, "/domains/a.example"))[1] == expected
    assert (await asked(company, "/domains/A.example.:8443"))[1] == expected[2:]


async def test_what_was_not_looked_at_is_undetermined() -> None:
    """Neither ok nor failing, and with nothing that was seen; also without pins."""
    company = Company(Watched("a.example", 1).pinned(pinset("app", SPARE)), Watched("b.example", 2))
    for host, name in (("a.example", "app"), ("b.example", "default")):
        _, (found,), _ = await asked(company, f"/domains/{host}")
        assert (found["pinset"], found["verdict"]) == (name, "undetermined")
        assert found["reason"] == "it has not been looked at yet"
        assert (found["observations"], found["matched"], found["predictions"]) == ([], [], [])
        _, listed, _ = await asked(company, f"/domains?q={host}")
        assert listed[0]["pinsets"] == [
            {"pinset": name, "client": listed[0]["pinsets"][0]["client"], "verdict": None, "reason": None}
        ]
        assert (listed[0]["state"], listed[0]["last_look"]) == ("waiting", None)


@pytest.mark.parametrize("place", ["none.example.com", "api.example.com:1", "..%2Fetc", "%00", "a%20b"])
async def test_a_host_that_is_not_registered_is_a_problem(place: str) -> None:
    """404, and a sentence."""
    status, found, _ = await asked(twenty(), f"/domains/{place}")
    assert (status, found["status"], found["title"], found["type"]) == (404, 404, "Not Found", "about:blank")
    assert found["detail"]


async def test_lists_are_paged() -> None:
    """The header leads to the other pages, and keeps what was asked for; the count is of all."""
    company = Company(*(Watched(f"h{number}.example.com", 500 + number) for number in range(7)))
    path = "/domains?sort=host&limit=3&state=waiting&state=ok"
    seen = []
    for page in (1, 2, 3):
        _, found, headers = await asked(company, f"{path}&page={page}")
        seen += [one["host"] for one in found]
        assert headers["X-Total-Count"] == "7"
        links = {link.partition("; ")[2]: link.partition("; ")[0] for link in headers["Link"].split(", ")}
        base = "/api/v1/domains?sort=host&limit=3&state=waiting&state=ok"
        expected = {'rel="first"': f"<{base}&page=1>", 'rel="last"': f"<{base}&page=3>"}
        expected |= {'rel="prev"': f"<{base}&page={page - 1}>"} if page > 1 else {}
        expected |= {'rel="next"': f"<{base}&page={page + 1}>"} if page < 3 else {}
        assert links == expected
    assert seen == [f"h{number}.example.com" for number in range(7)]
    assert (await asked(company, f"{path}&page=9"))[1] == []


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/domains?state=x", "state is to be one of failing, soon, unknown, attention, ok, waiting"),
        ("/domains?limit=0", "limit is to be a number from 1 to 1000"),
        ("/domains?limit=1001", "limit is to be a number from 1 to 1000"),
        ("/domains?page=x", "page is to be a number from 1 to 1000000"),
        ("/incidents?state=open", "state is to be one of all, firing, resolved"),
        ("/incidents?kind=x", f"kind is to be one of {', '.join(IncidentKind)}"),
        ("/incidents?severity=x", "severity is to be one of critical, warning, info"),
    ],
)
async def test_what_cannot_be_understood_is_a_problem(path: str, detail: str) -> None:
    """400, and the parameter is named."""
    status, found, _ = await asked(twenty(), path)
    assert (status, found["detail"]) == (400, detail)


async def test_incidents_are_told_as_the_command_tells_them() -> None:
    """The loudest first; what is over if that is asked for; what keeps them quiet."""
    company = twenty()
    (geo,) = company.fleet.snapshot().incidents["geo.example.com", 443]
    company.quieted[geo.key] = Quiet("5113ce", "the data centre moves", NOW + DAY, "alice")
    _, found, headers = await asked(company, "/incidents")
    kinds = ["unreachable", "pin_mismatch", "no_backup_pin"]
    assert ([one["kind"] for one in found], headers["X-Total-Count"]) == (kinds, "3")
    assert found[0]["acknowledged"]["by"] == "alice"
    assert found[0]["silenced"] == {
        "by": "alice",
        "id": "5113ce",
        "reason": "the data centre moves",
        "until": "2026-03-02T12:00:00Z",
    }
    assert "timestamp" not in found[0]

    async def kinds_of(query: str) -> list[str]:
        return [one["kind"] for one in (await asked(company, f"/incidents?{query}"))[1]]

    assert await kinds_of("severity=warning") == ["no_backup_pin"]
    assert await kinds_of("kind=pin_mismatch&host=PAYMENTS.example.com") == ["pin_mismatch"]
    assert await kinds_of("host=none.example.com") == []
    assert await kinds_of("state=resolved") == ["unreachable"]
    assert len(await kinds_of("state=all")) == 4
    assert len(await kinds_of("state=all&limit=3&page=2")) == 1


async def test_an_incident_of_monitord_itself_has_no_host() -> None:
    """It is listed like the others."""
    company = Company()
    nowhere = replace(Watched("x.example", 1).target, host="", port=0)
    company.fleet.set_incidents([incident(nowhere, IncidentKind.MONITOR_DEGRADED, "store", Severity.CRITICAL)])
    _, (found,), _ = await asked(company, "/incidents")
    assert (found["host"], found["port"], found["pinset"]) == (None, None, None)


async def test_a_store_that_cannot_be_read_is_a_problem() -> None:
    """Of what is over; what is open is in memory."""
    company = twenty()
    company.archive.fault = StoreError("store /x: the disk is full")
    status, found, _ = await asked(company, "/incidents?state=resolved")
    assert (status, found["detail"]) == (503, "store /x: the disk is full")
    assert (await asked(company, "/incidents"))[0] == 200


async def test_silences_are_listed() -> None:
    """As the command lists them."""
    _, (found,), _ = await asked(twenty(), "/silences")
    assert (found["silence"], found["hosts"], found["by"]) == ("5113ce", ["geo.example.com:443"], "alice")


async def test_every_error_of_the_api_is_a_problem(tmp_path: Path) -> None:
    """What is not there, other methods, a missing login."""
    status, found, _ = await asked(twenty(), "/nothing")
    assert (status, found["title"]) == (404, "Not Found")
    async with serving(sources()) as server, client(server) as session, session.delete("/api/v1/domains") as answer:
        assert (answer.status, answer.content_type) == (405, "application/problem+json")
        assert answer.headers["Allow"] == "GET,HEAD"
    following = followed(tmp_path, basic_auth_users={"alice": hashed("correct")})
    async with (
        serving(sources(), following=following) as server,
        client(server) as session,
        session.get("/api/v1/domains") as answer,
    ):
        assert (answer.status, answer.content_type) == (401, "application/problem+json")
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
