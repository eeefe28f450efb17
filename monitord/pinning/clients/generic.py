"""Client ``generic``, our default: what holds whichever client the apps use.

A pin counts on any certificate of the validated path, root included (RFC 7469 section 2.6, "validated certificate
chain"), and because clients choose paths differently, every valid path must hold a pin. Where paths or clients differ,
the sentence names the client libraries that fail.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitord.pinning.clients.libraries import LIBRARIES, Expiry, Library, judge_by, match_anywhere
from monitord.pinning.clients.platform import any_valid_path
from monitord.pinning.pins import Client
from monitord.pinning.verdict import Judgement, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.clients.platform import Presented
    from monitord.pinning.observation import Observation
    from monitord.pinning.pins import PinSet

# Those that hold pins against a whole path, as generic does.
_BUILDERS = (Client.OKHTTP, Client.ANDROID, Client.APPLE)


def _at_once(expires: datetime) -> Expiry:
    return Expiry(expires, expires)


_GENERIC = Library(any_valid_path, match_anywhere, _at_once)


def judge_generic(observation: Observation, presented: Presented, pinset: PinSet) -> Judgement:
    """The strictest reading of a pin set; see above."""
    judgement = judge_by(_GENERIC, observation, presented, pinset)
    held = judgement.verdict in (Verdict.OK, Verdict.PIN_MISMATCH) and judgement.matched
    # Builders part ways only over certificates beside the path, or where one path has a pin and another has none.
    plain = judgement.verdict is Verdict.OK and set(presented.chain) <= set(judgement.path)
    if not held or plain:
        return judgement
    failing = [client for client in _BUILDERS if _fails(client, observation, presented, pinset)]
    if not failing:
        return judgement
    named = ", ".join(failing)
    return replace(judgement, reason=f"{judgement.reason}; of the client libraries these would fail: {named}")


def _fails(client: Client, observation: Observation, presented: Presented, pinset: PinSet) -> bool:
    return judge_by(LIBRARIES[client], observation, presented, pinset).verdict.apps_fail
