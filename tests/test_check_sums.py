"""`check` of updates that hold their gradient themselves: a sum over all samples, written into the update."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.formula import ArrayFormula

from tests.cases import thorough_but
from tests.reports import check, findings_of
from xlbackprop.checker.report.findings import Report

TOP, STEPS = 12, 8
X, Y, ERROR = "$A$5:$A$9", "$B$5:$B$9", "(B{p}+C{p}*$A$5:$A$9-$B$5:$B$9)"
COST = f"SUMPRODUCT({ERROR}^2)/(2*$D$1)".replace("{p}", "{r}")
BOTH = {
    "one by one": (
        "B{p}-$B$1*(B{p}+C{p}*$A$9-$B$9)",
        "C{p}-$B$1*(B{p}+C{p}*$A$9-$B$9)*$A$9",
        "(B{r}+C{r}*$A$9-$B$9)^2/2",
    ),
    "a sum over a count in a cell": (
        f"B{{p}}-$B$1*SUMPRODUCT({ERROR})/$D$1",
        f"C{{p}}-$B$1*SUMPRODUCT({ERROR}*{X})/$D$1",
        COST,
    ),
    "the rate first and last": (
        f"B{{p}}-$B$1/$D$1*SUMPRODUCT({ERROR})",
        f"C{{p}}-SUMPRODUCT({ERROR},{X})*$B$1/$D$1",
        COST,
    ),
    "counted in the update": (
        f"B{{p}}-$B$1*SUMPRODUCT({ERROR})/ROWS({X})",
        f"C{{p}}-$B$1*SUMPRODUCT({ERROR}*{X})/COUNT({X})",
        COST,
    ),
    "a typed rate": (f"B{{p}}-0.02*SUMPRODUCT({ERROR})", f"C{{p}}-0.02*SUMPRODUCT({ERROR}*{X})", COST),
    "a typed rate of a share": (
        f"B{{p}}-0.02*(1/5)*SUMPRODUCT({ERROR})",
        f"C{{p}}-0.02*(1/5)*SUMPRODUCT({ERROR}*{X})",
        COST,
    ),
    "averages of an array": (
        f"B{{p}}-$B$1*AVERAGE(B{{p}}+C{{p}}*{X}-{Y})",
        f"C{{p}}-$B$1*AVERAGE((B{{p}}+C{{p}}*{X}-{Y})*{X})",
        COST,
    ),
    "sums of an array": (
        f"B{{p}}-$B$1*2/5*SUM(B{{p}}+C{{p}}*{X}-{Y})",
        f"C{{p}}-$B$1*2/5*SUM((B{{p}}+C{{p}}*{X}-{Y})*{X})",
        f"SUMPRODUCT({ERROR}^2)/5".replace("{p}", "{r}"),
    ),
    "a matrix product": (
        f"B{{p}}-$B$1*SUM(B{{p}}+C{{p}}*{X}-{Y})/5",
        f"C{{p}}-$B$1*MMULT(TRANSPOSE({X}),B{{p}}+C{{p}}*{X}-{Y})/5",
        f"SUMPRODUCT({ERROR}^2)/10".replace("{p}", "{r}"),
    ),
    "a sigmoid": (
        f"B{{p}}-$B$1*SUMPRODUCT(1/(1+EXP(-B{{p}}-C{{p}}*{X}))-{Y}/10)/5",
        f"C{{p}}-$B$1*SUMPRODUCT((1/(1+EXP(-B{{p}}-C{{p}}*{X}))-{Y}/10)*{X})/5",
        f"-SUMPRODUCT({Y}/10*LN(1/(1+EXP(-B{{r}}-C{{r}}*{X})))+(1-{Y}/10)*LN(1-1/(1+EXP(-B{{r}}-C{{r}}*{X}))))/5",
    ),
    "without a cost": (f"B{{p}}-$B$1*SUMPRODUCT({ERROR})/$D$1", f"C{{p}}-$B$1*SUMPRODUCT({ERROR}*{X})/$D$1", ""),
}


def sums(path: Path, rules: tuple[str, str, str], odd: tuple[int, str] = (0, "")) -> Report:
    """The report on a straight line through five points; one step of its slope may be another."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"], sheet["B1"], sheet["C1"], sheet["D1"] = "alpha", 0.05, "m", "=COUNT(A5:A9)"
    sheet["A4"], sheet["B4"] = "x", "y"
    for row, (x, y) in enumerate([(1, 2.3), (2, 3.9), (3, 6.2), (4, 7.8), (5, 9.1)], 5):
        sheet.cell(row, 1, x)
        sheet.cell(row, 2, y)
    for column, text in enumerate(("iteration", "θ0", "θ1", "J"), 1):
        sheet.cell(TOP, column, text)
    for row in range(TOP + 1, TOP + STEPS):
        sheet.cell(row, 1, row - TOP - 1)
        for column, rule in enumerate(rules, 2):
            if row == odd[0] and column == 3:
                rule = odd[1]
            where, formula = f"{'ABCD'[column - 1]}{row}", f"={rule.format(p=row - 1, r=row)}"
            if rule and (column == 4 or row > TOP + 1):
                is_array = any(name in rule for name in ("AVERAGE", "SUM(", "MMULT"))
                sheet[where] = ArrayFormula(where, formula) if is_array else formula
            elif rule:
                sheet[where] = 0.5 - 0.4 * (column == 3)
    book.save(path)
    return check(path)


@pytest.mark.parametrize("kind", thorough_but(BOTH, "counted in the update"))
def test_right_sums_in_the_update_are_called_right(kind: str, tmp_path: Path) -> None:
    report = sums(tmp_path / "right.xlsx", BOTH[kind])
    assert (report.status, report.findings) == ("ok" if BOTH[kind][2] else "not_recognised", ()), report


WITH_COST = [kind for kind in BOTH if BOTH[kind][2]]


@pytest.mark.parametrize("kind", thorough_but(WITH_COST, "a typed rate"))
def test_a_slip_in_one_of_them_is_told(kind: str, tmp_path: Path) -> None:
    b, c, cost = BOTH[kind]
    slip = c.replace(f"*{X})/", ")/").replace(f",{X})", ")").replace(f")*{X})", "))").replace("9)*$A$9", "9)")
    slip = slip.replace(f"TRANSPOSE({X})", f"TRANSPOSE({Y})")
    report = sums(tmp_path / "wrong.xlsx", (b, slip, cost))
    (cells, _), *more = findings_of(report)
    assert (cells, more) == ((f"C{TOP + 2}:C{TOP + STEPS - 1}",), []), report


@pytest.mark.parametrize(
    ("cell", "slip", "told_at"),
    [("F{r}", "=(E{r}-B{r})*E{r}", "F5:F8"), ("B10", "=2*SUM(F5:F8)", "B10"), ("F{r}", "", "")],
)
def test_the_slip_of_one_sheet_of_several_is_told_there(cell: str, slip: str, told_at: str, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for number in range(1, 5):
        sheet = book.create_sheet(f"epoch {number}")
        before = f"'epoch {number - 1}'!"
        sheet["A1"], sheet["B1"] = "rate", 0.8 if number == 1 else f"={before}B1"
        sheet["A2"] = 0.2 if number == 1 else f"={before}A11"
        sheet["B2"] = -0.1 if number == 1 else f"={before}B11"
        for row, (x, t) in enumerate([(0.1, 0), (0.4, 0), (0.8, 1), (0.9, 1)], 5):
            sheet[f"A{row}"], sheet[f"B{row}"] = x, t
            sheet[f"E{row}"] = f"=1/(1+EXP(-($A$2*A{row}+$B$2)))"
            sheet[f"D{row}"] = f"=(B{row}-E{row})^2"
            sheet[f"F{row}"] = f"=(E{row}-B{row})*E{row}*(1-E{row})"
        sheet["D9"] = "=AVERAGE(D5:D8)"
        sheet["A10"], sheet["B10"] = "=2/4*SUMPRODUCT(F5:F8,A5:A8)", "=2*AVERAGE(F5:F8)"
        for row in range(5, 9) if number == 2 and slip else ():
            sheet[cell.format(r=row)] = slip.format(r=row)
        sheet["A11"], sheet["B11"] = "=A2-$B$1*A10", "=B2-$B$1*B10"
    book.remove(book["Sheet"])
    book.save(tmp_path / "epochs.xlsx")
    report = check(tmp_path / "epochs.xlsx")
    assert [(one.sheet, one.cells) for one in report.findings] == ([("epoch 2", (told_at,))] if told_at else [])
