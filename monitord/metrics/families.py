"""The names, labels and help texts of our own metrics. They are a promise: dashboards and alert rules rest on them."""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "monitord_"
ENDPOINT = ("host", "port")
PINSET = (*ENDPOINT, "pinset")
LAG_BUCKETS = (0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0, 60.0, 300.0)


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: its name without prefix (and ``_total``), its help, and all of its labels."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


GAUGES = (
    Family(
        "endpoint_info",
        "Always 1, for each registered endpoint; also carries the labels that its users gave it.",
        ENDPOINT,
    ),
    Family(
        "probe_success",
        "1 if in the last round every address gave a chain of certificates without a failure, else 0.",
        ENDPOINT,
    ),
    Family("probe_duration_seconds", "How long the last round took.", ENDPOINT),
    Family("probe_last_timestamp_seconds", "When the last round began.", ENDPOINT),
    Family("probe_interval_seconds", "The time between two rounds, as configured.", ENDPOINT),
    Family(
        "pin_match",
        "1 if a pin matches wherever it must, 0 if none does somewhere so that apps refuse to connect; "
        "absent where pins decide nothing or nothing is known.",
        PINSET,
    ),
    Family("pin_verdict", "1 for the verdict of the last round, 0 for every other.", (*PINSET, "verdict")),
    Family(
        "pin_predicted_failure_timestamp_seconds",
        "When the pin set is likely to fail for this cause, at the earliest; absent where that is not predicted.",
        (*PINSET, "cause"),
    ),
    Family("pinset_live_pins", "How many pins of the set match what is served.", PINSET),
    Family("pinset_backup_pins", "How many pins of the set match nothing that is served: the spares.", PINSET),
    Family("pinset_expiry_timestamp_seconds", "When the pin set expires, as configured.", PINSET),
    Family(
        "certificate_not_after_timestamp_seconds",
        "Earliest end of validity of the certificates in that role, presented or on a validated path.",
        (*ENDPOINT, "role"),
    ),
    Family(
        "certificate_info",
        "Always 1, for each certificate of the last round, presented or on a validated path.",
        (*ENDPOINT, "role", "subject", "spki_sha256", "certificate_sha256", "key_type"),
    ),
    Family("incidents", "How many incidents are open.", ("kind", "severity")),
    Family("incidents_acknowledged", "How many open incidents somebody has acknowledged."),
    Family("incidents_silenced", "How many open incidents a silence or a time for maintenance keeps quiet."),
    Family("silences", "How many silences are in force; times for maintenance are not among them."),
    Family("probes_in_flight", "How many rounds run now."),
    Family(
        "probe_overdue_seconds",
        "For how long the endpoint that has been due for longest has waited for its round to begin; 0 if none waits.",
    ),
    Family("tasks", "How many tasks its event loop has; they grow with what is under way, and shrink again."),
    Family("outbox_pending", "How many messages wait to be delivered."),
    Family("outbox_oldest_timestamp_seconds", "When the oldest waiting message was written; absent if none waits."),
    Family(
        "heartbeat_last_success_timestamp_seconds", "When the dead man's switch was last told that monitord is alive."
    ),
    Family(
        "signal_last_success_timestamp_seconds",
        "When the source was last asked without a fault; absent until it was.",
        ("source",),
    ),
    Family("signal_facts", "How many facts from this source are known.", ("source",)),
    Family(
        "discovery_last_success_timestamp_seconds",
        "When the list of endpoints was last read without a fault; absent until it was.",
        ("source",),
    ),
    Family("discovery_targets", "How many endpoints the list in force has.", ("source",)),
    Family("scheduler_last_tick_timestamp_seconds", "When the scheduler last looked for endpoints that are due."),
    Family("release_time_seconds", "How long new pins take to reach the users, as configured."),
    Family("horizon_seconds", "How far ahead predictions are alerted, as configured."),
    Family("config_last_reload_successful", "1 if the configuration was accepted when it was last read, else 0."),
    Family("config_last_reload_success_timestamp_seconds", "When a configuration was last accepted."),
    Family("store_writable", "1 if the last write to the store succeeded, else 0."),
    Family("build_info", "Always 1; carries the versions of monitord and of Python.", ("version", "python")),
)
COUNTERS = (
    Family("probes", "Rounds of probing, however many addresses and key types each of them tried.", ENDPOINT),
    Family("probes_skipped", "Rounds that were left out: the one before still ran, or began after they were due."),
    Family("probe_failures", "Rounds in which an address failed for this reason.", ("reason",)),
    Family("notifications", "Attempts to deliver a message, failed ones included.", ("receiver",)),
    Family("notifications_failed", "Failed attempts to deliver a message.", ("receiver", "reason")),
    Family("heartbeat_failures", "Beats of the dead man's switch that did not arrive."),
    Family("signal_polls", "How often a source of signals was asked.", ("source",)),
    Family("signal_poll_failures", "How often a source could not be asked, or a part of it.", ("source",)),
    Family("discovery_refreshes", "How often the list of endpoints was read.", ("source",)),
    Family("discovery_refresh_failures", "How often it could not be read or had faults.", ("source",)),
)
LAG = Family("probe_lag_seconds", "How long after its due time a round began.")
