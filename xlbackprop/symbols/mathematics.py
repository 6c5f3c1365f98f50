"""The reading as mathematics, with names or with numbers in their place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from xlbackprop.symbols.expression import Builtin, Call, Conditional, Expression, Symbol, children, substitute, symbols
from xlbackprop.symbols.reading import Binding, Reading


class Mathematics(Reading):
    """Mathematics as a textbook sets it: `(a_o1 − t1) · a_o1 · (1 − a_o1) · a_h1`."""

    plus, minus, times, over, negative = " + ", " − ", " · ", "/", "−"

    def symbol(self, symbol: Symbol) -> str:
        return symbol.label

    def number(self, value: float) -> str:
        if value == math.pi:
            return "π"
        return "½" if value == 0.5 else f"{value:g}".replace("-", "−")

    def power(self, base: str, exponent: int) -> str:
        held = f"({base})" if base.startswith("∂") else base  # else it could be read as a power of what is below
        return held + str(exponent).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))

    def product(self, factors: Sequence[Expression], texts: Sequence[str]) -> str:
        if texts[0] == "½" and texts[1].startswith("(") and not isinstance(factors[1], Symbol):
            return super().product(factors, [texts[0] + texts[1], *texts[2:]])
        return super().product(factors, texts)

    def exponential(self, exponent: Expression) -> str:
        return f"exp({self.read(exponent)})"

    def raised(self, base: str, exponent: Expression) -> tuple[str, Binding]:
        return f"{base}^{self._at_least(Binding.ATOM, exponent)}", Binding.POWER

    def apply(self, function: Builtin, arguments: tuple[str, ...]) -> str:
        listed = ", ".join(arguments)
        match function:
            case Builtin.SQUARE_ROOT:
                return f"√({listed})"
            case Builtin.ABSOLUTE:
                return f"|{listed}|"
            case Builtin.FLOOR:
                return f"⌊{listed}⌋"
            case _:
                return f"{function.value}({listed})"

    def conditional(self, condition: Conditional) -> tuple[str, Binding]:
        left, right, then, otherwise = map(self.read, children(condition))
        return f"{then} if {left} < {right}, else {otherwise}", Binding.NEGATIVE

    def entry(self, values: Expression, place: Expression) -> str:
        return f"{self.read(values)} of sample {self.read(place)}"


class WrittenOut(Mathematics):
    """Mathematics for a hand calculation: every named function is written out, `1/(1 + exp(−h1))` for `σ(h1)`."""

    def call(self, call: Call) -> tuple[str, Binding]:
        return self._text(call.body)


class Numbers(WrittenOut):
    """Mathematics with the numbers put in: `(0.6065 − 0.5) · 0.6065 · (1 − 0.6065) · 0.5069`."""

    def __init__(self, value: Callable[[Symbol], float]) -> None:
        """`value` gives the number that a quantity has."""
        self._value = value

    def symbol(self, symbol: Symbol) -> str:
        return short(self._value(symbol))


NUDGE = 1e-11
"""A number half way between two roundings may lie a hair below in one program: a larger hair takes it up in all."""

SMALLEST_WITH_DECIMALS, SMALLEST_WITHOUT = 0.001, 1e6


def short(value: float) -> str:
    """A number as one writes it in a hand calculation: four decimals, or four digits where they would vanish."""
    if value == 0:
        return "0"
    nudged = value * (1 + NUDGE)
    if SMALLEST_WITH_DECIMALS <= abs(value) < SMALLEST_WITHOUT:
        text = f"{nudged:.4f}".rstrip("0").rstrip(".")
    else:
        digits, _, exponent = f"{nudged:.3e}".partition("e")
        text = f"{digits}e{int(exponent)}"
    return text.replace("-", "−")


def bracketed(text: str) -> str:
    """The text of a number as it stands after an operator: a negative one takes brackets."""
    return f"({text})" if text.startswith("−") else text


class _MatrixMathematics(Mathematics):
    """Mathematics over whole matrices, which multiplies them cell by cell: `A ⊙ (1 − A)`."""

    def __init__(self, matrices: Iterable[str]) -> None:
        self._matrices = frozenset(matrices)

    def product(self, factors: Sequence[Expression], texts: Sequence[str]) -> str:
        """The text of a product: with ⊙ between matrices, with a dot beside a number."""
        are_matrices = [any(symbol.name in self._matrices for symbol in symbols(factor)) for factor in factors]
        if sum(are_matrices) < 2:
            return super().product(factors, texts)
        signs = [" ⊙ " if all(pair) else self.times for pair in pairwise(are_matrices)]
        return "".join(part for pair in zip(texts, (*signs, ""), strict=True) for part in pair)


def matrix_mathematics(expression: Expression, matrices: Mapping[str, str]) -> str:
    """What stands in one cell, told of whole matrices, given which matrix each of its symbols is a cell of."""
    whole = substitute(expression, lambda symbol: Symbol(matrices.get(symbol.name, symbol.name)))
    return _MatrixMathematics(matrices.values()).read(whole)
