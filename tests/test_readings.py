"""The readings: brackets where they are needed, and texts as the brief has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from tests import judges
from xlbackprop.network.activations import ACTIVATIONS
from xlbackprop.symbols.evaluation import calculated
from xlbackprop.symbols.expression import (
    Builtin,
    Difference,
    Exponential,
    Expression,
    Function,
    Negation,
    Number,
    Power,
    Product,
    Quotient,
    Sum,
    Symbol,
    children,
    rebuilt,
    symbols,
)
from xlbackprop.symbols.formula import Formula
from xlbackprop.symbols.mathematics import Mathematics, Numbers

VALUES = {"a": 0.75, "b": -1.25, "c": 0.0625}
CELLS = {"a": "A1", "b": "B1", "c": "C1"}

leaves: st.SearchStrategy[Expression] = st.sampled_from([Symbol(name) for name in VALUES]) | st.sampled_from(
    [Number(0.5), Number(2.0), Number(-3.0)]
)


def _grow(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    pairs = st.tuples(inner, inner)
    return (
        pairs.map(Sum)
        | pairs.map(Product)
        | pairs.map(lambda pair: Difference(*pair))
        | inner.map(lambda numerator: Quotient(numerator, Number(-3.0)))
        | inner.map(lambda numerator: Quotient(numerator, Product((Number(2.0), Symbol("a")))))
        | inner.map(lambda base: Power(base, 2))
        | inner.map(Negation)
        | inner.map(lambda exponent: Exponential(Quotient(exponent, Number(1000.0))))
    )


expressions = st.recursive(leaves, _grow, max_leaves=8)


@settings(max_examples=15)
@given(trees=st.lists(expressions, min_size=20, max_size=20))
def test_a_spreadsheet_reads_a_formula_as_its_tree(
    trees: list[Expression], tmp_path_factory: pytest.TempPathFactory
) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for name, cell in CELLS.items():
        sheet[cell] = VALUES[name]
    formula = Formula(lambda symbol: CELLS[symbol.name])
    wanted = {}
    for row, tree in enumerate(trees, 2):
        sheet[f"A{row}"] = "=" + formula.read(tree)
        wanted[f"A{row}"] = calculated(tree, lambda symbol: VALUES[symbol.name])
    path: Path = tmp_path_factory.mktemp("trees") / "trees.xlsx"
    book.save(path)
    for judge in (judges.ironcalc_judge, judges.formualizer_judge):
        for (_, address), result in judge(path, {}).items():
            assert result == pytest.approx(wanted[address], rel=1e-9, abs=1e-12), sheet[address].value


A, B, C = (Symbol(name) for name in VALUES)


@pytest.mark.parametrize(
    ("expression", "formula", "mathematics"),
    [
        (A - (B - C), "A1-(B1-C1)", "a − (b − c)"),
        ((A - B) - C, "A1-B1-C1", "a − b − c"),
        ((A + B) * C, "(A1+B1)*C1", "(a + b) · c"),
        (A * (1 - A), "A1*(1-A1)", "a · (1 − a)"),
        (0.5 * (A - B) ** 2, "0.5*(A1-B1)^2", "½(a − b)²"),
        ((-A) ** 2, "(-A1)^2", "(−a)²"),
        (-(A**2), "-1*(A1^2)", "−a²"),
        (1 / (1 + Exponential(-A)), "1/(1+EXP(MIN(709,-A1)))", "1/(1 + exp(−a))"),
        (1 / (A * B), "1/(A1*B1)", "1/(a · b)"),
    ],
)
def test_texts(expression: Expression, formula: str, mathematics: str) -> None:
    assert Formula(lambda symbol: CELLS[symbol.name]).read(expression) == formula
    assert Mathematics().read(expression) == mathematics


def test_numbers_put_in() -> None:
    assert Numbers(lambda symbol: VALUES[symbol.name]).read(A - B * C) == "0.75 − (−1.25) · 0.0625"


@given(expressions)
def test_mathematics_names_every_quantity_it_uses(expression: Expression) -> None:
    text = Mathematics().read(expression)
    assert all(symbol.name in text for symbol in symbols(expression))


def test_a_number_in_a_formula_keeps_every_digit() -> None:
    assert float(Formula(lambda symbol: "").number(0.1 + 0.2)) == 0.1 + 0.2


def kinds_of(kind: type[Expression]) -> Iterator[type[Expression]]:
    for each in kind.__subclasses__():
        yield each
        yield from kinds_of(each)


@pytest.mark.parametrize("kind", list(kinds_of(Expression)))
def test_every_kind_of_expression_has_its_parts(kind: type[Expression]) -> None:
    a, b = Symbol("a"), Symbol("b")
    filled: dict[Any, tuple[Any, tuple[Expression, ...]]] = {
        Expression: (a, (a,)),
        tuple[Expression, ...]: ((a, b), (a, b)),
        Function: (ACTIVATIONS["sigmoid"].function, ()),
        Builtin: (Builtin.MAXIMUM, ()),
        float: (2.0, ()),
        int: (2, ()),
        str: ("c", ()),
    }
    values = [filled[field.type] for field in fields(kind)]
    expression = kind(*(value for value, _ in values))
    assert children(expression) == tuple(part for _, parts in values for part in parts)
    assert rebuilt(expression, children(expression)) == expression
