"""Slips: the likely mistake behind a wrong formula, found by mending it or by spoiling the right one alike."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from xlbackprop.checker.file.formula import Node, leaves, parts, with_parts
from xlbackprop.checker.judgement.mending import LINKS, Search, same_as_another, values_of
from xlbackprop.checker.judgement.mutations import (
    spoiled_factors,
    without_brackets,
    without_terms,
)
from xlbackprop.checker.judgement.slip import ExhaustedError, Scene, Slip
from xlbackprop.checker.judgement.slip_words import exchanged, in_words, listed, sort_of
from xlbackprop.engine import Array
from xlbackprop.network import LEARNING_RATE


def name_formula_slip(scene: Scene, tree: Node, found: Array | None, right: Array, model: Node) -> Slip | None:
    """The slip in a wrong formula; None when none is found, or not with the tries there are.

    Args:
        scene: the worlds it is tried in.
        tree: the formula as it stands, helpers written out.
        found: its values; None when it has none.
        right: the values it should have.
        model: the right formula.
    """
    try:
        return _formula_slip(scene, tree, found, right, model)
    except ExhaustedError:
        return None


def _formula_slip(scene: Scene, tree: Node, found: Array | None, right: Array, model: Node) -> Slip | None:
    search = Search(scene, tree, right)
    return (
        _rounded_euler(scene, tree, right)
        or (search.one_leaf() if any(leaf[0] in {"blank", "odd"} for leaf in leaves(tree)) else None)
        or (same_as_another(scene, found) if found is not None else None)
        or search.one_leaf()
        or search.another_with_learning_rate()
        or search.brackets()
        or (_factor(scene, found, right) if found is not None else None)
        or search.operator()
        or (_factor_in(scene, model, found) if found is not None else None)
        or (_missing_term(scene, model, found) if found is not None else None)
        or search.product_for_difference()
        or search.twoleaves()
        or (_model_brackets(scene, model, found) if found is not None else None)
        or search.brackets_and_leaf()
        or (_two_in_model(scene, model, found) if found is not None else None)
        or search.one_leaf(any_quantity=True)
    )


def name_value_slip(scene: Scene, model: Node, found: Array, right: Array) -> Slip | None:
    """The slip behind numbers without formulas: the mistake which, made in the right formula, gives them."""
    try:
        return _value_slip(scene, model, found, right)
    except ExhaustedError:
        return None


def _value_slip(scene: Scene, model: Node, found: Array, right: Array) -> Slip | None:
    search = Search(scene, model, found)
    slip = same_as_another(scene, found) or search.one_leaf()
    if slip is not None and slip.wrong:
        return exchanged(scene, slip)
    return (
        slip
        or _factor(scene, found, right)
        or _factor_in(scene, model, found)
        or _missing_term(scene, model, found)
        or _model_brackets(scene, model, found)
        or search.operator(reverse=True)
    )


def _rounded_euler(scene: Scene, tree: Node, right: Array) -> Slip | None:
    """The number e typed with a few digits, as in 1/(1+2.718^-h1)."""
    for number in {leaf[1] for leaf in leaves(tree) if leaf[0] == "n" and 2.7 <= leaf[1] <= 2.72}:

        def exact(node: Node, number: float = number) -> Node:
            inner = parts(node)
            if node == ("n", number):
                return ("n", np.e)
            return with_parts(node, tuple(map(exact, inner))) if inner else node

        values = values_of(scene, exact(tree), scene.leaf)
        if values is not None and bool(scene.agree(values, right)):
            return Slip("rounded_constant", f"uses {number:.10g} for e, where EXP is exact", ("n", number))
    return None


def _factor(scene: Scene, found: Array, right: Array) -> Slip | None:
    """The whole formula multiplied or divided by something."""
    if bool(scene.agree(-found, right)):
        return Slip("sign", "has the wrong sign: it is the negative of what it should be")
    if bool(scene.agree(found * 2, right)):
        return Slip("extra_factor", "is half of what it should be: a factor ½ too much")
    if bool(scene.agree(found * 0.5, right)):
        return Slip("missing_factor", "is twice what it should be: the factor ½ is missing")
    for words, values in _factors(scene):
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


def _factor_in(scene: Scene, model: Node, found: Array) -> Slip | None:
    """A factor missing or doubled inside the formula: found by spoiling the right one."""
    for variant, factor, kind in spoiled_factors(model):
        values = values_of(scene, variant, scene.leaf)
        if values is not None and bool(scene.agree(values, found)):
            words = in_words(factor)
            if kind == "missing_factor":
                return Slip(kind, f"lacks the factor {words}" + (" in one term" if words != LEARNING_RATE else ""))
            return Slip(kind, f"has the factor {words} squared")
    return None


def _missing_term(scene: Scene, model: Node, found: Array) -> Slip | None:
    """A term left out of a sum: one output's part of a hidden gradient, or a bias."""
    for variant, term in without_terms(model):
        values = values_of(scene, variant, scene.leaf)
        if values is not None and bool(scene.agree(values, found)):
            names = [str(leaf[1]) for leaf in leaves(term) if leaf[0] == "q"]
            return Slip("missing_term", f"leaves out a term, the one with {listed(list(dict.fromkeys(names)))}")
    return None


def _model_brackets(scene: Scene, model: Node, found: Array) -> Slip | None:
    """Brackets lost from the right formula, whatever the order in which the sheet writes its factors."""
    for variant in without_brackets(model):
        values = values_of(scene, variant, scene.leaf)
        if values is not None and bool(scene.agree(values, found)):
            return Slip(
                "missing_brackets",
                "lacks a pair of brackets, so that a factor multiplies only one of the terms it should multiply",
            )
    return None


def _two_in_model(scene: Scene, model: Node, found: Array) -> Slip | None:
    """A factor missing and one quantity wrong: two slips at once."""
    for variant, factor, kind in list(spoiled_factors(model))[:24]:
        slip = Search(scene, variant, found).one_leaf() if kind == "missing_factor" else None
        if slip is not None and slip.wrong[:1] == ("q",) and sort_of(str(slip.wrong[1])) == sort_of(slip.meant):
            return Slip(kind, f"lacks the factor {in_words(factor)}, and it {exchanged(scene, slip).words}")
    return None
