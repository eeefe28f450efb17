"""STARTTLS: what is said in a protocol until TLS may begin, as data where it is lines and as scripts where it is not.

Three rules hold for all:

1. The server must say yes. Whatever else it says is a failure that quotes it; nothing is negotiated down.
2. The last byte of its yes is the last byte before TLS. Bytes behind it were sent before anything was encrypted, and a
   client that takes them for the server's words can be told anything (CVE-2011-0411): they are an error.
3. No bytes make a script do anything but go on, end or raise Refused.

Sources: RFC 3207 (SMTP), RFC 9051 (IMAP), RFC 2595 (POP3), RFC 4217 (FTP), RFC 4511 section 4.14 (LDAP), RFC 6120
section 5 (XMPP), the PostgreSQL manual, "SSL Session Encryption".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import quoteattr

from monitord.pinning.observation import FailureReason
from monitord.pinning.target import StartTls
from monitord.probe.stage import MAX_DIALOGUE, Dialogue, Refused, quoted, read_exactly, read_until

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from monitord.probe.stage import Script

SERVER_SPEAKS_FIRST = frozenset({StartTls.SMTP, StartTls.IMAP, StartTls.POP3, StartTls.FTP})
_MOST_LINES = 200
_US = b"monitord.invalid"  # a mail server wants a name, and has no use for that of this machine


def negotiate(protocol: StartTls, name: str) -> Dialogue:
    """The dialogue that asks a server for TLS in its own protocol; ``name`` is the name that it serves."""
    script = partial(_xmpp, name) if protocol is StartTls.XMPP else _SCRIPTS[protocol]
    return Dialogue("STARTTLS", FailureReason.STARTTLS, partial(_to_the_last_byte, script))


def _to_the_last_byte(script: Script, incoming: bytearray) -> Iterator[bytes]:
    yield from script(incoming)
    if incoming:
        raise Refused(f"the server sent {len(incoming)} bytes between its go-ahead and TLS, which may be injected")


@dataclass(frozen=True, slots=True)
class _Turn:
    """We say something and get lines: the first must look like ``first``, and ``last`` tells the last.

    The reply agrees if its last line begins as ``yes`` says.
    """

    say: bytes
    first: bytes
    last: bytes
    yes: bytes


_NUMBERED = (rb"\d{3}(?:[ -]|$)", rb"\d{3}(?: |$)")  # further lines of a long reply have a hyphen after the number
_ONE_LINE = (rb"[+-]", b"")
_LINES = {
    StartTls.SMTP: (
        _Turn(b"", *_NUMBERED, b"220"),
        _Turn(b"EHLO " + _US + b"\r\n", *_NUMBERED, b"250"),
        _Turn(b"STARTTLS\r\n", *_NUMBERED, b"220"),
    ),
    StartTls.IMAP: (
        _Turn(b"", rb"\* ", b"", rb"\* OK\b"),
        _Turn(b"A1 STARTTLS\r\n", rb"(?:\*|A1) ", rb"A1 |\* BYE\b", rb"A1 OK\b"),
    ),
    StartTls.POP3: (_Turn(b"", *_ONE_LINE, rb"\+OK\b"), _Turn(b"STLS\r\n", *_ONE_LINE, rb"\+OK\b")),
    StartTls.FTP: (_Turn(b"", *_NUMBERED, b"220"), _Turn(b"AUTH TLS\r\n", *_NUMBERED, b"234")),
}


def _lines(turns: tuple[_Turn, ...], incoming: bytearray) -> Iterator[bytes]:
    for turn in turns:
        if turn.say:
            yield turn.say
        for number in range(_MOST_LINES):
            line = (yield from read_until(incoming, b"\n")).removesuffix(b"\r")
            if number == 0 and not re.match(turn.first, line, re.IGNORECASE):
                raise Refused(f"the server does not speak this protocol, it said {quoted(line)}")
            if re.match(turn.last, line, re.IGNORECASE):
                break
        else:
            raise Refused(f"the server sent a reply of more than {_MOST_LINES} lines")
        if not re.match(turn.yes, line, re.IGNORECASE):
            raise Refused(f"the server {_asked(turn)} {quoted(line)}")


def _asked(turn: _Turn) -> str:
    return f"answered {turn.say.split(None, 1)[0].decode('ascii')} with" if turn.say else "greeted with"


_LDAP_REQUEST = bytes.fromhex("301d 020101 7718 8016") + b"1.3.6.1.4.1.1466.20037"  # message 1, an extended request
_SEQUENCE, _INTEGER, _ENUMERATED, _OCTETS, _EXTENDED_RESPONSE = 0x30, 0x02, 0x0A, 0x04, 0x78
_LONG_FORM = 0x80
_LONGEST_LENGTH = 4


def _ldap(incoming: bytearray) -> Iterator[bytes]:
    yield _LDAP_REQUEST
    tag, size = head = yield from read_exactly(incoming, 2)
    if tag != _SEQUENCE or size & ~_LONG_FORM > (_LONGEST_LENGTH if size & _LONG_FORM else size):
        raise Refused(f"the server does not speak LDAP, it said {quoted(head + incoming)}")
    if size & _LONG_FORM:
        size = int.from_bytes((yield from read_exactly(incoming, size & ~_LONG_FORM)))
    if size > MAX_DIALOGUE:
        raise Refused(f"the server announced an LDAP message of {size} bytes")
    message = yield from read_exactly(incoming, size)
    _, operation = _element(message, _INTEGER)
    response, _ = _element(operation, _EXTENDED_RESPONSE)
    code, more = _element(response, _ENUMERATED)
    _, more = _element(more, _OCTETS)
    text, _ = _element(more, _OCTETS)
    if any(code):
        raise Refused(f"the server refused with LDAP result {int.from_bytes(code)}: {quoted(text)}")


def _element(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the BER element at the beginning of ``data``, which must have this tag, and what follows it."""
    start, size = 2, int.from_bytes(data[1:2])
    if size & _LONG_FORM:
        start += size & ~_LONG_FORM
        size = int.from_bytes(data[2:start])
    if data[:1] != bytes((tag,)) or len(data) < start + size:
        raise Refused(f"the server's LDAP answer makes no sense at {quoted(data)}")
    return data[start : start + size], data[start + size :]


_POSTGRES_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)  # its length, and the number of SSLRequest


def _postgres(incoming: bytearray) -> Iterator[bytes]:
    yield _POSTGRES_REQUEST
    answer = yield from read_exactly(incoming, 1)
    if answer == b"N":
        raise Refused("the server answered SSLRequest with 'N': it has no TLS to offer")
    if answer != b"S":
        raise Refused(f"the server answered SSLRequest with {quoted(answer + incoming)}")


_XMPP_OPENING = (
    "<?xml version='1.0'?><stream:stream to={to} version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>"
)
_XMPP_REQUEST = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
_TAG = re.compile(rb"(?P<end>/?)(?:[\w.-]+:)?(?P<name>[\w.-]+)(?:\s.*?)?(?P<empty>/?)", re.DOTALL)


def _xmpp(name: str, incoming: bytearray) -> Iterator[bytes]:
    yield _XMPP_OPENING.format(to=quoteattr(name)).encode("ascii", "xmlcharrefreplace")
    while not incoming.lstrip():
        yield b""
    if not incoming.lstrip().startswith(b"<"):
        raise Refused(f"the server does not speak XMPP, it said {quoted(incoming)}")
    offered = False
    while (element := (yield from _tag(incoming))) != _Tag(b"features", ends=True):
        offered = offered or element.name == b"starttls"
    if not offered:
        raise Refused("the server offers no STARTTLS among the features of its stream")
    yield _XMPP_REQUEST
    while (yield from _tag(incoming)) != _Tag(b"proceed", ends=True):
        pass


class _Tag(NamedTuple):
    """The local name of an element, and whether the tag ends it."""

    name: bytes
    ends: bool


def _tag(incoming: bytearray) -> Generator[bytes, None, _Tag]:
    """The next tag. A full parser is not needed to find a few names, and would be one more thing to attack."""
    text = (yield from read_until(incoming, b">")).rpartition(b"<")[2]
    tag = _TAG.fullmatch(text)
    if tag is None:
        return _Tag(b"", ends=False)  # a declaration
    if tag["name"] in (b"error", b"failure") or (tag["name"] == b"stream" and tag["end"]):
        raise Refused(f"the server refused: {quoted(b'<' + text + b'>' + incoming)}")
    return _Tag(tag["name"], ends=bool(tag["end"] or tag["empty"]))


_SCRIPTS: Mapping[StartTls, Script] = {
    **{protocol: partial(_lines, turns) for protocol, turns in _LINES.items()},
    StartTls.LDAP: _ldap,
    StartTls.POSTGRES: _postgres,
}
