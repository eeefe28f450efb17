"""Lists of logs in the form that browsers publish (log list v3), from a file or from the web.

The signature that Google publishes beside its list is not checked: HTTPS, or who wrote the file, answers for it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from monitord.config.signals import CtLog, CtLogKind
from monitord.pinning.treehead import LogKeyUnusable, load_log_key
from monitord.signals.source import SignalFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LIST_LIMIT = 16 * 1024 * 1024
_READABLE = ("usable", "qualified", "readonly")
_FROZEN = "readonly"
_MOST_LOGS = 500
_LONGEST_URL, _LONGEST_NAME = 2000, 200


def read_log_list(body: bytes, now: datetime) -> tuple[CtLog, ...]:
    """The logs that are usable, qualified or read-only, and take certificates that are still valid.

    Raises SignalFault for what is no log list, and for one of which no log can be used.
    """
    try:
        operators = json.loads(body)["operators"]
        logs = [log for operator in operators for log in _logs(operator, now)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SignalFault("it is not a log list of version 3") from None
    if not logs:
        raise SignalFault("no log in it is usable, qualified or read-only")
    if len(logs) > _MOST_LOGS:
        raise SignalFault(f"it has more than {_MOST_LOGS} logs")
    return tuple(logs)


def logs_to_state(logs: Sequence[CtLog]) -> list[dict[str, Any]]:
    """The logs as JSON."""
    return [
        {
            "url": log.url,
            "kind": log.kind.value,
            "key": base64.b64encode(log.key).decode() if log.key else None,
            "name": log.name,
            "origin": log.origin,
            "frozen": log.frozen,
        }
        for log in logs
    ]


def logs_from_state(state: Sequence[Mapping[str, Any]]) -> tuple[CtLog, ...]:
    """What ``logs_to_state`` wrote. Raises ValueError for anything else."""
    try:
        return tuple(
            CtLog(
                one["url"],
                CtLogKind(one["kind"]),
                base64.b64decode(one["key"]) if one["key"] else None,
                one["name"],
                one["origin"],
                bool(one["frozen"]),
            )
            for one in state
        )
    except (TypeError, KeyError) as error:
        raise ValueError("not a list of logs") from error


def _logs(operator: Mapping[str, Any], now: datetime) -> Iterator[CtLog]:
    for kind, listed, address in (
        (CtLogKind.RFC6962, "logs", "url"),
        (CtLogKind.TILED, "tiled_logs", "monitoring_url"),
    ):
        for one in operator.get(listed) or ():
            log = _log(kind, one, one.get(address))
            if log is not None and _is_open(one, now):
                yield log


def _log(kind: CtLogKind, one: Mapping[str, Any], url: object) -> CtLog | None:
    """The log, or None for one that cannot be read or has an entry that contradicts itself."""
    state = next(iter(one.get("state") or {}), None)
    if state not in _READABLE or not isinstance(url, str) or not _is_web(url):
        return None
    try:
        key = base64.b64decode(one["key"], validate=True)
        load_log_key(key)
        if "log_id" in one and base64.b64decode(one["log_id"], validate=True) != hashlib.sha256(key).digest():
            return None
    except (ValueError, TypeError, KeyError, LogKeyUnusable):
        return None
    origin = None
    if kind is CtLogKind.TILED and isinstance(one.get("submission_url"), str):
        origin = one["submission_url"].partition("://")[2].rstrip("/")
    name = str(one.get("description") or "")[:_LONGEST_NAME]
    return CtLog(url, kind, key, name, origin, frozen=state == _FROZEN)


def _is_web(url: str) -> bool:
    try:
        return len(url) <= _LONGEST_URL and urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False


def _is_open(one: Mapping[str, Any], now: datetime) -> bool:
    """Whether the log may hold certificates that have not expired; a sharded log takes those of one period only."""
    try:
        end = datetime.fromisoformat(one["temporal_interval"]["end_exclusive"])
        return end + timedelta(days=1) > now
    except (ValueError, TypeError, KeyError, OverflowError):
        return True  # it does not say, so it may
