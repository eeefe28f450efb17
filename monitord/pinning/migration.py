"""What DNS says about a move to another CA: the CAs that CAA permits, and where the host's alias leads."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from monitord.pinning import priors
from monitord.pinning.authorities import authority_of, permits
from monitord.pinning.report import timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.line import Line

_NEWS = timedelta(days=30)


def authority_change(line: Line) -> tuple[float, str]:
    """How likely the next renewal is to come from another CA, by what DNS says, and what that is."""
    by_caa, about_caa = _caa(line)
    moved = alias_moved(line)
    if not moved:
        return by_caa, about_caa
    if not about_caa:
        return priors.ALIAS_MOVED, moved
    return 1 - (1 - by_caa) * (1 - priors.ALIAS_MOVED), f"{about_caa}, and {moved}"


def _caa(line: Line) -> tuple[float, str]:
    if not line.signals.dns or line.signals.dns[-1].caa is None:
        return 0.0, ""
    caa = line.signals.dns[-1].caa
    allowed = ", ".join(caa) or "no CA"
    known = authority_of(line.leaf)
    if known and not permits(caa, known):
        return priors.CAA_FORBIDS, f"CAA permits {allowed}, and not {known.organization}, which issued this certificate"
    at_first, at_last = _caa_at(line, _since_authority(line)), _caa_at(line, _since_leaf(line))
    if at_first and not set(at_first) & set(caa):
        return priors.CAA_FORBIDS, f"CAA permitted {', '.join(at_first)} before and permits {allowed} now"
    if at_last and set(caa) - set(at_last):
        return priors.CAA_WIDENED, f"CAA permits {allowed} now, more than before"
    return 0.0, ""


def _caa_at(line: Line, moment: datetime | None) -> tuple[str, ...] | None:
    """What CAA permitted then; if nobody looked by then, what it permitted when first looked at."""
    answers = [one for one in line.signals.dns if one.caa is not None]
    earlier = [one for one in answers if moment is not None and one.learned_at <= moment]
    chosen = earlier[-1] if earlier else next(iter(answers), None)
    return chosen.caa if chosen else None


def _since_authority(line: Line) -> datetime | None:
    """Since when certificates come from this CA.

    A move is made in steps: the new CA is permitted, then served, then the old one is no longer permitted. So what
    counts is what was permitted when the present CA began.
    """
    since = None
    for tenure in reversed(line.history.tenures):
        if tenure.leaf.key_type is line.leaf.key_type:
            if tenure.chain[-1].issuer_key != line.chain[-1].issuer_key:
                break
            since = tenure.since
    return since


def _since_leaf(line: Line) -> datetime | None:
    """Since when the leaf is in service, as far as that was seen."""
    return next((tenure.since for tenure in line.history.tenures if tenure.leaf == line.leaf), None)


def alias_moved(line: Line) -> str | None:
    """Whether the host's alias has changed lately, since its certificate came into service, in words.

    An alias that is again what it was has not.
    """
    since = _since_leaf(line)
    changes = [(earlier, later) for earlier, later in pairwise(line.signals.dns) if earlier.cname != later.cname]
    lately = [
        (earlier, later)
        for earlier, later in changes
        if line.now - later.learned_at <= _NEWS and (since is None or since <= later.learned_at)
    ]
    if not lately:
        return None
    before, (_, last) = lately[0][0].cname, lately[-1]
    if last.cname == before:
        return None
    now, was = ", ".join(last.cname) or "no alias", ", ".join(before) or "none"
    return f"its DNS alias changed to {now} at {timestamp(last.learned_at)} (it was {was})"
