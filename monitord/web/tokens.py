"""What a form carries to show that it came from a page of ours: another site can have a browser post, not read."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitord.web.access import Visitor

_HOURS = 24
_SECONDS_PER_HOUR = 3600


class Tokens:
    """Issues tokens that are good for one visitor and a day, and until monitord is restarted."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """With a key of its own."""
        self._now = now
        self._key = os.urandom(32)

    def issue(self, visitor: Visitor) -> str:
        """A token for a form on a page for this visitor."""
        return self._made(visitor, self._hour())

    def accepts(self, token: str, visitor: Visitor) -> bool:
        """Whether a token was issued to this visitor in the last day."""
        hour, _, _ = token.partition("-")
        if not hour.isdecimal() or not self._hour() - _HOURS <= int(hour[:9]) <= self._hour():
            return False
        return hmac.compare_digest(self._made(visitor, int(hour[:9])).encode(), token.encode())

    def _hour(self) -> int:
        return int(self._now().timestamp()) // _SECONDS_PER_HOUR

    def _made(self, visitor: Visitor, hour: int) -> str:
        said = f"{hour}-{visitor.name}".encode("utf-8", "surrogatepass")
        return f"{hour}-{hmac.new(self._key, said, hashlib.sha256).hexdigest()}"
