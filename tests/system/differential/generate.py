"""Cases by number: the same seed and number give the same situation, with fresh signatures each time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from monitord.pinning.pins import Pin
from tests.system.differential.case import Case
from tests.system.differential.scene import Scene
from tests.system.differential.situations import SITUATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitord.pki import PrivateKey

_MOST_SERVED = 18
"""A probe refuses more than twenty certificates."""


def make_case(seed: int, number: int, now: datetime, ring: tuple[PrivateKey, ...]) -> Case:
    """The case of this number; the situations take turns."""
    rng = random.Random(f"{seed}/{number}")  # noqa: S311 - repeatable, not secret
    situation = SITUATIONS[number % len(SITUATIONS)]
    scene = Scene(rng, now, ring, f"case{number}.a.example.test")
    situation(scene)
    _dress(scene)
    return Case(
        number=number,
        situation=situation.__name__,
        host=scene.host,
        leaf=scene.leaf,
        chain=(scene.leaf.certificate, *scene.served),
        anchors=tuple(dict.fromkeys(scene.store)),
        patterns=_patterns(scene, _pins(scene)),
        key_names=_key_names(scene),
    )


def _key_names(scene: Scene) -> dict[Pin, str]:
    """Each key's number and first holder."""
    holders: dict[Pin, str] = {}
    for issued in scene.cast:
        holders.setdefault(issued.certificate.pin, issued.certificate.display_subject)
    return {pin: f"key {number} of {holder}" for number, (pin, holder) in enumerate(holders.items(), 1)}


def _dress(scene: Scene) -> None:
    """Faults of configuration that can befall any situation."""
    rng = scene.rng
    if scene.served and scene.chance(0.08):
        scene.served.insert(rng.randrange(len(scene.served) + 1), rng.choice(scene.served))
    if scene.chance(0.08):
        scene.served.insert(rng.randrange(len(scene.served) + 1), rng.choice(scene.cast).certificate)
    if scene.chance(0.08):
        rng.shuffle(scene.served)
    if scene.chance(0.05):
        scene.served.insert(0, scene.leaf.certificate)
    if scene.chance(0.08):
        scene.store.append(rng.choice(scene.cast).certificate)
    if not scene.store:
        scene.trust(scene.root("Nobody"))
    rng.shuffle(scene.store)
    del scene.served[_MOST_SERVED:]


def _patterns(scene: Scene, pins: tuple[Pin, ...]) -> tuple[tuple[str, tuple[Pin, ...]], ...]:
    """Usually all pins under the host's own name; else each under some pattern that covers the host or does not."""
    if scene.chance(0.7):
        return ((scene.host, pins),) if pins else ()
    patterns = [scene.host, "other.example.test"]
    if scene.host.endswith(".test"):
        parent = scene.host.partition(".")[2]
        patterns += [scene.host.upper(), f"*.{parent}", f"*.{parent.partition('.')[2]}", parent, f"*.{scene.host}"]
    spread: dict[str, list[Pin]] = {}
    for pin in pins:
        spread.setdefault(scene.rng.choice(patterns), []).append(pin)
    return tuple((pattern, tuple(some)) for pattern, some in spread.items())


def _pins(scene: Scene) -> tuple[Pin, ...]:
    """Usually one or two keys of the cast, sometimes of nobody, rarely none."""
    rng = scene.rng
    if scene.chance(0.04):
        return ()
    unknown = Pin(rng.randbytes(32))
    candidates: Sequence[Pin] = list(dict.fromkeys(issued.certificate.pin for issued in scene.cast))
    leaf = scene.leaf.certificate.pin
    chosen = rng.sample(candidates, min(len(candidates), rng.choice([1, 1, 1, 2, 2, 3])))
    if scene.chance(0.25):
        chosen = [unknown]
    elif scene.chance(0.12):
        chosen = [leaf]
    elif scene.chance(0.2):
        chosen.append(unknown)
    rng.shuffle(chosen)
    return tuple(dict.fromkeys(chosen))
