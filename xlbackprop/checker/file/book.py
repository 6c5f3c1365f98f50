"""A workbook as the checker sees it: cells with value, stored digits and formula, and what stands around them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path
from posixpath import dirname, join, normpath

from msgspec import Struct

from xlbackprop.checker.file import delimited, opendocument
from xlbackprop.checker.file.cells import Sheet
from xlbackprop.checker.file.container import MOST_SHEETS, Container, Element, UnreadableError, raised
from xlbackprop.checker.file.formula import FormulaReader, Position
from xlbackprop.checker.file.sheet_reader import read_content
from xlbackprop.ground.grid import column_number, quoted

_NAMED = re.compile(r"=?('(?:[^']|'')+'|[^\W\d][\w.]*)!\$?([A-Z]{1,3})\$?(\d{1,7})(?::\$?([A-Z]{1,3})\$?(\d{1,7}))?")
_POINTED = frozenset({"INDIRECT", "OFFSET"})
"""Functions that read cells which their formula does not name."""


class Book(Struct, dict=True):
    """All sheets of a workbook with cells, in the order of its tabs."""

    path: Path
    container: Container
    sheets: tuple[Sheet, ...]
    defined_names: dict[str, str]

    @cached_property
    def by_name(self) -> dict[str, Sheet]:
        return {sheet.name: sheet for sheet in self.sheets}

    @property
    def formulas(self) -> int:
        """How many formula cells there are."""
        return sum(sheet.formulas for sheet in self.sheets)

    def named_cells(self, name: str) -> tuple[Position, Position] | None:
        """The first and the last of the cells that a name stands for; None where it stands for something else."""
        match = _NAMED.fullmatch(self.defined_names.get(name, ""))
        if match is None:
            return None
        sheet = match[1].strip("'").replace("''", "'")
        letters, digits = match[4] or match[2], match[5] or match[3]
        return (sheet, int(match[3]), column_number(match[2])), (sheet, int(digits), column_number(letters))

    def with_all_they_read(self, sheets: Iterable[Sheet]) -> list[Sheet]:
        """Some sheets and all that their formulas read, directly or through others, in the order of the tabs.

        Raises:
            UnreadableError: one of these is damaged or too large.
        """
        waiting = [sheet.name for sheet in sheets]
        found: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in self.by_name and name not in found:
                found.add(name)
                waiting += self._read_by(self.by_name[name])
        return [sheet for sheet in self.sheets if sheet.name in found]

    def _read_by(self, sheet: Sheet) -> set[str]:
        """The sheets that the formulas of one name; all of them where that cannot be told."""
        names = set()
        for formula in sheet.distinct_formulas:
            if formula.tree is None or formula.functions & _POINTED:
                return set(self.by_name)
            names |= {reference.sheet for reference in formula.references}
            for _, name, *_ in (special for special in formula.specials if special[0] == "name"):
                text = self.defined_names.get(name, "")
                names |= {sheet for sheet in self.by_name if sheet in text or quoted(sheet) in text}
        return {name for name in names if name is not None}


def read(path: Path) -> Book:
    """Open a workbook; the cells of a sheet are read when somebody asks for them.

    Raises:
        UnreadableError: it is no workbook, damaged, encrypted or dangerous.
    """
    container = Container(path)
    if container.kind == "text":
        text = delimited.content_of(container.data)
        return Book(path, container, (Sheet(path.stem, "", lambda: text),), {})
    if container.kind == "ods":
        return Book(path, container, _distinct(opendocument.sheets_of(container)), {})
    main = main_part(container)
    tree = container.tree(main)
    targets = relationships(container, main)
    strings = next((target for kind, target in targets.values() if kind == "sharedStrings"), "")
    texts = _strings(container, strings) if strings in container.names else []
    names = {element.attributes.get("name", ""): element.content() for element in tree.all("definedName")}
    formulas = FormulaReader({name: text for name, text in names.items() if _NAMED.fullmatch(text)})
    sheets = []
    entries = tree.all("sheet")
    if len(entries) > MOST_SHEETS:
        raise UnreadableError(f"the workbook has {len(entries):,} sheets; {MOST_SHEETS} is the most that is read")
    left = set(container.names)
    for element in entries:
        kind, part = targets.get(element.attributes.get("id", ""), ("", ""))
        if kind == "worksheet" and part in container.names:
            if part not in left:
                raise UnreadableError("the file is damaged: several of its sheets are one and the same part")
            left.discard(part)
            name = element.attributes.get("name", "")
            sheets.append(Sheet(name, part, partial(read_content, container, name, part, texts, formulas)))
    if not sheets:
        raise UnreadableError("the workbook has no sheet with cells")
    return Book(path, container, _distinct(sheets), names)


def _distinct(sheets: Sequence[Sheet]) -> tuple[Sheet, ...]:
    """The sheets, of which no two have one name, as no spreadsheet program lets them."""
    alike = Counter(sheet.name.casefold() for sheet in sheets)
    double = next((sheet.name for sheet in sheets if alike[sheet.name.casefold()] > 1), None)
    if double is not None:
        raise UnreadableError(f"the file is damaged: two of its sheets are called “{double}”")
    return tuple(sheets)


def main_part(container: Container) -> str:
    """The part that lists the sheets."""
    relations = relationships(container, "").values()
    return next((target for kind, target in relations if kind == "officeDocument"), "xl/workbook.xml")


def relationships(container: Container, part: str) -> dict[str, tuple[str, str]]:
    """What a part refers to, by id: the kind and the name of the other part; never anything outside the file."""
    folder, name = dirname(part), part.rpartition("/")[2]
    source = join(folder, "_rels", f"{name}.rels")
    if source not in container.names:
        return {}
    found = {}
    for element in container.tree(source).all("Relationship"):
        attributes = element.attributes
        if attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            resolved = target.lstrip("/") if target.startswith("/") else normpath(join(folder, target))
            found[attributes.get("Id", "")] = (attributes.get("Type", "").rpartition("/")[2], resolved)
    return found


def _strings(container: Container, part: str) -> list[str]:
    return [_plain(element) for element in container.tree(part).all("si")]


def _plain(element: Element) -> str:
    """The text of a rich string, without the readings that Asian scripts have beside it."""
    return "".join(
        _run(child) if child.tag == "r" else child.text for child in element.children if child.tag in {"t", "r"}
    )


def _run(element: Element) -> str:
    """A stretch of a rich text in one format."""
    text = "".join(part.text for part in element.all("t"))
    is_raised = any(part.attributes.get("val") == "superscript" for part in element.all("vertAlign"))
    return raised(text) if is_raised else text
