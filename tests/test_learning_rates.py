"""The sheet Learning rates: what it tells, from the values and the formulas that it carries."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from tests import judges, sheets
from tests.books import build, opened
from tests.judges import Cells
from xlbackprop import Definition, load, train
from xlbackprop.workbook.panels.run import MOST_COMPARED_ITERATIONS

TITLE = "Learning rates"

VERDICTS = {
    0.1: "still falling",
    0.2: "still falling",
    0.5: "still falling",
    0.8: "converged",
    1: "converged",
    2: "converged",
    10: "converged",
    1000: "went up, then stuck: no gradient",
}
"""What brief 3.4 says of the class network, with a loss below 0.001 called small."""


def filled(folder: Path, definition: Definition) -> Cells:
    """The values that the sheet carries."""
    return sheets.filled(folder, definition, "learning-rates")


def test_verdicts_and_losses_of_the_class_network(tmp_path: Path) -> None:
    cells = filled(tmp_path, load())
    told = {cells[TITLE, f"{column}6"]: cells[TITLE, f"{column}9"] for column in "BCDEFGHI"}
    assert told == VERDICTS
    for column in "BCDEFGHI":
        rate, loss = cells[TITLE, f"{column}6"], cells[TITLE, f"{column}7"]
        assert isinstance(rate, int | float)
        assert loss == pytest.approx(train(load(learning_rate=float(rate)))["E_total"][-1], rel=1e-12, abs=1e-30)
    assert cells[TITLE, "I7"] == pytest.approx(0.25, abs=1e-5)


def test_a_definition_chooses_the_rates_and_how_many(tmp_path: Path) -> None:
    chosen = replace(load(), learning_rates=(0.2, 3.0, 40.0))
    cells = filled(tmp_path, chosen)
    assert [cells.get((TITLE, f"{column}6")) for column in "BCDE"] == [0.2, 3.0, 40.0, None]
    for column, rate in zip("BCD", chosen.learning_rates, strict=True):
        assert cells[TITLE, f"{column}7"] == pytest.approx(train(load(learning_rate=rate))["E_total"][-1], rel=1e-12)
    sheet = opened(tmp_path / "book.xlsx", TITLE)[TITLE]
    assert "$I$" in sheet.print_area  # as far as the charts reach


def test_first_iteration_below_the_threshold(tmp_path: Path) -> None:
    with sheets.small_below(0.005):
        cells = filled(tmp_path, load())
    below = np.flatnonzero(train(load(learning_rate=0.5))["E_total"] < 0.005)
    assert cells[TITLE, "D8"] == below[0]
    assert cells[TITLE, "B8"] == "never"
    assert cells[TITLE, "B10"] == "Trained first with η = 10, from iteration 2"


def test_rates_that_tie_are_not_told_as_one(tmp_path: Path) -> None:
    path = build(load(), tmp_path / "book.xlsx", sheets=["learning-rates"])
    for change, words in ((10, "η = 10"), (2, "η = 2 and others")):
        cells = judges.ironcalc_judge(path, {(TITLE, "H6"): change, (TITLE, "B4"): 0.005})
        assert str(cells[TITLE, "B10"]).startswith(f"Trained first with {words}, from iteration ")


def test_where_nothing_can_be_judged_nothing_is_said(tmp_path: Path) -> None:
    path = build(load(), tmp_path / "book.xlsx", sheets=["learning-rates"])
    nothing_to_learn = {("Walkthrough", f"{column}33"): 0.0 for column in "EFGHMNOP"}
    for changes in (nothing_to_learn, {("Walkthrough", "A33"): "a word"}):
        assert not judges.ironcalc_judge(path, changes)[TITLE, "B10"]
    never = judges.ironcalc_judge(path, {(TITLE, "B4"): 0})
    assert never[TITLE, "B10"] == "With none of these rates is the network trained."


def test_a_small_loss_that_is_stuck_was_not_never_small(tmp_path: Path) -> None:
    cells = filled(tmp_path, load("classic-01-99"))
    told = {column: (cells[TITLE, f"{column}8"], cells[TITLE, f"{column}9"]) for column in "BHI"}
    assert told == {"B": ("never", "still falling"), "H": (6, "converged"), "I": ("–", "stuck: no gradient")}
    assert float(str(cells[TITLE, "I7"])) < float(str(cells[TITLE, "B4"]))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("rates", "verdict"),
    [((0.0,) * 8, "did not move"), ((100.0,) * 8, "went up, then converged"), ((0.01,) * 8, "still falling")],
)
def test_other_verdicts(rates: tuple[float, ...], verdict: str, tmp_path: Path) -> None:
    assert filled(tmp_path, replace(load(iterations=200), learning_rates=rates))[TITLE, "B9"] == verdict


def test_a_run_that_rises_says_so(tmp_path: Path) -> None:
    near = replace(load(iterations=6), targets=(0.6, 0.63), learning_rates=(100.0,) * 8)
    with sheets.small_below(1e-9):
        cells = filled(tmp_path, near)
    assert cells[TITLE, "B9"] == "rising"


def test_a_loss_of_zero_stays_on_the_logarithmic_axis(tmp_path: Path) -> None:
    perfect = replace(load(iterations=3), targets=(0.606477732206728, 0.630480835450635))
    exact = replace(perfect, targets=tuple(float(train(perfect)[name][0]) for name in ("a_o1", "a_o2")))
    cells = filled(tmp_path, exact)
    assert train(exact)["E_total"][0] == 0
    assert cells[TITLE, "B7"] == 0
    assert all(value > 0 for value in logarithmic(tmp_path)[0])


def logarithmic(folder: Path) -> list[list[float]]:
    """What the curves of the logarithmic chart carry."""
    chart = opened(folder / "book.xlsx", TITLE)[TITLE]._charts[1]
    return [[float(point.v) for point in series.yVal.numRef.numCache.pt] for series in chart.series]


def test_one_rate_that_runs_away_does_not_flatten_the_others(tmp_path: Path) -> None:
    definition = replace(load("optimisers"), compare=(), learning_rates=(0.5, 1.0, 2.0))
    filled(tmp_path, definition)
    linear, _ = opened(tmp_path / "book.xlsx", TITLE)[TITLE]._charts
    points = [[float(point.v) for point in series.yVal.numRef.numCache.pt] for series in linear.series]
    assert max(map(max, points)) == pytest.approx(2 * points[0][0])
    assert max(map(max, logarithmic(tmp_path))) == pytest.approx(1e6 * points[0][0])


@pytest.mark.thorough
def test_more_iterations_than_a_classroom_opens_are_left_out(tmp_path: Path) -> None:
    cells = filled(tmp_path, load(iterations=MOST_COMPARED_ITERATIONS + 50))
    assert cells[TITLE, "A7"] == f"loss at iteration {MOST_COMPARED_ITERATIONS - 1}"


def test_charts_store_every_curve_and_differ_in_more_than_colour(tmp_path: Path) -> None:
    filled(tmp_path, load())
    linear, logarithmic = opened(tmp_path / "book.xlsx", TITLE)[TITLE]._charts
    assert logarithmic.y_axis.scaling.logBase == 10
    assert linear.y_axis.scaling.logBase is None
    assert logarithmic.y_axis.scaling.min is None, "from the data"
    for chart in (linear, logarithmic):
        assert not chart.x_axis.delete
        assert not chart.y_axis.delete
        lines = [series.graphicalProperties.line for series in chart.series]
        assert len({line.prstDash for line in lines}) == len(VERDICTS)
        for series, rate in zip(chart.series, VERDICTS, strict=True):
            points = [point.v for point in series.yVal.numRef.numCache.pt]
            losses = train(load(learning_rate=rate))["E_total"]
            first = losses[0]
            shown = np.minimum(2 * first, losses) if chart is linear else np.maximum(1e-10 * first, losses)
            np.testing.assert_allclose(points, shown, rtol=1e-12)
        assert chart.x_axis.scaling.max / chart.x_axis.majorUnit <= 10


@pytest.mark.thorough
def test_it_fits_a_laptop_and_its_charts_are_told(tmp_path: Path) -> None:
    filled(tmp_path, load("mazur"))
    sheets.assert_fits_a_laptop(tmp_path, TITLE)
    sheets.assert_charts_are_told(tmp_path, TITLE, 2)


def test_the_charts_end_within_the_first_screen(tmp_path: Path) -> None:
    filled(tmp_path, load())
    sheet = opened(tmp_path / "book.xlsx", TITLE)[TITLE]
    heights = [
        sheet.row_dimensions[row].height or 15 for row in range(1, 1 + max(c.anchor.to.row for c in sheet._charts))
    ]
    assert sum(heights) * 96 / 72 <= 768 - 182  # what the bars of a program take


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["classic", "and-or"])
@pytest.mark.parametrize("typed", ["", "a word"])
@pytest.mark.parametrize("judge", [judges.ironcalc_judge, judges.formualizer_judge])
def test_a_rate_that_is_no_number_has_no_curve_and_no_verdict(
    name: str, typed: str, judge: Callable[..., Cells], tmp_path: Path
) -> None:
    definition = load(name, iterations=12)
    path = build(definition, tmp_path / "book.xlsx", sheets=["learning-rates"])
    charts = opened(path, TITLE)[TITLE]._charts
    labels = [re.sub(r".*!|\$", "", series.tx.strRef.f) for series in charts[0].series]
    stored = opened(path, TITLE, data_only=True)[TITLE]
    assert [stored[label].value for label in labels] == list(definition.learning_rates)
    cells = judge(path, {(TITLE, "C6"): typed, (TITLE, "D6"): 0.3})
    assert [cells[TITLE, label] for label in labels[:3]] == [definition.learning_rates[0], "no number", 0.3]
    assert [cells.get((TITLE, f"C{row}")) or "" for row in (7, 8, 9)] == ["", "", "no number"]
    assert not [value for value in cells.values() if isinstance(value, str) and value.startswith("#")]
    sheet = opened(path, TITLE)[TITLE]
    for chart in charts:
        drawn, left_out = (
            {(cells[TITLE, x.coordinate], cells[TITLE, y.coordinate]) for (x,), (y,) in zip(*ranges, strict=True)}
            for ranges in (
                [sheet[each.numRef.f.rpartition("!")[2]] for each in (series.xVal, series.yVal)]
                for series in (chart.series[0], chart.series[1])
            )
        )
        assert len(drawn) > 2
        assert len(left_out) == 1, "a curve whose points are one"


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["classic", "xor"])
def test_the_working_shows_numbers_too_large_for_its_columns_by_powers_of_ten(name: str, tmp_path: Path) -> None:
    path = build(load(name, iterations=12), tmp_path / "book.xlsx", sheets=["learning-rates"])
    sheet = opened(path, TITLE)[TITLE]
    heads = {cell.coordinate for row in sheet.iter_rows() for cell in row if cell.value == "w1"}
    ranges = [rule.sqref for rule in sheet.conditional_formatting]
    assert len(heads) >= len(load(name).learning_rates)
    for head in heads:
        below = sheet[head].offset(row=3).coordinate
        assert any(below in cells for cells in ranges), head
