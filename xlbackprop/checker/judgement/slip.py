"""What a slip is, and the scene in which it is looked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from xlbackprop.checker.file.formula import Node
from xlbackprop.engine import Array

Agreement = NDArray[np.bool_]


class Slip(Struct, frozen=True):
    """A likely mistake: its kind, for programs, and its words, for people; what was meant where one leaf is wrong."""

    kind: str
    words: str
    wrong: Node = ()
    """The leaf that is wrong, when it is one."""
    meant: str = ""
    """The quantity that belongs in its place."""


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
