"""Trust stores as commands name them: those of the configuration, the built-in ones, and files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monitord.cli.certificatefiles import InputError
from monitord.cli.configfile import require_file
from monitord.config.faults import ConfigurationError, Findings
from monitord.config.reading import DEFAULT_TRUST_KEY, read_files
from monitord.config.schema import MainFile
from monitord.config.truststores import BUILT_IN, TrustStoreReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitord.cli.invocation import Invocation
    from monitord.pinning.trust import TrustStore


@dataclass(frozen=True, slots=True)
class Stores:
    """Every store that has a name, with its file (None: built in), and the way to read one."""

    files: Mapping[str, Path | None]
    reader: TrustStoreReader

    def read(self, name: str) -> tuple[TrustStore, tuple[str, ...]]:
        """The store of this name, else in the file of this name, and what was left out of it.

        Raises InputError if there is neither, TrustStoreError if there is no certificate in it.
        """
        if name in self.files:
            return self.reader.read(name, self.files[name])
        if not os.path.exists(name):  # noqa: PTH110 - Path.exists() raises for some names
            known = ", ".join(self.files)
            raise InputError(f"{name} is neither a trust store of the configuration ({known}) nor a file")
        return self.reader.read(name, Path(name))


def known_stores(invocation: Invocation) -> Stores:
    """The stores that the configuration names, and the built-in ones.

    Raises ConfigurationError, and ConfigurationMissingError if a file was named that is not there.
    """
    files: dict[str, Path | None] = dict.fromkeys(BUILT_IN)
    if invocation.config_is_given or not invocation.config_is_missing:
        require_file(invocation)
        findings = Findings()
        read = read_files(
            invocation.config, invocation.environment, findings, without=MainFile.model_fields.keys() - {"trust"}
        )
        if findings.faults:
            raise ConfigurationError(tuple(findings.faults))
        named = read.main.content.trust
        files |= {name: invocation.config.parent / file for name, file in named.items() if name != DEFAULT_TRUST_KEY}
    return Stores(files, TrustStoreReader(invocation.environment))
