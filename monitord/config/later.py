"""What the public surface names for later versions, so that using it is told apart from a slip of the pen."""

from __future__ import annotations

# Keys by their path in the file, and values of keys as PATH=VALUE. A version that brings one deletes its row.
NOT_YET = frozenset(
    {
        "domains.pinsets.from",
        "store=postgres",
        "store=postgresql",
    }
)

REFUSAL = "is not supported by this version of monitord"
