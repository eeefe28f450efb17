from __future__ import annotations

import platform
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from subprocess import run
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from monitord.metrics.exposition import Metrics
from monitord.pinning.incident import (
    Acknowledgement,
    Handling,
    Incident,
    IncidentKey,
    IncidentKind,
    IncidentState,
    Severity,
)
from monitord.pinning.observation import FailureReason
from monitord.pinning.prediction import Cause
from monitord.pinning.verdict import Verdict
from tests.metrics.rounds import NOW, later, outcome, path, pinset, prediction, seen, target
from tests.support.exchanged import SUBJECT_PLACE, with_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitord.pinning.target import Target

GOLDEN = Path(__file__).with_name("scrape.golden.txt")
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
FAULTS = ("timeout", "rejected")
ENDPOINT = {"host": "api.example.com", "port": "443"}
PINS = {**ENDPOINT, "pinset": "android-5"}


def metrics_of(*targets: Target) -> Metrics:
    """Metrics with these endpoints and one receiver."""
    metrics = Metrics("1.2.3", FAULTS)
    metrics.set_targets(targets)
    metrics.set_receivers(["ops-mail"])
    return metrics


def scrape(metrics: Metrics, accept: str = "") -> tuple[bytes, str]:
    """The body of a scrape and its content type."""
    pieces, content_type = metrics.render(accept)
    return b"".join(pieces), content_type


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every series of a scrape, as both formats' parsers read it."""
    text, text_type = scrape(metrics)
    opened, open_type = scrape(metrics, OPENMETRICS)
    assert text_type.startswith("text/plain; version=0.0.4")
    assert open_type.startswith("application/openmetrics-text; version=1.0.0")
    found = _index(parse_text(text.decode()))
    found_openly = _index(parse_openmetrics(opened.decode()))  # type: ignore[no-untyped-call]
    assert _ours(found_openly) == _ours(found)
    return found


def _index(families: Iterable[Any]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


def _ours(found: dict[tuple[str, frozenset[tuple[str, str]]], float]) -> dict[Any, float]:
    """Without the process's own, which differ from one moment to the next."""
    return {key: value for key, value in found.items() if key[0].startswith("monitord_")}


def value(metrics: Metrics, name: str, labels: Mapping[str, str] | None = None) -> float | None:
    """The value of one series, None if it is absent."""
    return samples(metrics).get(("monitord_" + name, frozenset((labels or {}).items())))


def test_a_scrape_reads_as_the_golden_file() -> None:
    """Names, labels, help and values of everything are what users rely on."""
    other = target("2001:db8::1", port=8443, labels={"team": "payments"}, pinsets=())
    metrics = metrics_of(target(pinsets=(pinset(expires=later(60)),)), other)
    predictions = (prediction(), prediction(Cause.CT_ISSUED, confidence=0.5, at=later(60)))
    metrics.record(replace(outcome(target(pinsets=(pinset(expires=later(60)),))), predictions=predictions))
    metrics.record(outcome(other, Verdict.UNDETERMINED, (seen(chain=False, failure=FailureReason.TIMEOUT),)))
    key = IncidentKey("2001:db8::1", 8443, "", IncidentKind.UNREACHABLE)
    metrics.incidents([Incident("00" * 8, key, IncidentState.FIRING, Severity.WARNING, NOW, NOW)])
    metrics.silences(1)
    metrics.notification("ops-mail", None)
    metrics.notification("ops-mail", "timeout")
    metrics.tasks(14)
    metrics.outbox(1, NOW)
    metrics.tick(NOW, overdue=12.5, skipped=3)
    metrics.lag(0.3)
    metrics.lag(400)
    metrics.config_reload(ok=True, now=NOW)
    metrics.store_writable(writable=True)
    metrics.set_sources(["ari", "dns"])
    metrics.facts({"ari": 2, "crl": 1})
    metrics.polled("ari", NOW, success=True)
    metrics.polled("dns", NOW, success=False)
    metrics.policy(timedelta(days=14), timedelta(days=30))
    metrics.set_lists({"targets/*.json": 3, "https://sd.example.com/targets": 0})
    metrics.list_read("targets/*.json", NOW, success=True)
    metrics.list_read("https://sd.example.com/targets", NOW, success=False)
    body, _ = scrape(metrics)
    ours = [line for line in body.decode().splitlines(keepends=True) if "monitord_" in line]
    shown = "".join(ours).replace(platform.python_version(), "3.x.y")
    assert shown == GOLDEN.read_text("utf-8")


def test_a_list_of_endpoints_keeps_its_last_success_and_its_counts() -> None:
    """A refusal counts and changes nothing else; one that is gone shows nothing, and is not counted any more."""
    metrics = metrics_of()
    listed = {"source": "targets.json"}
    metrics.set_lists({"targets.json": 2})
    assert value(metrics, "discovery_last_success_timestamp_seconds", listed) is None
    metrics.list_read("targets.json", NOW, success=True)
    metrics.list_read("targets.json", later(1), success=False)
    metrics.set_lists({"targets.json": 5})
    assert value(metrics, "discovery_last_success_timestamp_seconds", listed) == NOW.timestamp()
    assert value(metrics, "discovery_refreshes_total", listed) == 2
    assert value(metrics, "discovery_refresh_failures_total", listed) == 1
    assert value(metrics, "discovery_targets", listed) == 5
    metrics.set_lists({})
    metrics.list_read("targets.json", later(2), success=True)
    assert value(metrics, "discovery_targets", listed) is None
    assert value(metrics, "discovery_refreshes_total", listed) is None


def test_what_is_quiet_is_open_all_the_same() -> None:
    """Acknowledged and silenced incidents are counted twice: as what they are, and as that."""
    metrics = metrics_of()
    key = IncidentKey("api.example.com", 443, "", IncidentKind.UNREACHABLE)
    plain = Incident("00" * 8, key, IncidentState.FIRING, Severity.WARNING, NOW, NOW)
    seen = replace(plain, handling=Handling(acknowledged=Acknowledgement(NOW, "ann")))
    quiet = replace(plain, handling=Handling(silenced_by="s1"))
    metrics.incidents([plain, seen, quiet])
    assert value(metrics, "incidents", {"kind": "unreachable", "severity": "warning"}) == 3
    assert value(metrics, "incidents_acknowledged") == 1
    assert value(metrics, "incidents_silenced") == 1
    assert value(metrics, "silences") is None


def test_a_source_of_signals_keeps_its_last_success() -> None:
    """A poll with a fault counts as a failure, an idle one as neither, and one that is gone shows nothing."""
    metrics = metrics_of()
    metrics.set_sources(["ari", "crl"])
    metrics.polled("ari", NOW, success=True)
    metrics.polled("ari", later(1), success=False)
    metrics.polled("ari", later(2), success=None)
    metrics.polled("ct_log", NOW, success=True)
    found = {name: value for (name, labels), value in samples(metrics).items() if dict(labels) == {"source": "ari"}}
    assert found == {
        "monitord_signal_polls_total": 3,
        "monitord_signal_poll_failures_total": 1,
        "monitord_signal_facts": 0,
        "monitord_signal_last_success_timestamp_seconds": NOW.timestamp(),
    }
    metrics.set_sources(["crl"])
    assert not [labels for _, labels in samples(metrics) if dict(labels).get("source") in ("ari", "ct_log")]


@pytest.mark.system
def test_promtool_has_nothing_to_say() -> None:
    """The names follow the conventions of Prometheus; also before anything has happened."""
    for metrics in (Metrics("1.2.3"), metrics_of(target())):
        metrics.record(outcome())
        body, _ = scrape(metrics)
        checked = run(["/usr/bin/promtool", "check", "metrics"], input=body, capture_output=True, check=False)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_a_round_for_which_another_stands_shows_what_a_judged_one_would() -> None:
    """Only what each round changes is written anew; the scrape is the same."""
    watched = target()
    first = replace(outcome(watched), predictions=(prediction(),))
    second = replace(first, at=later(1), duration=0.75)
    quick, slow = metrics_of(watched), metrics_of(watched)
    for metrics, after in ((quick, second), (slow, replace(second, verdicts=(*second.verdicts,)))):
        metrics.record(first)
        metrics.record(after)
    assert _ours(samples(quick)) == _ours(samples(slow))
    assert samples(quick)["monitord_probes_total", frozenset(ENDPOINT.items())] == 2


def test_closed_lists_are_there_from_the_start() -> None:
    """A counter that appears with its first event hides that event from rate()."""
    found = samples(metrics_of())
    reasons = {dict(labels)["reason"] for name, labels in found if name == "monitord_probe_failures_total"}
    assert reasons == set(FailureReason)
    kinds = {tuple(sorted(labels)) for name, labels in found if name == "monitord_incidents"}
    assert len(kinds) == len(IncidentKind) * len(Severity)
    failed = {dict(labels)["reason"] for name, labels in found if name == "monitord_notifications_failed_total"}
    assert failed == set(FAULTS)
    assert found["monitord_notifications_total", frozenset({("receiver", "ops-mail")})] == 0


def test_what_is_not_known_yet_has_no_series() -> None:
    """Before the first round, tick, write and read there is no value to show, and 0 would be a lie."""
    metrics = metrics_of(target())
    names = {name for name, _ in samples(metrics)}
    assert names.isdisjoint(
        "monitord_" + name
        for name in (
            "probe_success",
            "probe_last_timestamp_seconds",
            "pin_match",
            "pin_verdict",
            "pinset_live_pins",
            "outbox_pending",
            "outbox_oldest_timestamp_seconds",
            "scheduler_last_tick_timestamp_seconds",
            "config_last_reload_successful",
            "store_writable",
        )
    )
    assert value(metrics, "probes_total", ENDPOINT) == 0
    assert value(metrics, "endpoint_info", ENDPOINT) == 1


@pytest.mark.parametrize(
    ("verdict", "match", "live", "backup"),
    [
        (Verdict.OK, 1, 1, 1),
        (Verdict.PIN_MISMATCH, 0, 0, 2),
        (Verdict.PINS_EXPIRED, None, 0, 2),
        (Verdict.UNTRUSTED, None, None, None),
        (Verdict.UNDETERMINED, None, None, None),
        (Verdict.NOT_PINNED, None, None, None),
    ],
)
def test_each_verdict_says_no_more_than_is_known(
    verdict: Verdict, match: int | None, live: int | None, backup: int | None
) -> None:
    """Match is 1 or 0 only where pins decided; counts are there only where pins were compared."""
    metrics = metrics_of(target())
    metrics.record(outcome(verdict=verdict))
    assert value(metrics, "pin_match", PINS) == match
    assert value(metrics, "pinset_live_pins", PINS) == live
    assert value(metrics, "pinset_backup_pins", PINS) == backup
    states = {state: value(metrics, "pin_verdict", {**PINS, "verdict": state}) for state in Verdict}
    assert states == {state: float(state is verdict) for state in Verdict}


PREDICTED = "pin_predicted_failure_timestamp_seconds"


def test_each_cause_of_a_predicted_failure_has_a_series() -> None:
    """Of several predictions for one cause the earliest; what is merely listed has none."""
    metrics = metrics_of(target())
    several = (
        prediction(at=later(300)),
        prediction(at=later(200), confidence=0.5),
        prediction(at=later(100), confidence=0.49),
        prediction(Cause.CT_ISSUED, at=later(400), severity=Severity.INFO),
        prediction(Cause.ROOT_EXPIRY, confidence=0.1),
    )
    metrics.record(replace(outcome(), predictions=several))
    assert value(metrics, PREDICTED, {**PINS, "cause": "leaf_renewal"}) == later(200).timestamp()
    assert value(metrics, PREDICTED, {**PINS, "cause": "ct_issued"}) == later(400).timestamp()
    assert value(metrics, PREDICTED, {**PINS, "cause": "root_expiry"}) is None


def test_a_prediction_takes_its_series_with_it() -> None:
    """When it is withdrawn, and when the pins that it is about were changed."""
    metrics = metrics_of(target())
    labels = {**PINS, "cause": "leaf_renewal"}
    metrics.record(replace(outcome(), predictions=(prediction(),)))
    assert value(metrics, PREDICTED, labels) is not None
    metrics.record(outcome())
    assert value(metrics, PREDICTED, labels) is None
    metrics.record(replace(outcome(), predictions=(prediction(),)))
    metrics.set_targets([target(pinsets=(pinset("other"),))])
    assert value(metrics, PREDICTED, labels) is None


def test_an_endpoint_without_pins_has_a_verdict_all_the_same() -> None:
    """Trust is judged where nothing is pinned, under the name default."""
    bare = target(pinsets=())
    metrics = metrics_of(bare)
    metrics.record(outcome(bare, Verdict.NOT_PINNED))
    assert value(metrics, "pin_verdict", {**ENDPOINT, "pinset": "default", "verdict": "not_pinned"}) == 1


@pytest.mark.parametrize(
    ("observations", "success"),
    [
        ((seen(), seen("192.0.2.2")), 1),
        ((seen(), seen("192.0.2.2", chain=False, failure=FailureReason.REFUSED)), 0),
        ((seen(failure=FailureReason.TLS_ALERT),), 0),
        ((seen(""),), 1),
        ((seen(), seen(chain=False, failure=FailureReason.TLS_ALERT)), 1),
        ((), None),
    ],
    ids=["all", "one of two", "alert after the chain", "no address", "another key type refused", "nothing tried"],
)
def test_success_means_that_every_address_gave_a_chain(observations: Any, success: int | None) -> None:
    """One address that fails is a failed round, although the others answered."""
    metrics = metrics_of(target())
    metrics.record(outcome(observations=observations))
    assert value(metrics, "probe_success", ENDPOINT) == success


def test_rounds_are_counted_and_not_connections() -> None:
    """However many addresses were tried, a round counts once, and once for each reason of failure in it."""
    metrics = metrics_of(target())
    failed = [seen(f"192.0.2.{number}", chain=False, failure=FailureReason.TIMEOUT) for number in range(3)]
    refused = seen("192.0.2.9", chain=False, failure=FailureReason.REFUSED)
    metrics.record(outcome(observations=(*failed, refused)))
    metrics.record(outcome(observations=(*failed,), at=later(15)))
    assert value(metrics, "probes_total", ENDPOINT) == 2
    assert value(metrics, "probe_failures_total", {"reason": "timeout"}) == 2
    assert value(metrics, "probe_failures_total", {"reason": "refused"}) == 1
    assert value(metrics, "probe_last_timestamp_seconds", ENDPOINT) == later(15).timestamp()


def test_the_earliest_end_of_each_role_is_shown() -> None:
    """Presented certificates and the root that only the path has, each by its role."""
    metrics = metrics_of(target())
    metrics.record(outcome())
    for role, certificate in zip(("leaf", "intermediate", "root"), path(), strict=True):
        shown = value(metrics, "certificate_not_after_timestamp_seconds", {**ENDPOINT, "role": role})
        assert shown == certificate.not_after.timestamp()
        labels = {
            **ENDPOINT,
            "role": role,
            "subject": certificate.display_subject,
            "spki_sha256": str(certificate.pin),
            "certificate_sha256": certificate.sha256.hex(),
            "key_type": "ed25519",
        }
        assert value(metrics, "certificate_info", labels) == 1


def test_a_path_that_was_refused_does_not_count() -> None:
    """The root of an untrusted path is not shown as if it were the endpoint's."""
    metrics = metrics_of(target())
    metrics.record(outcome(verdict=Verdict.UNTRUSTED))
    assert value(metrics, "certificate_not_after_timestamp_seconds", {**ENDPOINT, "role": "leaf"}) is not None
    assert value(metrics, "certificate_not_after_timestamp_seconds", {**ENDPOINT, "role": "root"}) is None


def endpoints(metrics: Metrics) -> set[str]:
    """The hosts that any series names."""
    return {host for _, labels in samples(metrics) if (host := dict(labels).get("host"))}


def test_a_removed_endpoint_leaves_nothing_behind() -> None:
    """Whether it was forgotten or left out of the next configuration, also when a round ends afterwards."""
    metrics = metrics_of(target(), target("b.example.com"), target("c.example.com"))
    for host in ("api.example.com", "b.example.com", "c.example.com"):
        metrics.record(outcome(target(host)))
    metrics.forget("b.example.com", 443)
    assert endpoints(metrics) == {"api.example.com", "c.example.com"}
    metrics.set_targets([target()])
    late = outcome(target("c.example.com"), observations=(seen(chain=False, failure=FailureReason.DNS),))
    metrics.record(late)
    metrics.forget("never.example.com", 443)
    assert endpoints(metrics) == {"api.example.com"}
    assert value(metrics, "probe_failures_total", {"reason": "dns"}) == 1


def test_a_reload_keeps_what_is_still_true() -> None:
    """Counts stay; what was said about pins goes as soon as they are others, also when an old round ends later."""
    metrics = metrics_of(target())
    metrics.record(outcome())
    metrics.set_targets([target(labels={"team": "payments"})])
    assert value(metrics, "pin_match", PINS) == 1
    changed = target(pinsets=(pinset(pins=(path()[0].pin,)),))
    metrics.set_targets([changed])
    assert value(metrics, "pin_match", PINS) is None
    assert value(metrics, "probe_success", ENDPOINT) == 1
    metrics.record(outcome(target()))
    assert value(metrics, "pin_match", PINS) is None
    metrics.record(outcome(changed, Verdict.PIN_MISMATCH))
    assert value(metrics, "pin_match", PINS) == 0
    assert value(metrics, "probes_total", ENDPOINT) == 3


def test_labels_of_users_get_names_that_prometheus_allows() -> None:
    """A name with other characters, a reserved one and one that clashes are changed; no value is lost."""
    labels = {
        "team": "a",
        "cost-centre": "b",
        "cost.centre": "c",
        "port": "d",
        "host": "e",
        "__x": "f",
        "9": "g",
        "": "h",
    }
    metrics = metrics_of(target(labels=labels))
    (shown,) = (dict(labels) for name, labels in samples(metrics) if name == "monitord_endpoint_info")
    assert shown == {
        **ENDPOINT,
        "team": "a",
        "cost_centre": "b",
        "label_cost_centre": "c",
        "label_port": "d",
        "label_host": "e",
        "label___x": "f",
        "label_9": "g",
        "label_": "h",
    }


def test_receivers_that_stay_keep_their_counts() -> None:
    """A reload adds receivers at zero, drops removed ones, and does not count what was under way to them."""
    metrics = metrics_of()
    metrics.notification("ops-mail", None)
    metrics.notification("ops-mail", "rejected")
    metrics.set_receivers(["ops-mail", "pager"])
    assert value(metrics, "notifications_total", {"receiver": "ops-mail"}) == 2
    assert value(metrics, "notifications_failed_total", {"receiver": "ops-mail", "reason": "rejected"}) == 1
    assert value(metrics, "notifications_failed_total", {"receiver": "pager", "reason": "timeout"}) == 0
    metrics.set_receivers(["pager"])
    metrics.notification("ops-mail", "timeout")
    assert value(metrics, "notifications_total", {"receiver": "ops-mail"}) is None


def test_incidents_are_those_open_now() -> None:
    """Each kind and severity is counted; a resolved incident is gone from the next count."""
    opened = Incident(
        "00" * 8,
        IncidentKey("api.example.com", 443, "android-5", IncidentKind.PIN_MISMATCH),
        IncidentState.FIRING,
        Severity.CRITICAL,
        NOW,
        NOW,
    )
    metrics = metrics_of()
    metrics.incidents([opened, replace(opened, id="11" * 8)])
    assert value(metrics, "incidents", {"kind": "pin_mismatch", "severity": "critical"}) == 2
    metrics.incidents([])
    assert value(metrics, "incidents", {"kind": "pin_mismatch", "severity": "critical"}) == 0


def test_a_refused_reload_leaves_the_last_success_in_place() -> None:
    """The flag falls, and the time says since when the configuration in force has been that one."""
    metrics = metrics_of()
    metrics.config_reload(ok=True, now=NOW)
    metrics.config_reload(ok=False, now=later(5))
    assert value(metrics, "config_last_reload_successful") == 0
    assert value(metrics, "config_last_reload_success_timestamp_seconds") == NOW.timestamp()


def test_an_empty_outbox_has_no_oldest_message() -> None:
    """When all is delivered the age disappears instead of standing still."""
    metrics = metrics_of()
    metrics.outbox(2, NOW)
    assert value(metrics, "outbox_oldest_timestamp_seconds") == NOW.timestamp()
    metrics.outbox(0, None)
    assert value(metrics, "outbox_pending") == 0
    assert value(metrics, "outbox_oldest_timestamp_seconds") is None


def test_rounds_in_flight_are_counted_while_they_run() -> None:
    """Also a round that fails ends."""
    metrics = metrics_of()
    with metrics.probing():
        with metrics.probing():
            assert value(metrics, "probes_in_flight") == 2
        with suppress(ValueError), metrics.probing():
            raise ValueError("a bug")
        assert value(metrics, "probes_in_flight") == 1
    assert value(metrics, "probes_in_flight") == 0


def test_the_lag_is_a_histogram() -> None:
    """A lag counts in every bucket whose bound it does not exceed; a clock's rounding below 0 counts as 0."""
    metrics = metrics_of()
    for seconds in (-1e-9, 0.1, 0.2, 5, 301):
        metrics.lag(seconds)
    buckets = {
        bound: value(metrics, "probe_lag_seconds_bucket", {"le": bound}) for bound in ("0.1", "0.5", "5.0", "+Inf")
    }
    assert buckets == {"0.1": 2, "0.5": 3, "5.0": 4, "+Inf": 5}
    assert value(metrics, "probe_lag_seconds_count") == 5
    assert value(metrics, "probe_lag_seconds_sum") == pytest.approx(306.3)


@given(st.text(max_size=30), st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=4))
def test_no_text_breaks_a_scrape(text: str, labels: dict[str, str]) -> None:
    """Whatever users and servers write, both formats can be read, by line too, and say the same."""
    hostile = target(labels=labels, pinsets=(pinset(text),))
    metrics = metrics_of(hostile)
    metrics.record(outcome(hostile))
    samples(metrics)
    body, _ = scrape(metrics)
    assert body.count(b"\n") == len(body.decode().splitlines())


def test_a_hostile_subject_is_escaped_and_cut() -> None:
    """A subject of thousands of characters, with line ends and quotes, stays one label of 256 characters."""
    subject = '"}\n# HELP \x00\x1b[2J\\' + "x" * 10_000
    leaf, *rest = path()
    hostile = (with_part(leaf, SUBJECT_PLACE, _name(subject)), *rest)
    metrics = metrics_of(target())
    metrics.record(outcome(observations=(replace(seen(), chain=hostile),), verdict=Verdict.UNTRUSTED))
    subjects = [dict(labels)["subject"] for name, labels in samples(metrics) if name == "monitord_certificate_info"]
    (shown,) = (subject for subject in subjects if "HELP" in subject)
    assert len(shown) == 256
    assert shown.isprintable()


def _name(common_name: str) -> bytes:
    """The DER of a Name with this common name, of any length."""

    def element(tag: int, content: bytes) -> bytes:
        return bytes([tag, 0x83]) + len(content).to_bytes(3) + content

    attribute = element(0x30, bytes.fromhex("0603550403") + element(0x0C, common_name.encode()))
    return element(0x30, element(0x31, attribute))


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        ("text/plain;version=0.0.4", "text/plain; version=0.0.4"),
        ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0"),
        ("application/openmetrics-text;version=0.0.1;q=0.5,*/*", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;version=x.y", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;version=1.x\u2028", "text/plain; version=0.0.4"),
    ],
)
def test_the_format_is_the_one_asked_for(accept: str, expected: str) -> None:
    """OpenMetrics where the scraper takes it, the text format for everyone else and for nonsense."""
    _, content_type = scrape(metrics_of(), accept)
    assert content_type.startswith(expected)


def test_renderings_beside_rounds_are_whole() -> None:
    """A rendering in another thread sees each endpoint wholly before or wholly after a round."""
    watched = [target(f"h{number}.example.com") for number in range(20)]
    metrics = metrics_of(*watched)
    torn: list[object] = []

    def look() -> None:
        for _ in range(10):
            found = _index(parse_text(scrape(metrics)[0].decode()))
            for name, labels in found:
                if name == "monitord_pin_match":
                    state = frozenset({*labels, ("verdict", "ok")})
                    torn.extend([labels] if found["monitord_pin_verdict", state] != found[name, labels] else [])

    scraper = threading.Thread(target=look)
    scraper.start()
    rounds = 0
    while scraper.is_alive():
        rounds += 1
        for one in watched:
            metrics.record(outcome(one, Verdict.OK if rounds % 2 else Verdict.PIN_MISMATCH))
    scraper.join()
    assert torn == []
    assert value(metrics, "probes_total", {"host": "h0.example.com", "port": "443"}) == rounds


def test_the_process_is_shown_too() -> None:
    """Memory, CPU, open files and start of the process, and the Python it runs on."""
    names = {name for name, _ in samples(metrics_of())}
    assert {"process_resident_memory_bytes", "process_start_time_seconds", "process_open_fds", "python_info"} <= names
