"""Telling a running daemon that its configuration has changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from monitord.control import ControlError, candidate_paths, request

if TYPE_CHECKING:
    from monitord.cli.invocation import Invocation
    from monitord.config.settings import Configuration


class Took(StrEnum):
    """What became of the change."""

    RELOADED = "reloaded"
    NOT_RUNNING = "not_running"
    REFUSED = "refused"
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the daemon said; ``in_force`` is whether nothing is left to be done by hand."""

    took: Took
    message: str

    @property
    def in_force(self) -> bool:
        """Whether a daemon runs with the change, or none runs at all."""
        return self.took in (Took.RELOADED, Took.NOT_RUNNING)


def reload_daemon(invocation: Invocation, configuration: Configuration) -> Answer:
    """Ask the daemon of this configuration to load it anew."""
    paths = candidate_paths(configuration.store, invocation.environment)
    try:
        answer = request(paths, "reload", invocation.config)
    except ControlError as error:
        return Answer(Took.NO_ANSWER, str(error))
    if answer is None:
        return Answer(Took.NOT_RUNNING, "no daemon is running; to start one: systemctl enable --now monitord")
    took = Took.RELOADED if answer.get("ok") else Took.REFUSED
    return Answer(took, f"the daemon says: {answer.get('message', '')}")
