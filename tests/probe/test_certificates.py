from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

from monitord.pinning.observation import FailureReason
from monitord.pki import issue
from monitord.probe.certificates import ChainReader

if TYPE_CHECKING:
    from tests.probe.conftest import Authority

JUNK = b"\x30\x03\x02\x01\x01"


def test_a_chain_is_parsed_once(authority: Authority) -> None:
    """The same bytes give the same certificates, not equal ones."""
    reader = ChainReader()
    presented = [certificate.der for certificate in authority.chain]
    first, failure = reader.read(presented)
    again, _ = reader.read(presented)
    assert first == authority.chain
    assert failure is None
    assert all(one is other for one, other in zip(first, again, strict=True))


def test_memory_is_bounded() -> None:
    """Beyond its bound the reader forgets what it has not seen for longest, and still reads."""
    leaf, intermediate = (issue(name).certificate.der for name in ("leaf", "intermediate"))
    reader = ChainReader(max_bytes=len(leaf) + len(intermediate) - 1)
    forgotten = weakref.ref(reader.read([leaf])[0][0])
    reader.read([intermediate])
    gc.collect()
    assert forgotten() is None
    (again,), _ = reader.read([leaf])
    assert again.der == leaf


def test_what_is_in_use_is_known_beyond_that_bound(authority: Authority) -> None:
    """A certificate that somebody holds is not parsed anew, however many were seen since."""
    leaf, intermediate = (certificate.der for certificate in authority.chain)
    reader = ChainReader(max_bytes=1)
    (held,), _ = reader.read([leaf])
    reader.read([intermediate])
    (again,), _ = reader.read([bytes(bytearray(leaf))])
    assert again is held


def test_an_unreadable_leaf_is_no_chain(authority: Authority) -> None:
    """Without the leaf nothing can be judged."""
    chain, failure = ChainReader().read([JUNK, authority.intermediate.certificate.der])
    assert chain == ()
    assert failure is not None
    assert failure.reason is FailureReason.CERTIFICATE_UNREADABLE
    assert failure.detail.startswith("certificate 1 of 2 sent is not a readable certificate: ")


def test_another_unreadable_certificate_is_left_out_and_said(authority: Authority) -> None:
    """The rest of the chain is worth judging."""
    chain, failure = ChainReader().read([authority.leaf.certificate.der, JUNK, authority.intermediate.certificate.der])
    assert chain == authority.chain
    assert failure is not None
    assert failure.detail.startswith("certificate 2 of 3 sent is ")
