"""The rows: out of a template, they hold the same cells as if each had been put down by itself."""

from __future__ import annotations

import math
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import judges
from xlbackprop.ground.grid import address
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.book import Workbook
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.rows import spelled
from xlbackprop.workbook.xlsx.theme import Look
from xlbackprop.workbook.xlsx.writer import save

FORMULAS = ("A{above}+1", "B{row}*$A$1", 'IF(A{row}<2,"a&b",1%)', "B$2")
LOOK = Look(theme.CALCULATION)


def book(folder: Path, name: str) -> tuple[Workbook, Page, Path]:
    workbook = Workbook()
    return workbook, Page(workbook, "Sheet"), folder / f"{name}.xlsx"


@pytest.mark.thorough
@settings(max_examples=25)
@given(rows=st.integers(1, 1200), first_row=st.integers(2, 40), first_column=st.integers(3, 30), data=st.data())
def test_a_block_is_its_cells(
    tmp_path_factory: object, rows: int, first_row: int, first_column: int, data: st.DataObject
) -> None:
    folder: Path = tmp_path_factory.mktemp("rows")  # type: ignore[attr-defined]
    beside = data.draw(st.lists(st.integers(1, rows + 60), max_size=4, unique=True))
    values = np.random.default_rng(rows).normal(size=(len(FORMULAS), rows)) * 10.0 ** np.arange(-8, 8, 4)[:, None]
    read = []
    for name in ("block", "cells"):
        workbook, page, path = book(folder, name)
        for row in beside:
            page.text(f"A{row}", "beside", LOOK)
        if name == "block":
            columns = [page.column(LOOK, *each) for each in zip(FORMULAS, values, strict=True)]
            page.block(first_row, first_column, columns)
        else:
            for index, formula in enumerate(FORMULAS):
                for step, value in enumerate(values[index].tolist()):
                    row = first_row + step
                    text = formula.format(row=row, above=row - 1)
                    page.formula(address(row, first_column + index), text, value, LOOK)
        save(workbook, [page.content()], path)
        read.append((judges.formula_cells(path), judges.stored(path)))
    assert read[0] == read[1]
    assert len(read[0][0]) == rows * len(FORMULAS)


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)))
def test_numbers_are_spelled_to_the_last_bit(values: list[float]) -> None:
    assert list(map(repr, map(float, spelled(values)))) == [repr(value or 0.0) for value in values]


@pytest.mark.parametrize("value", [-0.0, 5e-324, -5e-324, 2.2e-308])
def test_what_spreadsheets_cannot_tell_from_0_is_0(value: float, tmp_path: Path) -> None:
    assert spelled([1.0, value]) == ["1.0", "0.0"]
    workbook, page, path = book(tmp_path, "book")
    page.number("A1", value)
    page.formula("B1", "0", value, LOOK)
    page.block(2, 1, [page.column(LOOK, None, np.array([value]))])
    save(workbook, [page.content()], path)
    with zipfile.ZipFile(path) as archive:
        assert re.findall("<v>(.*?)</v>", archive.read("xl/worksheets/sheet1.xml").decode()) == ["0.0"] * 3


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_not_written(value: float, tmp_path: Path) -> None:
    workbook, page, path = book(tmp_path, "book")
    page.block(2, 1, [page.column(LOOK, None, np.array([1.0, value]))])
    with pytest.raises(ValueError, match="cannot stand in a spreadsheet cell"):
        save(workbook, [page.content()], path)
