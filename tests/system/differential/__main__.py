"""Looks for disagreements beyond the tests: ``python -m tests.system.differential SEED COUNT [NUMBER...]``."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from tests.system.differential.compare import CLIENTS, Laboratory, monitord_rule


def say(text: str) -> None:
    """Print it at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(seed: int, count: int, *numbers: int) -> int:
    """Play the cases 0 to ``count`` of this seed, or just these numbers, and print every disagreement."""
    began = time.monotonic()
    now = datetime.now(UTC).replace(microsecond=0)
    with tempfile.TemporaryDirectory() as directory, Laboratory(Path(directory), seed, now) as laboratory:
        trials = laboratory.play(numbers or range(count))
        played = time.monotonic() - began
        found = list(laboratory.disagreements(trials, monitord_rule))
        for disagreement in found:
            say(disagreement.text(now) + "\n")
        for client in CLIENTS:
            outcomes = Counter(str(trial.seen[client].outcome) for trial in trials)
            wrong = [one for one in found if one.client is client]
            say(f"{client}: {len(trials)} cases {dict(outcomes)}, {len(wrong)} disagreements")
            say(f"  {dict(Counter(one.trial.case.situation for one in wrong))}")
        say(f"seed {seed}: played in {played:.1f} s, {time.monotonic() - began:.1f} s in all")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
