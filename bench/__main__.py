"""Run every measurement: ``python -m bench [SECONDS] [ENDPOINTS]``."""

from __future__ import annotations

import sys

from bench.daemon_load import measure

if __name__ == "__main__":
    measure(
        seconds=int(sys.argv[1]) if len(sys.argv) > 1 else 60,
        endpoints=int(sys.argv[2]) if len(sys.argv) > 2 else 200,
    )
