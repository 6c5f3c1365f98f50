"""The sheet Matrices: its numbers, that every product stands where its factors meet, and what it shows of a batch."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from hypothesis import given, settings
from openpyxl.utils.cell import coordinate_to_tuple, get_column_letter, range_boundaries
from openpyxl.worksheet.worksheet import Worksheet
from openxml_audit import OpenXmlValidator

from tests import judges, sheets
from tests.books import build, opened
from tests.cases import thorough_but
from tests.judges import Cells
from tests.networks import deep, definitions
from tests.test_judges import assert_agree
from xlbackprop import Definition, UserError, load, train
from xlbackprop.network.loading import parse
from xlbackprop.workbook.sheets.matrices import ITERATION_CELL

TITLE = "Matrices"


def classes(**changes: Any) -> Definition:
    """A 4-5-3 network with a softmax, in batches of 2 of 5 samples: the last batch of an epoch has only one."""
    content: dict[str, Any] = {
        "title": "Three classes",
        "teaches": "Nothing in particular.",
        "inputs": [[0.7, 0.7, 0.5, 0.5], [-0.1, 0.9, 0.3, -0.4], [0.8, 0.9, 0.7, 0.1], [0, 0.2, -1, 0.3], [1, 0, 0, 1]],
        "targets": [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]],
        "learning_rate": 0.1,
        "iterations": 8,
        "batch_size": 2,
        "order": "shuffled",
        "loss": "categorical cross-entropy",
        "train_biases": True,
        "optimiser": {"name": "adam"},
        "layers": [
            {"units": 5, "bias": [0.1, 0.2, 0.3, -0.1, 0.0], "activation": "tanh"},
            {"units": 3, "bias": [0.2, 0.1, 0.0], "activation": "softmax"},
        ],
    }
    return parse(content | changes, source="classes")


def xor() -> Definition:
    """Four samples in one batch, and one bias that all units of a layer share."""
    content: dict[str, Any] = {
        "title": "Exclusive or",
        "teaches": "Nothing in particular.",
        "inputs": [[0, 0], [0, 1], [1, 0], [1, 1]],
        "targets": [[0], [1], [1], [0]],
        "learning_rate": 0.5,
        "iterations": 12,
        "batch_size": "all",
        "train_biases": True,
        "layers": [{"units": 3, "bias": 0.1, "activation": "tanh"}, {"units": 1}],
    }
    return parse(content, source="xor")


DEFINITIONS = {
    "classic": load("classic", iterations=12),
    "mazur": load("mazur", iterations=12),
    "deep": deep(),
    "xor": xor(),
    "classes": classes(),
    "one row": classes(iterations=1),
    "squares": classes(loss="half squared error", optimiser={"name": "adamw"}),
}
every_definition = pytest.mark.parametrize("name", thorough_but(DEFINITIONS, "classic", "classes"))


def built(definition: Definition, folder: Path, iteration: int = 0) -> Path:
    return build(definition, folder / "book.xlsx", sheets=["matrices"], iteration=iteration)


def is_small(definition: Definition) -> bool:
    return max(definition.names.sizes) <= 3


def sheet_of(path: Path, *, data_only: bool = False) -> Worksheet:
    return opened(path, TITLE, data_only=data_only)[TITLE]


def shown(cells: Cells) -> Cells:
    """The cells of the sheet."""
    return {cell: cells[cell] for cell in judges.of_matrices(cells)}


@pytest.mark.thorough
@settings(max_examples=15)
@given(definitions())
def test_generated_networks(definition: Definition) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _agrees(definition, definition.iterations // 2, Path(folder))


@every_definition
def test_another_iteration_is_typed(name: str, tmp_path: Path) -> None:
    _agrees(DEFINITIONS[name], DEFINITIONS[name].iterations - 1, tmp_path)


def _agrees(definition: Definition, iteration: int, folder: Path) -> None:
    generated = built(definition, folder)
    expected = shown(judges.carried(generated))
    assert expected
    assert_agree(shown(judges.ironcalc_judge(generated, {})), expected, repr(definition))
    typed = shown(judges.ironcalc_judge(generated, {(TITLE, ITERATION_CELL): iteration}))
    (folder / "other").mkdir(exist_ok=True)
    assert_agree(typed, shown(judges.carried(built(definition, folder / "other", iteration))), repr(definition))


@pytest.mark.slow
@pytest.mark.parametrize("judge", [judges.libreoffice, judges.gnumeric])
def test_spreadsheet_programs_agree(judge: Callable[..., list[Cells]], tmp_path: Path) -> None:
    files, expected = [], []
    for name, definition in DEFINITIONS.items():
        last = definition.iterations - 1
        if not last:  # Gnumeric makes #REF! of INDEX in a range of one cell, on every sheet that chooses an iteration
            continue
        generated = built(definition, tmp_path)
        files.append(judges.changed(generated, {(TITLE, ITERATION_CELL): last}, name.replace(" ", "-")))
        (tmp_path / "other").mkdir(exist_ok=True)
        expected.append(shown(judges.carried(built(definition, tmp_path / "other", last))))
    (tmp_path / "judged").mkdir()
    for file, actual, wanted in zip(files, judge(files, tmp_path / "judged"), expected, strict=True):
        assert_agree({cell: actual.get(cell) for cell in wanted}, wanted, file.stem)


@pytest.mark.thorough
@pytest.mark.parametrize("absurd", ["a word", 1e300, -3, None, 2.7])
def test_absurd_iterations_show_no_error(absurd: float | str | None, tmp_path: Path) -> None:
    for definition in (load(), classes()):
        cells = judges.ironcalc_judge(built(definition, tmp_path), {(TITLE, ITERATION_CELL): absurd})
        assert not judges.errors(cells)


def test_a_wrong_formula_is_noticed(tmp_path: Path) -> None:
    generated = built(load(), tmp_path)
    expected = shown(judges.carried(generated))
    book = openpyxl.load_workbook(generated)
    cell = next(cell for row in book[TITLE] for cell in row if "MMULT" in str(cell.value))
    cell.value = str(cell.value).replace(f"$B{cell.row}:$C{cell.row}", f"$B{cell.row + 1}:$C{cell.row + 1}")
    book.save(generated)
    key = TITLE, cell.coordinate
    with pytest.raises(AssertionError, match=cell.coordinate):
        assert_agree({key: judges.ironcalc_judge(generated, {})[key]}, {key: expected[key]}, "the row below")


def test_a_planted_value_does_not_survive(tmp_path: Path) -> None:
    generated = built(load(), tmp_path)
    cell = next(cell for row in sheet_of(generated) for cell in row if "MMULT" in str(cell.value)).coordinate
    planted = judges.planted(generated, TITLE, cell, 999.0)
    assert judges.ironcalc_judge(planted, {})[TITLE, cell] == pytest.approx(0.0275)


@pytest.mark.thorough
@every_definition
def test_every_product_stands_where_its_row_and_its_column_meet(name: str, tmp_path: Path) -> None:
    definition = DEFINITIONS[name]
    path = built(definition, tmp_path)
    formulas, values = sheet_of(path), sheet_of(path, data_only=True)
    products = [cell for row in formulas for cell in row if "MMULT" in str(cell.value)]
    sizes, samples = definition.names.sizes, min(definition.samples_a_batch, definition.iterations)
    expected = sum(units * (samples + before) for before, units in pairwise(sizes)) + samples * sum(sizes[1:-1])
    assert len(products) == expected
    for cell in products:
        factors = re.findall(r"MMULT\((\S+?),(\S+?)\)", cell.value)
        bounds = [[range_boundaries(part.replace("$", "")) for part in pair] for pair in factors]
        for (first, row, last, same_row), (column, top, same_column, bottom) in bounds:
            assert row == same_row == cell.row, cell
            assert column == same_column == cell.column, cell
            assert last < cell.column
            assert bottom < cell.row
            assert last - first == bottom - top
        assert len({(row[0], column[1]) for row, column in bounds}) == 1, "a smaller batch has the same beginning"
        (first, row, last, _), (column, top, _, bottom) = max(bounds, key=lambda pair: pair[0][2])
        assert _is_label(formulas.cell(row, first - 1)), cell
        assert (
            _is_label(formulas.cell(row, last + 1))
            or values.cell(_label_row(values, row, last + 1), last + 1).value == "b"
        )
        assert _is_label(formulas.cell(top - 1, column))
        assert not _is_number(formulas.cell(bottom + 1, column)), cell
        if name in ("classic", "deep"):
            left = [values.cell(row, index).value for index in range(first, last + 1)]
            right = [values.cell(index, column).value for index in range(top, bottom + 1)]
            bias = values.cell(row, last + 1).value if "+$" in str(cell.value) else 0.0
            assert np.dot(left, right) + bias == pytest.approx(values[cell.coordinate].value, rel=1e-12)


def _is_number(cell: Any) -> bool:
    """Whether a cell is one of a matrix; labels of rows and columns are written white on dark."""
    return cell.value is not None and not _is_label(cell) and cell.style in ("Calculation cell", "Result cell")


def _is_label(cell: Any) -> bool:
    return bool(cell.style == "Symbol cell")


def _label_row(sheet: Worksheet, row: int, column: int) -> int:
    while not _is_label(sheet.cell(row, column)):
        row -= 1
    return row


def test_a_single_sample_is_one_column(tmp_path: Path) -> None:
    trace = train(load())
    sheet = sheet_of(built(load(), tmp_path, iteration=3), data_only=True)
    rows = {str(cell.value): cell for row in sheet for cell in row if _is_label(cell)}
    for label, name in {"h2": "h2", "ao1": "a_o1", "∂E/∂h1": "∂E/∂h1", "Etotal": "E_total"}.items():
        # the class network has each of these labels once beside a matrix with a column a sample
        found = [cell for row in sheet for cell in row if cell.value == label and _is_label(cell)]
        numbers = {cell.offset(0, 1).value for cell in found}
        assert trace[name][3] in numbers, (label, rows)


def test_new_weights_are_those_of_the_next_iteration(tmp_path: Path) -> None:
    definition = load()
    sheet = sheet_of(built(definition, tmp_path, iteration=5), data_only=True)
    new = next(cell for row in sheet for cell in row if cell.value == "new Wo")
    trace = train(definition)
    found = [new.offset(row, column).value for row in (2, 3) for column in (1, 2)]
    assert found == [trace.after(name, 5) for name in ("w5", "w6", "w7", "w8")]


def test_a_smaller_batch_leaves_columns_empty(tmp_path: Path) -> None:
    trace = train(classes())
    path = built(classes(), tmp_path, iteration=4)
    sheet = sheet_of(path, data_only=True)
    assert [sheet[cell].value for cell in ("B4", "C4", "D4")] == [4, 4, 1]
    first = next(cell for row in sheet for cell in row if cell.value == "i1" and cell.row < 10)
    assert first.offset(0, 1).value == trace["i1"][4]
    assert first.offset(0, 2).value in (None, "")
    assert first.offset(-1, 0).value == "4 × 1"
    judged = judges.ironcalc_judge(built(classes(), tmp_path), {(TITLE, ITERATION_CELL): 4})
    assert judged[TITLE, first.offset(0, 2).coordinate] == ""
    assert not judges.errors(judged)


def test_a_batch_that_the_table_cuts_off_says_so(tmp_path: Path) -> None:
    words = "The table ends within this batch: there is no update yet."
    for iteration, is_cut in ((6, False), (7, True)):
        sheet = sheet_of(built(classes(), tmp_path, iteration), data_only=True)
        assert (words in [cell.value for row in sheet for cell in row]) == is_cut
    new = next(cell for row in sheet for cell in row if cell.value == "new Wo, bo")
    assert new.offset(2, 1).value == train(classes())["w21"][7]


def test_gradients_are_means_over_the_batch(tmp_path: Path) -> None:
    trace = train(xor())
    sheet = sheet_of(built(xor(), tmp_path, iteration=5), data_only=True)
    corner = next(cell for row in sheet for cell in row if str(cell.value).startswith("∂Ē/∂Wh = 1/n"))
    assert corner.value == "∂Ē/∂Wh = 1/n · ∂E/∂Zh · Xᵀ; b: 1/n · the sum of all rows"
    found = [corner.offset(2 + row, 1 + column).value for row in range(3) for column in range(2)]
    assert found == pytest.approx([trace[f"∂E/∂w{number}"][4:8].mean() for number in range(1, 7)], rel=1e-12)
    assert corner.offset(2, 3).value == pytest.approx(trace["∂E/∂b1"][4:8].mean(), rel=1e-12)
    assert corner.offset(3, 3).value is None


@pytest.mark.parametrize(
    ("name", "captions"),
    [
        (
            "classic",
            [
                "Pre-activations Zh = Wh · X",
                "Activations Ah = σ(Zh)",
                "Loss E = ½(T − Ao)²; Etotal is the sum of a column",
                "∂E/∂Zo = ∂E/∂Ao ⊙ Ao ⊙ (1 − Ao)",
                "∂E/∂Ah = Woᵀ · ∂E/∂Zo",
                "∂E/∂Wo = ∂E/∂Zo · Ahᵀ",
                "new Wh = Wh − η · ∂E/∂Wh",
            ],
        ),
        ("mazur", ["Pre-activations Zh = Wh · X + bh"]),
        ("deep", ["Pre-activations Zh1 = Wh1 · X + bh1", "∂E/∂Ah2 = Wh3ᵀ · ∂E/∂Zh3"]),
        (
            "classes",
            [
                "Activations Ao, such as ao1 = exp(o1)/(exp(o1) + exp(o2) + exp(o3))",
                "∂E/∂Zo, such as ∂E/∂o1 = ao1 − t1",
                "new Wh = Wh − η · Mh/cm/(√(Vh/cv) + ε); bh in the same way",
            ],
        ),
    ],
)
def test_every_block_says_what_it_is(name: str, captions: list[str], tmp_path: Path) -> None:
    texts = {str(cell.value) for row in sheet_of(built(DEFINITIONS[name], tmp_path)) for cell in row}
    assert set(captions) <= texts
    joined = " ".join(texts)
    assert ("the derivatives of logarithm and softmax together leave" in joined) == (name == "classes")
    assert ("∂E/∂Ao = " in joined) == (name != "classes")


@pytest.mark.thorough
@every_definition
def test_it_looks_as_a_sheet_should(name: str, tmp_path: Path) -> None:
    path = built(DEFINITIONS[name], tmp_path)
    sheet = sheet_of(path)
    assert not sheet.merged_cells.ranges
    assert sheet.freeze_panes == ("A5" if DEFINITIONS[name].samples_a_batch > 1 else "A4")
    assert sheet.page_setup.orientation == "landscape"
    assert sheet.print_title_rows
    if is_small(DEFINITIONS[name]):
        sheets.assert_fits_a_laptop(tmp_path, TITLE)
    last = range_boundaries(sheet.print_area.rpartition("!")[2].replace("$", ""))[2]
    outside = [cell.coordinate for row in sheet for cell in row if cell.column > last and cell.value is not None]
    assert not outside
    for cell, formula in judges.formula_cells(path).items():
        assert len(formula) <= 8192, cell


@every_definition
def test_no_matrix_is_torn_by_a_page_break(name: str, tmp_path: Path) -> None:
    sheet = sheet_of(built(DEFINITIONS[name], tmp_path))
    assert sheet.row_breaks.brk
    for page_break in sheet.row_breaks.brk:
        below = [sheet.cell(page_break.id + 1, column) for column in range(1, sheet.max_column + 1)]
        assert not any(_is_number(cell) or _is_label(cell) for cell in below), page_break.id


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["classes"])
def test_parts_are_valid_against_the_schema(name: str, tmp_path: Path) -> None:
    found = OpenXmlValidator(max_errors=0).validate(built(DEFINITIONS[name], tmp_path)).errors
    known = ("Unexpected element 'b' found", "Unexpected element 'i' found", "Unexpected element 'color' found")
    assert not [
        error
        for error in found
        if not (error.part_uri == "/xl/styles.xml" and error.description in known)
        and "inlineStr" not in error.description
    ]


def test_what_is_too_large_says_so(tmp_path: Path) -> None:
    wide = classes(layers=[{"units": 33}, {"units": 3, "activation": "softmax"}])
    with pytest.raises(UserError, match="a matrix of it would have 33 rows or columns, and 32 is the most"):
        built(wide, tmp_path)


def test_the_class_follows_another_weight(tmp_path: Path) -> None:
    path = built(load(), tmp_path)
    table = opened(path, "Walkthrough")["Walkthrough"]
    column = next(cell.column for cell in table[32] if cell.value == "w1")
    judged = judges.ironcalc_judge(path, {("Walkthrough", f"{get_column_letter(column)}33"): 1.15})
    cell = next(cell for row in sheet_of(path) for cell in row if "MMULT" in str(cell.value)).coordinate
    assert judged[TITLE, cell] == pytest.approx(0.0275 + 0.05)
    assert coordinate_to_tuple(cell)[0] > 4


def test_every_number_shows_its_sign(tmp_path: Path) -> None:
    sheet = sheet_of(built(deep(), tmp_path))
    formats = {cell.number_format for row in sheet for cell in row if cell.data_type == "f" and "MMULT" in cell.value}
    assert formats == {"0.000000"}, "LibreOffice leaves out the sign in a format with sections"
