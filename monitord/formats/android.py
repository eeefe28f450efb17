"""Android's network security configuration, ``res/xml/network_security_config.xml``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from monitord.formats.pinfile import united

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.formats.pinfile import PinnedHost


def write(hosts: Sequence[PinnedHost]) -> str:
    """The whole file. Without an expiration: at its date the platform would stop to pin."""
    return render(configuration(hosts))


def configuration(hosts: Sequence[PinnedHost]) -> ET.Element:
    """The root element, with a ``domain-config`` for each host."""
    root = ET.Element("network-security-config")
    for host in united(hosts):
        domain_config = ET.SubElement(root, "domain-config")
        ET.SubElement(domain_config, "domain", includeSubdomains="false").text = host.host
        pin_set = ET.SubElement(domain_config, "pin-set")
        for listed in host.pins:
            ET.SubElement(pin_set, "pin", digest="SHA-256").text = listed.base64
    return root


def render(root: ET.Element) -> str:
    """A document as text."""
    ET.indent(root, space="    ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"
