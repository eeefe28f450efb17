"""TrustKit for Android: the network security configuration with a ``trustkit-config`` in it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from monitord.formats import android
from monitord.formats.trustkit import refuse_lone_pins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.formats.pinfile import PinnedHost


def write(hosts: Sequence[PinnedHost]) -> str:
    """The whole file, enforcing: TrustKit only reports unless it is told. Raises FormatError for a lone pin."""
    refuse_lone_pins(hosts)
    root = android.configuration(hosts)
    for domain_config in root:
        ET.SubElement(domain_config, "trustkit-config", enforcePinning="true")
    return android.render(root)
