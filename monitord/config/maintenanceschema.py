"""The shape of ``maintenance:``: when people are not told, of what, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Annotated

from pydantic import Field, model_validator

from monitord.config.faults import UnfitError
from monitord.config.fields import GIVEN, Expiry, HostPattern, Labels, WeekTime, Zone, one_of
from monitord.config.section import Section
from monitord.pinning.incident import IncidentKind
from monitord.pinning.quiet import Once, Scope, Weekly


class MaintenanceEntry(Section):
    """An item of ``maintenance:``."""

    hosts: list[HostPattern] = Field(default_factory=list)
    match: Labels = Field(default_factory=dict)
    kinds: list[Annotated[IncidentKind, one_of(IncidentKind, "maintenance.kinds")]] = Field(default_factory=list)
    weekly: Annotated[WeekTime | None, GIVEN] = None
    timezone: Annotated[Zone | None, GIVEN] = None
    start: Annotated[Expiry | None, GIVEN, Field(alias="from")] = None
    end: Annotated[Expiry | None, GIVEN, Field(alias="to")] = None
    reason: Annotated[str, Field(min_length=1, max_length=200)]

    @model_validator(mode="after")
    def _refuse_what_is_no_time(self) -> MaintenanceEntry:
        if not self.hosts and not self.match:
            raise UnfitError(self, "", 'a maintenance needs hosts or match; hosts: ["*"] is every host')
        if self.weekly is None and (self.start is None or self.end is None):
            raise UnfitError(self, "", "a maintenance needs a time: weekly, or from and to")
        if self.weekly is not None and (self.start is not None or self.end is not None):
            raise UnfitError(self, "", "weekly excludes from and to; make two entries of it")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise UnfitError(self, "", "to is not later than from")
        if self.timezone is not None and self.weekly is None:
            raise UnfitError(self, "", "timezone is for weekly; from and to have their zone in them, as Z or +01:00")
        return self

    def scope(self) -> Scope:
        """What it is about."""
        return Scope(tuple(self.hosts), self.match, frozenset(self.kinds))

    def times(self) -> Once | Weekly:
        """When it is."""
        if self.start and self.end:
            return Once(self.start, self.end)
        if self.weekly is None:
            raise ValueError("an entry without a time is refused before")
        return replace(self.weekly, zone=self.timezone or UTC)
