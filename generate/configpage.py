"""monitord.yaml(5), and what each key means in a sentence: both out of docs/configuration.md."""

from __future__ import annotations

from generate.roff import cells, head, page, plain, tidied

_KEY_ROW = ("key", "type", "default", "bounds", "meaning")


def meanings(markdown: str) -> dict[str, str]:
    """What the tables say of each key, by its path."""
    found: dict[str, str] = {}
    inside = False
    for line in markdown.splitlines():
        if not line.startswith("|"):
            inside = False
        elif tuple(cells(line)) == _KEY_ROW:
            inside = True
        elif inside and set(line) - set("|- "):
            key, kind, _, _, meaning = map(plain, cells(line))
            found[key] = f"{kind}: {meaning}" if meaning else kind
    return found


def config_page(markdown: str) -> str:
    """The manual page of the configuration."""
    _, _, body = markdown.partition("\n")
    introduction, _, sections = body.partition("\n## ")
    return tidied(
        [
            head("monitord.yaml", 5, "configuration of monitord"),
            ".SH DESCRIPTION\n",
            page(introduction),
            page(f"## {sections}"),
            ".SH FILES\n",
            ".TP\n\\fI/etc/monitord/monitord.yaml\\fR\nthe configuration, unless another one is named\n",
            ".TP\n\\fI/usr/share/monitord/monitord.schema.json\\fR\nits shape as JSON Schema, for editors\n",
            ".SH SEE ALSO\n.BR monitord (1)\n",
        ]
    )
