"""`check` of a softmax over classes: sums with a term too few, twice or too many, and samples beside targets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import handmade
from tests.handmade import FIRST
from tests.reports import check
from xlbackprop import Report
from xlbackprop.ground.grid import address, cells_of

ROWS = 6
SAMPLES = ((0.7, 0.0), (-0.4, 0.5), (0.3, -0.9), (0.0, 1.0), (1.0, 0.2), (0.6, 0.0))
"""With zeros and ones right beside the targets, as those are."""
CLASSES = 3


def network(classes: int, total: str, output: str = "[e#]/[S]") -> tuple[list[str], dict[str, str]]:
    """The columns of a softmax unit a class, and their formulas."""
    numbers = range(1, classes + 1)
    columns = ["x1", "x2", *(f"t{n}" for n in numbers)]
    rules: dict[str, str] = {}
    for n in numbers:
        for name, times in ((f"u{n}", "*[x1-]"), (f"v{n}", "*[x2-]"), (f"c{n}", "")):
            rules[name] = f"[{name}-]-$G$31*([p{n}-]-[t{n}-]){times}"
    for n in numbers:
        rules[f"z{n}"] = f"[u{n}]*[x1]+[v{n}]*[x2]+[c{n}]"
    rules |= {f"e{n}": f"EXP([z{n}])" for n in numbers} | {"S": total}
    rules |= {f"p{n}": output.replace("#", str(n)) for n in numbers}
    rules["loss"] = "-(" + "+".join(f"[t{n}]*LN([p{n}])" for n in numbers) + ")"
    return [*columns, *rules], rules


def report_on(path: Path, classes: int, total: str, output: str = "[e#]/[S]") -> tuple[Report, dict[str, int]]:
    """The report on a sheet, and where its columns stand."""
    columns, rules = network(classes, total, output)
    changes: dict[str | tuple[str, int], str | float | None] = {}
    for row, sample in enumerate(SAMPLES, FIRST):
        changes |= {("x1", row): sample[0], ("x2", row): sample[1]}
        changes |= {(f"t{n}", row): float((row + n) % classes == 0) for n in range(1, classes + 1)}
    parameters = [name for name in rules if name[0] in "uvc"]
    changes |= {(name, FIRST): round(0.1 + 0.13 * (index * 7 % 5), 2) for index, name in enumerate(parameters)}
    handmade.write(path, changes, columns=columns, formulas=rules, rows=ROWS)
    return check(path), {name: index for index, name in enumerate(columns, 1)}


def found_places(report: Report) -> set[tuple[int, int]]:
    return {place for finding in report.findings for block in finding.cells for place in cells_of(block)}


RIGHT: Mapping[str, str] = {"added": "[e1]+[e2]+[e3]", "a range": "SUM([e1]:[e3])"}


@pytest.mark.parametrize("total", RIGHT.values(), ids=RIGHT)
def test_samples_of_zero_and_one_beside_targets_are_no_classes(total: str, tmp_path: Path) -> None:
    report, _ = report_on(tmp_path / "right.xlsx", CLASSES, total)
    assert (report.status, report.findings) == ("ok", ()), report


SUMS: Mapping[str, tuple[str, str, str]] = {
    "one twice": ("[e1]+[e2]+[e2]", "uses e2 ({e2}) where e3 ({e3}) belongs", ""),
    "the last left out": ("[e1]+[e2]", "leaves out e3 ({e3})", "={e1}+{e2}+{e3}"),
    "the first left out": ("[e2]+[e3]", "leaves out e1 ({e1})", "={e2}+{e3}+{e1}"),
    "a sum for a power": ("[e1]+[e2]+[z3]", "uses z3 ({z3}) where e3 ({e3}) belongs", "={e1}+{e2}+{e3}"),
    "a short range": ("SUM([e1]:[e2])", "leaves out e3 ({e3})", "=SUM({e1}:{e3})"),
    "a long range": ("SUM([z3]:[e3])", "takes in z3 ({z3})", "=SUM({e1}:{e3})"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("slip", SUMS)
def test_a_slip_in_the_sum_is_told_there(slip: str, tmp_path: Path) -> None:
    total, words, expected = SUMS[slip]
    report, places = report_on(tmp_path / "slip.xlsx", CLASSES, total)
    assert found_places(report) == {(row, places["S"]) for row in range(FIRST, FIRST + ROWS)}, report.findings
    (finding,) = report.findings
    at = {name: address(FIRST, column) for name, column in places.items()}
    assert words.format(**at) in finding.message
    assert finding.expected == expected.format(**at) or not expected


NO_CLASSES: Mapping[str, tuple[int, str, str]] = {
    "a power twice for two": (2, "[e1]+[e1]", "[e#]/[S]"),
    "shares without powers": (2, "[z1]^2+[z2]^2", "[z#]^2/[S]"),
    "a tangent": (2, "[e1]+[e2]", "0.5+TANH([z#])/2.5"),
}


@pytest.mark.parametrize("kind", NO_CLASSES)
def test_an_error_times_the_input_is_the_rule_of_a_sigmoid_or_softmax_alone(kind: str, tmp_path: Path) -> None:
    report, _ = report_on(tmp_path / "none.xlsx", *NO_CLASSES[kind])
    assert report.status == "not_recognised", report
    assert "is no sigmoid or softmax" in report.message
