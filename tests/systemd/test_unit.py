from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "monitord.service"
EXTRAS = UNIT.with_name("extras.conf")


def settings() -> dict[str, str]:
    """The unit's settings by name; the last one wins."""
    return dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE))


def test_the_unit_says_what_the_daemon_relies_on() -> None:
    """Readiness, reload, watchdog and the directories are as the daemon and its documentation expect them."""
    found = settings()
    expected = {
        "Type": "notify",
        "ExecStart": "/opt/monitord/bin/monitord -c /etc/monitord/monitord.yaml run",
        "ExecReload": "/bin/sh -c 'kill -HUP $MAINPID'",
        "WatchdogSec": "2min",
        "Restart": "on-failure",
        "DynamicUser": "yes",
        "StateDirectory": "monitord",
        "RuntimeDirectory": "monitord",
        "ConfigurationDirectory": "monitord",
        "MemoryDenyWriteExecute": "yes",
        "SyslogLevelPrefix": "no",
    }
    assert expected.items() <= found.items()
    assert "TimeoutStopSec" in found


@pytest.mark.system
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """Every setting is known to the systemd of Debian 12, once the program it starts exists."""
    copy = tmp_path / "monitord.service"
    copy.write_text(
        UNIT.read_text("utf-8").replace("ExecStart=/opt/monitord/bin/monitord", "ExecStart=/bin/true"), "utf-8"
    )
    run = subprocess.run(["/usr/bin/systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.system
def test_the_unit_is_hardened() -> None:
    """The exposure is 1.1 of 10; a monitor of the network cannot score much lower."""
    run = subprocess.run(
        ["/usr/bin/systemd-analyze", "security", "--offline=true", "--threshold=11", UNIT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


@pytest.mark.system
def test_systemd_accepts_every_extra(tmp_path: Path) -> None:
    """Each line of the drop-in is one that the systemd of Debian 12 knows, once its comment sign is taken off."""
    unit = UNIT.read_text("utf-8").replace("ExecStart=/opt/monitord/bin/monitord", "ExecStart=/bin/true")
    (tmp_path / "monitord.service").write_text(unit, "utf-8")
    extras = re.sub(r"^#(?=[\[A-Z]\S*[=\]])", "", EXTRAS.read_text("utf-8"), flags=re.MULTILINE)
    assert "\nNetworkNamespacePath=" in extras
    (tmp_path / "monitord.service.d").mkdir()
    (tmp_path / "monitord.service.d" / "extras.conf").write_text(
        extras.replace("/opt/monitord/bin/monitord", "/bin/true")
    )
    run = subprocess.run(
        ["/usr/bin/systemd-analyze", "verify", tmp_path / "monitord.service"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    # That it was read at all.
    broken = tmp_path / "monitord.service.d" / "broken.conf"
    broken.write_text("[Service]\nNoSuchSetting=yes\n", "utf-8")
    run = subprocess.run(
        ["/usr/bin/systemd-analyze", "verify", tmp_path / "monitord.service"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "NoSuchSetting" in run.stderr
