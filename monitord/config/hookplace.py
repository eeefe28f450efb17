"""Where ``ct-hook`` hands over: read from the configuration without the rest of it.

certspotter waits for the hook at each certificate, and runs it as a user to whom secrets are closed. So nothing is
loaded that takes long, and what is wrong elsewhere in the file is no matter: the daemon goes on too, as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.config.document import MarkedDict, read_document
from monitord.config.environment import expand
from monitord.config.faults import ConfigurationError, Fault, UnfitError
from monitord.config.storeurl import SQLITE_PREFIX, store_file, store_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from monitord.config.document import Document


@dataclass(frozen=True, slots=True)
class HookPlace:
    """Whether the daemon takes what the hook hands over, the spool if one is named, and the file of the store."""

    enabled: bool
    spool: Path | None
    store: Path


def read_hook_place(path: Path, environment: Mapping[str, str]) -> HookPlace:
    """What the configuration file says of it. Raises ConfigurationError where that cannot be understood."""
    document = read_document(path, regular=False)
    if not isinstance(document.root, MarkedDict):
        message = "the file is not a mapping of keys such as interval: and domains:"
        raise ConfigurationError(document.faults or (Fault(path, document.line, message),))
    spool = _text(document, environment, "signals", "ct", "spool")
    store = _text(document, environment, "store")
    if store is not None and not store.startswith(SQLITE_PREFIX):
        message = "the store is no SQLite file, which a spool could lie beside; name one under signals.ct.spool"
        raise ConfigurationError((Fault(path, document.place("store").line, message),))
    return HookPlace(
        document.value(("signals", "ct", "hook")) is not False,
        None if spool is None else path.parent.absolute() / spool,
        store_file(store_url(store, path, environment)),
    )


def _text(document: Document, environment: Mapping[str, str], *keys: str) -> str | None:
    """The text under these keys, with references to the environment replaced."""
    value = document.value(keys)
    try:
        if value is None:
            return None
        if not isinstance(value, str):
            raise UnfitError(value, "is not a text; put it in quotes")
        return expand(value, environment)
    except UnfitError as error:
        place = document.place(*keys)
        raise ConfigurationError((Fault(place.file, place.line, f"{'.'.join(keys)}: {error}"),)) from error
