"""`check` sees the calculation: derivatives of any sheet, trainings in any layout, labels that decide nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from tests import handmade
from tests.cases import thorough_but
from tests.reports import check
from xlbackprop import build, load
from xlbackprop.checker.calculation.evaluation import Evaluation
from xlbackprop.checker.calculation.graph import Graph
from xlbackprop.checker.calculation.verdict import judge_calculation
from xlbackprop.checker.file.book import read
from xlbackprop.checker.report.findings import Report

CASES = Path(__file__).parents[2] / "shared" / "cases"

Cells = Mapping[str, str | float]


def write(path: Path, sheets: Mapping[str, Cells]) -> Path:
    """A workbook with these cells."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name, cells in sheets.items():
        ws = workbook.create_sheet(name)
        for place, content in cells.items():
            ws[place] = content
    workbook.save(path)
    return path


def wrong_cells(report: Report) -> set[tuple[str, str]]:
    """Every range that a report calls wrong, with its sheet."""
    return {(finding.sheet, block) for finding in report.findings for block in finding.cells}


@pytest.mark.parametrize(
    "formula",
    [
        "A1*A2+A3/A2-A1^2",
        "1/(1+EXP(-(A1*A2+A3)))",
        "TANH(A1)*LN(A2)+SQRT(A3)-ABS(-A1)",
        "SUM(A1:A3)*AVERAGE(A1:A3)+SUMSQ(A1:A3)",
        "SUMPRODUCT(A1:A3,B1:B3)+SUMXMY2(A1:A3,B1:B3)",
        "SUM(MMULT(TRANSPOSE(A1:A3),B1:B3))*PRODUCT(A1:A3)",
        "MAX(A1:A3)+MIN(A1,A2)*MEDIAN(A1:A3)",
        "IF(A1<A2,A1*A3,A2^3)+POWER(A2,A1)",
        "INDEX(A1:A3,2)*A1+LOG10(A3)+EXP(A1-A2)",
        "COSH(A1)+SINH(A2)+ATAN(A3)+SIN(A1)*COS(A2)",
        "-A1*-(A2+A3)",
        "TAN(A1)+ASIN(A2)*ACOS(A3)+ATANH(A1)-ASINH(A2)+ACOSH(B1)",
        "ERF(A1)+A2*NORM.S.DIST(A3,TRUE)+PHI(A1)+NORM.S.DIST(A2,FALSE)+NORMSDIST(A1)",
        "IFS(A1>A2,A3,A1<A2,A1^2*A3)+CHOOSE(2,A1,A2^2)",
        "DEVSQ(A1:A3)*A1+SUMX2MY2(A1:A3,B1:B3)+RADIANS(A2)*DEGREES(A3)+TRUNC(A1)",
    ],
)
def test_derivatives_are_those_of_central_differences(formula: str, tmp_path: Path) -> None:
    """Reverse accumulation against differences, for each operand by itself."""
    given = {"A1": 0.31, "A2": 0.52, "A3": 0.83, "B1": 1.1, "B2": 0.7, "B3": 0.4}
    path = write(tmp_path / "formula.xlsx", {"Sheet": {**given, "C1": f"={formula}"}})
    graph = Graph(read(path))
    typed = np.nan_to_num(graph.numbers)[:, None]
    uncut = np.zeros(graph.size, dtype=np.bool_)
    result = graph.node(("Sheet", 1, 3))
    adjoint = Evaluation(graph, typed, uncut).adjoint_of({result: 1.0})
    step = 1e-6
    for row, column in [(row, column) for column in (1, 2) for row in (1, 2, 3)]:
        node = graph.node(("Sheet", row, column))
        values = []
        for sign in (1, -1):
            moved = typed.copy()
            moved[node] += sign * step
            values.append(Evaluation(graph, moved, uncut).seen[result, 0])
        slope = (values[0] - values[1]) / (2 * step)
        assert adjoint[node, 0] == pytest.approx(slope, rel=1e-6, abs=1e-9)


def vertical(step: str, before: str | None) -> dict[str, str | float]:
    """One step of a 2-2-1 network with a tanh layer, one quantity a row, without any label that is understood."""
    start = {"C3": 0.2, "C4": -0.3, "C5": 0.4, "C6": 0.1, "C7": 0.3, "C8": -0.2}
    cells: dict[str, str | float] = {"C1": 0.6, "C2": 0.3, "C9": 0.7, "E1": 0.5, "B1": "entrada", "B7": "peso"}
    cells |= {place: f"='{before}'!E{place[1:]}" for place in start} if before else start
    cells |= {
        "C11": "=C3*C1+C4*C2",
        "C12": "=C5*C1+C6*C2",
        "C13": "=TANH(C11)",
        "C14": "=TANH(C12)",
        "C15": "=C7*C13+C8*C14",
        "C16": "=(C15-C9)^2",
        "D16": "=2*(C15-C9)",
        "D13": "=D16*C7*(1-C13^2)",
        "D14": "=D16*C8*(1-C14^2)",
        "D3": "=D13*C1",
        "D4": "=D13*C2",
        "D5": "=D14*C1",
        "D6": "=D14*C2",
        "D7": "=D16*C13",
        "D8": "=D16*C14",
    }
    return cells | {f"E{row}": f"=C{row}-$E$1*D{row}" for row in range(3, 9)}


def sheets_of(change: Callable[[int, dict[str, str | float]], None] = lambda step, cells: None) -> dict[str, Cells]:
    """Three steps, a sheet each."""
    names = ["passo 1", "passo 2", "passo 3"]
    found: dict[str, Cells] = {}
    for index, name in enumerate(names):
        cells = vertical(name, names[index - 1] if index else None)
        change(index, cells)
        found[name] = cells
    return found


def test_a_sheet_a_step_is_judged_without_labels(tmp_path: Path) -> None:
    report = check(write(tmp_path / "right.xlsx", sheets_of()))
    assert (report.status, report.findings) == ("ok", ())
    assert [table.rows for table in report.tables] == [1, 1, 1]
    assert all("6 updates of 6 parameters" in words for words in report.judged)


SLIPS: Mapping[str, tuple[str, str, str]] = {
    "the other unit's activation": ("D14", "=D16*C8*(1-C13^2)", "=D16*C8*(1-C14^2)"),
    "the other input": ("D6", "=D14*C1", "=D14*C2"),
    "a sign": ("E7", "=C7+$E$1*D7", "=C7-$E$1*D7"),
    "another parameter's gradient": ("E4", "=C4-$E$1*D3", "=C4-$E$1*D4"),
    "another weight downstream": ("D13", "=D16*C8*(1-C13^2)", "=D16*C7*(1-C13^2)"),
    "a missing factor": ("D7", "=D16", "=D16*C13"),
    "the other weight in the forward pass": ("C15", "=C7*C13+C7*C14", "=C7*C13+C8*C14"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_found_at_its_cell_with_what_belongs_there(slip: str, tmp_path: Path) -> None:
    cell, wrong, right = SLIPS[slip]

    def change(step: int, cells: dict[str, str | float]) -> None:
        cells[cell] = wrong

    report = check(write(tmp_path / "slip.xlsx", sheets_of(change)))
    assert wrong_cells(report) == {(f"passo {step}", cell) for step in (1, 2, 3)}
    assert {finding.expected for finding in report.findings} == {right}


def test_a_value_that_is_carried_over_from_the_wrong_cell_is_found(tmp_path: Path) -> None:
    def change(step: int, cells: dict[str, str | float]) -> None:
        if step == 1:
            cells["C5"] = "='passo 1'!E6"

    report = check(write(tmp_path / "link.xlsx", sheets_of(change)))
    assert wrong_cells(report) == {("passo 2", "C5")}
    assert report.findings[0].expected == "='passo 1'!E5"


def test_all_updates_that_climb_are_wrong(tmp_path: Path) -> None:
    def change(step: int, cells: dict[str, str | float]) -> None:
        cells.update({f"E{row}": f"=C{row}+$E$1*D{row}" for row in range(3, 9)})

    report = check(write(tmp_path / "up.xlsx", sheets_of(change)))
    assert wrong_cells(report) == {(f"passo {step}", "E3:E8") for step in (1, 2, 3)}


@pytest.mark.parametrize("factor", ["", "0.5*", "3*"])
def test_a_factor_of_all_gradients_is_a_convention(factor: str, tmp_path: Path) -> None:
    def change(step: int, cells: dict[str, str | float]) -> None:
        cells["C16"] = f"={factor}(C15-C9)^2"

    assert check(write(tmp_path / "factor.xlsx", sheets_of(change))).status == "ok"


LABEL_SLIPS = [
    ("i2", "t2"),
    ("w1", "w2"),
    ("E1", "E2"),
    ("h1", "h2"),
    ("a_o1", "a_h1"),
    ("∂E/∂w3", "∂E/∂w4"),
    ("w5", "w8"),
]


@pytest.mark.parametrize(("label", "other"), LABEL_SLIPS)
def test_a_label_that_slips_is_a_note_and_no_mistake(label: str, other: str, tmp_path: Path) -> None:
    report = check(handmade.write(tmp_path / "label.xlsx", labels={label: other}, rows=5))
    assert (report.status, report.findings) == ("ok", ())


def near_labels() -> list[tuple[str, str]]:
    """Two labels of the class that differ in one character, in one of the two directions.

    Their numbers are the same, or those of neighbours, or of the same place in the next layer.
    """
    pairs = [
        pair
        for pair in combinations(handmade.CLASSIC, 2)
        if len(pair[0]) == len(pair[1])
        and sum(a != b for a, b in zip(*pair, strict=True)) == 1
        and ord(pair[1][-1]) - ord(pair[0][-1]) in (0, 1, 4)
    ]
    return [pair if index % 2 else pair[::-1] for index, pair in enumerate(pairs)]


@pytest.mark.parametrize(
    ("label", "other"),
    [
        pytest.param(*pair, marks=() if index % 9 == 0 else pytest.mark.thorough)
        for index, pair in enumerate(near_labels())
    ],
)
def test_a_label_that_is_another_s_is_named(label: str, other: str, tmp_path: Path) -> None:
    report = check(handmade.write(tmp_path / "label.xlsx", labels={label: other}, rows=4))
    assert (report.status, report.findings) == ("ok", ())
    cell = f"{handmade.LETTERS[label]}{handmade.HEADER}"
    told = [note.message for note in report.notes if note.kind == "label"]
    assert told == [f"{cell} says {other}; what stands below is used as {label}"]


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("h1", "h1 = w1*i1 + w2*i2"),
        ("E_total", "E_total = E1 + E2"),
        ("E_total", "E-total"),
        ("E_total", "E_0.5"),
        ("E_total", "E 0,5"),
        ("∂E/∂w5", "∂E/∂w5 = (a_o1-t1)*a_o1*(1-a_o1)*a_h1"),
    ],
)
def test_a_label_with_more_in_it_is_understood_or_ignored(label: str, text: str, tmp_path: Path) -> None:
    report = check(handmade.write(tmp_path / "label.xlsx", labels={label: text}, rows=4))
    assert (report.status, report.findings) == ("ok", ())
    assert [note.kind for note in report.notes] == ["recognition"]
    assert "2-2-2 network" in report.notes[0].message


@pytest.mark.parametrize("names", [{"w2": "w3", "w3": "w2", "∂E/∂w2": "∂E/∂w3", "∂E/∂w3": "∂E/∂w2"}])
def test_weights_that_are_numbered_otherwise_are_no_doubt_about_labels(names: dict[str, str], tmp_path: Path) -> None:
    report = check(handmade.write(tmp_path / "numbers.xlsx", labels=names, rows=4))
    assert (report.status, [note for note in report.notes if note.kind == "label"]) == ("ok", [])


def test_what_gives_no_number_is_a_finding(tmp_path: Path) -> None:
    path = handmade.write(tmp_path / "e.xlsx", {"a_h1": "=1/(1+e^(-[h1]))"}, rows=4)
    (finding,) = check(path).findings
    assert (finding.cells, finding.kind, finding.expected) == (("J33:J36",), "error_value", "=1/(1+EXP(-I33))")


@pytest.mark.parametrize(
    ("changes", "cell", "kind"),
    [
        ({("a_o1", 35): "about a half"}, "R35", "text_value"),
        ({("a_o1", 35): None}, "R35", "empty_cell"),
        ({("h1", 35): "=NA()"}, "I35", "error_value"),
        ({"h1": "=[w1]*[i1]+[w2]*[i2]+0*[a_h1]"}, "I33:I37", "circular_reference"),
    ],
)
def test_one_cell_without_a_number_is_one_finding(
    changes: handmade.Changes, cell: str, kind: str, tmp_path: Path
) -> None:
    report = check(handmade.write(tmp_path / "odd.xlsx", changes, rows=5))
    assert [(finding.cells, finding.kind) for finding in report.findings] == [((cell,), kind)]


LACKS: Mapping[str, tuple[str, str | float | None, str]] = {
    "a name that nothing has": ("C13", "=(e^C11-e^(-C11))/(e^C11+e^(-C11))", "C13 error_value"),
    "a deleted cell": ("C12", "=C5*C1+#REF!*C2", "C12 broken_reference"),
    "no value": ("D6", "=NA()", "D6 error_value"),
    "a division by nothing": ("D6", "=D14*C2/0", "D6 error_value"),
    "an undefined learning rate": ("E6", "=C6-eta*D6", "E6 error_value"),
    "a text for a gradient": ("D6", "abc", "D6 text_value"),
    "a text for an input": ("C1", "0,6", "C1 text_value"),
    "a text for a weight": ("C5", "x", "C5 text_value"),
    "an emptied gradient": ("D6", None, "D6 empty_cell"),
    "an emptied activation": ("C13", None, "C13 empty_cell"),
    "an emptied error term": ("D14", None, "D14 empty_cell"),
    "an emptied update": ("E6", None, "E6 empty_cell"),
    "a circle in the forward pass": ("C11", "=C3*C1+C4*C2+0*C13", "C11 circular_reference"),
    "a circle in the backward pass": ("D13", "=D16*C7*(1-C13^2)+0*D3", "D3 circular_reference"),
    "another file in the forward pass": ("C12", "=C5*C1+C6*[1]Tab!$A$1", ""),
    "another file in an update": ("E6", "=C6-[1]Tab!$A$1*D6", ""),
    "a function that is not followed": ("D6", "=D14*BESSELJ(C2,0)", ""),
    "such a function in the forward pass": ("C13", "=BESSELJ(C11,0)", ""),
    "a loss without a number": ("C16", "=NA()", "C16 error_value"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("lack", LACKS)
@pytest.mark.parametrize("steps", [(1,), (0, 1, 2)])
def test_right_means_that_every_number_was_compared(lack: str, steps: tuple[int, ...], tmp_path: Path) -> None:
    """In one step the cell is told; where it is in all of them, no training may be left to speak of."""
    place, content, told = LACKS[lack]

    def change(step: int, cells: dict[str, str | float]) -> None:
        if step in steps:
            del cells[place]
            if content is not None:
                cells[place] = content

    report = check(write(tmp_path / "lack.xlsx", sheets_of(change)))
    assert report.status != "ok"
    assert report.not_judged or report.findings
    if len(steps) == 1:
        assert [f"{finding.cells[0]} {finding.kind}" for finding in report.findings] == ([told] if told else [])


def batches(change: Mapping[str, str | float | None]) -> dict[str, Cells]:
    """A linear neuron on four samples, a block of columns a step; nothing reads the gradients of the last one."""
    xs, ys = (0.1, 0.3, 0.5, 0.7), (0.9, 1.2, 1.2, 1.6)
    cells: dict[str, str | float | None] = {"D8": "eta", "E8": 0.1, "E2": 0.2, "F2": 0.1}
    for row, (x, y) in enumerate(zip(xs, ys, strict=True), 2):
        cells |= {f"A{row}": x, f"B{row}": y}
    for step, (output, loss, by_w, by_b) in enumerate(map(tuple, ("KLMN", "PQRS", "UVWX")), 2):
        cells |= {
            f"{one}{step}": f"=AVERAGE({two}2:{two}5)" for one, two in zip("GHI", (by_w, by_b, loss), strict=True)
        }
        if step > 2:
            cells |= {
                f"{one}{step}": f"={one}{step - 1}-$E$8*{two}{step - 1}" for one, two in zip("EF", "GH", strict=True)
            }
        for row in range(2, 6):
            cells |= {
                f"{output}{row}": f"=$E${step}*A{row}+$F${step}",
                f"{loss}{row}": f"=0.5*({output}{row}-B{row})^2",
                f"{by_w}{row}": f"=({output}{row}-B{row})*A{row}",
                f"{by_b}{row}": f"={output}{row}-B{row}",
            }
    cells.update(change)
    return {"Sheet": {place: content for place, content in cells.items() if content is not None}}


ODD_CELLS: Mapping[str | float | None, str] = {
    "=1/0": "error_value",
    "=NA()": "error_value",
    "abc": "text_value",
    None: "empty_cell",
    0.3: "",
    "=A9": "",
    "=BESSELJ(A2,0)": "",
    "=[1]Tab!$A$1": "",
}


@pytest.mark.parametrize("place", thorough_but(["V3", "W3", "W4", "M3", "Q4"], "W3"))
def test_a_cell_that_is_unlike_those_on_both_sides_is_not_called_right(place: str, tmp_path: Path) -> None:
    """In the last step too, whose gradients no update reads, and where it cannot be followed beside a wrong one."""
    assert check(write(tmp_path / "right.xlsx", batches({}))).status == "ok"
    for number, (content, kind) in enumerate(ODD_CELLS.items()):
        report = check(write(tmp_path / f"{number}.xlsx", batches({place: content})))
        assert report.status != "ok"
        if kind:
            assert (place, kind) in {(finding.cells[0], finding.kind) for finding in report.findings}


def test_a_typed_loss_among_formulas_is_not_called_right(tmp_path: Path) -> None:
    labels = {name: f"x{index}" for index, name in enumerate(handmade.CLASSIC)}
    report = check(handmade.write(tmp_path / "typed.xlsx", {("E_total", 36): 0.5}, labels=labels, rows=8))
    assert report.status == "not_recognised"
    assert any("W36 is a typed number" in words for words in report.not_judged)


def test_a_rounded_cell_is_held_to_its_rounding(tmp_path: Path) -> None:
    def change(step: int, cells: dict[str, str | float]) -> None:
        for place, content in cells.items():
            if isinstance(content, str) and content.startswith("=") and place[0] in "CD" and "!" not in content:
                cells[place] = f"=ROUND({content[1:]},6)"

    assert check(write(tmp_path / "rounded.xlsx", sheets_of(change))).status == "ok"


def test_a_class_table_with_a_cell_that_cannot_be_read_is_not_called_right(tmp_path: Path) -> None:
    path = handmade.write(tmp_path / "other.xlsx", {("∂E/∂w5", 35): "=[1]Tab!$A$1"}, rows=5)
    report = check(path)
    assert (report.status, report.findings) == ("not_recognised", ())
    assert any("AB35" in words for words in report.not_judged)


@pytest.mark.parametrize("template", thorough_but(["classic", "xor", "deep", "regression", "dead-relu"], "classic"))
def test_a_workbook_of_ours_without_its_definition_is_never_accused(template: str, tmp_path: Path) -> None:
    path = build(load(template, iterations=8), tmp_path / "ours.xlsx", sheets=["walkthrough"])
    workbook = openpyxl.load_workbook(path)
    for name in list(workbook.custom_doc_props.names):
        del workbook.custom_doc_props[name]
    workbook.save(path)
    assert check(path).findings == ()


@pytest.mark.thorough
def test_many_formulas_are_one_analysis(tmp_path: Path) -> None:
    path = handmade.write(tmp_path / "long.xlsx", rows=300)
    verdict = judge_calculation(read(path))
    assert verdict is not None
    assert len(verdict.graph.kinds) < 40
    assert (verdict.mistakes, verdict.trainings[0].steps) == ((), 299)


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases of the project lie beside it")
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("batch_blocks_bias_sum_ok", set()),
        ("label_E2_twice", set()),
        ("label_i2_for_t2", set()),
        ("label_w2_twice", set()),
        ("linear_regression_sgd", set()),
        ("list_of_rates_pasted_values", set()),
        ("losses_named_E_rate", set()),
        ("losses_of_other_rates_beside", set()),
        ("neuron_squared_error_without_half", set()),
        ("odd_E9", set()),
        ("odd_i9", set()),
        ("odd_labels_nine", set()),
        ("sheet_an_epoch_ok", set()),
        ("step_blocks_linear_ok", set()),
        ("step_blocks_linear_two_slips", {"H4", "F6"}),
        ("update_rows_between", set()),
        ("vert_ok", set()),
        ("vert_wrong_link", {"C5"}),
        ("vert_wrong_o2", {"F18"}),
        ("vert_wrong_update_sign", {"E30"}),
        ("vert_wrong_update_weight", {"E39"}),
    ],
)
@pytest.mark.thorough
def test_the_cases_come_out_as_they_are(name: str, wrong: set[str]) -> None:
    report = check(CASES / f"{name}.xlsx")
    assert report.status == ("mistakes" if wrong else "ok")
    assert {cell for _, cell in wrong_cells(report)} == wrong
