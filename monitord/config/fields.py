"""The kinds of value that the configuration has, each with its bounds and its complaint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo

from monitord.config.clientcertificates import ClientCertificateError, PrivateKey, read_chain, read_private_key
from monitord.config.environment import Expanded
from monitord.config.faults import UnfitError, shown
from monitord.config.hosts import MAX_PORT, parse_connect_address, parse_host, parse_listen
from monitord.config.later import NOT_YET, REFUSAL
from monitord.config.proxies import parse_proxy
from monitord.config.receivers import ReceiverError, WebhookSettings, decode_webhook_secret, parse_mail_address
from monitord.config.secret import Secret
from monitord.config.secretfiles import SecretFileError, read_secret
from monitord.config.times import parse_duration, parse_time
from monitord.config.truststores import TrustStoreError, TrustStoreReader
from monitord.pinning.certificate import Certificate
from monitord.pinning.incident import Severity
from monitord.pinning.pins import Pin, PinSpellingError, parse_pin
from monitord.pinning.target import ConnectAddress, Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import StrEnum

    from monitord.errors import MonitordError

SQLITE_PREFIX = "sqlite:///"
_STORE = "a store; write it like sqlite:////var/lib/monitord/monitord.db"
_LABEL_NAME = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]*")
_OWN_LABELS = ("host", "port")
_PERCENT = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,6})?%")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a value may refer to: files beside ``base``, the environment, and trust stores by name."""

    base: Path
    environment: Mapping[str, str]
    trust_stores: frozenset[str]


def unusable_file(value: str, error: MonitordError | str) -> UnfitError:
    """The complaint about a value that names a file, which is not shown where it came from the environment."""
    return UnfitError(
        value, "does not name a usable file" if isinstance(value, Expanded) else f"cannot be used: {error}"
    )


def duration(shortest: str, longest: str) -> PlainValidator:
    """A validator of durations between these two, both included."""
    least, most = parse_duration(shortest), parse_duration(longest)

    def validate(value: object) -> timedelta:
        found = parse_duration(_text(value, "a duration; write it like 30s, 15m, 12h or 14d"))
        if found < least:
            raise UnfitError(value, f"is shorter than {shortest}")
        if found > most:
            raise UnfitError(value, f"is longer than {longest}")
        return found

    return PlainValidator(validate)


def one_of(kind: type[StrEnum], path: str) -> PlainValidator:
    """A validator of the members of a closed list, for the key at this path of the file."""
    supported = [member.value for member in kind if f"{path}={member}" not in NOT_YET]

    def validate(value: object) -> StrEnum:
        if f"{path}={value}" in NOT_YET:
            raise UnfitError(value, REFUSAL)
        if not isinstance(value, str) or value not in supported:
            raise UnfitError(value, f"is not known; write {' or '.join(supported)}")
        return kind(value)

    return PlainValidator(validate)


def _surroundings(info: ValidationInfo) -> Surroundings:
    if not isinstance(info.context, Surroundings):
        raise TypeError("this section is validated with its surroundings as context")
    return info.context


def _text(value: object, expected: str) -> str:
    if not isinstance(value, str):
        raise UnfitError(value, f"is not {expected}")
    return value


def _parsed(parse: Callable[[str], Any], expected: str) -> PlainValidator:
    return PlainValidator(lambda value: parse(_text(value, expected)))


def _given(value: object) -> object:
    if value is None:
        raise UnfitError(value, "is not a value")
    return value


def _pin(text: str) -> Pin:
    try:
        return parse_pin(text)
    except PinSpellingError as error:
        raise UnfitError(text, "is not a pin: sha256/ and the base64 of 32 bytes", str(error)) from error


def _mail_address(text: str) -> str:
    try:
        parse_mail_address(text)
    except ReceiverError as error:
        complaint = "is not a mail address; write name@example.com or Display Name <name@example.com>"
        raise UnfitError(text, complaint) from error
    return str(text)


def _share(value: object) -> float:
    if isinstance(value, str) and _PERCENT.fullmatch(value):
        share = float(value.removesuffix("%")) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool):
        share = float(value)
    else:
        raise UnfitError(value, "is not a share; write it like 0.62 or 62%")
    if not 0 <= share <= 1:
        raise UnfitError(value, "is not between 0 and 1")
    return share


def _store(text: str) -> str:
    scheme = text.partition(":")[0].partition("+")[0]
    if f"store={scheme}" in NOT_YET:
        raise UnfitError(text, f"is a {scheme} database, which {REFUSAL}")
    if not text.removeprefix(SQLITE_PREFIX).strip("/") or not text.startswith(SQLITE_PREFIX) or ":memory:" in text:
        raise UnfitError(text, f"is not {_STORE}")
    return str(text)


def _label_name(name: str) -> str:
    if not _LABEL_NAME.fullmatch(name):
        raise UnfitError(name, "is not a label name; it may have letters, digits and underscores")
    if name in _OWN_LABELS:
        raise UnfitError(name, "is a label that monitord sets itself; choose another name")
    return name


def _store_names(value: object, info: ValidationInfo) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UnfitError(value, "is not the name of a trust store, nor a list of names")
    known = _surroundings(info).trust_stores
    unknown = [name for name in names if name not in known]
    if unknown:
        shown_names = ", ".join(shown(name.written if isinstance(name, Expanded) else name) for name in unknown)
        whole = f"trust store {shown_names} is not defined; there are: {', '.join(sorted(known))}"
        raise UnfitError(value, "is not the name of a trust store", whole)
    return [str(name) for name in dict.fromkeys(names)]


def _password(value: object) -> Secret:
    if not isinstance(value, Expanded):
        raise UnfitError(value, "must not stand in the file; use password_file, or password: ${NAME}")
    return Secret(str(value))


def _secret_file(value: object, info: ValidationInfo) -> Secret:
    path, around = _text(value, "the path of a file"), _surroundings(info)
    try:
        return read_secret(around.base / path, around.environment)
    except SecretFileError as error:
        raise unusable_file(path, error) from error


def _signing_secret(secret: Secret) -> Secret:
    try:
        decode_webhook_secret(secret)
    except ReceiverError as error:
        raise UnfitError("", f"cannot be used: {error}") from error
    return secret


def _chain_file(value: object, info: ValidationInfo) -> tuple[Certificate, ...]:
    name = _text(value, "the path of a file")
    try:
        return read_chain(_surroundings(info).base / name)
    except ClientCertificateError as error:
        raise unusable_file(name, error) from error


def _private_key_file(value: object, info: ValidationInfo) -> PrivateKey:
    name, around = _text(value, "the path of a file"), _surroundings(info)
    try:
        return read_private_key(around.base / name, around.environment)
    except (ClientCertificateError, SecretFileError) as error:
        raise unusable_file(name, error) from error


def _ca_file(value: object, info: ValidationInfo) -> Path:
    name, around = _text(value, "the path of a file"), _surroundings(info)
    path = around.base / name
    try:
        TrustStoreReader(around.environment).read("", path)
    except TrustStoreError as error:
        raise unusable_file(name, error) from error
    return path


def _url(text: str) -> Secret:
    url = Secret(str(text))
    try:
        WebhookSettings(url)
    except ReceiverError as error:
        raise UnfitError(text, "is not a URL; write https://HOST/PATH or http://HOST/PATH") from error
    return url


GIVEN = BeforeValidator(_given)  # None is for a key that is left out; a key without a value is a fault
Name = Annotated[str, Field(min_length=1, max_length=100)]
FilePattern = Annotated[str, Field(min_length=1, max_length=4000)]
Port = Annotated[int, Field(ge=1, le=MAX_PORT)]
Host = Annotated[str, _parsed(parse_host, "a host name; put it in quotes")]
Connect = Annotated[ConnectAddress, _parsed(parse_connect_address, "an IP address")]
Listen = Annotated[tuple[str, int], _parsed(parse_listen, "a listen address; write it like 127.0.0.1:9843")]
Labels = dict[Annotated[str, AfterValidator(_label_name)], Annotated[str, Field(max_length=200)]]
Pins = list[Annotated[Pin, _parsed(_pin, "a pin, which is sha256/ and base64")]]
StoreNames = Annotated[list[str], PlainValidator(_store_names)]
Expiry = Annotated[datetime, _parsed(parse_time, "a date; write it like 2027-01-01")]
Share = Annotated[float, PlainValidator(_share)]
StoreUrl = Annotated[str, _parsed(_store, _STORE)]
MailAddress = Annotated[str, _parsed(_mail_address, "a mail address")]
Severities = Annotated[list[Annotated[Severity, one_of(Severity, "receivers.severities")]], Field(min_length=1)]
Password = Annotated[Secret, PlainValidator(_password)]
SecretFile = Annotated[Secret, PlainValidator(_secret_file)]
SigningSecretFile = Annotated[Secret, PlainValidator(_secret_file), AfterValidator(_signing_secret)]
CaFile = Annotated[Path, PlainValidator(_ca_file)]
ChainFile = Annotated[tuple[Certificate, ...], PlainValidator(_chain_file)]
PrivateKeyFile = Annotated[PrivateKey, PlainValidator(_private_key_file)]
ProxyUrl = Annotated[Proxy, _parsed(parse_proxy, "a proxy; write it like http://proxy.example.com:3128")]
Url = Annotated[Secret, _parsed(_url, "a URL")]
