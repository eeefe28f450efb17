"""Files that are looked at again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.discovery.files import Changes, snapshot

if TYPE_CHECKING:
    from pathlib import Path


def test_a_snapshot_has_what_patterns_stand_for(tmp_path: Path) -> None:
    """In one directory or several, without hidden files; a link to nowhere and a plain name are there too."""
    for name in ("d/a.yaml", "d/b.yaml", "d/.hidden.yaml", "d/c.txt", "e/a.yaml", "plain"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "d" / "dangling.yaml").symlink_to("nowhere")
    main = tmp_path / "monitord.yaml"
    assert set(snapshot(main, ["d/*.yaml"])) == {
        str(tmp_path / "d" / name) for name in ("a.yaml", "b.yaml", "dangling.yaml")
    }
    assert set(snapshot(main, ["[de]/a.yaml", "plain", "missing"])) == {
        str(tmp_path / name) for name in ("d/a.yaml", "e/a.yaml", "plain", "missing")
    }
    assert snapshot(main, ["missing"]) == {str(tmp_path / "missing"): None}
    assert snapshot(main, ["nowhere/*.yaml"]) == {}


def test_a_change_is_told_once_it_was_left_alone(tmp_path: Path) -> None:
    """While a file is still being written nothing is said, and what was read meanwhile is known."""
    main, file = tmp_path / "monitord.yaml", tmp_path / "d" / "a.yaml"
    file.parent.mkdir()
    changes = Changes(lambda: snapshot(main, ["d/*"]))
    assert not changes.settled()
    file.write_text("one")
    assert not changes.settled()
    file.write_text("one and more")
    assert not changes.settled()
    assert changes.settled()
    assert not changes.settled()
    file.write_text("something else")
    changes.accept()
    assert not changes.settled()
    assert not changes.settled()
    file.unlink()
    assert not changes.settled()
    assert changes.settled()
