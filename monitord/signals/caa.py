"""Which CAs may issue, by the CAA records that are relevant for a name (RFC 8659 section 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_CRITICAL = 0x80
_ISSUE, _ISSUE_WILD = "issue", "issuewild"
# The registered tags: a critical record with another one forbids all that do not know it (RFC 8659 section 4.1).
_KNOWN = frozenset({_ISSUE, _ISSUE_WILD, "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"})
_ISSUER = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*(?:\.[a-z0-9]+(?:-+[a-z0-9]+)*)*")
_MOST_ISSUERS = 100


@dataclass(frozen=True, slots=True)
class CaaRecord:
    """One record: its flags, its tag in lower case, its value."""

    flags: int
    tag: str
    value: bytes


def permitted(records: Sequence[CaaRecord], *, wildcard: bool) -> tuple[str, ...] | None:
    """The domain names of the CAs that may issue, sorted; None: any CA may.

    ``records`` are those of one name. ``wildcard``: for a certificate with a wildcard, where issuewild takes the place
    of issue if there is one. Parameters (validation methods, accounts) are not looked at.
    """
    if any(record.flags & _CRITICAL and record.tag not in _KNOWN for record in records):
        return ()
    issue = [record.value for record in records if record.tag == _ISSUE]
    issue_wild = [record.value for record in records if record.tag == _ISSUE_WILD]
    properties = issue_wild or issue if wildcard else issue
    if not properties:
        return None
    return tuple(sorted({issuer for value in properties if (issuer := _issuer(value))})[:_MOST_ISSUERS])


def _issuer(value: bytes) -> str | None:
    """The CA in a property; None where there is none or it is malformed, which permits nobody (section 4.2)."""
    name = value.partition(b";")[0].strip(b" \t").decode("ascii", "replace").lower()
    return name if _ISSUER.fullmatch(name) else None
