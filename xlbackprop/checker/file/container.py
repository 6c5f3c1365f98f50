"""The container: a spreadsheet file opened as one opens a stranger's parcel, with limits and without surprises."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal
from xml.parsers import expat

from msgspec import Struct

from xlbackprop.ground.errors import UserError
from xlbackprop.ground.given_files import UnfitFileError, content_of

LARGEST_FILE = 64 << 20
LARGEST_PART = 192 << 20
LARGEST_TOTAL = 384 << 20
LARGEST_RATIO = 400
"""How much a part may grow when it is unpacked; a sheet of equal cells comes near 100, a zip bomb is at 1000."""
HARMLESS_PART = 8 << 20
MOST_PARTS = 4000
MOST_SHEETS = 500
MOST_CELLS = 3_000_000
LONGEST_TEXT = 2_000
"""Characters of a text that are looked at; no label and no written formula is as long."""
DEEPEST_XML = 200
_CHUNK = 1 << 20


Kind = Literal["xlsx", "ods", "text"]


class UnreadableError(UserError):
    """A file that is no workbook, or none that can be read safely; the text says which and what to do."""


class Container:
    """The parts of one file, each read within the limits; a text has none.

    Raises:
        UnreadableError: in the constructor and in every read.
    """

    kind: Kind = "xlsx"

    def __init__(self, path: Path) -> None:
        self._budget = LARGEST_TOTAL
        try:
            self.data = data = content_of(path, most=LARGEST_FILE)
        except UnfitFileError as error:
            raise UnreadableError(error.reason) from error
        self.names: frozenset[str] = frozenset()
        if _is_delimited_text(data, path):
            self.kind = "text"
            return
        _refuse_other_kinds(data, path)
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
            names = self._archive.namelist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeError):
            raise UnreadableError(
                "the file is truncated or damaged: an .xlsx workbook is a zip file, this one is broken"
            ) from None
        if len(names) > MOST_PARTS:
            raise UnreadableError(f"the file consists of {len(names)} parts; {MOST_PARTS} is the most that is read")
        self.names = frozenset(names)
        mimetype = self.read("mimetype")[:80] if "mimetype" in self.names else b""
        if b"opendocument" in mimetype:
            if b"spreadsheet" not in mimetype or "content.xml" not in self.names:
                raise UnreadableError("this is an OpenDocument file, but no spreadsheet (.ods)")
            if b"manifest:encryption-data" in self.read("META-INF/manifest.xml"):
                raise UnreadableError("the file is encrypted; remove the password in your spreadsheet program first")
            self.kind = "ods"
            return
        if "xl/workbook.bin" in self.names:
            raise UnreadableError("this is a binary workbook (.xlsb); save it as .xlsx in your spreadsheet program")
        if "[Content_Types].xml" not in self.names:
            raise UnreadableError("this is a zip file, but not an .xlsx workbook")

    def read(self, name: str) -> bytes:
        """One part, unpacked."""
        try:
            info = self._archive.getinfo(name)
            content, total = io.BytesIO(), 0  # which gives its bytes away without a copy
            if info.flag_bits & 1:
                raise UnreadableError("the file is encrypted; remove the password in your spreadsheet program first")
            with self._archive.open(info) as stream:
                while chunk := stream.read(_CHUNK):
                    total += len(chunk)
                    self._budget -= len(chunk)
                    if total > HARMLESS_PART and total > LARGEST_RATIO * max(1, info.compress_size):
                        raise UnreadableError(
                            f"the part {_shown(name)} unpacks to more than can be read safely (a zip bomb?)"
                        )
                    if total > LARGEST_PART or self._budget < 0:
                        most = LARGEST_PART if total > LARGEST_PART else LARGEST_TOTAL
                        raise UnreadableError(
                            f"the workbook is too large to be checked: unpacked, {_shown(name)} passes the"
                            f" {most >> 20} MB that are read; a few thousand iterations show as much"
                        )
                    content.write(chunk)
        except KeyError:
            raise UnreadableError(f"the file is damaged: its part {_shown(name)} is missing") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError):
            raise UnreadableError(f"the file is damaged: its part {_shown(name)} cannot be unpacked") from None
        return content.getvalue()

    def parse(
        self, name: str, start: Start, end: End, data: Data, reduced: Callable[[bytes], bytes] = lambda content: content
    ) -> None:
        """Read one part as XML and call back for every element (local names, without namespaces) and every text.

        What `reduced` takes out of the part is passed over, which is much faster than to hear of it.
        """
        depth = 0

        def started(tag: str, attributes: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            if depth > DEEPEST_XML:
                raise UnreadableError(f"the part {_shown(name)} is nested more than {DEEPEST_XML} deep")
            start(tag.rpartition(":")[2], attributes)

        def ended(tag: str) -> None:
            nonlocal depth
            depth -= 1
            end(tag.rpartition(":")[2])

        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = started
        parser.EndElementHandler = ended
        parser.CharacterDataHandler = data
        parser.StartDoctypeDeclHandler = _refuse_doctype
        try:
            parser.Parse(reduced(self.read(name)), True)
        except (expat.ExpatError, ValueError, LookupError):
            raise UnreadableError(f"the file is damaged: its part {_shown(name)} is not well-formed XML") from None

    def tree(self, name: str, reduced: Callable[[bytes], bytes] = lambda content: content) -> Element:
        """One small part as a tree of elements; `reduced` as for `parse`."""
        root = Element("", {})
        stack = [root]

        def start(tag: str, attributes: dict[str, str]) -> None:
            child = Element(tag, {key.rpartition(":")[2]: value for key, value in attributes.items()})
            stack[-1].children.append(child)
            stack.append(child)

        def end(tag: str) -> None:
            stack.pop()

        def text(data: str) -> None:
            stack[-1].text += data

        self.parse(name, start, end, text, reduced)
        return root


class Element(Struct):
    """One XML element: local names only, attributes too."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = []  # msgspec copies the default

    def all(self, tag: str) -> list[Element]:
        """Every element of that name below this one, in the order of the file."""
        return [element for element in self._walk() if element.tag == tag and element is not self]

    def first(self, tag: str) -> Element | None:
        """The first element of that name below this one."""
        return next((element for element in self._walk() if element.tag == tag and element is not self), None)

    def content(self) -> str:
        """All the text in this element."""
        return "".join(element.text for element in self._walk())

    def _walk(self) -> Iterator[Element]:
        """This element and all below it, in the order of the file."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))


_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def raised(text: str) -> str:
    """A text that is formatted as an exponent, with signs that say so."""
    return text.translate(_RAISED) if text.isdigit() else f"^({text})" if text.strip() else text


Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]
Data = Callable[[str], None]


def _refuse_doctype(*_: Any) -> None:
    raise UnreadableError("the file contains a document type definition, which no workbook has; it is not read")


def _is_delimited_text(data: bytes, path: Path) -> bool:
    begins = data[:4]
    is_other = begins[:2] == b"PK" or begins in {b"%PDF", b"\xd0\xcf\x11\xe0"}
    return path.suffix.lower() in {".csv", ".tsv", ".txt"} and bool(data.strip()) and not is_other


def _refuse_other_kinds(data: bytes, path: Path) -> None:
    """One clear message for each kind of file that people try."""
    if not data:
        raise UnreadableError("the file is empty")
    if data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise UnreadableError("the workbook is encrypted; remove the password in your spreadsheet program first")
        raise UnreadableError("this is an old Excel file (.xls); save it as .xlsx in your spreadsheet program")
    if data.startswith(b"PK"):
        return
    if data.startswith(b"%PDF"):
        raise UnreadableError("this is a PDF; the workbook itself (.xlsx) is needed, with its formulas")
    if path.suffix.lower() != ".xlsx" and b"\x00" not in data[:4096]:
        raise UnreadableError("this is a text file that is not called .csv; save the workbook itself as .xlsx")
    raise UnreadableError("this is not an .xlsx workbook: its first bytes are not those of one")


def _shown(name: str) -> str:
    text = name if len(name) <= 60 else name[:57] + "..."
    return text.encode("ascii", "replace").decode()
