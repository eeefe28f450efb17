"""STARTTLS as a dialogue without a network, and against servers that speak it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitord.pinning.observation import Failure, FailureReason
from monitord.pinning.target import StartTls
from monitord.probe.stage import MAX_DIALOGUE, Dialogue
from monitord.probe.starttls import SERVER_SPEAKS_FIRST, negotiate
from tests.probe.conftest import HOST, target_of
from tests.support.protocols import TURNS, ldap_answer
from tests.support.tlsserver import LocalServer, TlsServer, converse, say_nothing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.probe.prober import Prober
    from tests.probe.conftest import Authority

LONG = timedelta(seconds=20)
SHORT = timedelta(seconds=0.5)
EACH = pytest.mark.parametrize("protocol", list(StartTls))
PROPERTY = settings(deadline=None, max_examples=300)
WORDS = st.sampled_from(
    [
        *(answer for turns in TURNS.values() for _, answer in turns),
        *(b"220 ", b"250-x\r\n", b"250 x\r\n", b"\r\n", b"\n", b"* ", b"A1 NO x\r\n", b"+OK\r\n", b"-ERR x\r\n", b"S"),
        *(
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x80\x00\x00",
            b"\x30\x00",
            ldap_answer(52),
            b"N",
            b"E",
            b"<",
            b">",
            b"/>",
        ),
        *(b"<stream:features>", b"</stream:features>", b"<features/>", b"<starttls/>", b"<proceed", b"<failure/>"),
    ]
)


def play(protocol: StartTls, pieces: Sequence[bytes]) -> Dialogue:
    """A dialogue after these bytes arrived."""
    dialogue = negotiate(protocol, HOST)
    for piece in pieces:
        dialogue.output()
        dialogue.receive(piece)
    return dialogue


def answers(protocol: StartTls, *last: bytes) -> list[bytes]:
    """What a good server says, with its last answers replaced by these."""
    given = [answer for _, answer in TURNS[protocol]]
    return [*given[: len(given) - len(last)], *last]


def refusal(protocol: StartTls, *last: bytes) -> str:
    """Why a server that ends with these answers is a failure."""
    dialogue = play(protocol, answers(protocol, *last))
    assert dialogue.ended
    assert dialogue.failure is not None
    assert dialogue.failure.reason is FailureReason.STARTTLS
    return dialogue.failure.detail


@EACH
async def test_the_chain_behind_starttls_is_observed(authority: Authority, prober: Prober, protocol: StartTls) -> None:
    """A server that says what its protocol demands, and then TLS as ever."""
    with TlsServer(authority.leaf, *authority.below_root, before=[converse(*TURNS[protocol])]) as server:
        (seen,) = await prober.observe(replace(target_of(server), starttls=protocol), timeout=LONG)
    assert (seen.chain, seen.failure) == (authority.chain, None)
    assert server.names[0] == HOST


@EACH
def test_what_is_said_is_the_same_in_pieces(protocol: StartTls) -> None:
    """How what the server says is cut into pieces does not matter, and we speak when it is our turn."""
    dialogue, said = negotiate(protocol, HOST), b""
    for expected, answer in TURNS[protocol]:
        said += dialogue.output()
        assert said == expected
        said = b""
        for byte in answer:
            assert dialogue.output() == b""
            dialogue.receive(bytes((byte,)))
    assert (dialogue.ended, dialogue.failure, dialogue.rest) == (True, None, b"")
    assert dialogue.output() == b""


@EACH
def test_bytes_behind_the_go_ahead_are_an_error(protocol: StartTls) -> None:
    """Somebody may have put them there; a client that read them as the server's words would be deceived."""
    *_, (_, go_ahead) = TURNS[protocol]
    detail = "the server sent 6 bytes between its go-ahead and TLS, which may be injected"
    assert refusal(protocol, go_ahead + b"inject") == detail


@EACH
async def test_bytes_injected_by_a_server_end_the_probe(prober: Prober, protocol: StartTls) -> None:
    """Before our side of TLS has begun."""
    *before, (request, go_ahead) = TURNS[protocol]
    with LocalServer(converse(*before, (request, go_ahead + b"\x16\x03\x03")), say_nothing) as server:
        (seen,) = await prober.observe(replace(target_of(server), starttls=protocol), timeout=LONG)
    assert seen.chain == ()
    assert seen.failure is not None
    assert seen.failure.reason is FailureReason.STARTTLS


@pytest.mark.parametrize(
    ("protocol", "last", "detail"),
    [
        (StartTls.SMTP, [b"454 4.7.0 no\r\n"], "the server answered STARTTLS with '454 4.7.0 no'"),
        (StartTls.SMTP, [b"502 what\r\n", b""], "the server answered EHLO with '502 what'"),
        (StartTls.SMTP, [b"554-a\r\n554 b\r\n", b"", b""], "the server greeted with '554 b'"),
        (StartTls.SMTP, [b"SSH-2.0-x\r\n", b"", b""], "the server does not speak this protocol, it said 'SSH-2.0-x'"),
        (StartTls.IMAP, [b"A1 BAD no TLS\r\n"], "the server answered A1 with 'A1 BAD no TLS'"),
        (StartTls.IMAP, [b"* BYE tired\r\n"], "the server answered A1 with '* BYE tired'"),
        (StartTls.IMAP, [b"* PREAUTH hi\r\n", b""], "the server greeted with '* PREAUTH hi'"),
        (StartTls.POP3, [b"-ERR no\r\n"], "the server answered STLS with '-ERR no'"),
        (StartTls.POP3, [b"* OK imap\r\n", b""], "the server does not speak this protocol, it said '* OK imap'"),
        (StartTls.FTP, [b"534 no\r\n"], "the server answered AUTH with '534 no'"),
        (StartTls.FTP, [b"421 busy\r\n", b""], "the server greeted with '421 busy'"),
        (StartTls.FTP, [b"2" + bytes((27,)) + b"[2J\r\n", b""], None),
        (StartTls.LDAP, [ldap_answer(52, b"down")], "the server refused with LDAP result 52: 'down'"),
        (StartTls.LDAP, [b"HTTP/1.1 400"], "the server does not speak LDAP, it said 'HTTP/1.1 400'"),
        (
            StartTls.LDAP,
            [b"\x30\x85\0\0\0\0\1"],
            r"the server does not speak LDAP, it said '0\x85\x00\x00\x00\x00\x01'",
        ),
        (StartTls.LDAP, [b"\x30\x84\0\1\0\0"], "the server announced an LDAP message of 65536 bytes"),
        (StartTls.LDAP, [b"\x30\x00"], "the server's LDAP answer makes no sense at ''"),
        (StartTls.LDAP, [b"\x30\x03\x02\x01\x01"], "the server's LDAP answer makes no sense at ''"),
        (StartTls.LDAP, [b"\x30\x05\x02\x01\x01\x61\x84"], r"the server's LDAP answer makes no sense at 'a\x84'"),
        (StartTls.POSTGRES, [b"N"], "the server answered SSLRequest with 'N': it has no TLS to offer"),
        (StartTls.POSTGRES, [b"Eno\0"], r"the server answered SSLRequest with 'Eno\x00'"),
        (StartTls.XMPP, [b"<failure/></stream:stream>"], "the server refused: '<failure/></stream:stream>'"),
        (StartTls.XMPP, [b"</stream:stream>"], "the server refused: '</stream:stream>'"),
        (StartTls.XMPP, [b"<stream:error><x/>", b""], "the server refused: '<stream:error><x/>'"),
        (
            StartTls.XMPP,
            [b"<stream:stream><stream:features/>", b""],
            "the server offers no STARTTLS among the features of its stream",
        ),
        (StartTls.XMPP, [b"220 hello\r\n", b""], r"the server does not speak XMPP, it said '220 hello\r\n'"),
    ],
)
def test_a_server_that_does_not_agree_is_quoted(protocol: StartTls, last: list[bytes], detail: str | None) -> None:
    """Its words are escaped: they come from outside and end in logs and alerts."""
    said = refusal(protocol, *last)
    assert said.isprintable()
    if detail is not None:
        assert said == detail


def test_a_quote_is_of_bounded_length() -> None:
    """However much the server has to say."""
    assert len(refusal(StartTls.POP3, b"-ERR " + b"x" * 10_000 + b"\r\n")) < 300


@pytest.mark.parametrize(
    ("protocol", "beginning"), [(StartTls.IMAP, b"* "), (StartTls.LDAP, b"\x30\x82\x3f\xff"), (StartTls.XMPP, b"<a>")]
)
def test_an_endless_answer_is_cut_off(protocol: StartTls, beginning: bytes) -> None:
    """By its bytes, whatever they are."""
    pieces = [beginning, *[b"\0" * 1000] * (MAX_DIALOGUE // 1000 + 1)]
    assert (
        refusal(protocol, *[b""] * (len(TURNS[protocol]) - 1), b"".join(pieces)) == "STARTTLS came to more than 16 KB"
    )


def test_an_endless_reply_of_short_lines_is_cut_off() -> None:
    """By its lines."""
    assert refusal(StartTls.SMTP, b"250-\r\n" * 200, b"") == "the server sent a reply of more than 200 lines"


@pytest.mark.parametrize("protocol", [StartTls.SMTP, StartTls.XMPP])
async def test_a_server_that_hangs_up_is_a_failure_in_words(prober: Prober, protocol: StartTls) -> None:
    """With what it had begun to say."""
    with LocalServer(converse((TURNS[protocol][0][0], b"2"))) as server:
        (seen,) = await prober.observe(replace(target_of(server), starttls=protocol), timeout=LONG)
    said = {
        StartTls.SMTP: "the connection was closed during STARTTLS after '2'",
        StartTls.XMPP: "the server does not speak XMPP, it said '2'",
    }
    assert seen.failure == Failure(FailureReason.STARTTLS, said[protocol])


@pytest.mark.parametrize("protocol", [StartTls.SMTP, StartTls.LDAP])
async def test_the_deadline_is_one_for_all(prober: Prober, protocol: StartTls) -> None:
    """A server that says nothing before TLS, and one that says nothing after."""
    with LocalServer(say_nothing) as server:
        (seen,) = await prober.observe(replace(target_of(server), starttls=protocol), timeout=SHORT)
    assert seen.failure is not None
    assert seen.failure.reason is FailureReason.TIMEOUT
    assert seen.failure.detail.startswith("STARTTLS took longer than ")
    with LocalServer(converse(*TURNS[protocol]), say_nothing) as server:
        (seen,) = await prober.observe(replace(target_of(server), starttls=protocol), timeout=SHORT)
    assert seen.failure is not None
    assert seen.failure.detail.startswith("the TLS handshake took longer than ")


@EACH
def test_who_speaks_first_is_known(protocol: StartTls) -> None:
    """A proxy may pass on a greeting before it was asked for, but no answer."""
    assert (protocol in SERVER_SPEAKS_FIRST) == (negotiate(protocol, HOST).output() == b"")


def test_a_name_cannot_leave_its_quotes() -> None:
    """What is configured as a name stays one in XML too."""
    opening = negotiate(StartTls.XMPP, 'a\'"><b c="').output()
    assert b'to="a\'&quot;&gt;&lt;b c=&quot;" version' in opening


@PROPERTY
@given(protocol=st.sampled_from(StartTls), pieces=st.lists(st.binary(max_size=100) | WORDS, max_size=8))
@example(protocol=StartTls.LDAP, pieces=[b"\x30\x84", b"\xff\xff\xff\xff"])
def test_no_bytes_make_it_raise(protocol: StartTls, pieces: list[bytes]) -> None:
    """Whatever a server says, the dialogue goes on, ends well, or ends with a failure in words."""
    dialogue = play(protocol, pieces)
    if dialogue.failure is not None:
        assert dialogue.ended
        assert dialogue.failure.reason is FailureReason.STARTTLS
        assert dialogue.failure.detail.isprintable()
    elif dialogue.ended:
        assert dialogue.rest == b""
    dialogue.closed()
    assert dialogue.ended
    dialogue.receive(b"more")
    assert dialogue.result().certificates == ()


@PROPERTY
@given(protocol=st.sampled_from(StartTls), cuts=st.sets(st.integers(0, 500), max_size=6), extra=st.binary(max_size=3))
def test_only_the_exact_words_lead_to_tls(protocol: StartTls, cuts: set[int], extra: bytes) -> None:
    """What a good server says, cut anywhere, ends well exactly if its last byte comes alone."""
    *before, last = answers(protocol)
    pieces = []
    for answer, more in [*((answer, b"") for answer in before), (last, extra)]:
        edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(answer)}), len(answer) + len(more)]
        pieces += [(answer + more)[start:end] for start, end in pairwise(edges)]
    dialogue = play(protocol, pieces)
    assert dialogue.ended
    assert (dialogue.failure is None) == (extra == b"")


async def test_a_flood_before_tls_costs_its_own_probe_only(prober: Prober, authority: Authority) -> None:
    """An endless greeting ends at the cap."""
    flood = converse((b"", b"220-x\r\n" * 100_000))
    with LocalServer(flood) as bad, TlsServer(authority.leaf) as good:
        (flooded,) = await prober.observe(replace(target_of(bad), starttls=StartTls.SMTP), timeout=LONG)
        (fine,) = await prober.observe(target_of(good), timeout=LONG)
    assert flooded.failure is not None
    assert flooded.failure.reason is FailureReason.STARTTLS
    assert fine.chain
