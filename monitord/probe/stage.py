"""What is said on a connection, one stage after the other: to the proxy, STARTTLS, TLS.

A stage is sans-I/O: bytes in, bytes out, no socket and no clock (see ``conversation``). A stage before TLS is a
``Dialogue``, which follows a script.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from monitord.errors import MonitordError
from monitord.pinning.observation import Failure, FailureReason

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    Script = Callable[[bytearray], Iterator[bytes]]

MAX_DIALOGUE = 16 * 1024
_LONGEST_QUOTE = 200


class Refused(MonitordError):  # noqa: N818 - reads as what happened
    """The other side does not do what the stage needs; the text says why."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a connection showed: the DER of the certificates as sent, leaf first, and the failure that ended it, if any.

    ``tls_version`` is spelled "TLSv1.3"; it and ``cipher`` are None where nothing was agreed on.
    """

    certificates: tuple[bytes, ...] = ()
    failure: Failure | None = None
    tls_version: str | None = None
    cipher: str | None = None


class Stage(Protocol):
    """Send ``output()``, pass what arrives to ``receive``, until ``ended``; then send ``output()`` once more.

    ``name`` is what a sentence calls the stage, ``failure`` why it came to a bad end.
    """

    name: str
    ended: bool
    failure: Failure | None

    @property
    def rest(self) -> bytes:
        """What arrived behind the end of this stage, for the next one."""

    def output(self) -> bytes:
        """The bytes to send now; they are handed out once."""

    def receive(self, data: bytes) -> None:
        """Take in bytes from the other side; ignored once ended."""

    def closed(self) -> None:
        """Take in that the other side has closed the connection; ignored once ended."""

    def fail(self, failure: Failure) -> None:
        """End it for a reason outside of what is said; ignored once ended."""

    def result(self) -> Seen:
        """What was seen up to now."""


class Dialogue:
    """A stage that follows a script: an iterator of what to send, given the buffer in which what arrives gathers.

    Each time the script asks for the next bytes to arrive, it yields what to send before that, which may be nothing.
    It takes what it has understood out of the buffer, and ends when the next stage may begin. It raises Refused
    where that is not to be. Whatever is refused, or is more than ``MAX_DIALOGUE`` bytes, fails for ``reason``.
    """

    def __init__(self, name: str, reason: FailureReason, script: Script) -> None:
        """A dialogue that has begun: where it is ours to speak first, there is output."""
        self.name = name
        self.ended = False
        self.failure: Failure | None = None
        self._reason = reason
        self._received = 0
        self._incoming = bytearray()
        self._outgoing = b""
        self._script = script(self._incoming)
        self._advance()

    @property
    def rest(self) -> bytes:
        """What arrived behind the end of this stage, for the next one."""
        return bytes(self._incoming)

    def output(self) -> bytes:
        """The bytes to send now; they are handed out once."""
        outgoing, self._outgoing = self._outgoing, b""
        return outgoing

    def receive(self, data: bytes) -> None:
        """Take in bytes from the other side; ignored once ended."""
        if self.ended or not data:
            return
        self._received += len(data)
        if self._received > MAX_DIALOGUE:
            self._refuse(f"{self.name} came to more than {MAX_DIALOGUE // 1024} KB")
            return
        self._incoming += data
        self._advance()

    def closed(self) -> None:
        """Take in that the other side has closed the connection; ignored once ended."""
        said = f" after {quoted(self._incoming)}" if self._incoming else ""
        self._refuse(f"the connection was closed during {self.name}{said}")

    def fail(self, failure: Failure) -> None:
        """End it for a reason outside of what is said; ignored once ended."""
        if not self.ended:
            self.ended = True
            self.failure = failure

    def result(self) -> Seen:
        """Nothing but the failure, if there is one."""
        return Seen(failure=self.failure)

    def _refuse(self, detail: str) -> None:
        self.fail(Failure(self._reason, detail))

    def _advance(self) -> None:
        try:
            self._outgoing += next(self._script)
        except StopIteration:
            self.ended = True
        except Refused as refusal:
            self._refuse(str(refusal))


def read_until(incoming: bytearray, mark: bytes) -> Generator[bytes, None, bytes]:
    """A part of a script: what arrives up to ``mark``, which is taken out of the buffer too."""
    looked = 0
    while (end := incoming.find(mark, looked)) < 0:
        looked = max(0, len(incoming) - len(mark) + 1)
        yield b""
    found = bytes(incoming[:end])
    del incoming[: end + len(mark)]
    return found


def read_exactly(incoming: bytearray, count: int) -> Generator[bytes, None, bytes]:
    """A part of a script: the next ``count`` bytes, taken out of the buffer."""
    while len(incoming) < count:
        yield b""
    found = bytes(incoming[:count])
    del incoming[:count]
    return found


def quoted(said: bytes | bytearray) -> str:
    """What the other side said, as a failure shows it: in quotes, escaped, of bounded length."""
    shown = repr(bytes(said[:_LONGEST_QUOTE])).removeprefix("b")
    return f"{shown}..." if len(said) > _LONGEST_QUOTE else shown
