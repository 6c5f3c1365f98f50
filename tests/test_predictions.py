"""The sheet Predictions: what it shows of a network, against the engine and against the network written out here."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from openpyxl.utils import get_column_letter
from openpyxl.utils.cell import coordinate_to_tuple

from tests import judges, sheets
from tests.cases import thorough_but
from tests.judges import Cells, Changes
from tests.test_judges import QUICK_JUDGES, assert_agree
from xlbackprop import Definition, build, load, train
from xlbackprop.network.templates import names
from xlbackprop.workbook.sheets import predictions
from xlbackprop.workbook.sheets.predictions import CURVE_STEPS, STEPS, TITLE, Choices, Layout

TOP, LEFT = 5, 2
Array = NDArray[np.float64]


def filled(folder: Path, definition: Definition, choices: Choices = predictions.AS_GENERATED) -> Cells:
    """The values that the sheet carries."""
    return sheets.filled(folder, definition, "predictions", partial(predictions.predictions, choices=choices))


def block(cells: Cells, row: int, column: int, rows: int, columns: int) -> Array:
    """The numbers of a block of cells, shape (rows, columns)."""
    letters = [get_column_letter(column + index) for index in range(columns)]
    return np.array([[cells[TITLE, f"{letter}{row + index}"] for letter in letters] for index in range(rows)], float)


def table(cells: Cells, definition: Definition, name: str) -> list[Any]:
    """What stands under a heading of the table of the samples."""
    layout = Layout(definition)
    places = range(layout.side, layout.verdict + 2)
    column = next(
        place for place in places if cells.get((TITLE, f"{get_column_letter(place)}{layout.header_row}")) == name
    )
    return [
        cells[TITLE, f"{get_column_letter(column)}{row}"] for row in range(layout.header_row + 1, layout.last_row + 1)
    ]


def xor_network(made: int, x: Array, y: Array) -> tuple[Array, Array]:
    """What the first hidden unit and the output of the template say, written out."""
    definition = load("xor")
    trace = train(definition)
    at = trace.final if made == definition.iterations else trace.at(made)
    first, second = (np.tanh(at[f"w{2 * u - 1}"] * x + at[f"w{2 * u}"] * y + at[f"b{u}"]) for u in (1, 2))
    return first, 1 / (1 + np.exp(-(at["w5"] * first + at["w6"] * second + at["b3"])))


@pytest.mark.parametrize(
    ("made", "shown", "ranges"),
    [(192, "a_o1", ((None, None), (None, None))), (100, "a_h1", ((None, 0.5), (-2.0, 2.0)))],
)
def test_each_cell_of_the_map_is_a_forward_pass(
    made: int, shown: str, ranges: tuple[tuple[float | None, float | None], ...], tmp_path: Path
) -> None:
    cells = filled(tmp_path, load("xor"), Choices(made, shown, ranges))
    across = np.linspace(-0.125, 0.5 if ranges[0][1] else 1.125, STEPS)
    upwards = np.linspace(*((-2.0, 2.0) if ranges[1][0] else (-0.125, 1.125)), STEPS)
    np.testing.assert_allclose(block(cells, TOP + STEPS, LEFT, 1, STEPS)[0], across, atol=1e-12)
    np.testing.assert_allclose(block(cells, TOP, 1, STEPS, 1)[::-1, 0], upwards, atol=1e-12)
    hidden, output = xor_network(made, *np.meshgrid(across, upwards[::-1]))
    np.testing.assert_allclose(block(cells, TOP, LEFT, STEPS, STEPS), hidden if shown == "a_h1" else output, rtol=1e-9)


def test_the_curve_is_a_forward_pass(tmp_path: Path) -> None:
    definition = load("regression")
    filled(tmp_path, definition)
    (chart,) = openpyxl.load_workbook(tmp_path / "book.xlsx")[TITLE]._charts
    said, samples, *hidden = (
        np.array([[float(point.v) for point in each.numRef.numCache.pt] for each in (series.xVal, series.yVal)])
        for series in chart.series
    )
    at = train(definition).final
    np.testing.assert_allclose(said[0], np.linspace(-2.5, 2.5, CURVE_STEPS), atol=1e-12)
    units = [np.tanh(at[f"w{u}"] * said[0] + at[f"b{u}"]) for u in (1, 2)]
    np.testing.assert_allclose(said[1], at["w3"] * units[0] + at["w4"] * units[1] + at["b3"], rtol=1e-9)
    np.testing.assert_allclose([each[1] for each in hidden], units, rtol=1e-9)
    np.testing.assert_array_equal(samples, [np.ravel(definition.inputs), np.ravel(definition.targets)])


def changes(definition: Definition, choices: Choices) -> Changes:
    """What a reader types for these choices."""
    layout, typed = Layout(definition), dict[tuple[str, str], float | str | None]()
    wanted: dict[str, float | str | None] = {predictions.SHOWN: choices.shown, predictions.MADE: choices.made}
    for name, ends in zip(definition.names.inputs, choices.ranges, strict=False):
        wanted |= {f"{name} {end}": number for end, number in zip(("from", "to"), ends, strict=True)}
    for choice in layout.choices:
        typed[TITLE, layout.cell(choice)] = wanted[choice]
    return typed


CHOSEN = {
    "xor": Choices(7, "a_h2", ((3.0, -1.0), (None, 0.25))),
    "and-or": Choices(0, "a_o2", ((0.0, 0.0), (1e6, -1e6))),
    "regression": Choices(13, None, ((0.5, None),)),
    "iris-mini": Choices(1),
    "deep": Choices(60, "a_h2_1", ((None, None), (None, None))),
    "dead-relu": Choices(0),
    "classic": Choices(68, "a_o2", ((-1e6, 1e6), (0.1, 0.2))),
}


@pytest.mark.parametrize("template", thorough_but(CHOSEN, "xor", "regression", "iris-mini"))
def test_judges_agree_on_what_is_chosen(template: str, tmp_path: Path) -> None:
    definition = load(template)
    generated = build(definition, tmp_path / "generated.xlsx", sheets=["predictions"])
    for choices in (predictions.AS_GENERATED, CHOSEN[template]):
        filled(tmp_path, definition, choices)
        expected = judges.carried(tmp_path / "book.xlsx")
        typed = {} if choices is predictions.AS_GENERATED else changes(definition, choices)
        for judge in QUICK_JUDGES:
            assert_agree(judge(generated, typed), expected, f"{template} {choices}")


@pytest.mark.slow
@pytest.mark.parametrize("judge", [judges.libreoffice, judges.gnumeric])
def test_spreadsheet_programs_agree(judge: Any, tmp_path: Path) -> None:
    files, expected = [], []
    for template, choices in CHOSEN.items():
        definition = load(template)
        generated = build(definition, tmp_path / "generated.xlsx", sheets=["predictions"])
        files.append(judges.changed(generated, changes(definition, choices), template))
        filled(tmp_path, definition, choices)
        expected.append(judges.carried(tmp_path / "book.xlsx"))
    (tmp_path / "judged").mkdir()
    for file, actual, wanted in zip(files, judge(files, tmp_path / "judged"), expected, strict=True):
        assert_agree({cell: actual.get(cell) for cell in wanted}, wanted, file.stem)


# What each template promises


@pytest.mark.parametrize(
    ("template", "made", "title"),
    [
        ("xor", None, "4 of 4 right"),
        ("xor", 0, "3 of 4 right"),
        ("and-or", None, "4 of 4 right"),
        ("iris-mini", None, "15 of 15 right"),
        ("iris-mini", 0, "11 of 15 right"),
        ("regression", None, "what the network says"),
        ("classic", None, "what the network says"),
    ],
)
def test_the_title_counts_who_is_right(template: str, made: int | None, title: str, tmp_path: Path) -> None:
    definition = load(template)
    cells = filled(tmp_path, definition, Choices(made))
    assert cells[TITLE, "A1"] == f"Predictions: {title}"
    if title[0].isdigit():
        assert "".join(table(cells, definition, "right?")).count("✓") == int(title.split()[0])


def test_a_target_that_is_retyped_makes_the_network_wrong(tmp_path: Path) -> None:
    """The same weights, but for another class: rate 0 keeps them as they are."""
    definition = replace(load("xor"), learning_rate=0.0)
    path = build(definition, tmp_path / "book.xlsx", sheets=["predictions"])
    stored, flipped = judges.stored(path), {("Data", "D6"): 1.0}
    before, after = (stored | judges.ironcalc_judge(path, each) for each in ({}, flipped))
    assert [table(cells, definition, "t1")[0] for cells in (before, after)] == [0, 1]
    assert sorted(table(cells, definition, "right?")[0] for cells in (before, after)) == ["✓", "✗"]


def test_how_far_off_it_is(tmp_path: Path) -> None:
    definition = load("regression")
    cells = filled(tmp_path, definition)
    said, wanted = table(cells, definition, "a_o1"), table(cells, definition, "t1")
    off = [abs(t - a) for t, a in zip(wanted, said, strict=True)]
    assert table(cells, definition, "off by") == pytest.approx(off)
    layout = Layout(definition)
    assert cells[TITLE, f"{get_column_letter(layout.verdict + 1)}{layout.header_row - 1}"] == pytest.approx(max(off))


def under(cells: Cells, heading: str, columns: int) -> list[list[Any]]:
    """The rows of the small table under a heading."""
    place = next(address for (sheet, address), value in cells.items() if sheet == TITLE and value == heading)
    row, column = coordinate_to_tuple(place)
    letters, found = [get_column_letter(column + index) for index in range(columns)], []
    for line in range(row + 2, row + 30):
        numbers = [cells.get((TITLE, f"{letter}{line}")) for letter in letters]
        if numbers[1] is None:
            break
        found.append(numbers)
    return found


def test_a_dead_unit_is_named(tmp_path: Path) -> None:
    units = under(filled(tmp_path, load("dead-relu")), "The hidden units, over all samples", 5)
    assert [each[0] for each in units] == ["a_h1", "a_h2"]
    assert units[0][2] > 0.5
    assert not units[0][4]
    assert units[1][1:4] == [0, 0, 0]
    assert units[1][4].startswith("dead: 0 for every sample")


def test_the_gradient_of_every_layer(tmp_path: Path) -> None:
    definition = load("deep")
    layers = under(filled(tmp_path, definition, Choices(0)), "How much of the gradient reaches each layer", 2)
    first = train(definition).at(0)
    largest = [max(abs(first[f"∂E/∂{name}"]) for row in rows for name in row) for rows in definition.names.weights]
    assert [row[1] for row in layers] == pytest.approx(largest, rel=1e-9)
    assert layers[-1][1] > 250 * layers[0][1]


def test_flowers_by_class(tmp_path: Path) -> None:
    definition = load("iris-mini")
    classes = under(filled(tmp_path, definition), "How many of each class get which name", 4)
    assert [row[1:] for row in classes] == [[5, 0, 0], [0, 5, 0], [0, 0, 5]]
    before = under(filled(tmp_path, definition, Choices(0)), "How many of each class get which name", 4)
    assert sum(row[1 + index] for index, row in enumerate(before)) == 11


# How it looks


@pytest.mark.parametrize("template", thorough_but(names(), "classic"))
def test_it_fits_a_laptop_and_its_charts_are_told(template: str, tmp_path: Path) -> None:
    definition = load(template)
    filled(tmp_path, definition)
    sheets.assert_fits_a_laptop(tmp_path, TITLE)
    if len(definition.names.inputs) == 1 or template == "deep":
        sheets.assert_charts_are_told(tmp_path, TITLE, 1)


def test_samples_and_boundary_are_marked_without_colour(tmp_path: Path) -> None:
    filled(tmp_path, load("xor"))
    rules = [
        rule
        for each in openpyxl.load_workbook(tmp_path / "book.xlsx")[TITLE].conditional_formatting
        for rule in each.rules
    ]
    marks = [
        rule.dxf.numFmt.formatCode
        for rule in rules
        if rule.dxf and rule.dxf.numFmt and "E" not in rule.dxf.numFmt.formatCode
    ]
    assert [mark[1] for mark in marks] == ["○", "●", "◐"]
    assert sum(bool(rule.dxf and rule.dxf.border) for rule in rules) == 6
