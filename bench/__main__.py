"""Measure: ``python -m bench [WHAT [NUMBER...]]``, all that is about cost without WHAT. Results: docs/performance.md.

WHAT is ``pathological``, ``scrape [ENDPOINTS]``, ``load [SECONDS [ENDPOINTS]]``, ``cores``, ``scale [ENDPOINTS...]``,
``sustain [RATE...]``, ``growth`` or, apart from those, ``tarpit [SECONDS]``, about receivers that hang,
``soak [MINUTES]``, about what grows, and ``calibration [HISTORIES]``, about how good predictions are.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench import calibration, cores, growth, load, pathological, scale, scrape, soak, sustain, tarpit

if TYPE_CHECKING:
    from collections.abc import Callable

_COST: dict[str, Callable[..., None]] = {
    "pathological": pathological.measure,
    "scrape": lambda endpoints=10_000: scrape.measure(endpoints),
    "load": lambda seconds=60, endpoints=500: load.measure(seconds, endpoints),
    "cores": cores.measure,
    "scale": lambda *endpoints: scale.measure(*(endpoints or (1_000, 10_000, 100_000))),
    "sustain": sustain.measure,
    "growth": growth.measure,
}
_APART: dict[str, Callable[..., None]] = {
    "tarpit": lambda seconds=60: tarpit.measure(seconds),
    "soak": lambda minutes=30: soak.measure(minutes),
    "calibration": lambda histories=calibration.HISTORIES: calibration.measure(histories),
}

if __name__ == "__main__":
    what, numbers = sys.argv[1:2], [int(text) for text in sys.argv[2:]]
    if what and what[0] not in {**_COST, **_APART}:
        raise SystemExit(__doc__)
    if what:
        {**_COST, **_APART}[what[0]](*numbers)
    else:
        for measure in _COST.values():
            measure()
