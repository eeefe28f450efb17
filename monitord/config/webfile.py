"""``web.config_file``: TLS, logins and headers of the listener, in the form of Prometheus's exporter-toolkit.

Source: exporter-toolkit ``docs/web-configuration.md``. What it has and cannot be had here is refused, so that nobody
believes to be protected by it: client certificates that are asked for and not verified, TLS before 1.2, several curves.
Keys and certificates come from files only. HTTP/2 is not spoken, whatever ``http2`` says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from monitord.config.document import MarkedDict, read_document
from monitord.config.faults import ConfigurationError, Fault, Findings, UnfitError
from monitord.config.fields import Surroundings
from monitord.config.webschema import WebFileEntry
from monitord.config.webtls import ServerTls, server_tls
from monitord.config.wording import complain, explain, unknown_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from monitord.config.document import Document
    from monitord.config.environment import Location
    from monitord.config.secret import Secret


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most ``burst`` requests at once, and one more after each ``interval``."""

    interval: timedelta
    burst: int


@dataclass(frozen=True, slots=True)
class WebFile:
    """What the file says. ``users`` are bcrypt hashes by name, ``files`` all that it was made from."""

    tls: ServerTls | None = None
    users: Mapping[str, Secret] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    rate_limit: RateLimit | None = None
    files: tuple[Path, ...] = ()

    @property
    def authenticates(self) -> bool:
        """Whether there is a way for a client to show who it is."""
        return bool(self.users) or (self.tls is not None and self.tls.verifies_clients)


def load_web_file(path: Path, environment: Mapping[str, str]) -> WebFile:
    """The file at ``path``. Raises ConfigurationError with all its faults."""
    findings = Findings()
    found = read_web_file(path, environment, findings)
    if findings.faults:
        raise ConfigurationError(tuple(findings.faults))
    return found


def read_web_file(path: Path, environment: Mapping[str, str], findings: Findings) -> WebFile:
    """The file at ``path``; its faults go to ``findings``."""
    document = read_document(path)
    findings.faults += document.faults
    if document.root is None:
        return WebFile()
    if not isinstance(document.root, MarkedDict):
        message = "the file is not a mapping of keys such as tls_server_config: and basic_auth_users:"
        findings.faults.append(Fault(path, document.line, message))
        return WebFile()
    around = Surroundings(path.parent, environment, frozenset())
    try:
        entry = WebFileEntry.model_validate(document.root, context=around)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        findings.faults += [_explained(document, detail) for detail in details]
        return WebFile()
    tls = None
    if entry.tls_server_config is not None:
        try:
            tls = server_tls(entry.tls_server_config, around)
        except UnfitError as error:
            findings.faults.append(complain(document, ("tls_server_config",), error))
    limit = entry.rate_limit
    return WebFile(
        tls,
        MappingProxyType(dict(entry.basic_auth_users)),
        MappingProxyType(dict(entry.http_server_config.headers)),
        RateLimit(limit.interval, limit.burst) if limit and limit.interval else None,
        (path, *(tls.files if tls else ())),
    )


def _explained(document: Document, detail: ErrorDetails) -> Fault:
    if detail["type"] != "extra_forbidden":
        return explain(document, detail)
    location: Location = detail["loc"]
    place = document.place(*location)
    section: Any = WebFileEntry
    for step in location[:-1]:
        section = section.sections()[step]
    return Fault(place.file, place.line, unknown_key(str(location[-1]), section.model_fields))
