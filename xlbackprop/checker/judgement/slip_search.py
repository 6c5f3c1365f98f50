"""Naming: the search for the slip in one formula, done once for all cells and sheets that share it."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from msgspec import Struct

from xlbackprop.checker.file.formula import Node, value_of
from xlbackprop.checker.judgement.slip import Agreement, Scene, Slip, Tries
from xlbackprop.checker.judgement.slips import name_formula_slip
from xlbackprop.checker.worlds import CLOSENESS, WORLDS, Shape, world
from xlbackprop.engine import Array
from xlbackprop.network import LEARNING_RATE

NEGATIVE = "−"
"""Stands before the name of a quantity whose negative a helper holds."""

_THOROUGH = 60_000
_QUICK = 3_000
_FILE = 240_000


class ReadingContext(Struct, frozen=True):
    """The worlds and the numbering that a formula is read in."""

    shape: Shape
    literals: tuple[tuple[str, float], ...]
    changing_samples: bool
    numbering: tuple[tuple[str, str], ...]


class Budget:
    """The tries for all that is wrong in one file: first thorough searches, then quick ones, then none."""

    def __init__(self) -> None:
        self._left = _FILE

    @property
    def most(self) -> int:
        """How much the next search may try."""
        if self._left > _THOROUGH:
            return _THOROUGH
        return _QUICK if self._left > 0 else 0

    def spend(self, tries: int) -> None:
        """Count what a search has tried."""
        self._left -= tries

    def name_slip(self, setting: ReadingContext, name: str, tree: Node, model: Node) -> Slip:
        """The slip in a wrong formula.

        Args:
            setting: how to read it.
            name: what the sheet calls the quantity that the formula should give.
            tree: the formula as it stands, over the sheet's names; an unknown cell is `("x", position, number)`.
            model: the right formula.
        """
        most = self.most
        slip, spent = _named(setting, name, tree, model, most) if most else (None, 0)
        self.spend(spent)
        return slip or Slip("wrong_formula", "does not give what it should")


@lru_cache(maxsize=512)
def _named(setting: ReadingContext, name: str, tree: Node, model: Node, most: int) -> tuple[Slip | None, int]:
    """The slip in a wrong formula, and how much was tried; what is known from another table counts as tried again.

    Args:
        setting: how to read it.
        name: what the sheet calls the quantity that the formula should give.
        tree: the formula as it stands, over the sheet's names; an unknown cell is `("x", position, number)`.
        model: the right formula.
        most: how much may be tried.
    """
    there = world(setting.shape, setting.literals, setting.changing_samples)
    own_of = dict(setting.numbering)
    label_of = {own: label for label, own in setting.numbering}
    plain = name.removeprefix(NEGATIVE)
    right = there.value(own_of.get(plain, plain), 0)
    if right is None:
        raise ValueError(f"{name} is no quantity of this network")
    if name.startswith(NEGATIVE):
        right = -right
    candidates: dict[tuple[str, int], Array] = {}
    order = sorted(there.values[0], key=lambda own: bool(re.fullmatch(r"∂.*/∂(?![wb]).*|∂[^E].*", own)))
    order = [own for own in order if "/∂" not in own or np.ptp(there.values[0][own])]  # of a linear unit it is 1
    candidates[LEARNING_RATE, 0] = there.values[0][LEARNING_RATE]
    if re.fullmatch(r"[wb]\d+", plain):
        candidates.update({(label_of.get(own, own), -1): there.values[-1][own] for own in order})
    candidates.update({(label_of.get(own, own), 0): there.values[0][own] for own in order if own != LEARNING_RATE})

    def leaf(node: Node) -> Array | float | None:
        match node:
            case ("q", str(label), distance):
                return there.value(own_of.get(label) or label, distance)
            case ("blank", _):
                return 0.0
            case ("x", _, number):
                return float(number)
            case _:
                return None

    def near(one: Array, other: Array) -> Agreement:
        return np.asarray((np.abs(one - other) <= CLOSENESS * np.abs(other) + 1e-13).all(axis=-1))

    tries = Tries(most)
    scene = Scene(plain, leaf, candidates, (WORLDS,), near, tries)
    found = value_of(tree, leaf, (WORLDS,))
    return name_formula_slip(scene, tree, found, right, model), tries.spent
