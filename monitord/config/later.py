"""What the public surface names for later versions, so that using it is told apart from a slip of the pen."""

from __future__ import annotations

# Keys by their path in the file, and values of keys as PATH=VALUE. A version that brings one deletes its row.
NOT_YET = frozenset(
    {
        "discovery",
        "domains.pinsets.ca_pins",
        "domains.pinsets.client=android",
        "domains.pinsets.client=apple",
        "domains.pinsets.client=certificate",
        "domains.pinsets.client=cronet",
        "domains.pinsets.client=curl",
        "domains.pinsets.client=okhttp",
        "domains.pinsets.client=trustkit-android",
        "domains.pinsets.client=trustkit-ios",
        "domains.pinsets.from",
        "domains.pinsets.leaf_pins",
        "domains.proxy",
        "domains.starttls",
        "heartbeat",
        "receivers.webhook.format=alertmanager",
        "receivers.webhook.format=pagerduty",
        "receivers.webhook.format=slack",
        "signals",
        "store=postgres",
        "store=postgresql",
        "web.config_file",
    }
)

REFUSAL = "is not supported by this version of monitord"
