"""`check` of cells that give no number: what belongs there by the cells beside them, and what is no error at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from openpyxl.worksheet.formula import ArrayFormula

from tests import handmade
from tests.handmade import FIRST
from tests.judges import rewritten
from tests.reports import check, findings_of

LABELS = {name: f"grandeza {index}" for index, name in enumerate(handmade.CLASSIC)}
"""Words that say nothing: the calculation alone tells what stands below them."""
ROWS = 6
LAST = FIRST + ROWS - 1

CELLS: Mapping[str, tuple[dict[str | tuple[str, int], str | float | None], tuple[str, str, str]]] = {
    "emptied": ({("∂E/∂w7", 35): None}, ("AD35", "empty_cell", "=(T35-B35)*T35*(1-T35)*J35")),
    "a text": ({("h2", 36): "h2"}, ("K36", "text_value", "=G36*C36+H36*D36")),
    "a number as text": ({("i1", 36): "0,05"}, ("C36", "text_value", "0.05")),
    "a deleted cell": ({("h2", 35): "=#REF!*[i1]+[w4]*[i2]"}, ("K35", "broken_reference", "=G35*C35+H35*D35")),
    "an error": ({("w3", 35): "=[w3-]-F31*[∂E/∂w3-]"}, ("G35", "error_value", "=G34-$G$31*Z34")),
}


@pytest.mark.parametrize("kind", CELLS)
def test_what_stands_on_both_sides_belongs_between(kind: str, tmp_path: Path) -> None:
    changes, (cell, kind_of_finding, expected) = CELLS[kind]
    report = check(handmade.write(tmp_path / "cell.xlsx", changes, labels=LABELS, rows=ROWS))
    assert [(one.cells, one.kind, one.expected) for one in report.findings] == [((cell,), kind_of_finding, expected)]


@pytest.mark.thorough
@pytest.mark.parametrize("transposed", [False, True])
def test_what_stands_on_both_sides_may_be_another_line(transposed: bool, tmp_path: Path) -> None:
    """Beside h2 stand a_h1 and a_h2, with one formula."""
    changes: handmade.Changes = {("h2", row): "=#REF!*[i1]" for row in range(FIRST, LAST + 1)}
    path = tmp_path / "line.xlsx"
    report = check(handmade.write(path, changes, labels=LABELS, rows=ROWS, transposed=transposed))
    assert "EXP" not in "".join(formula for _, formula in findings_of(report)), report
    emptied = check(handmade.write(path, {("h2", 36): None}, labels=LABELS, rows=ROWS, transposed=transposed))
    place = "AJ11" if transposed else "K36"
    assert [cells for cells, _ in findings_of(emptied)] == [(place,)]
    assert "EXP" not in findings_of(emptied)[0][1]


def test_a_reference_that_drifts_into_a_text_is_told_from_its_first_cell_on(tmp_path: Path) -> None:
    extra: dict[str, handmade.Change] = {"F31": "η =", "G31": 0.5, "G27": 0.5, "G28": "Gewichte"}
    path = handmade.write(tmp_path / "drift.xlsx", labels=LABELS, rows=ROWS, extra=extra)
    workbook = openpyxl.load_workbook(path)
    for row in range(FIRST + 1, LAST + 1):
        workbook["Sheet1"][f"G{row}"] = f"=G{row - 1}-G{row - 7}*Z{row - 1}"
    workbook.save(path)
    (finding,) = check(path).findings
    assert (finding.cells, finding.expected) == ((f"G34:G{LAST - 1}",), "=G33-$G$31*Z33")  # the last one meets η
    assert "uses the learning rate in G27" in finding.message


def test_a_deleted_cell_is_told_in_every_row_that_refers_to_it(tmp_path: Path) -> None:
    changes: handmade.Changes = {("a_h2", row): "=1/(1+EXP(-#REF!))" for row in range(35, LAST + 1)}
    report = check(handmade.write(tmp_path / "ref.xlsx", changes, labels=LABELS, rows=ROWS))
    assert findings_of(report) == [((f"L35:L{LAST}",), "=1/(1+EXP(-K35))")]


NOTHING_JUDGED: Mapping[str, tuple[dict[str | tuple[str, int], str | float | None], tuple[str, str, str]]] = {
    "a power of a name": (
        {"a_h1": "=1/(1+e^(-[h1]))", "a_h2": "=1/(1+e^(-[h2]))"},
        (f"J{FIRST}:J{LAST}", "error_value", f"=1/(1+EXP(-I{FIRST}))"),
    ),
    "its own cell": (
        {"w3": "=[w3]-$G$31*[∂E/∂w3-]"},
        (f"G{FIRST + 1}:G{LAST}", "circular_reference", f"=G{FIRST}-$G$31*Z{FIRST}"),
    ),
}


@pytest.mark.parametrize("kind", NOTHING_JUDGED)
def test_an_error_is_told_where_nothing_can_be_judged(kind: str, tmp_path: Path) -> None:
    changes, (cells, kind_of_finding, expected) = NOTHING_JUDGED[kind]
    report = check(handmade.write(tmp_path / "error.xlsx", changes, labels=LABELS, rows=ROWS))
    first = report.findings[0]
    assert (report.status, first.cells[0], first.kind, first.expected) == ("mistakes", cells, kind_of_finding, expected)
    assert report.message.startswith(f"{len(report.findings)} mistake")
    assert " of ;" not in report.message


def test_a_circle_that_is_calculated_again_and_again_is_meant(tmp_path: Path) -> None:
    changes, _ = NOTHING_JUDGED["its own cell"]
    path = handmade.write(tmp_path / "again.xlsx", changes, labels=LABELS, rows=ROWS)
    workbook = openpyxl.load_workbook(path)
    workbook.calculation.iterate = True
    workbook.save(path)
    report = check(path)
    assert (report.status, report.findings) == ("not_recognised", ())


FOLLOWS: Mapping[str, tuple[handmade.Changes, str]] = {
    "a row above, which is the header's in the first": ({"∂E/∂w5": "=[∂E/∂w6-]"}, "∂E/∂w5"),
    "a factor of the row above": ({"∂E/∂w3": f"={handmade.FORMULAS['∂E/∂w3'].replace('[a_h2]', '[a_h2-]')}"}, "∂E/∂w3"),
    "a division by nothing in the end": ({"w5": "=[w5-]-$G$31/[∂E/∂w5-]"}, "w5"),
    "a row below, in a circle": ({"∂E/∂w6": f"={handmade.FORMULAS['∂E/∂w6'].replace('[a_h2]', '[a_h2+]')}"}, "∂E/∂w6"),
}


@pytest.mark.parametrize("labels", [None, {name: f"x{index}" for index, name in enumerate(handmade.CLASSIC)}])
@pytest.mark.parametrize("cause", FOLLOWS)
def test_cells_without_a_number_after_a_mistake_are_no_further_ones(
    cause: str, labels: Mapping[str, str] | None, tmp_path: Path
) -> None:
    changes, name = FOLLOWS[cause]
    report = check(handmade.write(tmp_path / "follows.xlsx", changes, labels=labels))
    assert [finding.cells for finding in report.findings] == [(handmade.cells(name),)]


def test_a_circle_without_a_remedy_is_told_where_a_later_step_is_read(tmp_path: Path) -> None:
    """The bias of the next row: the row below the last is empty, and no mistake of its own."""
    rules = {name: rule for name, rule in handmade.FORMULAS.items() if name != "h1"}
    changes: handmade.Changes = {"h1": "=[w1]*[i1]+[w2]*[w2+]"}
    labels = {name: f"x{index}" for index, name in enumerate(handmade.CLASSIC)}
    report = check(handmade.write(tmp_path / "circle.xlsx", changes, formulas=rules, labels=labels, rows=8))
    assert [(finding.cells, finding.kind) for finding in report.findings] == [(("I33:I39",), "circular_reference")]


def test_a_text_that_is_handed_on_is_told_where_it_is(tmp_path: Path) -> None:
    report = check(handmade.write(tmp_path / "text.xlsx", {"i1": "=C31", ("i1", 33): 0.05}, extra={"C33": 0.05}))
    assert report.status != "ok"


def softmax(path: Path) -> Path:
    """Three steps of a softmax regression of matrices with four samples."""
    workbook = openpyxl.Workbook()
    ws = workbook.active
    assert ws is not None
    ws["A1"] = 0.5
    for row, (x, other, first) in enumerate([(1, 0.2, 1), (1, 0.9, 0), (0.3, 0.4, 0), (0.6, 0.7, 1)], 2):
        ws[f"A{row}"], ws[f"B{row}"], ws[f"D{row}"], ws[f"E{row}"] = x, other, first, 1 - first
    for step in range(3):
        row, up = 10 + 6 * step, 4 + 6 * step
        for index, place in enumerate([f"G{row}", f"H{row}", f"G{row + 1}", f"H{row + 1}"]):
            old = f"{place[0]}{int(place[1:]) - 6}"
            ws[place] = f"={old}-$A$1*{'ST'[index % 2]}{up + index // 2}" if step else 0.1 + 0.17 * index
        ws[f"J{row}"] = ArrayFormula(f"J{row}:K{row + 3}", f"=MMULT($A$2:$B$5,G{row}:H{row + 1})")
        ws[f"M{row}"] = ArrayFormula(f"M{row}:N{row + 3}", f"=EXP(J{row}:K{row + 3})")
        for at in range(row, row + 4):
            ws[f"P{at}"], ws[f"Q{at}"] = f"=M{at}/SUM(M{at}:N{at})", f"=N{at}/SUM(M{at}:N{at})"
            target = at - row + 2
            ws[f"V{at}"], ws[f"W{at}"] = f"=P{at}-D${target}", f"=Q{at}-E${target}"
        ws[f"S{row}"] = ArrayFormula(f"S{row}:T{row + 1}", f"=MMULT(TRANSPOSE($A$2:$B$5),V{row}:W{row + 3})/4")
        ws[f"Y{row}"] = f"=-SUMPRODUCT($D$2:$E$5,LN(P{row}:Q{row + 3}))/4"
        ws[f"Z{row}"] = f"=Y{row}*2"
    workbook.save(path)
    return path


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the losses that another program has stored."""
    path = softmax(tmp_path_factory.mktemp("sums") / "sums.xlsx")
    x = np.array([[1, 0.2], [1, 0.9], [0.3, 0.4], [0.6, 0.7]])
    targets = np.array([[1, 0], [0, 1], [0, 1], [1, 0]])
    weights, numbers = np.array([[0.1, 0.27], [0.44, 0.61]]), dict[str, float]()
    for row in (10, 16, 22):
        powers = np.exp(x @ weights)
        shares = powers / powers.sum(axis=1, keepdims=True)
        numbers[f"Y{row}"] = -float((targets * np.log(shares)).sum()) / 4
        numbers[f"Z{row}"] = 2 * numbers[f"Y{row}"]
        weights = weights - 0.5 * x.T @ (shares - targets) / 4

    def with_numbers(_: str, text: str) -> str:
        for cell, number in numbers.items():
            text, count = re.subn(rf'(<c r="{cell}"[^>]*><f>[^<]*</f>)<v\s*/>', rf"\g<1><v>{number!r}</v>", text)
            assert count in (0, 1)
        return text

    return rewritten(path, "stored", with_numbers)


def test_a_calculation_over_ranges_inside_a_sum_is_no_error(stored: Path) -> None:
    report = check(stored)
    assert (report.status, report.findings) == ("ok", ()), report
    assert report.not_judged == ("Sheet!Z10, Z16, Z22, by which no update goes",)  # twice the loss
    assert not [note for note in report.notes if note.kind in {"error_value", "stale_value"}]


def test_without_a_stored_number_it_is_not_called_right(tmp_path: Path) -> None:
    report = check(softmax(tmp_path / "nothing.xlsx"))
    assert (report.status, report.findings) == ("not_recognised", ())
    assert "Y10, Y16, Y22" in report.message


def test_a_stored_number_that_its_formula_does_not_give_is_no_proof(stored: Path) -> None:
    report = check(rewritten(stored, "other", lambda _, text: re.sub(r"(<c r=\"Y16\"[^>]*>.*?<v>)0", r"\g<1>1", text)))
    assert report.status == "not_recognised"
    assert "gives another number than its formula" in report.message
