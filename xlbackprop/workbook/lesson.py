"""The lesson: everything that a sheet is made from."""

from __future__ import annotations

from msgspec import Struct

from xlbackprop.arrangement import Arrangement
from xlbackprop.definition import Definition
from xlbackprop.derivation import Derivation
from xlbackprop.engine import Trace
from xlbackprop.layout import Table


class Lesson(Struct, frozen=True):
    """One walkthrough, computed and arranged, for the sheets to show."""

    definition: Definition
    arrangement: Arrangement
    trace: Trace

    @property
    def table(self) -> Table:
        """The iteration table, to which the other sheets refer."""
        return self.arrangement.table

    @property
    def derivation(self) -> Derivation:
        return self.table.derivation
