"""The sheet Predictions: what it shows of a network, against the engine and against the network written out here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from openpyxl.utils import get_column_letter, range_boundaries
from openpyxl.utils.cell import coordinate_to_tuple

from tests import judges, sheets
from tests.books import build, opened
from tests.cases import thorough_but
from tests.judges import Cells, Changes
from tests.test_judges import QUICK_JUDGES, assert_agree
from xlbackprop import Definition, load, train
from xlbackprop.ground.grid import address
from xlbackprop.network.templates import names
from xlbackprop.walkthrough import fit
from xlbackprop.workbook.sheets.predictions import CURVE_STEPS, MAP_STEPS, Layout

TITLE = "Predictions"

TOP, LEFT = 5, 2
Array = NDArray[np.float64]
Typed = dict[str, float | str | None]
"""What a reader chooses, by what is chosen."""


@cache
def built(template: str, folder: Path) -> Path:
    """A workbook of the Walkthrough and this sheet, which is only looked at."""
    (folder / template).mkdir(exist_ok=True)
    return build(load(template), folder / template / "book.xlsx", sheets=["predictions"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("predictions")


def changes(definition: Definition, typed: Typed) -> Changes:
    layout = Layout(definition)
    return {(TITLE, layout.cell(choice)): value for choice, value in typed.items()}


def recalculated(template: str, folder: Path, typed: Typed, others: Changes | None = None) -> Cells:
    """All cells of the workbook after a reader has chosen, and typed something elsewhere."""
    path = built(template, folder)
    return judges.stored(path) | judges.ironcalc_judge(path, {**changes(load(template), typed), **(others or {})})


def block(cells: Cells, row: int, column: int, rows: int, columns: int) -> Array:
    """The numbers of a block of cells, shape (rows, columns)."""
    letters = [get_column_letter(column + index) for index in range(columns)]
    return np.array([[cells[TITLE, f"{letter}{row + index}"] for letter in letters] for index in range(rows)], float)


def table(cells: Cells, definition: Definition, name: str) -> list[Any]:
    """What stands under a heading of the table of the samples."""
    layout = Layout(definition)
    letters = map(get_column_letter, range(layout.side, layout.verdict + 2))
    letter = next(each for each in letters if cells.get((TITLE, f"{each}{layout.header_row}")) == name)
    return [cells[TITLE, f"{letter}{row}"] for row in range(layout.header_row + 1, layout.last_row + 1)]


def weights(definition: Definition, made: int) -> Mapping[str, float]:
    trace = train(definition)
    return trace.final if made == definition.iterations else {name: trace[name][made] for name in trace.final}


MAPS: dict[str, tuple[Typed, tuple[float, ...]]] = {
    "xor": ({}, (-0.125, 1.125, -0.125, 1.125)),
    "and-or": ({"shown": "a_o2", "after": 0, "i1 from": 3.0, "i1 to": -1.0}, (-1.0, 3.0, -0.125, 1.125)),
    "deep": ({"shown": "a_h2_1", "after": 7, "i2 to": 2.0}, (0.0, 2.0, -0.5, 2.0)),
    "classic": ({"shown": "a_h2", "i1 from": -1e6, "i1 to": 1e6}, (-1e6, 1e6, -0.9, 1.1)),
}
"""What is chosen, and where the map begins and ends then, across and upwards."""


@pytest.mark.parametrize("template", thorough_but(MAPS, "xor", "and-or"))
def test_each_cell_of_the_map_is_a_forward_pass(template: str, folder: Path) -> None:
    definition, (typed, (left, right, low, high)) = load(template), MAPS[template]
    cells = recalculated(template, folder, typed)
    across, upwards = np.linspace(left, right, MAP_STEPS), np.linspace(low, high, MAP_STEPS)
    np.testing.assert_allclose(block(cells, TOP + MAP_STEPS, LEFT, 1, MAP_STEPS)[0], across, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(block(cells, TOP, 1, MAP_STEPS, 1)[::-1, 0], upwards, rtol=1e-12, atol=1e-12)
    at = weights(definition, int(typed.get("after", definition.iterations) or 0))
    passed = [[forward(definition, at, (x, y))[typed.get("shown", "a_o1")] for x in across] for y in upwards[::-1]]
    np.testing.assert_allclose(block(cells, TOP, LEFT, MAP_STEPS, MAP_STEPS), passed, rtol=1e-9, atol=1e-12)


def test_the_boundary_of_a_hidden_unit_is_where_its_weighted_sum_is_0(folder: Path) -> None:
    """tanh(0) is 0; of an output it is halfway between the targets."""
    layout = Layout(load("xor"))
    row, column = layout.scale_row + 1, layout.side + 2
    places = [(TITLE, f"{get_column_letter(column + offset)}{row}") for offset in (0, 2)]
    output, hidden = (recalculated("xor", folder, {"shown": name}) for name in ("a_o1", "a_h1"))
    assert [output[place] for place in places] == [0.5, "line: halfway between the targets"]
    assert [hidden[place] for place in places] == [0, "line: its weighted sum is 0"]


@pytest.mark.parametrize(
    ("template", "equal"), [("classic", {}), ("xor", {("Data", f"D{row}"): 1.0 for row in range(6, 10)})]
)
def test_the_line_between_equal_targets_is_the_target(template: str, equal: Changes, folder: Path) -> None:
    """Of a single sample, and of several that a reader has made equal; such a sample stands on the line, not above."""
    layout = Layout(load(template))
    row, column = layout.scale_row + 1, layout.side + 2
    cells = recalculated(template, folder, {}, equal)
    line, words, marks = (
        cells[TITLE, place] for place in (address(row, column), address(row, column + 2), address(row + 1, column - 1))
    )
    assert {line, *table(cells, load(template), "t1")} == {1.0 if equal else 0.5}
    assert words == "line: the target"
    assert ("halfway or above" if equal else "the sample") in str(marks)


def test_numbers_too_large_for_a_column_are_shown_shorter(folder: Path) -> None:
    sheet = opened(built("regression", folder), TITLE)[TITLE]
    layout = Layout(load("regression"))
    cell = address(layout.header_row + 1, layout.verdict + 1)
    rules = [rule for cells in sheet.conditional_formatting if cell in cells.sqref for rule in cells.rules]
    shown = [(rule.dxf.numFmt.formatCode, rule.formula[0].rpartition(">=")[2].rstrip(")")) for rule in rules]
    assert shown == [("0E+00", "1e+06"), ("0", "100")]


LINES = "Black lines: where it passes the value under “line”."


@pytest.mark.parametrize(("made", "choices"), [(68, {}), (68, {"i1 to": 90}), (0, {})])
def test_a_flat_map_says_so(made: int, choices: Typed, folder: Path) -> None:
    cells = recalculated("classic", folder, {"after": made, **choices})
    shown = block(cells, TOP, LEFT, MAP_STEPS, MAP_STEPS)
    is_flat = round(shown.min(), 2) == round(shown.max(), 2)
    assert cells[TITLE, "A3"] == ("The same everywhere here, to two decimals." if is_flat else LINES)
    assert is_flat == (made == 68 and not choices)


@pytest.mark.parametrize(("template", "offered"), [("xor", "← an output, or a hidden unit"), ("and-or", "← an output")])
def test_a_hidden_unit_is_only_offered_where_there_is_one(template: str, offered: str, folder: Path) -> None:
    assert offered in [value for (title, _), value in judges.stored(built(template, folder)).items() if title == TITLE]


def forward(definition: Definition, at: Mapping[str, float], values: Sequence[float]) -> dict[Any, float]:
    """Every activation for some inputs, written out with lists."""
    functions = {"sigmoid": lambda x: 1 / (1 + math.exp(-min(700, max(-700, x)))), "tanh": math.tanh}
    names, said = definition.names, dict[Any, float]()
    for layer, units in enumerate(names.activations):
        sums = [sum(at[w] * x for w, x in zip(row, values, strict=True)) for row in names.weights[layer]]
        biases = [at[name] for name in names.biases[layer]] or [0.0] * len(sums)
        values = [functions[definition.layers[layer].activation](s + b) for s, b in zip(sums, biases, strict=True)]
        said |= dict(zip(units, values, strict=True))
    return said


def test_the_curve_is_a_forward_pass(folder: Path) -> None:
    definition = load("regression")
    (chart,) = opened(built("regression", folder), TITLE)[TITLE]._charts
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


def test_a_curve_follows_what_is_chosen(folder: Path) -> None:
    definition = load("regression")
    cells = recalculated("regression", folder, {"after": 13, "i1 from": 0.5})
    (chart,) = opened(built("regression", folder), TITLE)[TITLE]._charts
    first, said = (each.numRef.f.rpartition("!")[2] for each in (chart.series[0].xVal, chart.series[0].yVal))
    x, a = (block(cells, row, column, CURVE_STEPS, 1)[:, 0] for column, row, *_ in map(range_boundaries, (first, said)))
    at = weights(definition, 13)
    np.testing.assert_allclose(x, np.linspace(0.5, 2.5, CURVE_STEPS), atol=1e-12)
    wanted = sum(at[f"w{u + 2}"] * np.tanh(at[f"w{u}"] * x + at[f"b{u}"]) for u in (1, 2)) + at["b3"]
    np.testing.assert_allclose(a, wanted, rtol=1e-9)


@pytest.mark.parametrize("template", thorough_but(names(), "xor", "regression"))
def test_judges_agree(template: str, folder: Path) -> None:
    path = built(template, folder)
    for judge in QUICK_JUDGES:
        assert_agree(judge(path, {}), judges.carried(path), template)


@pytest.mark.slow
@pytest.mark.parametrize("judge", [judges.libreoffice, judges.gnumeric])
def test_spreadsheet_programs_agree(judge: Any, tmp_path: Path) -> None:
    files, expected = [], []
    chosen: dict[str, Typed] = {"and-or": MAPS["and-or"][0], "iris-mini": {"after": 1}, "dead-relu": {"i1 to": 2.0}}
    for template, choices in chosen.items():
        definition = load(template, iterations=15)
        typed = changes(definition, choices)
        generated = build(definition, tmp_path / "generated.xlsx", sheets=["predictions"])
        files.append(judges.changed(generated, typed, template))
        expected.append(judges.ironcalc_judge(generated, typed))
    (tmp_path / "judged").mkdir()
    for file, actual, wanted in zip(files, judge(files, tmp_path / "judged"), expected, strict=True):
        assert_agree({cell: actual.get(cell) for cell in wanted}, wanted, file.stem)


# What each template promises


TITLES = {
    ("xor", 192): "4 of 4 right",
    ("xor", 0): "3 of 4 right",
    ("and-or", 60): "4 of 4 right",
    ("iris-mini", 105): "15 of 15 right",
    ("iris-mini", 0): "11 of 15 right",
    ("regression", 270): "what the network says",
    ("dead-relu", 60): "what the network says",
    ("classic", 68): "what the network says",
}


@pytest.mark.parametrize("case", thorough_but(TITLES, ("xor", 0), ("iris-mini", 105), ("dead-relu", 60)))
def test_the_title_counts_who_is_right(case: tuple[str, int], folder: Path) -> None:
    template, made = case
    cells, title = recalculated(template, folder, {"after": made}), TITLES[template, made]
    assert cells[TITLE, "A1"] == f"Predictions: {title}"
    if title[0].isdigit():
        assert "".join(table(cells, load(template), "right?")).count("✓") == int(title.split()[0])


def test_a_target_that_is_retyped_makes_the_network_wrong(folder: Path) -> None:
    """The weights at the beginning stay what they are; the network answers 1 to nobody but the first."""
    definition, typed = load("xor"), {("Data", "D6"): 1.0}
    before, after = (recalculated("xor", folder, {"after": 0}, each) for each in ({}, typed))
    assert [table(cells, definition, "t1")[0] for cells in (before, after)] == [0, 1]
    assert sorted(table(cells, definition, "right?")[0] for cells in (before, after)) == ["✓", "✗"]


def test_how_far_off_it_is(folder: Path) -> None:
    definition, cells = load("regression"), judges.stored(built("regression", folder))
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


def test_a_dead_unit_is_named(folder: Path) -> None:
    units = under(judges.stored(built("dead-relu", folder)), "The hidden units, over all samples", 5)
    assert [each[0] for each in units] == ["a_h1", "a_h2"]
    assert units[0][2] > 0.5
    assert not units[0][4]
    assert units[1][1:4] == [0, 0, 0]
    assert units[1][4].startswith("dead: always 0")


def test_a_dead_unit_that_is_woken_is_dead_no_more(folder: Path) -> None:
    bias = "Walkthrough", fit(load("dead-relu"), "compact").table.cell("b2")
    awake = under(recalculated("dead-relu", folder, {}, {bias: 0.1}), "The hidden units, over all samples", 5)
    assert not awake[1][4]
    assert awake[1][2] > 0.5


def test_the_gradient_of_every_layer(folder: Path) -> None:
    definition = load("deep")
    layers = under(recalculated("deep", folder, {"after": 0}), "How much of the gradient reaches each layer", 2)
    first = train(definition).at(0)
    largest = [max(abs(first[f"∂E/∂{name}"]) for row in rows for name in row) for rows in definition.names.weights]
    assert [row[1] for row in layers] == pytest.approx(largest, rel=1e-9)
    assert layers[-1][1] > 250 * layers[0][1]


def test_flowers_by_class(folder: Path) -> None:
    heading = "How many of each class get which name"
    after, before = (under(recalculated("iris-mini", folder, {"after": made}), heading, 4) for made in (105, 0))
    assert [row[1:] for row in after] == [[5, 0, 0], [0, 5, 0], [0, 0, 5]]
    assert sum(row[1 + index] for index, row in enumerate(before)) == 11


# How it looks


@pytest.mark.parametrize("template", thorough_but(names(), "classic"))
def test_it_fits_a_laptop_and_its_charts_are_told(template: str, folder: Path) -> None:
    place = built(template, folder).parent
    sheets.assert_fits_a_laptop(place, TITLE)
    if len(load(template).names.inputs) == 1 or template == "deep":
        sheets.assert_charts_are_told(place, TITLE, 1)


def test_samples_and_boundary_are_marked_without_colour(folder: Path) -> None:
    formatting = opened(built("xor", folder), TITLE)[TITLE].conditional_formatting
    styles = [rule.dxf for each in formatting for rule in each.rules if rule.dxf]
    marks = [style.numFmt.formatCode for style in styles if style.numFmt and style.border]
    assert [mark[1] for mark in marks] == ["○", "●", "◐"]
    assert sum(bool(style.border) for style in styles) == 6
