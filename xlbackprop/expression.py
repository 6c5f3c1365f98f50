"""Symbolic expressions over quantities: the trees in which a definition is written down once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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

    def __rtruediv__(self, other: float) -> Expression:
        return Quotient(_expression(other), self)

    def __pow__(self, exponent: int) -> Expression:
        return Power(self, exponent)

    def __neg__(self) -> Expression:
        return Negation(self)


class Number(Expression, frozen=True):
    value: float


class Symbol(Expression, frozen=True):
    """A quantity, by name: in this iteration, or in the one before."""

    name: str
    previous: bool = False


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


def sum_of(terms: Iterator[Expression] | list[Expression]) -> Expression:
    """The sum of all `terms`; one term alone stays itself."""
    collected = tuple(terms)
    return collected[0] if len(collected) == 1 else Sum(collected)


def children(expression: Expression) -> tuple[Expression, ...]:
    """The direct parts of an expression, left to right."""
    match expression:
        case Sum(parts) | Product(parts):
            return parts
        case Difference(left, right) | Quotient(left, right):
            return (left, right)
        case Power(part, _) | Negation(part) | Exponential(part) | Call(_, part):
            return (part,)
        case _:
            return ()


def symbols(expression: Expression) -> Iterator[Symbol]:
    """Every symbol in an expression, left to right, repeated as often as it stands there."""
    if isinstance(expression, Symbol):
        yield expression
    for part in children(expression):
        yield from symbols(part)


def substitute(expression: Expression, replace: Callable[[Symbol], Expression]) -> Expression:
    """The expression with `replace(symbol)` in the place of every symbol; nested products and sums become one."""
    match expression:
        case Symbol():
            return replace(expression)
        case Sum(terms):
            parts = [substitute(term, replace) for term in terms]
            return Sum(tuple(inner for part in parts for inner in (part.terms if isinstance(part, Sum) else (part,))))
        case Product(factors):
            parts = [substitute(factor, replace) for factor in factors]
            return Product(
                tuple(inner for part in parts for inner in (part.factors if isinstance(part, Product) else (part,)))
            )
        case Difference(left, right):
            return Difference(substitute(left, replace), substitute(right, replace))
        case Quotient(numerator, denominator):
            return Quotient(substitute(numerator, replace), substitute(denominator, replace))
        case Power(base, exponent):
            return Power(substitute(base, replace), exponent)
        case Negation(operand):
            return Negation(substitute(operand, replace))
        case Exponential(exponent):
            return Exponential(substitute(exponent, replace))
        case Call(function, argument):
            return Call(function, substitute(argument, replace))
        case _:
            return expression


def _expression(value: Expression | float) -> Expression:
    return value if isinstance(value, Expression) else Number(value)
