"""The sheet Network: its numbers against the engine and Step by step, every iteration and every weight chosen."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import ironcalc
import pytest
from openpyxl.utils.cell import coordinate_to_tuple

from tests import judges
from tests.books import opened
from tests.cases import thorough_but
from tests.networks import deep, sized
from tests.test_judges import assert_agree
from tests.test_pocket_calculator import assert_true, pressed
from tests.test_step_by_step import lines as step_by_step_lines
from xlbackprop import Definition, UserError, build, load, train
from xlbackprop.derivation.equations import derive
from xlbackprop.ground.grid import address
from xlbackprop.network.loading import parse
from xlbackprop.network.names import derivative
from xlbackprop.symbols import short
from xlbackprop.walkthrough.computational_graph import Line, picture
from xlbackprop.walkthrough.path import paths
from xlbackprop.workbook.sheets.network import ITERATION_CELL, LONGEST, TOP_ROW, WEIGHT_CELL, layout_of

TITLE = "Network"

ONLY = ["network"]


def shared_bias() -> Definition:
    """Two units that share a bias which is learned, and softmax with squared errors."""
    layers = [{"units": 2, "bias": 0.1, "activation": "tanh"}, {"units": 3, "bias": -0.2, "activation": "softmax"}]
    return parse(sized(2, 2, 3, layers=layers, train_biases=True, iterations=4), source="shared.toml")


DEFINITIONS = (
    load("classic", iterations=6),
    load("mazur-biases", iterations=3),
    load("xor", iterations=6),
    load("and-or", iterations=6),
    load("iris-mini", iterations=5),
    load("optimisers", iterations=6),
    deep(),
    shared_bias(),
    parse(sized(1, 1), source="least.toml"),
    parse(sized(4, 5, 3), source="wide.toml"),
)
every_definition = pytest.mark.parametrize(
    "definition", thorough_but(DEFINITIONS, *DEFINITIONS[:3], *DEFINITIONS[6:8]), ids=lambda each: each.title
)
Shown = Mapping[str, judges.Value]
Choose = Callable[[int, str], Shown]
Built = Callable[[Definition], Path]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The workbook of a definition with no other sheet of a choice, made once."""
    folder, made = tmp_path_factory.mktemp("network"), dict[str, Path]()

    def book(definition: Definition) -> Path:
        if definition.title not in made:
            path = folder / f"{len(made)}.xlsx"
            made[definition.title] = build(definition, path, sheets=ONLY)
        return made[definition.title]

    return book


@cache
def chosen_in(path: Path) -> Choose:
    """What the sheet shows for an iteration and a weight, by address, recalculated by IronCalc."""
    model = ironcalc.load_from_xlsx(str(judges.without_values(path)), "en", "UTC", "en")
    sheet = [each["name"] for each in model.get_worksheets_properties()].index(TITLE)
    typed, listed = coordinate_to_tuple(ITERATION_CELL), coordinate_to_tuple(WEIGHT_CELL)
    cells = [cell for title, cell in judges.formula_cells(path) if title == TITLE]

    def choose(iteration: int, weight: str) -> Shown:
        model.update_cell_with_number(sheet, typed[0], typed[1], iteration)
        model.update_cell_with_text(sheet, listed[0], listed[1], weight)
        model.evaluate()
        return {cell: model.get_cell_value(sheet, *coordinate_to_tuple(cell)) for cell in cells}

    return choose


def cell(line: Line, right: int) -> str:
    return address(TOP_ROW + line.row, line.column + 1 + right)


@pytest.mark.thorough
@every_definition
def test_every_iteration_has_the_numbers_of_the_engine(definition: Definition, built: Built) -> None:
    derivation, trace = derive(definition), train(definition)
    choose = chosen_in(built(definition))
    seen = layout_of(derivation).picture.lines
    for iteration in range(definition.iterations):
        shown = choose(iteration, derivation.learned[0])
        for line in seen:
            assert shown[cell(line, 1)] == pytest.approx(trace[line.name][iteration], rel=1e-9, abs=1e-12), line
            slope = derivative(derivation.names.total_loss, line.name)
            if slope in derivation.quantities:
                assert shown[cell(line, 2)] == pytest.approx(trace[slope][iteration], rel=1e-9, abs=1e-12), slope
            else:
                assert cell(line, 2) not in shown
    assert {line.name for line in seen} == set(derivation.names.base)


@every_definition
def test_every_weight_has_its_factors(definition: Definition, built: Built) -> None:
    derivation, trace = derive(definition), train(definition)
    choose = chosen_in(built(definition))
    place, last = layout_of(derivation), definition.iterations - 1
    for path in paths(derivation):
        shown = choose(last, path.weight)
        assert not judges.errors({(TITLE, each): value for each, value in shown.items()})
        reason = derivation[path.gradient].reason
        assert shown[f"A{place.factors_row}"] == f"Why {path.gradient} is what it is: {reason}"
        factors = [[value for each, value in _row(shown, row) if value != ""] for row in place.factor_rows]
        assert len([factor for factor in factors if factor]) == len(path.parts)
        for name, (told, number, why) in zip(path.parts, factors, strict=False):
            assert str(told).startswith(f"{name} = ")
            assert number == pytest.approx(trace[name][last], rel=1e-9, abs=1e-12)
            assert why == derivation[name].reason
        numbers = [trace[name][last] for name in path.parts]
        made = math.prod(numbers) if path.is_product else sum(numbers)
        assert made == pytest.approx(trace[path.gradient][last], rel=1e-9, abs=1e-14)
        sign = " · " if path.is_product else " + "
        names = f"{path.gradient} = {sign.join(path.parts)}"
        line = str(shown[f"A{place.factors_row + 1}"])
        if place.has_long_product:
            assert line == names
            line, names = str(shown[f"A{place.factors_row + 2}"]), path.gradient
        calculation = line.removeprefix(f"{names} = ")
        assert calculation.count(sign) == len(path.parts) - 1
        if len(path.parts) == 1:
            assert pressed(calculation) == pytest.approx(trace[path.gradient][last], rel=1e-4)
        elif re.search(" (=|≈) ", calculation):  # else rounding leaves no digit of the result
            assert_true(calculation)


@pytest.mark.parametrize("definition", [DEFINITIONS[0], DEFINITIONS[1], DEFINITIONS[6]], ids=lambda each: each.title)
def test_a_line_is_the_step_of_the_chosen_weight(definition: Definition, built: Built) -> None:
    derivation, trace, place = derive(definition), train(definition), layout_of(derive(definition))
    choose = chosen_in(built(definition))
    for weight in derivation.learned:
        for iteration in (0, definition.iterations - 1):
            line = str(choose(iteration, weight)[f"A{place.update_row}"])
            written, calculation = line.split(" = ", 2)[1:]
            assert written == f"{weight} − η · ∂E/∂{weight}"
            assert_true(calculation)
            shown = pressed(re.split(" (?:=|≈) ", calculation)[-1])
            assert shown == pytest.approx(trace.after(weight, iteration), rel=1e-3, abs=1e-6)


def test_the_rate_of_the_iteration_stands_beside_the_one_that_is_set(tmp_path: Path) -> None:
    definition = parse(sized(1, 1, schedule="exponential", iterations=4), source="schedule.toml")
    path = build(definition, tmp_path / "book.xlsx", sheets=ONLY)
    rate = train(definition)["η_k"][2]
    assert chosen_in(path)(2, "w1")["F3"] == f"η = 0.5, now {short(rate)}"


def test_no_step_is_told_where_it_is_not_a_plain_one() -> None:
    assert layout_of(derive(load("classic"))).has_update
    for name in ("xor", "iris-mini", "optimisers"):
        assert not layout_of(derive(load(name))).has_update
    assert not layout_of(derive(parse(sized(2, 2, 1, optimiser="adam"), source="adam.toml"))).has_update


def _row(shown: Shown, row: int) -> Iterator[tuple[str, judges.Value]]:
    """The factor in a row of the sheet, left to right; the working stands further right."""
    found = [(coordinate_to_tuple(each), value) for each, value in shown.items() if each.endswith(str(row))]
    ordered = sorted((column, value) for (at, column), value in found if at == row)
    return ((str(column), value) for column, value in ordered[:3])


@pytest.mark.parametrize("name", ["classic", "xor"])
def test_the_same_numbers_as_step_by_step(name: str, tmp_path: Path) -> None:
    definition = load(name, iterations=8)
    derivation = derive(definition)
    path = build(definition, tmp_path / "book.xlsx", sheets=["network", "step-by-step"], iteration=7)
    written, shown = step_by_step_lines(path), judges.stored(path)
    for line in layout_of(derivation).picture.lines:
        symbol = str(shown[TITLE, cell(line, 0)])
        assert shown[TITLE, cell(line, 1)] == written[symbol][2]
        if f"∂E/∂{symbol}" in written:
            assert shown[TITLE, cell(line, 2)] == written[f"∂E/∂{symbol}"][2]


def test_arrows_are_as_thick_as_their_numbers_and_only_the_path_is_lit(built: Built) -> None:
    definition = DEFINITIONS[0]
    trace, derivation = train(definition), derive(definition)
    path = built(definition)
    sheet = opened(path, TITLE)[TITLE]
    heads = {value: index for index, value in enumerate((each.value for each in sheet[TOP_ROW]), 1) if value}
    choose = chosen_in(path)
    for iteration, weight in ((0, "w1"), (5, "w8")):
        shown = choose(iteration, weight)
        lit = next(each for each in paths(derivation) if each.weight == weight).lit
        largest = {
            name: max(abs(trace[form.format(f"w{number}")][iteration]) for number in range(1, 9))
            for name, form in (("forward", "{}"), ("backward", "∂E/∂{}"))
        }
        for number in range(1, 9):
            row = TOP_ROW + number
            name = str(sheet.cell(row, heads["lit"] - 5).value)
            assert shown[address(row, heads["lit"])] == (name in lit)
            for side, form in (("forward", "{}"), ("backward", "∂E/∂{}")):
                size = abs(trace[form.format(name)][iteration]) / largest[side]
                assert shown[address(row, heads[side])] == pytest.approx(size, rel=1e-9)


def test_arrows_run_from_card_to_card_and_their_thickness_across_is_the_size(built: Built) -> None:
    definition, iteration = DEFINITIONS[0], 5
    trace = train(definition)
    path, seen = built(definition), layout_of(derive(definition)).picture
    sheet = opened(path, TITLE)[TITLE]
    live = chosen_in(path)(iteration, "w5")
    columns = [column for column in range(1, sheet.max_column + 1) if sheet.cell(TOP_ROW, column).value == "forward x"]
    assert len(columns) == len(seen.gaps) == 3

    def points(column: int) -> list[list[tuple[float, float]]]:
        """The lines in two columns, interrupted where these are empty."""
        lines: list[list[tuple[float, float]]] = [[]]
        for row in range(TOP_ROW + 1, sheet.max_row + 1):
            x, y = (sheet.cell(row, column + right) for right in (0, 1))
            if x.value is not None:
                lines[-1].append((float(x.value), float(live.get(y.coordinate, y.value))))
            elif lines[-1]:
                lines.append([])
        return [line for line in lines if line]

    thickest = dict[str, float]()
    for gap, column in zip(seen.gaps[:2], columns, strict=False):
        for way, right, form in (("forward", 0, "{}"), ("backward", 2, "∂E/∂{}")):
            found = points(column + right)
            assert len(found) == len(gap.links)
            for link, line in zip(gap.links, found, strict=True):
                tail, tip = line[4], line[-1]
                rows = (link.source.row, link.target.row)[:: 1 if way == "forward" else -1]
                assert [int(y // 20) for _, y in (tail, tip)] == list(rows)
                assert (tail[0] < tip[0]) == (way == "forward")
                across = (line[3][1] - line[0][1]) * abs(tip[0] - tail[0]) / math.dist(tail, tip)
                size = abs(float(trace[form.format(link.weight)][iteration]))
                assert across / size == pytest.approx(thickest.setdefault(way, across / size), rel=1e-3)


@pytest.mark.parametrize(("definition", "iteration", "at"), [(DEFINITIONS[0], 4, 4.0), (DEFINITIONS[2], 5, 1.0)])
def test_the_chosen_iteration_is_marked(definition: Definition, iteration: int, at: float, built: Built) -> None:
    path = built(definition)
    chart = next(chart for chart in opened(path, TITLE)[TITLE]._charts if len(chart.series) == 2)
    curve, mark = chart.series
    x, y = (each.numRef.f.partition("!")[2].replace("$", "") for each in (mark.xVal, mark.yVal))
    shown = chosen_in(path)(iteration, "w1")
    places, losses = ([point.v for point in each.numRef.numCache.pt] for each in (curve.xVal, curve.yVal))
    assert shown[x] == at
    assert shown[y] == pytest.approx(losses[places.index(at)])


CHOSEN = ((2, "w1"), (3, "b1"), (1, "w7"))


def of_network(cells: judges.Cells) -> judges.Cells:
    return {each: value for each, value in cells.items() if each[0] == TITLE}


def test_another_quick_judge_agrees(built: Built) -> None:
    path = built(shared_bias())
    for iteration, weight in CHOSEN:
        shown = {(TITLE, each): value for each, value in chosen_in(path)(iteration, weight).items()}
        changes: judges.Changes = {(TITLE, ITERATION_CELL): iteration, (TITLE, WEIGHT_CELL): weight}
        assert_agree(of_network(judges.formualizer_judge(path, changes)), shown, weight)


@pytest.mark.slow
@pytest.mark.parametrize("judge", [judges.libreoffice, judges.gnumeric])
def test_spreadsheet_programs_agree(judge, built: Built, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = built(shared_bias())
    files = [
        judges.changed(path, {(TITLE, ITERATION_CELL): iteration, (TITLE, WEIGHT_CELL): weight}, f"{weight}")
        for iteration, weight in CHOSEN
    ]
    for (iteration, weight), actual in zip(CHOSEN, judge(files, tmp_path), strict=True):
        shown = {(TITLE, each): value for each, value in chosen_in(path)(iteration, weight).items()}
        assert_agree({each: actual.get(each) for each in shown}, shown, weight)


@pytest.mark.parametrize("typed", ["a word", None, 1e9, -3, 2.5])
def test_absurd_choices_show_no_error(typed: float | str | None, built: Built) -> None:
    path = built(DEFINITIONS[0])
    assert not judges.errors(judges.ironcalc_judge(path, {(TITLE, ITERATION_CELL): typed, (TITLE, WEIGHT_CELL): typed}))


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [((5, 8, 4), "it would have 72 pairs of arrows, and 64 is the most"), ((1,) * 12, "of a screen wide or high, and")],
)
def test_too_large_a_network_is_left_out(sizes: tuple[int, ...], reason: str, tmp_path: Path) -> None:
    told: dict[str, str] = {}
    definition = parse(sized(*sizes), source="large.toml")
    build(definition, tmp_path / "book.xlsx", left_out=lambda title, why: told.update({title: why}))
    assert reason in told[TITLE]
    with pytest.raises(UserError, match='no sheet "network" for this walkthrough'):
        build(definition, tmp_path / "book.xlsx", sheets=ONLY)


@pytest.mark.parametrize("sizes", [(1, 1), (1, 1, 1), (2, 2, 1), (4, 3), (4, 5, 3), (2, 2, 2, 2, 1)])
def test_reasons_have_room_beside_the_numbers(sizes: tuple[int, ...]) -> None:
    place = layout_of(derive(parse(sized(*sizes), source="some.toml")))
    room = [place.widths[column] for column in range(place.number_column(LONGEST) + 1, place.last_column + 1)]
    assert sum(room) > 35
    assert place.widths[place.number_column(LONGEST)] > 9


@every_definition
def test_no_two_lines_share_a_cell_and_arrows_cross_gaps_only(definition: Definition) -> None:
    for side_by_side in (False, True):
        seen = picture(derive(definition).names, side_by_side=side_by_side)
        places = [(line.row, line.column + right) for line in seen.lines for right in range(3)]
        assert len({(line.row, line.column) for line in seen.lines}) == len(seen.lines)
        assert max(row for row, _ in places) < seen.rows
        for gap in seen.gaps:
            assert gap.column not in {line.column for line in seen.lines}
            for link in gap.links:
                assert link.source.column < gap.column < link.target.column
