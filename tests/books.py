"""Workbooks as openpyxl reads them, to be looked at only: each is read once, and no more of it than is looked at."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import openpyxl
from msgspec import Struct
from openpyxl.workbook.workbook import Workbook

from tests.judges import rewritten


class TemplateBook(Struct, frozen=True):
    """The workbook of a template as a file, and with its values as openpyxl reads it."""

    path: Path
    values: Workbook


def opened(path: Path, *titles: str, data_only: bool = False) -> Workbook:
    """A workbook of ours; where sheets are named, without the rows of all others."""
    return _opened(path, sha256(path.read_bytes()).digest(), titles, data_only)


@lru_cache(maxsize=3)
def _opened(path: Path, _: bytes, titles: tuple[str, ...], data_only: bool) -> Workbook:
    def change(title: str, xml: str) -> str:
        return xml if title in titles else re.sub(r"(?s)<sheetData>.*</sheetData>", "<sheetData/>", xml)

    return openpyxl.load_workbook(rewritten(path, "opened", change) if titles else path, data_only=data_only)
