"""A spreadsheet formula as a tree: read from text once for a whole column, evaluated with NumPy arrays in its cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from msgspec import Struct

from xlbackprop.engine import Array
from xlbackprop.ground.grid import MOST_CHARACTERS, column_letter, column_number, quoted

_SHOWN_OF_A_LONG_ONE = 200
DEEPEST_NESTING = 60
MOST_OPERATORS = 150
"""A gradient written out in one cell has thirty."""
WIDEST_RANGE = 64

Position = tuple[str, int, int]
"""Sheet, row and column of a cell."""


class UnsupportedError(Exception):
    """A formula that uses what this reader does not know."""


class Reference(Struct, frozen=True):
    """One cell as a formula names it; `row` and `column` are distances unless they are fixed with `$`."""

    sheet: str | None
    row: int
    column: int
    row_fixed: bool
    column_fixed: bool

    def at(self, sheet: str, row: int, column: int) -> Position:
        """The cell that is meant when the formula stands in this one."""
        return (
            sheet if self.sheet is None else self.sheet,
            self.row if self.row_fixed else row + self.row,
            self.column if self.column_fixed else column + self.column,
        )

    def written(self, row: int, column: int) -> str:
        """The reference as it is written in a cell."""
        _, to_row, to_column = self.at("", row, column)
        if to_row < 1 or to_column < 1:
            return "#REF!"
        prefix = "" if self.sheet is None else quoted(self.sheet) + "!"
        return f"{prefix}{'$' * self.column_fixed}{column_letter(to_column)}{'$' * self.row_fixed}{to_row}"


Node = tuple[Any, ...]
"""An operator with its operands, a number `("n", x)`, a reference `("ref", index)` or what a reader puts for one."""


class CellFormula(Struct, dict=True, eq=False):
    """A formula free of its place: text pieces and references in turn. Equal formulas of a column are one object."""

    pieces: tuple[str | Reference, ...]

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, Reference))

    @cached_property
    def tree(self) -> Node | None:
        """None when the formula cannot be followed; `problem` says why."""
        try:
            return _Parser(self.pieces).parse()
        except UnsupportedError as error:
            self.problem = str(error)
        return None

    problem: str = ""

    @cached_property
    def is_followed(self) -> bool:
        """Whether its tree can be read and all its functions are known."""
        if self.tree is None:
            return False
        unknown = sorted({name.removeprefix("_XLFN.") for name in self.functions} - _FUNCTIONS.keys() - {"LET"})
        if unknown:
            self.problem = f"the function {unknown[0]}"
        return not unknown

    @cached_property
    def operands(self) -> tuple[Node, ...]:
        """The references, ranges and defined names in the tree, left to right."""
        return tuple(_operands(self.tree)) if self.tree is not None else ()

    @cached_property
    def specials(self) -> tuple[Node, ...]:
        """The ranges and defined names in the tree, left to right."""
        return tuple(_specials(self.tree)) if self.tree is not None else ()

    def template(self, column: int) -> str:
        """How it is written in a column, with {0} for its row and {1} for the one above; empty where it uses others."""
        texts = []
        for piece in self.pieces:
            if isinstance(piece, str):
                texts.append(piece.replace("{", "{{").replace("}", "}}"))
            elif piece.sheet is not None or (piece.row not in (0, -1) and not piece.row_fixed):
                return ""
            else:
                to_column = piece.column if piece.column_fixed else column + piece.column
                row = f"${piece.row}" if piece.row_fixed else f"{{{-piece.row}}}"
                texts.append(f"{'$' * piece.column_fixed}{column_letter(max(to_column, 1))}{row}")
        return "".join(texts)

    def written(self, row: int, column: int) -> str:
        """The formula as it stands in a cell, without its equals sign."""
        return "".join(p.written(row, column) if isinstance(p, Reference) else p for p in self.pieces)

    @cached_property
    def functions(self) -> frozenset[str]:
        """The names of the functions it calls, in capitals."""
        text = "".join(piece for piece in self.pieces if isinstance(piece, str))
        return frozenset(
            name.upper() for name in re.findall(r"(?<![\w.])([A-Za-z_][\w.]*)\s*\(", re.sub(r'"[^"]*"', "", text))
        )


_REFERENCE = re.compile(
    r"""("(?:[^"]|"")*")"""  # a text is skipped as it is
    r"""|(?<![\w.$!'])(?:('(?:[^']|'')+'|[^\W\d][\w.]*)!)?(\$?)([A-Za-z]{1,3})(\$?)([1-9]\d{0,6})(?![\w(.!])"""
)


_NAME = re.compile(r"""("(?:[^"]|"")*"|'(?:[^']|'')*')|(?<![\w.$!'])([^\W\d][\w.]*)(?![\w(.!])""")


class FormulaReader:
    """All formulas of a workbook, each kind kept once."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        """Take the cells that the workbook has names for, such as `Sheet1!$B$2`."""
        self._names = names or {}
        self._known: dict[tuple[str | Reference, ...], CellFormula] = {}
        self._last: dict[int, tuple[str, CellFormula]] = {}

    def read(self, text: str, row: int, column: int) -> CellFormula:
        """The formula with a text (without equals sign) in a cell.

        Most cells repeat the one above with other row numbers: that is tried first, since it takes no reading at all.
        """
        if len(text) >= MOST_CHARACTERS:  # no program takes it; the sign at the end keeps it from being followed
            text = f"{text[:_SHOWN_OF_A_LONG_ONE]}…"
        template, formula = self._last.get(column, ("", None))
        if formula is not None and template.format(row, row - 1) == text:
            return formula
        formula = self._read(text, row, column)
        template = formula.template(column)
        if template:
            self._last[column] = (template, formula)
        return formula

    def unnamed(self, text: str) -> str:
        """A formula with the cells that its names stand for."""
        return _NAME.sub(lambda match: match[1] or self._names.get(match[2], match[2]), text)

    def _read(self, text: str, row: int, column: int) -> CellFormula:
        pieces: list[str | Reference] = []
        end = 0
        for match in _REFERENCE.finditer(text):
            literal, sheet, column_fixed, letters, row_fixed, digits = match.groups()
            if literal is not None:
                continue
            pieces.append(text[end : match.start()])
            end = match.end()
            to_row, to_column = int(digits), column_number(letters)
            pieces.append(
                Reference(
                    sheet.strip("'").replace("''", "'") if sheet else None,
                    to_row if row_fixed else to_row - row,
                    to_column if column_fixed else to_column - column,
                    bool(row_fixed),
                    bool(column_fixed),
                )
            )
        pieces.append(text[end:])
        key = tuple(pieces)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = CellFormula(key)
        return known


_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|(?P<text>"(?:[^"]|"")*")"""
    r"""|(?P<name>[^\W\d][\w.]*)|(?P<operator><=|>=|<>|[-+*/^%(),;:=<>&]))"""
)
_BINARY = {"=": 1, "<": 1, ">": 1, "<=": 1, ">=": 1, "<>": 1, "&": 2, "+": 3, "-": 3, "*": 4, "/": 4, "^": 6}
_NEGATIVE = 7


class _Parser:
    def __init__(self, pieces: Sequence[str | Reference]) -> None:
        self._tokens: list[tuple[str, Any]] = []
        index = 0
        for piece in pieces:
            if isinstance(piece, Reference):
                self._tokens.append(("ref", index))
                index += 1
                continue
            place = 0
            piece = piece.rstrip()
            while place < len(piece):
                match = _TOKEN.match(piece, place)
                if match is None:
                    raise UnsupportedError(f"the sign {piece[place:].strip()[:1]!r}")
                place = match.end()
                self._tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        self._place = 0
        self._depth = 0
        self._operators = 0

    def parse(self) -> Node:
        node = self._expression(0)
        if self._place < len(self._tokens):
            raise UnsupportedError("something after its end")
        return node

    def _peek(self) -> tuple[str, Any]:
        return self._tokens[self._place] if self._place < len(self._tokens) else ("end", None)

    def _take(self) -> tuple[str, Any]:
        token = self._peek()
        self._place += 1
        return token

    def _expect(self, operator: str) -> None:
        if self._take() != ("operator", operator):
            raise UnsupportedError(f"a missing {operator}")

    def _expression(self, least: int) -> Node:
        self._depth += 1
        self._operators += 1
        if self._depth > DEEPEST_NESTING:
            raise UnsupportedError("too many brackets")
        left = self._prefix()
        while True:
            kind, text = self._peek()
            if (kind, text) == ("operator", "%"):
                self._take()
                left = ("/", left, ("n", 100.0))
                continue
            binding = _BINARY.get(text, 0) if kind == "operator" else 0
            if not binding or binding <= least:
                break
            self._take()
            if self._operators > MOST_OPERATORS:
                raise UnsupportedError("too many operators")
            left = (text, left, self._expression(binding))
        self._depth -= 1
        return left

    def _prefix(self) -> Node:
        kind, value = self._take()
        match kind, value:
            case "number", _:
                return ("n", float(value))
            case "text", _:
                return ("text", value[1:-1])
            case "ref", _:
                if self._peek() == ("operator", ":"):
                    self._take()
                    other, end = self._take()
                    if other != "ref":
                        raise UnsupportedError("an unusual range")
                    return ("range", value, end)
                return ("ref", value)
            case "operator", "-":
                return ("neg", self._expression(_NEGATIVE))
            case "operator", "+":
                return self._expression(_NEGATIVE)
            case "operator", "(":
                node = self._expression(0)
                self._expect(")")
                return node
            case "name", _:
                if self._peek() != ("operator", "("):
                    if value.upper() in {"TRUE", "FALSE"}:
                        return ("n", float(value.upper() == "TRUE"))
                    return ("name", value)
                self._take()
                return self._call(value.upper().removeprefix("_XLFN."))
            case _:
                found = "nothing" if value is None else f"the sign {value!r}"
                raise UnsupportedError(f"{found} where a value belongs")

    def _call(self, name: str) -> Node:
        arguments: list[Node] = []
        if self._peek() == ("operator", ")"):
            self._take()
            return ("call", name, ())
        while True:
            arguments.append(self._expression(0))
            kind, value = self._take()
            if (kind, value) == ("operator", ")"):
                return _let(arguments) if name == "LET" else ("call", name, tuple(arguments))
            if kind != "operator" or value not in ",;":
                raise UnsupportedError("a missing bracket")


def _let(arguments: Sequence[Node]) -> Node:
    """What LET(name, value, …, formula) is without its names."""
    known: dict[Node, Node] = {}

    def filled(node: Node) -> Node:
        inner = parts(node)
        return with_parts(node, tuple(map(filled, inner))) if inner else known.get(node, node)

    for name, value in zip(arguments[:-1:2], arguments[1::2], strict=False):
        known[name] = filled(value)
    return filled(arguments[-1])


def _sum(values: list[Any]) -> Any:
    return sum(values[1:], values[0]) if values else 0.0


def _product(values: list[Any]) -> Any:
    result = 1.0
    for value in values:
        result = result * value
    return result


def _flat(arguments: list[Any]) -> list[Any]:
    return [value for argument in arguments for value in (argument if isinstance(argument, list) else [argument])]


def _sumproduct(arguments: list[Any]) -> Any:
    columns = [argument if isinstance(argument, list) else [argument] for argument in arguments]
    if len({len(column) for column in columns}) != 1:
        raise UnsupportedError("ranges of different lengths")
    return _sum([_product(list(values)) for values in zip(*columns, strict=True)])


_FUNCTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "EXP": lambda a: np.exp(a[0]),
    "POWER": lambda a: np.power(a[0], a[1]),
    "POW": lambda a: np.power(a[0], a[1]),
    "SQRT": lambda a: np.sqrt(a[0]),
    "ABS": lambda a: np.abs(a[0]),
    "LN": lambda a: np.log(a[0]),
    "TANH": lambda a: np.tanh(a[0]),
    "PI": lambda a: np.pi,
    "SIGN": lambda a: np.sign(a[0]),
    "ROUND": lambda a: a[0],  # a rounded number is no mistake: judged as the number itself
    "N": lambda a: a[0],
    "VALUE": lambda a: a[0],
    "IFERROR": lambda a: a[0],
    "SUM": lambda a: _sum(_flat(a)),
    "PRODUCT": lambda a: _product(_flat(a)),
    "SUMSQ": lambda a: _sum([value * value for value in _flat(a)]),
    "SUMPRODUCT": _sumproduct,
    "SUMXMY2": lambda a: _sum([(x - y) ** 2 for x, y in zip(a[0], a[1], strict=True)]),
    "AVERAGE": lambda a: _sum(_flat(a)) / len(_flat(a)),
    "MIN": lambda a: np.minimum.reduce(np.broadcast_arrays(*_flat(a))),
    "MAX": lambda a: np.maximum.reduce(np.broadcast_arrays(*_flat(a))),
    "IF": lambda a: np.where(np.asarray(a[0]) != 0, a[1], a[2] if len(a) > 2 else 0.0),
}
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: np.divide(a, b),
    "^": lambda a, b: np.power(np.asarray(a, dtype=np.float64), b),
    "=": lambda a, b: np.asarray(a == b, dtype=np.float64),
    "<>": lambda a, b: np.asarray(a != b, dtype=np.float64),
    "<": lambda a, b: np.asarray(a < b, dtype=np.float64),
    ">": lambda a, b: np.asarray(a > b, dtype=np.float64),
    "<=": lambda a, b: np.asarray(a <= b, dtype=np.float64),
    ">=": lambda a, b: np.asarray(a >= b, dtype=np.float64),
}


def evaluate(node: Node, leaf: Callable[[Node], Any]) -> Any:
    """The value of a tree; `leaf` gives the value of every node that is no number, operator or known function.

    Raises:
        UnsupportedError: the tree uses a function that is not known.
    """
    kind = node[0]
    if kind == "n":
        return node[1]
    operator = _OPERATORS.get(kind)
    if operator is not None:
        return operator(evaluate(node[1], leaf), evaluate(node[2], leaf))
    if kind == "neg":
        return -evaluate(node[1], leaf)
    if kind == "list":
        return [evaluate(part, leaf) for part in node[1]]
    if kind == "call":
        function = _FUNCTIONS.get(node[1])
        if function is None:
            raise UnsupportedError(f"the function {node[1]}")
        try:
            return function([evaluate(argument, leaf) for argument in node[2]])
        except (IndexError, TypeError, ValueError) as error:
            raise UnsupportedError(f"an unusual use of {node[1]}") from error
    return leaf(node)


def value_of(node: Node, leaf: Callable[[Node], Any], shape: tuple[int, ...]) -> Array | None:
    """The values of a tree as an array of a shape; None when it cannot be followed or is no finite number."""
    try:
        result = np.asarray(evaluate(node, leaf), dtype=np.float64)
        if result.shape != shape:
            result = np.broadcast_to(result, shape)
    except (UnsupportedError, TypeError, ValueError, OverflowError, RecursionError):
        return None
    return result if bool(np.isfinite(result).all()) else None


def _specials(node: Node) -> Iterator[Node]:
    if node[0] in {"range", "name"}:
        yield node
    for part in parts(node):
        yield from _specials(part)


def _operands(node: Node) -> Iterator[Node]:
    if node[0] in {"ref", "range", "name"}:
        yield node
        return
    for part in node[2] if node[0] == "call" else (part for part in node[1:] if isinstance(part, tuple)):
        yield from _operands(part)


def parts(node: Node) -> tuple[Node, ...]:
    """The direct parts of a node."""
    match node[0]:
        case "call":
            return tuple(node[2])
        case "list":
            return tuple(node[1])
        case "neg":
            return (node[1],)
        case kind if kind in _OPERATORS:
            return (node[1], node[2])
        case _:
            return ()


def leaves(node: Node) -> Iterator[Node]:
    """Every leaf of a tree, left to right."""
    inner = parts(node)
    if not inner and node[0] not in {"call", "list"}:
        yield node
    for part in inner:
        yield from leaves(part)


def with_parts(node: Node, new: tuple[Node, ...]) -> Node:
    """The same node with other parts."""
    match node[0]:
        case "call":
            return ("call", node[1], new)
        case "list":
            return ("list", new)
        case "neg":
            return ("neg", new[0])
        case kind if kind in _OPERATORS:
            return (kind, *new)
        case _:
            return node


def written(node: Node, leaf: Callable[[Node], str]) -> str:
    """A tree as the text of a formula, without its equals sign; `leaf` writes what is no number, text or operation."""
    return _written(node, leaf, 0)


def _written(node: Node, leaf: Callable[[Node], str], outer: int) -> str:
    kind = node[0]
    if kind == "n":
        return f"{node[1]:.15g}"
    if kind == "text":
        return f'"{node[1]}"'
    if kind == "neg":
        text = "-" + _written(node[1], leaf, _NEGATIVE)
        return f"({text})" if outer > _BINARY["+"] else text
    if kind == "call":
        return f"{node[1]}({','.join(_written(part, leaf, 0) for part in node[2])})"
    if kind not in _BINARY:
        return leaf(node)
    binding = _BINARY[kind]
    right = binding + (kind in "-/^")
    text = f"{_written(node[1], leaf, binding)}{kind}{_written(node[2], leaf, right)}"
    return f"({text})" if outer > binding else text
