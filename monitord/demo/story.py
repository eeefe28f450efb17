"""The story of the demo: a certificate with a key that no app knows is logged, is served, and the pins follow.

People are told before the apps fail, when they fail, and when they work again.

Every step is seen from outside, as a user sees it: by the daemon's metrics, by the mail and the webhook that arrive, by
the exit codes of the same commands that a user types. The demo succeeds only if every step was observed.
"""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import hmac
import os
import queue
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from monitord import pki
from monitord.demo.log import LogServer
from monitord.demo.servers import MailSink, TlsServer, WebhookSink
from monitord.errors import MonitordError

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "api.demo.example"
STEADY_HOST = "shop.demo.example"
_PATIENCE_SECONDS = 40.0
_POLL_SECONDS = 0.2
_STOP_SECONDS = 30.0
_STEPS = 8
_CONFIGURATION = """\
# What the demo runs on: short intervals, everything on loopback.
interval: 5s
timeout: 3s
confirm: 2
trust:
  default: demo
  demo: root.pem
include: ["domains.d/*.yaml"]
receivers:
  - name: mail
    email: {{to: [ops@demo.example], from: monitord@demo.example, smtp: {{host: 127.0.0.1, port: {mail}, tls: none}}}}
  - name: hook
    webhook: {{url: "http://127.0.0.1:{hook}/alerts", format: standard, secret_file: webhook-secret}}
signals:
  ari: {{public: false}}
  ct: {{every: 5s, logs: [{{name: Demo Log, url: "http://127.0.0.1:{log}/", key: "{log_key}"}}]}}
store: sqlite:///{directory}/monitord.db
web: {{listen: "127.0.0.1:0"}}
"""

_REGISTRATION = """\
domains:
  - host: {host}
    connect_to: ["127.0.0.1:{port}"]  # in the demo; elsewhere DNS says where
    pins:
      - "{pin}"  # {role}
      - "{spare}"  # a spare key, kept in a safe
"""


class DemoFailed(MonitordError):  # noqa: N818 - reads as what happened
    """A step of the story was not observed."""


def run(say: Callable[[str], None]) -> None:
    """Play the story, telling each step through ``say``. Raises DemoFailed at the first step that is not observed."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="monitord-demo-")))
        _Story(directory, stack, say).play()


def _leaf(host: str, issuer: pki.Issued, age: timedelta = timedelta(days=10)) -> pki.Issued:
    now = datetime.now(UTC)
    return pki.issue(host, issuer=issuer, names=[host], not_before=now - age, not_after=now - age + timedelta(days=90))


class _Story:
    def __init__(self, directory: Path, stack: ExitStack, say: Callable[[str], None]) -> None:
        self._directory = directory
        self._stack = stack
        self._say = say
        self._config = directory / "monitord.yaml"
        self._secret = secrets.token_bytes(32)
        self._step = 0

    def play(self) -> None:
        self._build()
        self._register()
        self._start_daemon()
        self._all_is_well()
        self._log_certificate()
        self._rotate()
        self._next("The alert arrives by mail and by webhook: what was predicted has come true.")
        self._hear("pin_mismatch.firing", "pin_mismatch_predicted.resolved")
        lead = self._heard["pin_mismatch.firing"] - self._heard["pin_mismatch_predicted.firing"]
        self._say(f"      It was told {lead.total_seconds():.0f} seconds before it happened. The story is in a hurry:")
        self._say("      a certificate that was logged is usually served hours to weeks later.")
        self._update_pins()
        self._next("The all clear arrives by mail and by webhook.")
        self._hear("pin_mismatch.resolved")
        self._nothing_more()
        self._stop_daemon()
        self._say("\nEvery step was observed. Everything that was started is stopped, and its files are removed.")

    def _next(self, title: str) -> None:
        self._step += 1
        self._say(f"\n[{self._step}/{_STEPS}] {title}")

    def _build(self) -> None:
        self._root = pki.issue("Demo Root")
        self._intermediate = pki.issue("Demo Intermediate", issuer=self._root)
        self._leaf, self._renewed = _leaf(HOST, self._intermediate), _leaf(HOST, self._intermediate, timedelta())
        self._spare = pki.issue("Spare")
        steady = _leaf(STEADY_HOST, self._intermediate)
        self._api = self._stack.enter_context(TlsServer(self._leaf, self._intermediate))
        self._shop = self._stack.enter_context(TlsServer(steady, self._intermediate))
        self._mail = self._stack.enter_context(MailSink())
        self._hook = self._stack.enter_context(WebhookSink())
        self._ct_log = self._stack.enter_context(LogServer())
        self._heard: dict[str, datetime] = {}
        (self._directory / "domains.d").mkdir()
        (self._directory / "root.pem").write_bytes(self._root.pem)
        (self._directory / "webhook-secret").write_text("whsec_" + base64.b64encode(self._secret).decode())
        self._config.write_text(
            _CONFIGURATION.format(
                mail=self._mail.port,
                hook=self._hook.port,
                log=self._ct_log.port,
                log_key=self._ct_log.key,
                directory=self._directory,
            )
        )

    def _register(self) -> None:
        self._next("Two API endpoints are registered, each with the pins that its app was shipped with.")
        self._write_registration(HOST, self._api.port, self._leaf, "its leaf")
        self._write_registration(STEADY_HOST, self._shop.port, self._root, "its root, which no server presents")
        self._monitord("check")

    def _write_registration(self, host: str, port: int, pinned: pki.Issued, role: str) -> None:
        pin, spare = pinned.certificate.pin, self._spare.certificate.pin
        text = _REGISTRATION.format(host=host, port=port, pin=pin, role=role, spare=spare)
        (self._directory / "domains.d" / f"{host}.yaml").write_text(text)
        self._say(f"      domains.d/{host}.yaml")
        self._quote(text)

    def _start_daemon(self) -> None:
        self._next("The daemon starts and probes both every 5 seconds.")
        log = self._directory / "daemon.log"
        with log.open("wb") as output:
            self._daemon = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-m", "monitord", "-c", str(self._config), "run"], stdout=output, stderr=output
            )
        self._stack.callback(self._kill)
        self._wait("the daemon is listening", lambda: "127.0.0.1:" in log.read_text() and self._listening(log))
        self._wait("the daemon is ready", lambda: self._get("/-/ready") is not None)
        self._say(f"      Its metrics: http://127.0.0.1:{self._port}/metrics (while this runs)")

    def _all_is_well(self) -> None:
        for host in (HOST, STEADY_HOST):
            self._wait(f"{host} is ok", lambda host=host: self._pin_match(host) == 1)  # type: ignore[misc]
        self._say(f"      monitord_pin_match is 1 for {HOST} (its leaf is pinned)")
        self._say(f"      monitord_pin_match is 1 for {STEADY_HOST} (its root is pinned, which no server presents)")
        asked = 'monitord_signal_last_success_timestamp_seconds{source="ct_log"}'
        self._wait("the log of Certificate Transparency was read", lambda: asked in (self._get("/metrics") or ""))

    def _log_certificate(self) -> None:
        self._next(f"A CA logs a new certificate for {HOST} in Certificate Transparency: the apps do not know its key.")
        self._ct_log.add(self._renewed, self._intermediate)
        self._hear("pin_mismatch_predicted.firing")
        self._monitord("forecast", HOST, expect=2)

    def _rotate(self) -> None:
        self._next("Nobody acts: the new certificate is served.")
        self._api.serve(self._renewed, self._intermediate)
        self._wait("the mismatch shows in the metrics", lambda: self._pin_match(HOST) == 0)
        self._say("      monitord_pin_match is 0: seen, probed again at once and confirmed.")
        self._monitord("check", HOST, expect=2)

    def _hear(self, *wanted: str) -> None:
        """Take the mails and webhooks of these events, in any order: each of them once by each way, and no other."""
        mails = {mail["X-Monitord-Event"]: mail for mail in (self._next_mail() for _ in wanted)}
        if mails.keys() != set(wanted):
            self._fail(f"mails of {' and '.join(wanted)} were expected and {' and '.join(mails)} came")
        for kind in wanted:
            body = mails[kind].get_body(("plain",))
            text = body.get_content() if body else ""
            self._quote(f"Subject: {mails[kind]['Subject']}\n\n{text}")
        for _ in wanted:
            headers, raw, event = self._next_webhook()
            kind = event["type"]
            if kind not in wanted or event["data"]["host"] != HOST:
                self._fail(f"a webhook of {' or '.join(wanted)} was expected and {kind} came")
            self._verify_signature(headers, raw)
            self._heard[kind] = datetime.fromisoformat(event["timestamp"])
            self._say(f"      Webhook {headers['webhook-id']}: {kind}, signature verified.")

    def _update_pins(self) -> None:
        self._next("An app release with the new pin is out: the pin is added, and the daemon reloads by itself.")
        self._monitord("add", HOST, "--update", "--pin", "leaf")
        self._wait("the pins match again", lambda: self._pin_match(HOST) == 1)
        self._monitord("check", HOST)

    def _nothing_more(self) -> None:
        self._next("Nothing else was sent.")
        if not self._mail.received.empty() or not self._hook.received.empty():
            self._fail("more messages came than those that were due")
        self._say("      A prediction and its end, an alert and its all clear, each once by each way.")

    def _stop_daemon(self) -> None:
        self._daemon.send_signal(signal.SIGTERM)
        try:
            code = self._daemon.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._fail("the daemon did not stop")
        if code != 0:
            self._fail(f"the daemon stopped with exit code {code}")

    def _monitord(self, *arguments: str, expect: int = 0) -> None:
        self._say(f"      $ monitord {' '.join(arguments)}")
        done = subprocess.run(  # noqa: S603 - ourselves
            [sys.executable, "-m", "monitord", "-c", str(self._config), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "NO_COLOR": "1"},
        )
        self._quote(done.stdout + done.stderr)
        if done.returncode != expect:
            self._fail(f"the command ended with exit code {done.returncode} instead of {expect}")

    def _quote(self, text: str) -> None:
        self._say(textwrap.indent(text.rstrip(), "      │ ", lambda _: True))

    def _next_mail(self) -> EmailMessage:
        try:
            raw = self._mail.received.get(timeout=_PATIENCE_SECONDS)
        except queue.Empty:
            self._fail("no mail came")
        message = email.message_from_bytes(raw, policy=email.policy.default)
        if not isinstance(message, EmailMessage):
            self._fail("what came by mail is no message")
        return message

    def _next_webhook(self) -> tuple[dict[str, str], bytes, dict[str, Any]]:
        try:
            return self._hook.next_event(_PATIENCE_SECONDS)
        except queue.Empty:
            self._fail("no webhook came")

    def _verify_signature(self, headers: dict[str, str], raw: bytes) -> None:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw
        digest = base64.b64encode(hmac.digest(self._secret, signed, hashlib.sha256)).decode()
        if not hmac.compare_digest(headers["webhook-signature"], f"v1,{digest}"):
            self._fail("the webhook's signature does not verify")

    def _listening(self, log: Path) -> bool:
        found = re.search(r"127\.0\.0\.1:(\d+)", log.read_text())
        self._port = int(found[1]) if found else 0
        return found is not None

    def _get(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):
            return None

    def _pin_match(self, host: str) -> float | None:
        page = self._get("/metrics") or ""
        found = re.search(rf'^monitord_pin_match{{[^}}]*host="{re.escape(host)}"[^}}]*}} (\S+)$', page, re.MULTILINE)
        return float(found[1]) if found else None

    def _wait(self, what: str, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not holds():
            if self._daemon.poll() is not None:
                self._fail(f"the daemon ended with exit code {self._daemon.returncode}")
            if time.monotonic() > deadline:
                self._fail(f"not within {_PATIENCE_SECONDS:.0f} s: {what}")
            time.sleep(_POLL_SECONDS)

    def _kill(self) -> None:
        if self._daemon.poll() is None:
            self._daemon.kill()
        self._daemon.wait()

    def _fail(self, why: str) -> NoReturn:
        log = self._directory / "daemon.log"
        tail = log.read_text()[-3000:] if log.exists() else ""
        raise DemoFailed(f"the demo failed: {why}\n{tail}".rstrip())
