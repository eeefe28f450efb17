"""``webhook:`` and the digest of a receiver as they stand in the file."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING

from monitord.config.addresspolicy import AddressPolicy
from monitord.config.secret import Secret
from monitord.pki import issue
from monitord.turns import Digest
from tests.config.conftest import SIGNING_SECRET

if TYPE_CHECKING:
    from pathlib import Path

    from monitord.config.receivers import WebhookSettings
    from tests.config.conftest import Loader

OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDKAlkK2dQyQE="


def webhook(load_text: Loader, keys: str, **environment: str) -> WebhookSettings:
    """The webhook with these keys beside its URL."""
    text = f"receivers: [{{name: hook, webhook: {{url: 'https://hooks.example.com/x', {keys}}}}}]\n"
    (receiver,) = load_text(text, **environment).receivers
    assert receiver.webhook
    return receiver.webhook


def test_two_secrets_while_one_is_changed(load_text: Loader, tmp_path: Path) -> None:
    """The first of the list is the one to stay; one alone needs no list."""
    (tmp_path / "new").write_text(SIGNING_SECRET)
    (tmp_path / "old").write_text(f"{OLD_SECRET}\n")
    settings = webhook(load_text, "secret_file: [new, old]")
    assert settings.secrets == (Secret(SIGNING_SECRET), Secret(OLD_SECRET))
    assert webhook(load_text, "secret_file: new").secrets == (Secret(SIGNING_SECRET),)
    assert webhook(load_text, "").secrets == ()
    assert OLD_SECRET not in repr(settings)


def test_how_a_webhook_is_called(load_text: Loader, tmp_path: Path) -> None:
    """Login, own headers, authorities and addresses; nothing secret in the value's own text."""
    (tmp_path / "ca.pem").write_bytes(issue("hook root").pem)
    (tmp_path / "token").write_text("t0ken\n")
    token = webhook(load_text, "bearer_token_file: token, ca_file: ca.pem, headers: {X-Key: 'k ${KEY}'}", KEY="k3y")
    assert (token.bearer_token, token.ca_file) == (Secret("t0ken"), tmp_path / "ca.pem")
    assert token.headers == {"X-Key": Secret("k k3y")}
    login = webhook(load_text, "username: monitord, password_file: token")
    assert (login.username, login.password) == ("monitord", Secret("t0ken"))
    assert not any(secret in f"{token} {login}" for secret in ("t0ken", "k3y"))


def test_which_addresses_a_webhook_may_have(load_text: Loader) -> None:
    """Private ones unless that is changed, or just those of some networks."""
    private = AddressPolicy(private=False, networks=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")))
    assert webhook(load_text, "").addresses == webhook(load_text, "allow_private: true").addresses == AddressPolicy()
    assert webhook(load_text, "allow_private: false").addresses == AddressPolicy(private=False)
    assert webhook(load_text, "allow_private: [10.0.0.0/8, 'fd00::/8']").addresses == private


def test_an_address_in_the_url_may_be_listed(load_text: Loader) -> None:
    """Even one that is refused otherwise."""
    text = "receivers: [{name: a, webhook: {url: 'http://169.254.0.9/', allow_private: [169.254.0.0/24]}}]\n"
    assert load_text(text).receivers[0].webhook


def test_a_digest_has_a_time_of_the_day(load_text: Loader) -> None:
    """08:00 unless said otherwise; without a digest nothing is held."""
    mail = "email: {to: [a@example.com], from: m@example.com, smtp: {host: mail.example.com}%s}"
    found = load_text(
        "receivers:\n"
        + "".join(
            f"  - name: r{number}\n    {mail % more}\n"
            for number, more in enumerate(["", ", digest: 1d", ", digest: 7d, digest_at: 17:30"])
        )
    ).receivers
    assert [one.digest for one in found] == [
        None,
        Digest(timedelta(days=1), timedelta(hours=8)),
        Digest(timedelta(days=7), timedelta(hours=17, minutes=30)),
    ]
