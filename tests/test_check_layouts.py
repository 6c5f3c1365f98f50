"""`check` of other trainings: matrices and array formulas, rules without a loss."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from pathlib import Path

import openpyxl
import pytest
from openpyxl.utils import get_column_letter
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.formula import ArrayFormula

from tests import handmade
from tests.reports import check
from xlbackprop.checker.file.book import read
from xlbackprop.checker.report.findings import Report

INPUTS, TARGETS = [(0, 0.2), (0.1, 1), (1, 0.3), (0.9, 1)], [0, 1, 1, 0.1]
FIRST, EVERY, STEPS = 10, 8, 3

RULES: Mapping[str, str] = {
    "A:B": "A{p}:B{p1}-$F$1*V{p}:W{p1}",
    "D:D": "D{p}:D{p1}-$F$1*T{p}:T{p1}",
    "F:G": "MMULT($A$3:$B$6,A{r}:B{r1})",
    "H:I": "1/(1+EXP(-F{r}:G{r3}))",
    "J:J": "MMULT(H{r}:I{r3},D{r}:D{r1})",
    "K:K": "1/(1+EXP(-J{r}:J{r3}))",
    "N:N": "(K{r}:K{r3}-$C$3:$C$6)*K{r}:K{r3}*(1-K{r}:K{r3})",
    "P:Q": "MMULT(N{r}:N{r3},TRANSPOSE(D{r}:D{r1}))*H{r}:I{r3}*(1-H{r}:I{r3})",
    "T:T": "MMULT(TRANSPOSE(H{r}:I{r3}),N{r}:N{r3})",
    "V:W": "MMULT(TRANSPOSE($A$3:$B$6),P{r}:Q{r3})",
}
"""A 2-2-1 network of matrices with four samples, by the columns of each array formula."""


def matrices(path: Path, changed: Mapping[str, str] | None = None) -> Path:
    """Three steps below one another, every calculation an array formula."""
    workbook = openpyxl.Workbook()
    ws = workbook.active
    assert ws is not None
    ws["F1"] = 0.5
    for index, (sample, target) in enumerate(zip(INPUTS, TARGETS, strict=True), 3):
        ws[f"A{index}"], ws[f"B{index}"], ws[f"C{index}"] = *sample, target
    for row in (FIRST + EVERY * step for step in range(STEPS)):
        at = {"r": row, "r1": row + 1, "r3": row + 3, "p": row - EVERY, "p1": row - EVERY + 1}
        if row == FIRST:
            for cell, number in {"A10": 0.1, "B10": 0.4, "A11": -0.3, "B11": 0.2, "D10": 0.3, "D11": -0.2}.items():
                ws[cell] = number
        for columns, rule in {**RULES, **(changed or {})}.items():
            left, right = columns.split(":")
            if row > FIRST or "{p}" not in rule:
                last = row + (3 if columns in {"F:G", "H:I", "J:J", "K:K", "N:N", "P:Q"} else 1)
                block = f"{left}{row}:{right}{last}"
                ws[f"{left}{row}"] = ArrayFormula(block, "=" + rule.format(**at))
        ws[f"L{row}"] = f"=SUMXMY2(K{row}:K{row + 3},$C$3:$C$6)/2"
    workbook.save(path)
    return path


def findings_of(report: Report) -> list[tuple[tuple[str, ...], str, str]]:
    return [(finding.cells, finding.kind, finding.expected) for finding in report.findings]


NAMES = {"$A$3:$B$6": "X", "$C$3:$C$6": "T", "$F$1": "eta"}
NAMED = {columns: reduce(lambda rule, item: rule.replace(*item), NAMES.items(), RULES[columns]) for columns in RULES}


@pytest.mark.parametrize("rules", [RULES, NAMED], ids=["addresses", "names"])
def test_matrices_are_judged_element_by_element(rules: Mapping[str, str], tmp_path: Path) -> None:
    path = matrices(tmp_path / "right.xlsx", rules)
    workbook = openpyxl.load_workbook(path)
    for cells, name in NAMES.items():
        workbook.defined_names[name] = DefinedName(name, attr_text=f"Sheet!{cells}")
    workbook.save(path)
    report = check(path)
    assert (report.status, report.findings) == ("ok", ())
    assert "12 updates of 6 parameters in 2 steps" in report.judged[0]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("columns", "wrong", "cells", "expected"),
    [
        ("P:Q", RULES["P:Q"].partition("*(1-")[0], ("P10:Q13", "P18:Q21", "P26:Q29"), "=N10*D10*H10*(1-H10)"),
        (
            "T:T",
            "MMULT(TRANSPOSE(F{r}:G{r3}),N{r}:N{r3})",
            ("T10:T11", "T18:T19", "T26:T27"),
            "=H10*N10+H11*N11+H12*N12+H13*N13",
        ),
        ("D:D", "D{p}:D{p1}+$F$1*T{p}:T{p1}", ("D18:D19", "D26:D27"), "=D10-$F$1*T10"),
    ],
)
def test_a_slip_in_an_array_formula_is_one_finding(
    columns: str, wrong: str, cells: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    report = check(matrices(tmp_path / "wrong.xlsx", {columns: wrong}))
    assert [(found, formula) for found, _, formula in findings_of(report)] == [(cells, expected)]
    row = int(cells[0][1:3])
    stands = wrong.format(r=row, r1=row + 1, r3=row + 3, p=row - EVERY, p1=row - EVERY + 1)
    assert report.findings[0].found == f"{{={stands}}}"


@pytest.mark.parametrize(
    ("text", "block", "shown"),
    [
        ("MMULT(A1:B2,D1:D2)", "F1:F2", ["A1*D1+B1*D2", "A2*D1+B2*D2"]),
        ("TRANSPOSE(A$1:B$2)", "F1:G2", ["A$1", "A$2", "B$1", "B$2"]),
        ("1/(1+EXP(-A1:A2))", "F1:F2", ["1/(1+EXP(-A1))", "1/(1+EXP(-A2))"]),
        ("A1:B1-$D$1*SUM(A1:A2)", "F3:G3", ["A1-$D$1*SUM(A1:A2)", "B1-$D$1*SUM(A1:A2)"]),
        ("MMULT(TRANSPOSE(A1:A2),D1:D2-B1:B2)", "F1:G1", ["A1*(D1-B1)+A2*(D2-B2)", "A1*(D1-B1)+A2*(D2-B2)"]),
        ("MINVERSE(A1:B2)", "F1:F2", ["INDEX(MINVERSE(A1:B2),1,1)", "INDEX(MINVERSE(A1:B2),2,1)"]),
    ],
)
def test_what_each_cell_of_an_array_formula_shows(text: str, block: str, shown: list[str], tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    ws = workbook.active
    assert ws is not None
    ws["A1"] = 1
    ws[block.partition(":")[0]] = ArrayFormula(block, "=" + text)
    workbook.save(tmp_path / "array.xlsx")
    (sheet,) = read(tmp_path / "array.xlsx").sheets
    formulas = [(place, sheet.cells[place].formula) for place in sorted(sheet.content.arrays)]
    assert [formula.written(*place) for place, formula in formulas if formula is not None] == shown


OUTPUTS: Mapping[str, tuple[str, str]] = {
    "IF(G{r}>=0,1,0)": ("$B$1*I{p}*{x}", "the perceptron rule"),
    "SIGN(G{r})": ("0.1*(C{p}-H{p})*{x}", "the perceptron rule"),
    "G{r}": ("$B$1*I{p}*{x}", "ADALINE"),
    "1/(1+EXP(-G{r}))": ("$B$1*(C{p}-H{p})*{x}", "cross-entropy"),
    "TANH(G{r})": ("$B$1*I{p}*(1-H{p}^2)*{x}", "½(t − y)²"),
}
"""The function of a single unit, the step of its updates, and what their rule is called by."""


def unit(path: Path, output: str, step: str, changed: Mapping[str, str] | None = None) -> Path:
    """A unit with two inputs and a bias, one sample a row, and no cell for its loss."""
    workbook = openpyxl.Workbook()
    ws = workbook.active
    assert ws is not None
    ws["B1"] = 0.1
    for row in range(4, 12):
        ws[f"A{row}"], ws[f"B{row}"], ws[f"C{row}"] = row // 2 % 2, row % 2, row // 2 % 2 * (row % 2)
        for column, source in {"D": "A{p}", "E": "B{p}", "F": "1"}.items():
            rule = f"={column}{{p}}+" + step.replace("{x}", source)
            ws[f"{column}{row}"] = 0.2 if row == 4 else rule.format(p=row - 1)
        ws[f"G{row}"] = f"=A{row}*D{row}+B{row}*E{row}+F{row}"
        ws[f"H{row}"] = "=" + output.format(r=row)
        ws[f"I{row}"] = f"=C{row}-H{row}"
    for cell, content in (changed or {}).items():
        ws[cell] = content
    workbook.save(path)
    return path


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_rule_without_a_loss_is_judged_by_its_name(output: str, tmp_path: Path) -> None:
    step, name = OUTPUTS[output]
    report = check(unit(tmp_path / "right.xlsx", output, step))
    assert (report.status, report.findings) == ("ok", ())
    assert name in report.judged[0]


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_wrong_input_in_a_rule_is_found(output: str, tmp_path: Path) -> None:
    step, _ = OUTPUTS[output]
    wrong = "=E6+" + step.format(p=6, x="A6")
    report = check(unit(tmp_path / "wrong.xlsx", output, step, {"E7": wrong}))
    assert findings_of(report) == [(("E7",), "wrong_cell", "=E6+" + step.format(p=6, x="B6"))]


@pytest.mark.thorough
@pytest.mark.parametrize("slip", [None, "H9", "K13"])
@pytest.mark.parametrize("is_apart", [True, False])
def test_samples_on_another_sheet_are_taken_in_turn(is_apart: bool, slip: str | None, tmp_path: Path) -> None:
    """Five samples, three times; new weights have columns of their own or not, and no cell holds a loss."""
    workbook = openpyxl.Workbook()
    ws = workbook.active
    assert ws is not None
    data = workbook.create_sheet("Data")
    for row, (first, second, target) in enumerate(
        [(0.2, 0.9, 1), (0.8, 0.1, 0), (0.6, 0.7, 1), (0.1, 0.3, 0), (0.9, 0.9, 1)], 2
    ):
        data[f"B{row}"], data[f"C{row}"], data[f"D{row}"] = first, second, target
    ws["A2"], ws["C5"], ws["D5"] = 0.5, 0.3, -0.1
    for row in range(5, 20):
        sample = 2 + (row - 5) % 5
        ws[f"F{row}"] = f"=C{row}*Data!B{sample}+D{row}*Data!C{sample}"
        ws[f"G{row}"] = f"=1/(1+EXP(-F{row}))"
        ws[f"H{row}"] = f"=Data!D{sample - (slip == f'H{row}')}-G{row}"
        ws[f"I{row}"] = f"=G{row}*(1-G{row})*H{row}"
        for weight, new, column in (("C", "J", "B"), ("D", "K", "C")):
            source = f"Data!{'B' if slip == f'K{row}' and new == 'K' else column}{sample}"
            if is_apart:
                ws[f"{new}{row}"] = f"={weight}{row}+$A$2*I{row}*{source}"
                ws[f"{weight}{row + 1}"] = f"={new}{row}"
            else:
                ws[f"{weight}{row + 1}"] = f"={weight}{row}+$A$2*I{row}*{source}"
    workbook.save(tmp_path / "turns.xlsx")
    report = check(tmp_path / "turns.xlsx")
    at = {None: set(), "H9": {"H9"}, "K13": {"K13" if is_apart else "D14"}}[slip]
    assert {cell for cells, _, _ in findings_of(report) for cell in cells} == at
    assert report.status == ("mistakes" if at else "ok")


@pytest.mark.thorough
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_change_by_the_error_of_the_step_before_is_found_where_it_stands(output: str, tmp_path: Path) -> None:
    """In a column of its own: the update that adds it is right as it is."""
    step, _ = OUTPUTS[output]
    changes: dict[str, str] = {}
    for row in range(4, 12):
        for column, (change, source) in {"D": ("K", f"A{row}"), "E": ("L", f"B{row}"), "F": ("M", "1")}.items():
            changes[f"{change}{row}"] = "=" + step.format(p=row, x=source)
            if row > 4:
                changes[f"{column}{row}"] = f"={column}{row - 1}+{change}{row - 1}"
    changes["L7"] = "=" + step.format(p=6, x="B7")
    report = check(unit(tmp_path / "before.xlsx", output, step, changes))
    assert findings_of(report) == [(("L7",), "wrong_cell", "=" + step.format(p=7, x="B7"))]


def test_a_rule_that_goes_the_wrong_way_is_wrong_throughout(tmp_path: Path) -> None:
    report = check(unit(tmp_path / "up.xlsx", "IF(G{r}>=0,1,0)", "$B$1*(H{p}-C{p})*{x}"))
    assert {cells for cells, _, _ in findings_of(report)} == {("D5:D11",), ("E5:E11",), ("F5:F11",)}
    assert {kind for _, kind, _ in findings_of(report)} == {"wrong_operator"}


@pytest.mark.parametrize(("row", "cell"), [(7, "E7"), (11, "D11")])
def test_what_should_be_an_update_and_is_none_is_found(row: int, cell: str, tmp_path: Path) -> None:
    """In the last step nothing goes on from it; before, the next update does."""
    step, _ = OUTPUTS["G{r}"]
    report = check(unit(tmp_path / "none.xlsx", "G{r}", step, {cell: f"=I{row - 1}+$B$1*I{row - 1}"}))
    source = {"D": "A", "E": "B"}[cell[0]]
    expected = f"={cell[0]}{row - 1}+" + step.format(p=row - 1, x=f"{source}{row - 1}")
    assert [(cells, formula) for cells, _, formula in findings_of(report)] == [((cell,), expected)]


SEQUENTIAL: dict[str, str] = {
    "w11": "[w11-]+$G$31*[delta1-]*[x1-]",
    "w21": "[w21-]+$G$31*[delta1-]*[x2-]",
    "b1": "[b1-]+$G$31*[delta1-]",
    "w12": "[w12-]+$G$31*[delta2-]*[x1-]",
    "w22": "[w22-]+$G$31*[delta2-]*[x2-]",
    "b2": "[b2-]+$G$31*[delta2-]",
    "v1": "[v1-]+$G$31*[delta-]*[out1-]",
    "v2": "[v2-]+$G$31*[delta-]*[out2-]",
    "c": "[c-]+$G$31*[delta-]",
    "net1": "[w11]*[x1]+[w21]*[x2]+[b1]",
    "out1": "1/(1+EXP(-[net1]))",
    "net2": "[w12]*[x1]+[w22]*[x2]+[b2]",
    "out2": "1/(1+EXP(-[net2]))",
    "net": "[v1]*[out1]+[v2]*[out2]+[c]",
    "y": "1/(1+EXP(-[net]))",
    "error": "[target]-[y]",
    "delta": "[error]*[y]*(1-[y])",
    "delta1": "[delta]*[v1]*[out1]*(1-[out1])",
    "delta2": "[delta]*[v2]*[out2]*(1-[out2])",
}
"""Hidden units called out1 and out2: by their labels it is a network of two outputs."""


@pytest.mark.thorough
@pytest.mark.parametrize("delta2", ["[delta]*[v2]*[out2]*(1-[out2])", "[delta]*[v1]*[out2]*(1-[out2])"])
def test_labels_that_most_lines_contradict_accuse_nothing(delta2: str, tmp_path: Path) -> None:
    columns = ["x1", "x2", "target", *SEQUENTIAL]
    changes: dict[str | tuple[str, int], str | float | None] = {}
    for row, sample in enumerate([(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)] * 3, handmade.FIRST):
        changes |= {(name, row): number for name, number in zip(columns, sample, strict=False)}
    for index, name in enumerate(list(SEQUENTIAL)[:9]):
        changes[name, handmade.FIRST] = (0.5, 0.4, -0.1, 0.9, 1, 0.2, -1.2, 1.1, 0.3)[index]
    rules = SEQUENTIAL | {"delta2": delta2}
    report = check(handmade.write(tmp_path / "s.xlsx", changes, columns=columns, formulas=rules, rows=12))
    last = get_column_letter(len(columns))
    is_wrong = delta2 != SEQUENTIAL["delta2"]
    rows = f"{last}{handmade.FIRST}:{last}{handmade.FIRST + 11}"
    assert [finding.cells for finding in report.findings] == [(rows,)] * is_wrong, report
