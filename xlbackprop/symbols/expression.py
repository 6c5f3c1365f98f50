"""Symbolic expressions over quantities: the trees in which a definition is written down once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from operator import attrgetter
from typing import Any

from msgspec import Struct


class Expression(Struct, frozen=True):
    """A formula over quantities, written with Python's own operators: `a * (1 - a)`."""

    def __add__(self, other: Expression | float) -> Expression:
        return Sum((self, _expression(other)))

    def __radd__(self, other: float) -> Expression:
        return Sum((_expression(other), self))

    def __sub__(self, other: Expression | float) -> Expression:
        return Difference(self, _expression(other))

    def __rsub__(self, other: float) -> Expression:
        return Difference(_expression(other), self)

    def __mul__(self, other: Expression | float) -> Expression:
        return Product((self, _expression(other)))

    def __rmul__(self, other: float) -> Expression:
        return Product((_expression(other), self))

    def __truediv__(self, other: Expression | float) -> Expression:
        return Quotient(self, _expression(other))

    def __rtruediv__(self, other: float) -> Expression:
        return Quotient(_expression(other), self)

    def __pow__(self, exponent: int) -> Expression:
        return Power(self, exponent)

    def __neg__(self) -> Expression:
        return Negation(self)


class Number(Expression, frozen=True):
    value: float


class Symbol(Expression, frozen=True):
    """A quantity, by name."""

    name: str

    @property
    def label(self) -> str:
        """How the quantity is called where the symbol stands."""
        return self.name


class Old(Symbol, frozen=True):
    """A quantity as it was in the iteration before; 0 before the first."""

    @property
    def label(self) -> str:
        return f"old {self.name}"


class Listed(Symbol, frozen=True):
    """All values that a quantity takes, in the order of the samples on the data sheet."""


class Sum(Expression, frozen=True):
    terms: tuple[Expression, ...]


class Difference(Expression, frozen=True):
    left: Expression
    right: Expression


class Product(Expression, frozen=True):
    factors: tuple[Expression, ...]


class Quotient(Expression, frozen=True):
    numerator: Expression
    denominator: Expression


class Power(Expression, frozen=True):
    base: Expression
    exponent: int


class Negation(Expression, frozen=True):
    operand: Expression


class Exponential(Expression, frozen=True):
    """exp(exponent)."""

    exponent: Expression


class Raised(Expression, frozen=True):
    """A power whose exponent is an expression of its own."""

    base: Expression
    exponent: Expression


class Builtin(Enum):
    """A function that mathematics and spreadsheets both know by name."""

    LOGARITHM = "ln"
    SQUARE_ROOT = "sqrt"
    HYPERBOLIC_TANGENT = "tanh"
    COSINE = "cos"
    ABSOLUTE = "abs"
    FLOOR = "floor"
    MAXIMUM = "max"
    MINIMUM = "min"
    REMAINDER = "mod"


class Apply(Expression, frozen=True):
    """The value of a built-in function."""

    function: Builtin
    arguments: tuple[Expression, ...]


class Conditional(Expression, frozen=True):
    """`then` where left < right, and `otherwise` elsewhere."""

    left: Expression
    right: Expression
    then: Expression
    otherwise: Expression
    until: str = ""
    """What has not happened yet where left < right, in words that readers are told instead of the comparison."""


class Entry(Expression, frozen=True):
    """One of the values in a list, by its place counted from 1."""

    values: Expression
    place: Expression


class Stable(Expression, frozen=True):
    """One value told twice: as a reader writes it, and as it is computed where that would overflow."""

    written: Expression
    computed: Expression


class Limited(Stable, frozen=True):
    """A value that a reader writes as if it had no limit: beyond that the two tell two different numbers."""


class Function(Struct, frozen=True):
    """A function of one variable with a symbol of its own, such as σ, and what it stands for."""

    symbol: str
    body: Callable[[Expression], Expression]


class Call(Expression, frozen=True):
    function: Function
    argument: Expression

    @property
    def body(self) -> Expression:
        """The call written out: σ(h1) as 1/(1 + exp(−h1))."""
        return self.function.body(self.argument)


def apply(function: Builtin, *arguments: Expression | float) -> Expression:
    """The value of a built-in function for some arguments."""
    return Apply(function, tuple(map(_expression, arguments)))


def conditional(
    left: Expression | float,
    right: Expression | float,
    then: Expression | float,
    otherwise: Expression | float,
    until: str = "",
) -> Expression:
    """`then` where left < right, and `otherwise` elsewhere; see `Conditional`."""
    return Conditional(_expression(left), _expression(right), _expression(then), _expression(otherwise), until)


def sum_of(terms: Iterable[Expression]) -> Expression:
    """The sum of all `terms`; one term alone stays itself."""
    collected = tuple(terms)
    return collected[0] if len(collected) == 1 else Sum(collected)


_PARTS: dict[type[Expression], Callable[[Any], tuple[Expression, ...]]] = {
    Sum: attrgetter("terms"),
    Product: attrgetter("factors"),
    Apply: attrgetter("arguments"),
    Difference: attrgetter("left", "right"),
    Quotient: attrgetter("numerator", "denominator"),
    Raised: attrgetter("base", "exponent"),
    Entry: attrgetter("values", "place"),
    Stable: attrgetter("written", "computed"),
    Limited: attrgetter("written", "computed"),
    Conditional: attrgetter("left", "right", "then", "otherwise"),
    Power: lambda power: (power.base,),
    Negation: lambda negation: (negation.operand,),
    Exponential: lambda exponential: (exponential.exponent,),
    Call: lambda call: (call.argument,),
}


def children(expression: Expression) -> tuple[Expression, ...]:
    """The direct parts of an expression, left to right; none of a symbol or a number."""
    parts = _PARTS.get(type(expression))
    return parts(expression) if parts else ()


def symbols(expression: Expression) -> Iterator[Symbol]:
    """Every symbol in an expression, left to right, repeated as often as it stands there."""
    ahead = [expression]
    while ahead:
        each = ahead.pop()
        if isinstance(each, Symbol):
            yield each
        else:
            ahead.extend(reversed(children(each)))


def factors_of(expression: Expression) -> tuple[Symbol, ...]:
    """The symbols that an expression is a multiple of: where one of them is 0, so is all of it."""
    match expression:
        case Symbol():
            return (expression,)
        case Negation(operand):
            return factors_of(operand)
        case Product(factors):
            return tuple(symbol for factor in factors for symbol in factors_of(factor))
        case _:
            return ()


def is_transcendental(expression: Expression) -> bool:
    """Whether decimals put into an expression give a number that no decimal is, so that every printed one is rounded.

    For 0 in an exponential and 1 under a logarithm it is one; that is no reason to look at numbers here.
    """
    match expression:
        case Exponential() | Raised() | Apply(Builtin.LOGARITHM | Builtin.HYPERBOLIC_TANGENT | Builtin.COSINE, _):
            return True
        case Call():
            return is_transcendental(expression.body)
        case _:
            return any(map(is_transcendental, children(expression)))


def rebuilt(expression: Expression, parts: Sequence[Expression]) -> Expression:
    """The same kind of expression of other direct parts, in the order of `children`."""
    match expression:
        case Symbol() | Number():
            return expression
        case Sum() | Product():
            return type(expression)(tuple(parts))
        case Apply(function, _):
            return Apply(function, tuple(parts))
        case Call(named, _):
            return Call(named, *parts)
        case Power(_, exponent):
            return Power(parts[0], exponent)
        case Conditional(until=until):
            left, right, then, otherwise = parts
            return Conditional(left, right, then, otherwise, until)
        case _:
            return type(expression)(*parts)


def substitute(expression: Expression, replace: Callable[[Symbol], Expression]) -> Expression:
    """The expression with `replace(symbol)` in the place of every symbol.

    Nested products and sums become one, and factors of 1 go.
    """
    if isinstance(expression, Symbol):
        return replace(expression)
    if isinstance(expression, Number):
        return expression
    parts = [substitute(part, replace) for part in children(expression)]
    match expression:
        case Sum():
            return Sum(tuple(inner for part in parts for inner in (part.terms if isinstance(part, Sum) else (part,))))
        case Product():
            inner = [each for part in parts for each in (part.factors if isinstance(part, Product) else (part,))]
            kept = tuple(factor for factor in inner if factor != _ONE)
            return Product(kept) if len(kept) > 1 else (kept or (_ONE,))[0]
        case _:
            return rebuilt(expression, parts)


def at_the_start(expression: Expression) -> Expression:
    """The expression in the first iteration, before which everything that is carried is 0."""
    return without_zeros(substitute(expression, lambda symbol: _ZERO if isinstance(symbol, Old) else symbol))


def abridged(expression: Expression, most: int) -> Expression:
    """The expression with no more than `most` terms in a sum, or arguments of a function, and … for those between."""
    parts = children(expression)
    if isinstance(expression, Sum | Apply) and len(parts) > most:
        parts = (*parts[: most - 1], _AND_SO_ON, parts[-1])
    return rebuilt(expression, [abridged(part, most) for part in parts])


def without_zeros(expression: Expression) -> Expression:
    """The expression without the terms of a sum, and without the products, that the number 0 makes vanish."""
    match expression:
        case Product(factors):
            parts = tuple(map(without_zeros, factors))
            return _ZERO if _ZERO in parts else Product(parts)
        case Sum(terms):
            left = [part for term in terms if (part := without_zeros(term)) != _ZERO]
            return sum_of(left) if left else _ZERO
        case Quotient(numerator, denominator):
            top = without_zeros(numerator)
            return _ZERO if top == _ZERO else Quotient(top, denominator)
        case Conditional(left, right, then, otherwise, until):
            return Conditional(left, right, without_zeros(then), without_zeros(otherwise), until)
        case _:
            return expression


_ZERO, _ONE = Number(0.0), Number(1.0)
_AND_SO_ON = Symbol("…")


def _expression(value: Expression | float) -> Expression:
    return value if isinstance(value, Expression) else Number(value)
