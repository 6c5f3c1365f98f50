"""How names are set: which part of `a_h1` stands on the line and which is its subscript."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from msgspec import Struct

_NAME = re.compile(r"([^\W\d_]+?)_?(\d[\d_]*|(?<=_).+)")


class Piece(Struct, frozen=True):
    """A stretch of text, on the line or below it."""

    text: str
    subscript: bool = False


@cache
def parts(name: str) -> tuple[str, str]:
    """A name as its letter and its subscript: `a_h1` as a, h1 and `h1_2` as h, 1,2; the subscript may be empty."""
    match = _NAME.fullmatch(name)
    if match is None:
        return name, ""
    base, subscript = match.groups()
    return base, re.sub(r"(?<=\d)_(?=\d)", ",", subscript)


class Typesetter:
    """Sets texts in which the names of one network occur."""

    def __init__(self, names: Iterable[str]) -> None:
        """`names` are those of quantities that are no derivatives, see `Names.base`."""
        choices = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        self._names = re.compile(rf"(?<![A-Za-z0-9_])(?:{choices})(?![A-Za-z0-9_])")
        self._set: dict[str, tuple[Piece, ...]] = {}

    def set(self, text: str) -> tuple[Piece, ...]:
        """The pieces of a text, left to right; together they are the text without the underscores of its names."""
        if text not in self._set:  # sheets say the same of a quantity
            self._set[text] = tuple(piece for piece in self._pieces(text) if piece.text)
        return self._set[text]

    def _pieces(self, text: str) -> Iterator[Piece]:
        end = 0
        line = ""
        for match in self._names.finditer(text):
            base, subscript = parts(match.group())
            line += text[end : match.start()] + base
            end = match.end()
            if subscript:
                yield Piece(line)
                yield Piece(subscript, subscript=True)
                line = ""
        yield Piece(line + text[end:])
