"""The configuration as a whole: every file read, every fault found, or a value that holds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from monitord.config.discovery import DiscoverySettings, ListRules
from monitord.config.distrust import load_distrust
from monitord.config.document import Document, MarkedDict, exists
from monitord.config.domains import Registered
from monitord.config.faults import ConfigurationError, Fault, Findings, Place, UnfitError, shown
from monitord.config.fields import Surroundings, unusable_file
from monitord.config.maintenance import windows_of
from monitord.config.reading import DEFAULT_TRUST_KEY, Files, Parsed, nobody, read_files
from monitord.config.schema import MainFile
from monitord.config.settings import AlertSettings, Configuration, ProbeSettings
from monitord.config.storeurl import store_url
from monitord.config.truststores import BUILT_IN, MOZILLA, TrustSources, TrustStoreError, TrustStoreReader
from monitord.config.websettings import web_settings
from monitord.pinning.incident import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitord.config.environment import Location
    from monitord.config.reading import Progress
    from monitord.config.receivers import Receiver
    from monitord.config.schema import AlertsEntry
    from monitord.pinning.trust import Distrust, TrustStore


_SECRETIVE = ("receivers", "heartbeat", "signals.ct.search", "discovery.http_sd", "web")


def load(
    path: Path, *, environment: Mapping[str, str], receivers: bool = True, progress: Progress = nobody
) -> Configuration:
    """The configuration in the file ``path`` and in those it includes.

    ``environment`` is for ``${NAME}``, ``$CREDENTIALS_DIRECTORY``, ``$STATE_DIRECTORY`` and ``$SSL_CERT_FILE``.
    ``receivers`` False leaves out the receivers, the search of Certificate Transparency and the listener, and their
    secrets unread: for commands that tell nobody and ask nobody, which may run where the secrets are not to be had.
    ``progress`` is told how many of how many included files have been read. Raises ConfigurationError with all faults
    at once.
    """
    findings = Findings()
    without = () if receivers else _SECRETIVE
    files = read_files(path, environment, findings, without=without, one_by_one=True, progress=progress)
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
    registered.add_pinsets(files.main, findings)
    used = dict.fromkeys((default_trust, *registered.used_stores))
    if _discovers(files.main):  # which stores those endpoints need is not known yet
        used |= dict.fromkeys((MOZILLA, *(name for name in main.trust if name != DEFAULT_TRUST_KEY)))
    trust = _trust_sources(files, used, findings)
    stores = _load_stores(files, trust, registered.used_stores, environment, findings)
    if path is not None:
        _warn(files.main, registered, findings)
    return Configuration(
        path=path,
        targets=tuple(registered.targets),
        trust_stores=stores,
        trust_sources=trust,
        default_trust=default_trust,
        interval=main.interval,
        timeout=main.timeout,
        release_time=main.release_time,
        horizon=main.horizon,
        confirm=main.confirm,
        failures=main.failures,
        receivers=_receivers(files.main, findings),
        alerts=_alerts(main.alerts),
        windows=windows_of(
            files.main, registered.targets, [] if path is None or _discovers(files.main) else findings.warnings
        ),
        store=store_url(main.store, path, environment),
        web=web_settings(files.main, environment, findings),
        probing=ProbeSettings(
            main.probing.max_addresses,
            main.probing.concurrency,
            main.probing.hurried_interval,
            main.probing.hurried_limit,
            main.probing.per_address,
            main.probing.per_network,
        ),
        signals=main.signals.settings(),
        include=tuple(main.include),
        discovery=_discovery(files.main, default_trust, stores),
        heartbeat=main.heartbeat.settings() if main.heartbeat else None,
        sources=registered.sources,
        warnings=tuple(sorted(set(findings.warnings))),
    )


def _discovers(main: Parsed[MainFile]) -> bool:
    """Whether there are lists of endpoints, also where those of servers were left out with their secrets."""
    return main.document.value(("discovery",)) is not None


def _discovery(main: Parsed[MainFile], default_trust: str, stores: Iterable[str]) -> DiscoverySettings:
    entry = main.content.discovery
    names = [item.name for item in entry.pinsets]
    written = main.document.value(("discovery", "pinsets")) or ()
    return DiscoverySettings(
        main.document.path if _discovers(main) else None,
        tuple(entry.file_sd),
        tuple(item.value() for item in entry.http_sd),
        entry.every,
        ListRules(
            default_trust,
            main.content.interval,
            main.content.timeout,
            frozenset(stores),
            dict(zip(names, written, strict=True)),
        ),
    )


def _alerts(entry: AlertsEntry) -> AlertSettings:
    usual, by_severity = (entry.repeat, {}) if isinstance(entry.repeat, timedelta) else (None, entry.repeat)
    return AlertSettings(
        usual or by_severity.get(Severity.CRITICAL, AlertSettings().repeat),
        entry.resolved,
        entry.group_wait,
        entry.group_interval,
        repeat_by=by_severity,
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
        if entry.webhook is not None and not entry.webhook.proves_itself:
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


def _trust_sources(files: Files, used: Iterable[str], findings: Findings) -> TrustSources:
    """Where the stores in use are, without those whose definition has a fault already."""
    named, base = files.main.content.trust, files.main.document.path.parent
    paths = {name: base / named[name] if name in named else None for name in used if name in named or name in BUILT_IN}
    return TrustSources(paths, _distrusts(files, findings))


def _distrusts(files: Files, findings: Findings) -> dict[str, Mapping[bytes, Distrust]]:
    """The rules of distrust for each store that is said to follow some."""
    entry, known = files.main.content.signals.distrust, files.around.trust_stores
    at: Location = ("signals", "distrust")
    if not entry.stores and entry.file is None:
        return {}
    for name in entry.stores.keys() - known:
        message = f"trust store {shown(name)} is not defined; there are: {', '.join(sorted(known))}"
        findings.faults.append(files.main.fault((*at, "stores", name), message))
    try:
        rules = load_distrust(None if entry.file is None else files.main.document.path.parent / entry.file)
    except ConfigurationError as error:
        findings.faults += error.faults
        return {}
    return {name: rules[programme] for name, programme in entry.stores.items()}


def _load_stores(
    files: Files,
    trust: TrustSources,
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
    for name in trust.paths:
        place = used.get(name) or files.main.place("trust", DEFAULT_TRUST_KEY)
        try:
            stores[name], notes = trust.read(name, reader)
        except TrustStoreError as error:
            if name in named:
                findings.faults.append(_unusable(files.main, name, error))
            else:
                findings.faults.append(Fault(place.file, place.line, f"trust store {name!r}: {error}"))
        else:
            findings.warnings += [files.main.fault(("trust", name), f"trust store {name!r}: {note}") for note in notes]
    for name in named.keys() - {DEFAULT_TRUST_KEY, *trust.paths}:
        if not exists(files.main.document.path.parent / named[name]):
            findings.faults.append(_unusable(files.main, name, "there is no such file"))
    return stores


def _unusable(main: Parsed[MainFile], store: str, error: TrustStoreError | str) -> Fault:
    at = ("trust", store)
    return main.complaint(at, unusable_file(main.document.value(at), error))


def _warn(main: Parsed[MainFile], registered: Registered, findings: Findings) -> None:
    content = main.content
    if content.timeout >= content.interval:
        findings.warnings.append(main.fault(("timeout",), "the timeout is not shorter than the interval"))
    if content.horizon < content.release_time:
        message = "the horizon is nearer than release_time, so no prediction is ever a mere warning"
        findings.warnings.append(main.fault(("horizon",), message))
    if not registered.targets and not _discovers(main):
        findings.warnings.append(main.fault(("domains",), "no domain is registered, so nothing is watched"))
