"""`check` of labelled tables with any activations and any loss: told by what they calculate, and judged by that."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from openpyxl.formula.translate import Translator

from tests import handmade
from tests.cases import thorough_but
from tests.reports import check
from xlbackprop.checker.report.findings import Report
from xlbackprop.checker.worlds import Shape, derivation_of, world
from xlbackprop.engine import Array, Trace, train
from xlbackprop.ground.grid import column_letter
from xlbackprop.network import Definition, Layer
from xlbackprop.network.activations import ACTIVATIONS

ROWS = 5
HIDDEN: Mapping[str, tuple[str, str]] = {
    "sigmoid": ("1/(1+EXP(-[h]))", "[a]*(1-[a])"),
    "tanh": ("TANH([h])", "(1-[a]^2)"),
    "relu": ("MAX(0,[h])", "IF([h]>0,1,0)"),
    "leaky relu": ("IF([h]>0,[h],0.01*[h])", "IF([h]>0,1,0.01)"),
    "softplus": ("LN(1+EXP([h]))", "(1/(1+EXP(-[h])))"),
    "silu": ("[h]/(1+EXP(-[h]))", "(1/(1+EXP(-[h]))+[a]*(1-1/(1+EXP(-[h]))))"),
    "identity": ("[h]", "1"),
}
"""Of a unit with weighted sum h and activation a: its formula, and its derivative."""
ENDS: Mapping[str, tuple[str, str, str, str]] = {
    "sigmoid; half squared error": (HIDDEN["sigmoid"][0], "0.5*([t]-[a])^2", "E1+E2", "([a]-[t])*[a]*(1-[a])"),
    "identity; squared error": ("[h]", "([t]-[a])^2", "E1+E2", "2*([a]-[t])"),
    "tanh; half squared error": ("TANH([h])", "([t]-[a])^2", "(E1+E2)/2", "([a]-[t])*(1-[a]^2)"),
    "sigmoid; binary cross-entropy": (HIDDEN["sigmoid"][0], "-([t]*LN([a])+(1-[t])*LN(1-[a]))", "E1+E2", "([a]-[t])"),
    "softmax; categorical cross-entropy": ("EXP([h])/(EXP([o1])+EXP([o2]))", "-[t]*LN([a])", "E1+E2", "([a]-[t])"),
}
"""Of an output with weighted sum h, activation a and target t: its formula, the loss, all losses, and the delta."""
SLIPS: Mapping[str, tuple[str, str, str]] = {
    "another source": ("∂E/∂w6", "*[a_h2]", "*[a_h1]"),
    "another downstream weight": ("∂E/∂w4", "[w8]", "[w6]"),
    "another gradient": ("w3", "[∂E/∂w3-]", "[∂E/∂w1-]"),
    "another target": ("E2", "[t2]", "[t1]"),
    "another sum": ("h2", "[i2]", "[i1]"),
    "another input": ("∂E/∂w1", "[i1]", "[i2]"),
}


def _of(rule: str, **names: str) -> str:
    for short, name in names.items():
        rule = rule.replace(f"[{short}]", f"[{name}]")
    return rule


def formulas_of(hidden: str, end: str) -> dict[str, str]:
    """The class's table with other activations and another loss."""
    formula, slope = HIDDEN[hidden]
    last, loss, total, delta = ENDS[end]
    found = {"E_total": _of(total.replace("E1", "[E1]").replace("E2", "[E2]"))}
    for k in "12":
        found[f"a_h{k}"] = _of(formula, h=f"h{k}")
        found[f"a_o{k}"] = _of(last, h=f"o{k}")
        found[f"E{k}"] = _of(loss, t=f"t{k}", a=f"a_o{k}")
    deltas = {k: _of(delta, t=f"t{k}", a=f"a_o{k}") for k in "12"}
    for index, (k, source) in enumerate([(k, source) for k in "12" for source in "12"], 1):
        down = f"({deltas['1']}*[w{4 + int(k)}]+{deltas['2']}*[w{6 + int(k)}])"
        found[f"∂E/∂w{index}"] = f"{down}*{_of(slope, h=f'h{k}', a=f'a_h{k}')}*[i{source}]"
        found[f"∂E/∂w{index + 4}"] = f"{deltas[k]}*[a_h{source}]"
    return found


def found_cells(report: Report) -> list[tuple[str, ...]]:
    return [finding.cells for finding in report.findings]


COMBINATIONS = [
    (hidden, list(ENDS)[(turn + more) % len(ENDS)]) for turn, hidden in enumerate(HIDDEN) for more in (0, 2)
]
QUICK = COMBINATIONS[2:4]


@pytest.mark.parametrize("combination", thorough_but(COMBINATIONS, *QUICK))
def test_what_a_right_table_calculates_with_is_told(combination: tuple[str, str], tmp_path: Path) -> None:
    hidden, end = combination
    path = handmade.write(tmp_path / "right.xlsx", formulas=formulas_of(hidden, end), rows=ROWS)
    report = check(path)
    assert (report.status, report.findings) == ("ok", ())
    last, loss = end.split("; ")
    words = f"({last}; {loss})" if hidden == last else f"({hidden}, then {last}; {loss})"
    assert [note for note in report.notes if note.kind == "recognition" and words in note.message], report.notes
    assert any(words in judged for judged in report.judged)


KINDS = [slip for slip in SLIPS if slip != "another sum"]
CASES = [(*combination, KINDS[turn % len(KINDS)]) for turn, combination in enumerate(COMBINATIONS)]
CASES += [(hidden, "tanh; half squared error", "another sum") for hidden in ("tanh", "relu", "identity")]


@pytest.mark.parametrize("case", thorough_but(CASES, CASES[2]))
def test_a_slip_is_found_where_it_is_made_and_nowhere_else(case: tuple[str, str, str], tmp_path: Path) -> None:
    hidden, end, slip = case
    name, right, wrong = SLIPS[slip]
    formulas = formulas_of(hidden, end)
    rule = {**handmade.FORMULAS, **handmade.UPDATES, **formulas}[name]
    assert right in rule
    path = tmp_path / "wrong.xlsx"
    handmade.write(path, formulas={**formulas, name: rule.replace(right, wrong)}, rows=ROWS)
    report = check(path)
    assert found_cells(report) == [(handmade.cells(name, last=handmade.FIRST + ROWS - 1),)], report.message
    (finding,) = report.findings
    workbook = openpyxl.load_workbook(path)
    sheet = workbook["Sheet1"]
    for (cell,) in sheet[finding.cells[0]]:
        first = finding.cells[0].partition(":")[0]
        sheet[cell.coordinate] = Translator(finding.expected, first).translate_formula(cell.coordinate)
    workbook.save(path)
    assert check(path).status == "ok", finding.expected


WRONG_SLOPES = {
    "the sigmoid's": "[a_h2]*(1-[a_h2])",
    "none": "1",
    "of the sum": "(1-[h2]^2)",
    "the other unit's": "(1-[a_h1]^2)",
}


@pytest.mark.thorough
@pytest.mark.parametrize("slope", WRONG_SLOPES)
def test_the_forward_pass_says_which_derivative_is_right(slope: str, tmp_path: Path) -> None:
    formulas = formulas_of("tanh", "sigmoid; half squared error")
    for name in ("∂E/∂w3", "∂E/∂w4"):
        formulas[name] = formulas[name].replace("(1-[a_h2]^2)", WRONG_SLOPES[slope])
    report = check(handmade.write(tmp_path / "slope.xlsx", formulas=formulas, rows=ROWS))
    assert found_cells(report) == [("Z33:Z37",), ("AA33:AA37",)]
    if slope == "the sigmoid's":
        assert all("uses the derivative of the sigmoid for h2" in finding.message for finding in report.findings)


@pytest.mark.thorough
def test_an_activation_that_nobody_knows_is_no_mistake(tmp_path: Path) -> None:
    """A leaky rectifier of a tenth, with its derivative; a slip beside it is one of the calculation."""
    formulas = formulas_of("leaky relu", "sigmoid; half squared error")
    formulas = {name: rule.replace("0.01", "0.1") for name, rule in formulas.items()}
    path = tmp_path / "tenth.xlsx"
    assert check(handmade.write(path, formulas=formulas, rows=ROWS)).status == "ok"
    formulas["∂E/∂w6"] = formulas["∂E/∂w5"]
    report = check(handmade.write(path, formulas=formulas, rows=ROWS))
    assert found_cells(report) == [("AC33:AC37",)]
    report = check(path, map_file=mapped(tmp_path / "map.toml", 'loss = "half squared error"'))
    assert found_cells(report) == [("AC33:AC37",)]


def test_where_the_loss_has_the_slip_its_derivatives_say_which_it_is(tmp_path: Path) -> None:
    formulas = formulas_of("tanh", "sigmoid; binary cross-entropy")
    for k in "12":
        formulas[f"E{k}"] = formulas[f"E{k}"].replace("LN(1-", "LN(")
    report = check(handmade.write(tmp_path / "loss.xlsx", formulas=formulas, rows=ROWS))
    assert found_cells(report) == [("U33:U37",), ("V33:V37",)]
    assert all("LN(1-" in finding.expected for finding in report.findings)


@pytest.mark.thorough
@pytest.mark.parametrize("end", thorough_but([end for end in ENDS if "cross-entropy" in end], list(ENDS)[3]))
def test_links_that_cancel_are_judged_where_they_are_shown(end: str, tmp_path: Path) -> None:
    """∂E/∂a_o and ∂a_o/∂o, of which the product is a − t; each has columns of its own."""
    formulas = formulas_of("tanh", end)
    units = [(k, j) for k in "12" for j in "12" if k == j or "softmax" in end]
    links = {f"∂a_o{k}/∂o{j}": f"[a_o{k}]*(1-[a_o{k}])" if k == j else f"-[a_o{k}]*[a_o{j}]" for k, j in units}
    for k in "12":
        slope = f"-[t{k}]/[a_o{k}]" if "softmax" in end else f"([a_o{k}]-[t{k}])/([a_o{k}]*(1-[a_o{k}]))"
        links[f"∂E/∂a_o{k}"] = slope
    for k in "12":
        links[f"∂E/∂o{k}"] = "+".join(f"[∂E/∂a_o{i}]*[∂a_o{i}/∂o{j}]" for i, j in units if j == k)
    columns = [*handmade.CLASSIC, *links]
    path = tmp_path / "links.xlsx"
    deltas = {k: ENDS[end][3].replace("[a]", f"[a_o{k}]").replace("[t]", f"[t{k}]") for k in "12"}
    for name, rule in formulas.items():
        if name.startswith("∂"):
            for k in "12":
                rule = rule.replace(deltas[k], f"[∂E/∂o{k}]")
            formulas[name] = rule
    assert check(handmade.write(path, formulas=formulas | links, columns=columns, rows=ROWS)).status == "ok"
    for wrong, right, other in (("∂E/∂a_o2", "[t2]", "[t1]"), ("∂a_o1/∂o1", "[a_o1]*", "[a_o2]*")):
        slip = formulas | links | {wrong: links[wrong].replace(right, other)}
        report = check(handmade.write(path, formulas=slip, columns=columns, rows=ROWS))
        letter = column_letter(columns.index(wrong) + 1)
        assert found_cells(report) == [(f"{letter}33:{letter}37",)], wrong


def test_the_loss_of_one_class_may_leave_out_the_others(tmp_path: Path) -> None:
    formulas = formulas_of("relu", "softmax; categorical cross-entropy") | {"E_total": "-LN([a_o2])"}
    columns = [name for name in handmade.CLASSIC if name not in ("E1", "E2")]
    path = tmp_path / "class.xlsx"
    report = check(handmade.write(path, formulas=formulas, columns=columns, given={"t1": 0, "t2": 1}, rows=ROWS))
    assert (report.status, report.findings) == ("ok", ())
    assert any(note.kind == "typed_number" and note.message.startswith("E_total") for note in report.notes)


def test_a_formula_that_cannot_be_followed_is_told_by_its_numbers(tmp_path: Path) -> None:
    formulas = formulas_of("tanh", "sigmoid; half squared error")
    for k in "12":
        formulas[f"a_h{k}"] = f"LET(x,[h{k}],TANH(x))"
    path = tmp_path / "let.xlsx"
    assert check(handmade.write(path, formulas=formulas, rows=ROWS)).status == "ok"
    formulas["∂E/∂w3"] = formulas["∂E/∂w3"].replace("[i1]", "[i2]")
    assert found_cells(check(handmade.write(path, formulas=formulas, rows=ROWS))) == [("Z33:Z37",)]


# what a map tells

UNLABELLED = {name: f"x{index}" for index, name in enumerate(handmade.CLASSIC)}


@pytest.mark.thorough
def mapped(path: Path, *lines: str) -> Path:
    columns = [f'"{name}" = "{letter}"' for name, letter in handmade.LETTERS.items()]
    path.write_text("\n".join([*lines, *columns]), encoding="utf-8")
    return path


@pytest.mark.thorough
def test_a_map_may_name_activations_and_loss(tmp_path: Path) -> None:
    """Without it the columns of losses and activations would say something else, all of them."""
    formulas = formulas_of("tanh", "sigmoid; binary cross-entropy")
    formulas |= {name: formulas_of("softplus", "identity; squared error")[name] for name in ("a_h1", "a_h2")}
    path = handmade.write(tmp_path / "theirs.xlsx", formulas=formulas, labels=UNLABELLED, rows=ROWS)
    without = check(path, map_file=mapped(tmp_path / "without.toml"))
    assert "softplus, then sigmoid; binary" in without.notes[0].message
    told_by_map = ('activations = ["tanh", "sigmoid"]', 'loss = "binary cross-entropy"')
    report = check(path, map_file=mapped(tmp_path / "map.toml", *told_by_map))
    assert found_cells(report) == [("J33:J37",), ("L33:L37",)]
    assert "tanh, then sigmoid; binary" in report.notes[0].message


def test_a_map_may_name_rows(tmp_path: Path) -> None:
    formulas = formulas_of("tanh", "sigmoid; half squared error")
    formulas["∂E/∂w6"] = formulas["∂E/∂w5"]
    path = tmp_path / "turned.xlsx"
    handmade.write(path, formulas=formulas, labels=UNLABELLED, rows=ROWS, transposed=True)
    rows = "\n".join(f'"{name}" = {line}' for line, name in enumerate(handmade.CLASSIC, 1))
    for header in ("", 'header = "AF"\n'):
        (tmp_path / "map.toml").write_text(f'layout = "columns"\n{header}{rows}', encoding="utf-8")
        report = check(path, map_file=tmp_path / "map.toml")
        assert found_cells(report) == [("AG29:AK29",)]
        assert report.findings[0].expected == "=(AG18-AG1)*AG18*(1-AG18)*AG12"


# numbers alone


def trained(hidden: str, last: str, loss: str, bias: float = 0.1) -> Trace:
    first = ((0.15, 0.2), (-0.25, 0.3))
    layers = (
        Layer(weights=first, bias=(bias, 2 * bias), activation=hidden),
        Layer(weights=((0.4, 0.45), (-0.5, 0.55)), bias=(0.3, 0.1), activation=last),
    )
    definition = Definition(
        title="-",
        teaches="-",
        inputs=(0.5, 0.4),
        targets=(0.2, 0.8),
        learning_rate=0.5,
        iterations=8,
        layers=layers,
        train_biases=True,
        loss=loss,
    )
    return train(definition)


def numbers_of(trace: Trace, columns: list[str]) -> dict[str, Array]:
    return {name: trace[name].copy() for name in columns}


COLUMNS = [
    *(f"{letter}{k}" for letter in "ti" for k in "12"),
    *(f"w{k}" for k in range(1, 9)),
    *(f"b{k}" for k in range(1, 5)),
    *(f"{letter}{k}" for letter in ("h", "a_h", "o", "a_o", "E") for k in "12"),
    "E_total",
    *(f"∂E/∂{unit}{k}" for unit in "oh" for k in "12"),
    *(f"∂E/∂w{k}" for k in range(1, 9)),
    *(f"∂E/∂b{k}" for k in range(1, 5)),
]


def pasted(path: Path, numbers: Mapping[str, Array], digits: int = 12) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["η", "0.5"])
        rows.writerow(numbers)
        rows.writerows([f"{value:.{digits}f}" for value in row] for row in zip(*numbers.values(), strict=True))
    return path


def cells(name: str, first: int = 0, last: int = 7) -> str:
    letter = column_letter(COLUMNS.index(name) + 1)
    return f"{letter}{first + 3}" + (f":{letter}{last + 3}" if last > first else "")


TRAININGS = [
    ("sigmoid", "sigmoid", "half squared error"),
    ("tanh", "identity", "half squared error"),
    ("tanh", "sigmoid", "binary cross-entropy"),
    ("relu", "softmax", "categorical cross-entropy"),
    ("softplus", "softmax", "half squared error"),
    ("silu", "tanh", "mean squared error"),
]


@pytest.mark.parametrize("training", TRAININGS, ids=lambda training: ", ".join(training))
@pytest.mark.parametrize("digits", [12, 4])
def test_right_numbers_are_right(training: tuple[str, str, str], digits: int, tmp_path: Path) -> None:
    report = check(pasted(tmp_path / "right.csv", numbers_of(trained(*training), COLUMNS), digits))
    assert (report.status, report.findings) == ("ok", ())


def test_an_output_that_is_cut_off_in_some_rows_is_a_rectifier(tmp_path: Path) -> None:
    cut = numbers_of(trained("tanh", "relu", "half squared error", bias=1.0), COLUMNS)
    assert cut["a_o1"].min() == 0 < cut["a_o1"].max()
    report = check(pasted(tmp_path / "cut.csv", cut))
    assert report.status == "ok"
    assert "(tanh, then relu; half squared error)" in report.notes[0].message


@pytest.mark.thorough
@pytest.mark.parametrize("training", TRAININGS[1:5:3], ids=lambda training: ", ".join(training))
def test_one_wrong_number_is_one_finding(training: tuple[str, str, str], tmp_path: Path) -> None:
    right = numbers_of(trained(*training), COLUMNS)
    for name in ("w5", "h1", "a_h2", "o1", "a_o2", "E2", "E_total", "∂E/∂o1", "∂E/∂h2", "∂E/∂w6", "∂E/∂b1"):
        wrong = right | {name: right[name] + np.where(np.arange(8) == 4, 0.013, 0.0)}
        report = check(pasted(tmp_path / "wrong.csv", wrong))
        assert found_cells(report) == [(cells(name, 4, 4),)], name


def test_a_wrong_column_is_one_finding(tmp_path: Path) -> None:
    right = numbers_of(trained("relu", "softmax", "categorical cross-entropy"), COLUMNS)
    slips = {
        "∂E/∂w6": right["∂E/∂w5"],
        "∂E/∂o1": 2 * right["∂E/∂o1"],
        "∂E/∂h2": right["∂E/∂h2"] * right["a_h2"],
        "E2": 2 * right["E2"],
    }
    for name, values in slips.items():
        report = check(pasted(tmp_path / "wrong.csv", right | {name: values}))
        assert found_cells(report) == [(cells(name),)], name


def test_numbers_that_fit_two_activations_are_told(tmp_path: Path) -> None:
    positive = numbers_of(trained("relu", "sigmoid", "half squared error", bias=1.5), COLUMNS)
    assert min(positive["h1"].min(), positive["h2"].min()) > 0
    report = check(pasted(tmp_path / "positive.csv", positive))
    assert report.status == "ok"
    ones = np.array([1.0, 2.0])
    alike = [name for name, each in ACTIVATIONS.items() if name != "relu" and (each.value(ones) == ones).all()]
    assert {"leaky relu", "identity"} <= set(alike)
    words = f"a_h1 and a_h2 fit {', '.join(alike[:-1])} and {alike[-1]} as well as relu"
    assert any(words in note.message for note in report.notes)


@pytest.mark.parametrize(("digits", "status"), [(12, "mistakes"), (2, "ok")])
def test_numbers_that_fit_two_activations_accuse_nothing_that_only_one_contradicts(
    digits: int, status: str, tmp_path: Path
) -> None:
    """Near 0 tanh is a linear unit to two digits, and its derivative is what only more of them contradict."""
    numbers = numbers_of(trained("tanh", "sigmoid", "half squared error", bias=-0.07), COLUMNS)
    numbers["∂E/∂w1"] /= 1 - numbers["a_h1"] ** 2
    for name in ("a_h1", "a_h2"):
        numbers[name] = numbers[name].round(digits)
    assert check(pasted(tmp_path / "near.csv", numbers)).status == status


@pytest.mark.parametrize("changing", [False, True])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 2, 2), (3, 4, 2)])
def test_every_unit_is_on_both_sides_of_its_kink(sizes: tuple[int, ...], changing: bool) -> None:
    """Else a rectifier, a leaky one and a linear unit are one and the same."""
    shape = Shape(sizes, sizes[1:], True, ("relu", "leaky relu"))
    there = world(shape, (), changing)
    for layer in derivation_of(shape).names.pre_activations:
        for unit in layer:
            sums = there.value(unit, 0)
            assert sums is not None
            assert min(sums) < 0 < max(sums)


@pytest.mark.thorough
@pytest.mark.parametrize("total", ["EXP([o1])", "(EXP([o1])+EXP([o1]))"])
def test_an_activation_lacks_no_factor(total: str, tmp_path: Path) -> None:
    """Without its own power in the sum an output is a/(1 − a)."""
    formulas = formulas_of("tanh", "softmax; categorical cross-entropy") | {"a_o2": f"EXP([o2])/{total}"}
    (finding,) = check(handmade.write(tmp_path / "sum.xlsx", formulas=formulas, rows=ROWS)).findings
    assert finding.cells == (f"T33:T{32 + ROWS}",)
    assert "factor" not in finding.message
    assert finding.expected == "=EXP(S33)/(EXP(Q33)+EXP(S33))"
