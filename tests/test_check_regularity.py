"""`check` of cells that gradients agree with though they are wrong, and of steps that are taken for something else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import handmade
from tests.cases import thorough_but
from tests.handmade import FIRST
from tests.reports import check
from tests.test_check_neuron import LAST, NEURON, Changes, column, found_cells, report_on
from xlbackprop.ground.grid import address

ENTROPY = {"loss": "-[t]*LN([p])-(1-[t])*LN(1-[p])", "d": "[p]-[t]"}
GRADIENT = {"w": "[w-]-$G$31*[g-]", "g": "[d]*[x]"}
POWER = {"e": "EXP(-[z])", "p": "1/(1+[e])"}

SLIPS: Mapping[str, tuple[Mapping[str, str], set[str]]] = {
    "the loss adds": ({"loss": "0.5*([t]+[p])^2"}, column("loss", FIRST)),
    "the loss divides": ({"loss": "0.5/([t]-[p])^2"}, column("loss", FIRST)),
    "the loss takes an input": ({"loss": "0.5*([x]-[p])^2"}, column("loss", FIRST)),
    "the entropy has a sign too few": (ENTROPY | {"loss": "-[t]*LN([p])+(1-[t])*LN(1-[p])"}, column("loss", FIRST)),
    "the entropy adds": (ENTROPY | {"loss": "-[t]*LN([p])-(1-[t])*LN(1+[p])"}, column("loss", FIRST)),
    "½ is added to the loss": ({"loss": "0.5+([t]-[p])^2"}, column("loss", FIRST)),
    "the loss of the sum": ({"loss": "0.5*([t]-[z])^2"}, column("loss", FIRST)),
    "the loss of the sum adds": (ENTROPY | {"loss": "LN(1+EXP([z]))+[t]*[z]"}, column("loss", FIRST)),
    "a sigmoid with a pole": ({"p": "1/(1-EXP(-[z]))"}, column("p", FIRST)),
    "a pole by a helper": (POWER | {"p": "1/(1-[e])"}, column("p", FIRST)),
    "an update without its gradient": ({"w": "[w-]-$G$31"}, column("w")),
    "an update that adds the rate": ({"b": "[b-]+$G$31"}, column("b")),
    "a gradient that adds an input": (
        GRADIENT | {"g": "[d]+[x]"},
        {address(row, 12) for row in range(FIRST, LAST + 1)},
    ),
    "an update that divides by what comes near 0": ({"b": "[b-]-$G$31/[d-]^9"}, column("b")),
}


@pytest.mark.parametrize("slip", thorough_but(SLIPS, "the loss adds", "a sigmoid with a pole"))
def test_the_slip_is_told_at_its_cells(slip: str, tmp_path: Path) -> None:
    rules, cells = SLIPS[slip]
    report = report_on(tmp_path / "wrong.xlsx", rules)
    assert len(report.findings) == 1
    assert found_cells(report) == cells, report


RIGHT: Mapping[str, Mapping[str, str]] = {
    "an absolute error beside": {"s": "ABS([t]-[p])"},
    "a root beside": {"s": "SQRT(([t]-[p])^2)"},
    "an error in percent beside": {"s": "100*([p]-[t])/[t]"},
    "an error to another target beside": {"s": "ABS([x]-[p])"},
    "the loss of another sum beside": {"q": "[w]*[x]+[u]*0.1", "s": "0.5*([t]-[q])^2"},
    "a likelihood beside": ENTROPY | {"s": "[t]*LN([p])+(1-[t])*LN(1-[p])"},
    "a square beside an entropy": ENTROPY | {"s": "([t]-[p])^2"},
    "the error of the class alone": ENTROPY | {"s": "IF([t]>0.5,-LN([p]),-LN(1-[p]))"},
    "a tanh of two powers": {"p": "(1-EXP(-2*[z]))/(1+EXP(-2*[z]))", "d": "([p]-[t])*(1-[p]^2)"},
    "a power of its own": POWER,
}
SHOWN = {"an error in percent beside", "an error to another target beside", "the loss of another sum beside"}


@pytest.mark.thorough
@pytest.mark.parametrize("beside", RIGHT)
def test_other_measures_and_functions_are_no_slips(beside: str, tmp_path: Path) -> None:
    report = report_on(tmp_path / "right.xlsx", RIGHT[beside])
    assert (report.status, report.findings) == ("ok", ()), report
    assert beside not in SHOWN or any("by which no update goes" in words for words in report.not_judged)


def _normalised(odd_row: int) -> Changes:
    """Inputs that are calculated from raw numbers, in one row from those of the next."""
    raw: Changes = {("r", row): 3.0 + row % 4 for row in range(FIRST, LAST + 2)}
    return raw | {("x", row): f"=D{row + (row == odd_row)}/10" for row in range(FIRST, LAST + 1)}


@pytest.mark.parametrize("row", [FIRST + 1, LAST - 1])
def test_one_input_unlike_its_line_is_told(row: int, tmp_path: Path) -> None:
    report = report_on(tmp_path / "odd.xlsx", None, _normalised(row))
    assert found_cells(report) == {address(row, 1)}
    assert report.findings[0].expected == f"=D{row}/10"


@pytest.mark.thorough
def test_inputs_that_are_all_alike_are_right(tmp_path: Path) -> None:
    report = report_on(tmp_path / "alike.xlsx", None, _normalised(0))
    assert (report.status, report.findings) == ("ok", ()), report


def test_one_bracket_too_few_in_all_outputs_is_told(tmp_path: Path) -> None:
    """Its numbers run out, which is no mistake of their own."""
    report = report_on(tmp_path / "wrong.xlsx", ENTROPY | {"p": "1/1+EXP(-[z])"})
    assert [finding.kind for finding in report.findings] == ["missing_brackets"]
    assert found_cells(report) == column("p", FIRST)


@pytest.mark.parametrize(("total", "is_sum"), [("[E1]", True), ("SQRT([E1])", False), ("[E1]/2", False)])
def test_a_sum_without_one_of_the_errors_is_told_and_what_is_no_sum_is_not(
    total: str, is_sum: bool, tmp_path: Path
) -> None:
    labels = {name: f"x{index}" for index, name in enumerate(handmade.CLASSIC)}
    path = handmade.write(tmp_path / "total.xlsx", {"E_total": f"={total}"}, labels=labels, rows=5)
    assert [finding.kind for finding in check(path).findings] == ["missing_term"] * is_sum


def test_the_last_step_with_another_formula_is_told_where_it_reads_what_is_fixed(tmp_path: Path) -> None:
    rules = {name: NEURON[name].replace("[d-]", "[s-]") for name in "wub"}
    fixed = {"n": f"COUNT($A${FIRST}:$A${LAST})", "s": f"[d]/$L${FIRST}"}
    report = report_on(tmp_path / "last.xlsx", rules | fixed, {("s", LAST): f"=-[d]/$L${FIRST}"})
    assert found_cells(report) == {address(LAST, 13)}, report


def test_a_tiny_number_that_keeps_logarithms_from_failing_changes_nothing(tmp_path: Path) -> None:
    loss = f"-[t]*LN([p]+$D${FIRST})-(1-[t])*LN(1-[p]+$D${FIRST})"
    report = report_on(tmp_path / "tiny.xlsx", ENTROPY | {"loss": loss}, {("r", FIRST): 1e-7})
    assert (report.status, report.findings) == ("ok", ()), report


@pytest.mark.parametrize(("rate", "status"), [(-0.5, "ok"), (0.5, "mistakes")])
def test_what_adds_a_negative_step_descends(rate: float, status: str, tmp_path: Path) -> None:
    rules = {name: NEURON[name].replace("-$G$31", f"+$D${FIRST}") for name in "wub"}
    assert report_on(tmp_path / "rate.xlsx", rules, {("r", FIRST): rate}).status == status
