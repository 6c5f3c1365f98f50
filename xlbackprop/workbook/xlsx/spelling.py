"""The spelling of the file's parts: the names of their kinds of elements, and texts as they stand in XML.

Every program reads these forms, and some that are used in classes read no others:

- the elements of drawings have the prefix `xdr`, as Excel itself writes them;
- the targets of relationships are relative to the part that has them;
- a border has all its five sides, a table says everything about its style;
- a font says what it is made of in the order of the schema.
"""

from __future__ import annotations

import re
from collections.abc import Collection

DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

_FORMATS = "http://schemas.openxmlformats.org"
MAIN = f"{_FORMATS}/spreadsheetml/2006/main"
DRAWING = f"{_FORMATS}/drawingml/2006/main"
CHART = f"{_FORMATS}/drawingml/2006/chart"
SHEET_DRAWING = f"{_FORMATS}/drawingml/2006/spreadsheetDrawing"
OFFICE = f"{_FORMATS}/officeDocument/2006"
REFERENCES = f"{OFFICE}/relationships"
PACKAGE = f"{_FORMATS}/package/2006"

_CODE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")


def text_element(text: str) -> str:
    """The element of a text; what is said of its spaces is said only where they would be lost otherwise."""
    space = ' xml:space="preserve"' if text != text.strip() else ""
    return f"<t{space}>{escaped(literal(text))}</t>"


def literal(text: str) -> str:
    """A text in which nothing is read as a code of the file format: there, `_x000A_` stands for the end of a line."""
    return _CODE.sub("_x005F_", text) if "_x" in text else text


def escaped(text: str) -> str:
    """A text as it stands between tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def listed(name: str, texts: Collection[str]) -> str:
    """An element that counts those in it; nothing where there are none."""
    return f'<{name} count="{len(texts)}">{"".join(texts)}</{name}>' if texts else ""


def filled(colour: str, opacity: str = "") -> str:
    """The element of drawings that gives a line or a mark its colour, six hexadecimal digits."""
    inside = f'<a:srgbClr val="{colour}">{opacity}</a:srgbClr>' if opacity else f'<a:srgbClr val="{colour}"/>'
    return f"<a:solidFill>{inside}</a:solidFill>"


SOLID = '<a:prstDash val="solid"/>'
"""Of a line that is not broken."""


def in_attribute(value: str) -> str:
    """A text as the value of an attribute."""
    return escaped(value).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
