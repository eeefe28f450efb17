"""A store in a directory of its own, and chains to record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from monitord.store.store import Store
from tests.store.samples import Chains, clock, make_chains

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(scope="session")
def chains() -> Chains:
    """Real chains, made once."""
    return make_chains()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store of a test lies."""
    return tmp_path / "state" / "monitord.db"


@pytest.fixture
def url(path: Path) -> str:
    """The URL of the store of a test."""
    return f"sqlite:///{path}"


@pytest_asyncio.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """An open store; a test may close it."""
    opened = await Store.open(url, now=clock)
    yield opened
    await opened.close()
