"""One door for each dependency: who asks where monitord speaks SMTP finds one room."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import monitord

DOORS = {
    "aiohttp": {"notify", "signals", "web"},
    "aiosmtplib": {"notify"},
    "alembic": {"store"},
    "apscheduler": {"schedule"},
    "bcrypt": {"web"},
    "certifi": {"config"},
    "click": {"cli"},
    # probe and config only turn a client certificate into what OpenSSL takes; the rest is pinning's.
    "cryptography": {"config", "pinning", "pki", "probe"},
    "dns": {"signals"},
    "idna": {"config"},
    "jinja2": {"config", "web"},  # templates of webhooks, pages
    "OpenSSL": {"probe"},
    "prometheus_client": {"metrics"},
    "pydantic": {"config"},
    "pydantic_core": {"config"},
    "rich": {"cli"},
    "sqlalchemy": {"store"},
    "structlog": {"logs"},
    "yaml": {"config"},
}
PACKAGE = Path(monitord.__file__).parent


def imports_by_room() -> dict[str, set[str]]:
    """Every third-party package and the rooms that import it, wherever in a module the import stands."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for package in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"monitord"}:
                found.setdefault(package, set()).add(room)
    return found


def test_each_dependency_has_one_door() -> None:
    """The table above is exactly what is imported."""
    assert imports_by_room() == DOORS
