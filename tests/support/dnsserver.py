"""A resolver on loopback, by UDP and TCP, that knows a few names and follows aliases as real ones do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TTL = 60


class DnsServer:
    """``zone`` has the records of each name by their type, as text; an absent name does not exist.

    ``failing`` names are answered with SERVFAIL, ``silent`` ones not at all, each alone or as ``NAME/TYPE``.
    ``truncating`` sends whoever asks by UDP to TCP. ``asked`` are the questions by UDP, as ``NAME/TYPE``.
    """

    def __init__(self, zone: Mapping[str, Mapping[str, Sequence[str]]] | None = None) -> None:
        self.zone = {name: {kind: list(texts) for kind, texts in kinds.items()} for name, kinds in (zone or {}).items()}
        self.failing: set[str] = set()
        self.silent: set[str] = set()
        self.truncating = False
        self.asked: list[str] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        """Listen on a free port of 127.0.0.1, the same for both protocols."""
        while True:
            self._stream = await asyncio.start_server(self._converse, "127.0.0.1", 0)
            self.port = self._stream.sockets[0].getsockname()[1]
            try:
                self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: _Datagrams(self), local_addr=("127.0.0.1", self.port)
                )
            except OSError:  # somebody has that port for UDP
                self._stream.close()
            else:
                return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        self._transport.close()
        self._stream.close()
        await self._stream.wait_closed()

    @property
    def address(self) -> str:
        """Address and port."""
        return f"127.0.0.1:{self.port}"

    def answer(self, wire: bytes, *, datagram: bool) -> bytes | None:
        """What to send back, None for nothing."""
        query = dns.message.from_wire(wire)
        (question,) = query.question
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        if datagram:
            self.asked.append(f"{name}/{kind}")
        if {name, f"{name}/{kind}"} & self.silent:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        if {name, f"{name}/{kind}"} & self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif datagram and self.truncating:
            response.flags |= dns.flags.TC
        else:
            self._fill(response, name, kind)
        return response.to_wire(max_size=65535)

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        followed: set[str] = set()
        while name not in followed:
            followed.add(name)
            kinds = self.zone.get(name)
            if kinds is None:
                if not any(known.endswith(f".{name}") for known in self.zone):
                    response.set_rcode(dns.rcode.NXDOMAIN)
                return
            found = kind if kind in kinds else "CNAME" if "CNAME" in kinds else None
            if found is None:
                return
            absolute = dns.name.from_text(name)
            response.answer.append(dns.rrset.from_text_list(absolute, _TTL, "IN", found, kinds[found]))
            if found == kind:
                return
            name = kinds["CNAME"][0].rstrip(".").lower()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2))
        answer = self.answer(await reader.readexactly(size), datagram=False)
        if answer is not None:
            writer.write(len(answer).to_bytes(2) + answer)
        writer.close()
        await writer.wait_closed()


class _Datagrams(asyncio.DatagramProtocol):
    """The UDP side."""

    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: Any) -> None:
        """Remember where to answer."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answer one question."""
        answer = self._server.answer(data, datagram=True)
        if answer is not None:
            self._transport.sendto(answer, addr)
