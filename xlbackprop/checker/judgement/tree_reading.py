"""Models: the expressions of the derivation as trees like those of formulas."""

from __future__ import annotations

from collections.abc import Callable

from xlbackprop.checker.file.formula import Node
from xlbackprop.symbols import (
    FUNCTIONS,
    Apply,
    Call,
    Conditional,
    Difference,
    Exponential,
    Expression,
    Negation,
    Number,
    Power,
    Product,
    Quotient,
    Stable,
    Sum,
    Symbol,
)


def to_tree(expression: Expression, leaf: Callable[[Symbol], Node]) -> Node:
    """A derivation's expression as a tree."""
    match expression:
        case Symbol():
            return leaf(expression)
        case Number(value):
            return ("n", value)
        case Sum(terms):
            return _chain("+", [to_tree(term, leaf) for term in terms])
        case Product(factors):
            return _chain("*", [to_tree(factor, leaf) for factor in factors])
        case Difference(left, right):
            return ("-", to_tree(left, leaf), to_tree(right, leaf))
        case Quotient(numerator, denominator):
            return ("/", to_tree(numerator, leaf), to_tree(denominator, leaf))
        case Power(base, exponent):
            return ("^", to_tree(base, leaf), ("n", float(exponent)))
        case Negation(operand):
            return ("neg", to_tree(operand, leaf))
        case Exponential(exponent_):
            return ("call", "EXP", (to_tree(exponent_, leaf),))
        case Call():
            return to_tree(expression.body, leaf)
        case Apply(function, arguments):
            return ("call", FUNCTIONS[function], tuple(to_tree(argument, leaf) for argument in arguments))
        case Conditional(left, right, then, otherwise):
            condition = ("<", to_tree(left, leaf), to_tree(right, leaf))
            return ("call", "IF", (condition, to_tree(then, leaf), to_tree(otherwise, leaf)))
        case Stable(_, computed):
            return to_tree(computed, leaf)
        case _:
            raise TypeError(f"no tree for {type(expression).__name__}")


def _chain(operator: str, nodes: list[Node]) -> Node:
    result = nodes[0]
    for node in nodes[1:]:
        result = (operator, result, node)
    return result
