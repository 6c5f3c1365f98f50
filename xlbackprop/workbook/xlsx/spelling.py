"""The spelling of the file's parts: XML in one form, whichever library openpyxl builds its elements with.

Every program reads these forms, and some that are used in classes read no others:

- the elements of drawings have the prefix `xdr`, as Excel itself writes them;
- the targets of relationships are relative to the part that has them;
- a border has all its five sides, a table says everything about its style;
- a font says what it is made of in the order of the schema.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Protocol

from openpyxl.packaging.relationship import RelationshipList
from openpyxl.worksheet.table import Table, TableStyleInfo
from openpyxl.xml.constants import (
    CHART_NS,
    COREPROPS_NS,
    DCORE_NS,
    DCTERMS_NS,
    DRAWING_NS,
    REL_NS,
    SHEET_DRAWING_NS,
    VTYPES_NS,
    XML_NS,
    XSI_NS,
)

DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

_PREFIXES: Mapping[str, str] = {
    SHEET_DRAWING_NS: "xdr",
    CHART_NS: "c",
    DRAWING_NS: "a",
    REL_NS: "r",
    COREPROPS_NS: "cp",
    DCORE_NS: "dc",
    DCTERMS_NS: "dcterms",
    VTYPES_NS: "vt",
    XSI_NS: "xsi",
    XML_NS: "xml",
}
_IMPLIED = {XML_NS}
"""The namespaces that are declared nowhere."""

_CHILDREN: Mapping[str, tuple[str, ...]] = {
    "border": ("left", "right", "top", "bottom", "diagonal"),
    "font": ("b", "i", "strike", "u", "vertAlign", "sz", "color", "name", "family", "charset", "scheme"),
}
"""The order of an element's children, where openpyxl has another."""
_CODE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_COMPLETE = {"border"}
"""The elements that have all their children, if only empty ones."""


class QualifiedName(Protocol):
    """The value of an attribute that names something of a namespace."""

    text: str


class Element(Protocol):
    """What the elements of both libraries have in common."""

    tag: str
    text: str | None

    @property
    def attrib(self) -> Mapping[str, str | QualifiedName]: ...

    def __iter__(self) -> Iterator[Element]: ...


def part(root: Element) -> str:
    """A whole part of the file, of one root element."""
    namespace = str(root.attrib.get("xmlns", ""))
    prefix = f"{_PREFIXES[namespace]}:" if namespace == SHEET_DRAWING_NS else ""
    names: set[str] = set()
    content = _spelled(root, prefix, names)
    used = {name[1:].partition("}")[0] for name in names if name.startswith("{")} - _IMPLIED
    declared = "".join(
        f' xmlns:{_PREFIXES[each]}="{each}"' for each in sorted(used | ({namespace} if prefix else set()))
    )
    if namespace and not prefix:
        declared = f' xmlns="{namespace}"{declared}'
    opening = f"<{_name(root.tag, prefix)}"
    return f"{DECLARATION}{opening}{declared}{content.removeprefix(opening)}"


def piece(element: Element) -> str:
    """An element of a part that declares the default namespace and `r` itself."""
    return _spelled(element, "", set())


def relative(relationships: RelationshipList, path: str) -> RelationshipList:
    """The relationships of the part with a path, their targets told from where it lies."""
    folder = posixpath.dirname(path)
    for each in relationships:
        if each.TargetMode != "External":
            each.Target = posixpath.relpath(posixpath.join(folder, each.Target), folder)
    return relationships


def complete(table: Table) -> Table:
    """A table that says everything about its style: that it has none of its own."""
    table.tableStyleInfo = TableStyleInfo(
        showFirstColumn=False, showLastColumn=False, showRowStripes=False, showColumnStripes=False
    )
    return table


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


def _spelled(element: Element, prefix: str, names: set[str]) -> str:
    """The text of an element; what its elements and attributes are called is added to `names`."""
    pieces: list[str] = []
    _spell(element, prefix, names, pieces)
    return "".join(pieces)


def _spell(element: Element, prefix: str, names: set[str], pieces: list[str]) -> None:
    """Add the pieces of an element's text: a list that grows, since handing each up the tree takes twice the time."""
    tag, text = _name(element.tag, prefix), element.text
    names.add(element.tag)
    pieces.append(f"<{tag}")
    for key, value in element.attrib.items():
        if key != "xmlns":
            names.add(key)
            pieces.append(f' {_name(key, "")}="{quoted(value if isinstance(value, str) else _name(value.text, ""))}"')
    children = _ordered(element) if element.tag in _CHILDREN else [*element]
    if not children and not text:
        pieces.append("/>")
        return
    pieces.append(f">{escaped(text)}" if text else ">")
    for child in children:
        if isinstance(child, str):
            pieces.append(f"<{child}/>")
        else:
            _spell(child, prefix, names, pieces)
    pieces.append(f"</{tag}>")


def _ordered(element: Element) -> list[Element | str]:
    children = {child.tag: child for child in element}
    places = _CHILDREN[element.tag]
    if not children.keys() <= set(places):
        raise ValueError(f"{element.tag} has children of no known place: {', '.join(children)}")
    is_complete = element.tag in _COMPLETE
    return [children.get(name, name) for name in places if name in children or is_complete]


@cache
def _name(tag: str, prefix: str) -> str:
    """A name as it is written; one of no namespace has the prefix of the part."""
    if not tag.startswith("{"):
        return prefix + tag
    namespace, _, name = tag[1:].partition("}")
    return f"{_PREFIXES[namespace]}:{name}"


def quoted(value: str) -> str:
    """A text as the value of an attribute."""
    return escaped(value).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
