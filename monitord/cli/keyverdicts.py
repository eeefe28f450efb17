"""Verdicts on a key that has no certificate yet, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitord.cli.verdicts import IS_PINNED, indented, mark
from monitord.pinning.report import roles, verdict_entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from monitord.cli.verdicts import Details, Entry
    from monitord.pinning.keys import PublicKey
    from monitord.pinning.verdict import Judgement, PinSetVerdict

_LEAF = "leaf"


def entry_about(key: PublicKey, *, offline: bool) -> Entry:
    """The object of ``check``, where what is not known of the certificate to come is null.

    ``chain`` is empty, since nothing with the key was seen; ``path`` is the one that is expected, the key first.
    """

    def entry(verdict: PinSetVerdict) -> dict[str, Any]:
        record = verdict_entry(verdict)
        for shown, judgement in zip(record["observations"], verdict.judgements, strict=True):
            if not judgement.observation.chain:
                continue
            first, *issuers = shown["path"] or [{"role": _LEAF, "subject": None, "spki": str(key.pin)}]
            subject = key.subject if offline else first["subject"]
            leaf = {**first, "subject": subject, "certificate_sha256": None, "not_after": None}
            shown.update(chain=[], path=[leaf, *([] if offline else issuers)])
        return {**record, "key": {"holder": key.holder.value, "subject": key.subject, "spki": str(key.pin)}}

    return entry


def details_about(key: PublicKey, *, offline: bool) -> Details:
    """The key and the path that a certificate for it is expected to have."""

    def details(verdict: PinSetVerdict) -> Iterator[Text]:
        about = f" ({key.subject})" if key.subject else ""
        yield indented(f"key   {key.pin}{about}")
        if offline:
            return
        paths: dict[object, list[Judgement]] = {}
        for judgement in verdict.judgements:
            if judgement.observation.chain:
                paths.setdefault(judgement.path or judgement.observation.chain, []).append(judgement)
        for judgements in paths.values():
            yield from _path(verdict, judgements)

    return details


def _path(verdict: PinSetVerdict, judgements: list[Judgement]) -> Iterator[Text]:
    first = judgements[0]
    addresses = ", ".join(dict.fromkeys(one.observation.address for one in judgements))
    yield indented(f"expected path, by what is served at {addresses}:")
    path = first.path or first.observation.chain
    pinned = False
    for role, certificate in zip(roles(path), path, strict=True):
        sign = mark(certificate, first, verdict.pinset)
        pinned = pinned or sign == IS_PINNED
        subject = "the new certificate" if role == _LEAF else certificate.display_subject
        yield indented(f"  {sign} {role:<13}{certificate.pin}  {subject}")
    if pinned:
        yield indented(f"  {IS_PINNED} is pinned")
