"""Written derivations: formulas typed as text, in cells and in drawings, read leniently and tried like the others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

from xlbackprop.checker.file.book import Book, relationships
from xlbackprop.checker.file.cells import Sheet
from xlbackprop.checker.file.container import Container, Element, raised
from xlbackprop.checker.file.formula import DEEPEST_NESTING, Node, UnsupportedError, leaves, value_of
from xlbackprop.checker.judgement.slip_search import Budget, ReadingContext
from xlbackprop.checker.judgement.tree_reading import to_tree
from xlbackprop.checker.report.findings import Note
from xlbackprop.checker.table.labels import LIKE_PARTIAL, plain_name, quantity
from xlbackprop.checker.table.meaning import Meaning
from xlbackprop.checker.worlds import WORLDS, close
from xlbackprop.ground.grid import Coordinates, address
from xlbackprop.symbols import Expression, Mathematics, Symbol, substitute

LONGEST_TEXT = 400

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("·×∗⋅•∙", "*"),
        **dict.fromkeys("−–—‒﹣", "-"),
        **dict.fromkeys("〖[{", "("),
        **dict.fromkeys("〗]}", ")"),
        **dict.fromkeys(LIKE_PARTIAL, "∂"),
        "÷": "/",
        "∕": "/",
        "½": "(1/2)",
        "ς": "σ",
    }
)
_TOKEN = re.compile(
    r"\s*(?:(?P<link>(?:∂|d)\s*\(?\s*[a-z][\w]*\s*\)?\s*/\s*(?:∂|d)\s*\(?\s*[a-z]\w*\s*\)?)|(?P<number>\d+\.?\d*|\.\d+)"
    r"|(?P<function>(?:σ|sigmoid|sig|exp)(?=\s*\())|(?P<euler>e(?=\s*\^))|(?P<name>[a-z]\w*)|(?P<operator>[-+*/^()]))"
)
_PART = re.compile(r"[∂d]\s*e(?:rror)?_?o?_?(\d)")
"""The derivative of the loss of one output."""
_RAISED = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 4}


def written_derivations(book: Book, sheet: Sheet, meaning: Meaning, budget: Budget) -> Iterator[Note]:
    """Notes on the written formulas of a sheet that are wrong."""
    judge = _Texts(meaning, budget)
    for (row, column), cell in sorted(sheet.texts):
        text = cell.value
        if not isinstance(text, str) or cell.formula is not None or not 3 <= len(text) <= LONGEST_TEXT:
            continue
        words = judge.wrong(_completed(sheet, (row, column), text))
        if words:
            yield Note(sheet.name, (address(row, column),), "written_formula", words)
    for text in dict.fromkeys(drawing_texts(book.container, sheet.part)):
        if 3 <= len(text) <= LONGEST_TEXT and (words := judge.wrong(text)):
            yield Note(sheet.name, (), "written_formula", f"in a drawing: {words}")


def drawing_texts(container: Container, part: str) -> Iterator[str]:
    """The paragraphs of text in the drawings of a sheet."""
    for kind, target in relationships(container, part).values():
        if kind == "drawing" and target in container.names:
            for body in container.tree(target).all("txBody"):
                for paragraph in body.all("p"):
                    yield "".join(_run(run) for run in paragraph.all("r"))


def _run(run: Element) -> str:
    """A stretch of text in one format."""
    text = "".join(part.text for part in run.all("t"))
    style = run.first("rPr")
    baseline = "" if style is None else style.attributes.get("baseline", "")
    return raised(text) if baseline.rstrip("%").isdigit() and int(baseline.rstrip("%")) > 0 else text


def _completed(sheet: Sheet, place: Coordinates, text: str) -> str:
    """The text together with the name that it explains, where this stands in the cell on its left or above."""
    row, column = place
    stripped = text.strip()
    if stripped.startswith("="):
        name = sheet.text(row - 1, column).partition("=")[0] or sheet.text(row, column - 1).partition("=")[0]
        return f"{name}{stripped}"
    if "=" not in text:
        left = sheet.text(row, column - 1).strip().rstrip("=").strip()
        if left and quantity(left) and not quantity(text) and re.search(r"[-+*/(·]", text):
            return f"{left} = {text}"
    return text


class _Texts:
    def __init__(self, meaning: Meaning, budget: Budget) -> None:
        self._meaning = meaning
        self._budget = budget
        self._setting = ReadingContext(
            meaning.shape, meaning.literals, meaning.changing_samples, tuple(sorted(meaning.numbering.items()))
        )
        labels = meaning.derivation.names
        self._units: dict[str, int] = {}
        for index, (unit, output, row) in enumerate(
            zip(labels.pre_activations[-1], labels.activations[-1], labels.weights[-1], strict=True), 1
        ):
            self._units.update(dict.fromkeys([unit, output, *(_label(weight, meaning) for weight in row)], index))

    def wrong(self, text: str) -> str:
        """What is wrong with the first wrong formula of a text; empty where nothing is, or where it cannot be read."""
        return next(filter(None, map(self._wrong, text.splitlines())), "")

    def _wrong(self, text: str) -> str:
        text = _RAISED.sub(lambda match: f"^{match[0]}", text)
        lenient = unicodedata.normalize("NFKC", text.translate(_SIGNS)).lower().replace("**", "^")
        lenient = re.sub(r"(σ\(\w+\))\s*-\s*1\s*/", r"\1 = 1/", lenient)
        first, *sides = lenient.split("=")
        name = quantity(first.strip())
        if _PART.match(first.strip()) and name and self._units.get(name.partition("/∂")[2]) is None:
            return ""  # ∂E1/∂w1 is a part of ∂E/∂w1
        own = self._meaning.own(name) if name else ""
        derived = self._meaning.derivation.quantities.get(own)
        if name is None or derived is None or derived.expression is None or not sides:
            return ""
        right = self._meaning.world.value(own, 0)
        for side in sides:
            tree = _read(side, self._units)
            if tree is None or right is None or not any(leaf[0] == "q" for leaf in leaves(tree)):
                continue
            found = value_of(tree, self._leaf, (WORLDS,))
            if found is None or close(found, right):
                continue
            expression = self._meaning.derivation.expanded(own, self._meaning.derivation.names.base)
            slip = self._budget.name_slip(self._setting, name, tree, to_tree(expression, self._symbol))
            shown = Mathematics().read(_relabelled(expression, self._meaning))
            return f"the written formula for {name} {slip.words}: “{text.strip()}”; right is {name} = {shown}"
        return ""

    def _symbol(self, symbol: Symbol) -> Node:
        return ("q", _label(symbol.name, self._meaning), 0)

    def _leaf(self, node: Node) -> object:
        return self._meaning.world.value(self._meaning.own(node[1]), 0) if node[0] == "q" else None


def _label(own: str, meaning: Meaning) -> str:
    return next((label for label, named in meaning.numbering.items() if named == own), own)


def _relabelled(expression: Expression, meaning: Meaning) -> Expression:
    return substitute(expression, lambda symbol: Symbol(_label(symbol.name, meaning)))


def _read(text: str, units: Mapping[str, int]) -> Node | None:
    """A side of a written equation as a tree; None when it cannot be read.

    Args:
        text: in lower case, with ordinary signs.
        units: what depends on one output only, with the number of the output: ∂E2/∂w5 is 0.
    """
    plain = text.strip().rstrip(".,;")
    if re.fullmatch(r"[a-z]\w*\s*/\s*[a-z]\w*(\s*\*\s*[a-z]\w*\s*/\s*[a-z]\w*)*", plain):
        plain = re.sub(r"([a-z]\w*)", r"∂\1", plain)  # a chain of derivatives, its ∂ left out
    plain = re.sub(r"(?<![\w.])1\s*/\s*1\s*\+(.*)$", r"1/(1+\1)", plain)  # meant as a fraction, typed on one line
    tokens: list[tuple[str, str]] = []
    place = 0
    while place < len(plain):
        match = _TOKEN.match(plain, place)
        if match is None:
            return None
        place = match.end()
        tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
    try:
        return _Reader(tokens, units).read()
    except UnsupportedError:
        return None


class _Reader:
    """A parser that takes two things side by side as their product."""

    def __init__(self, tokens: list[tuple[str, str]], units: Mapping[str, int]) -> None:
        self._tokens = tokens
        self._units = units
        self._place = 0
        self._depth = 0

    def read(self) -> Node:
        node = self._expression(0)
        if self._place < len(self._tokens):
            raise UnsupportedError
        return node

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._place] if self._place < len(self._tokens) else ("end", "")

    def _expression(self, least: int) -> Node:
        self._depth += 1
        if self._depth > DEEPEST_NESTING:
            raise UnsupportedError
        left = self._value()
        while True:
            kind, text = self._peek()
            is_factor = kind in {"link", "number", "function", "euler", "name"} or text == "("
            operator = "*" if is_factor else text
            binding = _BINDING.get(operator, 0) if is_factor or kind == "operator" else 0
            if binding <= least:
                self._depth -= 1
                return left
            self._place += not is_factor
            left = (operator, left, self._expression(binding))

    def _value(self) -> Node:
        kind, text = self._peek()
        self._place += 1
        match kind:
            case "number":
                return ("n", float(text))
            case "euler":
                return ("call", "EXP", (("n", 1.0),))
            case "link" | "name":
                found = quantity(text.replace("(", "").replace(")", "")) if kind == "link" else plain_name(text)
                if found is None:
                    raise UnsupportedError
                part = _PART.match(text) if kind == "link" else None
                unit = self._units.get(found.partition("/∂")[2])
                if part and unit is None and found.startswith("∂E/"):
                    raise UnsupportedError
                if part and unit is not None and int(part[1]) != unit:
                    return ("n", 0.0)
                return ("q", found, 0)
            case "function":
                argument = self._value()
                if text == "exp":
                    return ("call", "EXP", (argument,))
                return ("/", ("n", 1.0), ("+", ("n", 1.0), ("call", "EXP", (("neg", argument),))))
            case "operator" if text == "-":
                return ("neg", self._expression(2))
            case "operator" if text == "+":
                return self._expression(2)
            case "operator" if text == "(":
                node = self._expression(0)
                if self._peek() != ("operator", ")"):
                    raise UnsupportedError
                self._place += 1
                return node
            case _:
                raise UnsupportedError
