"""The readings of an expression as LaTeX: mathematics, and mathematics with the numbers put in."""

from __future__ import annotations

import math
from collections.abc import Callable

from xlbackprop.symbols.expression import Builtin, Call, Conditional, Expression, Old, Quotient, Symbol, children
from xlbackprop.symbols.mathematics import short
from xlbackprop.symbols.reading import Binding, Reading
from xlbackprop.symbols.typesetting import parts

_LETTERS = {
    "η": r"\eta",
    "σ": r"\sigma",
    "μ": r"\mu",
    "ρ": r"\rho",
    "β": r"\beta",
    "ε": r"\varepsilon",
    "λ": r"\lambda",
    "γ": r"\gamma",
    "Ē": r"\bar{E}",
}


class Latex(Reading):
    r"""Mathematics in LaTeX: `(a_{o_{1}} - t_{1}) \cdot a_{o_{1}} \cdot (1 - a_{o_{1}}) \cdot a_{h_{1}}`."""

    plus, minus, times, over, negative = " + ", " - ", r" \cdot ", "/", "-"

    def symbol(self, symbol: Symbol) -> str:
        name = latex_name(symbol.name)
        return f"{{{name}}}^{{\\text{{old}}}}" if isinstance(symbol, Old) else name

    def number(self, value: float) -> str:
        if value == math.pi:
            return r"\pi"
        return r"\tfrac{1}{2}" if value == 0.5 else f"{value:.10g}"

    def power(self, base: str, exponent: int) -> str:
        return f"{base}^{{{exponent}}}"

    def exponential(self, exponent: Expression) -> str:
        return f"e^{{{self.read(exponent)}}}"

    def raised(self, base: str, exponent: Expression) -> tuple[str, Binding]:
        return f"{base}^{{{self.read(exponent)}}}", Binding.POWER

    def apply(self, function: Builtin, arguments: tuple[str, ...]) -> str:
        listed = ", ".join(arguments)
        match function:
            case Builtin.SQUARE_ROOT:
                return f"\\sqrt{{{listed}}}"
            case Builtin.ABSOLUTE:
                return f"|{listed}|"
            case Builtin.FLOOR:
                return f"\\lfloor {listed} \\rfloor"
            case Builtin.REMAINDER:
                return f"\\operatorname{{mod}}({listed})"
            case _:
                return f"\\{function.value}({listed})"

    def conditional(self, condition: Conditional) -> tuple[str, Binding]:
        left, right, then, otherwise = map(self.read, children(condition))
        when = f"\\text{{until {condition.until}}}" if condition.until else f"\\text{{if }} {left} < {right}"
        cases = f"{then} & {when} \\\\ {otherwise} & \\text{{else}}"
        return f"\\begin{{cases}} {cases} \\end{{cases}}", Binding.ATOM

    def entry(self, values: Expression, place: Expression) -> str:
        return f"{self.read(values)}[{self.read(place)}]"

    def call(self, call: Call) -> tuple[str, Binding]:
        symbol = call.function.symbol
        name = _LETTERS.get(symbol, f"\\operatorname{{{symbol}}}")
        return f"{name}({self.read(call.argument)})", Binding.ATOM

    def _text(self, expression: Expression) -> tuple[str, Binding]:
        match expression:
            case Quotient(numerator, denominator):
                return f"\\frac{{{self.read(numerator)}}}{{{self.read(denominator)}}}", Binding.PRODUCT
            case _:
                return super()._text(expression)


class LatexNumbers(Latex):
    """The same with the numbers put in and every named function written out."""

    def __init__(self, value: Callable[[Symbol], float]) -> None:
        """`value` gives the number that a quantity has."""
        self._value = value

    def symbol(self, symbol: Symbol) -> str:
        return latex_number(short(self._value(symbol)))

    def call(self, call: Call) -> tuple[str, Binding]:
        return self._text(call.body)


def latex_name(name: str) -> str:
    r"""A quantity's name: `a_h1` as `a_{h_{1}}`, `∂E/∂w5` as `\frac{\partial E}{\partial w_{5}}`."""
    numerator, _, denominator = name.partition("/")
    if denominator:
        of, by = (latex_name(part.removeprefix("∂")) for part in (numerator, denominator))
        return f"\\frac{{\\partial {of}}}{{\\partial {by}}}"
    base, subscript = parts(name)
    letter = _LETTERS.get(base, base if len(base) == 1 else f"\\text{{{base}}}")
    return f"{letter}_{{{latex_name(subscript)}}}" if subscript and subscript != name else letter


def latex_number(text: str) -> str:
    """A number as `short` writes it, with its power of ten raised."""
    digits, _, exponent = text.replace("−", "-").partition("E")
    return f"{digits} \\cdot 10^{{{int(exponent)}}}" if exponent else digits
