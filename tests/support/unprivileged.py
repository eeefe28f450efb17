"""For programs of tests: to be bound by permissions, also where tests run as root."""

from __future__ import annotations

import ctypes
import os

_VERSION_3 = 0x20080522  # of capset(2)


def give_up_privileges() -> None:
    """From now on a file of this user that is read-only is so; the interpreter and its packages stay readable."""
    if os.geteuid() == 0:
        header, none = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.capset(header, none):
            raise OSError(ctypes.get_errno(), "capabilities cannot be given up")
