"""Writes every generated file: ``python -m generate``."""

from __future__ import annotations

from generate.files import ROOT, generated


def main() -> None:
    """Write what differs, and name it."""
    for name, text in generated().items():
        path = ROOT / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
