"""The sheet Loss surface: the losses it shows, and the path on it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import openpyxl
import pytest
from msgspec.structs import replace
from openpyxl.utils import get_column_letter
from openpyxl.utils.cell import coordinate_to_tuple

from tests import sheets
from tests.judges import Cells
from xlbackprop import Definition, load, train
from xlbackprop.network.templates import names
from xlbackprop.workbook.sheets import loss_surface
from xlbackprop.workbook.sheets.loss_surface import STEPS, TITLE, Choices, View

TOP, LEFT = 4, 2


def filled(folder: Path, definition: Definition, choices: Choices = loss_surface.AS_GENERATED) -> Cells:
    """The values that the sheet carries."""
    return sheets.filled(folder, definition, "loss-surface", partial(loss_surface.loss_surface, choices=choices))


def grid(cells: Cells, step_across: int, step_upwards: int) -> tuple[float, float, float]:
    """The values across and upwards and the loss at a point of the grid, counted from the low end."""
    column, row = get_column_letter(LEFT + step_across), TOP + STEPS - 1 - step_upwards
    values = (cells[TITLE, f"{column}{TOP + STEPS}"], cells[TITLE, f"A{row}"], cells[TITLE, f"{column}{row}"])
    x, y, loss = (value for value in values if isinstance(value, float))
    return x, y, loss


@pytest.mark.parametrize("iteration", [0, 5])
@pytest.mark.parametrize(("across", "upwards"), [(0, 20), (3, 7), (10, 10), (20, 0)])
def test_each_cell_is_a_network_of_its_own(across: int, upwards: int, iteration: int, tmp_path: Path) -> None:
    choices = Choices(View("w1", 0.5, 2.0), View("w6", -1.0, 1.0), iteration)
    x, y, loss = grid(filled(tmp_path, load(), choices), across, upwards)
    assert [x, y] == pytest.approx([0.5 + 2.0 * (across - 10) / 10, -1.0 + (upwards - 10) / 10])
    at = train(load()).at(iteration)
    hidden, output = load().layers
    weights = [[x, at["w2"]], [at["w3"], at["w4"]]], [[at["w5"], y], [at["w7"], at["w8"]]]
    layers = tuple(
        replace(layer, weights=tuple(map(tuple, rows))) for layer, rows in zip((hidden, output), weights, strict=True)
    )
    assert loss == pytest.approx(train(replace(load(iterations=1), layers=layers))["E_total"][0], rel=1e-12)


def test_the_grid_follows_the_path(tmp_path: Path) -> None:
    cells = filled(tmp_path, load())
    trace = train(load())
    ends = [grid(cells, step, step)[0] for step in (2, 18)]
    assert ends == pytest.approx([trace["w5"].min(), trace["w5"].max()])
    start = list(grid(cells, 18, 18))
    assert start == pytest.approx([trace[name][0] for name in ("w5", "w8", "E_total")])


def visits_and_losses(cells: Cells) -> tuple[list[float], list[float]]:
    """When the path comes by every point of the grid, or −1, and the losses there, row by row from the top left."""
    head = next(address for (sheet, address), value in cells.items() if sheet == TITLE and value == "visited at")
    row, column = coordinate_to_tuple(head)
    return points(cells, row, column), points(cells, row, column - 1)


def points(cells: Cells, header_row: int, column: int) -> list[float]:
    letter = get_column_letter(column)
    numbers = [cells[TITLE, f"{letter}{header_row + 1 + point}"] for point in range(STEPS * STEPS)]
    return [number for number in numbers if isinstance(number, int | float)]


@pytest.mark.parametrize("template", names())
def test_training_walks_downhill_in_every_template(template: str, tmp_path: Path) -> None:
    cells = filled(tmp_path, load(template))
    passed = sorted(pair for pair in zip(*visits_and_losses(cells), strict=True) if pair[0] != -1)
    assert passed[-1][1] < passed[0][1]


def test_the_path_marks_the_cells_that_it_visits(tmp_path: Path) -> None:
    visits, _ = visits_and_losses(filled(tmp_path, load()))
    assert visits[2 * STEPS + 18] == 0
    assert visits[18 * STEPS + 2] != -1
    assert 15 < sum(visit != -1 for visit in visits) < 40


def test_a_single_weight_still_has_a_surface(tmp_path: Path) -> None:
    hidden = replace(load().layers[0], weights=((0.3,),))
    definition = replace(load(), inputs=(1.0,), targets=(0.5,), layers=(hidden,))
    cells = filled(tmp_path, definition)
    assert grid(cells, 5, 0)[2] == grid(cells, 5, 20)[2] != grid(cells, 6, 0)[2]


def test_the_reader_picks_from_the_names_of_the_weights(tmp_path: Path) -> None:
    filled(tmp_path, load())
    sheet = openpyxl.load_workbook(tmp_path / "book.xlsx")[TITLE]
    weight, _, _ = loss_surface.input_cells(0)
    rule = next(rule for rule in sheet.data_validations.dataValidation if weight in rule.sqref)
    offered = [cell.value for cell in sheet[rule.formula1.replace("$", "")][0]]
    assert offered == [f"w{number}" for number in range(1, 9)]
    assert sheet[weight].value == "w5"


def test_it_fits_a_laptop_and_its_charts_are_told(tmp_path: Path) -> None:
    filled(tmp_path, load("mazur"))
    sheets.assert_fits_a_laptop(tmp_path, TITLE)
    sheets.assert_charts_are_told(tmp_path, TITLE, 1)
