"""xlbackprop: spreadsheets that show, with live formulas, how a neural network learns.


definition = load("classic", learning_rate=0.5)
trace = train(definition)
trace["∂E/∂w5"][0]
build(definition, "classic.xlsx")
"""

from __future__ import annotations

import os
import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    del sys.path[0]  # `python -m xlbackprop`: the current folder holds the reader's files, not modules of ours

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xlbackprop.engine.trace import Trace
    from xlbackprop.engine.training import train
    from xlbackprop.errors import UserError
    from xlbackprop.network.definition import Definition
    from xlbackprop.network.loading import load
    from xlbackprop.workbook.build import build

__all__ = ["Definition", "Trace", "UserError", "build", "load", "train"]

# openpyxl would use lxml where that is installed, which spells the same XML in other bytes and takes longer to load
os.environ.setdefault("OPENPYXL_LXML", "False")

_HOMES = {
    "Definition": "network.definition",
    "Trace": "engine.training",
    "UserError": "errors",
    "build": "workbook",
    "load": "network.loading",
    "train": "engine.training",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first used, so that a command loads only what it needs."""
    if name in _HOMES:
        return getattr(import_module(f"xlbackprop.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'xlbackprop' has no attribute {name!r}")
