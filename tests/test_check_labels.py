"""`check` of sheets whose labels say less than their calculation, or something else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import openpyxl
import pytest
from msgspec.structs import replace

from tests import handmade
from tests.handmade import FIRST
from tests.reports import check, findings_of
from xlbackprop import Report, load, train
from xlbackprop.checker.table.labels import quantity
from xlbackprop.ground.grid import column_letter

pytestmark = pytest.mark.thorough

STEPS = 8
DELTA = "([o1]-[t1])*[o1]*(1-[o1])"
AFTER: Mapping[str, str] = {
    "h1": "1/(1+EXP(-[w1]*[i1]-[w2]*[i2]))",
    "h2": "1/(1+EXP(-[w3]*[i1]-[w4]*[i2]))",
    "o1": "1/(1+EXP(-[w5]*[h1]-[w6]*[h2]))",
    "E": "([t1]-[o1])^2/2",
    "d5": f"{DELTA}*[h1]",
    "d6": f"{DELTA}*[h2]",
    "d1": f"{DELTA}*[w5]*[h1]*(1-[h1])*[i1]",
    "d2": f"{DELTA}*[w5]*[h1]*(1-[h1])*[i2]",
    "d3": f"{DELTA}*[w6]*[h2]*(1-[h2])*[i1]",
    "d4": f"{DELTA}*[w6]*[h2]*(1-[h2])*[i2]",
} | {f"w{n}": f"[w{n}-]-$G$31*[d{n}-]" for n in range(1, 7)}
"""h1, h2 and o1 are outputs, d1 to d6 gradients: by the labels six targets of a network without activations."""

COPYING: Mapping[str, str] = {
    "z1": "[w1]*[x1]+[w2]*[x2]",
    "ah1": "1/(1+EXP(-[z1]))",
    "zo1": "[w3]*[ah1]",
    "ao1": "1/(1+EXP(-[zo1]))",
    "zo2": "[w4]*[ah1]",
    "ao2": "1/(1+EXP(-[zo2]))",
    "L1": "0.5*([x1]-[ao1])^2",
    "L2": "0.5*([x2]-[ao2])^2",
    "L": "[L1]+[L2]",
    "dL/dzo1": "([ao1]-[x1])*[ao1]*(1-[ao1])",
    "dL/dzo2": "([ao2]-[x2])*[ao2]*(1-[ao2])",
    "dL/dz1": "([dL/dzo1]*[w3]+[dL/dzo2]*[w4])*[ah1]*(1-[ah1])",
    "dL/dw1": "[dL/dz1]*[x1]",
    "dL/dw2": "[dL/dz1]*[x2]",
    "dL/dw3": "[dL/dzo1]*[ah1]",
    "dL/dw4": "[dL/dzo2]*[ah1]",
} | {f"w{n}": f"[w{n}-]-$G$31*[dL/dw{n}-]" for n in range(1, 5)}
"""Its targets are its inputs, which no label says."""

MISREAD: Mapping[str, tuple[list[str], Mapping[str, str], Mapping[str, str]]] = {
    "outputs and gradients under short names": (
        ["i1", "i2", "t1", *(f"w{n}" for n in range(1, 7))],
        AFTER,
        {"d3": AFTER["d3"].replace("[w6]", "[w5]"), "d6": "([o1]-[t1])*[h2]"},
    ),
    "an autoencoder": (
        ["x1", "x2", *(f"w{n}" for n in range(1, 5))],
        COPYING,
        {"dL/dzo2": COPYING["dL/dzo2"].replace("[x2]", "[x1]"), "dL/dw4": "[dL/dzo1]*[ah1]"},
    ),
}


def report_on(path: Path, columns: list[str], rules: Mapping[str, str]) -> tuple[Report, dict[str, str]]:
    """The report on a sheet, and the letters of its columns."""
    columns = [*columns, *(name for name in rules if name not in columns)]
    given = {"i1": 0.4, "i2": 0.9, "x1": 0.9, "x2": 0.2, "t1": 0.25} | {
        f"w{n}": round(0.9 - 0.37 * (n * 5 % 6), 2) for n in range(1, 7)
    }
    handmade.write(path, columns=columns, formulas=rules, given=given, rows=STEPS)
    return check(path), {name: column_letter(index) for index, name in enumerate(columns, 1)}


@pytest.mark.parametrize("kind", MISREAD)
def test_labels_that_the_calculation_contradicts_claim_nothing(kind: str, tmp_path: Path) -> None:
    columns, rules, _ = MISREAD[kind]
    report, _ = report_on(tmp_path / "right.xlsx", columns, rules)
    assert (report.status, report.findings) == ("ok", ())
    assert not [words for words in report.judged if "what its label says" in words]
    assert not [note for note in report.notes if note.kind == "recognition"]
    assert report.message.startswith("no mistake in 7 steps of training:")


@pytest.mark.parametrize(("kind", "wrong"), [(kind, name) for kind, (_, _, slips) in MISREAD.items() for name in slips])
def test_nor_do_they_accuse_what_stands_beside_a_mistake(kind: str, wrong: str, tmp_path: Path) -> None:
    columns, rules, slips = MISREAD[kind]
    report, letters = report_on(tmp_path / "slip.xlsx", columns, {**rules, wrong: slips[wrong]})
    letter = letters[wrong]
    assert report.status != "ok"
    assert {cells for cells, _ in findings_of(report)} <= {(f"{letter}{FIRST}:{letter}{FIRST + STEPS - 1}",)}, (
        report.findings
    )


def test_a_weight_that_is_not_updated_is_told_under_any_labels(tmp_path: Path) -> None:
    columns, rules, _ = MISREAD["outputs and gradients under short names"]
    report, letters = report_on(tmp_path / "frozen.xlsx", columns, {**rules, "w3": "[w3-]"})
    letter = letters["w3"]
    assert [(finding.kind, *finding.cells, finding.expected) for finding in report.findings] == [
        ("not_updated", f"{letter}{FIRST + 1}:{letter}{FIRST + STEPS - 1}", "")
    ]


PAGE: Mapping[str, str | float] = {
    **{"A3": "i1", "B3": 0.05, "A4": "i2", "B4": 0.1, "A6": "target o1", "B6": 0.01, "A7": "target o2", "B7": 0.99},
    **{"A9": "b1", "B9": 0.35, "A10": "b2", "B10": 0.6, "H1": "Learning rate", "I1": 0.5},
    **{f"D{n + 2}": f"w{n}" for n in range(1, 9)},
    **{f"E{n + 2}": 0.1 + 0.05 * n for n in range(1, 9)},
    **{"A14": "net h1", "B14": "=E3*B3+E4*B4+B9", "A15": "out h1", "B15": "=1/(1+EXP(-B14))"},
    **{"A16": "net h2", "B16": "=E5*B3+E6*B4+B9", "A17": "out h2", "B17": "=1/(1+EXP(-B16))"},
    **{"D14": "net o1", "E14": "=E7*B15+E8*B17+B10", "D15": "out o1", "E15": "=1/(1+EXP(-E14))"},
    **{"D16": "net o2", "E16": "=E9*B15+E10*B17+B10", "D17": "out o2", "E17": "=1/(1+EXP(-E16))"},
    **{"G14": "E o1", "H14": "=0.5*(B6-E15)^2", "G15": "E o2", "H15": "=0.5*(B7-E17)^2"},
    **{"G16": "E total", "H16": "=H14+H15", "B20": "∂E/∂out", "C20": "∂out/∂net", "D20": "∂net/∂w", "F20": "new w"},
    **{f"A{row}": f"w{row - 16}" for row in range(21, 25)},
    **{f"B{row}": f"=-(B{6 + (row > 22)}-E{15 + 2 * (row > 22)})" for row in range(21, 25)},
    **{f"C{row}": "=E{0}*(1-E{0})".format(15 + 2 * (row > 22)) for row in range(21, 25)},
    **{f"D{row}": f"=B{15 if row % 2 else 17}" for row in range(21, 25)},
    **{f"E{row}": f"=B{row}*C{row}*D{row}" for row in range(21, 25)},
    **{f"F{row}": f"=E{row - 14}-$I$1*E{row}" for row in range(21, 25)},
    **{f"A{row}": f"w{row - 27}" for row in range(28, 32)},
    **{f"B{row}": f"=B21*C21*E{7 + (row > 29)}" for row in range(28, 32)},
    **{f"C{row}": f"=B23*C23*E{9 + (row > 29)}" for row in range(28, 32)},
    **{f"D{row}": f"=B{row}+C{row}" for row in range(28, 32)},
    **{f"E{row}": "=B{0}*(1-B{0})".format(15 + 2 * (row > 29)) for row in range(28, 32)},
    **{f"F{row}": f"=B{4 if row % 2 else 3}" for row in range(28, 32)},
    **{f"G{row}": f"=D{row}*E{row}*F{row}" for row in range(28, 32)},
    **{f"H{row}": f"=E{row - 25}-$I$1*G{row}" for row in range(28, 32)},
}
"""One step of Mazur's example on one page, where w1 to w8 head the lines of the derivatives too."""


@pytest.mark.parametrize("slip", [{}, {"C28": "=B23*C23*E8"}, {"B24": "=-(B6-E17)", "H31": "=E6+$I$1*G31"}], ids=str)
def test_one_page_is_no_table(slip: Mapping[str, str], tmp_path: Path) -> None:
    report = check(written(tmp_path / "page.xlsx", {**PAGE, **slip}))
    assert [cells for cells, _ in findings_of(report)] == [(cell,) for cell in slip], report
    assert not [words for words in report.judged if "what its label says" in words]


def written(path: Path, cells: Mapping[str, object]) -> Path:
    workbook = openpyxl.Workbook()
    ws = workbook.active
    assert ws is not None
    for place, content in cells.items():
        ws[place] = content
    workbook.save(path)
    return path


def test_weight_decay_is_not_what_a_label_says(tmp_path: Path) -> None:
    plain = check(handmade.write(tmp_path / "plain.xlsx", rows=4))
    decay = {f"w{n}": f"[w{n}-]-$G$31*([∂E/∂w{n}-]+0.01*[w{n}-])" for n in range(1, 9)}
    report = check(handmade.write(tmp_path / "decay.xlsx", formulas=decay, rows=4))
    assert report.status == "ok"
    cells = [int(each.judged[0].split(": ")[1].split()[0]) for each in (plain, report)]
    assert cells[0] - cells[1] == 8 * 3
    assert "(sure)" in report.notes[0].message


def test_the_smallest_number_of_an_optimiser_is_no_learning_rate(tmp_path: Path) -> None:
    rules = {f"v{n}": f"0.9*[v{n}-]+0.1*[∂E/∂w{n}]^2" for n in range(1, 9)}
    rules |= {f"w{n}": f"[w{n}-]-$G$31*[∂E/∂w{n}-]/(SQRT([v{n}-])+$G$30)" for n in range(1, 9)}
    columns = [*handmade.CLASSIC, *(f"v{n}" for n in range(1, 9))]
    changes: handmade.Changes = {(f"v{n}", FIRST): 0.01 for n in range(1, 9)}
    extra: dict[str, handmade.Change] = {"F30": "ε =", "G30": 1e-8, "F31": "η =", "G31": 0.02}
    report = check(handmade.write(tmp_path / "r.xlsx", changes, columns=columns, formulas=rules, extra=extra, rows=4))
    assert [table.learning_rate.cell for table in report.tables] == ["G31"]
    assert quantity("ε") is None


def test_l_is_the_loss() -> None:
    assert (quantity("L"), quantity("l =")) == ("E_total", "E_total")


PLAIN: Mapping[str, tuple[str, str]] = {
    "a sigmoid": ("1/1+EXP(-[h1])", "=1/(1+EXP(-I33))"),
    "a hyperbolic tangent": ("TANH(-[h1])", "=TANH(I33)"),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_what_belongs_there_is_written_as_people_write_it(kind: str, tmp_path: Path) -> None:
    slip, expected = PLAIN[kind]
    rules = {"a_h2": "TANH([h2])", "a_o1": "TANH([o1])", "a_o2": "TANH([o2])"} if "TANH" in slip else {}
    report = check(handmade.write(tmp_path / "plain.xlsx", {"a_h1": f"={slip}"}, formulas=rules, rows=4))
    assert ("J33:J36",) in [cells for cells, _ in findings_of(report)]
    assert expected in [formula for _, formula in findings_of(report)]


def test_a_sheet_with_limits_of_its_own_gets_them(tmp_path: Path) -> None:
    rules = {name: f"1/(1+EXP(MIN(709,-[{name[2:]}])))" for name in ("a_h2", "a_o1", "a_o2")}
    report = check(handmade.write(tmp_path / "g.xlsx", {"a_h1": "=1/1+EXP(-[h1])"}, formulas=rules, rows=4))
    assert findings_of(report) == [(("J33:J36",), "=1/(1+EXP(MIN(709,-I33)))")]


def test_a_wrong_delta_is_told_where_it_is_though_its_bias_has_the_same_gradient(tmp_path: Path) -> None:
    rules = {"h1": "[w1]*[i1]+[w2]*[i2]+[b1]", "h2": "[w3]*[i1]+[w4]*[i2]+[b2]"}
    rules |= {"o1": "[w5]*[a_h1]+[w6]*[a_h2]+[b3]", "o2": "[w7]*[a_h1]+[w8]*[a_h2]+[b4]"}
    rules |= {f"delta_o{n}": f"([a_o{n}]-[t{n}])*[a_o{n}]*(1-[a_o{n}])" for n in (1, 2)}
    rules |= {f"delta_h{n}": f"([delta_o1]*[w{n + 4}]+[delta_o2]*[w{n + 6}])*[a_h{n}]*(1-[a_h{n}])" for n in (1, 2)}
    for weight, unit in enumerate(("h1", "h1", "h2", "h2", "o1", "o1", "o2", "o2"), 1):
        source = f"i{2 - weight % 2}" if weight < 5 else f"a_h{2 - weight % 2}"
        rules[f"∂E/∂w{weight}"] = f"[delta_{unit}]*[{source}]"
    for bias, unit in enumerate(("h1", "h2", "o1", "o2"), 1):
        rules |= {f"∂E/∂b{bias}": f"[delta_{unit}]", f"b{bias}": f"[b{bias}-]-$G$31*[∂E/∂b{bias}-]"}
    rules["delta_o2"] = "([a_o2]-[t1])*[a_o2]*(1-[a_o2])"
    columns = [*handmade.CLASSIC, *(name for name in rules if name not in handmade.CLASSIC)]
    changes: handmade.Changes = {(f"b{n}", FIRST): 0.1 * n for n in range(1, 5)}
    path = handmade.write(tmp_path / "delta.xlsx", changes, columns=columns, formulas=rules, rows=STEPS)
    letter = column_letter(columns.index("delta_o2") + 1)
    assert [cells for cells, _ in findings_of(check(path))] == [(f"{letter}{FIRST}:{letter}{FIRST + STEPS - 1}",)]


@pytest.mark.parametrize("last", [FIRST, FIRST + 4], ids=["the first row", "rows in the middle"])
def test_rows_with_pasted_numbers_are_no_mistakes_though_their_losses_are_formulas(last: int, tmp_path: Path) -> None:
    path = handmade.write(tmp_path / "pasted.xlsx", rows=STEPS)
    right = train(replace(load("classic-01-99"), learning_rate=0.5, iterations=STEPS))
    changes: handmade.Changes = {
        (name, row): float(right[name][row - FIRST])
        for name in handmade.FORMULAS
        if name[0] != "E"
        for row in range(last - (last > FIRST), last + 1)
    }
    report = check(handmade.write(path, changes, rows=STEPS))
    assert not [finding for finding in report.findings if finding.kind == "pasted_value"]
    assert [note.kind for note in report.notes if note.kind == "pasted_rows"] == ["pasted_rows"]


def test_an_update_is_no_mistake_where_the_gradient_on_another_sheet_is_one(tmp_path: Path) -> None:
    path = handmade.write(tmp_path / "apart.xlsx", {"∂E/∂w3": "=([a_o1]-[t1])*[w6]*[i1]"}, rows=STEPS)
    workbook = openpyxl.load_workbook(path)
    forward = workbook["Sheet1"]
    backward = workbook.create_sheet("Backward")
    for row in range(handmade.HEADER, FIRST + STEPS):
        for column in range(24, 32):
            cell = forward.cell(row, column)
            text = re.sub(r"([A-Z]+\d+)", r"Sheet1!\1", str(cell.value)) if row >= FIRST else cell.value
            backward.cell(row, column, text)
            cell.value = None
        for column in (*range(5, 9), *range(13, 17)):
            cell = forward.cell(row, column)
            if str(cell.value).startswith("="):
                cell.value = re.sub(r"\*(X|Y|Z|A[A-E])(\d+)", r"*Backward!\1\2", str(cell.value))
    workbook.save(path)
    report = check(path)
    assert [(one.sheet, one.cells) for one in report.findings] == [("Backward", (f"Z{FIRST}:Z{FIRST + STEPS - 1}",))]
