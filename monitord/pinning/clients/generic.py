"""Client ``generic``, our default: what holds whichever client the apps use.

A pin counts on any certificate of the validated path, root included (RFC 7469 section 2.6, "validated certificate
chain"), and because clients choose paths differently, every valid path must hold a pin. Where paths or clients differ,
the sentence names the client libraries that fail.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from monitord.pinning.clients.libraries import LIBRARIES, Library, at_once, judge_by, match_anywhere
from monitord.pinning.clients.platform import any_valid_path
from monitord.pinning.extensions import authority_certificate, read_profile
from monitord.pinning.pins import Client
from monitord.pinning.verdict import Judgement, Verdict

if TYPE_CHECKING:
    from monitord.pinning.certificate import Certificate
    from monitord.pinning.clients.platform import Presented
    from monitord.pinning.observation import Observation
    from monitord.pinning.pins import PinSet

_SHORT = 6
# Those that hold pins against a whole path, as generic does.
_BUILDERS = (Client.OKHTTP, Client.ANDROID, Client.APPLE)


GENERIC = Library(any_valid_path, match_anywhere, at_once)


def judge_generic(observation: Observation, presented: Presented, pinset: PinSet) -> Judgement:
    """The strictest reading of a pin set; see above."""
    judgement = judge_by(GENERIC, observation, presented, pinset)
    held = judgement.verdict in (Verdict.OK, Verdict.PIN_MISMATCH) and judgement.matched
    if not held or (judgement.verdict is Verdict.OK and _plain(presented, judgement.path)):
        return judgement
    failing = [client for client in _BUILDERS if _fails(client, observation, presented, pinset)]
    if not failing:
        return judgement
    named = ", ".join(failing)
    return replace(judgement, reason=f"{judgement.reason}; of the client libraries these would fail: {named}")


def _plain(presented: Presented, path: tuple[Certificate, ...]) -> bool:
    """Whether all builders must come to this path: a shortcut, as most chains are plain.

    They part ways over certificates beside the path, several anchors of one name, long paths, an order that is not
    that of the path, and identifiers that contradict it.
    """
    return (
        presented.chain == path[: len(presented.chain)]
        and len(path) <= _SHORT
        and presented.trust.named(path[-1].subject_key) == path[-1:]
        and all(_identified(below, above) for below, above in pairwise(path))
    )


def _identified(certificate: Certificate, issuer: Certificate) -> bool:
    wanted, given = read_profile(certificate).authority_key_identifier, read_profile(issuer).subject_key_identifier
    named = authority_certificate(certificate)
    return wanted in (None, b"", given) and named.serial in (None, issuer.serial)


def _fails(client: Client, observation: Observation, presented: Presented, pinset: PinSet) -> bool:
    return judge_by(LIBRARIES[client], observation, presented, pinset).verdict.apps_fail
