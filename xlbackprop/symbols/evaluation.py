"""The reading as a number, as a spreadsheet would calculate it."""

from __future__ import annotations

import math
from collections.abc import Callable

from xlbackprop.symbols import expression as nodes
from xlbackprop.symbols.expression import Builtin, Expression, Symbol
from xlbackprop.symbols.formula import LARGEST_POCKET_EXPONENT, as_written

ValueOf = Callable[[Symbol], float]


def evaluated(expression: Expression, value: ValueOf) -> float | None:
    """The number that `WrittenFormula` gives, or None where a spreadsheet would show an error."""
    try:
        result = calculated(expression, value)
    except (ArithmeticError, ValueError):
        return None
    return result if math.isfinite(result) else None


def calculated(expression: Expression, value: ValueOf) -> float:
    """The number of an expression.

    Raises:
        ArithmeticError, ValueError: a spreadsheet would show an error.
    """
    match expression:
        case Symbol():
            return value(expression)
        case nodes.Number(number):
            return number
        case nodes.Product(factors):
            return math.prod([calculated(factor, value) for factor in factors])
        case nodes.Sum(terms):
            return sum([calculated(term, value) for term in terms])
        case nodes.Difference(left, right):
            return calculated(left, value) - calculated(right, value)
        case nodes.Quotient(numerator, denominator):
            return calculated(numerator, value) / calculated(denominator, value)
        case nodes.Power(base, whole):
            return float(calculated(base, value) ** whole)
        case nodes.Negation(operand):
            return -calculated(operand, value)
        case nodes.Exponential(exponent):
            power = calculated(exponent, value)
            if power > LARGEST_POCKET_EXPONENT:
                raise OverflowError
            return math.exp(power)
        case nodes.Call():
            return calculated(expression.body, value)
        case nodes.Stable():
            return calculated(as_written(expression), value)
        case nodes.Conditional(left, right, then, otherwise):
            is_less = calculated(left, value) < calculated(right, value)
            return calculated(then if is_less else otherwise, value)
        case nodes.Raised(base, exponent):
            return math.pow(calculated(base, value), calculated(exponent, value))
        case nodes.Apply(function, arguments):
            return _FUNCTIONS[function](*[calculated(argument, value) for argument in arguments])
        case _:
            raise TypeError(f"no number for {type(expression).__name__}")


_FUNCTIONS: dict[Builtin, Callable[..., float]] = {
    Builtin.LOGARITHM: math.log,
    Builtin.SQUARE_ROOT: math.sqrt,
    Builtin.HYPERBOLIC_TANGENT: math.tanh,
    Builtin.COSINE: math.cos,
    Builtin.ABSOLUTE: abs,
    Builtin.FLOOR: math.floor,
    Builtin.MAXIMUM: lambda *numbers: max(numbers),
    Builtin.MINIMUM: lambda *numbers: min(numbers),
    Builtin.REMAINDER: lambda dividend, divisor: dividend % divisor,
}
