"""What a slip is, and the scene in which it is looked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from xlbackprop.checker.file.formula import Node
from xlbackprop.engine import Array

Agreement = NDArray[np.bool_]
_NUMBERS_A_TRY = 500


class Slip(Struct, frozen=True):
    """A likely mistake: its kind, for programs, and its words, for people; what was meant where one leaf is wrong."""

    kind: str
    words: str
    wrong: Node = ()
    """The leaf that is wrong, when it is one."""
    meant: str = ""
    """The quantity that belongs in its place."""


class ExhaustedError(Exception):
    """A search has tried all that it may."""


class Tries:
    """What a search may still try: a count and no clock, so that a report is the same on every machine.

    One is a leaf of a formula, or a comparison, with some hundreds of numbers: about ten millionths of a second.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.spent = 0

    def spend(self, numbers: int) -> None:
        """Count one for some numbers, and more for many.

        Raises:
            ExhaustedError: that was too much.
        """
        self.spent += 1 + numbers // _NUMBERS_A_TRY
        if self.spent > self._most:
            raise ExhaustedError


class Scene(Struct, frozen=True):
    """Everything that a search for the slip needs to know."""

    label: str
    """What the sheet calls the quantity."""
    leaf: Callable[[Node], Array | float | None]
    candidates: Mapping[tuple[str, int], Array]
    """What may belong in a leaf's place: by label and distance, the likelier first."""
    shape: tuple[int, ...]
    close: Callable[[Array, Array], Agreement]
    """Whether two arrays agree, over the last axis."""
    tries: Tries

    def agree(self, one: Array, other: Array) -> Agreement:
        """The same, counted as a try."""
        self.tries.spend(one.size)
        return self.close(one, other)
