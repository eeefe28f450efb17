"""What a command beside the daemon can know of lists: files are read, those of servers are as the daemon kept them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.config.discovered import ListFault
from monitord.config.document import read_capped
from monitord.config.storeurl import store_file
from monitord.discovery.files import PatternError, files_of
from monitord.discovery.lists import Lists, SavedListsError, file_key, http_key, load_saved, read

if TYPE_CHECKING:
    from pathlib import Path

    from monitord.config.settings import Configuration
    from monitord.discovery.lists import Found, ListKey

SAVED_LISTS = "discovery.lists"  # no pattern for lists matches it


@dataclass(frozen=True, slots=True)
class Known:
    """The endpoints that are known, each with its source, and what is wrong or dubious about lists in files."""

    found: Found
    faults: tuple[ListFault, ...] = ()
    warnings: tuple[ListFault, ...] = ()


def saved_beside(store: str) -> Path:
    """Where the lists are kept by the monitord whose store has this URL."""
    return store_file(store).parent / SAVED_LISTS


def know(configuration: Configuration) -> Known:
    """What is known of the lists of a configuration. Raises nothing for what is wrong with them."""
    settings, lists = configuration.discovery, Lists()
    if settings.main is None:
        return Known({})
    try:
        kept = load_saved(saved_beside(configuration.store))
    except SavedListsError:  # it is the daemon's, whose user is another one; its log tells what is wrong with it
        kept = {}
    for key, data in kept.items():
        lists.take(key, data, read(key, data, settings.rules), anyhow=True)
    faults: list[ListFault] = []
    warnings: list[ListFault] = []
    order: list[ListKey] = []
    for pattern in settings.file_sd:
        try:
            paths = files_of(settings.main, pattern)
        except PatternError as error:
            faults.append(ListFault(pattern, str(error)))
            order += [key for key in kept if key.source == pattern]
            continue
        for path in paths:
            key = file_key(pattern, path)
            order.append(key)
            try:
                data = read_capped(path)
            except OSError as error:
                faults.append(ListFault(str(path), f"it cannot be read: {error.strerror or error}"))
                continue
            listed = read(key, data, settings.rules)
            lists.take(key, data, listed)
            faults += listed.faults
            warnings += listed.warnings
    lists.keep([*order, *map(http_key, settings.http_sd)])
    return Known(lists.found, tuple(faults), tuple(warnings))
