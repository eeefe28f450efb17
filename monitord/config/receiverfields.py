"""The kinds of value that receivers have."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import Field, PlainValidator, ValidationInfo

from monitord.config.addresspolicy import AddressPolicy
from monitord.config.environment import Expanded
from monitord.config.faults import UnfitError, shown
from monitord.config.fields import LabelName, one_of, parsed, secret_file, surroundings, text_of, unusable_file
from monitord.config.receivers import ReceiverError, decode_webhook_secret, parse_mail_address
from monitord.config.secret import Secret
from monitord.config.templates import Template, TemplateError, load_template
from monitord.config.templatesamples import SAMPLES
from monitord.pinning.incident import IncidentKind, Severity

_CONTENT_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]*(?:; ?charset=utf-8)?")
_MOST_SECRETS = 4


def _label_choice(value: object) -> str | tuple[str, ...]:
    """The value that a label must have, or several of which it must have one."""
    given = value if isinstance(value, list) else [value]
    if not given or not all(isinstance(one, str) for one in given):
        raise UnfitError(value, "is not text, nor a list of texts; put it in quotes")
    return str(value) if isinstance(value, str) else tuple(map(str, given))


def _mail_address(text: str) -> str:
    try:
        parse_mail_address(text)
    except ReceiverError as error:
        complaint = "is not a mail address; write name@example.com or Display Name <name@example.com>"
        raise UnfitError(text, complaint) from error
    return str(text)


def _password(value: object) -> Secret:
    if not isinstance(value, Expanded):
        raise UnfitError(value, "must not stand in the file; use password_file, or password: ${NAME}")
    return Secret(str(value))


def _signing_secrets(value: object, info: ValidationInfo) -> tuple[Secret, ...]:
    """The signing secret, or the newest and those that are being retired."""
    if not isinstance(value, list):
        return (_signing_secret(value, info),)
    if not 1 <= len(value) <= _MOST_SECRETS:
        complaint = f"is not a file, nor a list of at most {_MOST_SECRETS} files"
        raise UnfitError(value, complaint, f"webhook.secret_file {complaint}")
    found: list[Secret] = []
    for name in value:
        try:
            found.append(_signing_secret(name, info))
        except UnfitError as error:
            quoted = shown(name.written if isinstance(name, Expanded) else name)
            whole = f"webhook.secret_file {quoted} {error.complaint}"
            raise UnfitError(value, error.complaint, whole) from error
    return tuple(found)


def _signing_secret(value: object, info: ValidationInfo) -> Secret:
    secret = secret_file(value, info)
    try:
        decode_webhook_secret(secret)
    except ReceiverError as error:
        raise UnfitError("", f"cannot be used: {error}") from error
    return secret


def _content_type(text: str) -> str:
    if not _CONTENT_TYPE.fullmatch(text):
        raise UnfitError(text, "is not a content type; write it like application/json or text/plain")
    return str(text)


def _template_file(value: object, info: ValidationInfo) -> Template:
    name = text_of(value, "the path of a file")
    content_type = info.data.get("content_type") or "application/json"
    try:
        return load_template(surroundings(info).base / name, content_type, SAMPLES)
    except TemplateError as error:
        raise unusable_file(name, error) from error


def _addresses(value: object) -> AddressPolicy:
    if isinstance(value, bool):
        return AddressPolicy(private=value)
    if not isinstance(value, list):
        raise UnfitError(value, "is not true, false, nor a list of networks such as 10.0.0.0/8")
    return AddressPolicy(private=False, networks=tuple(map(_network, value)))


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(value))
    except ValueError:
        complaint = "is not a network; write it like 10.0.0.0/8, without bits beyond its length"
        raise UnfitError(value, complaint, f"webhook.allow_private: {shown(value)} {complaint}") from None


LabelChoice = dict[
    LabelName, Annotated[str | tuple[str, ...], PlainValidator(_label_choice, json_schema_input_type=str | list[str])]
]
Kinds = Annotated[list[Annotated[IncidentKind, one_of(IncidentKind, "receivers.kinds")]], Field(min_length=1)]
MailAddress = Annotated[str, parsed(_mail_address, "a mail address")]
Severities = Annotated[list[Annotated[Severity, one_of(Severity, "receivers.severities")]], Field(min_length=1)]
Password = Annotated[Secret, PlainValidator(_password)]
SigningSecretFiles = Annotated[
    tuple[Secret, ...], PlainValidator(_signing_secrets, json_schema_input_type=str | list[str])
]
ContentType = Annotated[str, parsed(_content_type, "a content type")]
TemplateFile = Annotated[Template, PlainValidator(_template_file)]
Addresses = Annotated[AddressPolicy, PlainValidator(_addresses, json_schema_input_type=bool | list[str])]
HeaderValue = Annotated[Secret, parsed(Secret, "text; put it in quotes")]
