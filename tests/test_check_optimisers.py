"""`check` of updates that take more than the gradient: momentum in its conventions, weight decay."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import handmade
from tests.reports import check, findings_of
from xlbackprop.checker.report.findings import Report

ROWS = 7
NUMBERS = range(1, 9)
GRADIENT = "[∂E/∂w#-]"

MOMENTUM: Mapping[str, tuple[str, str]] = {
    "v = βv + g, w − ηv": (f"$I$31*[v#-]+{GRADIENT}", "[w#-]-$G$31*[v#]"),
    "v = βv − ηg, w + v": (f"0.9*[v#-]-$G$31*{GRADIENT}", "[w#-]+[v#]"),
    "v = βv + (1 − β)g, w − ηv": (f"$I$31*[v#-]+(1-$I$31)*{GRADIENT}", "[w#-]-$G$31*[v#]"),
    "v = βv + ηg, w − v": (f"$I$31*[v#-]+$G$31*{GRADIENT}", "[w#-]-[v#]"),
}
DECAY: Mapping[str, str] = {
    "w − η(g + λw)": f"[w#-]-$G$31*({GRADIENT}+$I$31*[w#-])",
    "w − ηg − ηλw": f"[w#-]-$G$31*{GRADIENT}-$G$31*0.01*[w#-]",
    "w(1 − ηλ) − ηg": f"[w#-]*(1-$G$31*$I$31)-$G$31*{GRADIENT}",
    "w − ηg − λw": f"[w#-]-$G$31*{GRADIENT}-$I$31*[w#-]",
}


def sheet(
    path: Path,
    update: str,
    velocity: str = "",
    changed: Mapping[str | tuple[str, int], str] | None = None,
    *,
    labelled: bool = False,
) -> Report:
    """The report on a class table with other updates, and with columns for velocities where there are any."""
    rules = {f"w{number}": update.replace("#", str(number)) for number in NUMBERS}
    changes: dict[str | tuple[str, int], str | float | None] = {}
    columns = list(handmade.CLASSIC)
    if velocity:
        columns += [f"v{number}" for number in NUMBERS]
        rules |= {f"v{number}": velocity.replace("#", str(number)) for number in NUMBERS}
        changes |= {(f"v{number}", handmade.FIRST): 0.0 for number in NUMBERS}
    handmade.write(
        path,
        changes | dict(changed or {}),
        columns=columns,
        formulas=rules,
        labels={} if labelled else dict.fromkeys(columns, ""),
        extra={"I31": 0.9 if velocity else 0.01},
        rows=ROWS,
    )
    return check(path)


def throughout(name: str, rule: str) -> dict[str | tuple[str, int], str]:
    """A rule in every row but the first."""
    return {(name, row): rule for row in range(handmade.FIRST + 1, handmade.FIRST + ROWS)}


@pytest.mark.thorough
@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("convention", MOMENTUM)
def test_momentum_is_recognised(convention: str, labelled: bool, tmp_path: Path) -> None:
    velocity, update = MOMENTUM[convention]
    report = sheet(tmp_path / "momentum.xlsx", update, velocity, labelled=labelled)
    assert (report.status, report.findings) == ("ok", ())
    assert any(words.endswith("with momentum 0.9") for words in report.judged)
    assert {note.kind for note in report.notes} <= {"recognition"}


@pytest.mark.thorough
@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("convention", DECAY)
def test_weight_decay_is_recognised(convention: str, labelled: bool, tmp_path: Path) -> None:
    report = sheet(tmp_path / "decay.xlsx", DECAY[convention], labelled=labelled)
    assert (report.status, report.findings) == ("ok", ())
    assert any(words.endswith("with weight decay") for words in report.judged)
    assert {note.kind for note in report.notes} <= {"recognition"}


VELOCITY, UPDATE = MOMENTUM["v = βv + ηg, w − v"]
WRONG_VELOCITIES: Mapping[str, tuple[dict[str | tuple[str, int], str], str, str]] = {
    "another weight's gradient": (
        throughout("v3", "=$I$31*[v3-]+$G$31*[∂E/∂w4-]"),
        "AH34:AH39",
        "=$I$31*AH33+$G$31*Z33",
    ),
    "another weight's velocity carried on": (
        throughout("v3", "=$I$31*[v4-]+$G$31*[∂E/∂w3-]"),
        "AH34:AH39",
        "=$I$31*AH33+$G$31*Z33",
    ),
    "another weight's velocity used": ({"w3": "=[w3-]-[v4]"}, "G34:G39", "=G33-AH34"),
    "no velocity": ({"w3": "=[w3-]-$G$31*[∂E/∂w3-]"}, "G34:G39", ""),
    "another share kept": ({("v3", 36): "=0.09*[v3-]+$G$31*[∂E/∂w3-]"}, "AH36", "=$I$31*AH35+$G$31*Z35"),
    "the wrong sign": ({"w3": "=[w3-]+[v3]"}, "G34:G39", "=G33-AH34"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("slip", WRONG_VELOCITIES)
def test_a_slip_in_momentum_is_found_at_its_cell(slip: str, tmp_path: Path) -> None:
    changed, cells, expected = WRONG_VELOCITIES[slip]
    assert findings_of(sheet(tmp_path / "slip.xlsx", UPDATE, VELOCITY, changed)) == [((cells,), expected)]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("=[w3-]-$G$31*([∂E/∂w4-]+$I$31*[w3-])", "=G33-$G$31*(Z33+$I$31*G33)"),
        ("=[w3-]-$G$31*([∂E/∂w3-]+$I$31*[w4-])", "=G33-$G$31*(Z33+$I$31*G33)"),
    ],
)
def test_a_slip_beside_weight_decay_is_found_at_its_cell(wrong: str, right: str, tmp_path: Path) -> None:
    report = sheet(tmp_path / "slip.xlsx", DECAY["w − η(g + λw)"], changed={"w3": wrong})
    assert findings_of(report) == [(("G34:G39",), right)]
