"""The reading as mathematics, with names or with numbers in their place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from xlbackprop.symbols.evaluation import evaluated
from xlbackprop.symbols.expression import (
    Builtin,
    Call,
    Conditional,
    Expression,
    Symbol,
    children,
    factors_of,
    is_transcendental,
    substitute,
    symbols,
)
from xlbackprop.symbols.reading import Binding, Reading


class Mathematics(Reading):
    """Mathematics as a textbook sets it: `(a_o1 − t1) · a_o1 · (1 − a_o1) · a_h1`."""

    plus, minus, times, over, negative = " + ", " − ", " · ", "/", "−"

    def symbol(self, symbol: Symbol) -> str:
        return symbol.label

    def number(self, value: float) -> str:
        if value == math.pi:
            return "π"
        return "½" if value == 0.5 else f"{value:.10g}".replace("-", "−")

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
        if condition.until:
            return f"{otherwise} once {condition.until}, until then {then}", Binding.NEGATIVE
        return f"{then} if {left} < {right}, else {otherwise}", Binding.NEGATIVE

    def entry(self, values: Expression, place: Expression) -> str:
        return f"{self.read(values)} of sample {self.read(place)}"


class WrittenOut(Mathematics):
    """Mathematics for a hand calculation: every named function is written out, `1/(1 + exp(−h1))` for `σ(h1)`."""

    def call(self, call: Call) -> tuple[str, Binding]:
        return self._text(call.body)


class Numbers(WrittenOut):
    """Mathematics with the numbers put in: `(0.60648 − 0.5) · 0.60648 · (1 − 0.60648) · 0.50687`."""

    def __init__(self, value: Callable[[Symbol], float]) -> None:
        """`value` gives the number that a quantity has."""
        self._value = value

    def symbol(self, symbol: Symbol) -> str:
        return short(self._value(symbol))

    def conditional(self, condition: Conditional) -> tuple[str, Binding]:
        if not condition.until:
            return super().conditional(condition)
        left, right = (evaluated(side, self._value) for side in (condition.left, condition.right))
        is_before = left is not None and right is not None and left < right
        return self._text(condition.then if is_before else condition.otherwise)

    def result(self, expression: Expression, value: float) -> str:
        """What a pocket calculator makes of the text of an expression, as far as that is its value: ` ≈ 0.012881`."""
        rough = evaluated(expression, lambda symbol: rounded(self._value(symbol)).value)
        is_nothing = any(self._value(symbol) == 0 for symbol in factors_of(expression))
        return result(value, rough, is_exact=is_nothing or not is_transcendental(expression))


DIGITS = 5
"""Significant digits of a number put in."""

NUDGE = 1e-11
"""A number half way between two roundings may lie a hair below in one program: a larger hair takes it up in all."""

SMALLEST_POWER, LARGEST_POWER = -4, 5
"""The powers of ten of numbers that are written without one."""

SMALLEST = -300
"""The power of ten of 0, and of what is so small that programs lose it at different places: it counts as 0."""


class Rounded(Struct, frozen=True):
    """A number of few digits, as mantissa · 10^exponent with 1 ≤ |mantissa| < 10; 0 has the mantissa 0."""

    mantissa: float
    exponent: int

    @property
    def value(self) -> float:
        return self.mantissa * 10.0**self.exponent

    @property
    def text(self) -> str:
        """The number in decimals, or with E where it is very large or small, as a spreadsheet shows it."""
        if self.mantissa == 0:
            return "0"
        written = repr(abs(self.mantissa)).removesuffix(".0")
        decimals = len(written.partition(".")[2])
        sign = "−" if self.mantissa < 0 else ""
        if SMALLEST_POWER <= self.exponent <= LARGEST_POWER:
            return f"{sign}{abs(self.value):.{max(0, decimals - self.exponent)}f}"
        return f"{sign}{written}E{self.exponent:+03d}"


def rounded(value: float, digits: int = DIGITS) -> Rounded:
    """A number rounded to so many significant digits."""
    if abs(value) < 10.0 ** (SMALLEST + 1):
        return Rounded(0.0, SMALLEST)
    mantissa, _, exponent = f"{value * (1 + NUDGE):.{digits - 1}e}".partition("e")
    return Rounded(float(mantissa), int(exponent))


def short(value: float, digits: int = DIGITS) -> str:
    """A number as one writes it in a hand calculation."""
    return rounded(value, digits).text


FEW_DECIMALS, LEAST_DIGITS = 4, 3
"""How many decimals a number has in a picture, and how many digits it keeps however small it is."""


def few_decimals(value: float) -> float:
    """A number as a picture has room for it, never rounded to 0 unless it counts as that."""
    number = rounded(value)
    if number.mantissa == 0:
        return 0.0
    return round(value * (1 + NUDGE), max(FEW_DECIMALS, LEAST_DIGITS - 1 - number.exponent))


def held(value: float, rough: float | None) -> Rounded | None:
    """As many digits of a result as a calculation with rounded numbers gives too; None where it gives none of them.

    Args:
        rough: what the calculation with rounded numbers comes to; None for an error.
    """
    exponent = rounded(value).exponent
    if rough is None or abs(rough) >= 10.0 ** (exponent + 2):
        return None
    if exponent == SMALLEST:
        return Rounded(0.0, SMALLEST)
    for digits in range(DIGITS, 0, -1):
        ours, theirs = (_rounded_at(number, exponent, digits) for number in (value, rough))
        if abs(ours - theirs) < _SAME:
            return Rounded(ours, exponent)
    return None


_SAME = 1e-9
"""Two rounded mantissas that are no further apart than this are the same."""

EXACT_WITHIN = 1e-12
"""A mantissa that is no further from a rounded one than this differs from it by roundings of the program alone."""


def _rounded_at(value: float, exponent: int, digits: int) -> float:
    return round(value * (1 + NUDGE) / 10.0**exponent, digits - 1) + 0.0


NO_RESULT = " (an error on a pocket calculator)"


def result(value: float, rough: float | None, *, is_exact: bool = True) -> str:
    """What stands behind a calculation with rounded numbers: ` = 0.0275`, ` ≈ 0.4325`, nothing, or why nothing.

    Args:
        is_exact: whether what is calculated may be a decimal; see `is_transcendental`.
    """
    if rough is None:
        return NO_RESULT
    known = held(value, rough)
    if known is None:
        return ""
    is_exact &= all(abs(known.mantissa - number / 10.0**known.exponent) <= EXACT_WITHIN for number in (value, rough))
    return (" = " if is_exact else " ≈ ") + known.text


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
