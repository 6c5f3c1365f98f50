"""`check` of sheets whose gradients are products of visible deltas: a wrong delta is findings_of, not what reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from openpyxl.utils import get_column_letter

from tests import handmade
from tests.handmade import FIRST
from tests.reports import check, findings_of

ROWS = 5
COLUMNS = [*handmade.CLASSIC, "d1", "d2", "hd1", "hd2"]
RULES: Mapping[str, str] = {
    "d1": "([a_o1]-[t1])*[a_o1]*(1-[a_o1])",
    "d2": "([a_o2]-[t2])*[a_o2]*(1-[a_o2])",
    "hd1": "([d1]*[w5]+[d2]*[w7])*[a_h1]*(1-[a_h1])",
    "hd2": "([d1]*[w6]+[d2]*[w8])*[a_h2]*(1-[a_h2])",
    **{f"∂E/∂w{n}": f"[hd{1 + (n > 2)}]*[i{2 - n % 2}]" for n in range(1, 5)},
    **{f"∂E/∂w{n}": f"[d{1 + (n > 6)}]*[a_h{2 - n % 2}]" for n in range(5, 9)},
}
INLINE = {f"a_h{n}": f"1/(1+EXP(-([w{2 * n - 1}]*[i1]+[w{2 * n}]*[i2])))" for n in (1, 2)}
"""Units without a column for their sums, so that no column holds what a delta is the derivative by."""
LETTERS = {name: get_column_letter(number) for number, name in enumerate(COLUMNS, 1)}


def column(name: str) -> tuple[str, ...]:
    return (f"{LETTERS[name]}{FIRST}:{LETTERS[name]}{FIRST + ROWS - 1}",)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("rules", "wrong"),
    [
        ({"hd2": "[d2]*[w8]*[a_h2]*(1-[a_h2])"}, "hd2"),
        ({"hd2": "([d1]*[w5]+[d2]*[w8])*[a_h2]*(1-[a_h2])", **INLINE}, "hd2"),
        ({"hd1": "([d1]*[w5]+[d2]*[w7])*[a_h1]"}, "hd1"),
        ({"hd1": "([d1]*[w5]+[d2]*[w7])*[a_h1]", **INLINE}, "hd1"),
    ],
)
def test_a_delta_that_is_wrong_is_told_itself(rules: Mapping[str, str], wrong: str, tmp_path: Path) -> None:
    path = handmade.write(
        tmp_path / "deltas.xlsx",
        {},
        columns=COLUMNS,
        formulas={**RULES, **rules},
        labels=dict.fromkeys(COLUMNS, ""),
        rows=ROWS,
    )
    assert [cells for cells, _ in findings_of(check(path))] == [column(wrong)]


def test_a_delta_by_the_updated_weights_is_told_with_those_before(tmp_path: Path) -> None:
    rows = range(FIRST, FIRST + ROWS - 1)
    text = f"=([d1]*{LETTERS['w6']}#+[d2]*[w8])*[a_h2]*(1-[a_h2])"
    path = handmade.write(
        tmp_path / "deltas.xlsx",
        {("hd2", row): text.replace("#", str(row + 1)) for row in rows},
        columns=COLUMNS,
        formulas=RULES,
        labels=dict.fromkeys(COLUMNS, ""),
        rows=ROWS,
    )
    ((cells, expected),) = findings_of(check(path))
    assert cells == (f"{LETTERS['hd2']}{FIRST}:{LETTERS['hd2']}{FIRST + ROWS - 2}",)
    assert f"{LETTERS['w6']}{FIRST}" in expected


def test_one_unit_whose_function_is_moved_is_a_doubt(tmp_path: Path) -> None:
    """Its derivative is right: no gradient tells that it is another function than that of the other units."""
    labels = dict.fromkeys(COLUMNS, "")
    rules = {**RULES, "a_o1": "1/(1+EXP(-[o1]+1))"}
    report = check(
        handmade.write(tmp_path / "moved.xlsx", {}, columns=COLUMNS, formulas=rules, labels=labels, rows=ROWS)
    )
    assert (report.status, report.findings) == ("not_recognised", ())
    assert f"{LETTERS['a_o1']}{FIRST}:{LETTERS['a_o1']}{FIRST + ROWS - 1}" in report.message


def test_a_target_that_is_chosen_by_the_step_before_is_told(tmp_path: Path) -> None:
    columns = [*COLUMNS, "k"]
    numbers = {f"A{chr(ord('Q') + column)}{row}": 0.1 + 0.2 * row % 0.7 for column in range(4) for row in range(2, 6)}
    chosen = dict(zip(("i1", "i2", "t1", "t2"), "QRST", strict=True))
    rules = {**RULES, **{name: f"INDEX($A{letter}$2:$A{letter}$5,[k])" for name, letter in chosen.items()}}
    given: handmade.Changes = {("k", FIRST + row): float(1 + row % 4) for row in range(ROWS)}
    late: handmade.Changes = {("t2", row): "=INDEX($AT$2:$AT$5,[k-])" for row in range(FIRST + 1, FIRST + ROWS)}
    reports = [
        check(
            handmade.write(
                tmp_path / f"{name}.xlsx",
                {**given, **changes},
                columns=columns,
                formulas=rules,
                labels=dict.fromkeys(columns, ""),
                extra=numbers,
                rows=ROWS,
            )
        )
        for name, changes in (("right", {}), ("late", late))
    ]
    assert [report.status for report in reports] == ["ok", "mistakes"]
    letter = LETTERS["t2"]
    assert [cells for cells, _ in findings_of(reports[1])] == [(f"{letter}{FIRST + 1}:{letter}{FIRST + ROWS - 1}",)]


def test_a_sheet_that_is_rounded_throughout_is_right(tmp_path: Path) -> None:
    rules = {name: f"ROUND({rule},6)" for name, rule in {**handmade.FORMULAS, **RULES}.items()}
    labels = dict.fromkeys(COLUMNS, "")
    report = check(
        handmade.write(tmp_path / "rounded.xlsx", {}, columns=COLUMNS, formulas=rules, labels=labels, rows=ROWS)
    )
    assert (report.status, report.findings) == ("ok", ())
