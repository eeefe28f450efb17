"""What people read; ``REGENERATE_GOLDEN=1 pytest tests/notify/test_message.py`` rewrites the golden files."""

from __future__ import annotations

import email
import email.policy
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord.config.receivers import EmailSettings, SmtpSettings
from monitord.notify.message import write_mail
from monitord.notify.payload import write_payload
from monitord.notify.render import render_html, render_text
from monitord.notify.wording import write_letter
from monitord.outbox import grouped_body
from monitord.pinning.pins import Client
from tests.notify import events
from tests.notify.events import NOW, batch, delivery, event, pin
from tests.notify.hostile import hostile
from tests.notify.stories import DIGEST, STORIES

GOLDEN = Path(__file__).parent / "golden"
TOLD = {name: (story, None) for name, story in STORIES.items()} | {
    "mismatch_reminder": (STORIES["mismatch_firing"], NOW + timedelta(hours=4)),
    "digest": (DIGEST, None),
    "hostile": ((hostile(),), None),
}
SETTINGS = EmailSettings(("ops@example.com", "Öps <oncall@example.com>"), "monitord@example.com", SmtpSettings("h", 25))


@pytest.mark.parametrize("story", TOLD)
def test_the_message_reads_as_the_golden_file(story: str) -> None:
    """Text, HTML and JSON of each kind of message are as reviewed."""
    told, told_at = TOLD[story]
    letter = write_letter(told, told_at)
    rendered = {
        "txt": f"Subject: {letter.subject}\n\n{render_text(letter)}",
        "html": render_html(letter),
        "json": write_payload(grouped_body(told)).decode("ascii") + "\n",
    }
    for suffix, found in rendered.items():
        path = GOLDEN / f"{story}.{suffix}"
        if os.environ.get("REGENERATE_GOLDEN"):
            path.write_text(found, encoding="utf-8")
        assert found == path.read_text(encoding="utf-8"), path.name


def test_no_golden_file_is_left_over() -> None:
    """Each belongs to a message that exists."""
    assert {path.stem for path in GOLDEN.glob("*.*")} == set(TOLD)


@pytest.mark.parametrize("story", sorted(set(TOLD) - {"test", "digest", "hostile"}))
def test_the_first_lines_say_what_happens_to_whom_since_when(story: str) -> None:
    """Who is woken reads three lines: the endpoint, or the part of monitord, and the time are in them."""
    told, told_at = TOLD[story]
    first = render_text(write_letter(told, told_at)).split("\n\n")[0].replace("\n", " ")
    data = told[0]["data"]
    assert (data["host"] or "pager") in first
    assert data["since"][:10] in first
    assert len(first) < 400


@pytest.mark.parametrize("client", Client)
def test_new_pins_are_spelt_as_the_client_s_own_file_wants_them(client: Client) -> None:
    """Each is on a line of its own, whole, and what it says is the pin that was offered."""
    body = event("pin_mismatch", client=client.value, new_pins=[{"role": "leaf", "subject": "CN=a", "pin": pin("new")}])
    text = render_text(write_letter((body,)))
    (line,) = [line for line in text.splitlines() if pin("new").removeprefix("sha256/") in line]
    spelt = {
        Client.OKHTTP: f'.add("api.example.com", "{pin("new")}")',
        Client.CURL: pin("new").replace("sha256/", "sha256//", 1),
        Client.ANDROID: f'<pin digest="SHA-256">{pin("new").removeprefix("sha256/")}</pin>',
    }
    assert spelt.get(client, pin("new").removeprefix("sha256/")) in line


def test_a_client_of_a_later_version_gets_plain_pins() -> None:
    """An event may name a client that this version does not know."""
    body = event("pin_mismatch", client="new", new_pins=[{"role": "leaf", "subject": "CN=a", "pin": pin("new")}])
    assert f"\n  {pin('new')}\n" in render_text(write_letter((body,)))


def test_the_mail_has_the_headers_that_programs_rely_on() -> None:
    """State, kind, endpoint and pin set are in the subject; the event and the incident in headers of their own."""
    mail = write_mail(delivery(), SETTINGS, NOW)
    assert mail["Subject"] == "[monitord] FIRING pin_mismatch api.example.com:443 (android-5)"
    assert mail["From"] == "monitord@example.com"
    assert mail["To"] == "ops@example.com, Öps <oncall@example.com>"
    assert mail["Date"] == "Mon, 02 Mar 2026 00:05:07 +0000"
    assert mail["Message-ID"] == f"<{'5f0c' * 8}@example.com>"
    assert mail["References"] == mail["In-Reply-To"] == "<incident-0123456789abcdef@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Monitord-Event"] == "pin_mismatch.firing"
    assert mail["X-Monitord-Incident"] == "0123456789abcdef"
    assert mail["X-Monitord-Severity"] == "critical"
    assert mail["X-Monitord-Endpoint"] == "api.example.com:443"
    assert mail["Importance"] == "high"


def test_only_what_is_critical_and_open_is_marked_as_urgent() -> None:
    """A phone that rings for important mail stays quiet at a warning and at the end."""
    for body in (events.EXPIRING, events.RESOLVED):
        assert write_mail(delivery(body), SETTINGS, NOW)["Importance"] is None


def test_mail_about_several_endpoints_is_in_the_thread_of_each() -> None:
    """The subject says how many more there are; a later mail about one of them finds the thread."""
    mail = write_mail(batch(), SETTINGS, NOW)
    assert mail["Subject"] == "[monitord] FIRING pin_mismatch api1.example.com:443 (android-5) and 5 more"
    assert mail["References"].split() == [f"<incident-{number:016x}@example.com>" for number in range(1, 7)]
    assert mail["X-Monitord-Incident"] == f"{1:016x}"


def test_a_thread_of_many_fits_into_a_header() -> None:
    """Five hundred incidents and the longest domain make no line that a mail server would refuse."""
    settings = EmailSettings(("ops@example.com",), "monitord@" + ".".join(["x" * 50] * 4), SmtpSettings("h", 25))
    mail = write_mail(batch(events.MEMBERS * 84), settings, NOW).as_bytes()
    assert max(len(line) for line in mail.splitlines()) <= 998
    parsed = email.message_from_bytes(mail, policy=email.policy.default)
    assert all(reference.endswith("xx>") for reference in parsed["References"].split())


def test_a_digest_is_in_no_thread() -> None:
    """It is about many incidents, of which each has a thread of its own; filters know it by its type."""
    mail = write_mail(batch(DIGEST), SETTINGS, NOW)
    assert mail["Subject"] == "[monitord] DIGEST: 3 open, 1 over"
    assert (mail["References"], mail["In-Reply-To"], mail["X-Monitord-Incident"]) == (None, None, None)
    assert mail["X-Monitord-Event"] == "digest"


def test_what_is_of_one_cause_is_no_digest() -> None:
    """However many there are; of two causes it is one."""
    assert write_letter(events.MEMBERS).subject.startswith("[monitord] FIRING pin_mismatch")
    other = event("pin_mismatch", incident="f" * 16, group="another")
    assert write_letter((*events.MEMBERS, other)).subject == "[monitord] DIGEST: 7 open, 0 over"


def test_only_the_date_differs_between_attempts() -> None:
    """A repeat is byte for byte the same mail, but for its date."""
    first = write_mail(delivery(), SETTINGS, NOW)
    second = write_mail(delivery(attempts=3), SETTINGS, NOW + timedelta(hours=5))
    assert first["Date"] != second["Date"]
    del first["Date"], second["Date"]
    assert first.as_bytes() == second.as_bytes()


def test_identifiers_stay_whole_however_long_the_domain() -> None:
    """A long domain of the sender does not turn Message-ID or References into encoded words."""
    domain = "a-rather-long-department-name.with.several.labels.of-a.company.example.com"
    settings = EmailSettings(("ops@example.com",), f"monitord@{domain}", SmtpSettings("h", 25))
    sent = write_mail(delivery(), settings, NOW).as_bytes()
    assert f"References: <incident-0123456789abcdef@{domain}>\r\n".encode() in sent
    assert f"Message-ID: <{'5f0c' * 8}@{domain}>\r\n".encode() in sent


@pytest.mark.parametrize("host", ["a-host-with-a-long-name.example.com", "x" * 60 + "." + "y" * 60 + ".example.com"])
def test_a_long_subject_stays_on_its_line(host: str) -> None:
    """Programs that read mails line by line find state, kind and endpoint."""
    sent = write_mail(delivery(event("pin_mismatch_predicted", host=host)), SETTINGS, NOW).as_bytes()
    subject = f"Subject: [monitord] FIRING pin_mismatch_predicted {host}:443 (android-5)\r\n"
    assert subject.encode() in sent


def test_a_subject_beyond_ascii_survives_the_way() -> None:
    """A pin set may be named in any language."""
    sent = write_mail(delivery(event("pin_mismatch", pinset="приложение-5" * 4)), SETTINGS, NOW).as_bytes()
    assert sent.isascii()
    assert max(len(line) for line in sent.splitlines()) <= 100
    parsed = email.message_from_bytes(sent, policy=email.policy.default)
    assert parsed["Subject"] == f"[monitord] FIRING pin_mismatch api.example.com:443 ({'приложение-5' * 4})"


def test_an_ipv6_endpoint_is_bracketed_in_the_subject() -> None:
    """HOST:PORT stays readable for an address."""
    assert write_letter((events.UNTRUSTED,)).subject == "[monitord] FIRING untrusted [2001:db8::7]:8443 (android-5)"


def test_a_long_subject_is_cut() -> None:
    """No name makes the subject longer than 200 characters."""
    assert len(write_letter((event("pin_mismatch", pinset="p" * 500),)).subject) == 200


def test_a_line_break_in_a_certificate_reaches_no_header() -> None:
    """Text that a server chose cannot add a header or a line of its own to the mail."""
    evil = "CN=api\r\nBcc: victim@example.org\r\n\r\nClick here\x1b[2J\u202e"
    body = event(
        "pin_mismatch",
        host=f"api{evil}",
        pinset=f"app{evil}",
        chain=[{**events.LEAF, "subject": evil}],
        incident=f"0{evil}",
    )
    mail = write_mail(delivery({**body, "type": f"pin_mismatch.firing{evil}"}, incident=evil), SETTINGS, NOW)
    parsed = email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)
    assert parsed["Bcc"] is None
    assert set(parsed.keys()) == set(mail.keys())
    text = parsed.get_body(("plain",))
    assert text is not None
    assert not any(line.startswith("Click here") for line in text.get_content().splitlines())


def test_html_shows_markup_of_a_server_as_text() -> None:
    """Names from certificates are escaped, and only web links are links."""
    body = event("pin_mismatch", chain=[{**events.LEAF, "subject": "CN=<img src=x>&\"'"}], url="javascript:alert(1)")
    page = render_html(write_letter((body,)))
    assert "CN=&lt;img src=x&gt;&amp;&quot;&#x27;" in page
    assert "<img" not in page
    assert "href" not in page


def test_matching_pins_are_marked() -> None:
    """Who reads the chain sees which key matches, which is pinned but does not count, and which is unknown."""
    body = event(
        "pin_mismatch",
        pins=[pin("leaf-b"), pin("inter")],
        matched=[pin("leaf-b")],
        chain=[events.LEAF, events.INTERMEDIATE, events.certificate("other", "CN=Appended", "appended")],
    )
    text = render_text(write_letter((body,)))
    assert f"{pin('leaf-b')}  (matches a pin)" in text
    assert f"{pin('inter')}  (pinned, but not counted by the client)" in text
    assert f"{pin('appended')}  (not pinned, not on the path)" in text
    assert text.index("Also on the path, from trust store mozilla") < text.index(f"{pin('root')}  (not pinned)")


def test_a_long_list_ends_with_how_many_more() -> None:
    """A thousand addresses do not make a mail of a thousand lines, nor are they passed over in silence."""
    many = [events.observation(f"192.0.2.{number}", "pin_mismatch", "no pin matches") for number in range(250)]
    text = render_text(write_letter((event("pin_mismatch", observations=many),)))
    assert "and 220 more" in text


@pytest.mark.parametrize("length", [2000, 2001, 9000])
def test_a_text_that_is_cut_shows_that_it_was(length: int) -> None:
    """A server that sends a novel as its name gets a page of it, with an ellipsis."""
    letter = write_letter((event("pin_mismatch", chain=[{**events.LEAF, "role": "x" * length}]),))
    page = render_html(letter)
    assert ("x" * 2000 in page) == (length == 2000)
    assert ("x" * 1999 + "…" in page) == (length > 2000)


texts = st.text(st.characters(codec=None))


@settings(deadline=None, max_examples=50)
@given(subject=texts, detail=texts, host=texts, label=texts)
def test_nothing_unprintable_is_ever_written(subject: str, detail: str, host: str, label: str) -> None:
    """Whatever a server says, each line of the letter is printable text and the mail can be sent as bytes."""
    failure = {"reason": "tls_alert", "detail": detail}
    body = event(
        "pin_mismatch",
        host=host,
        chain=[{**events.LEAF, "subject": subject}],
        labels={label: label},
        observations=[events.observation(host, "undetermined", detail, failure=failure)],
    )
    letter = write_letter((body,))
    assert all(line.isprintable() for line in render_text(letter).split("\n"))
    assert all(line.isprintable() for line in render_html(letter).split("\n"))
    assert letter.subject.isprintable()
    assert write_mail(delivery(body), SETTINGS, NOW).as_bytes()


def test_fields_that_an_older_event_lacks_are_left_out() -> None:
    """An event queued by an older version, with fewer details, still becomes a mail."""
    data: dict[str, Any] = {
        name: events.MISMATCH["data"][name] for name in ("incident", "kind", "state", "summary", "host", "port")
    }
    text = render_text(write_letter(({"type": "pin_mismatch.firing", "timestamp": "", "data": data},)))
    assert "Endpoint: api.example.com:443" in text
    assert "None" not in text
