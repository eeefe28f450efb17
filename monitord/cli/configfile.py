"""Is there a configuration file at all?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.errors import MonitordError

if TYPE_CHECKING:
    from monitord.cli.invocation import Invocation


class ConfigurationMissingError(MonitordError):
    """There is no configuration file; the sentence says how to begin."""


def require_file(invocation: Invocation) -> None:
    """Raise ConfigurationMissingError if there is no configuration file."""
    if invocation.config_is_missing:
        raise ConfigurationMissingError(
            f"there is no configuration file {invocation.config}: to make one and register an endpoint, call "
            f"monitord {f'-c {invocation.config} ' if invocation.config_is_given else ''}add HOST"
        )
