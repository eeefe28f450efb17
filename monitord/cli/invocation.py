"""How the program was called: what every command may need to know."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Invocation:
    """The configuration file, whether the user named it, and the environment."""

    config: Path
    config_is_given: bool
    environment: Mapping[str, str]

    @property
    def config_is_missing(self) -> bool:
        """Whether there is no configuration file, rather than one that cannot be read."""
        try:
            os.stat(self.config)  # noqa: PTH116 - Path.exists() hides what "permission denied" means here: it exists
        except (FileNotFoundError, NotADirectoryError):
            return True
        except (OSError, ValueError):
            return False
        return False

    @staticmethod
    def now() -> datetime:
        """The time of the system's clock."""
        return datetime.now(UTC)
