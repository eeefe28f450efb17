"""Which format a scraper gets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prometheus_client.exposition import choose_encoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client.registry import Collector

    Encoder = Callable[[Collector], bytes]

_VERSION = re.compile(r"version=[^;]+")


def negotiate(accept: str) -> tuple[Encoder, str, bool]:
    """An encoder for collectors, the content type, and whether that is OpenMetrics, by the Accept header."""
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # a version that cannot be compared
        encode, content_type = choose_encoder("")
    openmetrics = content_type.startswith("application/openmetrics-text")
    if openmetrics:
        content_type = _VERSION.sub("version=1.0.0", content_type)  # later ones are the same in what we use
    return encode, content_type, openmetrics
