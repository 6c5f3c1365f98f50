"""The limits of the file format: what is just within them is built, what is just beyond is refused before any work."""

from __future__ import annotations

import html
import re
import tracemalloc
import zipfile
from bisect import bisect_right
from pathlib import Path
from time import process_time
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings

from tests.books import opened
from tests.networks import definitions, sized
from tests.sheets import shown
from xlbackprop import Definition, UserError, build, train
from xlbackprop.derivation.equations import derive
from xlbackprop.ground.errors import DefinitionError
from xlbackprop.ground.grid import (
    MOST_CHARACTERS,
    MOST_COLUMNS,
    MOST_ROWS,
    NoRoomError,
    column_letter,
    formula_problem,
    most_arguments,
)
from xlbackprop.network.loading import parse
from xlbackprop.walkthrough.arrangement import LEAST_HEADER_ROW, arrange
from xlbackprop.walkthrough.explanation import explain
from xlbackprop.walkthrough.size import fit, least_columns
from xlbackprop.walkthrough.table import COLUMN_SETS, Table
from xlbackprop.workbook.xlsx.book import Workbook
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look


def network(*sizes: int, **changes: Any) -> Definition:
    return parse(sized(*sizes, **changes), source="mine.toml")


def table(definition: Definition, columns: str = "compact") -> Table:
    return arrange(derive(definition), definition.iterations, columns).table


def message(definition: Definition, path: Path, **options: Any) -> str:
    """What is said of a definition that cannot be built, before it is trained."""
    with (
        pytest.raises(UserError) as caught,
        patch("xlbackprop.workbook.build.train", side_effect=AssertionError("trained")),
    ):
        build(definition, path, **options)
    return str(caught.value)


def refusal(definition: Definition, tmp_path: Path) -> list[str]:
    """What is said of a definition that is too large for a sheet, before any work is done for it."""
    with patch("xlbackprop.walkthrough.size.derive", side_effect=AssertionError("derived")):
        title, *problems = message(definition, tmp_path / "large.xlsx").split("\n  ")
    assert not list(tmp_path.iterdir())
    assert title == f"{definition.title}: too large for a sheet"
    return problems


@pytest.mark.thorough
@settings(max_examples=100)
@given(definitions())
def test_no_table_has_fewer_columns_than_reckoned(definition: Definition) -> None:
    assert least_columns(definition) <= len(table(definition).columns)


@settings(max_examples=50)
@given(definitions(plain=True))
def test_a_plain_network_has_as_many_columns_as_reckoned(definition: Definition) -> None:
    assert least_columns(definition) == len(table(definition).columns)


@pytest.mark.parametrize(
    "sizes", [(2, 5, 5), (2, 5, 6), (2, 12, 1), (10, 10, 10), (3, 8, 8, 2), (64, 16, 10), (1,) * 30]
)
def test_a_large_network_has_as_many_columns_as_reckoned(sizes: tuple[int, ...]) -> None:
    definition = network(*sizes)
    assert least_columns(definition) == len(table(definition).columns)


@pytest.mark.parametrize(("units", "columns"), [(7, 10 * 7 + 7), (8, 11 * 8 + 7)])
def test_a_bias_that_many_units_share_and_learn_brings_columns_for_the_deltas(units: int, columns: int) -> None:
    # its gradient has 4 symbols for every unit, and 30 can be read
    definition = network(3, units, train_biases=True, layers=[{"units": units, "bias": 0.1}])
    assert least_columns(definition) == len(table(definition).columns) == columns


@pytest.mark.thorough
@settings(max_examples=50)
@given(definitions())
def test_no_table_stands_higher_than_reckoned(definition: Definition) -> None:
    assert table(definition).header_row >= LEAST_HEADER_ROW


@pytest.mark.thorough
def test_columns_just_within_and_just_beyond(tmp_path: Path) -> None:
    # n inputs, 20 outputs: 41 n + 82 columns
    within = network(397, 20)
    assert least_columns(within) == len(table(within).columns) == 41 * 397 + 82 <= MOST_COLUMNS
    assert fit(within, "compact")
    assert refusal(network(398, 20), tmp_path) == [
        "layers: found a table of at least 16,400 columns, expected 16,384 at most, the columns of a sheet; 16 too many"
    ]


def test_rows_just_within_and_just_beyond(tmp_path: Path) -> None:
    within = network(2, 2, 2, iterations=MOST_ROWS - LEAST_HEADER_ROW)
    assert fit(within, "compact").table.last_row == MOST_ROWS
    beyond = network(2, 2, 2, iterations=MOST_ROWS - LEAST_HEADER_ROW + 1)
    with pytest.raises(UserError, match=r"iterations: found 1,048,577 rows, .*; 1 too many"):
        build(beyond, tmp_path / "beyond.xlsx")


def test_a_training_that_is_too_long_for_anything() -> None:
    epochs = sized(2, 2, 2, inputs=[[0, 1]] * 4, targets=[[0, 1]] * 4, epochs=3_000_000)
    del epochs["iterations"]
    with pytest.raises(DefinitionError) as caught:
        parse(epochs, source="mine.toml")
    assert str(caught.value.problems[0]) == (
        "epochs: found 3,000,000 epochs of 4 samples, 12,000,000 iterations, expected 10,000,000 at most, the "
        "iterations of a training; 2,000,000 too many"
    )
    with pytest.raises(UserError, match=r"500,000,000 at most, the values of a training; .* too many"):
        train(network(20, 20, 20, iterations=1_000_000))


@pytest.mark.thorough
def test_a_network_that_no_sheet_can_hold_is_trained_and_explained(tmp_path: Path) -> None:
    large = network(80, 80, 20)
    trace = train(large)
    assert len(trace) == 3
    assert "∂E/∂w1 =" in str(explain(large, "dE/dw1", 0))
    columns = least_columns(large)
    assert refusal(large, tmp_path) == [
        f"layers: found a table of at least {columns:,} columns, expected 16,384 at most, the columns of a sheet; "
        f"{columns - MOST_COLUMNS:,} too many"
    ]


def test_sources_beyond_the_characters_of_a_formula(tmp_path: Path) -> None:
    assert refusal(network(1025, 1), tmp_path) == [
        "layers[1]: found 1,025 sources a unit: formulas of at least 8,200 characters, expected 8,192 at most, the "
        "characters of a formula; 8 too many"
    ]


def test_a_softmax_beyond_the_characters_of_a_formula(tmp_path: Path) -> None:
    assert refusal(network(1, 45, loss="categorical cross-entropy"), tmp_path) == [
        "layers[1]: found a softmax of 45 units: formulas of at least 8,280 characters, expected 8,192 at most, the "
        "characters of a formula; 88 too many"
    ]


def test_an_absurd_network_is_refused_in_no_time_and_nothing_is_drawn() -> None:
    content = sized(10_000, 10_000)
    tracemalloc.start()
    start = process_time()
    with (
        patch("xlbackprop.network.loading.draw", side_effect=AssertionError("drawn")),
        pytest.raises(DefinitionError) as caught,
    ):
        parse(content, source="mine.toml")
    seconds, (_, memory) = process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [str(problem) for problem in caught.value.problems] == [
        "layers: found 100,000,000 weights, expected 250,000 at most, the weights of a network; 99,750,000 too many"
    ]
    assert seconds < 0.5
    assert memory < 5_000_000


def written_formulas(path: Path) -> set[str]:
    """Every formula of a workbook as the file has it: where cells share one, that of the first."""
    with zipfile.ZipFile(path) as book:
        parts = [book.read(name).decode() for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
    return {html.unescape(formula) for part in parts for formula in re.findall(r"<f[^>/]*>([^<]+)</f>", part)}


def weighted_sum(sources: int) -> str:
    """The formula of the only unit of a network without hidden layers in its last row, written down by itself."""
    definition = network(sources, 1, iterations=80)
    arranged, names = table(definition), definition.names
    letters = {name: column_letter(index) for index, name in enumerate(arranged.columns, 1)}
    row = arranged.last_row
    pairs = zip(names.weights[0][0], names.inputs, strict=True)
    return "=" + "+".join(f"{letters[weight]}{row}*{letters[source]}{row}" for weight, source in pairs)


@pytest.mark.thorough
def test_a_formula_just_within_is_built_and_one_just_beyond_refused(tmp_path: Path) -> None:
    sources = bisect_right(range(1000), MOST_CHARACTERS, lo=400, key=lambda count: len(weighted_sum(count)))
    within = network(sources - 1, 1, iterations=80)
    path = build(within, tmp_path / "within.xlsx", sheets=["walkthrough"])
    first = weighted_sum(sources - 1).replace(str(table(within).last_row), str(table(within).first_row + 1))
    assert first[1:] in written_formulas(path)
    beyond = network(sources, 1, iterations=80)
    characters = len(weighted_sum(sources))
    assert message(beyond, tmp_path / "beyond.xlsx") == (
        f"{sources}-1: too large for a sheet\n  the formula of o1: found {characters:,} characters, expected 8,192 at "
        f"most, the characters of a formula; {characters - MOST_CHARACTERS:,} too many"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["within.xlsx"]


def test_the_row_numbers_of_a_long_training_count_too() -> None:
    short, long = (network(500, 1, iterations=iterations) for iterations in (80, 100_000))
    assert fit(short, "compact")
    with pytest.raises(UserError, match=r"the formula of o1: found .* characters"):
        assert fit(long, "compact")


def test_rows_above_the_table_count_too(tmp_path: Path) -> None:
    header_row = table(network(4, 5, 3)).header_row
    assert header_row > LEAST_HEADER_ROW
    assert fit(network(4, 5, 3, iterations=MOST_ROWS - header_row), "compact")
    beyond = network(4, 5, 3, iterations=MOST_ROWS - header_row + 2)
    assert message(beyond, tmp_path / "beyond.xlsx") == (
        f"4-5-3: too large for a sheet\n  iterations: found 1,048,578 rows, with the header of the table in row "
        f"{header_row}, expected 1,048,576 at most, the rows of a sheet; 2 too many"
    )


@pytest.mark.thorough
def test_more_columns_are_refused_where_fewer_have_room(tmp_path: Path) -> None:
    definition = network(50, 60, 50)
    assert fit(definition, "compact")
    columns = len(COLUMN_SETS["full"](derive(definition))) + 1
    said = message(definition, tmp_path / "full.xlsx", columns="full")
    assert f"columns: found {columns:,} in the table, expected 16,384 at most" in said
    assert f"{columns - MOST_COLUMNS:,} too many" in said


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("definition", "left_out"),
    [
        (network(40, 1), set()),
        (network(3, 4, 3, loss="categorical cross-entropy"), set()),
        (network(4, 12, loss="categorical cross-entropy"), {"Learning rates", "Loss surface"}),
    ],
    ids=lambda value: value.title if isinstance(value, Definition) else "",
)
def test_no_sheet_has_a_formula_beyond_the_limits(definition: Definition, left_out: set[str], tmp_path: Path) -> None:
    told: dict[str, str] = {}
    path = build(definition, tmp_path / "book.xlsx", left_out=told.__setitem__)
    for formula in written_formulas(path):
        assert len(formula) < MOST_CHARACTERS
        assert most_arguments(formula) <= 255
    titles = set(shown(path))
    assert left_out == {"Learning rates", "Loss surface"} - titles
    assert left_out == set(told) - {"Network", "Matrices", "Gradient check"}
    assert {"Walkthrough", "Step by step", "Gradient check", "Your turn"} <= titles
    links = {
        cell.hyperlink.location.partition("'!")[0].strip("'")
        for row in opened(path, "Start here")["Start here"]
        for cell in row
        if cell.hyperlink
    }
    assert links == titles - {"Start here"}


def test_a_sheet_that_is_asked_for_and_has_no_room(tmp_path: Path) -> None:
    definition = network(4, 12, loss="categorical cross-entropy")
    with pytest.raises(UserError) as caught:
        build(definition, tmp_path / "book.xlsx", sheets=["learning-rates"])
    assert 'no sheet "Learning rates" for this walkthrough, it is too large: the formula in' in str(caught.value)
    assert "characters, expected 8,192 at most, the characters of a formula;" in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("formula", "arguments"),
    [("A1+B1", 0), ("MAX(A1,B1)", 2), ('MAX(1,"a,b(",SUM(1,2,(3)),4)', 4), ("MAX(A1)+SUM(1,2,MIN(1,2,3,4),3)", 4)],
)
def test_arguments_are_counted(formula: str, arguments: int) -> None:
    assert most_arguments(formula) == arguments


def test_a_formula_is_held_to_every_limit() -> None:
    within, beyond = (f"MAX({','.join(['A1'] * count)})" for count in (255, 256))
    assert formula_problem("B1", within) is None
    assert str(formula_problem("B1", beyond)) == (
        "B1: found 256 arguments of a function, expected 255 at most, the arguments of a function; 1 too many"
    )
    assert formula_problem("B1", "1" * (MOST_CHARACTERS - 1)) is None
    assert "found 8,193 characters" in str(formula_problem("B1", "1" * MOST_CHARACTERS))


@pytest.mark.parametrize(
    ("within", "beyond", "message"),
    [("XFD1", "XFE1", "columns: found 16,385"), ("A1048576", "A1048577", "rows: found 1,048,577")],
)
def test_a_page_ends_where_a_sheet_does(within: str, beyond: str, message: str) -> None:
    workbook = Workbook()
    page = Page(workbook, "Page")
    page.number(within, 1.0)
    with pytest.raises(NoRoomError, match=f"{message}, expected .*; 1 too many"):
        page.number(beyond, 1.0)


def test_a_page_refuses_a_formula_beyond_the_limits() -> None:
    workbook = Workbook()
    page = Page(workbook, "Page")
    page.formula("A1", "1" * (MOST_CHARACTERS - 1), 1.0, Look())
    with pytest.raises(NoRoomError, match=r"the formula in A2: found 8,193 characters, expected .*; 1 too many"):
        page.formula("A2", "1" * MOST_CHARACTERS, 1.0, Look())
    page.block(1, 2, [page.column(Look(), "A{row}+" + "1" * (MOST_CHARACTERS - 4), np.zeros(9))])
    with pytest.raises(NoRoomError, match="the formula in B10: found 8,193 characters"):
        page.block(1, 2, [page.column(Look(), "A{row}+" + "1" * (MOST_CHARACTERS - 4), np.zeros(10))])
