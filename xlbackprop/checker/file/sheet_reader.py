"""The cells of one sheet, read from its part of the file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isfinite

import numpy as np

from xlbackprop.checker.file.alike_rows import AlikeRows, alike_rows
from xlbackprop.checker.file.arrays import fill
from xlbackprop.checker.file.cells import Block, Blocks, Cell, Content, number_of
from xlbackprop.checker.file.container import LONGEST_TEXT, MOST_CELLS, Container, UnreadableError, raised
from xlbackprop.checker.file.formula import CellFormula, FormulaReader
from xlbackprop.ground.grid import Coordinates, column_number

_ADDRESS = re.compile(r"([A-Za-z]{1,3})([1-9]\d{0,6})")
_EMPTY_CELL = re.compile(rb'<c r="[^<>]*/>')
_TEXT = rb"([^<\x00-\x08\x0b-\x1f]*)"
_ORDINARY_CELL = re.compile(
    rb'<c r="([A-Z]{1,3})([1-9]\d{0,6})"(?: s="\d+")?(?: t="(\w+)")?>'
    rb"(?:<f((?: [a-zA-Z:]+=\"[^<>\"&]*\")*)(?:/>|>" + _TEXT + rb"</f>))?"
    rb"(?:<v>" + _TEXT + rb'</v>|<is><t(?: xml:space="preserve")?>' + _TEXT + rb"</t></is>)?</c>"
)
"""A cell as nearly all programs write nearly all of theirs."""
_ATTRIBUTE = re.compile(r' ([a-zA-Z:]+)="([^"]*)"')
_SPECIAL = re.compile(rb"<!\[CDATA\[|<!--|<\?xml[^>]*encoding=[\"'](?!utf-8[\"'])|<c(?! r=\")[\s>]", re.IGNORECASE)
"""What makes a part say something else than its plain text, and cells whose place is told by those before them."""
_OTHER_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}


def read_content(
    container: Container, name: str, part: str, texts: list[str], formulas: FormulaReader, *, in_blocks: bool = True
) -> Content:
    """Read one sheet: its ordinary cells by their pattern, which takes a third of the time, the others as any XML.

    Args:
        container: the file.
        name: what the sheet is called.
        part: where it stands in the file.
        texts: the texts that the file keeps apart.
        formulas: what reads its formulas.
        in_blocks: whether rows that differ in nothing but their numbers may be kept together.
    """
    blocks: list[Block] = []
    cells: dict[Coordinates, Cell] = {}
    shared: dict[str, tuple[CellFormula, int, int]] = {}
    arrays: dict[str, str] = {}
    columns: dict[str, int] = {}
    row = column = 0
    kind = ""
    value: str | None = None
    formula: str | None = None
    formula_attributes: dict[str, str] = {}
    parts: list[str] = []
    collecting = is_raised = False
    columns_by_code: dict[bytes, int] = {}
    followers: dict[bytes, CellFormula] = {}
    last_row = b""
    in_block = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal row, column, kind, value, formula, formula_attributes, collecting, is_raised
        if tag == "c":
            address = attributes.get("r")
            match = _ADDRESS.fullmatch(address) if address else None
            if match:
                letters = match[1]
                number = columns.get(letters)
                if number is None:
                    number = columns[letters] = column_number(letters)
                column, row = number, int(match[2])
            else:
                column += 1
            kind = attributes.get("t", "n")
            value = formula = None
        elif tag == "v" or tag == "t":
            collecting = True
            parts.clear()
        elif tag == "f":
            collecting = True
            parts.clear()
            formula_attributes = attributes
        elif tag == "r" or tag == "vertAlign":
            is_raised = attributes.get("val") == "superscript"
        elif tag == "row":
            number_text = attributes.get("r", "")
            row = int(number_text) if number_text.isdigit() and len(number_text) < 8 else row + 1
            column = 0

    def end(tag: str) -> None:
        nonlocal value, formula, collecting
        if tag == "c":
            if value is not None or formula is not None:
                _keep(kind, value, formula)
        elif tag == "v":
            value = "".join(parts)
            collecting = False
        elif tag == "t":
            text = "".join(parts)
            value = (value or "") + (raised(text) if is_raised else text)
            collecting = False
        elif tag == "f":
            formula = "".join(parts)
            collecting = False

    def data(text: str) -> None:
        if collecting:
            parts.append(text)

    def _keep(kind: str, value: str | None, text: str | None) -> None:
        if len(cells) + in_block >= MOST_CELLS:
            raise UnreadableError(f"the sheet {name} has more than {MOST_CELLS:,} cells")
        rule = _rule(text) if text is not None else None
        plain = value or ""
        content: float | str | None
        if kind == "s":
            content = texts[int(plain)] if plain.isdigit() and len(plain) < 9 and int(plain) < len(texts) else ""
        elif kind in {"str", "inlineStr", "e", "d"}:
            content = plain
        else:
            number = number_of(plain.strip())
            content = (plain or None) if number is None else number
        if content is None and rule is None:
            return
        if isinstance(content, str) and not content.strip() and rule is None:
            return
        if isinstance(content, str) and rule is None:
            content = content[:LONGEST_TEXT]
        digits = plain if isinstance(content, float) and plain != repr(content) else ""
        cells[row, column] = Cell(content, digits, rule)

    def _rule(text: str) -> CellFormula | None:
        index = formula_attributes.get("si") if formula_attributes.get("t") == "shared" else None
        if index is not None and not text:
            master = shared.get(index)
            return master[0] if master else None
        text = text.strip().lstrip("=")
        if formula_attributes.get("t") == "array":
            arrays[formula_attributes.get("ref", "")] = text
        rule = formulas.read(text, row, column) if text else None
        if index is not None and rule is not None:
            shared[index] = (rule, row, column)
        return rule

    def ordinary(match: re.Match[bytes]) -> bytes:
        """Keep a cell that was found by its pattern; what is to be left of it for the other way to read it."""
        nonlocal row, column, formula_attributes, last_row
        letters, digits, kind_code, attributes, formula_code, value_code, inline_code = match.groups()
        if digits != last_row:
            last_row, row = digits, int(digits)
        known = columns_by_code.get(letters)
        if known is None:
            known = columns_by_code[letters] = column_number(letters.decode())
        column = known
        rule = None
        if kind_code is None and value_code and (attributes is None or (rule := followers.get(attributes))):
            try:
                number = float(value_code)
            except ValueError:
                return match[0]
            if len(cells) < MOST_CELLS and b"_" not in value_code and isfinite(number):
                plain = value_code.decode()
                cells[row, column] = Cell(number, "" if plain == repr(number) else plain, rule)
                return b""
        try:
            written = [None if code is None else _read(code) for code in (formula_code, value_code, inline_code)]
        except ValueError:
            return match[0]
        text, value, inline = written
        if attributes is not None:
            formula_attributes = dict(_ATTRIBUTE.findall(attributes.decode()))
            text = text or ""
            if not text and formula_attributes.get("t") == "shared":
                master = shared.get(formula_attributes.get("si", ""))
                if master is None:
                    return match[0]
                followers[attributes] = master[0]
        if value is not None or inline is not None or text is not None:
            _keep("n" if kind_code is None else kind_code.decode(), inline if value is None else value, text)
        return b""

    def reduced(content: bytes) -> bytes:
        if _SPECIAL.search(content):
            return content
        rest, position = [], 0
        for rows in alike_rows(content) if in_blocks else ():
            rest.append(one_by_one(content[position : rows.start]))
            position = rows.end if keep_block(rows) else rows.start
        rest.append(one_by_one(content[position:]))
        return b"".join(rest)

    def one_by_one(content: bytes) -> bytes:
        """Keep all ordinary cells; what is left."""
        return _ORDINARY_CELL.sub(ordinary, _EMPTY_CELL.sub(b"", content))

    def keep_block(found: AlikeRows) -> bool:
        """Keep rows that were found to be alike, if it is known which formulas they share."""
        nonlocal in_block
        rules: list[CellFormula | None] = []
        for follower in found.followers:
            attributes = dict(_ATTRIBUTE.findall(follower.decode()))
            master = shared.get(attributes.get("si", "")) if attributes.get("t") == "shared" else None
            if follower and master is None:
                return False
            rules.append(None if master is None else master[0])
        try:
            numbers = found.texts.astype(np.float64)
        except ValueError:
            return False
        if not np.isfinite(numbers).all():
            return False
        in_block += numbers.size
        if len(cells) + in_block > MOST_CELLS:
            raise UnreadableError(f"the sheet {name} has more than {MOST_CELLS:,} cells")
        columns = [column_number(each.decode()) for each in found.letters]
        places = {column: place for place, column in enumerate(columns)}
        blocks.append(Block(found.first, places, tuple(rules), numbers, found.texts))
        return True

    container.parse(part, start, end, data, reduced)
    filled = fill(cells, formulas, arrays)
    if blocks and not _stand_alone(blocks, cells):
        return read_content(container, name, part, texts, formulas, in_blocks=False)
    if any(one > other for one, other in pairwise(cells)):
        cells = {place: cells[place] for place in sorted(cells)}
    return Content(cells, Blocks(blocks), filled)


def _stand_alone(blocks: Sequence[Block], cells: Mapping[Coordinates, Cell]) -> bool:
    """Whether blocks follow one another, with no cell beside them."""
    follow = all(one.rows.stop <= other.first for one, other in pairwise(blocks))
    return follow and not any(Blocks(blocks).at(row) for row in {row for row, _ in cells})


def _read(code: bytes) -> str:
    """The text that XML stands for; ValueError where that takes a real reader of XML."""
    text = code.decode()
    if "&" not in text:
        return text
    if _OTHER_ENTITY.search(text):
        raise ValueError
    for entity, character in _ENTITIES.items():
        text = text.replace(entity, character)
    return text
