"""Variants: the trees that one small slip makes of another: brackets, operators, factors and terms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xlbackprop.checker.file.formula import Node, parts, with_parts


def without_terms(node: Node) -> Iterator[tuple[Node, Node]]:
    """The tree with one term of one sum left out."""
    if node[0] == "+":
        yield node[1], node[2]
        yield node[2], node[1]
    inner = parts(node)
    for index, part in enumerate(inner):
        for variant, term in without_terms(part):
            yield with_parts(node, (*inner[:index], variant, *inner[index + 1 :])), term


def spoiled_factors(node: Node) -> Iterator[tuple[Node, Node, str]]:
    """The tree with one factor of one product left out, or doubled."""
    if node[0] in "*/":
        factors = factors_of(node)
        for index, (operator, factor) in enumerate(factors):
            rest = factors[:index] + factors[index + 1 :]
            if rest and (operator == "*"):
                yield _from_factors(rest), factor, "missing_factor"
            if factor[0] != "n":
                yield _from_factors([*factors, (operator, factor)]), factor, "extra_factor"
        for index, (operator, factor) in enumerate(factors):
            for variant, spoiled, kind in spoiled_factors(factor):
                yield _from_factors([*factors[:index], (operator, variant), *factors[index + 1 :]]), spoiled, kind
        return
    inner = parts(node)
    for index, part in enumerate(inner):
        for variant, spoiled, kind in spoiled_factors(part):
            yield with_parts(node, (*inner[:index], variant, *inner[index + 1 :])), spoiled, kind


def with_other_powers(node: Node) -> Iterator[tuple[Node, Node, bool]]:
    """The tree with one cell squared, or one square left out: what it is of, and whether it is squared now."""
    if node[0] == "slot":
        yield ("^", node, ("n", 2.0)), node, True
        return
    if node[0] == "^" and node[2] == ("n", 2.0):
        yield node[1], node[1], False
    inner = parts(node)
    for index, part in enumerate(inner):
        for variant, base, is_squared in with_other_powers(part):
            yield with_parts(node, (*inner[:index], variant, *inner[index + 1 :])), base, is_squared


def without_brackets(node: Node) -> Iterator[Node]:
    """The tree as it would be read if one pair of brackets round a sum were left out."""
    if node[0] in "*/":
        factors = factors_of(node)
        for index, (operator, factor) in enumerate(factors):
            if factor[0] in "+-" and operator == "*":
                left = [*factors[:index], ("*", factor[1])]
                right = [("*", factor[2]), *factors[index + 1 :]]
                yield (factor[0], _from_factors(left), _from_factors(right))
                rest = factors[:index] + factors[index + 1 :]
                yield (factor[0], factor[1], _from_factors([("*", factor[2]), *rest]))
                yield (factor[0], _from_factors([*rest, ("*", factor[1])]), factor[2])
    inner = parts(node)
    for index, part in enumerate(inner):
        for variant in without_brackets(part):
            yield with_parts(node, (*inner[:index], variant, *inner[index + 1 :]))


def bracketed(node: Node) -> Iterator[Node]:
    """The tree with one pair of brackets more round a sum in it."""
    if node[0] in {"+", "-"}:
        left, right = factors_of(node[1]), factors_of(node[2])
        for before in range(len(left)):
            for after in range(1, len(right) + 1):
                if before == 0 and after == len(right):
                    continue
                if before and left[before][0] == "/":
                    inner_left = _from_factors([("*", left[before][1]), *left[before + 1 :]])
                else:
                    inner_left = _from_factors(left[before:])
                bracket = (node[0], inner_left, _from_factors(right[:after]))
                operator = left[before][0] if before else "*"
                yield _from_factors([*left[:before], (operator, bracket), *right[after:]])
        operator, last = right[-1]
        if last[0] == "^" and len(right) == 1:
            for before in range(len(left)):
                bracket = (node[0], _from_factors(left[before:]), last[1])
                yield _from_factors([*left[:before], ("*", ("^", bracket, last[2]))])
    inner = parts(node)
    for index, part in enumerate(inner):
        for variant in bracketed(part):
            yield with_parts(node, (*inner[:index], variant, *inner[index + 1 :]))


def with_operators(node: Node) -> Iterator[tuple[Node, str, str]]:
    """The tree with one operator changed, or one sign."""
    inner = parts(node)
    if node[0] in {"+", "-", "*", "/"}:
        for other in "-+*/":
            if other != node[0]:
                yield (other, node[1], node[2]), node[0], other
        if node[0] == "-":
            yield ("-", node[2], node[1]), "neg", "-"
    if node[0] == "neg":
        yield node[1], "neg", "+"
    if node[0] == "call" and node[1] == "EXP":
        yield ("call", "EXP", (("neg", inner[0]),)), "+", "neg"
    for index, part in enumerate(inner):
        for variant, old, new in with_operators(part):
            yield with_parts(node, (*inner[:index], variant, *inner[index + 1 :])), old, new


def factors_of(node: Node) -> list[tuple[str, Node]]:
    """A product as its factors, each with the operator before it."""
    if node[0] in {"*", "/"}:
        left = factors_of(node[1])
        right = factors_of(node[2]) if node[0] == "*" else [("*", node[2])]
        return left + ([(node[0], node[2])] if node[0] == "/" else right)
    return [("*", node)]


def _from_factors(factors: Sequence[tuple[str, Node]]) -> Node:
    (first_operator, result), *others = factors
    if first_operator == "/":
        result = ("/", ("n", 1.0), result)
    for operator, factor in others:
        result = (operator, result, factor)
    return result
