"""The API against its own description, by Schemathesis: whatever is asked, the answer is one that is described."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system.environments import install
from tests.web.fleets import Company, twenty
from tests.web.listening import Lines, serving, sources

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.system

REQUIREMENTS = Path(__file__).parent / "api" / "requirements.txt"
# That an empty parameter is as good as none is not something that a schema can say.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,positive_data_acceptance,unsupported_method,use_after_free"
)


@pytest.fixture(scope="module")
def schemathesis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program."""
    return install(REQUIREMENTS, tmp_path_factory.mktemp("api") / "environment") / "schemathesis"


@pytest.mark.parametrize("fleet", [twenty, Company])
async def test_every_answer_is_described(schemathesis: Path, fleet: Callable[[], Company], tmp_path: Path) -> None:
    """Of a fleet with one of everything, and of an empty one; nothing that is sent is a fault of ours."""
    log = Lines()
    async with serving(sources(knowledge=fleet().knowledge()), log, patience=300) as server:
        description = f"http://127.0.0.1:{server.port}/api/v1/openapi.json"
        options = ("--checks", CHECKS, "--max-examples", "60", "--seed", "1", "--no-color")
        running = await asyncio.create_subprocess_exec(
            schemathesis,
            "run",
            description,
            *options,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await running.communicate()
    assert running.returncode == 0, said.decode()
    assert b"Tested: 4" in said
    assert log.written == []
