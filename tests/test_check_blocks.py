"""Rows that differ in nothing but their numbers: read together, they are judged as they are when read cell by cell."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.test_check_files import _with_part
from xlbackprop import build, load
from xlbackprop.checker.checking import checked
from xlbackprop.checker.file import alike_rows, recalculate
from xlbackprop.checker.file.book import read
from xlbackprop.checker.file.cells import Block, Sheet
from xlbackprop.checker.report.findings import Report
from xlbackprop.checker.table.trees import Trees

SHEET = "xl/worksheets/sheet1.xml"
NEVER = 1 << 30


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("blocks") / "ours.xlsx"
    return build(load("mazur", iterations=14), path, sheets=["walkthrough"])


def _replaced(pattern: str, new: str, count: int = 1) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        changed, number = re.subn(pattern.encode(), new.encode(), data)
        assert number == count, number
        return changed

    return change


COLUMNS = 34
VALUE = r"<v>[^<]*</v>"
CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda data: data,
    "empty cells": lambda data: data.replace(b"</row>", b'<c r="ZZ1" s="4"/></row>'),
    "another formula": _replaced(r'(<c r="L41"[^>]*>)<f[^>]*/>', r"\1<f>L40*2</f>"),
    "other values": _replaced(rf'(<c r="L4[0-3]"[^>]*><f[^>]*/>){VALUE}', r"\1<v>0.123456789012345678</v>", 4),
    "a number for a formula": _replaced(r'(<c r="M42"[^>]*>)<f[^>]*/>', r"\1"),
    "numbers for formulas": _replaced(r'(<c r="M\d\d"[^>]*>)<f[^>]*/>', r"\1", 12),
    "an error": _replaced(rf'<c r="N41"[^>]*>.*?{VALUE}</c>', '<c r="N41" t="e"><v>#N/A</v></c>'),
    "a text": _replaced(rf'<c r="N41"[^>]*>.*?{VALUE}</c>', '<c r="N41" t="str"><v>much</v></c>'),
    "an empty cell": _replaced(rf'<c r="N41"[^>]*>.*?{VALUE}</c>', ""),
    "a cell beside": _replaced(r'(<row r="41".*?)</row>', r'\1<c r="ZZ41"><v>3</v></c></row>'),
    "another column's formula": _replaced(r'(<c r="L\d\d"[^>]*><f t="shared" si=)"\d+"/>', r'\1"0"/>', 12),
    "an unknown formula": _replaced(r'(<c r="L\d\d"[^>]*><f t="shared" si=)"\d+"/>', r'\1"999"/>', 12),
    "a row twice": _replaced(r'(<row r="41".*?</row>)', r"\1\1"),
    "a row missing": _replaced(r'<row r="41".*?</row>', ""),
    "a row that is called otherwise": _replaced('<row r="41"', '<row r="77"'),
    "cells that are called otherwise": _replaced('<c r="([A-Z]+)41"', r'<c r="\g<1>141"', COLUMNS),
    "no numbers": _replaced(rf'(<c r="O\d\d"[^>]*><f[^>]*/>){VALUE}', r"\1<v>1-2</v>", 12),
    "numbers that no cell can hold": _replaced(rf'(<c r="O\d\d"[^>]*><f[^>]*/>){VALUE}', r"\1<v>1E309</v>", 12),
    "another spelling": _replaced(rf'(<c r="O\d\d"[^>]*><f[^>]*/>){VALUE}', r"\1<v>5.0E-1</v>", 12),
    "a row behind": _replaced("</sheetData>", '<row r="40"><c r="B40"><v>7</v></c></row></sheetData>'),
    "a fixed row": _replaced(r'(<f t="shared" ref="[^<>]*>[A-Z]+33-[^<>]*[A-Z])33</f>', r"\1$36</f>", 8),
    "a shared formula in another spelling": _replaced('<c r="L34"', '<c r="L34" ph="1"'),
    "rows without formulas": lambda data: re.sub(rb'<f t="shared" si="\d+"/>', b"", data),
}


def _content(sheet: Sheet) -> list[tuple[object, ...]]:
    return [
        (place, repr(cell.value), cell.digits, cell.formula.written(*place) if cell.formula else None)
        for place, cell in sheet.cells.items()
    ]


def _without_definition(path: Path) -> Path:
    for part in ("docProps/custom.xml", "xl/worksheets/sheet2.xml"):
        path = _with_part(path, part, lambda data: data.replace(b"xlbackprop definition", b"something else"))
        path = path.rename(path.with_name("copy.xlsx"))
    return path


NOT_OURS = ["nothing", "another formula", "an error", "a row missing", "other values"]


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "is_known"), [*((name, True) for name in CHANGES), *((n, False) for n in NOT_OURS)])
def test_rows_are_judged_alike_together_and_one_by_one(
    name: str, is_known: bool, ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.xlsx"
    copy.write_bytes(ours.read_bytes())
    path = _with_part(copy if is_known else _without_definition(copy), SHEET, CHANGES[name])
    reports: list[Report] = []
    contents, values = [], []
    for fewest in (2, NEVER):
        monkeypatch.setattr(alike_rows, "FEWEST_ROWS", fewest)
        book = read(path)
        contents.append(_content(book.sheets[0]))
        engine = recalculate.Engine()
        engine.ask(book, book.sheets)
        values.append(sorted(engine.answer().values.items()))
        engine.stop()
        reports.append(checked(path).report)
        if fewest == 2 and name in ("nothing", "empty cells"):
            assert [len(block.numbers) for block in book.sheets[0].content.blocks] == [12]
    assert contents[0] == contents[1]
    assert values[0] == values[1]
    assert len(contents[0]) > 400
    assert reports[0] == reports[1]


def test_a_longer_training_is_not_looked_at_cell_by_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def count(*arguments: object) -> object:
            asked.append(arguments)
            return function(*arguments)

        return count

    monkeypatch.setattr(Block, "cell", counted(Block.cell))
    monkeypatch.setattr(Trees, "key_at", counted(Trees.key_at))
    counts = []
    for iterations in (40, 400):
        asked.clear()
        path = build(load(iterations=iterations), tmp_path / "ours.xlsx", sheets=["walkthrough"])
        assert checked(path).report.status == "ok"
        counts.append(len(asked))
    assert counts[1] < counts[0] + 100, counts
