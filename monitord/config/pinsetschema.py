"""The shape of a pin set, wherever one is written."""

from __future__ import annotations

from typing import Annotated

from pydantic import model_validator

from monitord.config.faults import UnfitError
from monitord.config.fields import GIVEN, Expiry, Name, Pins, Share, StoreNames, one_of
from monitord.config.section import Section
from monitord.pinning.pins import Client


class PinSetEntry(Section):
    """An item of ``pinsets:``."""

    name: Name
    client: Annotated[Client, one_of(Client, "domains.pinsets.client")] = Client.GENERIC
    pins: Annotated[Pins | None, GIVEN] = None
    leaf_pins: Annotated[Pins | None, GIVEN] = None
    ca_pins: Annotated[Pins | None, GIVEN] = None
    trust: Annotated[StoreNames | None, GIVEN] = None
    expires: Annotated[Expiry | None, GIVEN] = None
    share: Annotated[Share | None, GIVEN] = None

    @model_validator(mode="after")
    def _refuse_lists_that_the_client_has_not(self) -> PinSetEntry:
        lists = self.leaf_pins is not None or self.ca_pins is not None
        if not lists and self.pins is None:
            raise UnfitError(self, "", "a pin set needs pins" + (", leaf_pins or ca_pins" if self._is_apple else ""))
        if lists and not self._is_apple:
            raise UnfitError(self, "", f"leaf_pins and ca_pins are for client apple; {self.client} has one list: pins")
        return self

    @property
    def _is_apple(self) -> bool:
        return self.client is Client.APPLE
