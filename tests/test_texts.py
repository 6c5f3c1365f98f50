"""Texts that a definition brings: they stay as they were typed, and have room wherever the workbook puts them."""

from __future__ import annotations

import html
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests import installed
from tests.books import build
from xlbackprop import load
from xlbackprop.ground.errors import DefinitionError
from xlbackprop.ground.grid import NoRoomError, cut, formula_problem, length, text_problem
from xlbackprop.network.embedded import from_workbook, to_cells, to_properties
from xlbackprop.workbook.xlsx.book import Workbook
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

LONG = {
    "emoji": "\U0001f600" * 200,
    "ampersands": "&" * 200,
    "codes": "_x000A_" * 28,
    "codes of a page": '&P &[Date] &"Arial,Bold"&14 ' * 6,
    "markup": "<b>&amp;" * 25,
    "letters": "a" * 200,
}


def parts(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as book:
        return {name: book.read(name).decode() for name in book.namelist() if name.endswith(".xml")}


def texts(pattern: str, part: str) -> list[str]:
    return [html.unescape(text) for text in re.findall(pattern, part, re.DOTALL)]


@pytest.mark.thorough
@pytest.mark.parametrize("name", LONG)
def test_every_text_has_room_where_it_stands(name: str, tmp_path: Path) -> None:
    text = LONG[name]
    definition = replace(load("xor", iterations=4), title=text, teaches=text, note=(text * 10)[:2000])
    found = parts(build(definition, tmp_path / "book.xlsx"))
    limits = [
        ("xl/worksheets/", r"<odd(?:Header|Footer)>(.*?)</odd", 255),
        ("xl/worksheets/", r"<t[^>]*>(.*?)</t>", 32_767),
        ("xl/worksheets/", r"<v>(.*?)</v>", 32_767),
        ("xl/worksheets/", r'errorTitle="(.*?)"', 32),
        ("xl/worksheets/", r'error="(.*?)"', 225),
        ("xl/workbook.xml", r'<sheet [^>]*?name="(.*?)"', 31),
        ("xl/workbook.xml", r'<definedName [^>]*?name="(.*?)"', 255),
        ("xl/tables/", r'<tableColumn [^>]*?name="(.*?)"', 255),
        ("docProps/core.xml", r"<dc:title[^>]*>(.*?)</dc:title>", 255),
        ("docProps/core.xml", r"<dc:description[^>]*>(.*?)</dc:description>", 255),
        ("docProps/custom.xml", r"<vt:lpwstr>(.*?)</vt:lpwstr>", 255),
        ("docProps/custom.xml", r'name="(.*?)"', 255),
    ]
    for folder, pattern, most in limits:
        xml = "".join(part for place, part in found.items() if place.startswith(folder))
        lengths = [length(each) for each in texts(pattern, xml)]
        assert lengths, pattern
        assert max(lengths) <= most, pattern


TITLES = ["_x000A_", "a_x0041_b", "_x005F_x000A_", "__x000a__", "R&D & <b> \"q\" 'q'", "\U0001f600"]


@pytest.mark.thorough
@pytest.mark.parametrize("title", TITLES)
def test_a_title_stays_as_it_was_typed(title: str, tmp_path: Path) -> None:
    definition = replace(load("classic", iterations=3), title=title)
    path = build(definition, tmp_path / "book.xlsx", sheets=["walkthrough"])
    book = openpyxl.load_workbook(path)
    cell = str(book["Walkthrough"]["A1"].value)
    assert re.sub("_x([0-9A-Fa-f]{4})_", lambda code: chr(int(code[1], 16)), cell) == title  # as Excel reads it
    assert (cell == title) == (re.search("_x[0-9A-Fa-f]{4}_", title) is None)
    assert book["Walkthrough"].oddHeader.left.text == title.replace("&", "&&")
    assert book.properties.title == title
    kept = replace(definition, note="")
    assert from_workbook({}, to_cells(definition)) == from_workbook(to_properties(definition), []) == kept


@pytest.mark.slow
def test_libreoffice_shows_a_title_as_it_was_typed(tmp_path: Path) -> None:
    title = "_x000A_ R&D \U0001f600 _x005F_"
    path = build(replace(load("classic", iterations=3), title=title), tmp_path / "book.xlsx", sheets=["walkthrough"])
    (shown,) = installed.convert([path], tmp_path, "csv:Text - txt - csv (StarCalc):44,34,76")
    assert shown.read_text(encoding="utf-8").startswith(title)


@given(st.text(), st.integers(1, 40))
def test_what_is_cut_is_a_beginning(text: str, most: int) -> None:
    shorter = cut(text, most)
    assert length(shorter) <= most
    assert shorter == text or (shorter.endswith("…") and text.startswith(shorter[:-1]))
    assert shorter == text or length(text[: len(shorter)]) > most - 1


def test_a_text_that_no_cell_takes_is_refused() -> None:
    book = Workbook()
    page = Page(book, "Step by step")
    page.text("A1", "\U0001f600" * 16_383)
    page.formula("A2", "1", "a" * 32_767, Look())
    puts: list[Callable[[], None]] = [
        lambda: page.text("A1", "\U0001f600" * 16_384),
        lambda: page.text("A1", "a" * 32_768),
        lambda: page.formula("A1", "1", "a" * 32_768, Look()),
    ]
    for put in puts:
        with pytest.raises(NoRoomError, match=r"found 32,768 characters, expected 32,767 at most"):
            put()
    assert text_problem("", "a" * 32_767) is None


@pytest.mark.parametrize(("quoted", "fits"), [("a" * 255, True), ("a" * 256, False), ("\U0001f600" * 128, False)])
def test_a_text_in_a_formula_has_its_own_limit(quoted: str, fits: bool) -> None:
    assert (formula_problem("", f'A1&"{quoted}"&"b"') is None) == fits


@pytest.mark.parametrize("key", ["title", "teaches", "note"])
def test_half_a_character_is_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=rf"{key}: found the text "):
        build(replace(load("classic"), **{key: "a\ud800"}), tmp_path / "book.xlsx")
    assert not list(tmp_path.iterdir())
