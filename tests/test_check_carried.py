"""`check` of updates that carry something on from step to step, on a linear unit by itself: Nesterov, Adam, RMSProp."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import openpyxl
import pytest
from openpyxl.utils import get_column_letter

from tests.reports import check, findings_of
from xlbackprop.checker.report.findings import Report

TOP = 9
SAMPLES = ((0.2, 0.6, 0.7), (0.5, -0.3, 0.1), (-0.4, 0.8, 0.3), (0.9, 0.1, -0.2), (0.3, 0.3, 0.5), (-0.6, -0.2, 0.4))
LAST = TOP + len(SAMPLES) - 1
UNIT = {"y": "{p1}*{x1}+{p2}*{x2}+{p3}", "loss": "0.5*({t}-{y})^2", "d": "{y}-{t}"}
GRADIENTS = {"g1": "{d}*{x1}", "g2": "{d}*{x2}", "g3": "{d}"}
"""`{g1}` is a cell of the same row, `{g1-}` one of the row above. B1 to B4 hold η, μ or β1, β2 and ε."""

Rules = Mapping[str, tuple[str, str]]
"""What a column holds in the first row and in the others; # stands for each of the three parameters."""

VELOCITY = ("(1-$B$2)*{g#}", "$B$2*{m#-}+(1-$B$2)*{g#}")
SQUARE = ("(1-$B$3)*{g#}^2", "$B$3*{v#-}+(1-$B$3)*{g#}^2")
NESTEROV: Rules = {
    "p#": ("{w#}", "{w#}+$B$2*{v#-}"),
    "v#": ("-$B$1*{g#}", "$B$2*{v#-}-$B$1*{g#}"),
    "w#": ("", "{w#-}+{v#-}"),
}
ADAM: Rules = {
    "m#": VELOCITY,
    "v#": SQUARE,
    "w#": ("", "{w#-}-$B$1*({m#-}/(1-$B$2^{k-}))/(SQRT({v#-}/(1-$B$3^{k-}))+$B$4)"),
}
RMSPROP: Rules = {"v#": SQUARE, "w#": ("", "{w#-}-$B$1*{g#-}/(SQRT({v#-})+$B$4)")}
ADAGRAD: Rules = {"v#": ("{g#}^2", "{v#-}+{g#}^2"), "w#": ("", "{w#-}-$B$1*{g#-}/(SQRT({v#-})+$B$4)")}
RIGHT: Mapping[str, Rules] = {
    "momentum, v = μv + (1 − μ)g": {"m#": VELOCITY, "w#": ("", "{w#-}-$B$1*{m#-}")},
    "Nesterov": NESTEROV,
    "momentum, new weights apart from the old ones": {
        "m#": ("{g#}", "$B$2*{m#-}+{g#}"),
        "n#": ("{w#}-$B$1*{m#}",) * 2,
        "w#": ("", "{n#-}"),
    },
    "Adam": ADAM,
    "Adam with columns for what is corrected": {
        "m#": VELOCITY,
        "v#": SQUARE,
        "mm#": ("{m#}/(1-$B$2^{k})",) * 2,
        "vv#": ("{v#}/(1-$B$3^{k})",) * 2,
        "w#": ("", "{w#-}-$B$1*{mm#-}/({vv#-}^0.5+$B$4)"),
    },
    "Adam that starts from zeros, typed": {
        "m#": ("0*{g#}+0.1*{g#}", "0.9*{m#-}+0.1*{g#}"),
        "v#": ("0.01*{g#}^2", "0.99*{v#-}+0.01*{g#}^2"),
        "w#": ("", "{w#-}-0.05*({m#-}/(1-0.9^{k-}))/(SQRT({v#-}/(1-0.99^{k-}))+0.00000001)"),
    },
    "Adam with columns for 1 − β^t and for β^t": {
        "m#": VELOCITY,
        "v#": SQUARE,
        "c#": ("1-$B$2^{k}",) * 2,
        "d#": ("$B$3", "{d#-}*$B$3"),
        "w#": ("", "{w#-}-$B$1*({m#-}/{c#-})/(SQRT({v#-}/(1-{d#-}))+$B$4)"),
    },
    "AdaGrad": ADAGRAD,
    "RMSProp": RMSPROP,
    "RMSProp with ε in the root": {**RMSPROP, "w#": ("", "{w#-}-$B$1*{g#-}/SQRT({v#-}+$B$4)")},
}


def unit(path: Path, rules: Rules, changed: Mapping[str, str] | None = None) -> Report:
    """The report on a linear unit, under labels that nobody knows.

    Args:
        path: the workbook.
        rules: how its parameters are updated, and what is carried on for that.
        changed: other formulas for columns, from the second row on.
    """
    every = {
        f"{name[:-1]}{n}": [one.replace("#", str(n)) for one in both] for name, both in rules.items() for n in (1, 2, 3)
    }
    every = {name: [rule, rule] for name, rule in {**UNIT, **GRADIENTS}.items()} | every
    columns = ["k", "x1", "x2", "t", "w1", "w2", "w3", *(name for name in every if name[0] != "w")]
    letters = {name: get_column_letter(number) for number, name in enumerate(columns, 1)}
    letters = {f"p{n}": letters[f"w{n}"] for n in (1, 2, 3)} | letters
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row, number in enumerate((0.1, 0.8, 0.95, 1e-8), 1):
        sheet.cell(row, 2, number)
    for row, sample in enumerate(SAMPLES, TOP):
        cells = {name: f"{letter}{row}" for name, letter in letters.items()}
        cells |= {f"{name}-": f"{letter}{row - 1}" for name, letter in letters.items()}
        given = dict(
            zip(("k", "x1", "x2", "t", "w1", "w2", "w3"), (row - TOP + 1, *sample, 0.4, -0.7, 0.2), strict=True)
        )
        for name in columns:
            rule = every[name][row > TOP] if name in every else ""
            rule = (changed or {}).get(name, rule) if row > TOP else rule
            sheet[cells[name]] = "=" + rule.format_map(cells) if rule else given[name]
    book.save(path)
    return check(path)


@pytest.mark.thorough
@pytest.mark.parametrize("rule", RIGHT)
def test_updates_that_carry_something_on_are_right(rule: str, tmp_path: Path) -> None:
    report = unit(tmp_path / "right.xlsx", RIGHT[rule])
    assert (report.status, report.findings) == ("ok", ())
    name = rule.split()[0]
    assert any(name.rstrip(",").replace("Nesterov", "momentum") in words for words in report.judged)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("rules", "changed", "cells", "expected"),
    [
        (RIGHT["momentum, v = μv + (1 − μ)g"], {"m2": "$B$2*{m2-}+{g2}"}, "O10:O14", "=$B$2*O9+(1-$B$2)*L10"),
        (NESTEROV, {"p2": "{w2}+$B$1*{v2-}"}, "O10:O14", "=F10+$B$2*R9"),
        (NESTEROV, {"g2": "{d}*{x1}"}, "L10:L14", ""),
        (ADAM, {"m2": "$B$2*{m2-}+(1-$B$3)*{g2}"}, "O10:O14", "=$B$2*O9+(1-$B$2)*L10"),
        (ADAM, {"v2": "$B$3*{v2-}+(1-$B$2)*{g2}^2"}, "R10:R14", "=$B$3*R9+(1-$B$3)*L10^2"),
        (ADAM, {"w2": ADAM["w#"][1].replace("#", "2").replace("^{k-}", "")}, "F10:F14", ""),
        (ADAM, {"w2": ADAM["w#"][1].replace("#", "2").replace("SQRT", "")}, "F10:F14", ""),
        (ADAM, {"g2": "{d}*{x1}"}, "L10:L14", ""),
        (RMSPROP, {"g2": "{d}*{x1}"}, "L10:L14", ""),
        (ADAGRAD, {"g2": "{d}*{x1}"}, "L10:L14", ""),
        (RMSPROP, {"w2": "{w2-}-$B$1*{g2-}/({v2-}+$B$4)"}, "F10:F14", ""),
    ],
)
def test_a_slip_beside_what_is_carried_on_is_found_at_its_cell(
    rules: Rules, changed: Mapping[str, str], cells: str, expected: str, tmp_path: Path
) -> None:
    report = unit(tmp_path / "slip.xlsx", rules, changed)
    assert [found for found, _ in findings_of(report)] == [(cells,)]
    assert expected in ("", findings_of(report)[0][1])


def _everywhere(rules: Rules, name: str, old: str, new: str) -> Rules:
    first, later = rules[name]
    assert old in later
    return {**rules, name: (first.replace(old, new), later.replace(old, new))}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("rules", "changed"),
    [
        (_everywhere(NESTEROV, "p#", "$B$2*", ""), {}),
        (NESTEROV, {"p2": "{w2}"}),
        (NESTEROV, {"y": "{w1}*{x1}+{w2}*{x2}+{w3}"}),
        ({**ADAM, "m#": (VELOCITY[0].replace("2", "3"), VELOCITY[1].replace("2", "3"))}, {}),
        (_everywhere(ADAM, "w#", "/(1-$B$2^{k-})", ""), {}),
        (_everywhere(ADAM, "w#", "SQRT", ""), {}),
        (_everywhere(ADAM, "w#", "{k-}", "{k}"), {}),
        (_everywhere(ADAM, "w#", "+$B$4", "+$B$1"), {}),
        (_everywhere(RMSPROP, "v#", "(1-$B$3)*{g#}", "{g#}"), {}),
        (ADAM, {"m2": "(1-$B$2)*{g2}"}),
        (ADAM, {"m2": "$B$2*{m1-}+(1-$B$2)*{g2}"}),
        (ADAM, {"v2": "$B$3*{v2-}+(1-$B$3)*{g1}^2"}),
        (ADAM, {"w2": "{w2-}-$B$1*({m1-}/(1-$B$2^{k-}))/(SQRT({v2-}/(1-$B$3^{k-}))+$B$4)"}),
        (_everywhere(RMSPROP, "w#", "SQRT", ""), {}),
        (_everywhere(RMSPROP, "w#", "+$B$4", "-$B$4"), {}),
    ],
)
def test_what_no_rule_says_is_not_called_right_and_accuses_nothing_else(
    rules: Rules, changed: Mapping[str, str], tmp_path: Path
) -> None:
    report = unit(tmp_path / "other.xlsx", rules, changed)
    assert report.status == "not_recognised", findings_of(report)
