"""Activations, losses and the softmax: every entry's numbers against its own formulas, in high precision too."""

from __future__ import annotations

import warnings
from pathlib import Path

import ironcalc
import mpmath
import numpy as np
import openpyxl
import pytest

from tests import precise
from xlbackprop.network.activations import ACTIVATIONS
from xlbackprop.network.losses import LOSSES, Outputs
from xlbackprop.network.optimisers import OPTIMISERS
from xlbackprop.network.schedules import SCHEDULES
from xlbackprop.network.softmax import jacobian, pull_back, softmax
from xlbackprop.symbols.expression import Call, Expression, Symbol
from xlbackprop.symbols.formula import Formula
from xlbackprop.symbols.mathematics import Mathematics

POINTS = (-30.0, -3.0, -0.7, -1e-3, 1e-3, 0.25, 1.0, 4.5, 30.0)
EXTREME = (-1e12, -800.0, -40.0, 0.0, 40.0, 800.0, 1e12)


def formulas(expressions: dict[str, Expression], x: float, a: float, tmp_path: Path) -> dict[str, object]:
    """What IronCalc makes of expressions over x, in A1, and a, in A2."""
    book = openpyxl.Workbook()
    book.active["A1"], book.active["A2"] = x, a
    reading = Formula(lambda symbol: {"x": "A1", "a": "A2"}[symbol.name])
    for row, expression in enumerate(expressions.values(), 1):
        book.active[f"B{row}"] = f"={reading.read(expression)}"
    book.save(tmp_path / "book.xlsx")
    model = ironcalc.load_from_xlsx(str(tmp_path / "book.xlsx"), "en", "UTC", "en")
    model.evaluate()
    return {name: model.get_cell_value(0, row, 2) for row, name in enumerate(expressions, 1)}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_value_and_derivative_are_those_of_the_formula(name: str) -> None:
    entry = ACTIVATIONS[name]
    points = [*POINTS, *(x for x in EXTREME if x)]  # at 0 some have a kink
    values = entry.value(np.array(points))
    slopes = entry.derivative(np.array(points), values)
    with mpmath.workdps(precise.DIGITS):
        for x, found, slope in zip(points, values.tolist(), slopes.tolist(), strict=True):
            exact = precise.activation(name, mpmath.mpf(x))
            assert found == pytest.approx(float(exact), rel=1e-12, abs=1e-15)
            expected = float(mpmath.diff(lambda at: precise.activation(name, at), mpmath.mpf(x)))
            assert slope == pytest.approx(expected, rel=1e-10, abs=1e-13)
            written = entry.local_derivative(Symbol("x"), Symbol("a"))
            assert float(precise.value(written, {"x": mpmath.mpf(x), "a": exact})) == pytest.approx(
                expected, rel=1e-12, abs=1e-20
            )


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("x", [*POINTS, *EXTREME])
def test_formulas_never_overflow_and_agree_with_the_numbers(name: str, x: float, tmp_path: Path) -> None:
    entry = ACTIVATIONS[name]
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        value = entry.value(np.array([x]))
        slope = entry.derivative(np.array([x]), value)
    found = formulas(
        {"value": Call(entry.function, Symbol("x")), "slope": entry.local_derivative(Symbol("x"), Symbol("a"))},
        x,
        float(value[0]),
        tmp_path,
    )
    assert found["value"] == pytest.approx(value[0], rel=1e-12, abs=1e-15)
    assert found["slope"] == pytest.approx(slope[0], rel=1e-11, abs=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_entry_says_what_it_is(name: str) -> None:
    entry = ACTIVATIONS[name]
    assert entry.sentence
    written = Mathematics().read(Call(entry.function, Symbol("h1")))
    assert written == f"{entry.function.symbol}(h1)"
    values = entry.value(np.array([-1e6, 1e6]))
    assert entry.bounded == bool(np.abs(values).max() <= 1)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_its_formula_and_its_slope_is_the_derivative(name: str) -> None:
    entry = LOSSES[name]
    x = np.array([0.3, -1.2, 2.5])
    targets = np.array([0.2, 0.7, 0.1])
    names = [tuple(Symbol(f"{letter}{index}") for index in range(3)) for letter in "txa"]
    outputs = Outputs(*names)

    def activations(at: list[mpmath.mpf]) -> list[mpmath.mpf]:
        if entry.goes_with == "softmax":
            powers = [mpmath.exp(each) for each in at]
            return [power / sum(powers) for power in powers]
        return [precise.activation(entry.goes_with, each) if entry.goes_with else each for each in at]

    def total(at: list[mpmath.mpf]) -> mpmath.mpf:
        numbers = [*map(mpmath.mpf, targets), *at, *activations(at)]
        known = {symbol.name: number for symbol, number in zip(sum(names, ()), numbers, strict=True)}
        return sum(precise.value(entry.share(outputs, index), known) for index in range(3))

    with mpmath.workdps(precise.DIGITS):
        at = [mpmath.mpf(each) for each in x]
        a = np.array([float(each) for each in activations(at)])
        assert entry.shares(targets, x, a).sum() == pytest.approx(float(total(at)), rel=1e-13)
        slopes = entry.slope(targets, a)
        for index in range(3):
            moved = [each + (number == index) * mpmath.mpf(10) ** -20 for number, each in enumerate(at)]
            expected = float((total(moved) - total(at)) * mpmath.mpf(10) ** 20)
            assert slopes[index] == pytest.approx(expected, rel=1e-12)
            known = {
                symbol.name: mpmath.mpf(number)
                for symbol, number in zip(sum(names, ()), [*targets, *x, *a], strict=True)
            }
            assert float(precise.value(entry.slope_expression(outputs, index), known)) == pytest.approx(
                expected, rel=1e-12
            )


@pytest.mark.parametrize("x", [(0.0, 0.0), (1000.0, -1000.0), (1e12, 1e12), (-1e12, 3.0)])
@pytest.mark.parametrize("name", [name for name, entry in LOSSES.items() if entry.goes_with])
def test_cross_entropies_never_overflow(name: str, x: tuple[float, float], tmp_path: Path) -> None:
    entry = LOSSES[name]
    numbers, targets = np.array(x), np.array([0.0, 1.0])
    outputs = Outputs(*(tuple(Symbol(f"{letter}{index}") for index in range(2)) for letter in "txa"))
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        a = softmax(numbers) if entry.goes_with == "softmax" else ACTIVATIONS["sigmoid"].value(numbers)
        shares = entry.shares(targets, numbers, a)
    book = openpyxl.Workbook()
    cells = {f"{letter}{index}": f"{letter.upper()}{index + 1}" for letter in "txa" for index in range(2)}
    for letter, values in zip("txa", (targets, numbers, a), strict=True):
        for index, number in enumerate(values.tolist()):
            book.active[cells[f"{letter}{index}"]] = number
    for index in range(2):
        book.active[f"C{index + 1}"] = "=" + Formula(lambda symbol: cells[symbol.name]).read(
            entry.share(outputs, index)
        )
    book.save(tmp_path / "book.xlsx")
    model = ironcalc.load_from_xlsx(str(tmp_path / "book.xlsx"), "en", "UTC", "en")
    model.evaluate()
    for index in range(2):
        assert model.get_cell_value(0, index + 1, 3) == pytest.approx(shares[index], rel=1e-13)


def test_the_softmax_pulls_back_by_its_jacobian() -> None:
    a = softmax(np.array([[0.3, -1.0, 2.0], [5.0, 5.0, -700.0]]))
    assert a.sum(axis=-1) == pytest.approx(1)
    slope = np.array([[0.5, -0.2, 0.1], [1.0, 2.0, 3.0]])
    np.testing.assert_allclose(pull_back(a, slope), np.einsum("nj,njk->nk", slope, jacobian(a)), rtol=1e-13)


@pytest.mark.parametrize("name", [*OPTIMISERS, *SCHEDULES])
def test_a_setting_is_within_its_own_limits(name: str) -> None:
    for setting in (OPTIMISERS[name] if name in OPTIMISERS else SCHEDULES[name]).settings:
        assert setting.least <= setting.default <= setting.most
