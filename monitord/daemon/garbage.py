"""Python's collection of cyclic garbage, kept from going through what stays.

A full collection visits every object made since the last ``freeze`` and holds the event loop up meanwhile: with very
many endpoints for seconds, again and again. But what is known of an endpoint stays as long as it is registered, has no
cycles, and is freed when nothing refers to it any more. So it is set aside as it grows: a number of times that grows
only with the logarithm of what there is, so that the little garbage that is set aside with it stays little.
"""

from __future__ import annotations

import gc

_GROWTH = 1.1
_LEAST = 200
_YOUNG = 1


class SetAside:
    """Sets aside what stays; knows of how many endpoints it was."""

    def __init__(self) -> None:
        """Nothing was set aside."""
        self._endpoints = 0

    def started(self) -> None:
        """Set aside all that there is after the start, and collect from now on. Takes as long as a full collection."""
        gc.collect()
        gc.freeze()
        gc.enable()

    def know(self, endpoints: int) -> None:
        """So many endpoints were looked at. To be called every few seconds."""
        if endpoints >= _GROWTH * self._endpoints + _LEAST:
            self._endpoints = endpoints
            gc.collect(_YOUNG)
            gc.freeze()
