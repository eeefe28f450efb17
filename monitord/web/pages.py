"""The pages for people, as HTML without scripts and styles: the content security policy allows neither."""

from __future__ import annotations

import html


def landing_page(version: str) -> str:
    """The page at ``/``: what this is and where to go from here."""
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>monitord</title></head>
<body>
<h1>monitord</h1>
<p>Will the installed apps still connect, now and after the next change of certificates?</p>
<p>Version {html.escape(version)}</p>
<ul>
<li><a href="/metrics">Metrics</a> for Prometheus</li>
<li><a href="/-/healthy">Health</a>: do the probes go on?</li>
<li><a href="/-/ready">Readiness</a>: has the first round begun?</li>
</ul>
</body>
</html>
"""
