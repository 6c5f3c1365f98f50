"""The lesson: everything that a sheet is made from."""

from __future__ import annotations

from msgspec import Struct

from xlbackprop.derivation import Derivation
from xlbackprop.engine import Trace
from xlbackprop.network import SAMPLE, Definition
from xlbackprop.walkthrough.arrangement import Arrangement
from xlbackprop.walkthrough.table import WALKTHROUGH, Table


class Lesson(Struct, frozen=True):
    """One walkthrough, computed and arranged, for the sheets to show."""

    definition: Definition
    arrangement: Arrangement
    trace: Trace
    sheets: tuple[str, ...] = (WALKTHROUGH,)
    """The titles of the workbook's sheets, in their order."""
    iteration: int = 0
    """The iteration that is chosen on the sheets that show one at a time."""

    @property
    def table(self) -> Table:
        """The iteration table, to which the other sheets refer."""
        return self.arrangement.table

    def sample(self, iteration: int) -> int:
        """The number of the sample that an iteration takes, from 0."""
        return int(self.trace[SAMPLE][iteration]) - 1 if self.derivation.samples > 1 else 0

    @property
    def derivation(self) -> Derivation:
        return self.table.derivation
