"""The shape of ``web.config_file``: every key of exporter-toolkit's form, its kind and its default."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import Field, PlainValidator, ValidationInfo, model_validator

from monitord.config.document import exists
from monitord.config.faults import UnfitError, shown
from monitord.config.fields import GIVEN, surroundings, unusable_file
from monitord.config.secret import Secret
from monitord.config.section import Section
from monitord.config.times import parse_duration
from monitord.config.tlsnames import CIPHERS, CLIENT_AUTH, CURVES, UNVERIFIED, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_COSTLY = 16  # of bcrypt: a few seconds for each login
_BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{53}")
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}


def _file(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str) or not value:
        raise UnfitError(value, "is not the path of a file")
    path = surroundings(info).base / value
    if not exists(path) or path.is_dir():
        raise unusable_file(value, f"there is no file {path}")
    return path


def _hash(value: object) -> Secret:
    """A bcrypt hash; it is never shown, since it may be guessed from."""
    found = _BCRYPT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        how = "make one: htpasswd -nBC 10 NAME"
        raise UnfitError("", "", f"basic_auth_users: a password is not a bcrypt hash ($2y$...); {how}")
    if not 4 <= int(found["cost"]) <= MOST_COSTLY:  # noqa: PLR2004 - the least that bcrypt has
        raise UnfitError(
            "",
            "",
            f"basic_auth_users: a hash has the cost {found['cost']}; 4 to {MOST_COSTLY} are allowed, 10 is usual",
        )
    return Secret(found.group())


def _user(name: object) -> str:
    if not isinstance(name, str) or not name or ":" in name:
        raise UnfitError(name, "is not a user name, which has no colon")
    return name


def _header(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.isascii() or not text.isprintable():
        raise UnfitError(value, "is not the text of a header")
    return text


def _named(known: Mapping[str, Any], what: str) -> PlainValidator:
    def validate(value: object) -> str:
        if not isinstance(value, str) or value not in known:
            raise UnfitError(value, f"is not {what}")
        return value

    return PlainValidator(validate)


def _version(value: object) -> str:
    if value in ("TLS10", "TLS11"):
        raise UnfitError(value, "is not offered any more; write TLS12 or TLS13")
    if not isinstance(value, str) or value not in VERSIONS:
        raise UnfitError(value, "is not a version; write TLS12 or TLS13")
    return value


def _client_auth(value: object) -> str:
    if value in UNVERIFIED:
        raise UnfitError(
            value, "takes any certificate unseen, which protects nothing; write RequireAndVerifyClientCert"
        )
    if not isinstance(value, str) or value not in CLIENT_AUTH:
        raise UnfitError(value, f"is not known; write {' or '.join(CLIENT_AUTH)}")
    return value


def _interval(value: object) -> timedelta:
    if value == 0 and not isinstance(value, bool):
        return timedelta()
    if not isinstance(value, str):
        raise UnfitError(value, "is not a duration; write it like 100ms or 1s, or 0 for no limit")
    return parse_duration(value)


_Path = Annotated[Path, PlainValidator(_file)]
_Version = Annotated[str, PlainValidator(_version)]


class _WebSection(Section):
    """A mapping of the file that knows the mappings below it."""

    @classmethod
    def sections(cls) -> dict[str, type[_WebSection]]:
        """The mappings below, by their key."""
        return {
            name: annotation
            for name, field in cls.model_fields.items()
            for annotation in (field.annotation, *get_args(field.annotation))
            if isinstance(annotation, type) and issubclass(annotation, _WebSection)
        }


class TlsServerEntry(_WebSection):
    """``tls_server_config:``."""

    cert_file: _Path
    key_file: Annotated[str, Field(min_length=1)]
    client_auth_type: Annotated[str, PlainValidator(_client_auth)] = "NoClientCert"
    client_ca_file: Annotated[_Path | None, GIVEN] = None
    client_allowed_sans: list[str] = Field(default_factory=list)
    min_version: _Version = "TLS12"
    max_version: _Version = "TLS13"
    cipher_suites: list[Annotated[str, _named(CIPHERS, "one of the secure cipher suites of Go's crypto/tls")]] = Field(
        default_factory=list
    )
    prefer_server_cipher_suites: bool = True
    curve_preferences: list[
        Annotated[str, _named(CURVES, f"a curve that is known; there are: {', '.join(CURVES)}")]
    ] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _refuse_texts(cls, entry: object) -> object:
        for name in ("cert", "key", "client_ca"):
            if isinstance(entry, dict) and name in entry:
                raise UnfitError("", "", f"tls_server_config.{name} is not read; put it into a file: {name}_file")
        return entry

    @model_validator(mode="after")
    def _refuse_what_does_not_fit(self) -> TlsServerEntry:
        verified = CLIENT_AUTH[self.client_auth_type] is not CLIENT_AUTH["NoClientCert"]
        if verified and self.client_ca_file is None:
            raise UnfitError(self, "", f"client_auth_type {self.client_auth_type} needs client_ca_file")
        if not verified and self.client_ca_file is not None:
            raise UnfitError(self, "", "client_ca_file needs client_auth_type: RequireAndVerifyClientCert")
        if self.client_allowed_sans and self.client_auth_type != "RequireAndVerifyClientCert":
            raise UnfitError(self, "", "client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert")
        if VERSIONS[self.min_version] > VERSIONS[self.max_version]:
            raise UnfitError(self, "", f"min_version {self.min_version} is above max_version {self.max_version}")
        if len(self.curve_preferences) > 1:
            raise UnfitError(
                self, "", "curve_preferences may have one curve here; leave it out for OpenSSL's own choice"
            )
        return self


class HttpServerEntry(_WebSection):
    """``http_server_config:``."""

    http2: bool = True
    headers: dict[
        Annotated[str, _named(_HEADERS, f"a header that can be set; there are: {', '.join(_HEADERS)}")],
        Annotated[str, PlainValidator(_header)],
    ] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _refuse_unknown_values(self) -> HttpServerEntry:
        for name, value in self.headers.items():
            if _HEADERS[name] and value not in _HEADERS[name]:
                allowed = " or ".join(_HEADERS[name])
                raise UnfitError(self, "", f"headers.{name}: {shown(value)} is not allowed; write {allowed}")
        return self


class RateLimitEntry(_WebSection):
    """``rate_limit:``."""

    interval: Annotated[timedelta, PlainValidator(_interval)] = timedelta()
    burst: Annotated[int, Field(ge=1, le=1_000_000)] = 1


class WebFileEntry(_WebSection):
    """The file as a whole."""

    tls_server_config: Annotated[TlsServerEntry | None, GIVEN] = None
    http_server_config: HttpServerEntry = HttpServerEntry()
    basic_auth_users: dict[Annotated[str, PlainValidator(_user)], Annotated[Secret, PlainValidator(_hash)]] = Field(
        default_factory=dict
    )
    rate_limit: Annotated[RateLimitEntry | None, GIVEN] = None
