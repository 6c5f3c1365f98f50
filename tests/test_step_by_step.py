"""The sheet Step by step: every quantity has its line, in order, with mathematics, numbers and a sentence."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import openpyxl
import pytest

from tests import judges
from tests.books import build, opened
from tests.networks import deep, sized
from xlbackprop import Definition, load, train
from xlbackprop.derivation.equations import derive
from xlbackprop.network.loading import parse
from xlbackprop.workbook.panels.step_list import FURTHER_GIVEN
from xlbackprop.workbook.sheets.registry import SHEETS
from xlbackprop.workbook.sheets.step_by_step import ITERATION_CELL

TITLE = "Step by step"

Line = tuple[object, ...]
ONLY = ["step-by-step"]
SHEETS_BY_NAME = {sheet.name: sheet for sheet in SHEETS}
DEFINITIONS = (load("classic"), load("mazur"), deep())


def lines(path: Path) -> dict[str, Line]:
    """Mathematics, numbers, value and sentence by symbol, from the values stored in the file."""
    sheet = opened(path, TITLE, data_only=True)[TITLE]
    rows = sheet.iter_rows(min_row=6, max_col=5, values_only=True)
    return {str(row[0]): row[1:] for row in rows if row[4]}


@pytest.mark.thorough
@pytest.mark.parametrize("columns", ["compact", "full"])
@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.title)
def test_every_quantity_in_the_order_of_the_calculation(definition: Definition, columns: str, tmp_path: Path) -> None:
    derivation, trace = derive(definition), train(definition)
    written = lines(build(definition, tmp_path / "book.xlsx", columns=columns, iteration=1, sheets=ONLY))
    set_names = {name: _set(name) for name in derivation.quantities}
    calculated = [name for name, quantity in derivation.quantities.items() if quantity.expression]
    assert [symbol for symbol in written if symbol in {set_names[name] for name in calculated}] == [
        set_names[name] for name in calculated
    ]
    for name in derivation.quantities:
        mathematics, numbers, value, sentence = written[set_names[name]]
        assert value == pytest.approx(trace[name][1], rel=1e-12), name
        assert mathematics
        assert sentence
        assert bool(numbers) == (name in calculated), name
        if derivation[name].update:
            assert written["new " + set_names[name]][2] == pytest.approx(trace[name][2], rel=1e-12)


def test_the_class_network_by_line(tmp_path: Path) -> None:
    written = lines(build(load(), tmp_path / "book.xlsx", sheets=ONLY))
    assert written["h1"][:2] == ("w1 · i1 + w2 · i2", "0.15 · 0.05 + 0.2 · 0.1 = 0.0275")
    assert written["ah1"][:2] == ("σ(h1)", "1/(1 + exp(−0.0275)) ≈ 0.50687")
    assert written["E1"][:2] == ("½(t1 − ao1)²", "½(0.5 − 0.60648)² ≈ 0.005669")
    assert written["∂E/∂w1"][:2] == ("∂E/∂h1 · ∂h1/∂w1", "0.0063399 · 0.05 ≈ 0.000317")
    assert written["new w1"][:2] == ("w1 − η · ∂E/∂w1", "0.15 − 1 · 0.00031699 ≈ 0.14968")
    assert written["new E"][1:] == (
        "from 0.014181 to 0.013378",
        pytest.approx(0.013378, abs=1e-6),
        "Yes: the loss went down.",
    )


@pytest.mark.parametrize(
    ("rate", "iteration", "shown", "verdict"),
    [
        (1000, 0, "from 0.014181 to 0.25", "No: the loss went up."),
        (0, 0, "0.014181 before and after, to 5 digits", "The loss is the same to twelve decimals."),
        (1, 67, "from 0.00019684 to 0.00018434", "Yes: the loss went down."),
        (1000, 5, "0.25 before and after, to 5 digits", "Yes: the loss went down."),
    ],
)
def test_whether_the_loss_went_down(rate: float, iteration: int, shown: str, verdict: str, tmp_path: Path) -> None:
    path = build(load(learning_rate=rate), tmp_path / "book.xlsx", iteration=iteration, sheets=ONLY)
    told = lines(path)["new E"]
    assert (told[1], told[3]) == (shown, verdict)
    assert shown in judges.ironcalc_judge(path, {}).values()


@pytest.mark.parametrize("iteration", [1, 3])
def test_a_weight_that_waits_for_its_batch_is_not_said_to_equal_itself(iteration: int, tmp_path: Path) -> None:
    definition = load("xor", iterations=8)
    path = build(definition, tmp_path / "book.xlsx", sheets=ONLY)
    cells = judges.ironcalc_judge(path, {(TITLE, ITERATION_CELL): iteration})
    row = {line: index for index, line in enumerate(_symbols(path), 6)}["new w1"]
    assert (cells[TITLE, f"C{row}"] == "0.5") is (iteration == 1)
    built = lines(build(definition, tmp_path / "built.xlsx", iteration=iteration, sheets=ONLY))
    assert built["new w1"][1] == cells[TITLE, f"C{row}"]
    assert " = 0.5" not in str(built["new w1"][1])


def test_what_shrinks_by_itself_is_not_said_to_go_downhill(tmp_path: Path) -> None:
    """At the target no gradient is left, and all weights move."""
    layers = [{"weights": [[0.5]], "activation": "identity"}]
    decaying = {"name": "gradient descent", "weight_decay": 0.5}
    content = sized(1, 1, inputs=[1.0], targets=[0.5], layers=layers, optimiser=decaying)
    definition = parse(content, source="decaying")
    told = lines(build(definition, tmp_path / "book.xlsx", sheets=ONLY))
    assert told["new w1"][3] == "w1 in the next iteration, a step on"


def test_the_class_follows_another_iteration(tmp_path: Path) -> None:
    path = build(load(), tmp_path / "book.xlsx", sheets=ONLY)
    cells = judges.ironcalc_judge(path, {(TITLE, ITERATION_CELL): 40})
    row = {line: index for index, line in enumerate(_symbols(path), 6)}
    assert cells[TITLE, f"D{row['ah1']}"] == pytest.approx(train(load())["a_h1"][40])
    assert cells[TITLE, f"B{row['w1']}"] == "learned: 40 updates"
    assert cells[TITLE, "E3"] == "← 0 to 67; this is row 73 of the Walkthrough"


def test_symbols_have_subscripts_in_the_cells_own_font(tmp_path: Path) -> None:
    path = build(load(), tmp_path / "book.xlsx", sheets=ONLY)
    row = _symbols(path).index("ah1") + 6
    with zipfile.ZipFile(path) as book:
        xml = book.read("xl/worksheets/sheet2.xml").decode()
    cell = re.search(rf'<c r="A{row}".*?</c>', xml)
    assert cell is not None
    runs = re.findall(r"<r><rPr>(.*?)</rPr><t[^>]*>(.*?)</t></r>", cell.group())
    assert [(text, "subscript" in properties) for properties, text in runs] == [("a", False), ("h1", True)]
    assert all("<b/>" in properties and 'rgb="00FFFFFF"' in properties for properties, _ in runs)


def _symbols(path: Path) -> list[str]:
    sheet = opened(path, TITLE)[TITLE]
    return [str(cell.value) for cell in sheet["A"][5:]]


def _set(name: str) -> str:
    """A name without the underscores that its subscripts make needless."""
    return re.sub(r"(?<=\d)_(?=\d)", ",", re.sub(r"(?<=[a-zA-Z])_", "", re.sub(r"h(\d)_(\d)", r"h\1,\2", name)))


@pytest.mark.parametrize("name", ["classic", "iris-mini", "xor", "deep", "regression", "dead-relu"])
def test_backward_a_line_follows_what_it_is_made_of_at_once(name: str) -> None:
    derivation = derive(load(name))
    for unit_row, output_row in zip(derivation.names.pre_activations, derivation.names.activations, strict=True):
        for unit, output in zip(unit_row, output_row, strict=True):
            order = list(derivation.quantities)
            if (
                f"∂E/∂{output}" in order
                and f"∂{output}/∂{unit}" in order
                and "softmax" not in derivation[output].sentence
            ):
                place = order.index(f"∂E/∂{output}")
                assert order[place : place + 3] == [f"∂E/∂{output}", f"∂{output}/∂{unit}", f"∂E/∂{unit}"]


@pytest.mark.parametrize(
    "definition", [load("dead-relu"), load("xor"), load("regression")], ids=lambda each: each.title
)
def test_one_output_has_one_line_for_what_reaches_a_unit(definition: Definition) -> None:
    derivation = derive(definition)
    assert len(derivation.names.losses) == 1
    assert not [name for name in derivation.quantities if name.startswith("∂E1/")]


@pytest.mark.parametrize("name", ["classic", "iris-mini", "xor", "deep", "regression", "dead-relu"])
def test_every_line_of_both_passes_has_a_reason_of_its_own(name: str) -> None:
    derivation = derive(load(name))
    for quantity in derivation.quantities.values():
        if quantity.derivative_of and quantity.name not in derivation.carried:
            assert quantity.reason, quantity.name
            assert not quantity.reason.startswith("how much")
        if any(quantity.name in units for units in derivation.names.pre_activations):
            assert "adds what arrives" in quantity.reason


def test_a_linear_unit_needs_no_name_of_a_function(tmp_path: Path) -> None:
    written = lines(build(load("regression"), tmp_path / "book.xlsx", sheets=ONLY))
    assert written["ao1"][0] == "o1"
    assert "id" not in str(written["ao1"][3]).split()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("iteration", "told"),
    [(0, "given, to begin with"), (2, "given, to begin with"), (3, "learned: 1 update"), (7, "learned: 2 updates")],
)
def test_weights_are_learned_by_updates_not_by_samples(iteration: int, told: str, tmp_path: Path) -> None:
    definition = load("iris-mini")  # three samples a batch
    path = build(definition, tmp_path / "book.xlsx", sheets=ONLY)
    row = _symbols(path).index("w1") + 6
    assert judges.ironcalc_judge(path, {(TITLE, ITERATION_CELL): iteration})[TITLE, f"B{row}"] == told
    path = build(definition, tmp_path / "book.xlsx", sheets=ONLY, iteration=iteration)
    assert lines(path)["w1"][0] == told


@pytest.mark.thorough
@pytest.mark.parametrize("sheet", ["step-by-step", "your-turn"])
@pytest.mark.parametrize("name", ["iris-mini", "optimisers", "classic"])
def test_the_calculation_begins_on_the_first_screen(name: str, sheet: str, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(build(load(name), tmp_path / "book.xlsx", sheets=[sheet]))
    page = book[SHEETS_BY_NAME[sheet].title]
    symbols = [str(cell.value) for cell in page["A"]]
    assert symbols.index("Forward pass") < 26
    links = [cell for cell in page["B"] if cell.hyperlink]
    assert len(links) == (name == "iris-mini")
    for link in links:
        assert len(str(page[f"A{link.row}"].value)) <= page.column_dimensions["A"].width
        row = int(re.findall(r"\d+$", str(link.hyperlink.location))[0])
        assert str(page[f"A{row}"].value) == FURTHER_GIVEN
        assert str(link.value).endswith(f"from row {row}")
        assert str(link.value).startswith(f"{page.max_row - row} more numbers")
        assert "Given besides" in symbols[row - 1]
        assert symbols[row - 2] != "None"  # no gap in the list


def test_an_update_that_waits_for_its_batch_is_told_in_words_and_with_the_numbers_that_hold(tmp_path: Path) -> None:
    path = build(load("xor"), tmp_path / "book.xlsx", sheets=["step-by-step"])
    sheet = opened(path, TITLE)[TITLE]
    (row,) = [cell.row for cell in sheet["A"] if cell.value == "new w1"]
    assert sheet[f"B{row}"].value == "w1 − η · ∂Ē/∂w1 once the batch is complete, until then w1"
    for iteration, moves in ((0, False), (1, False), (3, True), (7, True)):
        numbers = str(judges.ironcalc_judge(path, {(TITLE, ITERATION_CELL): iteration})[TITLE, f"C{row}"])
        assert ("·" in numbers) is moves, numbers
        assert "if" not in numbers


@pytest.mark.parametrize(("rate", "words"), [(0.5, "downhill"), (-1, "uphill: η is below 0"), (0, "decimals")])
def test_a_step_with_a_learning_rate_below_0_is_not_called_downhill(rate: float, words: str, tmp_path: Path) -> None:
    path = build(load("classic"), tmp_path / "book.xlsx", sheets=["step-by-step"])
    cells = judges.ironcalc_judge(path, {("Walkthrough", "G31"): rate})
    told = [str(value) for value in cells.values() if str(value).startswith("w5 in the next iteration")]
    assert len(told) == 1
    assert told[0].endswith(words)
