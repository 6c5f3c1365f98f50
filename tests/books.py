"""Workbooks of ours, each built once, and as openpyxl reads them, to be looked at only, no more than is looked at."""

from __future__ import annotations

import re
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path

import openpyxl
from msgspec import Struct
from openpyxl.workbook.workbook import Workbook

import xlbackprop
from tests.judges import rewritten
from xlbackprop import Definition
from xlbackprop.workbook.xlsx import writer

_MOST_KEPT = 32
_kept: dict[str, bytes] = {}
"""The workbooks built last, by what they are made of."""


def build(
    definition: Definition,
    path: Path,
    *,
    columns: str = "compact",
    sheets: Collection[str] | None = None,
    iteration: int | None = None,
) -> Path:
    """A workbook as `xlbackprop.build` writes it: the same input gives the same bytes."""
    made_of = repr((definition, columns, sheets, iteration, writer._LEVEL))
    content = _kept.pop(made_of, None)
    if content is None:
        xlbackprop.build(definition, path, columns=columns, sheets=sheets, iteration=iteration)
        content = path.read_bytes()
    path.write_bytes(content)
    _kept[made_of] = content
    if len(_kept) > _MOST_KEPT:
        del _kept[next(iter(_kept))]
    return path


_MOST_OPEN = 12
_open: dict[tuple[bytes, tuple[str, ...], bool], Workbook] = {}
"""The workbooks read last, by what they are, wherever they stand."""


def forget() -> None:
    """Build every workbook anew, because the code that does so is another."""
    _kept.clear()


class TemplateBook(Struct, frozen=True):
    """The workbook of a template as a file, and with its values as openpyxl reads it."""

    path: Path
    values: Workbook


def opened(path: Path, *titles: str, data_only: bool = False) -> Workbook:
    """A workbook of ours; where sheets are named, without the rows of all others."""
    key = sha256(path.read_bytes()).digest(), titles, data_only

    def change(title: str, xml: str) -> str:
        return xml if title in titles else re.sub(r"(?s)<sheetData>.*</sheetData>", "<sheetData/>", xml)

    found = _open.pop(key, None) or openpyxl.load_workbook(
        rewritten(path, "opened", change) if titles else path, data_only=data_only
    )
    _open[key] = found
    if len(_open) > _MOST_OPEN:
        del _open[next(iter(_open))]
    return found
