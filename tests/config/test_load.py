"""What the configuration comes to when nothing is wrong with it."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord.config.faults import ConfigurationError, Place
from monitord.config.load import default_configuration, load
from monitord.config.receivers import SmtpTls
from monitord.config.secret import Secret
from monitord.config.settings import AlertSettings, ProbeSettings, WebSettings
from monitord.pinning.incident import Severity
from monitord.pinning.pins import Client, Pin, PinSet
from monitord.pinning.target import ConnectAddress, Target
from monitord.pki import issue
from tests.config.conftest import SIGNING_SECRET

if TYPE_CHECKING:
    from tests.config.conftest import Loader

ONE, TWO, THREE = (Pin(bytes([number]) * 32) for number in (1, 2, 3))
MAIL = "email: {to: [ops@example.com], from: monitord@example.com, smtp: {host: mail.example.com, %s}}"


def test_the_defaults_hold_without_any_file() -> None:
    """What the documentation says they are."""
    configuration = default_configuration(environment={})
    assert configuration.path is None
    assert configuration.targets == ()
    assert configuration.default_trust == "mozilla"
    assert list(configuration.trust_stores) == ["mozilla"]
    assert len(configuration.trust_stores["mozilla"]) > 50
    assert configuration.interval == timedelta(minutes=15)
    assert configuration.timeout == timedelta(seconds=10)
    assert configuration.release_time == timedelta(days=14)
    assert configuration.horizon == timedelta(days=30)
    assert (configuration.confirm, configuration.failures) == (2, 3)
    assert configuration.receivers == ()
    assert configuration.alerts == AlertSettings(timedelta(hours=4), resolved=True)
    assert configuration.store == "sqlite:////var/lib/monitord/monitord.db"
    assert configuration.web == WebSettings("127.0.0.1", 9843)
    assert configuration.probing == ProbeSettings(16, 200, timedelta(minutes=1), 100, 20, 100)
    assert configuration.warnings == ()


def test_an_almost_empty_file_has_the_defaults_too(load_text: Loader) -> None:
    """Every key may be left out."""
    configuration, defaults = load_text("confirm: 2\n"), default_configuration(environment={})
    for name in ("interval", "timeout", "release_time", "horizon", "confirm", "failures", "alerts", "store", "web"):
        assert getattr(configuration, name) == getattr(defaults, name)


def test_a_domain_with_everything(load_text: Loader) -> None:
    """Each key arrives where it belongs."""
    configuration = load_text(f"""
interval: 10m
timeout: 5s
domains:
  - host: API.Example.com
    port: 8443
    server_name: edge.example.com
    connect_to: ["192.0.2.10", "[2001:db8::1]:443"]
    interval: 5m
    labels: {{team: payments}}
    pinsets:
      - name: android-5
        client: generic
        pins: ["{ONE}", "{TWO}"]
        expires: 2027-01-01
        share: 62%
      - {{name: ios, pins: ["{THREE}"], share: 0.38}}
  - host: auth.example.com
    pins: ["{ONE}", "{TWO}"]
""")
    first, second = configuration.targets
    assert first == Target(
        host="api.example.com",
        port=8443,
        server_name="edge.example.com",
        connect_to=(ConnectAddress("192.0.2.10"), ConnectAddress("2001:db8::1", 443)),
        interval=timedelta(minutes=5),
        labels={"team": "payments"},
        pinsets=(
            PinSet("android-5", Client.GENERIC, (ONE, TWO), expires=datetime(2027, 1, 1, tzinfo=UTC), share=0.62),
            PinSet("ios", pins=(THREE,), share=0.38),
        ),
    )
    assert second == Target(
        "auth.example.com", interval=timedelta(minutes=10), pinsets=(PinSet("default", pins=(ONE, TWO)),)
    )


def test_trust_of_a_pin_set_wins_over_its_domain_over_the_default(load_text: Loader, tmp_path: Path) -> None:
    """And only stores that are used are loaded."""
    for name in ("a", "b", "c", "unused"):
        (tmp_path / f"{name}.pem").write_bytes(issue(name).pem)
    configuration = load_text(f"""
trust: {{default: a, a: a.pem, b: b.pem, c: c.pem, unused: unused.pem}}
domains:
  - {{host: one.example.com, pins: ["{ONE}"]}}
  - host: two.example.com
    trust: b
    pinsets:
      - {{name: own, trust: [c, mozilla], pins: ["{ONE}"]}}
      - {{name: inherited, pins: ["{ONE}"]}}
""")
    one, two = configuration.targets
    assert (one.trust, one.pinsets[0].trust) == (("a",), ("a",))
    assert two.trust == ("b",)
    assert [pinset.trust for pinset in two.pinsets] == [("c", "mozilla"), ("b",)]
    assert configuration.default_trust == "a"
    assert sorted(configuration.trust_stores) == ["a", "b", "c", "mozilla"]
    assert [anchor.display_subject for anchor in configuration.trust_stores["c"].anchors] == ["CN=c"]


def test_included_files_come_after_the_main_one_in_order(load_text: Loader, tmp_path: Path) -> None:
    """A list or a mapping, found by pattern or by name, each file once; hidden files are not matched."""
    directory = tmp_path / "domains.d"
    directory.mkdir()
    (directory / "b.yaml").write_text("- host: b.example.com\n")
    (directory / "a.yaml").write_text("domains:\n\n  - host: a.example.com\n")
    (directory / ".half-written.yaml").write_text("- host: [\n")
    (tmp_path / "z.yaml").write_text("- host: z.example.com\n")
    configuration = load_text(
        "include: [z.yaml, 'domains.d/*.yaml', domains.d/a.yaml, 'none.d/*.yaml', '*.yaml']\n"
        "domains: [{host: main.example.com}]\n"
    )
    assert [target.host for target in configuration.targets] == [
        "main.example.com", "z.example.com", "a.example.com", "b.example.com",
    ]  # fmt: skip
    assert configuration.sources["a.example.com", 443] == Place(directory / "a.yaml", 3)
    assert configuration.sources["main.example.com", 443] == Place(tmp_path / "monitord.yaml", 2)


def test_receivers_with_their_secrets(load_text: Loader, tmp_path: Path) -> None:
    """Secrets come from files beside the configuration, from the service manager and from the environment."""
    (tmp_path / "here").write_text("from a file\n")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "signing").write_text(SIGNING_SECRET + "\r\n")
    configuration = load_text(
        f"""
receivers:
  - name: one
    {MAIL % "username: u, password_file: here"}
  - name: two
    {MAIL % "tls: implicit, username: u, password: '${PASSWORD}', timeout: 5s"}
    severities: [critical, warning]
  - name: three
    {MAIL % "tls: none, port: 2525"}
    match: {{team: payments}}
  - name: hook
    webhook: {{url: "https://hooks.example.com/${{TOKEN}}", secret_file: secrets/signing, timeout: 7s}}
""",
        PASSWORD="from $ the environment",
        TOKEN="a-token",
        CREDENTIALS_DIRECTORY=str(credentials),
    )
    one, two, three, hook = configuration.receivers
    assert one.email
    assert (one.email.smtp.tls, one.email.smtp.port) == (SmtpTls.STARTTLS, 587)
    assert one.email.smtp.password == Secret("from a file")
    assert one.email.smtp.timeout == 30.0
    assert two.email
    assert (two.email.smtp.tls, two.email.smtp.port) == (SmtpTls.IMPLICIT, 465)
    assert two.email.smtp.password == Secret("from $ the environment")
    assert two.email.smtp.timeout == 5.0
    assert two.severities == frozenset({Severity.CRITICAL, Severity.WARNING})
    assert three.email
    assert (three.email.smtp.tls, three.email.smtp.port) == (SmtpTls.NONE, 2525)
    assert three.match == {"team": "payments"}
    assert hook.webhook
    assert hook.webhook.url == Secret("https://hooks.example.com/a-token")
    assert hook.webhook.secret == Secret(SIGNING_SECRET)
    assert hook.webhook.timeout == 7.0
    for secret in ("from a file", "the environment", "a-token", SIGNING_SECRET):
        assert secret not in repr(configuration)


def test_a_private_mail_server_has_its_own_authority(load_text: Loader, tmp_path: Path) -> None:
    """The file is checked, and named by its whole path."""
    (tmp_path / "ca.pem").write_bytes(issue("mail root").pem)
    configuration = load_text(f"receivers:\n  - name: mail\n    {MAIL % 'ca_file: ca.pem'}\n")
    (receiver,) = configuration.receivers
    assert receiver.email
    assert receiver.email.smtp.ca_file == tmp_path / "ca.pem"


def test_receivers_can_be_left_out(tmp_path: Path) -> None:
    """A command that tells nobody works without the secrets of those who are told."""
    path = tmp_path / "monitord.yaml"
    path.write_text(
        "receivers:\n  - name: hook\n    webhook: {url: 'https://${TOKEN}', secret_file: nowhere}\n"
        "domains: [{host: api.example.com}]\n"
    )
    configuration = load(path, environment={}, receivers=False)
    assert [target.host for target in configuration.targets] == ["api.example.com"]
    assert configuration.receivers == ()
    assert not [warning for warning in configuration.warnings if "receivers" in warning.message]
    with pytest.raises(ConfigurationError, match="TOKEN"):
        load(path, environment={})


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("a ${NAME} b", "a x$$y b"),
        ("$$NAME $${NAME}", "$NAME ${NAME}"),
        ("$NAME 5$", "$NAME 5$"),
        ("${NAME}${NAME}", "x$$yx$$y"),
    ],
)
def test_references_to_the_environment_are_replaced_once(load_text: Loader, written: str, value: str) -> None:
    """Two dollar signs are one; what a variable holds is not looked at again."""
    configuration = load_text(f"domains: [{{host: a.example.com, labels: {{x: '{written}'}}}}]\n", NAME="x$$y")
    assert configuration.targets[0].labels == {"x": value}


def test_references_reach_what_an_alias_stands_for_once(load_text: Loader) -> None:
    """The shared value is expanded one time."""
    configuration = load_text(
        "domains: [{host: a.example.com, labels: &l {x: '$$$$'}}, {host: b.example.com, labels: *l}]\n"
    )
    assert [target.labels for target in configuration.targets] == [{"x": "$$"}, {"x": "$$"}]


@pytest.mark.parametrize(
    ("written", "environment", "store"),
    [
        ("confirm: 2", {}, "sqlite:////var/lib/monitord/monitord.db"),
        ("confirm: 2", {"STATE_DIRECTORY": "/srv/state"}, "sqlite:////srv/state/monitord.db"),
        ("confirm: 2", {"STATE_DIRECTORY": "/srv/a:/srv/b"}, "sqlite:////srv/a/monitord.db"),
        ("store: sqlite:////srv/own.db", {"STATE_DIRECTORY": "/srv/state"}, "sqlite:////srv/own.db"),
        ("store: sqlite:///own.db", {}, "sqlite:///{directory}/own.db"),
        ("store: sqlite:///${{DATA}}/own.db", {"DATA": "/srv"}, "sqlite:////srv/own.db"),
    ],
)
def test_where_the_store_is(
    load_text: Loader, tmp_path: Path, written: str, environment: dict[str, str], store: str
) -> None:
    """As configured, relative to the file; else in the state directory."""
    configuration = load_text(written.format() + "\n", **environment)
    assert configuration.store == store.format(directory=tmp_path)


def test_everything_else(load_text: Loader) -> None:
    """The remaining keys arrive where they belong."""
    configuration = load_text("""
interval: 1h30m
timeout: 500ms
release_time: 21d
horizon: 6w
confirm: 3
failures: 5
alerts: {repeat: 12h, resolved: false}
web: {listen: "[::1]:0"}
probing: {max_addresses: 4, concurrency: 50, hurried_interval: 30s, hurried_limit: 0, per_address: 2, per_network: 7}
""")
    assert configuration.interval == timedelta(minutes=90)
    assert configuration.timeout == timedelta(milliseconds=500)
    assert configuration.release_time == timedelta(days=21)
    assert configuration.horizon == timedelta(days=42)
    assert (configuration.confirm, configuration.failures) == (3, 5)
    assert configuration.alerts == AlertSettings(timedelta(hours=12), resolved=False)
    assert configuration.web == WebSettings("::1", 0)
    assert configuration.probing == ProbeSettings(4, 50, timedelta(seconds=30), 0, 2, 7)


def test_the_dubious_is_a_warning(load_text: Loader, tmp_path: Path) -> None:
    """It loads, and each warning has its line."""
    (tmp_path / "store.pem").write_bytes(
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + issue("ok").pem
    )
    configuration = load_text(f"""
timeout: 20s
interval: 10s
horizon: 7d
trust:
  own: store.pem
domains:
  - host: a.example.com
  - host: b.example.com
    pins: ["{ONE}"]
  - host: c.example.com
    interval: 15s
    trust: own
    pins:
      - {ONE}
      - {TWO}
      - {ONE}
receivers:
  - name: hook
    webhook: {{url: "http://hooks.example.com/"}}
""")
    path = tmp_path / "monitord.yaml"
    assert [str(warning).replace(f"{path}:", "").replace(f"{tmp_path}/", "") for warning in configuration.warnings] == [
        "2: the timeout is not shorter than the interval",
        "4: the horizon is nearer than release_time, so no prediction is ever a mere warning",
        (
            "6: trust store 'own': store.pem: block 1 is left out: not a readable certificate:"
            " 1 bytes follow the end of the DER element"
        ),
        "8: a.example.com:443 has no pins, so only its chain is judged",
        "10: there is only one pin: without a spare, the apps fail when its key is replaced",
        "12: the interval of c.example.com:443 is not longer than the timeout, so rounds may be late",
        f"17: the pin {ONE} is given twice",
        "20: the webhook has no secret_file, so its receiver cannot tell who sent the message",
    ]
    assert configuration.targets[2].pinsets[0].pins == (ONE, TWO)


def test_nobody_told_and_nothing_watched_are_warnings(load_text: Loader, tmp_path: Path) -> None:
    """A configuration that does nothing says so."""
    path = tmp_path / "monitord.yaml"
    assert [str(warning).replace(f"{path}:", "") for warning in load_text("confirm: 1\n").warnings] == [
        "1: no domain is registered, so nothing is watched",
        "1: there are no receivers, so nobody is told of a failure",
    ]


def test_a_pipe_may_be_the_main_file(tmp_path: Path) -> None:
    """As in ``-c <(generate)``."""
    reading, writing = os.pipe()
    os.write(writing, f"domains: [{{host: api.example.com}}]\ninclude: ['{tmp_path}/*.yaml']\n".encode())
    os.close(writing)
    try:
        configuration = load(Path(f"/dev/fd/{reading}"), environment={})
    finally:
        os.close(reading)
    assert [target.host for target in configuration.targets] == ["api.example.com"]


KEYS = st.sampled_from(
    """interval timeout confirm trust default domains host port labels connect_to pins pinsets name client share expires
    include receivers email to from smtp tls username password password_file ca_file webhook url secret_file
    severities match alerts repeat store web listen probing heartbeat << $ ''""".split()  # noqa: SIM905 - easier to read
)
SCALARS = st.sampled_from(
    """5 5m 0.5 true ~ '' a.example.com 'a\\0b' "\\0" ${A} ${B} $$ mozilla system / . .. '*' '[' 2027-01-01 :9843
    ops@example.com starttls critical sqlite:///x https://x/ &a *a""".split()  # noqa: SIM905 - easier to read
) | st.text(max_size=10).map(repr)
FLOW = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(KEYS, inner, max_size=5).map(
            lambda items: f"{{{', '.join(f'{key}: {value}' for key, value in items.items())}}}"
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100) | st.dictionaries(KEYS, FLOW, max_size=6).map(
    lambda items: "".join(f"{key}: {value}\n" for key, value in items.items()).encode("utf-8", "surrogatepass")
))  # fmt: skip
def test_any_bytes_load_or_are_one_error(data: bytes) -> None:
    """Whatever a file holds, there is a configuration or a ConfigurationError with faults in it."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "monitord.yaml"
        path.write_bytes(data)
        try:
            load(path, environment={"A": "x", "B": "\udcff\n"})
        except ConfigurationError as error:
            assert error.faults  # noqa: PT017 - both outcomes are right
