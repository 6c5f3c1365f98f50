"""What the checker says about a file, in the shape that `--json` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from xlbackprop.ground.errors import count

_MOST_RANGES = 4

Status = Literal["ok", "mistakes", "not_recognised", "unreadable"]


class LearningRate(Struct, frozen=True):
    """Where η stands and what it is; null where there is no such cell or value."""

    cell: str | None
    value: float | None


class TableFound(Struct, frozen=True):
    """An iteration table that was recognised."""

    sheet: str
    range: str
    rows: int
    learning_rate: LearningRate
    counted: Literal["rows", "steps"] = "rows"
    """What there are so many of: rows with an iteration, or steps by which the parameters go on."""

    @property
    def size(self) -> str:
        """How large it is, in words."""
        return count(self.rows, self.counted.removesuffix("s"))


class Replacement(Struct, frozen=True):
    """What belongs in one of the cells of a mistake, and, filled down or across, in those like it."""

    cell: str
    quantity: str
    formula: str


class Finding(Struct, frozen=True):
    """One mistake: where it is made, what stands there and what belongs there."""

    sheet: str
    cells: tuple[str, ...]
    quantity: str
    kind: str
    found: str
    expected: str
    """In the first of the cells; empty where it is not known."""
    value: float | str | None
    """In the first of the cells; an error value is a text."""
    correct_value: float | None
    """From the first cell's own row as it stands in the sheet."""
    message: str
    quantities: tuple[str, ...] = ()
    """Every quantity that has the mistake."""
    replacements: tuple[Replacement, ...] = ()
    """The right formulas, one for each that is not another one filled down or across."""


class Note(Struct, frozen=True):
    """Something worth knowing that is no mistake in the table."""

    sheet: str
    cells: tuple[str, ...]
    kind: str
    message: str


class Report(Struct, frozen=True):
    """Everything about one file, as `check` gives it.

    Its fields are those that `--json` prints, which `docs/check.md` describes; cells are A1 addresses or ranges without
    dollar signs, values plain numbers without units.
    """

    file: str
    status: Status
    message: str
    tables: tuple[TableFound, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[Note, ...] = ()
    judged: tuple[str, ...] = ()
    """What was compared with what follows from the mathematics, in words."""
    not_judged: tuple[str, ...] = ()
    """What was not, and why."""


def shortened(cells: Sequence[str]) -> str:
    """Ranges as people read them: the first few, and how many more."""
    shown = ", ".join(cells[:_MOST_RANGES])
    return f"{shown} and {len(cells) - _MOST_RANGES} more" if len(cells) > _MOST_RANGES else shown


EXIT_CODES: dict[Status, int] = {"ok": 0, "mistakes": 1, "not_recognised": 2, "unreadable": 2}
