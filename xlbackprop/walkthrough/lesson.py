"""The lesson: everything that a sheet is made from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from msgspec import Struct

from xlbackprop.derivation import Derivation
from xlbackprop.engine import Array, Trace
from xlbackprop.network import SAMPLE, WALKTHROUGH, Definition
from xlbackprop.symbols import Typesetter
from xlbackprop.walkthrough.arrangement import Arrangement
from xlbackprop.walkthrough.table import Table


class Lesson(Struct, frozen=True, dict=True):
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
    def curve_places(self) -> Sequence[float]:
        """The iterations, or with several samples the epochs, at which the training is judged."""
        return range(self.table.iterations) if self.derivation.samples == 1 else self.table.loss_curve.epochs

    @cached_property
    def curve_losses(self) -> Array:
        """The losses there: of the one sample, or the mean of all, shape (points,)."""
        if self.derivation.samples == 1:
            return self.trace[self.derivation.names.total_loss]
        return self.table.loss_curve.losses(self.definition, self.trace)

    @property
    def rates_to_try(self) -> tuple[float, ...]:
        """Three of the learning rates that are compared: the smallest, the next one up from η, and the largest."""
        rates, own = sorted(set(self.definition.learning_rates)), self.definition.learning_rate
        others = [rate for rate in rates if rate != own]
        next_up = next((rate for rate in others if rate > own), None)
        return tuple(dict.fromkeys(rate for rate in (*others[:1], next_up, *others[-1:]) if rate is not None))

    @cached_property
    def typesetter(self) -> Typesetter:
        """Sets texts in which the names of this walkthrough occur."""
        return Typesetter(self.derivation.typeset)

    @property
    def derivation(self) -> Derivation:
        return self.table.derivation
