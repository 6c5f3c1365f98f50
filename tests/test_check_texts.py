"""`check` of sheets with texts among their numbers: classes, switches, a word on how training goes, LET."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cases import thorough_but
from tests.handmade import FIRST
from tests.test_check_neuron import LAST, NEURON, Changes, column, found_cells, report_on

WORDS: Changes = {("r", row): "yes" if row % 3 else "No" for row in range(FIRST, LAST + 1)}
CLASSES: Mapping[str, str] = {"t": '=IF([r]="YES",1,0)'}

RIGHT: Mapping[str, tuple[Mapping[str, str], Changes]] = {
    "targets by a word": ({}, WORDS | {"t": '=IF([r]="YES",1,0)'}),
    "targets by a word in a cell": ({}, WORDS | {"t": "=IF([r]=$I$32,1,0)", ("r", FIRST - 2): "yes"}),
    "samples that are only looked at": ({name: f'IF([r-]="yes",{NEURON[name]},[{name}-])' for name in "wub"}, WORDS),
    "nothing where nothing stands": ({name: f'IF([r]="","",{rule})' for name, rule in NEURON.items()}, WORDS),
    "a word on how it goes": ({"s": 'IF([loss]<0.1,"learned","learning")', "n": 'IF([s]="learned",1,0)'}, {}),
    "LET": ({"loss": "_xlfn.LET(_xlpm.e,[t]-[p],_xlpm.e^2/2)"}, {}),
    "LET of two names": ({"d": "_xlfn.LET(_xlpm.e,[p]-[t],_xlpm.s,[p]*(1-[p]),_xlpm.e*_xlpm.s)"}, {}),
}


@pytest.mark.parametrize("kind", thorough_but(RIGHT, "samples that are only looked at", "targets by a word"))
def test_a_right_sheet_with_texts_is_called_right(kind: str, tmp_path: Path) -> None:
    report = report_on(tmp_path / "right.xlsx", *RIGHT[kind])
    assert (report.status, report.findings) == ("ok", ()), report


@pytest.mark.parametrize("kind", thorough_but(RIGHT, "LET of two names"))
def test_a_slip_beside_texts_is_told(kind: str, tmp_path: Path) -> None:
    rules, changes = RIGHT[kind]
    wrong = {"u": {**NEURON, **rules}["u"].replace("[y-]", "[x-]")}
    report = report_on(tmp_path / "wrong.xlsx", {**rules, **wrong}, changes)
    assert found_cells(report) == column("u"), report
