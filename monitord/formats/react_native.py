"""The JSON of react-native-ssl-public-key-pinning."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from monitord.formats.pinfile import united

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.formats.pinfile import PinnedHost


def write(hosts: Sequence[PinnedHost]) -> str:
    """The options object; the library wants two pins on iOS, as TrustKit is inside."""
    options = {
        host.host: {"includeSubdomains": False, "publicKeyHashes": [listed.base64 for listed in host.pins]}
        for host in united(hosts)
    }
    return json.dumps(options, indent=2) + "\n"
