"""`check` of one neuron in many sheets: idle parameters, decay, rates of their own, restarts, batches, pasted steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import openpyxl
import pytest

from tests import handmade
from tests.handmade import FIRST
from tests.reports import check
from xlbackprop import Report
from xlbackprop.ground.grid import address, cells_of

ROWS = 8
NEURON: Mapping[str, str] = {
    "w": "[w-]-$G$31*[d-]*[x-]",
    "u": "[u-]-$G$31*[d-]*[y-]",
    "b": "[b-]-$G$31*[d-]",
    "z": "[w]*[x]+[u]*[y]+[b]",
    "p": "1/(1+EXP(-[z]))",
    "loss": "0.5*([t]-[p])^2",
    "d": "([p]-[t])*[p]*(1-[p])",
}
COLUMNS = ("x", "y", "t", "r", *NEURON)
LAST = FIRST + ROWS - 1
START = {"w": 0.4, "u": -0.3, "b": 0.1}
Changes = dict[str | tuple[str, int], str | float | None]


def write(path: Path, rules: Mapping[str, str] | None = None, changes: Changes | None = None) -> Path:
    """A neuron of two inputs, one sample a row; `r` is a column of a learning rate that becomes smaller."""
    given: Changes = {(name, FIRST): number for name, number in START.items()}
    for index, row in enumerate(range(FIRST, LAST + 1)):
        given |= {
            ("x", row): 0.3 + 0.1 * index,
            ("y", row): 0.9 - 0.2 * (index % 3),
            ("t", row): 0.2 + 0.5 * (index % 2),
        }
        given["r", row] = 0.5 / (1 + index)
    formulas = {**NEURON, **(rules or {})}
    columns = [*COLUMNS, *(name for name in formulas if name not in COLUMNS)]
    extra = {"I31": 0.05}
    handmade.write(path, given | (changes or {}), columns=columns, formulas=formulas, extra=extra, rows=ROWS)
    return path


def report_on(path: Path, rules: Mapping[str, str] | None = None, changes: Changes | None = None) -> Report:
    return check(write(path, rules, changes))


def found_cells(report: Report) -> set[str]:
    return {address(*place) for finding in report.findings for block in finding.cells for place in cells_of(block)}


def column(name: str, first: int = FIRST + 1, last: int = LAST) -> set[str]:
    place = [*COLUMNS].index(name) + 1
    return {address(row, place) for row in range(first, last + 1)}


RIGHT: Mapping[str, Mapping[str, str]] = {
    "plain": {},
    "decayed": {name: f"{NEURON[name]}-$G$31*$I$31*[{name}-]" for name in "wu"},
    "a typed decay": {name: f"{NEURON[name]}-$G$31*0.01*[{name}-]" for name in "wu"},
    "a bias with its own rate": {"b": "[b-]-$I$31*[d-]"},
    "a bias with its own rate, the sum in the unit": {"b": "[b-]-$I$31*[d-]", "p": "1/(1+EXP(-([w]*[x]+[u]*[y]+[b])))"},
    "a rate made of several numbers": {name: NEURON[name].replace("$31", "$31*0.9^[r-]") for name in "wub"},
    "a rate that is halved": {name: NEURON[name].replace("$G$31", "IF([r-]>0.1,$G$31,$G$31/2)") for name in "wub"},
    "a share of each sample": {name: NEURON[name].replace("$31", "$31*[r-]") for name in "wub"},
    "a loss with decay": {
        "loss": "0.5*([t]-[p])^2+$I$31/2*([w]^2+[u]^2)",
        **{name: f"{NEURON[name]}-$G$31*$I$31*[{name}-]" for name in "wu"},
    },
    "a likelihood that grows": {
        "loss": "[t]*LN([p])+(1-[t])*LN(1-[p])",
        "d": "[t]-[p]",
        **{name: NEURON[name].replace("-$G", "+$G") for name in "wub"},
    },
}


@pytest.mark.thorough
@pytest.mark.parametrize("kind", RIGHT)
def test_a_right_sheet_is_called_right(kind: str, tmp_path: Path) -> None:
    report = report_on(tmp_path / "right.xlsx", RIGHT[kind])
    assert (report.status, report.findings) == ("ok", ()), report


TYPED = {name: rule.replace("$G$31", "0.5") for name, rule in NEURON.items() if name in START}
WRONG: Mapping[str, tuple[Mapping[str, str], set[str]]] = {
    "an input that nothing but its gradient reads": ({"z": "[w]*[x]+[u]+[b]"}, column("z", FIRST)),
    "the same by typed rates": ({**TYPED, "z": "[w]*[x]+[u]+[b]"}, column("z", FIRST)),
    "the gradient of a weight for that of the bias": ({"b": "[b-]-$G$31*[d-]*[x-]"}, column("b")),
    "a bias that the sum lacks": ({"z": "[w]*[x]+[u]*[y]"}, column("z", FIRST)),
    "a weight that the sum lacks": ({"z": "[w]*[x]+[b]"}, column("z", FIRST)),
    "one weight without the decay": ({"u": f"{NEURON['u']}-$G$31*$I$31*[u-]"}, set()),
    "one weight with another rate": ({"w": "[w-]-$I$31*[d-]*[x-]"}, column("w")),
    "one weight with the first rate": ({name: NEURON[name].replace("$G$31", "[r-]") for name in "ub"}, column("w")),
    "one that goes down a likelihood": ({**RIGHT["a likelihood that grows"], "u": NEURON["u"]}, column("u")),
}


@pytest.mark.thorough
@pytest.mark.parametrize("slip", WRONG)
def test_a_slip_is_told_where_it_is_or_not_passed_over(slip: str, tmp_path: Path) -> None:
    rules, wrong = WRONG[slip]
    report = report_on(tmp_path / "wrong.xlsx", rules)
    assert report.status != "ok"
    assert found_cells(report) == wrong or not wrong, report.findings


@pytest.mark.parametrize(("slope", "status"), [("1-[p]^2", "ok"), ("1-[p]", "not_recognised")])
def test_a_choice_that_is_not_made_at_present_is_judged_too(slope: str, status: str, tmp_path: Path) -> None:
    rules = {"p": "IF($I$31=1,TANH([z]),1/(1+EXP(-[z])))", "d": f"([p]-[t])*IF($I$31=1,{slope},[p]*(1-[p]))"}
    report = report_on(tmp_path / "choice.xlsx", rules)
    assert (report.status, report.findings) == (status, ())


def test_one_parameter_without_the_share_of_the_others_is_not_called_right(tmp_path: Path) -> None:
    rules = {name: NEURON[name].replace("$31", "$31*[r-]") for name in "wb"}
    assert report_on(tmp_path / "share.xlsx", rules).status != "ok"


STOPPED: Mapping[str, Mapping[str, str]] = {
    "a weight that stays where the loss is small": {
        name: f"IF([loss-]<0.02,[{name}-],{NEURON[name]})" for name in "wub"
    },
    "a rate that is 0 where the loss is small": {
        "e": "IF([loss]<0.02,0,$G$31)",
        **{name: NEURON[name].replace("$G$31", "[e-]") for name in "wub"},
    },
    "a weight that goes down another loss": {
        "z": f"{NEURON['z']}+[v]*[t]",
        "v": "[v-]-$G$31*([p-]-1)*[p-]*(1-[p-])*[t-]",
        "other": "0.5*([p]-1)^2",
    },
}


@pytest.mark.thorough
@pytest.mark.parametrize("kind", STOPPED)
def test_what_is_meant_otherwise_is_not_accused(kind: str, tmp_path: Path) -> None:
    changes: Changes = {("v", FIRST): 0.2} if "v" in STOPPED[kind] else {}
    assert not report_on(tmp_path / "other.xlsx", STOPPED[kind], changes).findings


DECAYS: Mapping[str, Mapping[str, str]] = {
    "twice the decay of the loss": {
        "loss": "0.5*([t]-[p])^2+$I$31/2*([w]^2+[u]^2)",
        **{name: f"{NEURON[name]}-$G$31*2*$I$31*[{name}-]" for name in "wu"},
    },
    "half of the weight": {name: f"{NEURON[name]}-0.5*[{name}-]" for name in "wub"},
    "half of the weight as a factor": {name: NEURON[name].replace(f"[{name}-]", f"0.5*[{name}-]", 1) for name in "wub"},
    "the weight itself": {name: f"{NEURON[name]}-$G$31*[{name}-]" for name in "wu"},
}


@pytest.mark.parametrize("kind", DECAYS)
def test_what_no_decay_is_meant_by_is_no_decay(kind: str, tmp_path: Path) -> None:
    assert report_on(tmp_path / "decay.xlsx", DECAYS[kind]).status != "ok"


@pytest.mark.parametrize("kind", ["half of the weight", "half of the weight as a factor"])
def test_a_large_decay_is_a_doubt_and_no_mistake(kind: str, tmp_path: Path) -> None:
    report = report_on(tmp_path / "decay.xlsx", DECAYS[kind])
    assert (report.status, report.findings) == ("not_recognised", ())


def test_a_function_s_wrong_derivative_is_no_decay(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet["B2"] = 0.05
    for row, slope in enumerate(["4*B{0}^3-3*B{0}+1"] * 8, 5):
        sheet[f"B{row}"] = 0.9 if row == 5 else f"=B{row - 1}-$B$2*D{row - 1}"
        sheet[f"C{row}"] = f"=B{row}^4-3*B{row}^2+B{row}"
        sheet[f"D{row}"] = "=" + slope.format(row)
    book.save(tmp_path / "function.xlsx")
    assert check(tmp_path / "function.xlsx").status != "ok"


@pytest.mark.parametrize("wrong", ["", "E", "F"])
def test_of_two_gradients_the_one_that_is_not_of_the_loss_is_told(wrong: str, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet["B2"] = 0.02
    for row, (x, y) in enumerate([(1, 2.2), (2, 2.8), (3, 4.5), (4, 3.7)], 4):
        sheet[f"A{row}"], sheet[f"B{row}"] = x, y
    error = "B{0}+C{0}*$A$4:$A$7-$B$4:$B$7"
    for row in range(12, 20):
        sheet[f"B{row}"] = 0.1 if row == 12 else f"=B{row - 1}-$B$2*E{row - 1}"
        sheet[f"C{row}"] = 0.3 if row == 12 else f"=C{row - 1}-$B$2*F{row - 1}"
        sheet[f"D{row}"] = f"=SUMPRODUCT(({error})^2)/4".format(row)
        sheet[f"E{row}"] = f"={'1*' if wrong == 'E' else '2*'}SUMPRODUCT({error})/4".format(row)
        sheet[f"F{row}"] = f"={'1*' if wrong == 'F' else '2*'}SUMPRODUCT(({error})*$A$4:$A$7)/4".format(row)
    book.save(tmp_path / "line.xlsx")
    report = check(tmp_path / "line.xlsx")
    assert found_cells(report) == ({f"{wrong}{row}" for row in range(12, 20)} if wrong else set())
    assert report.status == ("mistakes" if wrong else "ok")


@pytest.mark.parametrize("other", [0.0, 0.01])
def test_a_training_that_starts_anew_in_the_middle_is_named(other: float, tmp_path: Path) -> None:
    anew: Changes = {(name, FIRST + 4): number + other for name, number in START.items()}
    report = report_on(tmp_path / "anew.xlsx", changes=anew)
    assert report.status == ("ok" if other else "not_recognised")
    assert ("the training starts anew there" in report.message) == (not other)


def test_the_samples_of_a_batch_may_repeat_the_weights(tmp_path: Path) -> None:
    changes: Changes = {}
    for row in range(FIRST + 1, LAST + 1):
        for name, times in (("w", "*[x-]"), ("u", "*[y-]"), ("b", "")):
            at = address(row - 2, [*COLUMNS, "g" + name].index("d") + 1)
            now = address(row - 1, [*COLUMNS].index("d") + 1)
            inputs = [address(row - back, [*COLUMNS].index({"w": "x", "u": "y"}.get(name, "d")) + 1) for back in (1, 2)]
            step = f"({now}*{inputs[0]}+{at}*{inputs[1]})/2" if times else f"AVERAGE({at}:{now})"
            changes[name, row] = f"=[{name}-]" if (row - FIRST) % 2 else f"=[{name}-]-$G$31*{step}"
    report = report_on(tmp_path / "batch.xlsx", changes=changes)
    assert (report.status, report.findings) == ("ok", ()), report


@pytest.mark.parametrize("off", [0.0, 1e-3])
def test_a_first_step_of_pasted_numbers_is_judged_by_these(off: float, tmp_path: Path) -> None:
    z = START["w"] * 0.3 + START["u"] * 0.9 + START["b"]
    p = 1 / (1 + math.exp(-z)) + off
    numbers = {"z": z, "p": p, "loss": 0.5 * (0.2 - p) ** 2, "d": (p - 0.2) * p * (1 - p)}
    report = report_on(tmp_path / "pasted.xlsx", changes={(name, FIRST): number for name, number in numbers.items()})
    assert (report.status == "ok") == (not off), report


NET: Mapping[str, str] = {
    "w": "[w-]-$G$31*[dh-]*[x-]",
    "u": "[u-]-$G$31*[dh-]*[y-]",
    "v": "[v-]-$G$31*[dp-]*[a-]",
    "k": "[k-]-$G$31*[dq-]*[a-]",
    "h": "[w]*[x]+[u]*[y]",
    "a": "TANH([h])",
    "p": "1/(1+EXP(-[v]*[a]))",
    "q": "1/(1+EXP(-[k]*[a]))",
    "E1": "0.5*([t]-[p])^2",
    "E2": "0.5*([s]-[q])^2",
    "E": "[E1]+[E2]",
    "dp": "([p]-[t])*[p]*(1-[p])",
    "dq": "([q]-[s])*[q]*(1-[q])",
    "slope": "1-[a]^2",
    "dh": "([dp]*[v]+[dq]*[k])*[slope]",
}
"""A hidden unit and two outputs; a slip near an output, or in the hidden unit, reaches most weights or all."""

FAR_REACHING: Mapping[str, tuple[str, str]] = {
    "a loss with another target": ("E2", "0.5*([t]-[q])^2"),
    "a loss without its half": ("E2", "([s]-[q])^2"),
    "a sign in one exponent": ("q", "1/(1+EXP([k]*[a]))"),
    "no square": ("slope", "1-[a]"),
    "the sum for the activation": ("slope", "1-[h]^2"),
}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("outputs", "slip"), [(1, "no square"), (1, "the sum for the activation"), *((2, one) for one in FAR_REACHING)]
)
def test_a_slip_that_reaches_most_updates_is_told_where_it_is(outputs: int, slip: str, tmp_path: Path) -> None:
    name, rule = FAR_REACHING[slip]
    rules = {**NET, name: rule}
    if outputs == 1:
        rules |= {"E": "[E1]", "dh": "[dp]*[v]*[slope]"}
        rules = {key: text for key, text in rules.items() if key not in ("k", "q", "E2", "dq")}
    columns = ["x", "y", "t", "s", *rules]
    changes: Changes = {("w", FIRST): 0.4, ("u", FIRST): -0.3, ("v", FIRST): 0.6, ("k", FIRST): -0.5}
    for index, row in enumerate(range(FIRST, LAST + 1)):
        changes |= {("x", row): 0.3 + 0.1 * index, ("y", row): 0.9 - 0.2 * (index % 3)}
        changes |= {("t", row): 0.2 + 0.5 * (index % 2), ("s", row): 0.7 - 0.3 * (index % 2)}
    labels = {column: f"c{index}x" for index, column in enumerate(columns)}
    changes = {key: content for key, content in changes.items() if key[0] in columns}
    path = handmade.write(tmp_path / "net.xlsx", changes, columns=columns, formulas=rules, labels=labels, rows=ROWS)
    place = columns.index(name) + 1
    report = check(path)
    assert found_cells(report) == {address(row, place) for row in range(FIRST, LAST + 1)}, report


def test_a_row_of_totals_between_two_epochs_is_no_step(tmp_path: Path) -> None:
    totals = FIRST + 4
    changes: Changes = {(name, totals): None for name in COLUMNS}
    changes["loss", totals] = f"=SUM({address(FIRST, 10)}:{address(totals - 1, 10)})"
    for name, times in (("w", "*x"), ("u", "*y"), ("b", "")):
        at = {other: address(totals - 1, [*COLUMNS].index(other) + 1) for other in COLUMNS}
        changes[name, totals + 1] = f"={at[name]}-$G$31*{at['d']}" + (f"*{at[times[1:]]}" if times else "")
    report = report_on(tmp_path / "totals.xlsx", changes=changes)
    assert (report.status, report.findings) == ("ok", ()), report
    changes["b", totals + 1] = f"={address(FIRST + 2, [*COLUMNS].index('b') + 1)}"
    report = report_on(tmp_path / "stale.xlsx", changes=changes)
    assert found_cells(report) == {address(totals + 1, [*COLUMNS].index("b") + 1)}


def test_a_cell_that_is_rounded_alone_is_named(tmp_path: Path) -> None:
    row = FIRST + 3
    report = report_on(tmp_path / "rounded.xlsx", changes={("p", row): "=ROUND(1/(1+EXP(-[z])),2)"})
    assert report.status == "not_recognised"
    assert f"{address(row, [*COLUMNS].index('p') + 1)} is rounded" in report.message
