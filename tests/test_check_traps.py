"""What the checker must understand and not call a mistake: every way in which real sheets differ from the class's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from openpyxl.formula.translate import Translator
from openpyxl.utils import get_column_letter

from tests import handmade
from tests.cases import thorough_but
from tests.handmade import CLASSIC, FORMULAS, LETTERS, UPDATES
from tests.networks import definitions
from tests.test_check import A1, A2, D1, D2, report_of, wrong_cells
from xlbackprop import Definition, build, load, train
from xlbackprop.checker.table.labels import is_learning_rate, quantity
from xlbackprop.derivation.equations import derive
from xlbackprop.walkthrough.arrangement import arrange

BY_SOURCE = {
    "h1": "[w1]*[i1]+[w3]*[i2]",
    "h2": "[w2]*[i1]+[w4]*[i2]",
    "o1": "[w5]*[a_h1]+[w7]*[a_h2]",
    "o2": "[w6]*[a_h1]+[w8]*[a_h2]",
    "∂E/∂w1": f"({D1}*[w5]+{D2}*[w6])*{A1}*[i1]",
    "∂E/∂w2": f"({D1}*[w7]+{D2}*[w8])*{A2}*[i1]",
    "∂E/∂w3": f"({D1}*[w5]+{D2}*[w6])*{A1}*[i2]",
    "∂E/∂w4": f"({D1}*[w7]+{D2}*[w8])*{A2}*[i2]",
    "∂E/∂w5": f"{D1}*[a_h1]",
    "∂E/∂w6": f"{D2}*[a_h1]",
    "∂E/∂w7": f"{D1}*[a_h2]",
    "∂E/∂w8": f"{D2}*[a_h2]",
}
"""The weights numbered by their source: w2 from i1 to h2, w3 from i2 to h1."""

HELPERS = {
    "δo1": D1,
    "δo2": D2,
    "s1": A1,
    "s2": A2,
    "δh1": "([δo1]*[w5]+[δo2]*[w7])*[s1]",
    "δh2": "([δo1]*[w6]+[δo2]*[w8])*[s2]",
}
BY_HELPERS = HELPERS | {
    "∂E/∂w1": "[δh1]*[i1]",
    "∂E/∂w2": "[δh1]*[i2]",
    "∂E/∂w3": "[δh2]*[i1]",
    "∂E/∂w4": "[δh2]*[i2]",
    "∂E/∂w5": "[δo1]*[a_h1]",
    "∂E/∂w6": "[δo1]*[a_h2]",
    "∂E/∂w7": "[δo2]*[a_h1]",
    "∂E/∂w8": "[δo2]*[a_h2]",
}
WITH_HELPERS = [*CLASSIC[:23], *HELPERS, *CLASSIC[23:]]
NEGATIVE_HELPERS = {name: f"-{rule}" if name.startswith("∂") else rule for name, rule in BY_HELPERS.items()} | {
    "δo1": "([t1]-[a_o1])*[a_o1]*(1-[a_o1])",
    "δo2": "([t2]-[a_o2])*[a_o2]*(1-[a_o2])",
}
WITHOUT_GIVEN = [name for name in CLASSIC if name not in {"t1", "t2", "i1", "i2"}]
GRADIENTS = [name for name in CLASSIC if name.startswith("∂")]


def replaced(rules: dict[str, str] | Any, changes: dict[str, str]) -> dict[str, str]:
    """The rules with other words for some quantities."""
    done = {}
    for name, rule in rules.items():
        for old, new in changes.items():
            rule = rule.replace(old, new)
        done[name] = rule
    return done


ELSEWHERE = {"[i1]": "$B$3", "[i2]": "$B$4", "[t1]": "$B$5", "[t2]": "$B$6"}
GIVEN_CELLS = {"B3": 0.05, "B4": 0.1, "B5": 0.01, "B6": 0.99}
BIASED = {
    "h1": "[w1]*[i1]+[w2]*[i2]+$B$10",
    "h2": "[w3]*[i1]+[w4]*[i2]+$B$10",
    "o1": "[w5]*[a_h1]+[w6]*[a_h2]+$B$11",
    "o2": "[w7]*[a_h1]+[w8]*[a_h2]+$B$11",
}
UPDATED_BESIDE = {f"new w{k}": f"[w{k}]-$G$31*[∂E/∂w{k}]" for k in range(1, 9)}
DIAGRAM = ("i1", "w1", "w2", "h1", "a_h1", "w5", "o1", "E1")


def before(number: int) -> str:
    """∂E/∂(pre-activation) of a unit of the row above, in brackets."""
    delta = (f"({D1}*[w5]+{D2}*[w7])*{A1}", f"({D1}*[w6]+{D2}*[w8])*{A2}", D1, D2)[number - 1]
    return f"({replaced({'': delta}, BEFORE)['']})"


BEFORE = {f"[{name}]": f"[{name}-]" for name in CLASSIC}

TRAPS: dict[str, dict[str, Any]] = {
    "weights numbered by source": {"formulas": BY_SOURCE},
    "gradients from helper columns": {"columns": WITH_HELPERS, "formulas": BY_HELPERS},
    "helpers that hold negatives": {"columns": WITH_HELPERS, "formulas": NEGATIVE_HELPERS},
    "labelled helpers": {
        "columns": WITH_HELPERS,
        "formulas": BY_HELPERS,
        "labels": {"δo1": "∂E/∂o1", "δo2": "∂E/∂o2", "s1": "∂a_h1/∂h1", "s2": "∂a_h2/∂h2", "δh1": "∂E/∂h1"},
    },
    "another order": {
        "columns": ["i1", "i2", "t1", "t2", *UPDATES, *CLASSIC[8:12], *CLASSIC[16:23], *reversed(GRADIENTS)]
    },
    "gaps and remarks": {
        "columns": ["", *CLASSIC[:7], "", "", *CLASSIC[7:]],
        "left": 3,
        "header": 40,
        "extra": {"K40": "?"},
    },
    "transposed": {
        "transposed": True,
        "left": 4,
        "header": 5,
        "extra": {"A1": "η", "B1": 0.5},
        "formulas": replaced(UPDATES, {"$G$31": "$B$1"}),
    },
    "other names": {
        "labels": {
            **{f"h{k}": f"net_h{k}" for k in (1, 2)},
            **{f"a_h{k}": f"out_h{k}" for k in (1, 2)},
            **{f"o{k}": f"Net O{k}" for k in (1, 2)},
            **{f"a_o{k}": f"a_0{k}" for k in (1, 2)},
            **{f"w{k}": f"W_{k}" for k in range(1, 9)},
            **{f"∂E/∂w{k}": f"dE_t / dW{k}" for k in range(1, 9)},
            "E_total": "E_T",
            "t1": "Target 1",
        }
    },
    "hidden and output labels of other books": {
        "labels": {
            "h1": "z1",
            "a_h1": "a1",
            "h2": "z2",
            "a_h2": "a2",
            "o1": "z3",
            "a_o1": "a3",
            "o2": "z4",
            "a_o2": "a4",
        }
    },
    "weights by two numbers": {"labels": {f"w{k + 1}": f"{'wv'[k // 4]}{k // 2 % 2 + 1}{k % 2 + 1}" for k in range(8)}},
    "columns without a label": {"labels": {"a_h2": "sigma", **{f"∂E/∂w{k}": f"grad. no. {k}" for k in range(1, 9)}}},
    "labels exchanged": {"labels": {"h2": "a_h1", "a_h1": "h2"}},
    "other learning rates beside the table": {
        "columns": [*CLASSIC, "", "LR=0.1", "LR"],
        "given": {"LR=0.1": 0.3, "LR": 0.2},
    },
    "the learning rate as a formula": {"extra": {"F31": "η", "G31": "=B3*2", "A3": "choose", "B3": 0.25}},
    "a gradient labelled twice": {"labels": {"∂E/∂w7": "∂E/∂w6"}},
    "inputs and targets elsewhere": {
        "columns": WITHOUT_GIVEN,
        "formulas": replaced(FORMULAS, ELSEWHERE),
        "extra": {**GIVEN_CELLS, "A3": "i1", "A4": "i2", "A5": "t1", "A6": "t2"},
    },
    "inputs and targets elsewhere, without labels": {
        "columns": WITHOUT_GIVEN,
        "formulas": replaced(FORMULAS, ELSEWHERE),
        "extra": GIVEN_CELLS,
    },
    "inputs and targets elsewhere, as formulas": {
        "columns": WITHOUT_GIVEN,
        "formulas": replaced(FORMULAS, ELSEWHERE),
        "extra": {"B3": "=5/100", "B4": "=B3*2", "B5": "=1/100", "B6": "=1-B5"},
    },
    "inputs and targets typed in": {
        "columns": WITHOUT_GIVEN,
        "formulas": replaced(FORMULAS, {"[i1]": "0.05", "[i2]": "0.1", "[t1]": "0.01", "[t2]": "0.99"}),
    },
    "a learning rate a row": {
        "columns": [*CLASSIC, "LR"],
        "given": {"LR": 0.5},
        "formulas": replaced(UPDATES, {"$G$31": "[LR-]"}),
    },
    "a learning rate a row, without a label": {
        "columns": [*CLASSIC, "q"],
        "given": {"q": 0.5},
        "formulas": replaced(UPDATES, {"$G$31": "[q]"}),
    },
    "the learning rate typed in": {
        "formulas": replaced(UPDATES, {"$G$31": "0.5"}),
        "extra": {"F31": "η is one half", "G31": None},
    },
    "a look-alike letter": {"extra": {"F31": "ɳ", "G31": 0.5}},
    "biases elsewhere": {"formulas": BIASED, "extra": {"A10": "b1", "B10": 0.35, "A11": "b2", "B11": 0.6}},
    "biases in columns": {
        "columns": ["b1", "b2", *CLASSIC],
        "left": 1,
        "given": {"b1": 0.35, "b2": 0.6},
        "formulas": replaced(BIASED, {"$B$10": "[b1]", "$B$11": "[b2]"}),
    },
    "e with five decimals": {"formulas": {"a_h1": "1/(1+2.71828^(-[h1]))"}},
    "another way to write the same": {
        "formulas": {
            "a_h1": "EXP([h1])/(1+EXP([h1]))",
            "a_o1": "1/(1+EXP([o1]*-1))",
            "E1": "POWER([t1]-[a_o1],2)/2",
            "E_total": "SUM([E1]:[E2])",
            "h1": "SUMPRODUCT([i1]:[i2],[w1]:[w2])",
            "∂E/∂w5": "-([t1]-[a_o1])*[a_o1]*(1-[a_o1])*[a_h1]",
            "w1": "-$G$31*[∂E/∂w1-]+[w1-]",
        }
    },
    "new weights in columns of their own": {
        "columns": [*CLASSIC, *UPDATED_BESIDE],
        "formulas": UPDATED_BESIDE | {f"w{k}": f"[new w{k}-]" for k in range(1, 9)},
    },
    "no gradients of their own": {
        "columns": [name for name in CLASSIC if not name.startswith("∂")],
        "formulas": {f"w{k}": f"[w{k}-]-$G$31*({replaced(FORMULAS, BEFORE)[f'∂E/∂w{k}']})" for k in range(1, 9)},
    },
    "no pre-activations": {
        "columns": [name for name in CLASSIC if name not in {"h1", "h2", "o1", "o2"}],
        "formulas": {
            "a_h1": "1/(1+EXP(-([w1]*[i1]+[w2]*[i2])))",
            "a_h2": "1/(1+EXP(-([w3]*[i1]+[w4]*[i2])))",
            "a_o1": "1/(1+EXP(-([w5]*[a_h1]+[w6]*[a_h2])))",
            "a_o2": "1/(1+EXP(-([w7]*[a_h1]+[w8]*[a_h2])))",
        },
    },
    "another sample in every row": {
        "changes": {("i1", row): 0.05 * (row % 3 + 1) for row in range(33, 45)}
        | {("t1", row): 0.3 * (row % 3) for row in range(33, 45)}
    },
    "biases that learn": {
        "columns": [*CLASSIC, "b1", "b2", "b3", "b4"],
        "given": {"b1": 0.1, "b2": 0.2, "b3": 0.3, "b4": 0.4},
        "labels": {"b1": "b_h1", "b2": "b_h2", "b3": "b_o1", "b4": "b_o2"},
        "formulas": {
            "h1": "[w1]*[i1]+[w2]*[i2]+[b1]",
            "h2": "[w3]*[i1]+[w4]*[i2]+[b2]",
            "o1": "[w5]*[a_h1]+[w6]*[a_h2]+[b3]",
            "o2": "[w7]*[a_h1]+[w8]*[a_h2]+[b4]",
        },
        "changes": {
            (name, row): f"=[{name}-]-$G$31*{rule}"
            for name, rule in {"b1": before(1), "b2": before(2), "b3": before(3), "b4": before(4)}.items()
            for row in range(34, 45)
        },
    },
    "one iteration": {"rows": 1},
    "one iteration, downwards": {
        "rows": 1,
        "transposed": True,
        "left": 3,
        "header": 1,
        "extra": {"E1": "η", "F1": 0.5},
    },
    "a diagram with labels and values": {
        "extra": {f"{letter}3": name for letter, name in zip("BCDEFGHI", DIAGRAM, strict=True)}
        | {f"{letter}4": f"={LETTERS[name]}33" for letter, name in zip("BCDEFGHI", DIAGRAM, strict=True)}
        | {"F31": "η", "G31": 0.5}
    },
}


@pytest.mark.parametrize("trap", thorough_but(TRAPS, *list(TRAPS)[::4]))
def test_what_is_only_unusual_is_no_mistake(trap: str, tmp_path: Path) -> None:
    options = dict(TRAPS[trap])
    report = report_of(handmade.write(tmp_path / "trap.xlsx", options.pop("changes", None), **options))
    assert (report.status, report.findings) == ("ok", ()), report
    rows = options.get("rows", handmade.ROWS)
    assert report.tables[0].rows in (rows, rows - 1), "where no label names a unit, its updates are counted"
    assert report.tables[0].learning_rate.value == 0.5


@pytest.mark.thorough
@pytest.mark.parametrize(
    "trap", [trap for trap in TRAPS if "one iteration" not in trap and trap != "no pre-activations"]
)
def test_a_mistake_shows_in_an_unusual_sheet_too(trap: str, tmp_path: Path) -> None:
    options = dict(TRAPS[trap])
    path = handmade.write(tmp_path / "trap.xlsx", options.pop("changes", None), **options)
    workbook = openpyxl.load_workbook(path)
    ws = workbook["Sheet1"]
    columns = options.get("columns", CLASSIC)
    line, step = options.get("left", 1) + columns.index("a_o2"), options.get("header", handmade.HEADER) + 4
    place = f"{get_column_letter(step)}{line}" if options.get("transposed") else f"{get_column_letter(line)}{step}"
    ws[place] = f"{ws[place].value}*1.0001"
    workbook.save(path)
    report = report_of(path)
    assert wrong_cells(report) == {place}
    assert report.findings[0].quantity in ("a_o2", options.get("labels", {}).get("a_o2"))


def test_the_numbering_is_told(tmp_path: Path) -> None:
    notes = report_of(handmade.write(tmp_path / "numbered.xlsx", formulas=BY_SOURCE)).notes
    told = [note.message for note in notes if note.kind == "numbering"]
    assert len(told) == 1
    assert "w2 is the weight of i1 in h2" in told[0]
    assert "w7 is the weight of a_h2 in o1" in told[0]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("helper", "rule", "quantity", "words"),
    [
        ("δo1", "([a_o1]-[t1])*[a_o1]*(1-[a_o2])", "∂E/∂o1", "uses a_o2 where a_o1 belongs"),
        ("s2", "[a_h2]*(1-[a_h1])", "∂a_h2/∂h2", "uses a_h1 where a_h2 belongs"),
        ("δh2", "([δo1]*[w6]+[δo2]*[w8])*[s1]", "∂E/∂h2", "∂a_h2/∂h2 belongs"),
    ],
)
def test_a_wrong_helper_is_the_one_mistake(helper: str, rule: str, quantity: str, words: str, tmp_path: Path) -> None:
    path = handmade.write(tmp_path / "helper.xlsx", columns=WITH_HELPERS, formulas=BY_HELPERS | {helper: rule})
    report = report_of(path)
    letter = get_column_letter(1 + WITH_HELPERS.index(helper))
    assert [finding.cells for finding in report.findings] == [(f"{letter}33:{letter}44",)]
    assert report.findings[0].quantity == quantity
    assert words in report.findings[0].message


def test_several_tables_of_a_sheet_are_judged_apart(tmp_path: Path) -> None:
    path = handmade.write(tmp_path / "several.xlsx")
    workbook = openpyxl.load_workbook(path)
    ws = workbook["Sheet1"]
    for down, right, rate in ((30, 0, "$G$61"), (0, 35, "$AP$31")):
        for row in range(32, 45):
            for column in range(1, 32):
                source, target = ws.cell(row, column), ws.cell(row + down, column + right)
                value = source.value
                if isinstance(value, str) and value.startswith("="):
                    moved = Translator(value, origin=source.coordinate).translate_formula(target.coordinate)
                    value = moved.replace("$G$31", rate)
                target.value = value
    ws["F61"], ws["G61"], ws["AO31"], ws["AP31"] = "LR", 0.1, "eta", 2
    ws["K65"] = "=G65*C65+H65*C65"
    workbook.save(path)
    report = report_of(path)
    found = {(table.range, table.learning_rate.cell, table.learning_rate.value) for table in report.tables}
    assert found == {("A32:AE44", "G31", 0.5), ("AJ32:BN44", "AP31", 2.0), ("A62:AE74", "G61", 0.1)}
    assert wrong_cells(report) == {"K65"}


@pytest.mark.parametrize("gap", thorough_but([0, 2, 6], 2))
def test_a_second_training_without_a_header_is_a_table_too(gap: int, tmp_path: Path) -> None:
    path = handmade.write(tmp_path / "again.xlsx")
    workbook = openpyxl.load_workbook(path)
    ws = workbook["Sheet1"]
    for row in range(33, 45):
        for column in range(1, 32):
            source, target = ws.cell(row, column), ws.cell(row + 12 + gap, column)
            value = source.value
            if isinstance(value, str) and value.startswith("="):
                moved = Translator(value, origin=source.coordinate).translate_formula(target.coordinate)
                value = moved.replace("$G$31", "$G$30")
            target.value = value
    ws["F30"], ws["G30"] = "LR", 2
    ws.cell(50 + gap, 11).value = f"=G{50 + gap}*C{50 + gap}+H{50 + gap}*C{50 + gap}"
    workbook.save(path)
    report = report_of(path)
    assert [(table.rows, table.learning_rate.value) for table in report.tables] == [(12, 0.5), (12, 2.0)]
    assert wrong_cells(report) == {f"K{50 + gap}"}


def test_what_the_mistakes_do_to_the_loss_is_told(tmp_path: Path) -> None:
    """E_total after 11 updates as the engine has it, against what the sheet shows."""
    path = handmade.write(tmp_path / "effect.xlsx", {"w5": "=[w5-]"})
    (note,) = [note for note in report_of(path).notes if note.kind == "effect"]
    right = train(replace(load("classic", iterations=12, learning_rate=0.5), targets=(0.01, 0.99)))["E_total"][-1]
    assert f"would be {right:.6g}" in note.message
    assert note.cells == ("W44",)


def test_another_learning_rate_than_the_one_shown_is_noted(tmp_path: Path) -> None:
    path = handmade.write(tmp_path / "shown.xlsx", extra={"A1": "learning rate η", "B1": 0.1, "F31": None})
    report = report_of(path)
    assert (report.status, report.tables[0].learning_rate.cell) == ("ok", "G31")
    assert [note.cells for note in report.notes if note.kind == "other_learning_rate"] == [("B1",)]


@pytest.mark.parametrize(
    ("digits", "slip"), [(".10g", False), (".6g", False), (".6f", False), (".4f", False), (".10g", True), (".6g", True)]
)
def test_numbers_without_formulas_are_judged_to_their_digits(digits: str, slip: bool, tmp_path: Path) -> None:
    values = _pasted(slip=slip)
    workbook = openpyxl.Workbook()
    ws = workbook["Sheet"]
    ws.append(["η", 0.5])
    ws.append(list(values))
    for row in range(20):
        ws.append([float(format(column[row], digits)) for column in values.values()])
    workbook.save(tmp_path / "pasted.xlsx")
    report = report_of(tmp_path / "pasted.xlsx")
    letters = {cell.rstrip("0123456789") for cell in wrong_cells(report)}
    assert letters == ({"Z", "AA"} if slip else set()), report
    if slip:
        assert {finding.kind for finding in report.findings} == {"other_activation"}
        assert all("uses a_h1 where a_h2 belongs" in finding.message for finding in report.findings)


def _pasted(*, slip: bool) -> dict[str, list[float]]:
    """A table computed by hand, row by row, with or without the slip of the original sheet."""
    import math

    v = dict(handmade.GIVEN)
    rows: dict[str, list[float]] = {name: [] for name in CLASSIC}
    for _ in range(20):
        for unit, (one, two) in {"h1": ("w1", "w2"), "h2": ("w3", "w4")}.items():
            v[unit] = v[one] * v["i1"] + v[two] * v["i2"]
            v[f"a_{unit}"] = 1 / (1 + math.exp(-v[unit]))
        for unit, (one, two) in {"o1": ("w5", "w6"), "o2": ("w7", "w8")}.items():
            v[unit] = v[one] * v["a_h1"] + v[two] * v["a_h2"]
            v[f"a_{unit}"] = 1 / (1 + math.exp(-v[unit]))
        v["E1"], v["E2"] = (v["t1"] - v["a_o1"]) ** 2 / 2, (v["t2"] - v["a_o2"]) ** 2 / 2
        v["E_total"] = v["E1"] + v["E2"]
        d1 = (v["a_o1"] - v["t1"]) * v["a_o1"] * (1 - v["a_o1"])
        d2 = (v["a_o2"] - v["t2"]) * v["a_o2"] * (1 - v["a_o2"])
        wrong = v["a_h1"] if slip else v["a_h2"]
        b1 = (d1 * v["w5"] + d2 * v["w7"]) * v["a_h1"] * (1 - v["a_h1"])
        b2 = (d1 * v["w6"] + d2 * v["w8"]) * wrong * (1 - wrong)
        slopes = [b1 * v["i1"], b1 * v["i2"], b2 * v["i1"], b2 * v["i2"]]
        slopes += [d1 * v["a_h1"], d1 * v["a_h2"], d2 * v["a_h1"], d2 * v["a_h2"]]
        v.update({f"∂E/∂w{k}": slope for k, slope in enumerate(slopes, 1)})
        for name in CLASSIC:
            rows[name].append(v[name])
        for k in range(1, 9):
            v[f"w{k}"] -= 0.5 * v[f"∂E/∂w{k}"]
    return rows


@pytest.mark.thorough
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(definition=definitions(plain=True), columns=st.sampled_from(["compact", "full"]))
def test_whatever_we_generate_is_right(definition: Definition, columns: str, tmp_path: Path) -> None:
    """No false alarm in a workbook of ours, of any network, and the table is found by the definition inside."""
    path = build(definition, tmp_path / "ours.xlsx", columns=columns, sheets=["walkthrough"])
    report = report_of(path)
    assert (report.status, report.findings) == ("ok", ()), report
    assert report.tables[0].rows == len(train(definition))


@pytest.mark.thorough
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(definition=definitions(plain=True), columns=st.sampled_from(["compact", "full"]), data=st.data())
def test_a_mistake_in_whatever_we_generate_is_found_in_its_cell(
    definition: Definition, columns: str, data: st.DataObject, tmp_path: Path
) -> None:
    path = build(definition, tmp_path / "ours.xlsx", columns=columns, sheets=["walkthrough"])
    derivation = derive(definition)
    table = arrange(derivation, definition.iterations, columns).table
    learned = [name for name in table.quantities if derivation[name].update is not None and definition.iterations > 1]
    name = data.draw(st.sampled_from([*learned, *(n for n in table.quantities if derivation[n].expression)]))
    cell = table.cell(name, data.draw(st.integers(name in learned, definition.iterations - 1)))
    workbook = openpyxl.load_workbook(path)
    ws = workbook["Walkthrough"]
    ws[cell] = f"=({str(ws[cell].value).removeprefix('=')})*1.0001"
    workbook.save(path)
    assert wrong_cells(report_of(path)) == {cell}


@pytest.mark.thorough
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_wrong_reference_is_found_in_its_cell_and_nowhere_else(data: st.DataObject, tmp_path: Path) -> None:
    """One reference of one formula, anywhere in the table, is turned to another column."""
    name = data.draw(st.sampled_from([*FORMULAS, *UPDATES]))
    row = data.draw(st.integers(handmade.FIRST + (name in UPDATES), handmade.LAST))
    pieces = {**UPDATES, **FORMULAS}[name].split("[")
    which = data.draw(st.integers(1, len(pieces) - 1))
    was, _, rest = pieces[which].partition("]")
    other = data.draw(st.sampled_from([quantity for quantity in CLASSIC if quantity != was.rstrip("-")]))
    pieces[which] = f"{other}{'-' if was.endswith('-') else ''}]{rest}"
    path = handmade.write(tmp_path / "reference.xlsx", {(name, row): "=" + "[".join(pieces)})
    report = report_of(path)
    assert wrong_cells(report) == {f"{handmade.LETTERS[name]}{row}"}
    assert report.findings[0].quantity == name


SPELLINGS = {
    "h1": "h1|H1|net_h1|net h1|zh1|h_1|h₁|hidden 1|net(h1)|h1 =",
    "a_h2": "a_h2|ah2|out_h2|a-h2|σ(h2)|A_H2|outh2|h2_out|sigmoid(h2)",
    "a_o1": "a_o1|a_01|ao1|out_o1|out(o1)|O1 out",
    "o2": "o2|O2|net_o2|o_2|neto2|02",
    "E1": "E1|e1|E_o1|error 1|Loss1",
    "E_total": "E_t|E_T|E_Total|E_tot|Etotal|Total Error|error|E",
    "∂E/∂w1": "∂E/∂w1|dE/dw1|∂E_t/∂w1|∂E_total/∂W1|E∂w1|Edw1|∂E/ ∂w1|ӘE/Әw1|δE/δw1|𝜕E/𝜕w1|dEt_dw1|∂ET/∂w_1|∂w1",
    "∂E/∂w5": "∂E1/∂w5|dE_total/dw5",
    "∂E/∂a_h1": "∂E/∂a_h1|dE_t/dah1|∂E_total/∂out_h1",
    "∂a_h1/∂h1": "∂a_h1/∂h1|dout_h1/dnet_h1",
    "t1": "t1|T1|target 1|Target_1|y1",
    "i2": "i2|I2|x2|input 2|in2",
    "w8": "w8|W8|w_8|weight 8|w₈",
    "b1": "b1|bias 1|B_1",
    "η": "η|ͷ|ƞ|ɳ|η =|LR|lr|L.R.|learning rate|Learning Rate (η)|eta|α",
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_labels_are_understood_as_people_write_them(name: str) -> None:
    assert {text: quantity(text) for text in SPELLINGS[name].split("|")} == dict.fromkeys(
        SPELLINGS[name].split("|"), name
    )


@pytest.mark.parametrize(
    "text", ["", "Y", "n", "h", "net", "Δw1", "note", "w1 = 0.15", "X_0", "h1 = w1*i1 + w2*i2", "σ"]
)
def test_what_names_nothing_is_not_taken_for_a_label(text: str) -> None:
    assert quantity(text) is None


@pytest.mark.parametrize("text", ["h", "n", "N", "ɳ = ", "Learning rate:", "η", "LR"])
def test_look_alike_letters_mean_the_learning_rate_beside_a_number(text: str) -> None:
    assert is_learning_rate(text)
