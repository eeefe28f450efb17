"""A program: goes on as Python under what the unit confines the daemon to. ``python -m tests.system.confined ARGS``.

As far as that needs no service manager: the file system is read-only in a namespace of its own, but for the directory
in ``CONFINED_WRITABLE``, which stands for the state directory; system calls, address families and writable code are
held back by seccomp, with the same sets of calls and the same answers as the service manager gives, and where the
kernel can by its own means (PR_SET_MDWE, as later service managers do); the capabilities are dropped. What would hide
the program itself, for it lies in a home or a temporary directory here, is left out: ProtectHome, PrivateTmp and the
dynamic user.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import subprocess
import sys
from pathlib import Path

UNIT = Path(__file__).parents[2] / "systemd" / "monitord.service"

_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP, _PR_SET_MDWE = 38, 24, 65
_CLONE_NEWNS, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _READ_ONLY = 442, -100, 0x8000, 1
WRITABLE = "CONFINED_WRITABLE"
_LAST_CAPABILITY = 40
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NE, _EQ, _MASKED_EQ = 1, 4, 7
_PROT_WRITE, _PROT_EXEC, _SHM_EXEC = 2, 4, 0o100000
_FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
_MOST_FAMILIES = 64


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("namespace", ctypes.c_uint64),
    )


class Filter:
    """A seccomp filter: what is not mentioned gets ``default``."""

    def __init__(self, default: int) -> None:
        self._library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self._library.seccomp_init.restype = ctypes.c_void_p
        self._library.seccomp_init.argtypes = [ctypes.c_uint32]
        self._library.seccomp_rule_add_array.argtypes = [
            ctypes.c_void_p,
            ctypes.c_uint32,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.POINTER(_Comparison),
        ]
        self._library.seccomp_load.argtypes = [ctypes.c_void_p]
        self._filter = self._library.seccomp_init(default)

    def add(self, action: int, call: str, *comparisons: tuple[int, int, int, int]) -> None:
        """Answer this call so where all comparisons hold; a call that this machine does not have is passed over."""
        number = self._library.seccomp_syscall_resolve_name(call.encode())
        if number < 0:
            return
        array = (_Comparison * len(comparisons))(*(_Comparison(*one) for one in comparisons))
        failed = self._library.seccomp_rule_add_array(self._filter, action, number, len(comparisons), array)
        if failed:
            raise OSError(-failed, f"seccomp does not take the rule for {call}")

    def load(self) -> None:
        """Put it in force, for good."""
        failed = self._library.seccomp_load(self._filter)
        if failed:
            raise OSError(-failed, "seccomp does not take the filter")


def allowed_calls(settings: list[str]) -> set[str]:
    """The system calls that ``SystemCallFilter=`` lines allow; a line that begins with ~ takes away."""
    allowed: set[str] = set()
    for line in settings:
        named = {call for name in line.lstrip("~").split() for call in _members(name)}
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


def _members(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(
        ["/usr/bin/systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True
    )
    words = re.findall(r"^ +([@\w-]+)$", listed.stdout, re.MULTILINE)
    return {call for word in words for call in _members(word)}


def protect_system(writable: str | None) -> None:
    """Make the file system read-only for this process, as ProtectSystem=strict does, but for one directory."""
    library = ctypes.CDLL(None, use_errno=True)

    def demand(result: int) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), "the file system cannot be protected")

    def change(path: bytes, attributes: _Attributes) -> None:
        size = ctypes.sizeof(attributes)
        demand(library.syscall(_MOUNT_SETATTR, _AT_FDCWD, path, _AT_RECURSIVE, ctypes.byref(attributes), size))

    demand(library.unshare(_CLONE_NEWNS))
    demand(library.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    change(b"/", _Attributes(set=_READ_ONLY))
    if writable is not None:
        path = os.fsencode(writable)
        demand(library.mount(path, path, None, _MS_BIND, None))
        change(path, _Attributes(clear=_READ_ONLY))


def confine() -> None:
    """Take on what the unit says."""
    unit = UNIT.read_text("utf-8")
    assert re.search("^ProtectSystem=strict$", unit, re.MULTILINE)
    protect_system(os.environ.get(WRITABLE))
    wanted = re.findall(r"^SystemCallFilter=(.*)$", unit, re.MULTILINE)
    families = re.findall(r"^RestrictAddressFamilies=(.*)$", unit, re.MULTILINE)[0].split()
    umask = re.findall(r"^UMask=(.*)$", unit, re.MULTILINE)[0]
    assert wanted
    assert re.search("^MemoryDenyWriteExecute=yes$", unit, re.MULTILINE)
    assert re.search("^CapabilityBoundingSet=$", unit, re.MULTILINE)
    calls = Filter(_ERRNO | errno.EPERM)
    for call in allowed_calls(wanted):
        calls.add(_ALLOW, call)
    denied = Filter(_ALLOW)
    both = _PROT_WRITE | _PROT_EXEC
    denied.add(_ERRNO | errno.EPERM, "mmap", (2, _MASKED_EQ, both, both))
    denied.add(_ERRNO | errno.EPERM, "mprotect", (2, _MASKED_EQ, _PROT_EXEC, _PROT_EXEC))
    denied.add(_ERRNO | errno.EPERM, "pkey_mprotect", (2, _MASKED_EQ, _PROT_EXEC, _PROT_EXEC))
    denied.add(_ERRNO | errno.EPERM, "shmat", (2, _MASKED_EQ, _SHM_EXEC, _SHM_EXEC))
    for family in set(range(_MOST_FAMILIES)) - {_FAMILIES[name] for name in families}:
        denied.add(_ERRNO | errno.EAFNOSUPPORT, "socket", (0, _EQ, family, 0))
    os.umask(int(umask, 8))
    library = ctypes.CDLL(None)
    for capability in range(_LAST_CAPABILITY + 1):
        library.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    library.prctl(_PR_SET_MDWE, 1, 0, 0, 0)  # Linux 6.3; refused before
    denied.load()
    calls.load()


if __name__ == "__main__":
    confine()
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])  # noqa: S606 - no shell is wanted
