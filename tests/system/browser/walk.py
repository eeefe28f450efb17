"""Walks through the pages with Chromium and prints as JSON what it met. Run by the Python that has Playwright.

    walk.py BASE AXE STORY [PICTURES]

``BASE`` is the URL of the listener, ``AXE`` the file of axe-core, ``STORY`` which walk; ``PICTURES`` is a directory for
screenshots.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
LOGIN = {"username": "alice", "password": "correct"}
CHROMIUM = "/usr/bin/chromium"
# The sandbox needs rights that a container seldom has; the rest keeps the browser from talking to its maker.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync"]


@dataclass
class Walk:
    """What was met on the way."""

    base: str
    axe: str
    console: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    overflows: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def examine(self, page: Any, name: str) -> None:
        """Have axe-core look at the page, and see whether it is wider than the screen."""
        page.evaluate(self.axe)
        found = page.evaluate("axe.run({resultTypes: ['violations']})")
        for violation in found["violations"]:
            nodes = "; ".join(node["html"][:200] for node in violation["nodes"][:3])
            self.violations.append(f"{name}: {violation['id']}: {violation['help']}: {nodes}")
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            self.overflows.append(name)

    def go(self, page: Any, path: str) -> None:
        """Open a page; one that is not there is a fault."""
        answer = page.goto(self.base + path)
        if answer is None or answer.status != 200:
            self.console.append(f"{path}: {answer and answer.status}")


def rows(page: Any) -> int:
    """How many endpoints the table has."""
    return int(page.locator("table.endpoints tbody tr").count())


def empty(walk: Walk, page: Any) -> None:
    """Nothing is registered."""
    walk.go(page, "/")
    walk.examine(page, "empty")
    walk.facts = {"answer": page.locator("h1").inner_text(), "command": page.locator("pre").first.inner_text()}


def twenty(walk: Walk, page: Any) -> None:
    """Search by the keyboard alone, open an endpoint, acknowledge and silence its incident."""
    facts = walk.facts
    walk.go(page, "/")
    facts["answer"] = page.locator("h1").inner_text()
    facts["rows"] = rows(page)
    page.keyboard.press("Tab")
    facts["first focus"] = page.evaluate("document.activeElement.textContent")
    page.get_by_label("Host, pin set or label").focus()
    page.keyboard.type("payments.ex")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=payments.ex*")
    facts["found"] = rows(page)
    page.get_by_role("link", name="payments.example.com").click()
    facts["host"] = page.locator("h1").inner_text()
    facts["pictures"] = page.locator("ol.lines").count()
    taking_back = page.get_by_role("button", name="Take the acknowledgement back")
    if taking_back.count():
        taking_back.click()
        facts["taken back"] = page.get_by_role("status").inner_text()
    page.get_by_label("Note", exact=True).fill("on it <b>")
    page.get_by_role("button", name="Acknowledge").click()
    facts["acknowledged"] = page.locator(".incident").inner_text()
    facts["notice"] = page.get_by_role("status").inner_text()
    page.get_by_label("Silence for", exact=True).select_option("4h")
    page.get_by_label("Reason", exact=True).fill("we move")
    page.get_by_role("button", name="Silence").click()
    facts["silenced"] = page.get_by_role("status").inner_text()
    page.get_by_role("link", name="Incidents", exact=True).click()
    facts["incidents"] = page.locator("article.incident").count()
    page.get_by_role("link", name="Endpoints", exact=True).click()
    page.get_by_role("link", name="1 Will fail soon").click()
    facts["soon"] = page.locator("table.endpoints .host").all_inner_texts()
    for path in ("/", "/?q=zzz", "/incidents", "/domains/api.example.com", "/domains/payments.example.com",
                 "/domains/upload.example.com"):  # fmt: skip
        walk.go(page, path)
        walk.examine(page, path)


def many(walk: Walk, page: Any) -> None:
    """Ten thousand: search, filter, sort and turn the page."""
    facts = walk.facts
    walk.go(page, "/")
    facts["answer"] = page.locator("h1").inner_text()
    facts["rows"] = rows(page)
    walk.examine(page, "many")
    page.get_by_role("link", name="Next", exact=True).click()
    facts["second page"] = page.locator(".pager").inner_text().splitlines()[0]
    page.get_by_label("Sort by", exact=True).select_option("next")
    page.get_by_role("button", name="Filter").click()
    facts["first to fail"] = page.locator("table.endpoints .host").first.inner_text()
    page.get_by_label("Host, pin set or label").fill("host-01234")
    page.get_by_role("button", name="Filter").click()
    facts["found"] = page.locator("table.endpoints .host").all_inner_texts()
    page.get_by_role("link", name="Clear").click()
    page.get_by_label("State", exact=True).select_option("unknown")
    page.get_by_label("Label", exact=True).fill("team=t3")
    page.get_by_role("button", name="Filter").click()
    facts["unknown"] = page.locator(".pager").inner_text().splitlines()[0]


def main() -> None:
    """One walk: on a desktop in the light, then on a phone in the dark."""
    base, axe, story, *pictures = sys.argv[1:]
    walk = Walk(base, Path(axe).read_text("utf-8"))
    with import_module("playwright.sync_api").sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for scheme, screen in (("light", DESKTOP), ("dark", PHONE)):
            context = browser.new_context(viewport=screen, color_scheme=scheme, http_credentials=LOGIN)
            page = context.new_page()
            page.on("console", lambda message: walk.console.append(f"{message.type}: {message.text}"))
            page.on("pageerror", lambda error: walk.console.append(str(error)))
            {"empty": empty, "twenty": twenty, "many": many}[story](walk, page)
            for directory in pictures:
                page.goto(f"{base}/")
                page.screenshot(path=f"{directory}/status-{scheme}.png")
            context.close()
        browser.close()
    walk.axe = ""
    print(json.dumps(walk.__dict__))  # noqa: T201 - how the tests learn it


if __name__ == "__main__":
    main()
