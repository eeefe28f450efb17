"""Every number of a forecast that is stated and not learned, with the reason for it.

A forecast is as good as its priors until the host's own history speaks; ``python -m bench calibration`` holds them
against stories and random histories (docs/forecast.md, "Calibration and lead time"). Probabilities are those that the
failure comes by the foretold time and a horizon more.
"""

from __future__ import annotations

from datetime import timedelta

# --- Renewal of the leaf ---

RENEWS = 0.97
"""A renewal that is due comes at all, rather than that the host is given up, moved or frozen first."""

NEW_KEY_HOSTS, KEPT_KEY_HOSTS, MIXED_HOSTS = 0.75, 0.11, 0.14
"""Hosts that make a new key at each renewal, that never do, and that do either.

certbot, cert-manager since 1.18 and AWS ACM make one each time unless told otherwise, so an unknown host does so with
0.8. What a host does is set once in its client's configuration, so one renewal tells much: Laplace's rule holds for the
mixed ones alone.
"""
KEY_SLIP = 0.03
"""A host of the first two kinds does the other thing: an accident, a new server, an incident of the key."""

# --- A renewal that is overdue. The weights of what the host may be; they need not add up to one. ---

AUTOMATED, LATE, FORGOTTEN = 0.85, 0.1, 0.05
"""For lifetimes that nobody renews by hand: it comes within days of its time; at any time up to the end, because the
client has another schedule; not at all, because the job has died and nobody looks."""
AUTOMATED_LONG, BY_HAND, FORGOTTEN_LONG = 0.35, 0.6, 0.05
"""For long lifetimes, which are often renewed by hand and then at any time up to the end."""
REPAIRED = 0.05
"""The job has died and somebody repairs it in time. What is left of lateness where a host was always punctual."""
GRACE = 0.05
"""How late the automated are, on average, as a part of the time between the renewal and the end."""
REGULAR = 0.03
"""Renewals are regular if they come at the same part of the lifetime, give or take this."""
STRAGGLING, STRAGGLER_LATE, STRAGGLER_FORGOTTEN = 0.9, 0.04, 0.06
"""An address that keeps the old leaf while others have the new one: rolled out within a day or so (most are done in
minutes), at any time up to the end, left out."""
ROLL_OUT = timedelta(days=1)

NEVER_INSTALLED = 0.05
INSTALLED, INSTALLED_BY_HAND = timedelta(days=7), timedelta(days=30)
"""A certificate that was issued is never installed, or after so long on average, by a machine or by hand."""

# --- The issuer ---

ISSUER_CHANGES, AUTHORITY_CHANGES = 0.3, 0.1
"""Changes of the direct issuer, and of the CA, in a year, before any was seen (a Gamma prior of one year's weight):
CAs replace their intermediates about every three years, hosts their CA about every ten."""
POOL_OF_SIBLINGS = 0.95
"""Certificates of the same name that come from several intermediates of one parent are drawn from a pool, rather than
that each place of the service has its own."""
OUTLIVED = 0.9
"""A CA does not issue beyond the end of its intermediate, so the next leaf comes from another one; some shorten the
leaf instead."""

# --- Dates that stand in certificates and announcements ---

DATED = 0.95
"""A root or a cross-sign ends, or the direct issuer before any renewal: somebody may still mend it."""
DATED_BUT_RENEWED_BEFORE = 0.6
"""The direct issuer ends before its leaf, and a renewal that may bring another one comes first."""
DISTRUSTED = 0.9
"""A host goes on to renew at a CA that is distrusted: a tenth of them have moved by then, or the date has."""
REVOKED_ISSUER = 0.8

# --- Certificates that were seen and are not served ---

SAME_FAMILY, SAME_FAMILY_EARLY = 0.85, 0.55
"""Logged, and issued by an authority that the host uses: most are the next certificate if a renewal is due or near.
Early in the life of the one in service it may as well be for another place of the service, or a trial."""
OTHER_FAMILY, OTHER_FAMILY_EARLY = 0.6, 0.42
"""Logged by another CA: a migration, or a trial. Early in the life of the one in service a spare is likelier:
who moves to another CA does so at a renewal, or DNS tells of it, or something else does."""
BACKUP = 0.2
"""Logged by another CA beside a certificate of the family in use: CDNs keep such in a drawer (Cloudflare's backups)."""
MIGRATION = 0.85
"""Logged by another CA while DNS says that the host moves."""
OTHER_NAMES = 0.7
"""A factor for other names than those of the certificate in service."""
UNKNOWN_ISSUER = 0.7
"""A factor for an entry without its issuers: they may be the pinned ones."""
RECORD = 2
"""How many certificates of a host it takes to outweigh the above with what became of them."""
STAGED, SIGHTED = 0.95, 0.6
"""Shown at the operator's staging endpoint, which is a promise; seen at an address and taken back, which may have been
the end of it."""
SOON, UNPLANNED, OVERDUE = timedelta(days=14), timedelta(days=7), timedelta(days=1)
"""When such a certificate is deployed: at the renewal if that is due within ``SOON``; in the middle of the two weeks
that most wait if it is not; within a day if the renewal is overdue."""
PATIENCE, FADING = timedelta(days=21), timedelta(days=20)
"""How long one may wait that nobody needs yet ("usually hours to weeks ahead"), and how fast it is believed less after
that (the mean of an exponential)."""

# --- What DNS and trust stores tell ---

CAA_FORBIDS, CAA_WIDENED, ALIAS_MOVED = 0.7, 0.35, 0.35
"""The next renewal comes from another CA: CAA no longer permits the one in use; permits more than it did; the host's
alias leads elsewhere, so somebody else may order its certificates."""
PREVIEW_RELEASED, RELATIVE_FOLLOWS, OLDER_FOLLOWS = 0.8, 0.6, 0.2
"""A store becomes as its preview is; as its relative of the same or an earlier version; as that of a later version,
which devices that are no longer updated never get."""
OTHERS_REMOVE, OTHERS_ADD = 0.4, 0.3
"""Another programme follows a removal, or an addition, within months."""
STORE_FOLLOWS, STORE_FORGOTTEN = timedelta(days=28), timedelta(days=180)
"""The time between two versions (iOS 11.1's beta was five weeks ahead), and when a change is no longer news."""
