"""The endpoints that signals are wanted for, with what each served when it was last seen to serve anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.signals.source import Subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.outcome import Outcome
    from monitord.pinning.target import Target


class Subjects:
    """Called, it gives a Subject for each registered endpoint: the very same object until one of them changes."""

    def __init__(self) -> None:
        """No endpoints yet."""
        self._found: dict[tuple[str, int], Subject] = {}
        self._unseen: set[tuple[str, int]] = set()
        self._all: tuple[Subject, ...] | None = ()

    def __call__(self) -> tuple[Subject, ...]:
        """Every endpoint, in the order of the configuration."""
        if self._all is None:
            self._all = tuple(self._found.values())
        return self._all

    @property
    def complete(self) -> bool:
        """Whether every endpoint was probed since it was registered, whatever came of it."""
        return not self._unseen

    def watch(self, targets: Iterable[Target]) -> None:
        """Have exactly these endpoints; what is known about those that stay is kept."""
        before, self._found = self._found, {}
        for target in targets:
            key = target.key
            known = before.get(key)
            if known is not None and known.target == target:
                self._found[key] = known
            else:
                self._found[key] = Subject(target, known.chains if known else ())
        self._unseen = (self._unseen | (self._found.keys() - before.keys())) & self._found.keys()
        if list(before.values()) != list(self._found.values()):
            self._all = None

    def seen(self, outcome: Outcome) -> None:
        """Take in a round. One that saw no chain changes nothing: what was served before is still the best answer."""
        key = outcome.target.key
        known = self._found.get(key)
        if known is None:
            return
        self._unseen.discard(key)
        if known.chains and {one.chain for one in outcome.observations if one.chain} == {*known.chains}:
            return
        # In one order, whichever address answered first, so that the same chains are no change.
        chains: dict[tuple[Certificate, ...], bytes] = {
            one.chain: one.chain_sha256 for one in outcome.observations if one.chain
        }
        ordered = tuple(sorted(chains, key=lambda chain: chains[chain]))
        if ordered and ordered != known.chains:
            self._found[key] = Subject(known.target, ordered)
            self._all = None
