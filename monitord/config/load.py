"""The configuration as a whole: every file read, every fault found, or a value that holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from monitord.config.document import Document, MarkedDict, exists
from monitord.config.domains import Registered
from monitord.config.faults import ConfigurationError, Fault, Findings, Place, UnfitError, shown
from monitord.config.fields import SQLITE_PREFIX, Surroundings, unusable_file
from monitord.config.reading import DEFAULT_TRUST_KEY, Files, Parsed, read_files
from monitord.config.schema import MainFile
from monitord.config.settings import AlertSettings, Configuration, ProbeSettings, WebSettings
from monitord.config.truststores import BUILT_IN, MOZILLA, TrustStoreError, TrustStoreReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitord.config.environment import Location
    from monitord.config.receivers import Receiver
    from monitord.pinning.trust import TrustStore

DEFAULT_STATE_DIRECTORY = "/var/lib/monitord"


def load(path: Path, *, environment: Mapping[str, str], receivers: bool = True) -> Configuration:
    """The configuration in the file ``path`` and in those it includes.

    ``environment`` is for ``${NAME}``, ``$CREDENTIALS_DIRECTORY``, ``$STATE_DIRECTORY`` and ``$SSL_CERT_FILE``.
    ``receivers`` False leaves the receivers out and their secrets unread: for commands that tell nobody, which may
    run where the secrets are not to be had. Raises ConfigurationError with all faults at once.
    """
    findings = Findings()
    files = read_files(path, environment, findings, without=() if receivers else ("receivers",))
    if receivers and not files.main.content.receivers:
        findings.warnings.append(Fault(path, 1, "there are no receivers, so nobody is told of a failure"))
    configuration = _assemble(files, path, environment, findings)
    if findings.faults:
        raise ConfigurationError(tuple(findings.faults))
    return configuration


def load_store(path: Path, name: str, *, environment: Mapping[str, str]) -> TrustStore:
    """The trust store that the configuration file ``path`` calls by this name, or one of BUILT_IN.

    Raises TrustStoreError if there is none of the name or it cannot be read, ConfigurationError if ``trust:`` has
    faults.
    """
    findings = Findings()
    files = read_files(path, environment, findings, without=MainFile.model_fields.keys() - {"trust"})
    if findings.faults:
        raise ConfigurationError(tuple(findings.faults))
    known = files.around.trust_stores
    if name not in known:
        raise TrustStoreError(f"trust store {shown(name)} is not defined; there are: {', '.join(sorted(known))}")
    named = files.main.content.trust.get(name)
    return TrustStoreReader(environment).read(name, None if named is None else path.parent / named)[0]


def default_configuration(*, environment: Mapping[str, str]) -> Configuration:
    """What holds without any file: no targets, no receivers, every default."""
    nothing = Parsed(Document(Path(), MarkedDict()), MainFile())
    return _assemble(
        Files(nothing, (), Surroundings(Path(), environment, frozenset(BUILT_IN))), None, environment, Findings()
    )


def _assemble(
    files: Files,
    path: Path | None,
    environment: Mapping[str, str],
    findings: Findings,
) -> Configuration:
    main = files.main.content
    default_trust = _default_trust(files, findings)
    registered = Registered(default_trust, main.interval, main.timeout)
    registered.add_all(files, findings)
    stores = _load_stores(files, default_trust, registered.used_stores, environment, findings)
    if path is not None:
        _warn(files.main, registered, findings)
    return Configuration(
        path=path,
        targets=tuple(registered.targets),
        trust_stores=stores,
        default_trust=default_trust,
        interval=main.interval,
        timeout=main.timeout,
        release_time=main.release_time,
        horizon=main.horizon,
        confirm=main.confirm,
        failures=main.failures,
        receivers=_receivers(files.main, findings),
        alerts=AlertSettings(main.alerts.repeat, main.alerts.resolved),
        store=_store_url(main.store, path, environment),
        web=WebSettings(*main.web.listen),
        probing=ProbeSettings(main.probing.max_addresses, main.probing.concurrency),
        sources=registered.sources,
        warnings=tuple(sorted(set(findings.warnings))),
    )


def _receivers(main: Parsed[MainFile], findings: Findings) -> tuple[Receiver, ...]:
    lines: dict[str, int] = {}
    for index, entry in enumerate(main.content.receivers):
        at: Location = ("receivers", index)
        name_at = (*at, "name")
        if entry.name in lines:
            message = f"receiver {shown(entry.name)} is defined a second time; the first is on line {lines[entry.name]}"
            findings.faults.append(main.fault(name_at, message))
        lines.setdefault(entry.name, main.place(*name_at).line)
        if entry.webhook is not None and entry.webhook.secret_file is None:
            message = "the webhook has no secret_file, so its receiver cannot tell who sent the message"
            findings.warnings.append(main.fault((*at, "webhook"), message))
    return tuple(entry.receiver() for entry in main.content.receivers)


def _default_trust(files: Files, findings: Findings) -> str:
    name, known = files.main.content.trust.get(DEFAULT_TRUST_KEY, MOZILLA), files.around.trust_stores
    if name in known:
        return name
    at = ("trust", DEFAULT_TRUST_KEY)
    error = UnfitError(name, f"is not the name of a trust store; there are: {', '.join(sorted(known))}")
    findings.faults.append(files.main.complaint(at, error))
    return MOZILLA


def _load_stores(
    files: Files,
    default: str,
    used: Mapping[str, Place],
    environment: Mapping[str, str],
    findings: Findings,
) -> dict[str, TrustStore]:
    """The stores that are used; faults and warnings are about where they are defined, or else first used."""
    reader = TrustStoreReader(environment)
    named = files.main.content.trust
    for name in BUILT_IN:
        if name in named:
            message = f"the trust store {name!r} always exists; choose another name"
            findings.faults.append(files.main.fault(("trust", name), message))
    stores: dict[str, TrustStore] = {}
    for name in dict.fromkeys((default, *used)):
        if name not in named and name not in BUILT_IN:
            continue  # its definition has a fault already
        path = files.main.document.path.parent / named[name] if name in named else None
        place = used.get(name) or files.main.place("trust", DEFAULT_TRUST_KEY)
        try:
            stores[name], notes = reader.read(name, path)
        except TrustStoreError as error:
            if name in named:
                findings.faults.append(_unusable(files.main, name, error))
            else:
                findings.faults.append(Fault(place.file, place.line, f"trust store {name!r}: {error}"))
        else:
            findings.warnings += [files.main.fault(("trust", name), f"trust store {name!r}: {note}") for note in notes]
    for name in named.keys() - stores.keys() - {DEFAULT_TRUST_KEY, *used, default}:
        if not exists(files.main.document.path.parent / named[name]):
            findings.faults.append(_unusable(files.main, name, "there is no such file"))
    return stores


def _unusable(main: Parsed[MainFile], store: str, error: TrustStoreError | str) -> Fault:
    at = ("trust", store)
    return main.complaint(at, unusable_file(main.document.value(at), error))


def _store_url(written: str | None, path: Path | None, environment: Mapping[str, str]) -> str:
    if written is None or path is None:
        directory = environment.get("STATE_DIRECTORY", "").partition(":")[0] or DEFAULT_STATE_DIRECTORY
        return f"{SQLITE_PREFIX}{directory}/monitord.db"
    file, question_mark, options = written.removeprefix(SQLITE_PREFIX).partition("?")
    return f"{SQLITE_PREFIX}{path.parent.absolute() / file}{question_mark}{options}"


def _warn(main: Parsed[MainFile], registered: Registered, findings: Findings) -> None:
    content = main.content
    if content.timeout >= content.interval:
        findings.warnings.append(main.fault(("timeout",), "the timeout is not shorter than the interval"))
    if content.horizon < content.release_time:
        message = "the horizon is nearer than release_time, so no prediction is ever a mere warning"
        findings.warnings.append(main.fault(("horizon",), message))
    if not registered.targets:
        findings.warnings.append(main.fault(("domains",), "no domain is registered, so nothing is watched"))
