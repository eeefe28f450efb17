from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitord import pki
from monitord.cli.outlook import entry
from monitord.cli.timeline import ASCII
from monitord.pinning.evidence import LoggedCertificate, RenewalWindow
from tests.cli.conftest import HOST
from tests.cli.outlooks import DAY, INTERMEDIATE, NOW, SPARE, Story, chain, leaf, pinset
from tests.cli.stored import remember
from tests.cli.test_main import on_a_terminal, start
from tests.support.daemon import Daemon
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitord.pki import Issued
    from tests.cli.conftest import Result, World

    Monitord = Callable[..., Result]
    Register = Callable[..., None]

GOLDEN = Path(__file__).parent / "golden"
TODAY = datetime.now(UTC).replace(microsecond=0)
UNUSED_PORT = 1


def golden(name: str, text: str) -> None:
    """Compare a text with its golden file; REGENERATE_GOLDEN=1 writes it anew."""
    path = GOLDEN / name
    if os.environ.get("REGENERATE_GOLDEN"):
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def served(world: World, age: float, key: pki.PrivateKey | None = None) -> Issued:
    """A leaf that lives for 90 days and is so many days old today."""
    begin = TODAY - age * DAY
    return pki.issue(
        HOST, issuer=world.intermediate, names=[HOST], not_before=begin, not_after=begin + 90 * DAY, key=key
    )


def renewing() -> Story:
    """The leaf is pinned in one set, an authority in another, and each renewal so far brought a new key."""
    leaves = [leaf(number, NOW - days * DAY) for number, days in ((11, 230), (12, 170), (13, 110), (14, 50))]
    story = Story(
        pinset("android-5", leaves[-1].certificate.pin, SPARE, share=0.62),
        pinset("ios-5", INTERMEDIATE.certificate.pin),
    )
    for one in leaves:
        story.showed(one.certificate.not_before, one)
    return story


def migrating() -> Story:
    """A certificate that one set of pins knows and the other does not was logged; the CA suggests a time to renew."""
    now, coming = leaf(21, NOW - 40 * DAY), leaf(22, NOW - DAY)
    story = Story(
        pinset("app", now.certificate.pin, SPARE), pinset("app-next", now.certificate.pin, coming.certificate.pin)
    )
    story.showed(NOW - 39 * DAY, now)
    story.told(LoggedCertificate(chain(coming), NOW - DAY))
    story.told(RenewalWindow(now.certificate.sha256, NOW + 18 * DAY, NOW + 20 * DAY, NOW - 2 * DAY))
    return story


def calm() -> Story:
    """The next renewal is far enough away for an app release."""
    now = leaf(23, NOW - 20 * DAY)
    story = Story(pinset("app", now.certificate.pin, SPARE))
    story.showed(NOW - 20 * DAY, now)
    return story


@pytest.mark.parametrize("name", ["renewing", "migrating", "calm"])
def test_what_is_printed_is_what_people_were_shown(name: str) -> None:
    """Table, remarks and pictures, word for word and sign for sign."""
    story = {"renewing": renewing, "migrating": migrating, "calm": calm}[name]()
    lines = [line.rstrip() for line in story.drawn()]
    golden(f"forecast-{name}.txt", story.printed() + "\n".join(lines) + "\n")


def test_the_picture_in_ascii_has_the_same_shape() -> None:
    """For terminals that cannot show more."""
    drawn = ["".join(line) for line in renewing().drawn(glyphs=ASCII)]
    assert all(line.isascii() for line in drawn)
    shapes = str.maketrans("━█·◀▶│┊✗…", "=#.<>|:X~")
    assert [line.translate(shapes) for line in renewing().drawn()] == drawn


@pytest.mark.parametrize("width", [20, 60, 80, 120, 200])
def test_a_picture_has_the_width_of_its_terminal(width: int) -> None:
    """Rows never wrap, where there is room for the least label and two dates."""
    rows = [line for line in migrating().drawn(width)[2:] if not line.startswith(("  │", "  !", "  ✗", "  ┊"))]
    assert len([row for row in rows if row.startswith(("  leaf", "   pinned by", "  to come"))]) == 7
    assert max(map(len, rows)) <= max(width, 42)


def test_a_pin_lives_until_it_is_likely_to_fail_alone() -> None:
    """In a set that survives, the row of a pin that will not ends early, and the picture has no failure."""
    now = leaf(31, NOW - 50 * DAY)
    story = Story(pinset("app", now.certificate.pin, INTERMEDIATE.certificate.pin, SPARE))
    story.showed(NOW - 50 * DAY, now)
    lines = story.drawn()
    short, long = (line for line in lines if line.startswith("   pinned by "))
    (spare,) = (line for line in lines if line.startswith("  spare pin "))
    assert "✗" not in "".join(lines)
    assert "█" in short
    assert not short.endswith("▶")
    assert long.endswith("█▶")
    assert "█" not in spare
    assert "····" in spare


def test_what_someone_else_wrote_cannot_leave_its_row() -> None:
    """A subject with line ends, escape sequences and wide characters is text of a fixed width."""
    hostile = leaf(32, NOW - 10 * DAY, subject="\x1b[2J\nMONITORD OK 試験試験試験試験試験試験試験")
    story = Story(pinset("app", INTERMEDIATE.certificate.pin, SPARE))
    story.showed(NOW - 10 * DAY, hostile)
    (row,) = (line for line in story.drawn() if line.startswith("  leaf"))
    assert row.isprintable()
    assert row.startswith("  leaf         \\1B[2J\\0AMONITORD … ")


def test_an_open_window_is_drawn_at_now() -> None:
    """The renewal has been due for two days: it may come at any moment."""
    now = leaf(33, NOW - 50 * DAY)
    story = Story(pinset("app", now.certificate.pin, SPARE))
    story.showed(NOW - 50 * DAY, now)
    story.told(RenewalWindow(now.certificate.sha256, NOW - 2 * DAY, NOW + DAY, NOW - 9 * DAY))
    assert "2026-02-27  any moment" in story.printed()
    assert "Expected between now and 2026-03-02 12:00Z: " in story.printed()
    (row,) = (line for line in story.drawn() if line.startswith("  leaf"))
    assert "✗" in row
    assert "│" not in row


def test_the_object_of_a_pin_set_says_what_it_rests_on() -> None:
    """Beside the predictions: what was seen, since when, and how far ahead was looked."""
    story = migrating()
    outlook, _ = story.outlooks
    record = entry(outlook, story.past, NOW)
    assert list(record) == [
        *("host", "port", "pinset", "client", "trust", "verdict", "reason", "weaknesses", "predictions", "basis"),
    ]
    assert record["basis"] == {
        "look": "store",
        "seen_since": "2026-01-21T12:00:00Z",
        "until": "2027-04-05T12:00:00Z",
        "watched_since": "2026-01-21T12:00:00Z",
        "renewals": 0,
        "windows": 1,
        "logged": 1,
        "staged": 0,
        "revocations": 0,
        "dns_answers": 0,
        "store_changes": 0,
        "store": None,
    }


def test_nothing_predicted_says_until_when_and_from_what() -> None:
    """Trap: silence must not look like knowledge."""
    now = leaf(34, NOW - 10 * DAY)
    story = Story(pinset("app", INTERMEDIATE.certificate.pin, SPARE))
    story.showed(NOW, now)
    first, _, remark = story.printed().splitlines()
    assert first == "MONITORD OK - 1 pin set ok, nothing predicted until 2027-04-05"
    assert remark == (
        "api.example.com:443 app: nothing is predicted until 2027-04-05; that rests on: this look alone, no history "
        "yet; no ARI window known; nothing known from Certificate Transparency"
    )


def test_what_fails_already_is_not_predicted() -> None:
    """It is said as it is, and is critical."""
    now = leaf(35, NOW - 10 * DAY)
    story = Story(pinset("app", SPARE, replace(SPARE, digest=b"\x01" * 32)))
    story.showed(NOW - DAY, now)
    assert story.printed().splitlines() == [
        "MONITORD CRITICAL - 1 of 1 pin sets fail: api.example.com:443 app pin_mismatch",
        "",
        (
            "api.example.com:443 app: fails now, so nothing is predicted: pin_mismatch, no pin matches any certificate "
            "of the path CN=api.example.com < CN=Example Intermediate < CN=Example Root"
        ),
    ]


def test_sentences_are_broken_for_a_narrow_terminal() -> None:
    """Between words, never inside a pin, with endpoint and pin set below their row; the words stay the same."""
    story = renewing()
    wide, narrow = story.printed(), story.printed(width=60)
    first, *rows = narrow.splitlines()
    assert first == wide.splitlines()[0]
    assert max(len(row) for row in rows if "sha256/" not in row) <= 60
    assert narrow.split() == [*wide.split()[: len(first.split())], *_broken(wide.splitlines()[1:])]
    assert all(f" {pin}" in narrow for pin in story.outlooks[0].ruling.predictions[0].new_pins)


def _broken(lines: list[str]) -> list[str]:
    return " ".join(lines).split()


def test_what_fails_now_is_told_before_what_is_coming() -> None:
    """Two pin sets of one endpoint: one is broken already, the other will be."""
    now = leaf(36, NOW - 50 * DAY)
    story = Story(pinset("new", now.certificate.pin, SPARE), pinset("old", SPARE, replace(SPARE, digest=b"\x01" * 32)))
    story.showed(NOW - 50 * DAY, now)
    text = story.printed()
    assert text.startswith("MONITORD CRITICAL - 2 of 2 pin sets fail or will soon: ")
    assert text.index("old: fails now") < text.index("when ") < text.index("leaf_renewal  api.example.com:443 new")


def test_many_pin_sets_fit_on_a_page() -> None:
    """What several have in common is said once, only the next failures are explained, and few pictures are drawn."""
    now = leaf(37, NOW - 20 * DAY)
    story = Story(
        *(pinset(f"app-{number}", now.certificate.pin, SPARE, share=number / 100) for number in range(10, 25)),
        *(pinset(f"calm-{number}", INTERMEDIATE.certificate.pin, SPARE) for number in range(10, 20)),
    )
    story.showed(NOW - 20 * DAY, now)
    lines = story.printed().splitlines()
    assert sum("leaf_renewal  api.example.com:443 app-" in line for line in lines) == 15
    assert sum(line.startswith("    What to do: ") for line in lines) == 10
    assert "Why and what to do about the last 5 of these: monitord forecast HOST, or --json" in lines
    (calm_ones,) = (line for line in lines if "calm-" in line)
    assert calm_ones.endswith("api.example.com:443 calm-14 and 5 more: nothing is predicted until 2027-04-05")
    drawn = story.drawn(most=3)
    assert [line for line in drawn if "pin set" in line] == [
        *(f"api.example.com:443  pin set app-{number}" for number in (10, 11, 12)),
        "22 more pin sets not drawn; to draw them all: --timeline",
    ]


def test_what_several_will_meet_is_explained_once() -> None:
    """Rows with the same reason and the same advice stand together above them."""
    now = leaf(38, NOW - 20 * DAY)
    story = Story(pinset("one", now.certificate.pin, SPARE), pinset("two", now.certificate.pin, SPARE))
    story.showed(NOW - 20 * DAY, now)
    rows = [line[:16].strip() for line in story.printed().splitlines()[2:]]
    assert rows == ["when", "2026-04-10  in 4", "2026-04-10  in 4", "Expected bet", "Because most", "What to do:"]


def test_the_store_is_read_and_nothing_is_probed(
    home: Path, world: World, register: Register, monitord: Monitord
) -> None:
    """Where a daemon has looked already; that none is running now is said."""
    one = served(world, 50)
    register(UNUSED_PORT, one.certificate.pin)
    remember(home, world, [(one.certificate.not_before, one)], port=UNUSED_PORT)
    result = monitord("forecast")
    assert result.code == 2
    assert result.out.startswith("MONITORD CRITICAL - 1 of 1 pin sets will fail soon: ")
    assert "leaf_renewal" in result.out
    assert "no monitord is running on this store" in result.err
    assert "│" not in result.out
    record = monitord("forecast", "--json").record
    assert (record["verdict"], record["basis"]["look"]) == ("ok", "store")


def test_what_the_store_does_not_know_is_probed(
    home: Path, world: World, register: Register, monitord: Monitord
) -> None:
    """An endpoint beside one that is known, and everything where there is no store."""
    with world.serve() as server, world.serve(world.local) as other:
        register(server.port, world.root.certificate.pin)
        alone = monitord("forecast", "--json")
        remember(home, world, [(TODAY - DAY, world.leaf)], port=server.port)
        both = monitord("forecast", HOST, f"localhost:{other.port}", "--json")
    assert (alone.code, alone.record["basis"]["look"]) == (0, "probe")
    assert "there is no store" in alone.err
    assert alone.record["basis"]["store"] in alone.err
    assert [(one["host"], one["verdict"], one["basis"]["look"]) for one in both.records] == [
        (HOST, "ok", "store"),
        ("localhost", "not_pinned", "probe"),
    ]


def test_a_look_now_is_better_than_the_store(home: Path, world: World, register: Register, monitord: Monitord) -> None:
    """With --probe the renewal that has come since is seen, and the history tells how often that was so."""
    key = pki.new_key()
    leaves = [served(world, age, key) for age in (170, 110, 50)]
    register(UNUSED_PORT, key_pin := leaves[0].certificate.pin)
    remember(home, world, [(one.certificate.not_before, one) for one in leaves[:2]], port=UNUSED_PORT)
    with world.serve(leaves[2]) as server:
        register(server.port, key_pin)
        stored = monitord("forecast", "--json").record["basis"]
        result = monitord("forecast", "--probe", "--json")
    basis = result.record["basis"]
    assert (stored["look"], stored["renewals"]) == ("store", 1)
    assert (basis["look"], basis["renewals"]) == ("probe", 2)
    assert basis["watched_since"] == f"{leaves[0].certificate.not_before:%Y-%m-%dT%H:%M:%SZ}"
    assert result.err == ""


def test_unlikely_failures_are_listed_where_asked_for(
    home: Path, world: World, register: Register, monitord: Monitord
) -> None:
    """In JSON always; they never change the exit code."""
    key = pki.new_key()
    leaves = [served(world, age, key) for age in (230, 170, 110, 50)]
    register(UNUSED_PORT, leaves[0].certificate.pin)
    remember(home, world, [(one.certificate.not_before, one) for one in leaves], port=UNUSED_PORT)
    plain, every = monitord("forecast"), monitord("forecast", "--all")
    assert (plain.code, every.code) == (0, 0)
    assert "leaf_renewal" not in plain.out
    assert "1 unlikely failure not shown; to list: --all" in plain.out
    assert "leaf_renewal" in every.out
    assert [one["cause"] for one in monitord("forecast", "--json").record["predictions"]] == ["leaf_renewal"]


def test_an_endpoint_that_cannot_be_judged_is_unknown(register: Register, monitord: Monitord) -> None:
    """Exit code 3, and nothing is said to be fine."""
    register(UNUSED_PORT, SPARE)
    result = monitord("forecast")
    assert result.code == 3
    assert "nothing can be predicted: " in result.out
    assert "nothing is predicted until" not in result.out


def test_the_picture_is_for_terminals(home: Path, world: World, register: Register) -> None:
    """Or for who asks for it; without colour and in ASCII where that is wanted."""
    one = served(world, 50)
    register(UNUSED_PORT, one.certificate.pin)
    remember(home, world, [(one.certificate.not_before, one)], port=UNUSED_PORT)
    call = ["-c", home / "monitord.yaml", "forecast"]
    terminal = {"TERM": "xterm-256color", "NO_COLOR": "", "PYTHONIOENCODING": "utf-8"}
    shown = on_a_terminal(call, terminal)
    assert "━━━" in shown
    assert "\x1b[1;31m✗" in shown
    assert "━━━" not in on_a_terminal([*call, "--no-timeline"], terminal)
    assert "\x1b[1" not in on_a_terminal(call, {**terminal, "NO_COLOR": "1"})
    assert "━━━" in start(*call, "--timeline", environment={"PYTHONIOENCODING": "utf-8"}).stdout
    for environment in ({"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "", "LC_ALL": "C"}):
        plain = start(*call, "--timeline", environment=environment).stdout
        assert "===" in plain
        assert plain.isascii()


async def test_the_store_of_a_running_daemon_is_read_beside_it(
    home: Path, world: World, register: Register, monitord: Monitord
) -> None:
    """What it has just seen is there, and nothing warns that it may be old."""
    with world.serve() as server:
        register(server.port, world.root.certificate.pin)
        async with Daemon(home / "monitord.yaml") as daemon:

            async def look() -> Result | None:
                result = await asyncio.to_thread(monitord, "forecast", "--json")
                return result if result.record["basis"]["look"] == "store" else None

            result = await eventually(look, "the daemon's look is in its store")
            assert (result.code, result.err) == (0, "")
            assert await daemon.stop() == 0


def test_nothing_registered_is_no_success(monitord: Monitord) -> None:
    """As for check."""
    result = monitord("forecast")
    assert result.code == 3
    assert result.out.startswith("MONITORD UNKNOWN - nothing is registered in ")
