"""The loss of all samples: one figure on every sheet, and whether a step was worth it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from msgspec.structs import replace

from tests import judges
from tests.books import build, opened
from tests.judges import Cells
from xlbackprop import Definition, load, train
from xlbackprop.walkthrough.loss_curve import MOST_POINTS, LossCurve
from xlbackprop.workbook.sheets import step_by_step

SHEETS = ["walkthrough", "data", "learning-rates"]
STEPS = ["step-by-step"]


def loss_of_xor(weights: dict[str, float], targets: Any) -> float:
    """Two tanh units, a sigmoid and the binary cross-entropy, over the four pairs of 1 and 0."""
    w = {name: np.float64(value) for name, value in weights.items()}
    i1, i2 = np.array([1.0, 1, 0, 0]), np.array([1.0, 0, 1, 0])
    a1 = np.tanh(w["w1"] * i1 + w["w2"] * i2 + w["b1"])
    a2 = np.tanh(w["w3"] * i1 + w["w4"] * i2 + w["b2"])
    a = 1 / (1 + np.exp(-(w["w5"] * a1 + w["w6"] * a2 + w["b3"])))
    return float(-(targets * np.log(a) + (1 - targets) * np.log(1 - a)).mean())


def curve(definition: Definition) -> list[float]:
    trace, targets = train(definition), np.array([row[0] for row in definition.targets])  # type: ignore[index]
    points = [{name: trace[name][made] for name in trace.final} for made in range(0, len(trace), 4)]
    return [loss_of_xor(each, targets) for each in (*points, dict(trace.final))]


def label(path: Path, sheet: str, text: str) -> str:
    """The address of the first cell with a text."""
    cells = (cell for row in opened(path)[sheet].iter_rows() for cell in row)
    return str(next(cell.coordinate for cell in cells if cell.value == text))


def column(cells: Cells, sheet: str, address: str, count: int) -> list[Any]:
    letters, row = address.rstrip("0123456789"), int(address.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    return [cells[sheet, f"{letters}{row + index}"] for index in range(1, count + 1)]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("rate", "changed"), [(2.0, {}), (0.5, {"batch_size": 1}), (10.0, {"batch_size": 3, "order": "shuffled"})]
)
def test_one_figure_on_every_sheet(rate: float, changed: dict[str, Any], tmp_path: Path) -> None:
    definition = replace(load("xor", iterations=24), learning_rates=(1.0, 2.0), **changed)
    path = build(definition, tmp_path / "book.xlsx", sheets=SHEETS)
    eta = label(path, "Walkthrough", "η =").replace("F", "G")
    cells = judges.ironcalc_judge(path, {("Walkthrough", eta): rate, ("Learning rates", "C6"): rate})
    wanted = curve(replace(definition, learning_rate=rate))
    head = label(path, "Data", "loss of all samples")
    assert column(cells, "Data", head, 7) == pytest.approx(wanted)
    last = label(path, "Walkthrough", "loss of all 4 samples after 6 epochs:").replace("M", "N")
    assert cells["Walkthrough", last] == pytest.approx(wanted[-1])
    assert cells["Learning rates", "C7"] == pytest.approx(wanted[-1])
    mean = label(path, "Data", "mean loss")
    following = opened(path)["Data"][mean].offset(0, 1).coordinate
    assert cells["Data", following] == pytest.approx(wanted[-1])


def test_the_chart_begins_before_the_training_and_has_one_point_an_epoch(tmp_path: Path) -> None:
    definition = load("xor")
    book = openpyxl.load_workbook(build(definition, tmp_path / "book.xlsx", sheets=["data"]))
    charts = book["Walkthrough"]._charts
    assert charts
    for chart in charts:
        (series,) = chart.series
        points = [float(point.v) for point in series.yVal.numRef.numCache.pt]
        assert points == pytest.approx(curve(definition))
        assert [float(point.v) for point in series.xVal.numRef.numCache.pt] == list(range(49))
        assert points == sorted(points, reverse=True), "no rise that never happened, no stairs"


def test_the_answers_on_data_are_those_of_the_epoch_chosen(tmp_path: Path) -> None:
    definition = load("xor", iterations=24)
    path = build(definition, tmp_path / "book.xlsx", sheets=["data"])
    mean = opened(path)["Data"][label(path, "Data", "mean loss")].offset(0, 1).coordinate
    for typed, point in ((0, 0), (3, 3), (3.7, 3), (99, 6), (-2, 0), ("a word", 6), (None, 6)):
        cells = judges.ironcalc_judge(path, {("Data", "C3"): typed})
        assert cells["Data", mean] == pytest.approx(curve(definition)[point]), typed


@pytest.mark.parametrize("typed", [0.533333, None])
def test_a_part_of_an_epoch_may_be_typed_as_it_is_shown(typed: float | None, tmp_path: Path) -> None:
    path = build(load("iris-mini", iterations=8), tmp_path / "book.xlsx", sheets=["data"])
    mean = opened(path)["Data"][label(path, "Data", "mean loss")].offset(0, 1).coordinate
    cells = judges.ironcalc_judge(path, {("Data", "C3"): typed})
    assert cells["Data", mean] == pytest.approx(judges.carried(path)["Data", mean])


@pytest.mark.parametrize(("samples", "iterations"), [(4, 192), (4, 7), (5, 3), (1000, 100_000), (3, 1)])
def test_the_points_of_a_curve(samples: int, iterations: int) -> None:
    points = LossCurve(samples, iterations)
    made = points.made
    assert made[0] == 0
    assert made[-1] == iterations
    assert all(each % samples == 0 for each in made[:-1])
    assert list(made) == sorted(set(made))
    assert len(made) <= MOST_POINTS + 1
    assert points.epochs[-1] == iterations / samples


# Was it worth it?


def answer(path: Path, iteration: int) -> tuple[Any, Any]:
    """The new loss and the verdict on it."""
    row = int(label(path, "Step by step", "new E")[1:])
    title = "Step by step"
    cells = judges.ironcalc_judge(path, {(title, step_by_step.ITERATION_CELL): iteration})
    return cells[title, f"D{row}"], cells[title, f"E{row}"]


def test_nothing_moves_before_the_batch_is_complete(tmp_path: Path) -> None:
    path = build(load("xor", iterations=16), tmp_path / "book.xlsx", sheets=STEPS)
    wanted = curve(load("xor", iterations=16))
    assert answer(path, 0) == (pytest.approx(wanted[0]), "Nothing moves yet: 1 of 4 samples of the batch are seen.")
    assert answer(path, 6) == (pytest.approx(wanted[1]), "Nothing moves yet: 3 of 4 samples of the batch are seen.")
    assert answer(path, 7) == (pytest.approx(wanted[2]), "Yes: the loss of all 4 samples went down.")
    assert answer(path, 15) == (pytest.approx(wanted[-1]), "Yes: the loss of all 4 samples went down.")


def test_no_step_downhill_where_nothing_moves(tmp_path: Path) -> None:
    path, title = build(load("xor", iterations=16), tmp_path / "book.xlsx", sheets=STEPS), "Step by step"
    sheet = opened(path, title)[title]
    rows = [row for row in range(6, sheet.max_row + 1) if str(sheet[f"A{row}"].value).startswith("new ")][:-1]
    for iteration, words in ((0, "unchanged to twelve decimals"), (3, "a step downhill")):
        cells = judges.ironcalc_judge(path, {(title, step_by_step.ITERATION_CELL): iteration})
        assert all(words in str(cells[title, f"E{row}"]) for row in rows), iteration


def test_a_dead_unit_does_not_move(tmp_path: Path) -> None:
    path = build(load("dead-relu"), tmp_path / "book.xlsx", sheets=STEPS)
    sheet = opened(path, "Step by step", data_only=True)["Step by step"]
    told = {row[0]: row[4] for row in sheet.iter_rows(values_only=True)}
    assert told["new w2"].endswith("unchanged to twelve decimals")
    assert told["new w1"].endswith("a step downhill")


def test_a_step_for_one_sample_may_cost_the_others(tmp_path: Path) -> None:
    definition = replace(load("xor", learning_rate=3.0, iterations=12), batch_size=1)
    path = build(definition, tmp_path / "book.xlsx", sheets=STEPS)
    trace, targets = train(definition), np.array([0.0, 1, 1, 0])
    told = []
    for iteration in range(8):
        before, after = (
            loss_of_xor({name: trace[name][made] for name in trace.final}, targets)
            for made in (iteration, iteration + 1)
        )
        new, words = answer(path, iteration)
        assert new == pytest.approx(after)
        assert str(words).startswith("No: the loss of all 4 samples went up" if after > before else "Yes")
        told.append(words)
    assert any(str(words).endswith("the step was made for this sample alone.") for words in told)


def test_the_sheet_opens_at_the_first_number_of_the_first_sample(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(build(load("xor"), tmp_path / "book.xlsx", sheets=["data"]))
    assert "B6" in [selection.activeCell for selection in book["Data"].sheet_view.selection]
