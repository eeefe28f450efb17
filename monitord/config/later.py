"""What the public surface names for later versions, so that using it is told apart from a slip of the pen."""

from __future__ import annotations

# Keys by their path in the file, and values of keys as PATH=VALUE. A version that brings one deletes its row.
NOT_YET = frozenset(
    {
        "discovery",
        "domains.pinsets.from",
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
