"""The shape of ``discovery:``: where lists of endpoints come from."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from monitord.config.discovery import DiscoverySettings, HttpList
from monitord.config.faults import UnfitError
from monitord.config.fields import GIVEN, CaFile, FilePattern, Name, PlainUrl, SecretFile, duration, plain_url
from monitord.config.pinsetschema import PinSetEntry
from monitord.config.secrecy import keeps_secrets
from monitord.config.section import Section

_DEFAULTS = DiscoverySettings()


class HttpListEntry(Section):
    """An item of ``discovery.http_sd:``; a URL alone stands for its ``url``."""

    url: PlainUrl
    username: Annotated[Name | None, GIVEN] = None
    password_file: Annotated[SecretFile | None, GIVEN] = None
    token_file: Annotated[SecretFile | None, GIVEN] = None
    ca_file: Annotated[CaFile | None, GIVEN] = None

    @model_validator(mode="after")
    def _refuse_half_a_login(self) -> HttpListEntry:
        if (self.username is None) != (self.password_file is None):
            raise UnfitError(self, "", "username and password_file belong together; give both or neither")
        if self.username is not None and self.token_file is not None:
            raise UnfitError(self, "", "a login and token_file exclude each other; keep the one that the server wants")
        if (self.username or self.token_file) and not keeps_secrets(self.url):
            raise UnfitError(self, "", "a login or a token needs a url that begins with https://")
        return self

    def value(self) -> HttpList:
        """The list as a value."""
        return HttpList(self.url, self.username, self.password_file, self.token_file, self.ca_file)


def _spelled_out(item: object) -> object:
    return {"url": plain_url(item)} if isinstance(item, str) else item


HttpListItem = Annotated[HttpListEntry, BeforeValidator(_spelled_out, json_schema_input_type=str | HttpListEntry)]


class DiscoveryEntry(Section):
    """``discovery:``."""

    file_sd: list[FilePattern] = Field(default_factory=list)
    http_sd: list[HttpListItem] = Field(default_factory=list)
    every: Annotated[timedelta, duration("5s", "1d")] = _DEFAULTS.every
    pinsets: list[PinSetEntry] = Field(default_factory=list)
