from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from subprocess import run
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from monitord.metrics.blackbox import render
from monitord.pinning.examination import Examination, examine
from monitord.pinning.observation import FailureReason
from monitord.pinning.trust import TrustStore
from tests.metrics.rounds import NOW, path, seen, target

if TYPE_CHECKING:
    from monitord.pinning.observation import Observation

GOLDEN = Path(__file__).with_name("probe.golden.txt")


def examination(*observations: Observation, trusted: bool = True) -> Examination:
    """A look that showed this, with the root trusted or not."""
    store = TrustStore("mozilla", path()[2:] if trusted else ())
    trust, verdicts = examine(target(), observations, {"mozilla": store}, NOW)
    return Examination(target(), observations, trust, verdicts, 0.015625, 0.125, 9.5)


def shown(look: Examination, accept: str = "") -> str:
    """The text of a scrape."""
    pieces, _ = render(look, accept)
    return b"".join(pieces).decode()


def names(look: Examination) -> dict[str, float]:
    """The values of series by name; of several, the last."""
    found = {}
    for family in parse_text(shown(look)):
        for sample in family.samples:
            found[sample.name] = sample.value
    return found


GOOD = replace(seen(), tls_version="TLSv1.2", cipher="ECDHE-ECDSA-AES128-GCM-SHA256")


def test_a_look_reads_as_the_golden_file() -> None:
    """Names, help and labels are blackbox_exporter's; OpenMetrics says the same."""
    look = examination(GOOD, replace(seen("2001:db8::1"), tls_version="TLSv1.3", cipher="TLS_AES_128_GCM_SHA256"))
    assert shown(look) == GOLDEN.read_text("utf-8")
    opened = shown(look, "application/openmetrics-text")
    assert {f.name for f in parse_openmetrics(opened)} == {f.name for f in parse_text(shown(look))}  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("observations", "trusted", "success"),
    [
        ((GOOD,), True, 1),
        ((GOOD,), False, 0),
        ((GOOD, seen("192.0.2.2")), True, 1),
        ((GOOD, seen("192.0.2.2", chain=False, failure=FailureReason.REFUSED)), True, 0),
        ((replace(GOOD, chain=path()[:1]),), True, 0),
        ((seen(failure=FailureReason.TLS_ALERT),), True, 0),
        ((seen(chain=False, failure=FailureReason.DNS),), True, 0),
    ],
    ids=["good", "untrusted", "two", "one of two", "incomplete", "alert", "no address"],
)
def test_success_is_about_tls_and_path(observations: tuple[Observation, ...], trusted: bool, success: int) -> None:
    """At every address, pins not considered: none of those of the target matches a chain without its intermediate."""
    assert names(examination(*observations, trusted=trusted))["probe_success"] == success


def test_what_is_not_known_has_no_series() -> None:
    """blackbox_exporter shows 0 for the time of a certificate that nobody saw."""
    found = names(examination(seen("", chain=False, failure=FailureReason.DNS)))
    assert found == {
        "probe_success": 0,
        "probe_duration_seconds": 0.125,
        "probe_timeout_seconds": 9.5,
        "probe_dns_lookup_time_seconds": 0.015625,
    }


def test_a_path_that_is_not_trusted_has_no_end() -> None:
    """What was sent has one."""
    found = names(examination(GOOD, trusted=False))
    assert found["probe_ssl_earliest_cert_expiry"] == path()[0].not_after.timestamp()
    assert "probe_ssl_last_chain_expiry_timestamp_seconds" not in found


@pytest.mark.system
def test_promtool_reads_it() -> None:
    """Also where everything failed. That blackbox_exporter's names break conventions is not for us to mend."""
    for look in (examination(GOOD), examination(seen("", chain=False, failure=FailureReason.DNS))):
        checked = run(
            ["/usr/bin/promtool", "check", "metrics"], input=shown(look).encode(), capture_output=True, check=False
        )
        assert b"error" not in checked.stderr.lower(), checked.stderr
