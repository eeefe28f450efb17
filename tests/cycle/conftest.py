from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cycle.bench import Bench

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench that has started."""
    bench = await Bench(tmp_path).start()
    yield bench
    await bench.stop()
