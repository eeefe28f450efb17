"""The kinds of value that the configuration has, each with its bounds and its complaint."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo

from monitord.config.addresspolicy import AddressPolicy
from monitord.config.clientcertificates import ClientCertificateError, PrivateKey, read_chain, read_private_key
from monitord.config.document import exists
from monitord.config.environment import Expanded
from monitord.config.faults import UnfitError, shown
from monitord.config.hosts import (
    MAX_PORT,
    parse_connect_address,
    parse_endpoint,
    parse_host,
    parse_host_pattern,
    parse_listen,
)
from monitord.config.later import NOT_YET, REFUSAL
from monitord.config.proxies import parse_proxy
from monitord.config.receivers import ReceiverError, WebhookSettings
from monitord.config.secret import Secret
from monitord.config.secretfiles import SecretFileError, read_secret
from monitord.config.storeurl import SQLITE_PREFIX
from monitord.config.times import parse_duration, parse_time, parse_time_of_day
from monitord.config.truststores import TrustStoreError, TrustStoreReader
from monitord.config.weekly import parse_weekly, parse_zone
from monitord.pinning.certificate import Certificate
from monitord.pinning.incident import Severity
from monitord.pinning.pins import Pin, PinSpellingError, parse_pin
from monitord.pinning.quiet import Weekly
from monitord.pinning.target import ConnectAddress, Proxy, format_endpoint
from monitord.pinning.treehead import LogKeyUnusable, load_log_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import StrEnum

    from monitord.errors import MonitordError

_DurationText = Annotated[str, Field(pattern=r"^([0-9]+(w|d|h|m|s|ms))+$|\$\{")]
_EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
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
    return PlainValidator(_duration_between(shortest, longest), json_schema_input_type=_DurationText)


def _duration_between(shortest: str, longest: str) -> Callable[[object], timedelta]:
    least, most = parse_duration(shortest), parse_duration(longest)

    def validate(value: object) -> timedelta:
        found = parse_duration(text_of(value, "a duration; write it like 30s, 15m, 12h or 14d"))
        if found < least:
            raise UnfitError(value, f"is shorter than {shortest}")
        if found > most:
            raise UnfitError(value, f"is longer than {longest}")
        return found

    return validate


def _repeat(value: object) -> timedelta | dict[Severity, timedelta]:
    pause = _duration_between("5s", "365d")
    if not isinstance(value, dict):
        return pause(value)
    if not value or not set(value) <= {severity.value for severity in Severity}:
        raise UnfitError(value, f"needs durations for some of {', '.join(Severity)}, or a single duration")
    pauses = {}
    for name, one in value.items():
        try:
            pauses[Severity(name)] = pause(one)
        except UnfitError as error:
            raise UnfitError(value, error.complaint, f"alerts.repeat.{name} {shown(one)} {error.complaint}") from error
    return pauses


def one_of(kind: type[StrEnum], path: str) -> PlainValidator:
    """A validator of the members of a closed list, for the key at this path of the file."""
    supported = [member.value for member in kind if f"{path}={member}" not in NOT_YET]

    def validate(value: object) -> StrEnum:
        if f"{path}={value}" in NOT_YET:
            raise UnfitError(value, REFUSAL)
        if not isinstance(value, str) or value not in supported:
            raise UnfitError(value, f"is not known; write {' or '.join(supported)}")
        return kind(value)

    shape = Annotated[str, Field(json_schema_extra={"enum": [*supported]})]
    return PlainValidator(validate, json_schema_input_type=shape)


def surroundings(info: ValidationInfo) -> Surroundings:
    """What the file that is validated may refer to."""
    if not isinstance(info.context, Surroundings):
        raise TypeError("this section is validated with its surroundings as context")
    return info.context


def text_of(value: object, expected: str) -> str:
    """The value, if it is text. Raises UnfitError, which says what was ``expected``."""
    if not isinstance(value, str):
        raise UnfitError(value, f"is not {expected}")
    return value


def parsed(parse: Callable[[str], Any], expected: str) -> PlainValidator:
    """A validator of texts that ``parse`` reads."""
    return PlainValidator(lambda value: parse(text_of(value, expected)))


def _given(value: object) -> object:
    if value is None:
        raise UnfitError(value, "is not a value")
    return value


@lru_cache(maxsize=65536)
def _pin(text: str) -> Pin:
    """One pin often stands in the pin sets of many hosts: then it is the very same."""
    try:
        return parse_pin(text)
    except PinSpellingError as error:
        raise UnfitError(text, "is not a pin: sha256/ and the base64 of 32 bytes", str(error)) from error


def parse_share(value: object) -> float:
    """The fraction in a number such as ``0.62`` or a text such as ``62%``. Raises UnfitError for anything else."""
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
    known = surroundings(info).trust_stores
    unknown = [name for name in names if name not in known]
    if unknown:
        shown_names = ", ".join(shown(name.written if isinstance(name, Expanded) else name) for name in unknown)
        whole = f"trust store {shown_names} is not defined; there are: {', '.join(sorted(known))}"
        raise UnfitError(value, "is not the name of a trust store", whole)
    return [str(name) for name in dict.fromkeys(names)]


def secret_file(value: object, info: ValidationInfo) -> Secret:
    """The secret in the file that the value names. Raises UnfitError."""
    path, around = text_of(value, "the path of a file"), surroundings(info)
    try:
        return read_secret(around.base / path, around.environment)
    except SecretFileError as error:
        raise unusable_file(path, error) from error


def _chain_file(value: object, info: ValidationInfo) -> tuple[Certificate, ...]:
    name = text_of(value, "the path of a file")
    try:
        return read_chain(surroundings(info).base / name)
    except ClientCertificateError as error:
        raise unusable_file(name, error) from error


def _private_key_file(value: object, info: ValidationInfo) -> PrivateKey:
    name, around = text_of(value, "the path of a file"), surroundings(info)
    try:
        return read_private_key(around.base / name, around.environment)
    except (ClientCertificateError, SecretFileError) as error:
        raise unusable_file(name, error) from error


def _ca_file(value: object, info: ValidationInfo) -> Path:
    name, around = text_of(value, "the path of a file"), surroundings(info)
    path = around.base / name
    try:
        TrustStoreReader(around.environment).read("", path)
    except TrustStoreError as error:
        raise unusable_file(name, error) from error
    return path


def _url(text: str) -> Secret:
    url = Secret(str(text))
    try:
        WebhookSettings(url, addresses=AddressPolicy(networks=_EVERYWHERE))
    except ReceiverError as error:
        raise UnfitError(text, "is not a URL; write https://HOST/PATH or http://HOST/PATH") from error
    return url


def plain_url(text: str) -> str:
    """A URL that may be shown and logged; a password has no business in it. Raises UnfitError."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:  # a bad port or bracket
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host or not text.isprintable() or " " in text:
        raise UnfitError(text, "is not a URL; write https://HOST/PATH or http://HOST/PATH")
    if parts.username is not None:
        raise UnfitError("", "must not have a user name or password in it")
    return str(text)


def _log_list(value: object, info: ValidationInfo) -> str:
    text, around = text_of(value, "a URL, nor the path of a file"), surroundings(info)
    if "://" in text:
        return plain_url(text)
    path = around.base / text
    if path.is_dir():
        raise unusable_file(text, f"{path} is a directory")
    if not exists(path):
        raise unusable_file(text, f"there is no file {path}")
    return str(path.absolute())


def _directory(value: object, info: ValidationInfo) -> Path:
    return (surroundings(info).base / text_of(value, "the path of a directory")).absolute()


def _log_key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
        load_log_key(key)
    except ValueError as error:
        raise UnfitError(text, "is not base64; write the key as the log list has it") from error
    except LogKeyUnusable as error:
        raise UnfitError(text, f"is {error}") from error
    return key


def _name_server(text: str) -> str:
    found = parse_connect_address(text)
    return found.address if found.port is None else format_endpoint(found.address, found.port)


def _staging(text: str) -> tuple[str, int | None]:
    host, port = parse_endpoint(text, 0)
    return host, port or None


GIVEN = BeforeValidator(_given)  # None is for a key that is left out; a key without a value is a fault
Name = Annotated[str, Field(min_length=1, max_length=100)]
FilePattern = Annotated[str, Field(min_length=1, max_length=4000)]
Port = Annotated[int, Field(ge=1, le=MAX_PORT)]
HostPattern = Annotated[str, parsed(parse_host_pattern, "a host name; put it in quotes")]
Host = Annotated[str, parsed(parse_host, "a host name; put it in quotes")]
Connect = Annotated[ConnectAddress, parsed(parse_connect_address, "an IP address")]
Listen = Annotated[tuple[str, int], parsed(parse_listen, "a listen address; write it like 127.0.0.1:9843")]
LabelName = Annotated[str, AfterValidator(_label_name)]
Labels = dict[LabelName, Annotated[str, Field(max_length=200)]]
Pins = list[Annotated[Pin, parsed(_pin, "a pin, which is sha256/ and base64")]]
StoreNames = Annotated[list[str], PlainValidator(_store_names, json_schema_input_type=str | list[str])]
Expiry = Annotated[datetime, parsed(parse_time, "a date; write it like 2027-01-01")]
Share = Annotated[float, PlainValidator(parse_share, json_schema_input_type=float | str)]
StoreUrl = Annotated[str, parsed(_store, _STORE)]
SecretFile = Annotated[Secret, PlainValidator(secret_file)]
ChainFile = Annotated[tuple[Certificate, ...], PlainValidator(_chain_file)]
PrivateKeyFile = Annotated[PrivateKey, PlainValidator(_private_key_file)]
ProxyUrl = Annotated[Proxy, parsed(parse_proxy, "a proxy; write it like http://proxy.example.com:3128")]
CaFile = Annotated[Path, PlainValidator(_ca_file)]
Url = Annotated[Secret, parsed(_url, "a URL")]
PlainUrl = Annotated[str, parsed(plain_url, "a URL")]
Directory = Annotated[Path, PlainValidator(_directory)]
LogList = Annotated[str, PlainValidator(_log_list)]
LogKey = Annotated[bytes, parsed(_log_key, "a key in base64")]
NameServer = Annotated[str, parsed(_name_server, "an IP address")]
Repeat = Annotated[
    timedelta | dict[Severity, timedelta], PlainValidator(_repeat, json_schema_input_type=str | dict[str, str])
]
TimeOfDay = Annotated[timedelta, parsed(parse_time_of_day, "a time of the day; write it like 08:00")]
WeekTime = Annotated[Weekly, parsed(parse_weekly, "a time of the week; write it like sun 02:00-04:00")]
Zone = Annotated[tzinfo, parsed(parse_zone, "a time zone; write it like Europe/Berlin")]
Staging = Annotated[tuple[str, int | None], parsed(_staging, "a host name; put it in quotes")]
