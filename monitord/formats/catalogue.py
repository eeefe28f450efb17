"""Every format that can be written, by the name that people give it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from monitord.formats import (
    android,
    apple,
    curl,
    hpkp,
    monitord_yaml,
    okhttp,
    react_native,
    trustkit,
    trustkit_android,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from monitord.formats.pinfile import PinnedHost

    Writer = Callable[[Sequence[PinnedHost]], str]

WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        "okhttp": okhttp.write,
        "android": android.write,
        "apple": apple.write,
        "trustkit": trustkit.write,
        "trustkit-android": trustkit_android.write,
        "react-native": react_native.write,
        "curl": curl.write,
        "hpkp": hpkp.write,
        "monitord": monitord_yaml.write,
    }
)
