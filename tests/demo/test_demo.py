from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path


def test_the_demo_plays_its_story_to_the_end() -> None:
    """Every step is told, both alerts are shown as they arrived, and nothing is left behind."""
    with tempfile.TemporaryDirectory() as scratch:
        run = subprocess.run(
            [sys.executable, "-m", "monitord", "demo"],
            capture_output=True,
            text=True,
            check=False,
            env={"TMPDIR": scratch},
            timeout=300,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        assert list(Path(scratch).iterdir()) == []
    assert run.stderr == ""
    assert re.findall(r"^\[(\d)/8\]", run.stdout, re.MULTILINE) == [str(step) for step in range(1, 9)]
    assert re.search(r"http://127\.0\.0\.1:\d+/metrics", run.stdout)
    told = [
        f"{kind}.{state}" for kind in ("pin_mismatch_predicted", "pin_mismatch") for state in ("firing", "resolved")
    ]
    for event in told:
        assert re.search(rf"Webhook \w+: {re.escape(event)}, signature verified\.", run.stdout)
    assert len(re.findall(r"Subject: ", run.stdout)) == len(told)
    assert re.search(r"It was told \d+ seconds before it happened", run.stdout)
    assert run.stdout.rstrip().endswith("Everything that was started is stopped, and its files are removed.")
