"""The derivation and the layout: one definition per quantity, read as column formula, box line and sentence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from tests.networks import definitions, sized
from xlbackprop import Definition, load, train
from xlbackprop.derivation.equations import derive
from xlbackprop.derivation.quantities import Derivation, Quantity
from xlbackprop.ground.grid import column_letter
from xlbackprop.network.loading import parse
from xlbackprop.network.names import ITERATION, ORDER
from xlbackprop.symbols.expression import Symbol, symbols
from xlbackprop.symbols.mathematics import Mathematics
from xlbackprop.walkthrough.arrangement import Arrangement, arrange
from xlbackprop.walkthrough.boxes import equation
from xlbackprop.walkthrough.table import Table, compact, full

ORIGINAL_COLUMNS = [
    "t1",
    "t2",
    "i1",
    "i2",
    "w1",
    "w2",
    "w3",
    "w4",
    "h1",
    "a_h1",
    "h2",
    "a_h2",
    "w5",
    "w6",
    "w7",
    "w8",
    "o1",
    "a_o1",
    "o2",
    "a_o2",
    "E1",
    "E2",
    "E_total",
    "∂E/∂w1",
    "∂E/∂w2",
    "∂E/∂w3",
    "∂E/∂w4",
    "∂E/∂w5",
    "∂E/∂w6",
    "∂E/∂w7",
    "∂E/∂w8",
]
"""The order of brief 3.2, columns A to AE."""

OUT = "(a_o1 − t1) · a_o1 · (1 − a_o1)"
OUT2 = "(a_o2 − t2) · a_o2 · (1 − a_o2)"
MATHEMATICS = {
    "h1": "w1 · i1 + w2 · i2",
    "h2": "w3 · i1 + w4 · i2",
    "o2": "w7 · a_h1 + w8 · a_h2",
    "E1": "½(t1 − a_o1)²",
    "E_total": "E1 + E2",
    "∂E/∂w5": f"{OUT} · a_h1",
    "∂E/∂w6": f"{OUT} · a_h2",
    "∂E/∂w7": f"{OUT2} · a_h1",
    "∂E/∂w8": f"{OUT2} · a_h2",
    "∂E/∂a_h1": f"{OUT} · w5 + {OUT2} · w7",
    "∂E/∂a_h2": f"{OUT} · w6 + {OUT2} · w8",
    "∂E/∂w1": f"({OUT} · w5 + {OUT2} · w7) · a_h1 · (1 − a_h1) · i1",
    "∂E/∂w4": f"({OUT} · w6 + {OUT2} · w8) · a_h2 · (1 − a_h2) · i2",
}
"""The equations of brief 3.1, over the columns of the original."""


@pytest.fixture(scope="module")
def derivation() -> Derivation:
    return derive(load())


@pytest.fixture(scope="module")
def arrangement(derivation: Derivation) -> Arrangement:
    return arrange(derivation, 68, "compact")


def test_the_columns_of_the_original_in_its_order(derivation: Derivation) -> None:
    assert list(compact(derivation)) == ORIGINAL_COLUMNS


@pytest.mark.parametrize(("name", "mathematics"), MATHEMATICS.items())
def test_the_equations_of_the_brief(derivation: Derivation, name: str, mathematics: str) -> None:
    expression = derivation.expanded(name, set(ORIGINAL_COLUMNS) - {name})
    assert Mathematics().read(expression) == mathematics


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("h1", "E{row}*C{row}+F{row}*D{row}"),
        ("E1", "0.5*(A{row}-R{row})^2"),
        ("∂E/∂w5", "(R{row}-A{row})*R{row}*(1-R{row})*J{row}"),
        ("w1", "E{above}-$G$31*X{above}"),
        ("t1", "A$33"),
    ],
)
def test_the_formulas_of_the_original(arrangement: Arrangement, name: str, formula: str) -> None:
    assert arrangement.table.formula(name) == formula


def test_the_hidden_gradients_use_their_own_activation(arrangement: Arrangement) -> None:
    for name in ("∂E/∂w3", "∂E/∂w4"):
        assert "*L{row}*(1-L{row})*" in arrangement.table.formula(name)
        assert "J{row}" not in arrangement.table.formula(name)


def test_the_full_layout_has_a_column_for_every_quantity(derivation: Derivation) -> None:
    columns = full(derivation)
    assert sorted(columns) == sorted(derivation.quantities)
    assert columns[:23] == compact(derivation)[:23]
    chain = Table(derivation, columns, 68, 32, 31).formula("∂E/∂w5")
    assert chain.count("*") == 1, "a gradient is a product of two visible cells there"


def test_changing_a_definition_changes_formula_text_and_column(derivation: Derivation) -> None:
    mistaken = Symbol("a_o1") + Symbol("t1")
    quantities = dict(derivation.quantities)
    old = quantities["∂E/∂a_o1"]
    quantities["∂E/∂a_o1"] = Quantity(old.name, old.role, old.sentence, mistaken, derivative_of=old.derivative_of)
    changed = arrange(replace(derivation, quantities=quantities), 68, "compact")
    assert changed.table.formula("∂E/∂w5") == "(R{row}+A{row})*R{row}*(1-R{row})*J{row}"
    lines = [line for placed in changed.boxes for line in placed.box.lines]
    assert "∂E/∂w5 = (a_o1 + t1) · a_o1 · (1 − a_o1) · a_h1" in lines
    assert not [line for line in lines if "(a_o1 − t1)" in line]


def test_a_chain_names_its_links(derivation: Derivation) -> None:
    assert equation("∂E/∂w5", derivation.chain("∂E/∂w5")) == "∂E/∂w5 = ∂E/∂a_o1 · ∂a_o1/∂o1 · ∂o1/∂w5"
    assert equation("∂E/∂w3", derivation.chain("∂E/∂w3")) == "∂E/∂w3 = ∂E/∂a_h2 · ∂a_h2/∂h2 · ∂h2/∂w3"


@pytest.mark.parametrize("loss", ["binary cross-entropy", "mean squared error"])
def test_a_mean_over_outputs_is_told_where_there_is_one(loss: str) -> None:
    for outputs in (1, 2):
        derivation = derive(parse(sized(2, 2, outputs, loss=loss), source="generated"))
        slope = "∂E/∂o1" if loss == "binary cross-entropy" else "∂E/∂a_o1"
        for words in (derivation["E1"].sentence, derivation[slope].reason):
            assert words.count(f"divided by the {outputs} outputs") == outputs - 1


def test_the_reason_of_a_chain_of_three_does_not_speak_of_two(derivation: Derivation) -> None:
    reason = derivation["∂E/∂w5"].reason
    assert reason == "w5 reaches E through o1 alone, so the slopes along the way multiply"


@settings(max_examples=40)
@given(definitions(iterations=1))
def test_every_quantity_is_defined_by_others_and_said_in_words(definition: Definition) -> None:
    derivation = derive(definition)
    seen: set[str] = set()
    for name, quantity in derivation.quantities.items():
        assert quantity.sentence
        for symbol in symbols(quantity.expression) if quantity.expression else ():
            assert symbol.name in {*derivation.quantities, *derivation.settings, ITERATION, ORDER}
        seen.add(name)
    assert seen == set(train(definition).quantities), "engine and derivation know the same quantities"


def test_the_boxes_stand_where_they_stood(arrangement: Arrangement) -> None:
    places = [f"{column_letter(placed.column)}{placed.row}" for placed in arrangement.boxes]
    assert places == ["J4", "M4", "M11", "J16", "C17", "C22"]
    assert [placed.box.number for placed in arrangement.boxes] == [1, 2, 3, 4, 5, 6]


@pytest.mark.thorough
@settings(max_examples=60)
@given(definitions(iterations=1))
def test_nothing_on_the_sheet_overlaps(definition: Definition) -> None:
    arrangement = arrange(derive(definition), 1, "compact")
    taken: set[tuple[int, int]] = {(node.row, node.column) for node in arrangement.diagram.nodes}
    assert len(taken) == len(arrangement.diagram.nodes)
    for placed in arrangement.boxes:
        cells = {
            (row, column)
            for row in range(placed.row, placed.last_row + 1)
            for column in range(placed.column, placed.last_column + 1)
        }
        assert not cells & taken, placed.box.title
        assert placed.last_row < arrangement.table.header_row - 1
        taken |= cells


@pytest.mark.parametrize(("index", "letters"), [(1, "A"), (26, "Z"), (27, "AA"), (702, "ZZ"), (703, "AAA")])
def test_column_letters(index: int, letters: str) -> None:
    assert column_letter(index) == letters


@pytest.mark.thorough
@given(definitions())
def test_lengths_are_those_of_what_is_written_out(definition: Definition) -> None:
    derivation = derive(definition)
    columns = compact(derivation)
    lengths = derivation.lengths(columns)
    for name in set(lengths) - set(derivation.carried):
        assert lengths[name] == len([*symbols(derivation.expanded(name, columns))])


@given(definitions(plain=True))
def test_what_depends_on_a_weight_changes_with_it(definition: Definition) -> None:
    derivation, names = derive(definition), definition.names
    weight = names.weights[-1][0][0]
    dependents = derivation.dependents(weight)
    assert {names.pre_activations[-1][0], names.activations[-1][0], names.losses[0], names.total_loss} <= dependents
    assert not dependents & {weight, *names.losses[1:], *names.activations[-1][1:], *names.inputs, *names.targets}
    if len(names.weights) > 1:
        assert derivation.dependents(names.weights[0][0][0]).issuperset(names.losses)
