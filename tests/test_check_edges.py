"""`check` at the edges of a training: its last step, typed weights, other steps' rates, batches, other optimisers."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from openpyxl.formula.translate import Translator
from openpyxl.utils import get_column_letter

from tests import handmade
from tests.cases import thorough_but
from tests.generated_sheets import LAYOUTS, Network, Slip, write
from tests.reports import check
from tests.test_check_files import _with_part
from xlbackprop.checker.report.findings import Report
from xlbackprop.ground.grid import address, cells_of

ROWS = 8
WEIGHTS = tuple(handmade.UPDATES)
FIRST, LAST = handmade.FIRST, handmade.FIRST + ROWS - 1
UNLABELLED = dict.fromkeys(handmade.CLASSIC, "")
LABELS = {"labelled": {}, "unlabelled": UNLABELLED}


def cells(report: Report) -> set[str]:
    return {address(*place) for finding in report.findings for block in finding.cells for place in cells_of(block)}


def cell(name: str, row: int) -> str:
    return f"{handmade.LETTERS[name]}{row}"


IN_ONE_STEP: Mapping[str, tuple[str, int, str | float]] = {
    "a typed weight": ("w5", 36, 0.9),
    "a gradient in the last step": ("∂E/∂w6", LAST, "=([a_o1]-[t1])*[a_o1]*(1-[a_o1])*[a_h1]"),
    "an activation in the last step": ("a_h2", LAST, "=TANH([h2])"),
    "a sum in the last step": ("o2", LAST, "=[w7]*[a_h1]+[w8]*[a_h1]"),
    "a loss in the last step": ("E_total", LAST, "=[E1]+[E1]"),
    "a loss in a step": ("E_total", 36, "=[E1]*3"),
    "a pasted activation": ("a_h2", 36, 0.6),
    "a pasted gradient": ("∂E/∂w6", 36, 0.01),
    "a loss for a gradient": ("w2", 36, "=[w2-]-$G$31*[E_total-]"),
    "an update from two steps before": ("w5", LAST, "=[w5-]-$G$31*[∂E/∂w6-]"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("slip", IN_ONE_STEP)
def test_a_slip_in_one_step_is_found_there(slip: str, labels: str, tmp_path: Path) -> None:
    name, row, content = IN_ONE_STEP[slip]
    report = check(handmade.write(tmp_path / "s.xlsx", {(name, row): content}, labels=LABELS[labels], rows=ROWS))
    assert cells(report) == {cell(name, row)}


def test_totals_below_a_table_are_no_step(tmp_path: Path) -> None:
    below = {cell(name, LAST + 1): f"=AVERAGE({cell(name, FIRST)}:{cell(name, LAST)})" for name in ("E1", "E_total")}
    report = check(handmade.write(tmp_path / "totals.xlsx", labels=UNLABELLED, rows=ROWS, extra=below))
    assert (report.status, report.findings) == ("ok", ())


BIASED = {
    "h1": "[w1]*[i1]+[w2]*[i2]+$B$10",
    "h2": "[w3]*[i1]+[w4]*[i2]+$B$10",
    "o1": "$B$11+[w5]*[a_h1]+[w6]*[a_h2]",
    "o2": "$B$11+[w7]*[a_h1]+[w8]*[a_h2]",
}


OF_BIASES: Mapping[str, tuple[str, str | None]] = {
    "right": ("o2", None),
    "a wrong gradient": ("∂E/∂w6", "=([a_o1]-[t1])*[a_o1]*(1-[a_o1])*[a_h1]"),
    "that of the layer before": ("o2", "=$B$10+[w7]*[a_h1]+[w8]*[a_h2]"),
    "that of the next layer": ("h2", "=[w3]*[i1]+[w4]*[i2]+$B$11"),
    "none": ("o2", "=[w7]*[a_h1]+[w8]*[a_h2]"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("case", OF_BIASES)
def test_biases_that_stay_as_they_are_need_no_labels(case: str, labels: str, tmp_path: Path) -> None:
    """A weighted sum is a bias and something that depends on it, and no update of this bias."""
    name, slip = OF_BIASES[case]
    extra: dict[str, str | float | None] = {"A10": "b1", "B10": 0.35, "A11": "b2", "B11": 0.6}
    path = handmade.write(
        tmp_path / "biases.xlsx",
        {} if slip is None else {name: slip},
        labels=LABELS[labels],
        rows=ROWS,
        formulas=BIASED,
        extra=extra,
    )
    report = check(path)
    assert cells(report) == (set() if slip is None else {cell(name, row) for row in range(FIRST, LAST + 1)})
    assert report.status == ("ok" if slip is None else "mistakes")
    assert "8 parameters" in report.judged[-1]


def test_a_factor_that_the_numbers_of_a_sheet_happen_to_make_is_no_convention(tmp_path: Path) -> None:
    """The gradient lacks its input, 0.6, and a fifth of it goes on: a third of what it should, as of three samples."""
    network = Network((1, 1), ("tanh",), "a square", "momentum as a mean", False, False, "sheets", "named", 3, False, 5)
    write(tmp_path / "third.xlsx", network, Slip("gw1", "2*([a11]-[t1])*(1-[a11]^2)", None))
    assert check(tmp_path / "third.xlsx").status != "ok"


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("steps", [[36], range(FIRST + 1, LAST + 1)], ids=["one step", "every step"])
def test_with_other_samples_a_gradient_of_the_step_before_is_the_mistake(
    steps: Iterable[int], labels: str, tmp_path: Path
) -> None:
    """The forward pass would be consistent with it, were it to read the sample of the step before."""
    inputs: handmade.Changes = {("i1", row): 0.1 * (row % 3 + 1) for row in range(FIRST, LAST + 1)}
    wrong = "=" + handmade.FORMULAS["∂E/∂w1"].replace("*[i1]", "*[i1-]")
    changes: handmade.Changes = {**inputs, **{("∂E/∂w1", row): wrong for row in steps}}
    report = check(handmade.write(tmp_path / "samples.xlsx", changes, labels=LABELS[labels], rows=ROWS))
    assert cells(report) == {cell("∂E/∂w1", row) for row in steps}


def test_gradients_of_another_loss_than_the_labelled_one_are_wrong_by_their_own_factor(tmp_path: Path) -> None:
    """They do descend a loss, and all go by it: what they lack is not told by the loss that they go by."""
    losses: handmade.Changes = {
        f"E{unit}": f"=-([t{unit}]*LN([a_o{unit}])+(1-[t{unit}])*LN(1-[a_o{unit}]))" for unit in (1, 2)
    }
    report = check(handmade.write(tmp_path / "loss.xlsx", losses, rows=ROWS))
    assert cells(report) == {cell(f"∂E/∂{weight}", row) for weight in WEIGHTS for row in range(FIRST, LAST + 1)}
    assert {finding.kind for finding in report.findings if "w5" in finding.quantity} == {"extra_factor"}


def decaying(path: Path, late: tuple[str, ...]) -> Report:
    """The report on a table whose learning rate has a column; some weights take the one of the next step."""
    updates = {name: handmade.UPDATES[name].replace("$G$31", "[lr]" if name in late else "[lr-]") for name in WEIGHTS}
    columns = [*handmade.CLASSIC, "lr"]
    formulas = {**updates, "lr": "[lr-]*0.9"}
    labels = dict.fromkeys(columns, "")
    return check(
        handmade.write(path, {("lr", FIRST): 0.5}, columns=columns, formulas=formulas, labels=labels, rows=ROWS)
    )


@pytest.mark.parametrize("late", [(), WEIGHTS])
def test_a_rate_that_changes_is_that_of_either_step(late: tuple[str, ...], tmp_path: Path) -> None:
    report = decaying(tmp_path / "rates.xlsx", late)
    assert (report.status, report.findings) == ("ok", ())


def test_a_rate_of_another_step_than_beside_it_is_a_mistake(tmp_path: Path) -> None:
    report = decaying(tmp_path / "rates.xlsx", ("w3",))
    assert cells(report) == {cell("w3", row) for row in range(FIRST + 1, LAST + 1)}
    assert report.findings[0].expected == "=G33-AF33*Z33"


def test_as_many_rates_of_one_step_as_of_another_are_a_question(tmp_path: Path) -> None:
    report = decaying(tmp_path / "rates.xlsx", WEIGHTS[:4])
    assert (report.status, report.findings) == ("not_recognised", ())
    assert "take learning rates of different steps" in report.message


def batches(path: Path, changed: Mapping[str, str] | None = None, loss: str = "(E{r}-C{r})^2/2") -> Report:
    """The report on epochs below one another: four samples of one unit each, and averages of their gradients.

    Args:
        path: the workbook.
        changed: other formulas of the samples, by column; `{r}` is their row, `{p}` that of the parameters.
        loss: of a sample.
    """
    columns = {
        "D": "$B${p}*A{r}+$C${p}*B{r}+$D${p}",
        "E": "1/(1+EXP(-D{r}))",
        "F": loss,
        "G": "(E{r}-C{r})*E{r}*(1-E{r})",
        "H": "G{r}*A{r}",
        "I": "G{r}*B{r}",
        "J": "G{r}",
    } | dict(changed or {})
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet["B1"] = 0.3
    for epoch in range(4):
        top = 4 + 9 * epoch
        for letter, start, gradient in zip("BCD", (0.3, -0.2, 0.1), "HIJ", strict=True):
            sheet[f"{letter}{top}"] = start if epoch == 0 else f"={letter}{top - 9}-$B$1*{gradient}{top - 3}"
        for row, sample in enumerate([(0.5, 1.2, 1), (-0.3, 0.8, 0), (1.1, -0.6, 1), (0.2, 0.4, 0)], top + 2):
            for letter, number in zip("ABC", sample, strict=True):
                sheet[f"{letter}{row}"] = number
            for letter, rule in columns.items():
                sheet[f"{letter}{row}"] = "=" + rule.format(r=row, p=top)
        for letter in "FHIJ":
            sheet[f"{letter}{top + 6}"] = f"=AVERAGE({letter}{top + 2}:{letter}{top + 5})"
    workbook.save(path)
    return check(path)


def samples(letter: str, epochs: int = 4) -> set[str]:
    return {f"{letter}{4 + 9 * epoch + row}" for epoch in range(epochs) for row in range(2, 6)}


def test_batches_are_right(tmp_path: Path) -> None:
    report = batches(tmp_path / "batches.xlsx")
    assert (report.status, report.findings) == ("ok", ())


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("letter", "rule", "epochs"),
    [("D", "$B${p}*A{r}+$C${p}*A{r}+$D${p}", 3), ("I", "G{r}*A{r}", 4), ("J", "G{r}*C{r}", 4)],
)
def test_a_slip_in_every_sample_is_told_there_and_not_at_the_average(
    letter: str, rule: str, epochs: int, tmp_path: Path
) -> None:
    """Nothing descends the last loss: its forward pass, which fits no less to itself, is not spoken of."""
    report = batches(tmp_path / "batches.xlsx", {letter: rule})
    assert samples(letter, epochs) <= cells(report) <= samples(letter)


def test_the_gradient_of_another_loss_than_the_sheet_shows_is_not_called_right(tmp_path: Path) -> None:
    report = batches(tmp_path / "batches.xlsx", loss="-C{r}*LN(E{r})-(1-C{r})*LN(1-E{r})")
    assert (report.status, report.findings) == ("not_recognised", ())
    assert "the updates go down by the derivative of ½(t − y)²" in report.message


PLAIN = Network((2, 2, 2), ("linear", "linear"), "a power", "plain", False, False, "columns", "named", 3, False, 9)
MOMENTUM = replace(PLAIN, rule="momentum from the first step", labels="shuffled")
IN_THE_LAST_STEP: Mapping[str, tuple[Network, Slip]] = {
    "another gradient": (
        replace(MOMENTUM, sizes=(2, 1), activations=("tanh",), layout="blocks below"),
        Slip("vw1", "0.9*[vw1-]+{eta}*[gw2]", 2),
    ),
    "no gradient": (
        replace(MOMENTUM, sizes=(2, 2), activations=("linear",), has_biases=True, has_deltas=True),
        Slip("vw4", "0.9*[vw4-]+{eta}", 2),
    ),
    "no gradient, on the last sheet but one": (
        replace(MOMENTUM, sizes=(1, 1, 2), activations=("sigmoid", "tanh"), layout="sheets", steps=4, has_biases=True),
        Slip("vb22", "0.9*[vb22-]+{eta}", 2),
    ),
}
"""Velocities that go on otherwise than those of the other weights, which no weight shows any more, or is read as η."""
TOLD_WHERE_IT_IS: Mapping[str, tuple[Network, Slip]] = {
    "a gradient that repeats another unit's delta": (
        Network(
            *((3, 2, 2), ("tanh", "sigmoid"), "half a square", "plain", True, True, "blocks beside", "shuffled"),
            steps=5,
            several_samples=False,
            seed=100,
        ),
        Slip("gb21", "[d12]", None),
    ),
    "a velocity that goes on from another one": (
        replace(
            MOMENTUM,
            sizes=(1, 1, 2),
            activations=("softplus", "linear"),
            rule="momentum as a mean",
            has_biases=True,
            has_deltas=True,
            layout="blocks below",
            steps=4,
        ),
        Slip("vw3", "0.8*[vw1-]+0.2*[gw3-]", None),
    ),
    "the kink of another unit": (
        replace(
            MOMENTUM,
            sizes=(3, 1, 2),
            activations=("leaky ReLU", "linear"),
            rule="momentum as a mean",
            layout="rows",
            steps=5,
            labels="missing",
            seed=13,
        ),
        Slip("gw3", "((([a21]-[t1])*[w4]+([a22]-[t2])*[w5])*IF([z22]>0,1,0.01))*[x3]", 2),
    ),
}


@pytest.mark.parametrize("case", TOLD_WHERE_IT_IS)
def test_a_slip_is_told_where_it_is_and_not_at_what_reads_it(case: str, tmp_path: Path) -> None:
    network, slip = TOLD_WHERE_IT_IS[case]
    planted = {place for _, place in write(tmp_path / "slip.xlsx", network, slip)}
    assert cells(check(tmp_path / "slip.xlsx")) == planted


ALWAYS_OF_ANOTHER_WEIGHT: Mapping[str, tuple[Network, Slip]] = {
    "in blocks": (
        replace(MOMENTUM, sizes=(1, 2), activations=("linear",), layout="blocks beside"),
        Slip("w2", "[w1-]-[vw2-]", None),
    ),
    "on sheets": (
        replace(MOMENTUM, sizes=(2, 1), activations=("leaky ReLU",), layout="sheets", steps=4, loss="a square"),
        Slip("w2", "[w1-]-[vw2-]", None),
    ),
    "in rows": (
        replace(MOMENTUM, sizes=(3, 1), activations=("linear",), layout="rows", steps=5),
        Slip("w1", "[w2-]-[vw1-]", None),
    ),
}


@pytest.mark.parametrize("case", ALWAYS_OF_ANOTHER_WEIGHT)
def test_a_weight_that_always_starts_from_another_one_is_told_there(case: str, tmp_path: Path) -> None:
    network, slip = ALWAYS_OF_ANOTHER_WEIGHT[case]
    planted = {(sheet, place) for sheet, place in write(tmp_path / "another.xlsx", network, slip)}
    report = check(tmp_path / "another.xlsx")
    found = {
        (one.sheet, address(*place)) for one in report.findings for block in one.cells for place in cells_of(block)
    }
    assert found == planted


@pytest.mark.thorough
@pytest.mark.parametrize("layout", LAYOUTS)
def test_updates_that_descend_nothing_are_not_called_right_by_the_labels_beside_them(
    layout: str, tmp_path: Path
) -> None:
    write(tmp_path / "cubes.xlsx", replace(PLAIN, sizes=(1, 2), activations=("linear",), layout=layout))
    workbook = openpyxl.load_workbook(tmp_path / "cubes.xlsx")
    for sheet in workbook:
        for one in (one for row in sheet.iter_rows() for one in row):
            if re.fullmatch(r"=.*-.*\$B\$2\*[^*]*", str(one.value)):
                one.value = f"{one.value}^3"
    workbook.save(tmp_path / "cubes.xlsx")
    report = check(tmp_path / "cubes.xlsx")
    assert (report.status, report.findings) == ("not_recognised", ())
    assert "no loss was found" in report.message or "another rule" in report.message


@pytest.mark.parametrize("case", IN_THE_LAST_STEP)
def test_a_velocity_in_the_last_step_is_held_to_its_siblings(case: str, tmp_path: Path) -> None:
    network, slip = IN_THE_LAST_STEP[case]
    planted = {place for _, place in write(tmp_path / "last.xlsx", network, slip)}
    assert cells(check(tmp_path / "last.xlsx")) == planted


UNKNOWN_TO_LABELS: Mapping[str, tuple[Network, Slip]] = {
    "linear units": (PLAIN, Slip("gw5", "(-([t2]-[a21]))*[a11]", None)),
    "a velocity of another unit's gradient": (
        replace(
            PLAIN, sizes=(2, 2), activations=("tanh",), rule="momentum as a mean", has_biases=True, has_deltas=True
        ),
        Slip("gb11", "[d12]", None),
    ),
    "kinks": (
        replace(
            PLAIN,
            sizes=(1, 1, 2),
            activations=("leaky ReLU",) * 2,
            loss="a square",
            has_biases=True,
            has_deltas=True,
            labels="shuffled",
            several_samples=True,
            seed=282,
        ),
        Slip("d21", "2*([a11]-[t1])*IF([z21]>0,1,0.01)", 1),
    ),
}
"""Networks whose labels say too little: read as one that the labels know, right cells of theirs would be wrong."""


@pytest.mark.parametrize("case", UNKNOWN_TO_LABELS)
def test_labels_that_are_read_as_another_network_accuse_nothing(case: str, tmp_path: Path) -> None:
    network, slip = UNKNOWN_TO_LABELS[case]
    planted = {place for _, place in write(tmp_path / "named.xlsx", network, slip)}
    assert cells(check(tmp_path / "named.xlsx")) == planted


ADAM = "[w#-]-$G$31*([m#]/(1-0.9^[k]))/(SQRT([s#]/(1-0.999^[k]))+0.00000001)"
MAXIMUM = "[w#-]-$G$31*[m#]/(SQRT(MAX([s#],[s#-]))+0.00000001)"
OTHER_RULES: Mapping[str, Callable[[str], str]] = {
    "AMSGrad": lambda number: MAXIMUM.replace("#", number),
    "a decay of the wrong sign": lambda number: f"[w{number}-]-$G$31*([∂E/∂w{number}-]-0.01*[w{number}-])",
}


def _carrying(path: Path, update: Callable[[str], str]) -> Report:
    """The report on a class table whose updates carry on the gradients and their squares."""
    numbers = [name[1:] for name in WEIGHTS]
    columns = [*handmade.CLASSIC, "k", *(f"{kind}{number}" for number in numbers for kind in "ms")]
    formulas = {f"w{number}": update(number) for number in numbers} | {"k": "[k-]+1"}
    formulas |= {f"m{number}": f"0.9*[m{number}-]+0.1*[∂E/∂w{number}-]" for number in numbers}
    formulas |= {f"s{number}": f"0.999*[s{number}-]+0.001*[∂E/∂w{number}-]^2" for number in numbers}
    starts: handmade.Changes = {(name, FIRST): 0.0 for name in columns if name[0] in "kms"}
    return check(handmade.write(path, starts, columns=columns, formulas=formulas, rows=ROWS))


@pytest.mark.thorough
def test_updates_by_a_rule_that_is_known_are_right_under_labels(tmp_path: Path) -> None:
    report = _carrying(tmp_path / "adam.xlsx", lambda number: ADAM.replace("#", number))
    assert (report.status, report.findings) == ("ok", ())


@pytest.mark.thorough
@pytest.mark.parametrize("rule", OTHER_RULES)
def test_updates_by_a_rule_that_is_not_known_are_not_judged_by_their_labels(rule: str, tmp_path: Path) -> None:
    report = _carrying(tmp_path / "rule.xlsx", OTHER_RULES[rule])
    assert (report.status, report.findings) == ("not_recognised", ())
    assert "8 parameters updated by another rule than plain gradient descent" in report.message


@pytest.mark.thorough
def test_a_line_of_one_unit_with_any_cell_emptied_is_never_called_right(tmp_path: Path) -> None:
    """What is carried on from an empty cell starts from nothing; in the last step nothing else reads it."""

    def regression() -> dict[str, str | float]:
        found: dict[str, str | float] = {"E9": 0.1, "E2": 0.3, "F2": -0.2}
        for row in range(2, 8):
            found |= {f"A{row}": 0.1 * row, f"B{row}": 0.7 - 0.05 * row, f"C{row}": f"=E{row}*A{row}+F{row}"}
            found |= {f"D{row}": f"=C{row}-B{row}", f"G{row}": f"=D{row}*A{row}", f"H{row}": f"=D{row}"}
            if row > 2:
                found |= {f"{name}{row}": f"={name}{row - 1}-$E$9*{grad}{row - 1}" for name, grad in ("EG", "FH")}
        return found

    right = regression()
    for emptied in [place for place in right if place[0] in "CDEFGH" and place not in ("E9", "G7", "H7")]:
        workbook = openpyxl.Workbook()
        sheet = workbook.active
        assert sheet is not None
        for at, value in right.items():
            sheet[at] = None if at == emptied else value
        workbook.save(tmp_path / "emptied.xlsx")
        assert check(tmp_path / "emptied.xlsx").status != "ok", emptied


def without_loss(path: Path, network: Network, *, linked: bool = False) -> Report:
    """The report on a right training whose losses are left out: its updates go by the errors of the outputs alone.

    Args:
        path: the workbook.
        network: what is trained.
        linked: whether the targets are typed in the first step alone and taken over by the others.
    """
    write(path, network)
    workbook = openpyxl.load_workbook(path)
    for sheet in workbook:
        for row in sheet.iter_rows():
            for one in row:
                if str(one.value) in ("E1", "E2", "E", "erro 1", "erro 2", "erro "):
                    for other in sheet[one.row]:
                        other.value = None
                if linked and str(one.value).startswith("alvo"):
                    for other in sheet[one.row][2:]:
                        other.value = f"={other.offset(0, -1).coordinate}"
    workbook.save(path)
    return check(path)


CHAIN = replace(PLAIN, sizes=(1, 1, 1, 1), activations=("sigmoid",) * 3, labels="translated", steps=5)


@pytest.mark.thorough
@pytest.mark.parametrize("layout", ["columns", "blocks below", "sheets"])
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (2, 2, 2), (2, 2, 1)])
def test_a_right_training_without_a_loss_is_never_accused(sizes: tuple[int, ...], layout: str, tmp_path: Path) -> None:
    """Hidden units may have the formulas of output units: these alone have errors."""
    activations = ("sigmoid",) * (len(sizes) - 1)
    network = replace(CHAIN, sizes=sizes, activations=activations, layout=layout, has_deltas=sizes[-1] == 1)
    report = without_loss(tmp_path / "errors.xlsx", network)
    assert (report.status, report.findings) == ("ok", ())
    assert any("½(t − y)²" in words for words in report.judged)


@pytest.mark.parametrize("sizes", [(2, 2), (1, 1, 2)])
def test_targets_that_are_taken_over_are_those_of_the_first_step(sizes: tuple[int, ...], tmp_path: Path) -> None:
    network = replace(CHAIN, sizes=sizes, activations=("sigmoid",) * (len(sizes) - 1), layout="columns")
    report = without_loss(tmp_path / "errors.xlsx", network, linked=True)
    assert (report.status, report.findings) == ("ok", ())
    assert "in 4 steps" in report.judged[0]


APART = """A8 Schritt 1 2 3 4
w {w_new-}
b {b_new-}
y 1/(1+EXP(-({w}*$B$3+{b})))
E ({y}-$B$4)^2/2
g ({y}-$B$4)*{y}*(1-{y})
w_new {w}-$B$5*{g}*$B$3
b_new {b}-$B$5*{g}"""


def new_weights_apart(path: Path, changed: Mapping[str, str]) -> Report:
    """The report on five steps beside one another whose new weights have rows of their own; some cells are others."""
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet["B3"], sheet["B4"], sheet["B5"], sheet["B10"], sheet["B11"] = 0.7, 0.2, 0.5, 0.3, -0.4
    rows = {"w": 10, "b": 11, "y": 12, "E": 13, "g": 14, "w_new": 15, "b_new": 16}
    rules = dict(line.split(" ", 1) for line in APART.splitlines()[1:])
    for name, row in rows.items():
        for column in range(2, 7):
            places = {other: f"{get_column_letter(column)}{at}" for other, at in rows.items()}
            places |= {f"{other}-": f"{get_column_letter(column - 1)}{at}" for other, at in rows.items() if column > 2}
            if column > 2 or name not in "wb":
                rule = rules[name]
                for other, place in places.items():
                    rule = rule.replace("{" + other + "}", place)
                sheet.cell(row, column).value = "=" + rule
    for place, formula in changed.items():
        sheet[place] = formula
    workbook.save(path)
    return check(path)


@pytest.mark.parametrize(
    "changed",
    [{}, {"E10": "=C15"}, {"D11": "=C15"}, {"C10": "=B16", "D10": "=C16", "E10": "=D16", "F10": "=E16"}],
    ids=["right", "of an earlier step", "of another weight", "always of another weight"],
)
def test_new_weights_apart_are_taken_over_from_the_step_before(changed: dict[str, str], tmp_path: Path) -> None:
    report = new_weights_apart(tmp_path / "apart.xlsx", changed)
    assert cells(report) == set(changed)
    assert report.status == ("mistakes" if changed else "ok")


def test_the_rate_that_stands_in_updates_is_meant_where_only_the_sheet_s_numbers_tell_it(tmp_path: Path) -> None:
    """Targets of classes below one another sum to 1, or the derivative of their cross-entropy is another."""
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    cells_ = {"A2": 0.6, "A3": -0.3, "C2": 0, "C3": 1, "C4": 0, "A6": 0.1}
    weights = [(0.4, 0.2), (-0.3, 0.8), (0.5, -0.6)]
    formulas: dict[str, str] = {}
    for step in range(4):
        top = 10 + 10 * step
        for unit, pair in enumerate(weights):
            row = top + unit
            for letter, start in zip("AB", pair, strict=True):
                place = f"{letter}{row}"
                if step:
                    formulas[place] = f"={letter}{row - 10}-$A$6*{letter}{row - 6}"
                else:
                    cells_[place] = start
            formulas[f"D{row}"] = f"=A{row}*$A$2+B{row}*$A$3"
            formulas[f"E{row}"] = f"=EXP(D{row})"
            formulas[f"F{row}"] = f"=E{row}/SUM(E${top}:E${top + 2})"
            formulas[f"D{row + 4}"] = f"=F{row}-C{2 + unit}"
            formulas[f"A{row + 4}"], formulas[f"B{row + 4}"] = f"=D{row + 4}*$A$2", f"=D{row + 4}*$A$3"
        formulas[f"G{top}"] = f"=-($C$2*LN(F{top})+$C$3*LN(F{top + 1})+$C$4*LN(F{top + 2}))"
    for place, value in {**cells_, **formulas}.items():
        sheet[place] = value
    workbook.save(tmp_path / "classes.xlsx")
    report = check(tmp_path / "classes.xlsx")
    assert (report.status, report.findings) == ("ok", ())


GIVEN: Mapping[str, dict[str, str | float]] = {
    "a rate that is looked up": {"AK1": "slow", "AL1": 0.1, "AK2": "fast", "AL2": 0.5},
    "inputs that are scaled": {"AK1": 1, "AK2": 2, "AK3": 4},
    "a list that is too long": {"AK1": 0.5},
}
LOOKED_UP: Mapping[str, dict[str, str]] = {
    "a rate that is looked up": {"G31": '=VLOOKUP("fast",AK1:AL2,2,FALSE)'},
    "inputs that are scaled": {f"C{row}": "=(AK1-AVERAGE(AK1:AK3))/STDEV(AK1:AK3)" for row in (FIRST,)},
    "a list that is too long": {"G31": "=MAX(AK1:AK30000)"},
}


@pytest.mark.thorough
@pytest.mark.parametrize("slip", [None, "=([a_o2]-[t2])*[a_o2]*(1-[a_o2])*[a_h1]"])
@pytest.mark.parametrize("case", GIVEN)
def test_what_no_parameter_changes_is_given_though_it_cannot_be_followed(
    case: str, slip: str | None, tmp_path: Path
) -> None:
    changes: handmade.Changes = {} if slip is None else {("∂E/∂w8", 36): slip}
    extra = {**GIVEN[case], **LOOKED_UP[case]}
    report = check(handmade.write(tmp_path / "given.xlsx", changes, labels=UNLABELLED, rows=ROWS, extra=extra))
    assert cells(report) == (set() if slip is None else {cell("∂E/∂w8", 36)})
    assert report.status == ("ok" if slip is None else "mistakes")
    assert any(place in words for place in LOOKED_UP[case] for words in report.not_judged)


@pytest.mark.parametrize("activation", ["=FISHERINV([h1])", "=FISHERINV(Table1[[#This Row],[h1]])"])
def test_an_activation_that_cannot_be_followed_is_not_taken_as_given(activation: str, tmp_path: Path) -> None:
    """Not where it does not even say which cell it reads, if what parameters change stands on both sides of it."""
    changes: handmade.Changes = {"a_h1": activation}
    assert check(handmade.write(tmp_path / "s.xlsx", changes, labels=UNLABELLED, rows=ROWS)).status == "not_recognised"


@pytest.mark.thorough
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("name", ["h1", "E_total", "∂E/∂w1"])
def test_one_cell_that_cannot_be_followed_accuses_nothing_and_is_never_passed_over(
    name: str, labels: str, tmp_path: Path
) -> None:
    changes: handmade.Changes = {(name, 36): "=SUM(Table1[x])"}
    report = check(handmade.write(tmp_path / "s.xlsx", changes, labels=LABELS[labels], rows=ROWS))
    assert (report.status, report.findings) == ("not_recognised", ())
    assert cell(name, 36) in report.message


@pytest.mark.parametrize(
    "end", thorough_but([",$$A1", ";2", ")", "!", "+SUM(", "+nosuch", "+NOSUCH(1)", "**2"], "!", "+nosuch")
)
@pytest.mark.parametrize("name", ["E1", "a_o1"])
def test_a_formula_that_no_program_takes_accuses_nothing_but_itself(name: str, end: str, tmp_path: Path) -> None:
    changes: handmade.Changes = {(name, 36): f"={handmade.FORMULAS[name]}{end}"}
    report = check(handmade.write(tmp_path / "s.xlsx", changes, rows=ROWS))
    assert cells(report) <= {cell(name, 36)}
    assert report.findings or any(cell(name, 36) in each for each in report.not_judged)


@pytest.mark.parametrize("name", ["a_h2", "E1", "∂E/∂w1"])
def test_a_shared_formula_that_leads_beyond_the_edge_is_named_and_accuses_nothing(name: str, tmp_path: Path) -> None:
    """As where rows of a file are pasted together: it adds a cell to the left of column A, which is as good as 0."""
    path, wrong = handmade.write(tmp_path / "s.xlsx", rows=ROWS), cell(name, 36)
    right = str(openpyxl.load_workbook(path).active[wrong].value)
    elsewhere = Translator(right, origin=wrong).translate_formula("AH1").removeprefix("=")
    first = f'<row r="1"><c r="AH1"><f t="shared" ref="A1:AH40" si="9">{elsewhere}+A1</f></c></row>'

    def pasted(data: bytes) -> bytes:
        shared = f'<c r="{wrong}"><f t="shared" si="9"/></c>'.encode()
        data, count = re.subn(rf'<c r="{wrong}".*?</c>'.encode(), shared, data)
        assert count == 1
        return data.replace(b"<sheetData>", f"<sheetData>{first}".encode(), 1)

    report = check(_with_part(path, "xl/worksheets/sheet1.xml", pasted))
    assert report.findings == ()
    assert report.not_judged == (f"1 formula with a reference beyond the edge of the sheet (Sheet1!{wrong})",)


@pytest.mark.thorough
def test_a_forward_pass_under_labels_that_do_not_fit_is_not_accused_where_nothing_descends(tmp_path: Path) -> None:
    """With one of two errors of another target no loss explains the updates; E1 and E2 are what they are."""
    network = replace(PLAIN, activations=("linear", "tanh"), has_deltas=True)
    write(tmp_path / "named.xlsx", network, Slip("d21", "-([t2]-[a21])*(1-[a21]^2)", None))
    report = check(tmp_path / "named.xlsx")
    assert not [one for one in report.findings if one.quantity.startswith("E")]
    assert report.status != "ok"


def test_a_sum_of_one_cell_is_as_good_as_that_cell(tmp_path: Path) -> None:
    changes: handmade.Changes = {"E_total": "=SUM([E1]:[E1])+[E2]"}
    report = check(handmade.write(tmp_path / "sum.xlsx", changes, labels=UNLABELLED, rows=ROWS))
    assert (report.status, report.findings) == ("ok", ())


@pytest.mark.parametrize("place", [22, 31])
def test_a_display_that_cannot_be_followed_is_named_and_keeps_nothing_from_being_judged(
    place: int, tmp_path: Path
) -> None:
    """Beside the outputs, or to the right of everything."""
    columns = [*handmade.CLASSIC[:place], "class", *handmade.CLASSIC[place:]]
    shown = {"class": "MATCH(0.5,[o1]:[a_o2],1)"}
    labels = dict.fromkeys(columns, "")
    report = check(handmade.write(tmp_path / "shown.xlsx", columns=columns, formulas=shown, labels=labels, rows=ROWS))
    assert (report.status, report.findings) == ("ok", ())
    letter = get_column_letter(place + 1)
    assert any("MATCH" in words and f"{letter}33:{letter}40" in words for words in report.not_judged)


def test_classes_chosen_by_if_have_a_cross_entropy(tmp_path: Path) -> None:
    report = batches(tmp_path / "classes.xlsx", loss="-IF(C{r}=1,LN(E{r}),LN(1-E{r}))")
    assert (report.status, report.findings) == ("not_recognised", ())
    assert "the updates go down by the derivative of ½(t − y)²" in report.message


def test_a_sum_of_thousands_of_numbers_in_what_may_be_an_update_takes_little_memory(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet["A1"] = 0.3
    for row in range(1, 3001):
        sheet.cell(row, 2).value = 0.5
    for row in range(2, 12):
        sheet.cell(row, 1).value = f"=A{row - 1}*0.9+SUM($B$1:$B$3000)*0.001"
    workbook.save(tmp_path / "wide.xlsx")
    tracemalloc.start()
    try:
        assert check(tmp_path / "wide.xlsx").status == "not_recognised"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200e6


@pytest.mark.thorough
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize(
    ("rate", "sign", "note"),
    [
        (0.5, "-", ""),
        (1e300, "-", ""),
        (0, "-", "the learning rate in G31 is 0: nothing moves"),
        (-0.5, "-", "the learning rate in G31 is -0.5: the updates climb the loss"),
        (-0.5, "+", ""),
    ],
)
def test_a_rate_by_which_nothing_is_descended_is_told(
    rate: float, sign: str, note: str, labels: str, tmp_path: Path
) -> None:
    updates: handmade.Changes = {
        name: "=" + rule.replace("-$G$31", f"{sign}$G$31") for name, rule in handmade.UPDATES.items()
    }
    path = tmp_path / "rate.xlsx"
    report = check(handmade.write(path, updates, labels=LABELS[labels], rows=ROWS, extra={"G31": rate}))
    assert [one.message for one in report.notes if one.kind == "rate_of_no_descent"] == [note] * bool(note)


@pytest.mark.parametrize("rate", ["0,5", "half", None])
def test_a_rate_that_is_no_number_is_named(rate: str | None, tmp_path: Path) -> None:
    report = check(handmade.write(tmp_path / "rate.xlsx", labels=UNLABELLED, rows=ROWS, extra={"G31": rate}))
    assert (report.status, report.findings) == ("not_recognised", ())
    assert "they read Sheet1!G31, where no number stands" in report.message


@pytest.mark.thorough
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize(("digits", "status"), [(-1, "not_recognised"), (1, "not_recognised"), (4, "ok")])
def test_a_gradient_that_is_rounded_away_is_not_called_right(
    digits: int, status: str, labels: str, tmp_path: Path
) -> None:
    changes: handmade.Changes = {"∂E/∂w5": f"=ROUND({handmade.FORMULAS['∂E/∂w5']},{digits})"}
    report = check(handmade.write(tmp_path / "rounded.xlsx", changes, labels=LABELS[labels], rows=ROWS))
    assert (report.status, report.findings) == (status, ())


@pytest.mark.thorough
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize(("name", "row"), [("t1", FIRST), ("t1", 36), ("i1", LAST), ("E_total", 36), ("a_h2", LAST)])
def test_a_sheet_with_an_emptied_cell_is_not_called_right(name: str, row: int, labels: str, tmp_path: Path) -> None:
    path = tmp_path / "emptied.xlsx"
    report = check(handmade.write(path, {(name, row): None}, labels=LABELS[labels], rows=ROWS))
    assert report.status != "ok"
    assert cell(name, row) in report.message
