"""The configuration as commands use it, and which of its targets they are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.cli.configfile import require_file
from monitord.config.hosts import parse_endpoint
from monitord.config.load import default_configuration, load
from monitord.discovery.known import know
from monitord.pinning.target import DEFAULT_PORT, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitord.cli.invocation import Invocation
    from monitord.config.settings import Configuration

_ANY_PORT = 0


@dataclass(frozen=True, slots=True)
class Selected:
    """A target that a command is about; one that is not registered has no pin sets."""

    target: Target
    registered: bool


def load_configuration(invocation: Invocation, *, receivers: bool = False, discovered: bool = True) -> Configuration:
    """What the configuration file says, with the endpoints of its lists if ``discovered``.

    Raises ConfigurationError, and ConfigurationMissingError if there is no file.
    """
    require_file(invocation)
    configuration = load(invocation.config, environment=invocation.environment, receivers=receivers)
    return configuration.with_discovered(know(configuration).found) if discovered else configuration


def load_or_default(invocation: Invocation) -> Configuration:
    """As ``load_configuration``, but the defaults where nobody named a file and there is none at the usual place."""
    if invocation.config_is_missing and not invocation.config_is_given:
        return default_configuration(environment=invocation.environment)
    return load_configuration(invocation)


def parse_place(text: str) -> tuple[str, int | None]:
    """Host and port in an argument; no port where none is written. Raises UnfitError."""
    host, port = parse_endpoint(text, _ANY_PORT)
    return host, None if port == _ANY_PORT else port


def select(configuration: Configuration, places: Sequence[str]) -> list[Selected]:
    """The targets that arguments stand for, each once; all registered ones for no arguments.

    A host without port stands for every registered port of it, else for 443. Raises UnfitError.
    """
    if not places:
        return [Selected(target, registered=True) for target in configuration.targets]
    found = {
        (selected.target.host, selected.target.port): selected
        for place in places
        for selected in _matching(configuration, *parse_place(place))
    }
    return list(found.values())


def _matching(configuration: Configuration, host: str, port: int | None) -> Iterator[Selected]:
    registered = [target for target in configuration.targets if target.host == host and port in (None, target.port)]
    for target in registered:
        yield Selected(target, registered=True)
    if not registered:
        target = Target(host, DEFAULT_PORT if port is None else port, trust=(configuration.default_trust,))
        yield Selected(target, registered=False)
