"""The sheet Loss surface: the losses it shows, and the path on it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from msgspec.structs import replace
from openpyxl.utils import get_column_letter
from openpyxl.utils.cell import coordinate_to_tuple

from tests import judges, sheets
from tests.books import build, opened
from tests.cases import thorough_but
from tests.judges import Cells, Changes
from tests.test_verdicts import losses_of
from xlbackprop import Definition, load, train
from xlbackprop.network.templates import names
from xlbackprop.workbook.sheets import loss_surface
from xlbackprop.workbook.sheets.loss_surface import STEPS

TITLE = "Loss surface"

TOP, LEFT = 4, 2


def filled(folder: Path, definition: Definition) -> Cells:
    """The values that the sheet carries."""
    return sheets.filled(folder, definition, "loss-surface")


def grid(cells: Cells, step_across: int, step_upwards: int) -> tuple[float, float, float]:
    """The values across and upwards and the loss at a point of the grid, counted from the low end."""
    column, row = get_column_letter(LEFT + step_across), TOP + STEPS - 1 - step_upwards
    values = (cells[TITLE, f"{column}{TOP + STEPS}"], cells[TITLE, f"A{row}"], cells[TITLE, f"{column}{row}"])
    x, y, loss = (value for value in values if isinstance(value, float))
    return x, y, loss


@pytest.mark.thorough
@pytest.mark.parametrize("iteration", [0, 5])
@pytest.mark.parametrize(("across", "upwards"), [(0, 20), (3, 7), (10, 10), (20, 0)])
def test_each_cell_is_a_network_of_its_own(across: int, upwards: int, iteration: int, tmp_path: Path) -> None:
    with sheets.beginning(
        loss_surface,
        varied_weights=lambda _: ("w1", "w6"),
        view=Mock(side_effect=[(0.5, 2.0), (-1.0, 1.0)]),
        others_from=lambda *_: iteration,
    ):
        x, y, loss = grid(filled(tmp_path, load()), across, upwards)
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


@pytest.mark.parametrize("template", thorough_but(names(), "classic", "xor"))
def test_training_walks_downhill_in_every_template(template: str, tmp_path: Path) -> None:
    cells = filled(tmp_path, load(template))
    passed = sorted(pair for pair in zip(*visits_and_losses(cells), strict=True) if pair[0] != -1)
    assert passed[-1][1] < passed[0][1]


def test_the_path_marks_the_cells_that_it_visits(tmp_path: Path) -> None:
    visits, _ = visits_and_losses(filled(tmp_path, load()))
    assert visits[2 * STEPS + 18] == 0
    assert visits[18 * STEPS + 2] != -1
    assert 15 < sum(visit != -1 for visit in visits) < 40


def test_a_single_weight_has_a_curve(tmp_path: Path) -> None:
    layer = replace(load().layers[0], weights=((0.3,),))
    definition = replace(load(iterations=12), inputs=(1.0,), targets=(0.5,), layers=(layer,))
    path = build(definition, tmp_path / "book.xlsx", sheets=["loss-surface"])
    row = TOP + STEPS - 1
    for rate, changed in ((1.0, {}), (8.0, {("Walkthrough", "G31"): 8.0})):
        cells = judges.ironcalc_judge(path, changed)
        assert not judges.errors(cells)
        trace = train(replace(definition, learning_rate=rate))
        letters = [get_column_letter(LEFT + step) for step in range(STEPS)]
        weights = np.array([cells[TITLE, f"{letter}{row + 1}"] for letter in letters], float)
        losses = [cells[TITLE, f"{letter}{row}"] for letter in letters]
        assert losses == pytest.approx(0.5 * (1 / (1 + np.exp(-weights)) - 0.5) ** 2)
        assert weights[0] < trace["w1"].min() <= trace["w1"].max() < weights[-1]
    (chart,) = opened(path, TITLE)[TITLE]._charts
    along = [float(point.v) for point in chart.series[1].yVal.numRef.numCache.pt]
    assert along == pytest.approx(train(definition)["E_total"])
    assert not [value for (sheet, _), value in judges.stored(path).items() if sheet == TITLE and "two" in str(value)]


def test_the_reader_picks_from_the_names_of_the_weights(tmp_path: Path) -> None:
    filled(tmp_path, load())
    sheet = opened(tmp_path / "book.xlsx", TITLE)[TITLE]
    weight, _, _ = loss_surface.input_cells(0)
    rule = next(rule for rule in sheet.data_validations.dataValidation if weight in rule.sqref)
    offered = [cell.value for cell in sheet[rule.formula1.replace("$", "")][0]]
    assert offered == [f"w{number}" for number in range(1, 9)]
    assert sheet[weight].value == "w5"


# What it says


def said(path: Path, changes: Changes) -> tuple[Any, Any, Any]:
    """The title, what stands beside the colours, and what is said of the end of the path."""
    cells = judges.ironcalc_judge(path, changes)
    return tuple(cells[TITLE, address] for address in ("A1", "X12", "X9"))  # type: ignore[return-value]


def test_the_title_follows_what_training_does(tmp_path: Path) -> None:
    path = build(load(), tmp_path / "book.xlsx", sheets=["loss-surface"])
    titles = {rate: said(path, {("Walkthrough", "G31"): rate})[0] for rate in (1, 0, 100, 1000)}
    assert titles == {
        1: "Loss surface: training walks downhill",
        0: "Loss surface: training leaves the loss as it was, to six digits",
        100: "Loss surface: training ends lower than it began",
        1000: "Loss surface: training ends higher than it began",
    }


@pytest.mark.parametrize("template", ["xor", "optimisers"])
def test_the_path_of_several_samples_ends_where_the_loss_of_all_is_known(template: str, tmp_path: Path) -> None:
    definition = load(template)
    path = build(definition, tmp_path / "book.xlsx", sheets=["loss-surface"])
    words = str(said(path, {})[2])
    here, there = (float(number) for number in re.findall(r"\d+\.\d+", words))
    losses = losses_of(definition)
    assert there == pytest.approx(losses[24], rel=1e-4)  # after 96 iterations of four samples
    assert here == pytest.approx(there, rel=0.1)


def test_a_flat_map_says_so_and_is_not_shown_in_full_contrast(tmp_path: Path) -> None:
    path = build(load(), tmp_path / "book.xlsx", sheets=["loss-surface"])
    weight, _, reach = loss_surface.input_cells(0)
    upwards, _, other_reach = loss_surface.input_cells(1)
    flat: Changes = {(TITLE, weight): "w1", (TITLE, reach): 1e-6, (TITLE, upwards): "w2", (TITLE, other_reach): 1e-6}
    assert said(path, {})[1] == "low to high:"
    assert said(path, flat)[1] == "flat here:"
    sheet = opened(path, TITLE)[TITLE]
    scales = [rule.colorScale for rules in sheet.conditional_formatting for rule in rules.rules if rule.colorScale]
    assert len(scales) == 2, "the map and its legend"
    for scale in scales:
        assert [each.val for each in scale.cfvo] == ["$Y$12", "$Z$12", "MAX($AA$12,1.2*$Y$12)"]


def test_the_colours_have_their_values_beside_them(tmp_path: Path) -> None:
    cells = filled(tmp_path, load())
    _, losses = visits_and_losses(cells)
    wanted = [min(losses), sorted(losses)[len(losses) // 2], max(losses)]
    assert [cells[TITLE, address] for address in loss_surface.SCALE_CELLS] == pytest.approx(wanted)


def test_the_map_says_why_it_has_another_loss_where_the_path_ends(tmp_path: Path) -> None:
    path = build(load(), tmp_path / "book.xlsx", sheets=["loss-surface"])
    words = said(path, {})[2]
    here, there = (float(text.split(" at ")[1]) for text in words.removesuffix(":").split(","))
    assert there == pytest.approx(train(load())["E_total"][-1], rel=1e-3)
    assert here > 10 * there
    cells = judges.ironcalc_judge(path, {(TITLE, loss_surface.ITERATION_CELL): 67})
    assert cells[TITLE, "X10"] == "here the others are as at iteration 67, to the nearest cell."
    far = {(TITLE, loss_surface.input_cells(0)[1]): 500.0, (TITLE, loss_surface.input_cells(0)[2]): 1.0}
    assert said(path, far)[2] == "The path ends outside the map."


def test_path_and_map_share_their_edge_and_the_names_of_their_weights(tmp_path: Path) -> None:
    cells = filled(tmp_path, load())
    (chart,) = opened(tmp_path / "book.xlsx", TITLE)[TITLE]._charts
    edge = chart.series[-1]
    x, y = ([float(point.v) for point in each.numRef.numCache.pt] for each in (edge.xVal, edge.yVal))
    corners = [grid(cells, *corner)[:2] for corner in ((0, 0), (20, 0), (20, 20), (0, 20), (0, 0))]
    assert list(zip(x, y, strict=True)) == [pytest.approx(corner) for corner in corners]
    names = [axis.title.tx.strRef.strCache.pt[0].v for axis in (chart.x_axis, chart.y_axis)]
    assert names == ["w5", "w8"]


def test_it_fits_a_laptop_and_its_charts_are_told(tmp_path: Path) -> None:
    filled(tmp_path, load("mazur"))
    sheets.assert_fits_a_laptop(tmp_path, TITLE)
    sheets.assert_charts_are_told(tmp_path, TITLE, 1)


def test_one_iteration_is_called_neither_downhill_nor_unmoved(tmp_path: Path) -> None:
    path = build(load("classic", iterations=1), tmp_path / "book.xlsx", sheets=["loss-surface"])
    assert judges.ironcalc_judge(path, {})[TITLE, "A1"] == "Loss surface: the loss before any update"


def test_both_axes_of_the_map_turn_large_numbers_to_powers_of_ten(tmp_path: Path) -> None:
    sheet = opened(build(load("regression"), tmp_path / "book.xlsx", sheets=["loss-surface"]), TITLE)[TITLE]
    rules = {
        cell.split(":")[0]
        for each in sheet.conditional_formatting
        for rule in each.rules
        if rule.dxf is not None and rule.dxf.numFmt is not None
        for cell in str(each.sqref).split()
    }
    assert {"A4", "B25"} <= rules
