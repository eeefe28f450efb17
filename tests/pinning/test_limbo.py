"""The outside suite x509-limbo: what a path validator should accept and refuse."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitord.pinning.certificate import certificates_in, parse_certificate
from monitord.pinning.judge import judge_before_deployment
from monitord.pinning.observation import Observation
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore
from monitord.pinning.verdict import Verdict

CASES = json.loads((Path(__file__).parent.parent / "data" / "x509-limbo.json").read_text())["testcases"]
# When the suite was generated: for cases that name no time.
GENERATED = datetime(2026, 7, 1, tzinfo=UTC)

SIGNING = "the leaf's key usage lacks digitalSignature, which the JDK and BoringSSL demand"
COMMON_NAME = "no client reads the common name, so what stands in it decides nothing"
DEVIATIONS = {
    "pathlen::max-chain-depth-0-exhausted": "a verifier's own limit on depth, which verify has no option for",
    "pathlen::max-chain-depth-1-exhausted": "a verifier's own limit on depth, which verify has no option for",
    "rfc5280::aki::cross-signed-root-missing-aki": "an anchor's key identifier leads nowhere: the path ends there",
    "rfc5280::nc::permitted-dns-match-noncritical": "the same chain is expected to pass as webpki::nc::…-noncritical",
    "rfc5280::nc::permitted-dn-match": "the case names no peer, and verify is always about a host",
    "webpki::eku::ee-without-eku": "the same chain is expected to pass as rfc5280::eku::ee-without-eku",
    "rfc5280::ca-as-leaf": SIGNING,
    "pathlen::validation-ignores-pathlen-in-leaf": SIGNING,
    "rfc5280::nc::nc-forbids-alternate-chain-ica": "the JDK takes an intermediate's common name for a host name",
    "webpki::san::public-suffix-multi-label-wildcard-san": "no public suffix list: it changes weekly, clients differ",
    "webpki::san::public-suffix-private-namespace-wildcard-san": "no public suffix list, as above",
    "webpki::cn::ipv4-hex-mismatch": COMMON_NAME,
    "webpki::cn::ipv4-leading-zeros-mismatch": COMMON_NAME,
    "webpki::cn::ipv6-uppercase-mismatch": COMMON_NAME,
    "webpki::cn::ipv6-uncompressed-mismatch": COMMON_NAME,
    "webpki::cn::ipv6-non-rfc5952-mismatch": COMMON_NAME,
    "webpki::cn::punycode-not-in-san": COMMON_NAME,
    "webpki::cn::utf8-vs-punycode-mismatch": COMMON_NAME,
    "webpki::cn::not-in-san": COMMON_NAME,
    "webpki::cn::case-mismatch": COMMON_NAME,
}


def accepts(case: dict[str, Any]) -> bool:
    """Whether the gate for chains that are not deployed yet lets this one pass."""
    chain = [parse_certificate(next(certificates_in(pem.encode()))) for pem in _presented(case)]
    anchors = [parse_certificate(next(certificates_in(pem.encode()))) for pem in case["trusted_certs"]]
    now = datetime.fromisoformat(case["validation_time"]) if case["validation_time"] else GENERATED
    target = Target(case["peer_name"] or "example.com", trust=("limbo",))
    observation = Observation(now, "192.0.2.1", 443, tuple(chain))
    (verdict,) = judge_before_deployment(target, [observation], {"limbo": TrustStore("limbo", anchors)}, now)
    return verdict.verdict is Verdict.NOT_PINNED


def _presented(case: dict[str, Any]) -> list[str]:
    return [case["peer_certificate"], *case["untrusted_intermediates"]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_agrees_with_limbo_or_says_why_not(case: dict[str, Any]) -> None:
    """Each case has the expected result, or is listed with the reason why it has not."""
    agrees = accepts(case) == (case["expected_result"] == "SUCCESS")
    assert agrees != (case["id"] in DEVIATIONS)


def test_no_deviation_is_listed_in_vain() -> None:
    """Every listed deviation is a case of the suite."""
    assert set(DEVIATIONS) <= {case["id"] for case in CASES}
