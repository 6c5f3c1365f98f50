"""A pocket calculator goes over what is printed: numbers put in give the result that stands behind them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests import judges
from tests.books import build, opened
from tests.cases import thorough_but
from tests.networks import deep, definitions, sized
from tests.test_explain import every_chain
from xlbackprop import Definition, load, train
from xlbackprop.derivation.equations import derive
from xlbackprop.network.activations import ACTIVATIONS
from xlbackprop.network.loading import parse
from xlbackprop.network.losses import LOSSES
from xlbackprop.network.templates import names
from xlbackprop.symbols import Numbers
from xlbackprop.walkthrough.arrangement import arrange
from xlbackprop.walkthrough.explanation import explain
from xlbackprop.walkthrough.steps import moment
from xlbackprop.workbook.sheets.step_by_step import ITERATION_CELL

TITLE = "Step by step"

POWERS = {"⁰": "0", "¹": "1", "²": "2", "³": "3", "⁴": "4", "⁻": "-"}
NUMBER = r"[−-]?\d+(?:\.\d+)?(?:E[+-]?\d+)?"


def pressed(text: str) -> float:
    """What a pocket calculator shows for a printed calculation."""
    code = text
    if condition := re.fullmatch(r"(.*) if (.*) < (.*), else (.*)", text):
        then, left, right, otherwise = condition.groups()
        return pressed(then if pressed(left) < pressed(right) else otherwise)
    code = re.sub(r"½(?=\()", "0.5*", code).replace("½", "0.5").replace("π", str(math.pi))
    code = re.sub("[⁰¹²³⁴⁻]+", lambda found: "**" + "".join(POWERS[letter] for letter in found.group()), code)
    code = re.sub(r"\|([^|]*)\|", r"abs(\1)", code)
    code = code.replace("⌊", "floor(").replace("⌋", ")").replace("√", "sqrt")
    code = code.replace("·", "*").replace("−", "-").replace("^", "**")
    known = {name: getattr(math, name) for name in ("tanh", "cos", "sqrt", "floor")}
    known["exp"] = lambda x: math.exp(x) if x < 230 else math.nan
    known |= {"ln": math.log, "abs": abs, "min": min, "max": max, "mod": lambda x, y: x % y}
    return float(eval(code, {"__builtins__": {}}, known))  # what is evaluated was printed by us


def assert_true(line: str) -> None:
    """The calculation gives the result to the digits printed, and is exact where it says so."""
    calculation, sign, result = re.split(r" (=|≈) (?=[^=≈]*$)", line)
    assert re.fullmatch(NUMBER, result), line
    digits = max(0, len(result.partition("E")[0].partition(".")[2])) - int(result.partition("E")[2] or 0)
    shown, found = float(result.replace("−", "-")), pressed(calculation)
    if shown and not result.partition("E")[0].partition(".")[2]:
        digits -= len(re.search(r"0*$", result.partition("E")[0]).group())  # type: ignore[union-attr]
    half = 0.5 * 10.0**-digits
    assert abs(found - shown) <= half * 1.0001 + 1e-15, line
    if sign == "=":
        assert found == pytest.approx(shown, rel=1.5e-12, abs=1e-14), line
        if re.search(r"exp|tanh|ln|cos|\^", calculation):
            assert shown == 0, line
            assert re.search(r"(^|[ −(])0( ·|$)", calculation), line


def calculations(text: str) -> Iterator[str]:
    """The lines of an explanation that have numbers put in, each with its result."""
    for block in text.split("\n\n"):
        if " = " not in block:
            continue
        sides = [side.strip() for side in block.splitlines()]
        for calculation, result in pairwise(sides):
            told = re.match(rf"([=≈] {NUMBER})(?:  \(.*unrounded\))?$", result)
            if told and calculation.startswith("= "):
                yield f"{calculation[2:]} {told.group(1)}"


@pytest.mark.thorough
@pytest.mark.parametrize("iteration", [0, 3, -1])
@pytest.mark.parametrize("name", names())
def test_step_by_step(name: str, iteration: int, tmp_path: Path) -> None:
    definition = load(name)
    iteration %= definition.iterations
    path = build(definition, tmp_path / "book.xlsx", iteration=iteration, sheets=["step-by-step"])
    sheet = opened(path, TITLE, data_only=True)[TITLE]
    lines = [str(cell.value) for cell in sheet["C"][5:] if cell.value]
    told = [line for line in lines if re.search(r" (=|≈) ", line)]
    assert len(told) > 0.6 * len([line for line in lines if re.search(r"[·+(/]", line)])
    for line in told:
        assert_true(line)


@pytest.mark.parametrize("rate", [1e-9, 0.1, 100, 1000])
def test_step_by_step_live(rate: float, tmp_path: Path) -> None:
    path = build(load("classic"), tmp_path / "book.xlsx", sheets=["step-by-step"])
    for iteration in (0, 1, 67):
        cells = judges.ironcalc_judge(path, {("Walkthrough", "G31"): rate, (TITLE, ITERATION_CELL): iteration})
        lines = [str(value) for (sheet, cell), value in cells.items() if sheet == TITLE and cell.startswith("C")]
        told = [line for line in lines if re.search(r" (=|≈) ", line)]
        assert len(told) > 20
        for line in told:
            assert_true(line)


@pytest.mark.parametrize("activation", thorough_but(ACTIVATIONS, "tanh", "softplus"))
def test_far_out_nothing_equals_what_it_only_comes_near(activation: str, tmp_path: Path) -> None:
    layers = [{"units": 2, "activation": activation}, {"units": 1, "activation": activation}]
    definition = parse(sized(1, 2, 1, layers=layers, inputs=[1.0]), source="generated")
    path = build(definition, tmp_path / "book.xlsx", sheets=["step-by-step"])
    weights = dict(zip(("w1", "w2"), (25.0, -40.0), strict=True))
    table = arrange(derive(definition), definition.iterations, "compact").table
    cells = judges.ironcalc_judge(path, {("Walkthrough", table.cell(name)): value for name, value in weights.items()})
    lines = [str(value) for (sheet, cell), value in cells.items() if sheet == TITLE and cell.startswith("C")]
    told = [line for line in lines if re.search(r" (=|≈) ", line)]
    assert len(told) > 5
    for line in told:
        assert_true(line)


def test_a_weight_that_is_held_at_its_limit_is_no_result_of_its_update(tmp_path: Path) -> None:
    definition = load("optimisers", iterations=60)
    path = build(definition, tmp_path / "book.xlsx", sheets=["step-by-step"])
    cells = judges.ironcalc_judge(path, {("Walkthrough", "G31"): 1000, (TITLE, ITERATION_CELL): 59})
    lines = [str(value) for (sheet, cell), value in cells.items() if sheet == TITLE and cell.startswith("C")]
    assert any("1E+12" in line for line in lines)
    for line in lines:
        if re.search(r" (=|≈) ", line):
            assert_true(line)


@pytest.mark.thorough
@settings(max_examples=15, deadline=None)
@given(definitions())
def test_explanations(definition: Definition) -> None:
    for explanation in every_chain(definition, definition.iterations - 1):
        for line in calculations(str(explanation)):
            assert_true(line)


@pytest.mark.parametrize("definition", [*map(load, names()), deep()], ids=lambda each: each.title)
def test_explanations_of_templates(definition: Definition) -> None:
    found = 0
    for name in (f"∂E/∂{definition.names.weights[0][0][0]}", definition.names.total_loss):
        for line in calculations(str(explain(definition, name, 1))):
            assert_true(line)
            found += 1
    assert found > 5


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("outputs", [2, 3])
def test_what_is_written_with_its_numbers_is_what_is_calculated(loss: str, outputs: int) -> None:
    """Also where no result is printed behind it: a written form that is not the computed one would be a false one."""
    definition = parse(sized(2, 3, outputs, loss=loss), source="generated")
    derivation, trace = derive(definition), train(definition)
    now = moment(derivation, trace, 1)
    for name, quantity in derivation.quantities.items():
        if quantity.expression is not None:
            written = pressed(Numbers(now.value).read(quantity.expression))
            assert written == pytest.approx(float(trace[name][1]), rel=2e-3, abs=1e-6), (name, quantity.expression)


@pytest.mark.parametrize("weight", [800, 1e9])
def test_what_overflows_a_pocket_calculator_is_said(weight: float, tmp_path: Path) -> None:
    path = build(load("classic", iterations=8), tmp_path / "book.xlsx", sheets=["step-by-step"])
    said = []
    for sign in (-1, 1):
        cells = judges.ironcalc_judge(path, {("Walkthrough", "M33"): sign * weight, (TITLE, ITERATION_CELL): 0})
        assert not judges.errors(cells)
        lines = [str(value) for (sheet, place), value in cells.items() if sheet == TITLE and place.startswith("C")]
        for line in lines:
            if re.search(r" (=|≈) ", line):
                assert_true(line)
        said.append(any(line.endswith(" (an error on a pocket calculator)") for line in lines))
    assert said == [True, False]
