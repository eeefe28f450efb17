"""A minimal Debian in a directory, in which commands are run."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MIRROR = "http://deb.debian.org/debian"
_ENVIRONMENT = ("/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8")
_PATIENCE = 300


class Chroot:
    """Made by debootstrap. What commands mount in it is gone with them; the network is that of the host."""

    def __init__(self, root: Path, *packages: str) -> None:
        self.root = root
        root.chmod(0o755)  # it becomes / for users that are not root
        made = subprocess.run(
            [
                "/usr/sbin/debootstrap",
                "--variant=minbase",
                f"--include={','.join(packages)}",
                "bookworm",
                root,
                _MIRROR,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout[-2000:] + made.stderr

    def command(self, *words: str) -> list[str]:
        """What runs a command in it."""
        prepare = f"mount -t proc proc {self.root}/proc && mount --rbind /dev {self.root}/dev"
        inside = shlex.join(["chroot", str(self.root), *_ENVIRONMENT, *words])
        return ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", f"{prepare} && exec {inside}"]

    def run(self, *words: str, code: int = 0) -> str:
        """What a command said, once it has ended with this code."""
        run = subprocess.run(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        assert run.returncode == code, f"{words}: {run.returncode}\n{run.stdout}"
        return run.stdout

    def boot(self) -> list[str]:
        """What starts its service manager as the first process of a container, on the network of the host."""
        return ["/usr/bin/systemd-nspawn", "--directory", str(self.root), "--register=no", "--keep-unit", "--boot"]

    def exists(self, name: str) -> bool:
        """Whether there is something at this path."""
        path = self.root / name.lstrip("/")
        return path.exists() or path.is_symlink()
