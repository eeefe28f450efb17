"""monitord: will the installed apps still connect, now and after the next change of certificates?

The way of the data::

    config → schedule → probe → observe → judge → forecast → decide → record → deliver / expose

``observe``, ``judge``, ``forecast`` and ``decide`` are pure functions of values and a ``now`` and live in
``monitord.pinning``; everything else is an edge around them. One round is written down in ``monitord.cycle.cycle``.
"""

from monitord.__about__ import __version__

__all__ = ["__version__"]
