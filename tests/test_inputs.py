"""What may be typed: every extreme that a cell takes by its own validation leaves no error value anywhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ironcalc
import openpyxl
import pytest
from openpyxl.utils.cell import coordinate_to_tuple

from tests import judges
from tests.cases import thorough_but
from tests.inputs import Input, Typed, inputs
from tests.judges import Cells
from tests.networks import sized
from xlbackprop import Definition, UserError, build, load
from xlbackprop.network.loading import parse
from xlbackprop.network.losses import LOSSES
from xlbackprop.network.optimisers import OPTIMISERS
from xlbackprop.network.schedules import SCHEDULES
from xlbackprop.network.templates import names

ITERATIONS = 4
SAMPLES: dict[str, Any] = {"inputs": [[0, 1], [1, 0]], "targets": [[0, 1], [1, 0]]}
OTHERS: Mapping[str, dict[str, Any]] = {
    **{schedule: {"schedule": schedule} for schedule in SCHEDULES if schedule != "constant"},
    **{optimiser: {"optimiser": optimiser} for optimiser in OPTIMISERS if optimiser != "gradient descent"},
    **{loss: {"loss": loss} for loss in LOSSES},
    **{f"{loss}, samples": {"loss": loss, **SAMPLES} for loss in LOSSES},
}
"""What the templates do not have, each in a small network."""

COMBINED: tuple[Callable[[int, Input], Typed], ...] = (
    lambda index, cell: cell.extremes[0],
    lambda index, cell: cell.extremes[1],
    lambda index, cell: cell.extremes[index % 2],
    lambda index, cell: cell.extremes[(index + 1) % 2],
)
"""Which extreme every cell has, where all are changed at once."""


def walkthrough(name: str) -> Definition:
    if name in OTHERS:
        return parse(sized(2, 2, 2, iterations=ITERATIONS, **OTHERS[name]), source=name)
    return load(name, iterations=ITERATIONS)


class Open:
    """A workbook that is open in IronCalc, for typing into it again and again."""

    def __init__(self, path: Path) -> None:
        self._model = ironcalc.load_from_xlsx(str(judges.without_values(path)), "en", "UTC", "en")
        self._sheets = [sheet["name"] for sheet in self._model.get_worksheets_properties()]
        self._formulas = {cell: self._place(*cell) for cell in judges.calculated(path)}

    def _place(self, sheet: str, cell: str) -> tuple[int, int, int]:
        return (self._sheets.index(sheet), *coordinate_to_tuple(cell))

    def read(self, cell: Input) -> Typed:
        value: Typed = self._model.get_cell_value(*self._place(cell.sheet, cell.cell))
        return value

    def type(self, cell: Input, value: Typed) -> None:
        place = self._place(cell.sheet, cell.cell)
        match value:
            case None:
                self._model.set_user_input(*place, "")
            case str():
                self._model.update_cell_with_text(*place, value)
            case _:
                self._model.update_cell_with_number(*place, float(value))

    def errors(self) -> Cells:
        self._model.evaluate()
        return judges.errors({cell: self._model.get_cell_value(*place) for cell, place in self._formulas.items()})


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name", thorough_but([*names(), *OTHERS], "classic", "optimisers", "step", "binary cross-entropy, samples")
)
def test_no_extreme_that_may_be_typed_makes_an_error(name: str, tmp_path: Path) -> None:
    path = build(walkthrough(name), tmp_path / "book.xlsx")
    cells = inputs(path)
    assert len(cells) > 20
    book = Open(path)
    assert not book.errors()
    for cell in _some_of_each_kind(cells) if name in names() else ():
        before = book.read(cell)
        for value in cell.extremes:
            book.type(cell, value)
            assert not book.errors(), (cell.sheet, cell.cell, value)
        book.type(cell, before)
    for extreme in COMBINED:
        for index, cell in enumerate(cells):
            book.type(cell, extreme(index, cell))
        assert not book.errors(), extreme


def _some_of_each_kind(cells: list[Input]) -> list[Input]:
    """The first and the last of the cells of a sheet that take the same."""
    kinds = defaultdict[tuple[object, ...], list[Input]](list)
    for cell in cells:
        kinds[cell.sheet, cell.extremes].append(cell)
    return [cell for alike in kinds.values() for cell in (alike[:1] if len(alike) == 1 else (alike[0], alike[-1]))]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["classic", "xor", "optimisers", "step", "categorical cross-entropy, samples"])
def test_nor_in_libreoffice(name: str, tmp_path: Path) -> None:
    path = build(walkthrough(name), tmp_path / "book.xlsx")
    cells = inputs(path)
    changes = [
        {(cell.sheet, cell.cell): extreme(index, cell) for index, cell in enumerate(cells)} for extreme in COMBINED[1:3]
    ]
    paths = [judges.changed(path, change, f"book{number}") for number, change in enumerate(changes)]
    for number, values in enumerate(judges.libreoffice(paths, tmp_path)):
        assert not judges.errors(values), number


@pytest.mark.parametrize("schedule", ["step", "exponential"])
def test_a_factor_of_nothing_is_refused_in_a_definition_too(schedule: str) -> None:
    with pytest.raises(UserError, match=r"schedule.factor: found 0, expected a number from 0.001 to 1"):
        parse(sized(2, 2, 2, schedule={"name": schedule, "factor": 0}), source="mine.toml")


@pytest.mark.parametrize("several", [False, True], ids=["one sample", "samples"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_target_takes_what_its_loss_does(loss: str, several: bool, tmp_path: Path) -> None:
    definition = walkthrough(f"{loss}, samples" if several else loss)
    path = build(definition, tmp_path / "book.xlsx", sheets=["walkthrough"])
    sheet = openpyxl.load_workbook(path)["Data" if several else "Walkthrough"]
    *_, head = [row for row in sheet.iter_rows() if "t1" in [cell.value for cell in row]]  # also frozen at the top
    heads = {
        str(cell.value): cell for cell in reversed(head) if cell.value in ("t1", "t2", "i1")
    }  # the first of a name
    limits = {cell.cell: cell.extremes[:2] for cell in inputs(path) if cell.sheet == sheet.title}
    below = {name: limits[f"{head.column_letter}{head.row + 1}"] for name, head in heads.items()}
    assert below == {"t1": definition.target_range, "t2": definition.target_range, "i1": (-1e6, 1e6)}
    assert definition.target_range == ((0, 1) if "cross-entropy" in loss else (-1e6, 1e6))
