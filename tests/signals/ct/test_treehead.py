from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord import pki
from monitord.pinning.treehead import LogKeyUnusable, TreeHead
from monitord.signals.ct.treehead import read_checkpoint, read_signed_tree_head
from monitord.signals.source import SignalFault
from tests.support.ctentries import filler
from tests.support.ctlogs import Rfc6962Log, TiledLog

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DYNAMIC, TILED = Rfc6962Log(NOW, filler(1)), TiledLog(NOW, filler(1), filler(2))
DYNAMIC_HEAD = TreeHead(1, DYNAMIC.shown_root, DYNAMIC.timestamp)
TILED_HEAD = TreeHead(2, TILED.shown_root, TILED.timestamp)
OTHER_KEY = Rfc6962Log(NOW).spki

SYCAMORE_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEorVeVDGKwL4K1QkX2jC4Ni25YEs+/13qJI0+2GcDzv62qWgOBE0oVDN24euQIrY7rVOtNsHM"
    "AdAQir5T/z1Fgg=="
)
SYCAMORE = (
    "sycamore.ct.letsencrypt.org/2024h2\n820495916\nwDpr6fEdycwgieRFpz9hQe6C6A0tg6K2ZVPUltce0hI=\n\n"
    "\u2014 sycamore.ct.letsencrypt.org/2024h2 PdkIagAAAZBa4n5EBAMASDBGAiEA0A0xkVCAYvqw+fdjYXiVK5wZIjodCMVoDtCLO3kY"
    "iIYCIQDVdK6MHR16ToBsNkaBtHyReMA/3MCrpZBAjQ72LIOpNA==\n"
)


def signed_tree_head(**changes: Any) -> bytes:
    """The answer to get-sth; None leaves a key out."""
    answer = {
        "tree_size": DYNAMIC.size,
        "timestamp": DYNAMIC.timestamp,
        "sha256_root_hash": base64.b64encode(DYNAMIC.shown_root).decode(),
        "tree_head_signature": base64.b64encode(DYNAMIC.head_signature()).decode(),
    } | changes
    return json.dumps({key: value for key, value in answer.items() if value is not None}).encode()


def fault_of(body: bytes, key: bytes | None = TILED.spki, origin: str | None = None) -> str:
    """What is wrong with a checkpoint."""
    with pytest.raises(SignalFault) as caught:
        read_checkpoint(body, key, origin)
    return str(caught.value)


class TestSignedTreeHead:
    """The JSON of RFC 6962 section 4.3."""

    def test_it_is_read_and_its_signature_checked(self) -> None:
        """Also without a key, when nothing can be checked."""
        assert read_signed_tree_head(signed_tree_head(), DYNAMIC.spki) == DYNAMIC_HEAD
        assert read_signed_tree_head(signed_tree_head(), None) == DYNAMIC_HEAD

    @pytest.mark.parametrize(
        "changes",
        [{"tree_size": 2}, {"timestamp": 1}, {"sha256_root_hash": base64.b64encode(bytes(32)).decode()}],
    )
    def test_one_that_was_changed_is_refused(self, changes: dict[str, Any]) -> None:
        """Without the key it would be believed."""
        with pytest.raises(SignalFault, match="the signature of the tree head is not that of the log's key"):
            read_signed_tree_head(signed_tree_head(**changes), DYNAMIC.spki)
        read_signed_tree_head(signed_tree_head(**changes), None)

    def test_another_key_and_no_key(self) -> None:
        """The one is a fault of the log, the other one of whoever gave the key."""
        with pytest.raises(SignalFault, match="is not that of the log's key"):
            read_signed_tree_head(signed_tree_head(), OTHER_KEY)
        with pytest.raises(LogKeyUnusable):
            read_signed_tree_head(signed_tree_head(), b"no key")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b"[]",
            b"[" * 100_000,
            b'"tree_size"',
            signed_tree_head(tree_size=None),
            signed_tree_head(tree_size="1"),
            signed_tree_head(tree_size=True),
            signed_tree_head(tree_size=-1),
            signed_tree_head(tree_size=2**63),
            signed_tree_head(tree_size=1.0),
            signed_tree_head(timestamp=-1),
            signed_tree_head(sha256_root_hash=5),
            signed_tree_head(sha256_root_hash="***"),
            signed_tree_head(tree_head_signature="\u2603"),
        ],
    )
    def test_what_is_none_is_told(self, body: bytes) -> None:
        """One sentence for all of it."""
        with pytest.raises(SignalFault, match="the signed tree head cannot be read"):
            read_signed_tree_head(body, None)

    def test_a_root_of_another_size_is_told(self) -> None:
        """SHA-256 is the only hash that logs have."""
        with pytest.raises(SignalFault, match="has 3 bytes instead of 32"):
            read_signed_tree_head(signed_tree_head(sha256_root_hash="AAAA"), None)

    @given(st.binary(max_size=100))
    def test_any_bytes_are_a_tree_head_or_a_fault(self, body: bytes) -> None:
        """Nothing else comes of them."""
        with contextlib.suppress(SignalFault):
            read_signed_tree_head(body, None)


class TestCheckpoint:
    """The note of static-ct-api."""

    def test_it_is_read_and_its_signature_checked(self) -> None:
        """Among the signatures of witnesses, which are ignored."""
        body = TILED.head().encode()
        assert body.count("\u2014".encode()) == 2
        assert read_checkpoint(body, TILED.spki, TILED.origin) == TILED_HEAD
        assert read_checkpoint(body, TILED.spki, None) == TILED_HEAD

    def test_a_checkpoint_of_a_real_log(self) -> None:
        """Let's Encrypt's Sycamore 2024h2 in June 2024, with the key whose SHA-256 is the log's id."""
        key = base64.b64decode(SYCAMORE_KEY)
        assert hashlib.sha256(key).hexdigest() == "494d9049b8af3e5acaba993e4c1f3056737aa9f96d00f7b0b9b25106f7be1a8f"
        head = read_checkpoint(SYCAMORE.encode(), key, "sycamore.ct.letsencrypt.org/2024h2")
        assert (head.size, head.timestamp) == (820_495_916, 1_719_511_711_300)

    def test_an_rsa_key_signs_as_well(self) -> None:
        """RFC 6962 section 2.1.4 allows both."""
        log = TiledLog(NOW, key=pki.new_key("rsa"))
        assert read_checkpoint(log.head().encode(), log.spki, log.origin).timestamp == log.timestamp

    def test_without_a_key_there_is_no_time(self) -> None:
        """It stands in the log's signature, and nobody can tell which one that is."""
        head = read_checkpoint(TILED.head().encode(), None, TILED.origin)
        assert head == TreeHead(2, TILED.shown_root, 0)

    def test_many_signatures_are_ignored(self) -> None:
        """At least sixteen must be taken (C2SP signed-note)."""
        log = TiledLog(NOW, key=TILED.key)
        log.witnesses = log.witnesses * 40
        assert read_checkpoint(log.head().encode(), log.spki, log.origin).timestamp == log.timestamp

    def test_another_origin_is_another_log(self) -> None:
        """The origin is not signed, so it must be known."""
        body = TILED.head().encode()
        assert "that of another log" in fault_of(body, origin="log.example.test/2027")

    def test_one_that_was_changed_is_refused(self) -> None:
        """Its size, its root, its origin, its key, its signature."""
        text = TILED.head()
        root = base64.b64encode(TILED.shown_root).decode()
        for changed in (
            text.replace("\n2\n", "\n3\n"),
            text.replace(root, base64.b64encode(bytes(32)).decode()),
            text.replace(f"{TILED.origin}\n2", "other.example.test/2026\n2"),
            text.rpartition("\u2014")[0],
        ):
            assert fault_of(changed.encode()) == "the signature of the checkpoint is not that of the log's key"
        assert fault_of(text.encode(), OTHER_KEY) == "the signature of the checkpoint is not that of the log's key"

    def test_lines_that_nobody_signed_are_refused(self) -> None:
        """The signature covers size and root alone, so there may be no more."""
        text = TILED.head().replace("\n\n", "\nextension\n\n", 1)
        assert "lines that the log's signature does not cover" in fault_of(text.encode())

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\xff",
            b"<html>\n\n",
            TILED.head().replace("\n\n", "\n").encode(),
            TILED.head().replace("\n2\n", "\n02\n").encode(),
            TILED.head().replace("\n2\n", "\n+2\n").encode(),
            TILED.head().replace("\n2\n", "\n1_0\n").encode(),
            TILED.head().replace("\n2\n", "\n\u0662\n").encode(),
            TILED.head().replace("\n2\n", f"\n{2**63}\n").encode(),
            TILED.head().replace("\n2\n", f"\n{'9' * 5000}\n").encode(),
            TILED.head().replace("\u2014", "-").encode(),
            (TILED.head() + "\u2014 nobody !!!\n").encode(),
        ],
    )
    def test_what_is_none_is_told(self, body: bytes) -> None:
        """One sentence for all of it."""
        assert fault_of(body) == "the checkpoint cannot be read"

    def test_a_signature_cut_short_is_refused(self) -> None:
        """Even if nothing is left of it."""
        text, _, line = TILED.head().rstrip("\n").rpartition("\n")
        name, _, encoded = line.rpartition(" ")
        whole = base64.b64decode(encoded)
        for length in (4, 8, 12, len(whole) - 1):
            short = base64.b64encode(whole[:length]).decode()
            assert "is not that of the log's key" in fault_of(f"{text}\n{name} {short}\n".encode())

    @given(st.binary(max_size=100), st.integers(min_value=0, max_value=400))
    def test_any_bytes_are_a_checkpoint_or_a_fault(self, junk: bytes, at: int) -> None:
        """Alone, and in the middle of a true one."""
        body = TILED.head().encode()
        for candidate in (junk, body[:at] + junk + body[at:]):
            with contextlib.suppress(SignalFault):
                read_checkpoint(candidate, TILED.spki, None)
