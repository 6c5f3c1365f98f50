"""The workbooks of the tests, each built once: they are those that the package builds."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

import xlbackprop
from tests import books, sheets
from xlbackprop import load
from xlbackprop.workbook.sheets import gradient_check

OPTIONS: tuple[dict[str, object], ...] = (
    {},
    {"iteration": 2},
    {"columns": "full"},
    {"sheets": ["step-by-step"]},
    {"definition": replace(load(iterations=4), learning_rate=0.25)},
)


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_a_workbook_that_is_kept_is_the_one_that_is_asked_for(options: dict[str, object], tmp_path: Path) -> None:
    usual: dict[str, object] = {"definition": load(iterations=4), "sheets": ["network"]}
    books.build(path=tmp_path / "usual.xlsx", **usual)  # type: ignore[arg-type]
    asked = usual | options
    for name in ("first.xlsx", "second.xlsx"):
        books.build(path=tmp_path / name, **asked)  # type: ignore[arg-type]
    xlbackprop.build(path=tmp_path / "built.xlsx", **asked)  # type: ignore[arg-type]
    assert (tmp_path / "first.xlsx").read_bytes() == (tmp_path / "built.xlsx").read_bytes()
    assert (tmp_path / "second.xlsx").read_bytes() == (tmp_path / "built.xlsx").read_bytes()


def test_sheets_that_begin_otherwise_are_built_anew(tmp_path: Path) -> None:
    def built(name: str) -> bytes:
        return books.build(load(iterations=4), tmp_path / name, sheets=["gradient-check"]).read_bytes()

    before = built("before.xlsx")
    with sheets.beginning(gradient_check, EPSILON=0.01):
        assert built("other.xlsx") != before
    assert built("after.xlsx") == before
