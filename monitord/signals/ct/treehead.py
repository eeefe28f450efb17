"""Tree heads as logs publish them: the JSON of ``get-sth`` and the checkpoint of static-ct-api, checked by a key."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass

from monitord.pinning.treehead import HASH_SIZE, TreeHead, load_log_key, signed_by_log
from monitord.signals.source import SignalFault

_LARGEST = 2**63 - 1
_SIGNATURE_LINE = "\u2014 "
_RFC6962_NOTE_SIGNATURE = b"\x05"
_KEY_ID, _TIMESTAMP = 4, 8
_CHECKPOINT_LINES = 3
_MAX_SIGNATURES = 64
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class _NoteSignature:
    name: str
    key_id: bytes
    body: bytes


def read_signed_tree_head(body: bytes, key: bytes | None) -> TreeHead:
    """The tree head in an answer to ``get-sth`` (RFC 6962 section 4.3).

    ``key`` is the DER of the log's SubjectPublicKeyInfo; without it the signature is not checked. Raises SignalFault
    for an answer that is none or that the key did not sign, LogKeyUnusable for a key that cannot be one.
    """
    try:
        answer = json.loads(body)
        head = TreeHead(
            _number(answer["tree_size"]),
            base64.b64decode(answer["sha256_root_hash"], validate=True),
            _number(answer["timestamp"]),
        )
        signature = base64.b64decode(answer["tree_head_signature"], validate=True)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise SignalFault("the signed tree head cannot be read") from None
    _require_hash(head)
    if key is not None and not signed_by_log(head, signature, key):
        raise SignalFault("the signature of the tree head is not that of the log's key")
    return head


def read_checkpoint(body: bytes, key: bytes | None, origin: str | None) -> TreeHead:
    """The tree head in a checkpoint (static-ct-api, "Checkpoints"; its form is C2SP signed-note and tlog-checkpoint).

    ``key`` is as in ``read_signed_tree_head``; ``origin`` is the first line that the checkpoint must have, None for
    any. The timestamp stands in the log's own signature; without a key it is 0, as nobody can tell which one that is.
    Raises SignalFault and LogKeyUnusable likewise.
    """
    try:
        text, _, signed = body.decode("utf-8").removesuffix("\n").rpartition("\n\n")
        named, size, root = text.split("\n")[:_CHECKPOINT_LINES]
        if not _DECIMAL.fullmatch(size):
            raise ValueError("not a decimal number")
        head = TreeHead(_number(int(size)), base64.b64decode(root, validate=True), 0)
        signatures = [_note_signature(line) for line in signed.split("\n")[:_MAX_SIGNATURES]]
    except (ValueError, TypeError):
        raise SignalFault("the checkpoint cannot be read") from None
    _require_hash(head)
    if origin is not None and named != origin:
        raise SignalFault("the checkpoint is that of another log: its origin line is not the one expected")
    if key is None:
        return head
    load_log_key(key)
    if text.count("\n") >= _CHECKPOINT_LINES:
        raise SignalFault("the checkpoint has lines that the log's signature does not cover")
    for one in signatures:
        if (one.name, one.key_id) != (named, _key_id(named, key)):
            continue  # a witness, or another key: to be ignored
        timed = TreeHead(head.size, head.root, int.from_bytes(one.body[:_TIMESTAMP]))
        if signed_by_log(timed, one.body[_TIMESTAMP:], key):
            return timed
    raise SignalFault("the signature of the checkpoint is not that of the log's key")


def _key_id(name: str, key: bytes) -> bytes:
    log_id = hashlib.sha256(key).digest()
    return hashlib.sha256(name.encode() + b"\n" + _RFC6962_NOTE_SIGNATURE + log_id).digest()[:_KEY_ID]


def _note_signature(line: str) -> _NoteSignature:
    name, _, encoded = line.removeprefix(_SIGNATURE_LINE).rpartition(" ")
    if not line.startswith(_SIGNATURE_LINE) or not name:
        raise ValueError("not a signature line")
    signature = base64.b64decode(encoded, validate=True)
    return _NoteSignature(name, signature[:_KEY_ID], signature[_KEY_ID:])


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
        raise ValueError("not a number that a tree head can have")
    return value


def _require_hash(head: TreeHead) -> None:
    if len(head.root) != HASH_SIZE:
        raise SignalFault(f"the root hash of the tree head has {len(head.root)} bytes instead of {HASH_SIZE}")
