"""One writer a store: a lock that the kernel frees when its holder dies, with the holder's pid in the file."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from monitord.store.faults import StoreError

if TYPE_CHECKING:
    from pathlib import Path


class WriterLock:
    """Held from construction until ``release``.

    The lock file stays behind: removing it would let two processes hold locks on two files of the same name.
    """

    def __init__(self, store: Path) -> None:
        """Take the lock of this store. Raises StoreError when another monitord holds it, OSError when it cannot be."""
        self._descriptor = os.open(f"{store}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._descriptor, 20).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            who = f" (pid {holder})" if holder.isdigit() else ""
            raise StoreError(
                f"store {store}: another monitord{who} is running on it; stop that one or use another store"
            ) from error
        except BaseException:
            os.close(self._descriptor)
            raise
        # The pid only helps people; a full disk must not keep monitord from starting.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, f"{os.getpid()}\n".encode("ascii"))

    def release(self) -> None:
        """Let another take it."""
        os.close(self._descriptor)
