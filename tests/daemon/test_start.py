"""Whatever keeps a daemon from starting is one clear sentence, exit code 3, and nothing left half started."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

from tests.support.daemon import Daemon, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.deployment import Deployment

# Root may write everywhere, unless it has given up the capability to do so.
_OBEDIENT = """
import ctypes, os, sys
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


async def refusal(config: Path, *command: str) -> str:
    """What a daemon says that does not start."""
    async with Daemon(config, starts=False, command=command) as daemon:
        assert await daemon.ended() == 3
    assert "Traceback" not in daemon.said
    return daemon.said


async def test_a_faulty_configuration_starts_nothing_and_all_its_faults_are_said(tmp_path: Path) -> None:
    """Two faults are two lines, each with its place, and there is not even a store."""
    config = tmp_path / "monitord.yaml"
    config.write_text(
        f"interval: 10 parsecs\nstore: sqlite:///{tmp_path}/monitord.db\n"
        'domains:\n  - host: api.example.com\n    pins: ["sha256/short"]\n',
        "utf-8",
    )
    said = await refusal(config)
    assert f"{config}:1: " in said
    assert f"{config}:5: " in said
    assert not (tmp_path / "monitord.db").exists()
    assert not (tmp_path / "monitord.db.lock").exists()


async def test_without_a_configuration_it_says_so(tmp_path: Path) -> None:
    """A file that is not there is a sentence with its name."""
    assert f"{tmp_path}/none.yaml" in await refusal(tmp_path / "none.yaml")


async def test_a_second_daemon_on_the_same_store_is_refused(deployment: Deployment) -> None:
    """It names the process that has the store, and the first one goes on undisturbed, its control socket too."""
    async with Daemon(deployment.configure()) as first:
        said = await refusal(deployment.config)
        assert f"(pid {first.pid}) is running on it" in said
        assert (deployment.directory / "monitord.sock").is_socket()
        assert (await first.get("/-/healthy"))[0] == 200
        assert await first.stop() == 0


async def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    """The address and what to do; afterwards the store is free again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        said = await refusal(write_config(tmp_path / "monitord.yaml", web={"listen": listen}))
    assert f"cannot listen on {listen} (Address already in use)" in said
    async with Daemon(write_config(tmp_path / "monitord.yaml")) as daemon:
        assert await daemon.stop() == 0


async def test_a_store_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """In a directory that the daemon may not write to."""
    directory = tmp_path / "state"
    directory.mkdir(mode=0o555)
    config = write_config(tmp_path / "monitord.yaml", store=f"sqlite:///{directory}/monitord.db")
    said = await refusal(config, sys.executable, "-c", _OBEDIENT)
    assert f"store {directory}/monitord.db: " in said
    assert "access is denied" in said


async def test_a_store_under_a_file_is_said(tmp_path: Path) -> None:
    """A path that leads through something that is no directory is a sentence, not a traceback."""
    said = await refusal(write_config(tmp_path / "monitord.yaml", store="sqlite:////dev/null/monitord.db"))
    assert "store /dev/null/monitord.db: " in said
