"""What ``check`` says about what is coming, from one look and from what the store remembers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitord import pki
from monitord.pinning.evidence import RenewalWindow
from tests.cli.conftest import HOST, SPARE
from tests.cli.stored import remember

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from monitord.pki import Issued
    from tests.cli.conftest import Result, World

    Monitord = Callable[..., Result]
    Register = Callable[..., None]

# At midnight, so that a window of half a day ends on the day on which it begins, whenever the tests run.
NOW = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)


def leaf(world: World, age: float, key: pki.PrivateKey | None = None) -> Issued:
    """A leaf that lives for 90 days and is so many days old."""
    begin = NOW - age * DAY
    return pki.issue(
        HOST, issuer=world.intermediate, names=[HOST], not_before=begin, not_after=begin + 90 * DAY, key=key
    )


@pytest.mark.parametrize(
    ("age", "code", "severity"),
    [(50.0, 2, "critical"), (40.0, 1, "warning"), (20.0, 0, "info")],
    ids=["within release_time", "within horizon", "later"],
)
def test_a_renewal_to_come_is_told_as_loudly_as_it_is_near(
    world: World, register: Register, monitord: Monitord, age: float, code: int, severity: str
) -> None:
    """The leaf alone is pinned, and two thirds of its lifetime end in 10, 20 or 40 days."""
    served = leaf(world, age)
    with world.serve(served) as server:
        register(server.port, served.certificate.pin)
        lines = monitord("check", "--json")
        text = monitord("check")
    assert (lines.code, text.code) == (code, code)
    record = lines.record
    assert record["verdict"] == "ok"
    (prediction,) = record["predictions"]
    at = NOW + (60 - age) * DAY
    assert prediction["cause"] == "leaf_renewal"
    assert prediction["at"] == f"{at:%Y-%m-%dT%H:%M:%SZ}"
    assert prediction["act_by"] == f"{at - 14 * DAY:%Y-%m-%dT%H:%M:%SZ}"
    assert prediction["severity"] == severity
    assert prediction["expected"] == "pin_mismatch"
    assert prediction["confidence"] >= 0.5
    assert str(world.intermediate.certificate.pin) in prediction["new_pins"]
    assert {"until", "evidence", "advice"} <= prediction.keys()
    first, *rest = text.out.splitlines()
    why = f"{HOST}:443 default leaf_renewal expected on {at:%Y-%m-%d}"
    said = {
        2: f"MONITORD CRITICAL - 1 of 1 pin sets will fail soon: {why}",
        1: f"MONITORD WARNING - 1 of 1 pin sets need attention: {why}",
        0: "MONITORD OK - 1 pin set ok",
    }
    assert first == said[code]
    told = f"  ahead leaf_renewal from {at:%Y-%m-%d} (in {60 - age:.0f} days) to "
    assert any(line.startswith(told) for line in rest)
    assert any(line.startswith("        What to do: Renew with the same key") for line in rest)


def test_the_configuration_says_what_is_near(home: Path, world: World, register: Register, monitord: Monitord) -> None:
    """With a shorter release_time and horizon the same renewal is far away."""
    served = leaf(world, 50)
    with (home / "monitord.yaml").open("a") as file:
        file.write("release_time: 3d\nhorizon: 11d\n")
    with world.serve(served) as server:
        register(server.port, served.certificate.pin)
        assert monitord("check").code == 1


def test_a_lone_pin_is_a_warning(world: World, register: Register, monitord: Monitord) -> None:
    """Weak, whatever is known of the future."""
    with world.serve() as server:
        register(server.port, world.root.certificate.pin, lone=True)
        result = monitord("check")
    assert result.code == 1
    assert result.out.startswith(
        f"MONITORD WARNING - 1 of 1 pin sets need attention: {HOST}:443 default no backup pin\n"
    )
    assert "  No backup pin.\n" in result.out
    assert "What to do: Ship an app release with a backup pin" in result.out


def test_a_failure_now_is_told_before_one_to_come(world: World, register: Register, monitord: Monitord) -> None:
    """Two pin sets, one that fails and one that will: the summary has both, the present one by its verdict."""
    served = leaf(world, 50)
    pinsets = (
        f"  pinsets:\n    - {{name: old, pins: [{world.renewed.certificate.pin}, {SPARE}]}}\n"
        f"    - {{name: new, pins: [{served.certificate.pin}, {SPARE}]}}\n"
    )
    with world.serve(served) as server:
        register(server.port, more=pinsets)
        result = monitord("check")
        lines = monitord("check", "--json")
    assert result.code == 2
    first = result.out.splitlines()[0]
    assert first.startswith(f"MONITORD CRITICAL - 2 of 2 pin sets fail or will soon: {HOST}:443 old pin_mismatch, ")
    assert [len(one["predictions"]) for one in lines.records] == [0, 1]


def test_the_table_of_all_clients_counts_what_is_coming(world: World, register: Register, monitord: Monitord) -> None:
    """Its exit code is that of the registered client; its JSON has the predictions with that client."""
    served = leaf(world, 50)
    with world.serve(served) as server:
        register(server.port, served.certificate.pin)
        lines = monitord("check", "--all-clients", "--json")
    assert lines.code == 2
    assert [one["client"] for one in lines.records if one["predictions"]] == ["generic"]


def test_what_the_store_remembers_makes_predictions_better(
    home: Path, world: World, register: Register, monitord: Monitord
) -> None:
    """Three renewals kept the key, so the next one will most likely too; that it may not is in the JSON only."""
    key = pki.new_key()
    leaves = [leaf(world, age, key) for age in (230, 170, 110, 50)]
    with world.serve(leaves[-1]) as server:
        register(server.port, leaves[-1].certificate.pin)
        alone = monitord("check", "--json")
        remember(home, world, [(one.certificate.not_before, one) for one in leaves], port=server.port)
        result = monitord("check", "--json")
        text = monitord("check")
    assert [one["cause"] for one in alone.record["predictions"]] == ["leaf_renewal"]
    assert alone.code == 2
    assert (result.code, result.err) == (0, "")
    (unlikely,) = result.record["predictions"]
    assert (unlikely["cause"], unlikely["confidence"] < 0.5) == ("leaf_renewal", True)
    assert (text.code, "leaf_renewal" in text.out) == (0, False)


def test_signals_in_the_store_are_heeded(home: Path, world: World, register: Register, monitord: Monitord) -> None:
    """The CA suggests another time than most clients would renew at."""
    served = leaf(world, 20)
    window = RenewalWindow(served.certificate.sha256, NOW + 5 * DAY, NOW + 6 * DAY, NOW)
    with world.serve(served) as server:
        register(server.port, served.certificate.pin)
        remember(home, world, [(served.certificate.not_before, served)], port=server.port, facts=[window])
        result = monitord("check", "--json")
    (prediction,) = result.record["predictions"]
    assert (result.code, prediction["cause"]) == (2, "ari_window")
    assert prediction["at"] == f"{NOW + 5 * DAY:%Y-%m-%dT%H:%M:%SZ}"
    assert prediction["until"] == f"{NOW + 6 * DAY:%Y-%m-%dT%H:%M:%SZ}"


def test_a_store_that_cannot_be_read_costs_its_part_only(
    home: Path, world: World, register: Register, monitord: Monitord
) -> None:
    """The look still counts, and what is missing is said."""
    (home / "monitord.db").write_bytes(b"this is no database " * 100)
    with world.serve() as server:
        register(server.port, world.root.certificate.pin)
        result = monitord("check", "--json")
    assert (result.code, result.record["verdict"]) == (0, "ok")
    assert result.err.startswith("monitord: predictions rest on this look alone: ")
    assert str(home / "monitord.db") in result.err
