"""A copy of a workbook of ours in which every cell has its own formula, for measuring what sharing them is worth."""

from __future__ import annotations

import re
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from openpyxl.formula.translate import Translator

_SHARED = re.compile(r'<c r="([A-Z]+\d+)"([^>]*)><f t="shared" (?:ref="[^"]*" )?si="(\d+)"(?:/>|>([^<]*)</f>)')


def plain_copy(path: Path, target: Path) -> Path:
    """Write the copy."""
    with ZipFile(path) as source, ZipFile(target, "w", ZIP_DEFLATED, compresslevel=4) as copy:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename.startswith("xl/worksheets/sheet"):
                data = _plain(data.decode()).encode()
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
