from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.config.receivers import (
    EmailSettings,
    Receiver,
    ReceiverError,
    SmtpSettings,
    SmtpTls,
    WebhookSettings,
    decode_webhook_secret,
    parse_mail_address,
)
from monitord.config.secret import Secret
from monitord.pinning.incident import IncidentKind, Severity
from monitord.turns import Digest

HOOK = WebhookSettings(Secret("https://hooks.example.com/T0/B0"))
MAIL = EmailSettings(("ops@example.com",), "monitord@example.com", SmtpSettings("mail.example.com", 587))


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, True),
        ({"severities": frozenset({Severity.WARNING})}, False),
        ({"severities": frozenset({Severity.WARNING, Severity.CRITICAL}), "match": {"team": "payments"}}, True),
        ({"match": {"team": "payments", "tier": "1"}}, False),
        ({"match": {"team": "search"}}, False),
        ({"match": {"team": ("search", "payments")}}, True),
        ({"match": {"team": ("search", "maps")}}, False),
        ({"match_not": {"team": "search"}}, True),
        ({"match_not": {"team": "payments"}}, False),
        ({"match_not": {"team": ("search", "payments")}}, False),
        ({"match_not": {"tier": "1", "owner": "x"}}, False),
        ({"match": {"team": "payments"}, "match_not": {"owner": "x"}}, False),
        ({"kinds": frozenset({IncidentKind.PIN_MISMATCH, IncidentKind.UNTRUSTED})}, True),
        ({"kinds": frozenset({IncidentKind.UNREACHABLE})}, False),
    ],
)
def test_a_receiver_gets_what_it_asked_for(asked: dict[str, Any], wanted: bool) -> None:
    """Kind, severity and every label have to fit, and no label that is excluded; nothing asked means everything."""
    receiver = Receiver("ops", webhook=HOOK, **asked)
    labels = {"team": "payments", "owner": "x"}
    assert receiver.wants(IncidentKind.PIN_MISMATCH, Severity.CRITICAL, labels) is wanted


def test_some_endpoint_is_enough_to_take_a_kind_and_severity() -> None:
    """What concerns no endpoint goes by these alone."""
    receiver = Receiver("ops", webhook=HOOK, severities=frozenset({Severity.CRITICAL}), match={"team": "payments"})
    assert receiver.takes(IncidentKind.MONITOR_DEGRADED, Severity.CRITICAL)
    assert not receiver.takes(IncidentKind.MONITOR_DEGRADED, Severity.WARNING)


@pytest.mark.parametrize("ways", [{}, {"email": MAIL, "webhook": HOOK}])
def test_a_receiver_is_reached_in_one_way(ways: dict[str, Any]) -> None:
    """Neither none nor two."""
    with pytest.raises(ReceiverError, match="receiver 'ops' needs exactly one of email and webhook"):
        Receiver("ops", **ways)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"tls": SmtpTls.NONE, "username": "u", "password": Secret("p")}, "in clear"),
        ({"username": "u"}, "both username and password_file"),
        ({"password": Secret("p")}, "both username and password_file"),
        ({"tls": SmtpTls.NONE, "ca_file": Path("ca.pem")}, "no use for ca_file"),
        ({"timeout": 61.0}, "at most 60 s"),
        ({"timeout": 0.0}, "more than 0 s"),
        ({"timeout": float("nan")}, "does not work"),
    ],
)
def test_a_mail_server_that_cannot_work_is_refused(settings: dict[str, Any], complaint: str) -> None:
    """The sentence says what to change."""
    with pytest.raises(ReceiverError, match=complaint):
        SmtpSettings("mail.example.com", 587, **settings)


def test_mail_to_nobody_is_refused() -> None:
    """An empty list of addresses is a mistake, not a wish."""
    with pytest.raises(ReceiverError, match="names nobody"):
        EmailSettings((), "monitord@example.com", MAIL.smtp)


@pytest.mark.parametrize(
    ("text", "display", "address"),
    [
        ("ops@example.com", "", "ops@example.com"),
        ("On Call <on.call+pins@mail.example.com>", "On Call", "on.call+pins@mail.example.com"),
        ('"Ops, Öps" <ops@example.com>', "Ops, Öps", "ops@example.com"),
        ("root@localhost", "", "root@localhost"),
    ],
)
def test_an_address_may_have_a_display_name(text: str, display: str, address: str) -> None:
    """Both usual spellings are read."""
    parsed = parse_mail_address(text)
    assert (parsed.display_name, parsed.addr_spec) == (display, address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ops",
        "ops@",
        "@example.com",
        "a@b.c, d@e.f",
        "a b@example.com",
        "a@example.com\nBcc: c@d.e",
        "<a@b.c",
        "a@b.c>",
        "ü@example.com",
        "a@bücher.example",
        "=?utf-8?q?a=0ab?= <a@b.c>",
        "x" * 300 + "@example.com",
        "Name\x00 <a@b.c>",
    ],
)
def test_what_is_not_one_address_is_refused(text: str) -> None:
    """No list, no header of its own, nothing that a server would refuse or misread."""
    with pytest.raises(ReceiverError, match="is not a mail address"):
        parse_mail_address(text)


@given(st.text())
def test_an_address_is_read_or_refused(text: str) -> None:
    """Any text gives one printable address or the declared error."""
    try:
        parsed = parse_mail_address(text)
    except ReceiverError:
        return
    assert str(parsed).isprintable()
    assert parsed.addr_spec in text


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://user:pa55@hooks.example.com/T0/B0?token=s3cret", "https://hooks.example.com"),
        ("http://[2001:db8::1]:8080/x", "http://[2001:db8::1]:8080"),
        ("HTTPS://Hooks.Example.com:443", "https://hooks.example.com:443"),
    ],
)
def test_only_the_origin_of_a_url_is_shown(url: str, origin: str) -> None:
    """Credentials, path and query are left out, in the value's own text too."""
    settings = WebhookSettings(Secret(url))
    assert settings.origin == origin
    assert "pa55" not in repr(settings)
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "ftp://example.com/",
        "https://",
        "https:///path",
        "https://example.com:99999/",
        "https://[::1",
        "https://a b/",
        "https://example.com/\r\nX: y",
        "https://a..b/",
        "https://" + "a" * 64 + "/",
    ],
)
def test_what_is_not_a_web_address_is_refused(url: str) -> None:
    """The sentence does not quote it, since it may hold a credential."""
    with pytest.raises(
        ReceiverError, match=r"^webhook\.url is not a URL; write https://HOST/PATH or http://HOST/PATH$"
    ):
        WebhookSettings(Secret(url))


@given(st.binary(min_size=24, max_size=64))
def test_a_webhook_secret_is_decoded(key: bytes) -> None:
    """The key is what the base64 says; a trailing newline of a file does not matter."""
    text = "whsec_" + base64.b64encode(key).decode()
    assert decode_webhook_secret(Secret(text)) == key
    assert decode_webhook_secret(Secret(text + "\n")) == key


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "does not begin with whsec_"),
        ("whsec_c2VjcmV0", "decodes to 6 bytes"),
        ("whsec_" + "QUFB" * 22, "decodes to 66 bytes"),
        ("whsec_not base64!", "is not valid base64"),
        ("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c", "is not valid base64"),
        ("whsec_ключ", "is not valid base64"),
        ("", "does not begin with whsec_"),
    ],
)
def test_a_malformed_webhook_secret_is_refused_unquoted(text: str, complaint: str) -> None:
    """The sentence says the right form and not what was there."""
    with pytest.raises(ReceiverError, match=complaint) as caught:
        WebhookSettings(HOOK.url, secret=Secret(text))
    assert not text or text.removeprefix("whsec_") not in str(caught.value)


@pytest.mark.parametrize(
    ("severity", "waits"), [(Severity.CRITICAL, False), (Severity.WARNING, True), (Severity.INFO, True)]
)
def test_what_is_critical_is_never_held_for_a_digest(severity: Severity, *, waits: bool) -> None:
    """And a receiver without one holds nothing."""
    digest = Digest(timedelta(days=1), timedelta(hours=8))
    assert Receiver("ops", email=replace(MAIL, digest=digest)).can_wait_for(severity) is waits
    assert not Receiver("ops", email=MAIL).can_wait_for(severity)
    assert not Receiver("ops", webhook=HOOK).can_wait_for(severity)
