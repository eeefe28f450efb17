from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitord import pki
from monitord.cli.main import run
from tests.support.tlsserver import TlsServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from monitord.pki import Issued

HOST = "api.example.test"
SPARE = "sha256/U3BhcmUgcGluIG9mIGEga2V5IHRoYXQgaXMga2VwdC4="
"""A pin of no known key, so that a set is not a lone pin."""
_CONFIGURATION = """\
timeout: 5s
trust:
  default: own
  own: root.pem
include: ["domains.d/*.yaml"]
store: sqlite:///monitord.db
web: {listen: "127.0.0.1:0"}
"""


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The JSON Lines of standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def record(self) -> dict[str, Any]:
        """The only line."""
        (record,) = self.records
        return record


@dataclass(frozen=True)
class World:
    """A root, an intermediate and leaves for ``HOST``."""

    root: Issued
    intermediate: Issued
    leaf: Issued
    renewed: Issued
    expired: Issued
    misnamed: Issued
    local: Issued

    def serve(
        self, leaf: Issued | None = None, *, addresses: tuple[str, ...] = ("127.0.0.1",), port: int = 0
    ) -> TlsServer:
        """A server that presents a leaf with the intermediate."""
        return TlsServer(leaf or self.leaf, self.intermediate.certificate, addresses=addresses, port=port)


def _leaf(issuer: Issued, *names: str, days: int = 300) -> Issued:
    """A leaf that is fresh enough for no renewal to be near."""
    now = datetime.now(UTC).replace(microsecond=0)
    return pki.issue(
        names[0],
        issuer=issuer,
        names=names,
        not_before=now - timedelta(days=10),
        not_after=now + timedelta(days=days),
    )


@pytest.fixture(scope="session")
def world() -> World:
    """The PKI that all tests share; keys are costly."""
    root = pki.issue("Root")
    intermediate = pki.issue("Intermediate", issuer=root)
    return World(
        root=root,
        intermediate=intermediate,
        leaf=_leaf(intermediate, HOST),
        renewed=_leaf(intermediate, HOST),
        expired=_leaf(intermediate, HOST, days=-1),
        misnamed=_leaf(intermediate, "other.example.test"),
        local=_leaf(intermediate, "localhost", "127.0.0.1"),
    )


@pytest.fixture
def home(tmp_path: Path, world: World) -> Path:
    """A directory with a configuration that trusts the world's root and registers nothing yet."""
    (tmp_path / "root.pem").write_bytes(world.root.pem)
    (tmp_path / "monitord.yaml").write_text(_CONFIGURATION)
    (tmp_path / "domains.d").mkdir()
    return tmp_path


@pytest.fixture
def register(home: Path) -> Callable[..., None]:
    """Writes an entry of ``domains.d``: host, the server's port, addresses, and pins or further lines.

    A spare is added to the pins unless they are ``lone``.
    """

    def write(
        port: int,
        *pins: object,
        addresses: tuple[str, ...] = ("127.0.0.1",),
        host: str = HOST,
        more: str = "",
        lone: bool = False,
    ) -> None:
        where = ", ".join(f'"[{one}]:{port}"' if ":" in one else f'"{one}:{port}"' for one in addresses)
        listed = "".join(f"    - {pin}\n" for pin in (*pins, *([] if lone else [SPARE])))
        text = f"- host: {host}\n  connect_to: [{where}]\n{more}" + (f"  pins:\n{listed}" if pins else "")
        (home / "domains.d" / f"{host}.yaml").write_text(text)

    return write


@pytest.fixture
def monitord(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Calls the command line in this process, with the configuration of ``home`` unless other options come first."""

    def call(*arguments: object) -> Result:
        words = [str(argument) for argument in arguments]
        if words[0] != "-c":
            words = ["-c", str(home / "monitord.yaml"), *words]
        code = run(words)
        out, err = capsys.readouterr()
        return Result(int(code), out, err)

    return call
