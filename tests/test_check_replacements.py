"""What `check` says belongs in a wrong cell, written there and filled down: the sheet is right then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import openpyxl
import pytest
from openpyxl.formula.translate import Translator

from tests import handmade
from tests.cases import thorough_but
from tests.reports import check
from tests.test_check_calculation import sheets_of, write
from tests.test_check_layouts import unit
from xlbackprop.checker.report.findings import Finding
from xlbackprop.ground.grid import address, cells_of

UNLABELLED = {name: f"x{index}" for index, name in enumerate(handmade.CLASSIC)}
DRIFT: handmade.Changes = {f"w{number}": f"=[w{number}-]-G{{drift}}*[∂E/∂w{number}-]" for number in range(1, 9)}
REPEATED: handmade.Changes = {(f"w{number}", 40): f"=[w{number}-]" for number in range(1, 9)}


def _in_every_step(cell: str, formula: str) -> Callable[[Path], Path]:
    def change(step: int, cells: dict[str, str | float]) -> None:
        cells[cell] = formula

    return lambda path: write(path, sheets_of(change))


WRONG: Mapping[str, Callable[[Path], Path]] = {
    "a learning rate that drifts": lambda path: handmade.write(path, DRIFT),
    "a row that repeats the one above": lambda path: handmade.write(path, REPEATED),
    "the same without labels": lambda path: handmade.write(path, REPEATED, labels=UNLABELLED),
    "another unit's activation": lambda path: handmade.write(
        path, {"∂E/∂w7": "=([a_o2]-[t2])*[a_o2]*(1-[a_o2])*[a_h2]"}
    ),
    "two wrong inputs": lambda path: handmade.write(
        path, {"h2": "=[w3]*[i2]+[w4]*[i2]", "∂E/∂w5": "=([a_o1]-[t1])*[a_o1]*(1-[a_o1])*[a_h2]"}
    ),
    "another weight in every step": _in_every_step("D13", "=D16*C8*(1-C13^2)"),
    "a factor that is missing": _in_every_step("D7", "=D16"),
    "a sign in an update": _in_every_step("E7", "=C7+$E$1*D7"),
    "another input of a perceptron": lambda path: unit(
        path, "IF(G{r}>=0,1,0)", "$B$1*I{p}*{x}", {"E7": "=E6+$B$1*I6*A6", "E9": "=E8+$B$1*I8*A8"}
    ),
}


def mend(path: Path, findings: tuple[Finding, ...]) -> None:
    """Write every replacement into its cell, and fill it into the cells of its mistake in the same line."""
    workbook = openpyxl.load_workbook(path)
    for finding in findings:
        wrong = [address(*place) for block in finding.cells for place in cells_of(block)]
        ws = workbook[finding.sheet]
        for replacement in finding.replacements:
            (_, column), *_ = cells_of(replacement.cell)
            alone = len(finding.replacements) == 1
            for cell in wrong:
                (_, other_column), *_ = cells_of(cell)
                if alone or column == other_column:
                    filled = Translator(replacement.formula, origin=replacement.cell)
                    ws[cell] = filled.translate_formula(cell)
    workbook.save(path)


@pytest.mark.thorough
@pytest.mark.parametrize("what", thorough_but(WRONG, *list(WRONG)[::4]))
def test_the_replacements_mend_the_sheet(what: str, tmp_path: Path) -> None:
    path = WRONG[what](tmp_path / "sheet.xlsx")
    findings = check(path).findings
    assert findings
    assert all(finding.replacements and finding.expected for finding in findings)
    assert all({one.quantity for one in finding.replacements} <= set(finding.quantities) for finding in findings)
    mend(path, findings)
    assert (check(path).status, check(path).findings) == ("ok", ())


def test_one_slip_in_several_quantities_names_each(tmp_path: Path) -> None:
    (finding,) = check(handmade.write(tmp_path / "drift.xlsx", DRIFT)).findings
    assert finding.quantities == tuple(f"w{number}" for number in range(1, 9))
    assert [one.formula for one in finding.replacements][::7] == ["=E34-$G$31*X34", "=P34-$G$31*AE34"]
