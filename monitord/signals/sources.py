"""The sources that a configuration asks for, kept from one to the next where nothing of theirs changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.signals.acmedirectories import PUBLIC_CAS
from monitord.signals.ari import AriSource
from monitord.signals.crl import CrlSource
from monitord.signals.ct.hook import HookSource
from monitord.signals.ct.logs import LogSource
from monitord.signals.ct.search import SearchSource
from monitord.signals.dns import DnsSource
from monitord.signals.ocsp import OcspSource
from monitord.signals.staging import StagingSource
from monitord.signals.truststore import TrustStoreSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import timedelta
    from pathlib import Path

    from monitord.config.signals import SignalSettings
    from monitord.pinning.trust import TrustStore
    from monitord.signals.fetch import Fetcher
    from monitord.signals.source import Source
    from monitord.signals.staging import Observer

    Make = Callable[[], Source]


class Sources:
    """Makes the sources; one whose settings are as before stays the very same object, so that it goes on."""

    def __init__(
        self, fetcher: Fetcher, observer: Observer, stores: Callable[[], Mapping[str, TrustStore]], spool: Path
    ) -> None:
        """What sources ask through: the web, a look at an endpoint, the trust stores as they are, and the hook's spool.

        ``spool`` is where ``monitord ct-hook`` leaves what it was given, unless the settings name another place.
        """
        self._fetcher = fetcher
        self._observer = observer
        self._stores = stores
        self._spool = spool
        self._made: dict[str, tuple[object, Source]] = {}

    def made_for(self, settings: SignalSettings, timeout: timedelta) -> tuple[Source, ...]:
        """The sources for these settings; ``timeout`` is that of a connection to an endpoint."""
        before, self._made = self._made, {}
        for kind, part, make in self._wanted(settings, timeout):
            made = before.get(kind)
            self._made[kind] = made if made is not None and made[0] == part else (part, make())
        return tuple(source for _, source in self._made.values())

    def _wanted(self, settings: SignalSettings, timeout: timedelta) -> Iterator[tuple[str, object, Make]]:
        """Each source that is wanted: a name for it, the settings that it depends on, and how to make it."""
        ari, ct, fetcher, stores = settings.ari, settings.ct, self._fetcher, self._stores
        if ari.enabled and (ari.directories or ari.public):
            public = PUBLIC_CAS if ari.public else ()
            yield "ari", ari, lambda: AriSource(ari.directories, fetcher, public=public)
        if ct.hook:
            spool = ct.spool or self._spool
            yield "ct hook", spool, lambda: HookSource(spool)
        if (search := ct.search) is not None:
            make = lambda: SearchSource(search.url, fetcher, token=search.token, interval=search.every)  # noqa: E731
            yield "ct search", search, make
        if ct.logs or ct.log_list is not None:
            lists = () if ct.log_list is None else (ct.log_list,)
            parts = ct.logs, lists, ct.every
            yield "ct logs", parts, lambda: LogSource(fetcher, logs=ct.logs, lists=lists, interval=ct.every)
        if settings.crl.enabled:
            yield "crl", settings.crl, lambda: CrlSource(fetcher, stores, every=settings.crl.every)
        if settings.ocsp.enabled:
            yield "ocsp", None, lambda: OcspSource(fetcher, stores)
        if settings.dns.enabled:
            dns = settings.dns
            yield "dns", dns, lambda: DnsSource(resolvers=dns.servers, every=dns.every)
        yield "trust stores", None, lambda: TrustStoreSource(stores)
        yield "staging", timeout, lambda: StagingSource(self._observer, timeout=timeout)
