"""Copies of a workbook of ours, for measuring: with a formula of its own in every cell, or without stored values."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from openpyxl.formula.translate import Translator

_SHARED = re.compile(r'<c r="([A-Z]+\d+)"([^>]*)><f t="shared" (?:ref="[^"]*" )?si="(\d+)"(?:/>|>([^<]*)</f>)')
_VALUE = re.compile(r"(<f[^>]*/>|</f>)<v>[^<]*</v>")


def plain_copy(path: Path, target: Path) -> Path:
    """Write a copy in which no formula is shared."""
    return _rewritten(path, target, _plain)


def without_values(path: Path) -> Path:
    """Write a copy, beside the file, in which no formula has a value."""
    return _rewritten(path, path.with_name(f"{path.stem}-stripped.xlsx"), lambda xml: _VALUE.sub(r"\1", xml))


def _rewritten(path: Path, target: Path, change: Callable[[str], str]) -> Path:
    with ZipFile(path) as source, ZipFile(target, "w", ZIP_DEFLATED, compresslevel=3) as copy:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename.startswith("xl/worksheets/sheet"):
                data = change(data.decode()).encode()
            copy.writestr(entry.filename, data)
    return target


def _plain(xml: str) -> str:
    masters: dict[str, Translator] = {}

    def own(match: re.Match[str]) -> str:
        address, attributes, index, formula = match.groups()
        if formula is not None:
            masters[index] = Translator(f"={formula}", origin=address)
        text = masters[index].translate_formula(address)[1:]
        return f'<c r="{address}"{attributes}><f>{text}</f>'

    return _SHARED.sub(own, xml)
