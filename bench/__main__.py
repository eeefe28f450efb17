"""Run every measurement: ``python -m bench [SECONDS] [ENDPOINTS]``."""

from __future__ import annotations

import sys

from bench import daemon_load, pathological

if __name__ == "__main__":
    pathological.measure()
    daemon_load.measure(
        seconds=int(sys.argv[1]) if len(sys.argv) > 1 else 60,
        endpoints=int(sys.argv[2]) if len(sys.argv) > 2 else 200,
    )
