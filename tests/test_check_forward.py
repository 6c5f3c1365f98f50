"""`check` of the forward pass where no label helps: the cell that differs from its siblings is the mistake."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import handmade
from tests.reports import check, findings_of
from tests.test_check_calculation import sheets_of, write

UNLABELLED = {name: f"x{index}" for index, name in enumerate(handmade.CLASSIC)}


ONE_ROW: Mapping[str, tuple[str, str, str, str]] = {
    "a source twice": ("h2", "=[w3]*[i1]+[w4]*[i1]", "K36", "=G36*C36+H36*D36"),
    "a sign in the exponent": ("a_h2", "=1/(1+EXP([h2]))", "L36", "=1/(1+EXP(-K36))"),
    "another weight": ("o2", "=[w7]*[a_h1]+[w6]*[a_h2]", "S36", "=O36*J36+P36*L36"),
    "another target": ("E2", "=0.5*([t1]-[a_o2])^2", "V36", "=0.5*(B36-T36)^2"),
    "a difference of losses": ("E_total", "=[E1]-[E2]", "W36", "=U36+V36"),
}


@pytest.mark.parametrize("slip", ONE_ROW)
def test_a_cell_that_differs_from_those_above_and_below_is_the_mistake(slip: str, tmp_path: Path) -> None:
    name, wrong, cell, right = ONE_ROW[slip]
    report = check(handmade.write(tmp_path / "row.xlsx", {(name, 36): wrong}, labels=UNLABELLED, rows=8))
    assert findings_of(report) == [((cell,), right)]


THROUGHOUT: Mapping[str, tuple[str, str, str, str]] = {
    "a source twice": ("h2", "=[w3]*[i1]+[w4]*[i1]", "K33:K40", "=G33*C33+H33*D33"),
    "another weight": ("o2", "=[w7]*[a_h1]+[w6]*[a_h2]", "S33:S40", "=O33*J33+P33*L33"),
}


@pytest.mark.parametrize("slip", THROUGHOUT)
def test_a_cell_that_differs_from_its_siblings_is_the_mistake(slip: str, tmp_path: Path) -> None:
    name, wrong, cells, right = THROUGHOUT[slip]
    report = check(handmade.write(tmp_path / "column.xlsx", {name: wrong}, labels=UNLABELLED, rows=8))
    assert findings_of(report) == [((cells,), right)]


LACKING: Mapping[str, tuple[str, str, str, str]] = {
    "a weight alone": ("h1", "=[w1]+[w2]*[i2]", "I33:I40", "=E33*C33+F33*D33"),
    "the last one": ("h2", "=[w3]*[i1]+[w4]", "K33:K40", "=G33*C33+H33*D33"),
    "a sum in place of a product": ("h1", "=[w1]+[i1]+[w2]*[i2]", "I33:I40", "=E33*C33+F33*D33"),
    "a weight of the output": ("o1", "=[w5]*[a_h1]+[w6]", "Q33:Q40", "=M33*J33+N33*L33"),
    "inside the activation": ("a_o2", "=1/(1+EXP(-([w7]+[w8]*[a_h2])))", "T33:T40", "=1/(1+EXP(-(O33*J33+P33*L33)))"),
}


@pytest.mark.parametrize("lack", LACKING)
def test_a_weight_without_its_factor_is_the_mistake_and_not_its_gradient(lack: str, tmp_path: Path) -> None:
    name, wrong, cells, right = LACKING[lack]
    report = check(handmade.write(tmp_path / "lack.xlsx", {name: wrong}, labels=UNLABELLED, rows=8))
    assert findings_of(report) == [((cells,), right)]


LONE: Mapping[str, tuple[str, str, str, str]] = {
    "an activation of the step before": ("o1", "=[w5]*[a_h1-]+[w6]*[a_h2]", "Q36", "=M36*J36+N36*L36"),
    "a weight of the step before": ("h2", "=[w3-]*[i1]+[w4]*[i2]", "K36", "=G36*C36+H36*D36"),
    "an error of the step before": ("∂E/∂w7", "=([a_o2-]-[t2])*[a_o2]*(1-[a_o2])*[a_h1]", "AD36", ""),
}


@pytest.mark.parametrize("slip", LONE)
def test_one_cell_that_reads_another_step_is_the_mistake(slip: str, tmp_path: Path) -> None:
    name, wrong, cell, right = LONE[slip]
    report = check(handmade.write(tmp_path / "lone.xlsx", {(name, 36): wrong}, labels=UNLABELLED, rows=8))
    assert [finding.cells for finding in report.findings] == [(cell,)]
    assert right in ("", report.findings[0].expected)


@pytest.mark.parametrize(("cell", "wrong", "right"), [("C12", "=C5*C1+C6*C1", "=C5*C1+C6*C2")])
def test_the_same_in_steps_on_sheets_of_their_own(cell: str, wrong: str, right: str, tmp_path: Path) -> None:
    def change(step: int, cells: dict[str, str | float]) -> None:
        cells[cell] = wrong

    report = check(write(tmp_path / "sheets.xlsx", sheets_of(change)))
    assert {found for finding in findings_of(report) for found in [finding]} == {((cell,), right)}


def test_one_target_for_two_outputs_is_found_where_the_other_is_labelled(tmp_path: Path) -> None:
    rules = {name: rule.replace("[t2]", "[t1]") for name, rule in handmade.FORMULAS.items()}
    report = check(handmade.write(tmp_path / "targets.xlsx", formulas=rules, rows=6))
    assert {finding.kind for finding in report.findings} == {"wrong_target"}
    assert next(finding.quantity for finding in report.findings) == "E2"


@pytest.mark.parametrize(
    ("changes", "told_"),
    [
        ({"∂E/∂w5": "=([a_o1]-0.01)*[a_o1]*(1-[a_o1])*[a_h1]"}, "0.01 for t1"),
        ({"w3": "=[w3-]-0.5*[∂E/∂w3-]"}, "0.5 for η"),
        ({"E1": "=0.5*(0.01-[a_o1])^2", "E2": "=0.5*(0.99-[a_o2])^2"}, "0.01 for t1, 0.99 for t2"),
    ],
)
def test_a_typed_number_that_is_the_right_one_is_no_mistake(
    changes: handmade.Changes, told_: str, tmp_path: Path
) -> None:
    report = check(handmade.write(tmp_path / "typed.xlsx", changes, rows=6))
    assert (report.status, report.findings) == ("ok", ())
    (note,) = [note for note in report.notes if note.kind == "typed_number"]
    assert told_ in note.message


def test_all_targets_typed_in_are_no_mistake(tmp_path: Path) -> None:
    rules = {name: rule.replace("[t1]", "0.01").replace("[t2]", "0.99") for name, rule in handmade.FORMULAS.items()}
    report = check(handmade.write(tmp_path / "typed.xlsx", formulas=rules, rows=6))
    assert (report.status, report.findings) == ("ok", ())


def test_what_gives_no_number_in_any_step_is_named(tmp_path: Path) -> None:
    def change(step: int, cells: dict[str, str | float]) -> None:
        cells["C13"] = "=(e^C11-e^(-C11))/(e^C11+e^(-C11))"

    report = check(write(tmp_path / "none.xlsx", sheets_of(change)))
    assert [(one.sheet, one.cells, one.expected) for one in report.findings] == [
        (sheet, ("C13",), "=(EXP(C11)-EXP(-C11))/(EXP(C11)+EXP(-C11))") for sheet in ("passo 1", "passo 2", "passo 3")
    ]


def test_formulas_without_a_training_are_declined_as_what_they_are(tmp_path: Path) -> None:
    cells: dict[str, str | float] = {"A1": 0.3, "A2": 0.4, "A3": "=A1*A2", "A4": "=1/(1+EXP(-A3))"}
    report = check(write(tmp_path / "forward.xlsx", {"Sheet": cells}))
    assert (report.status, "no training was found: 2 formulas" in report.message) == ("not_recognised", True)


def test_a_map_leaves_the_other_sheets_their_trainings(tmp_path: Path) -> None:
    path = write(tmp_path / "both.xlsx", sheets_of())
    lines = [f'"{name}" = "{letter}"' for name, letter in handmade.LETTERS.items()]
    (tmp_path / "map.toml").write_text("\n".join(['sheet = "passo 1"', "header = 60", *lines]), encoding="utf-8")
    report = check(path, map_file=tmp_path / "map.toml")
    assert any("6 updates of 6 parameters" in words for words in report.judged)
