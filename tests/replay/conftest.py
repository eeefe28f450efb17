from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.replay import stories

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def tell(tmp_path: Path) -> Callable[[str], stories.Told]:
    """Reads the text of a story and plays it."""
    return lambda text: stories.tell(text, tmp_path)
