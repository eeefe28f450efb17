"""Two certificates, STARTTLS and a proxy, with the servers that people run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from monitord import pki
from tests.support.deployment import Deployment
from tests.system.checking import check
from tests.system.nginx import Nginx, Site
from tests.system.servers import Dovecot, Postgres, Tinyproxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.system

API, OLD, DATA, MAIL = "api.example.com", "old.example.com", "db.example.com", "mail.example.com"


@pytest.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[Deployment]:
    """An authority, two sinks and a directory."""
    async with Deployment(tmp_path) as deployment:
        yield deployment


def rsa_leaf(deployment: Deployment, host: str) -> pki.Issued:
    """An RSA leaf beside the ECDSA one that a deployment issues."""
    return pki.issue(host, issuer=deployment.intermediate, names=[host], key=pki.new_key("rsa"))


def key_types(ruling: dict[str, Any]) -> dict[str, str]:
    """The verdict of each type of key."""
    return {seen["key_type"]: seen["verdict"] for seen in ruling["observations"]}


def failure(ruling: dict[str, Any]) -> tuple[str, str]:
    """The verdict, and the reason why nothing was seen."""
    (seen,) = ruling["observations"]
    assert seen["chain"] == []
    return ruling["verdict"], seen["failure"]["reason"]


async def test_both_certificates_of_nginx_are_judged(deployment: Deployment) -> None:
    """With TLS 1.3 and with 1.2 only; a pin of one of them is not enough."""
    intermediate = deployment.intermediate.certificate
    leaves = {host: (deployment.leaf(host), rsa_leaf(deployment, host)) for host in (API, OLD)}
    sites = [
        Site(API, leaves[API][0], [intermediate], other=leaves[API][1]),
        Site(OLD, leaves[OLD][0], [intermediate], {"ssl_protocols": "TLSv1.2"}, listener=1, other=leaves[OLD][1]),
    ]
    with Nginx(deployment.directory / "nginx", *sites) as nginx:
        for host in (API, OLD):
            deployment.register(host, nginx.port(host), *leaves[host])
        code, rulings = check(deployment.configure())
        assert code == 0
        for host, version in ((API, "TLSv1.3"), (OLD, "TLSv1.2")):
            assert key_types(rulings[host]) == {"ecdsa": "ok", "rsa": "ok"}
            assert {seen["tls_version"] for seen in rulings[host]["observations"]} == {version}
            leaf = {seen["key_type"]: seen["chain"][0]["spki"] for seen in rulings[host]["observations"]}
            assert leaf == {one.certificate.key_type: str(one.certificate.pin) for one in leaves[host]}
        for host in (API, OLD):
            deployment.register(host, nginx.port(host), leaves[host][0])
        code, rulings = check(deployment.configure())
        assert code == 2
        for host in (API, OLD):
            assert key_types(rulings[host]) == {"ecdsa": "ok", "rsa": "pin_mismatch"}
            assert "rsa" in rulings[host]["reason"]


async def test_a_running_daemon_sees_one_of_two_certificates_replaced(deployment: Deployment) -> None:
    """Only old apps fail, since others prefer the other certificate; that is an incident all the same."""
    intermediate = deployment.intermediate.certificate
    leaf, rsa, renewed = deployment.leaf(API), rsa_leaf(deployment, API), rsa_leaf(deployment, API)
    with Nginx(deployment.directory / "nginx", Site(API, leaf, [intermediate], other=rsa)) as nginx:
        deployment.register(API, nginx.port(API), leaf, rsa)
        deployment.configure()
        async with deployment.daemon() as daemon:
            await daemon.shows("pin_match", 1, host=API)
            nginx.replace(Site(API, leaf, [intermediate], other=renewed))
            (firing,) = await deployment.events(1)
            assert firing["type"] == "pin_mismatch.firing"
            verdicts = {seen["key_type"]: seen["verdict"] for seen in firing["data"]["observations"]}
            assert verdicts == {"ecdsa": "ok", "rsa": "pin_mismatch"}
            assert firing["data"]["chain"][0]["spki"] == str(renewed.certificate.pin)
            nginx.replace(Site(API, leaf, [intermediate], other=rsa))
            _, resolved = await deployment.events(2)
            assert resolved["type"] == "pin_mismatch.resolved"
            assert await daemon.stop() == 0


@pytest.mark.parametrize("protocol", ["smtp", "imap", "pop3"])
async def test_starttls_of_a_mail_server(deployment: Deployment, protocol: str) -> None:
    """Dovecot, with two certificates; spoken to in another protocol it is a failure in words."""
    leaf, rsa = deployment.leaf(MAIL), rsa_leaf(deployment, MAIL)
    async with Dovecot(leaf, deployment.intermediate.certificate, other=rsa) as dovecot:
        port = getattr(dovecot, protocol)
        deployment.register(MAIL, port, leaf, rsa, starttls=protocol)
        code, rulings = check(deployment.configure())
        assert (code, key_types(rulings[MAIL])) == (0, {"ecdsa": "ok", "rsa": "ok"})
        deployment.register(MAIL, port, leaf, rsa, starttls="imap" if protocol == "smtp" else "smtp")
        code, rulings = check(deployment.configure())
        assert (code, failure(rulings[MAIL])) == (3, ("undetermined", "starttls"))


async def test_starttls_of_postgresql(deployment: Deployment) -> None:
    """With TLS, and without."""
    leaf = deployment.leaf(DATA)
    async with Postgres(leaf, deployment.intermediate.certificate) as postgres:
        deployment.register(DATA, postgres.port, leaf, starttls="postgres")
        code, rulings = check(deployment.configure())
        assert (code, key_types(rulings[DATA])) == (0, {"ecdsa": "ok"})
    async with Postgres() as postgres:
        deployment.register(DATA, postgres.port, leaf, starttls="postgres")
        code, rulings = check(deployment.configure())
        assert (code, failure(rulings[DATA])) == (3, ("undetermined", "starttls"))


async def test_a_proxy_with_authentication(deployment: Deployment) -> None:
    """TLS and STARTTLS through it; a wrong password, none, and a port that it does not connect to are its failure."""
    intermediate = deployment.intermediate.certificate
    leaf, mail = deployment.leaf(API), deployment.leaf(MAIL)
    password = deployment.directory / "proxy-password"
    password.write_text("a-secret\n", "utf-8")
    with Nginx(deployment.directory / "nginx", Site(API, leaf, [intermediate])) as nginx:
        async with (
            Dovecot(mail, intermediate) as dovecot,
            Tinyproxy("monitord", "a-secret", nginx.port(API), dovecot.smtp) as proxy,
        ):
            login = {"proxy": f"http://monitord@127.0.0.1:{proxy.port}", "proxy_password_file": "proxy-password"}
            deployment.register(API, nginx.port(API), leaf, **login)
            deployment.register(MAIL, dovecot.smtp, mail, starttls="smtp", **login)
            deployment.register(DATA, dovecot.imap, mail, starttls="imap", **login)
            code, rulings = check(deployment.configure())
            assert code == 3
            assert (rulings[API]["verdict"], rulings[MAIL]["verdict"]) == ("ok", "ok")
            assert rulings[API]["observations"][0]["address"] == "127.0.0.1"
            assert failure(rulings[DATA]) == ("undetermined", "proxy")

            password.write_text("wrong\n", "utf-8")
            _, rulings = check(deployment.configure())
            assert failure(rulings[API]) == ("undetermined", "proxy")
            detail = rulings[API]["observations"][0]["failure"]["detail"]
            assert "does not accept the user name and password" in detail
            assert "wrong" not in detail

            deployment.register(API, nginx.port(API), leaf, proxy=f"http://127.0.0.1:{proxy.port}")
            _, rulings = check(deployment.configure())
            assert failure(rulings[API]) == ("undetermined", "proxy")
