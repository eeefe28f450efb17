"""The Debian package: built, looked at by lintian, installed on a minimal Debian, used there, and removed."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs.documents import ROOT
from tests.support.deployment import SECRET, SPARE, Deployment
from tests.support.waiting import eventually
from tests.system.chroot import Chroot

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.system

HOST = "api.example.com"
PACKAGE = "/root/monitord.deb"
_TRIAL = """\
monitord add {place} --pin leaf --pin {spare} >/root/adding 2>&1
pid=$(systemctl show monitord -p MainPID --value)
grep -E '^(Uid|NoNewPrivs|Seccomp|CapEff):' /proc/$pid/status >/root/facts
mv /root/adding /root/added
until [ -e /root/stop ]; do sleep 1; done
exec >/root/ended 2>&1
systemctl reload monitord; echo reload $?
systemctl show monitord -p StatusText
systemctl stop monitord; echo stop $?
systemctl show monitord -p NRestarts -p Result
journalctl -u monitord --no-pager
"""
_TRIAL_UNIT = """\
[Unit]
Wants=monitord.service
After=monitord.service
[Service]
Type=oneshot
ExecStart=/bin/sh /root/trial.sh
ExecStopPost=/usr/bin/systemctl --no-block poweroff
"""
UNIT_LINK = "/etc/systemd/system/multi-user.target.wants/monitord.service"


@pytest.fixture(scope="module")
def package() -> Path:
    """The package, built from this checkout."""
    binaries = Path(sys.executable).parent
    build = subprocess.run(
        ["/bin/sh", ROOT / "debian" / "build", binaries / "pip", sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    (found,) = (ROOT / "dist").glob("monitord_*.deb")
    return found


@pytest.fixture(scope="module")
def debian(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chroot]:
    """A minimal Debian with the file of the package."""
    chroot = Chroot(tmp_path_factory.mktemp("debian"), "python3", "ca-certificates", "systemd")
    shutil.copy(package, chroot.root / PACKAGE.lstrip("/"))
    yield chroot
    shutil.rmtree(chroot.root, ignore_errors=True)


def test_lintian_has_nothing_to_say(package: Path) -> None:
    """Neither errors nor warnings, but for what the overrides explain."""
    run = subprocess.run(["/usr/bin/lintian", "--allow-root", package], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, ""), run.stdout


def test_the_demo_runs_where_nothing_but_the_package_was_installed(debian: Chroot) -> None:
    """Installing says what to do next; the program, its manual and its completions are in place."""
    said = debian.run("dpkg", "-i", PACKAGE)
    assert "Begin with: monitord add HOST" in said
    assert debian.run("monitord", "--version").startswith("monitord ")
    assert "Every step was observed." in debian.run("monitord", "demo")
    assert debian.run("monitord", "check-config").endswith("0 domains, 0 pin sets, 0 receivers: ok\n")
    assert debian.run("dpkg", "--verify", "monitord") == ""
    for name in (
        UNIT_LINK,
        "/lib/systemd/system/monitord.service",
        "/usr/share/man/man1/monitord.1.gz",
        "/usr/share/man/man5/monitord.yaml.5.gz",
        "/usr/share/bash-completion/completions/monitord",
        "/usr/share/monitord/prometheus/alerting.rules.yml",
        "/etc/monitord/web.yaml.example",
    ):
        assert debian.exists(name), name
    assert (debian.root / "etc/monitord/secrets").stat().st_mode & 0o077 == 0


async def test_the_service_watches_confined_and_tells_of_a_failure(debian: Chroot, tmp_path: Path) -> None:
    """From an empty installation to an alert, under the service manager with all that the unit takes away."""
    debian.run("dpkg", "-i", PACKAGE)
    etc, root = debian.root / "etc", debian.root / "root"
    async with Deployment(tmp_path) as deployment:
        shipped, renewed = deployment.leaf(HOST), deployment.leaf(HOST)
        server = deployment.serve(shipped)
        (etc / "hosts").write_text(f"127.0.0.1 localhost {HOST}\n")
        shutil.copy(tmp_path / "root.pem", etc / "monitord" / "root.pem")
        (etc / "monitord" / "secrets" / "hook").write_text(SECRET)
        drop_in = etc / "systemd/system/monitord.service.d/extras.conf"
        drop_in.parent.mkdir(parents=True, exist_ok=True)
        drop_in.write_text("[Service]\nLoadCredential=hook:/etc/monitord/secrets/hook\n")
        own = {
            "trust": {"default": "own", "own": "root.pem"},
            "interval": "5s",
            "receivers": [{"name": "ops", "webhook": {"url": deployment.hook.url, "secret_file": "hook"}}],
            "web": {"listen": "127.0.0.1:0"},
        }
        lines = [f"{key}: {json.dumps(value)}\n" for key, value in own.items()]
        config = etc / "monitord" / "monitord.yaml"
        config.write_text(config.read_text("utf-8") + "".join(lines), "utf-8")
        (root / "trial.sh").write_text(_TRIAL.format(place=f"{HOST}:{server.port}", spare=SPARE))
        trial = etc / "systemd/system/trial.service"
        trial.write_text(_TRIAL_UNIT)
        (etc / "systemd/system/multi-user.target.wants/trial.service").symlink_to(trial.name)
        with (tmp_path / "console").open("wb") as console:
            container = await asyncio.create_subprocess_exec(
                *debian.boot(), stdin=asyncio.subprocess.DEVNULL, stdout=console, stderr=console
            )

        def there(name: str) -> bool:
            assert container.returncode is None, (tmp_path / "console").read_text("utf-8", "replace")
            return (root / name).exists()

        async def added() -> bool:
            return there("added")

        async def told() -> bool:
            return there("added") and bool(deployment.hook.calls)

        try:
            await eventually(added, "the endpoint is added", seconds=120)
            server.present(renewed, deployment.intermediate.certificate)
            await eventually(told, "the mismatch is told", seconds=120)
            (root / "stop").touch()
            async with asyncio.timeout(120):
                await container.wait()
        finally:
            with suppress(ProcessLookupError):
                container.terminate()
            await container.wait()
        (event,) = (await deployment.events(1))[:1]
        assert (event["type"], event["data"]["host"]) == ("pin_mismatch.firing", HOST)
    said = (root / "added").read_text("utf-8")
    assert f"{HOST}:{server.port} is registered in /etc/monitord/domains.d/{HOST}.yaml" in said
    assert "the daemon says: reloaded: watching 1 domains" in said
    facts = dict(line.split(":\t") for line in (root / "facts").read_text("utf-8").splitlines())
    assert int(facts.pop("Uid").split()[0]) > 60000
    assert facts == {"CapEff": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}
    ended = (root / "ended").read_text("utf-8").split("\n")
    assert ended[:3] == ["reload 0", "StatusText=watching 1 domains", "stop 0"]
    assert {"NRestarts=0", "Result=success"} <= set(ended)
    assert '"event": "stopped"' in "\n".join(ended)


def test_installing_again_keeps_what_people_wrote(debian: Chroot) -> None:
    """A second installation is an upgrade: conffiles and endpoints stay as they are."""
    debian.run("dpkg", "-i", PACKAGE)
    config = debian.root / "etc/monitord/monitord.yaml"
    written = config.read_text("utf-8") + "# mine\n"
    config.write_text(written, "utf-8")
    (debian.root / "etc/monitord/domains.d/mine.yaml").write_text("- host: mine.example.com\n")
    debian.run("dpkg", "--force-confold", "-i", PACKAGE)
    debian.run("/var/lib/dpkg/info/monitord.postinst", "configure", "0.0.1")
    assert config.read_text("utf-8") == written
    assert debian.exists("/etc/monitord/domains.d/mine.yaml")


def test_removal_keeps_the_configuration_and_purging_takes_it(debian: Chroot) -> None:
    """What was recorded and registered goes at the purge; a secret that somebody put there stays."""
    debian.run("dpkg", "--force-confold", "-i", PACKAGE)
    (debian.root / "var/lib/private/monitord").mkdir(parents=True, exist_ok=True)
    (debian.root / "etc/monitord/domains.d/mine.yaml").write_text("- host: mine.example.com\n")
    debian.run("dpkg", "-r", "monitord")
    assert not debian.exists("/opt/monitord")
    assert not debian.exists("/usr/bin/monitord")
    assert debian.exists("/etc/monitord/monitord.yaml")
    assert debian.exists("/etc/monitord/domains.d/mine.yaml")
    (debian.root / "etc/monitord/secrets/kept").write_text("a secret\n")
    debian.run("dpkg", "-P", "monitord")
    left = sorted(path.name for path in (debian.root / "etc/monitord").iterdir())
    assert left == ["root.pem", "secrets"]
    for name in ("/var/lib/private/monitord", "/var/lib/monitord", UNIT_LINK, "/usr/share/monitord", "/opt/monitord"):
        assert not debian.exists(name), name
