"""A workbook as the checker sees it: cells with value, stored digits and formula, and what stands around them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from posixpath import dirname, join, normpath

from msgspec import Struct

from xlbackprop.checker.file.cells import Sheet
from xlbackprop.checker.file.container import Container, Element, UnreadableError
from xlbackprop.checker.file.formula import Formulas
from xlbackprop.checker.file.sheet_reader import read_sheet

MOST_SHEETS = 500


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
        return sum(cell.formula is not None for sheet in self.sheets for cell in sheet.cells.values())


def read(path: Path) -> Book:
    """Read a workbook.

    Raises:
        UnreadableError: it is no `.xlsx` workbook, damaged, encrypted or dangerous.
    """
    container = Container(path)
    main = main_part(container)
    tree = container.tree(main)
    targets = relationships(container, main)
    strings = next((target for kind, target in targets.values() if kind == "sharedStrings"), "")
    texts = _strings(container, strings) if strings in container.names else []
    formulas = Formulas()
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
            sheets.append(read_sheet(container, element.attributes.get("name", ""), part, texts, formulas))
    if not sheets:
        raise UnreadableError("the workbook has no sheet with cells")
    names = {element.attributes.get("name", ""): element.content() for element in tree.all("definedName")}
    return Book(path, container, tuple(sheets), names)


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
        child.content() if child.tag == "r" else child.text for child in element.children if child.tag in {"t", "r"}
    )
