"""Slips: the likely mistake behind a wrong formula, found by mending it or by spoiling the right one alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from msgspec import Struct

from xlbackprop.checker.file.formula import Node, leaves, parts, with_parts
from xlbackprop.checker.judgement.mending import LINKS, Search, same_as_another, values_of
from xlbackprop.checker.judgement.mutations import spoiled_factors, without_brackets, without_terms
from xlbackprop.checker.judgement.slip import ExhaustedError, Scene, Slip
from xlbackprop.checker.judgement.slip_words import exchanged, in_words, listed, sort_of
from xlbackprop.engine import Array
from xlbackprop.network import ACTIVATIONS, LEARNING_RATE


class Case(Struct, frozen=True):
    """One wrong quantity, of which the slip is looked for."""

    scene: Scene
    tree: Node
    """The formula as it stands, helpers written out; of numbers without a formula the right one."""
    found: Array | None
    """Its values; None when it has none."""
    right: Array
    """The values it should have."""
    model: Node
    """The right formula."""
    search: Search
    """Changes the formula until its values are right; of numbers alone the right formula until it gives them."""


def name_formula_slip(scene: Scene, tree: Node, found: Array | None, right: Array, model: Node) -> Slip | None:
    """The slip in a wrong formula; None when none is found, or not with the tries there are.

    Args:
        scene: the worlds it is tried in.
        tree: the formula as it stands, helpers written out.
        found: its values; None when it has none.
        right: the values it should have.
        model: the right formula.
    """
    case = Case(scene, tree, found, right, model, Search(scene, tree, right))
    return _first(case, [slip.in_formula for slip in SLIPS if found is not None or not slip.needs_values])


def name_value_slip(scene: Scene, model: Node, found: Array, right: Array) -> Slip | None:
    """The slip behind numbers without formulas: the mistake which, made in the right formula, gives them."""
    case = Case(scene, model, found, right, model, Search(scene, model, found))
    return _first(case, [slip.in_values for slip in SLIPS])


def _first(case: Case, finders: Sequence[Find | None]) -> Slip | None:
    try:
        return next((slip for find in finders if find and (slip := find(case))), None)
    except ExhaustedError:
        return None


def _odd_leaf(case: Case) -> Slip | None:
    """A reference to an empty cell, or to one that is nothing of the training."""
    return case.search.one_leaf() if any(leaf[0] in {"blank", "odd"} for leaf in leaves(case.tree)) else None


def _same_as_another(case: Case) -> Slip | None:
    return None if case.found is None else same_as_another(case.scene, case.found)


def _another_leaf(case: Case) -> Slip | None:
    """In the right formula the quantities of a slip stand the other way round."""
    slip = case.search.one_leaf()
    if slip is None or not slip.wrong:
        return slip
    is_quantity = slip.wrong[0] == "q" and slip.wrong[1] != LEARNING_RATE
    return exchanged(case.scene, slip) if is_quantity else None  # by chance a weight is near another rate


def _rounded_euler(case: Case) -> Slip | None:
    """The number e typed with a few digits, as in 1/(1+2.718^-h1)."""
    for number in {leaf[1] for leaf in leaves(case.tree) if leaf[0] == "n" and 2.7 <= leaf[1] <= 2.72}:

        def exact(node: Node, number: float = number) -> Node:
            inner = parts(node)
            if node == ("n", number):
                return ("n", np.e)
            return with_parts(node, tuple(map(exact, inner))) if inner else node

        values = values_of(case.scene, exact(case.tree), case.scene.leaf)
        if values is not None and bool(case.scene.agree(values, case.right)):
            return Slip("rounded_constant", f"uses {number:.10g} for e, where EXP is exact", ("n", number))
    return None


def _other_derivative(case: Case) -> Slip | None:
    """The derivative of another activation function than that of the unit."""
    scene, found, right = case.scene, case.found, case.right
    assert found is not None
    for name, distance in scene.candidates:
        unit = re.fullmatch(r"∂a_(.*)/∂\1", name)
        if unit is None or distance:
            continue
        slope, sums = scene.candidates[name, 0], scene.candidates[unit[1], 0]
        for kind, activation in ACTIVATIONS.items():
            own = scene.candidates[f"a_{unit[1]}", 0]
            other = activation.derivative(sums, own)
            if scene.close(other, own):
                continue  # a factor of the right derivative, which is what people leave out
            if kind != "identity" and bool(scene.agree(found * slope, right * other)) and not scene.close(slope, other):
                words = f"uses the derivative of the {kind}" if kind == "sigmoid" else f"uses the derivative of {kind}"
                return Slip("other_derivative", f"{words} for {unit[1]}, whose activation is another one")
    return None


def _factor(case: Case) -> Slip | None:
    """The whole formula multiplied or divided by something."""
    scene, found, right = case.scene, case.found, case.right
    assert found is not None
    if bool(scene.agree(-found, right)):
        return Slip("sign", "has the wrong sign: it is the negative of what it should be")
    if bool(scene.agree(found * 2, right)):
        return Slip("extra_factor", "is half of what it should be: a factor ½ too much")
    if bool(scene.agree(found * 0.5, right)):
        return Slip("missing_factor", "is twice what it should be: the factor ½ is missing")
    for words, values in () if scene.label.startswith("a_") else _factors(scene):  # an activation is no product
        with np.errstate(all="ignore"):
            if bool(scene.agree(found * values, right)):
                return Slip("missing_factor", f"lacks the factor {words}")
            if bool(scene.agree(right * values, found)):
                return Slip("extra_factor", f"has the factor {words} once too often")
    return None


def _factors(scene: Scene) -> Iterator[tuple[str, Array]]:
    for (name, distance), values in scene.candidates.items():
        if sort_of(name) not in LINKS and (distance == 0 or name == LEARNING_RATE):
            yield name, values
            if re.fullmatch(r"a_[ho]\d(_\d)?", name):
                yield f"(1 − {name})", 1 - values
                yield f"{name} · (1 − {name})", values * (1 - values)
    for (name, _), values in scene.candidates.items():
        target = scene.candidates.get(("t" + name[3:], 0)) if re.fullmatch(r"a_o\d", name) else None
        if target is not None:
            yield f"({name} − t{name[3:]})", values - target


def _gives(case: Case, variant: Node) -> bool:
    """Whether a changed right formula has the values that were found."""
    values = values_of(case.scene, variant, case.scene.leaf)
    return values is not None and case.found is not None and bool(case.scene.agree(values, case.found))


def _factor_in(case: Case) -> Slip | None:
    """A factor missing or doubled inside the formula: found by spoiling the right one."""
    for variant, factor, kind in spoiled_factors(case.model):
        if _gives(case, variant):
            words = in_words(factor)
            if kind == "missing_factor":
                return Slip(kind, f"lacks the factor {words}" + (" in one term" if words != LEARNING_RATE else ""))
            return Slip(kind, f"has the factor {words} squared")
    return None


def _missing_term(case: Case) -> Slip | None:
    """A term left out of a sum: one output's part of a hidden gradient, or a bias."""
    for variant, term in without_terms(case.model):
        if _gives(case, variant):
            names = [str(leaf[1]) for leaf in leaves(term) if leaf[0] == "q"]
            return Slip("missing_term", f"leaves out a term, the one with {listed(list(dict.fromkeys(names)))}")
    return None


def _model_brackets(case: Case) -> Slip | None:
    """Brackets lost from the right formula, whatever the order in which the sheet writes its factors."""
    for variant in without_brackets(case.model):
        if _gives(case, variant):
            return Slip(
                "missing_brackets",
                "lacks a pair of brackets, so that a factor multiplies only one of the terms it should multiply",
            )
    return None


def _two_in_model(case: Case) -> Slip | None:
    """A factor missing and one quantity wrong: two slips at once."""
    scene, found = case.scene, case.found
    assert found is not None
    for variant, factor, kind in list(spoiled_factors(case.model))[:24]:
        slip = Search(scene, variant, found).one_leaf() if kind == "missing_factor" else None
        if slip is not None and slip.wrong[:1] == ("q",) and sort_of(str(slip.wrong[1])) == sort_of(slip.meant):
            return Slip(kind, f"lacks the factor {in_words(factor)}, and it {exchanged(scene, slip).words}")
    return None


Find = Callable[[Case], Slip | None]


class Likely(Struct, frozen=True):
    """One kind of slip: how it is found in a formula, and in numbers where these show it."""

    in_formula: Find | None
    in_values: Find | None = None
    needs_values: bool = False
    """Whether the formula has to have values."""


SLIPS = (
    Likely(_rounded_euler),
    Likely(_odd_leaf),
    Likely(_same_as_another, _same_as_another),
    Likely(lambda case: case.search.one_leaf(), _another_leaf),
    Likely(lambda case: case.search.another_with_learning_rate()),
    Likely(lambda case: case.search.brackets()),
    Likely(_other_derivative, needs_values=True),
    Likely(_factor, _factor, needs_values=True),
    Likely(lambda case: case.search.operator()),
    Likely(_factor_in, _factor_in, needs_values=True),
    Likely(_missing_term, _missing_term, needs_values=True),
    Likely(lambda case: case.search.product_for_difference()),
    Likely(lambda case: case.search.two_leaves()),
    Likely(_model_brackets, _model_brackets, needs_values=True),
    Likely(None, lambda case: case.search.operator(reverse=True)),
    Likely(lambda case: case.search.brackets_and_leaf()),
    Likely(_two_in_model, needs_values=True),
    Likely(lambda case: case.search.one_leaf(any_quantity=True)),
)
"""All that have a name, the likelier the earlier."""
