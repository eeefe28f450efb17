"""``monitord check`` as a script runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def check(config: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code of ``check --json``, and what it printed, by host."""
    run = subprocess.run(
        [sys.executable, "-m", "monitord", "-c", str(config), "check", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    return run.returncode, {ruling["host"]: ruling for ruling in map(json.loads, run.stdout.splitlines())}
