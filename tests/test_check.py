"""The checker: every slip found where it is made and named, nothing said of what is right."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import openpyxl
import pytest
from openpyxl.formula.translate import Translator
from openpyxl.utils import get_column_letter
from openpyxl.utils.cell import range_boundaries

from tests import handmade
from tests.cases import thorough_but
from tests.handmade import FIRST, LAST, cells
from tests.reports import check
from xlbackprop import build, load
from xlbackprop.checker.report.findings import Report

D1, D2 = "([a_o1]-[t1])*[a_o1]*(1-[a_o1])", "([a_o2]-[t2])*[a_o2]*(1-[a_o2])"
A1, A2 = "[a_h1]*(1-[a_h1])", "[a_h2]*(1-[a_h2])"

SLIPS: dict[str, tuple[handmade.Changes, str, str, str, str]] = {
    # what is planted; the quantity and the cells that are wrong; the kind; words of the message
    "the other activation's derivative": (
        {"∂E/∂w3": f"=({D1}*[w6]+{D2}*[w8])*{A1}*[i1]"},
        "∂E/∂w3",
        cells("∂E/∂w3"),
        "other_activation",
        "uses a_h1 where a_h2 belongs",
    ),
    "the other activation's derivative, reverse": (
        {"∂E/∂w2": f"=({D1}*[w5]+{D2}*[w7])*{A2}*[i2]"},
        "∂E/∂w2",
        cells("∂E/∂w2"),
        "other_activation",
        "uses a_h2 where a_h1 belongs",
    ),
    "half of the derivative": (
        {"∂E/∂w1": f"=({D1}*[w5]+{D2}*[w7])*[a_h1]*(1-[a_h2])*[i1]"},
        "∂E/∂w1",
        cells("∂E/∂w1"),
        "other_activation",
        "uses a_h2 where a_h1 belongs",
    ),
    "a pre-activation": (
        {"∂E/∂w6": f"={D1}*[h2]"},
        "∂E/∂w6",
        cells("∂E/∂w6"),
        "pre_activation",
        "uses h2 where a_h2 belongs",
    ),
    "h(1 − h)": (
        {"∂E/∂w4": f"=({D1}*[w6]+{D2}*[w8])*[h2]*(1-[h2])*[i2]"},
        "∂E/∂w4",
        cells("∂E/∂w4"),
        "pre_activation",
        "uses h2 where a_h2 belongs",
    ),
    "the outer brackets missing": (
        {"∂E/∂w1": f"={D1}*[w5]+{D2}*[w7]*{A1}*[i1]"},
        "∂E/∂w1",
        cells("∂E/∂w1"),
        "missing_brackets",
        "brackets",
    ),
    "brackets missing round the difference": (
        {"∂E/∂w5": "=[a_o1]-[t1]*[a_o1]*(1-[a_o1])*[a_h1]"},
        "∂E/∂w5",
        cells("∂E/∂w5"),
        "missing_brackets",
        "brackets",
    ),
    "brackets missing in the sigmoid": (
        {"a_h1": "=1/1+EXP(-[h1])"},
        "a_h1",
        cells("a_h1"),
        "missing_brackets",
        "brackets",
    ),
    "e with three decimals": (
        {"a_o1": "=1/(1+2.718^-[o1])"},
        "a_o1",
        cells("a_o1"),
        "rounded_constant",
        "EXP is exact",
    ),
    "a missing factor": (
        {"∂E/∂w8": "=([a_o2]-[t2])*[a_o2]*[a_h2]"},
        "∂E/∂w8",
        cells("∂E/∂w8"),
        "missing_factor",
        "lacks the factor (1 − a_o2)",
    ),
    "a missing factor in one term": (
        {"∂E/∂w1": f"=({D1}*[w5]+([a_o2]-[t2])*[a_o2]*[w7])*{A1}*[i1]"},
        "∂E/∂w1",
        cells("∂E/∂w1"),
        "missing_factor",
        "(1 − a_o2)",
    ),
    "a squared factor": (
        {"∂E/∂w5": "=([a_o1]-[t1])*[a_o1]*[a_o1]*(1-[a_o1])*[a_h1]"},
        "∂E/∂w5",
        cells("∂E/∂w5"),
        "extra_factor",
        "a_o1",
    ),
    "the other input": (
        {"∂E/∂w3": f"=({D1}*[w6]+{D2}*[w8])*{A2}*[i2]"},
        "∂E/∂w3",
        cells("∂E/∂w3"),
        "other_quantity",
        "∂E/∂w4",
    ),
    "the other input in one term": (
        {"h1": "=[w1]*[i1]+[w2]*[i1]"},
        "h1",
        cells("h1"),
        "wrong_input",
        "uses i1 where i2 belongs in one place",
    ),
    "w5, w6 for w5, w7": (
        {"∂E/∂w1": f"=({D1}*[w5]+{D2}*[w6])*{A1}*[i1]"},
        "∂E/∂w1",
        cells("∂E/∂w1"),
        "wrong_weight",
        "uses w6 where w7 belongs",
    ),
    "w5, w7 for w6, w8": (
        {"∂E/∂w3": f"=({D1}*[w5]+{D2}*[w7])*{A2}*[i1]"},
        "∂E/∂w3",
        cells("∂E/∂w3"),
        "wrong_weight",
        "uses w5 and w7 where w6 and w8 belong",
    ),
    "w6 · w6": (
        {"o1": "=[w5]*[a_h1]+[w6]*[w6]"},
        "o1",
        cells("o1"),
        "wrong_cell",
        "uses w6 where a_h2 belongs in one place",
    ),
    "built from gradients": (
        {"∂E/∂w1": f"=([∂E/∂w5]+[∂E/∂w7])*{A1}*[i1]"},
        "∂E/∂w1",
        cells("∂E/∂w1"),
        "gradient_for_delta",
        "∂E/∂w5 and ∂E/∂w7",
    ),
    "the other output": (
        {"∂E/∂w7": "=([a_o1]-[t2])*[a_o1]*(1-[a_o1])*[a_h1]"},
        "∂E/∂w7",
        cells("∂E/∂w7"),
        "other_output",
        "uses a_o1 where a_o2 belongs",
    ),
    "the hidden activations swapped": (
        {"∂E/∂w7": f"={D2}*[a_h2]", "∂E/∂w8": f"={D2}*[a_h1]"},
        "∂E/∂w7",
        cells("∂E/∂w7"),
        "other_quantity",
        "∂E/∂w8",
    ),
    "one target for both": (
        {"E2": "=0.5*([t1]-[a_o2])^2"},
        "E2",
        cells("E2"),
        "wrong_target",
        "uses t1 where t2 belongs",
    ),
    "a product for a difference": (
        {"∂E/∂w2": f"=(([a_o1]*[t1])*[a_o1]*(1-[a_o1])*[w5]+([a_o2]*[t1])*[a_o2]*(1-[a_o2])*[w7])*{A1}*[i2]"},
        "∂E/∂w2",
        cells("∂E/∂w2"),
        "product_for_difference",
        "a_o1 − t1",
    ),
    "the sign of the difference": (
        {"∂E/∂w5": "=([t1]-[a_o1])*[a_o1]*(1-[a_o1])*[a_h1]"},
        "∂E/∂w5",
        cells("∂E/∂w5"),
        "sign",
        "wrong sign",
    ),
    "a step uphill": ({"w1": "=[w1-]+$G$31*[∂E/∂w1-]"}, "w1", cells("w1"), "sign", "wrong sign"),
    "no learning rate": ({"w2": "=[w2-]-[∂E/∂w2-]"}, "w2", cells("w2"), "missing_factor", "η"),
    "another weight's gradient": (
        {"w4": "=[w4-]-$G$31*[∂E/∂w3-]"},
        "w4",
        cells("w4"),
        "wrong_gradient",
        "uses ∂E/∂w3 where ∂E/∂w4 belongs",
    ),
    "the same fixed row for ever": (
        {"w4": f"=[w4-]-$G$31*AA${FIRST}"},
        "w4",
        cells("w4", FIRST + 2),
        "fixed_row",
        "the $",
    ),
    "another gradient, of a fixed row": (
        {"w4": f"=[w4-]-Z${FIRST}*$G$31"},
        "w4",
        cells("w4"),
        "fixed_row",
        "uses ∂E/∂w3 where ∂E/∂w4 belongs",
    ),
    "the gradient of its own row": (
        {"w1": "=[w1-]-$G$31*[∂E/∂w1]"},
        "w1",
        cells("w1"),
        "same_row",
        "not from the row above",
    ),
    "a row skipped": (
        {("w1", LAST): f"=E{LAST - 2}-$G$31*X{LAST - 1}"},
        "w1",
        cells("w1", LAST),
        "wrong_row",
        "from another row",
    ),
    "the learning rate drifts": (
        {"w1": "=[w1-]-G{drift}*[∂E/∂w1-]"},
        "w1",
        cells("w1", FIRST + 2),
        "learning_rate_drift",
        "$",
    ),
    "the learning rate drifts sideways": (
        {f"w{k}": f"=[w{k}-]-{'GHIJKLMN'[k - 1]}$31*[∂E/∂w{k}-]" for k in range(2, 9)},
        "w2, w3, w4, w5, w6, w7 and w8",
        "F34:H44",
        "learning_rate_drift",
        "lacks the $",
    ),
    "a learning rate in the table": (
        {"w3": f"=[w3-]-$B${FIRST}*[∂E/∂w3-]"},
        "w3",
        cells("w3"),
        "wrong_learning_rate",
        "uses t2 where the learning rate η belongs",
    ),
    "a learning rate typed in": ({"w3": "=[w3-]-0.4*[∂E/∂w3-]"}, "w3", cells("w3"), "hard_coded", "0.4"),
    "a target typed in": ({"E1": "=0.5*(0.02-[a_o1])^2"}, "E1", cells("E1"), "hard_coded", "t1 belongs"),
    "another column's formula on some rows": (
        {("E2", 38): "=0.5*([t1]-[a_o1])^2", ("E2", 39): "=0.5*([t1]-[a_o1])^2"},
        "E2",
        cells("E2", 38, 39),
        "other_quantity",
        "E1",
    ),
    "a pasted number": ({("a_o1", 40): 0.59}, "a_o1", cells("a_o1", 40, 40), "pasted_value", "pasted number"),
    "not updated": ({"w6": "=[w6-]"}, "w6", cells("w6"), "not_updated", "not updated"),
    "hidden gradients with the updated weights": (
        {"∂E/∂w1": f"=({D1}*[w5+]+{D2}*[w7+])*{A1}*[i1]"},
        "∂E/∂w1",
        cells("∂E/∂w1"),
        "next_row",
        "next row",
    ),
    "one output's part left out": (
        {"∂E/∂w1": f"={D1}*[w5]*{A1}*[i1]"},
        "∂E/∂w1",
        cells("∂E/∂w1"),
        "missing_term",
        "w7",
    ),
    "E_total without one": (
        {"E_total": "=[E1]+[E1]"},
        "E_total",
        cells("E_total"),
        "wrong_cell",
        "uses E1 where E2 belongs",
    ),
    "a deleted cell": ({("h2", 35): "=#REF!*[i1]+[w4]*[i2]"}, "h2", cells("h2", 35, 35), "broken_reference", "#REF!"),
}


def report_of(path: Path) -> Report:
    return check(path)


def wrong_cells(report: Report) -> set[str]:
    """Every single cell that a report calls wrong."""
    found = set()
    for finding in report.findings:
        for block in finding.cells:
            left, top, right, bottom = range_boundaries(block)
            found |= {f"{get_column_letter(c)}{r}" for c in range(left, right + 1) for r in range(top, bottom + 1)}
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("check")


@pytest.fixture(scope="module")
def generated(folder: Path) -> Path:
    """A workbook of ours, laid out like the hand-made ones."""
    return build(
        load("classic", iterations=handmade.ROWS, learning_rate=0.5), folder / "generated.xlsx", sheets=["walkthrough"]
    )


@pytest.mark.parametrize("origin", thorough_but(["by hand", "generated"], "by hand"))
@pytest.mark.parametrize("slip", thorough_but(SLIPS, *list(SLIPS)[::10]))
def test_each_slip_is_found_where_it_is_made_and_named(slip: str, origin: str, folder: Path, generated: Path) -> None:
    changes, quantity, where, kind, words = SLIPS[slip]
    path = folder / "slip.xlsx"
    if origin == "by hand":
        handmade.write(path, changes)
    else:
        shutil.copy(generated, path)
        handmade.plant(path, changes, "Walkthrough")
    report = report_of(path)
    finding = report.findings[0]
    assert report.status == "mistakes"
    assert (finding.quantity, finding.cells[0], finding.kind) == (quantity, where, kind)
    assert words in finding.message
    touched = {key if isinstance(key, str) else key[0] for key in changes}
    assert {name for each in report.findings for name in re.split(", | and ", each.quantity)} == touched
    letters = {handmade.LETTERS[name] for name in touched}
    assert {cell.rstrip("0123456789") for cell in wrong_cells(report)} == letters


@pytest.mark.thorough
def test_the_replacement_mends_the_sheet(folder: Path) -> None:
    """Whoever writes what the report says into the wrong cells has a right sheet, and the report says so."""
    changes: dict[str | tuple[str, int], handmade.Change] = {}
    for slip in ("w5, w7 for w6, w8", "another weight's gradient", "w6 · w6"):
        changes.update(SLIPS[slip][0])
    path = handmade.write(folder / "mend.xlsx", changes)
    workbook = openpyxl.load_workbook(path)
    ws = workbook["Sheet1"]
    findings = report_of(path).findings
    assert len(findings) == 3
    for finding in findings:
        left, top, _, bottom = range_boundaries(finding.cells[0])
        origin = f"{get_column_letter(left)}{top}"
        for row in range(top, bottom + 1):
            target = f"{get_column_letter(left)}{row}"
            ws[target] = Translator(finding.expected, origin=origin).translate_formula(target)
    workbook.save(path)
    assert report_of(path).status == "ok"


def test_the_class_sheet_is_right(folder: Path) -> None:
    report = report_of(handmade.write(folder / "right.xlsx"))
    assert (report.status, report.findings) == ("ok", ())
    table = report.tables[0]
    assert (table.sheet, table.range, table.rows) == ("Sheet1", "A32:AE44", 12)
    assert (table.learning_rate.cell, table.learning_rate.value) == ("G31", 0.5)


def _wrong_everywhere() -> dict[str | tuple[str, int], handmade.Change]:
    """Every formula wrong in a way of its own, none of them a slip that has a name."""
    formulas = {(name, row): formula for name, formula in handmade.FORMULAS.items() for row in range(FIRST, LAST + 1)}
    formulas |= {(name, row): formula for name, formula in handmade.UPDATES.items() for row in range(FIRST + 1, LAST)}
    return {
        place: f"={turn + 2}*EXP({0.5 + 0.01 * turn:.2f}*({formula}))-0.{turn + 11}"
        for turn, (place, formula) in enumerate(formulas.items())
    }


def _map_of(path: Path, names: Iterable[str]) -> Path:
    lines = [f'"{name}" = "{handmade.LETTERS[name]}"' for name in names]
    path.write_text("\n".join(["header = 32", *lines]), encoding="utf-8")
    return path


@pytest.mark.thorough
def test_a_sheet_whose_every_formula_is_wrong_in_another_way_is_judged_in_seconds(folder: Path) -> None:
    path = handmade.write(folder / "everywhere.xlsx", _wrong_everywhere())
    column_map = _map_of(folder / "everywhere.toml", handmade.LETTERS)
    began = time.process_time()
    report = check(path, map_file=column_map)
    assert time.process_time() - began < 3
    assert report.status == "mistakes"
    assert sum(finding.kind == "wrong_formula" for finding in report.findings) > 20
    assert check(path, map_file=column_map) == report  # what is remembered from before is no reason to say more


@pytest.mark.thorough
@pytest.mark.parametrize("missing", [("w1",), ("w6", "w7", "w8"), ("w1", "w2", "w3", "w4", "w5", "w6", "w7")])
def test_a_map_of_some_of_the_weights_is_judged_in_seconds(missing: tuple[str, ...], folder: Path) -> None:
    """The columns that the map leaves out are cells that nobody knows, and every gradient is built on them."""
    path = handmade.write(folder / "some.xlsx")
    column_map = _map_of(folder / "some.toml", [name for name in handmade.LETTERS if name not in missing])
    began = time.process_time()
    check(path, map_file=column_map)
    assert time.process_time() - began < 3


def test_one_mistake_is_told_once_and_not_again_in_what_follows_from_it(folder: Path) -> None:
    path = handmade.write(folder / "once.xlsx", {("h1", FIRST): "=[w1]*[i2]+[w2]*[i2]"})
    assert wrong_cells(report_of(path)) == {f"I{FIRST}"}


@pytest.mark.thorough
def test_the_first_mistake_comes_first(folder: Path) -> None:
    changes: handmade.Changes = {("E1", 36): "=[E2]", ("h2", 35): "=[h1]", ("∂E/∂w8", 35): "=[∂E/∂w7]"}
    findings = report_of(handmade.write(folder / "first.xlsx", changes)).findings
    assert [finding.cells for finding in findings] == [("K35",), ("AE35",), ("U36",)]
    assert "K35" in report_of(folder / "first.xlsx").message
