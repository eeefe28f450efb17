"""Programs from PyPI that tests run against, each in an environment of its own, every file by its hash."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def install(requirements: Path, directory: Path) -> Path:
    """Make an environment with what a file of requirements names. Its ``bin``."""
    subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
    pip = [str(directory / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    subprocess.run([*pip, "--require-hashes", "-r", str(requirements)], check=True)
    return directory / "bin"
