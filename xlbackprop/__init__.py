"""xlbackprop: spreadsheets that show, with live formulas, how a neural network learns.

from xlbackprop import build, check, explain, load, train

definition = load("classic", learning_rate=0.5)
trace = train(definition)
trace["∂E/∂w5"][0]
str(explain(definition, "∂E/∂w5"))  # the steps that lead to it
build(definition, "classic.xlsx")
check("classic.xlsx").status  # "ok"
"""

from __future__ import annotations

import os
import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    del sys.path[0]  # `python -m xlbackprop`: the current folder holds the reader's files, not modules of ours

TYPE_CHECKING = False  # typing's own takes longer to import than all of this
if TYPE_CHECKING:
    from xlbackprop.checker.report.findings import Report
    from xlbackprop.checker.workers import check
    from xlbackprop.engine.trace import Trace
    from xlbackprop.engine.training import train
    from xlbackprop.ground.errors import DefinitionError, Problem, UnknownQuantityError, UserError
    from xlbackprop.ground.given_files import UnfitFileError
    from xlbackprop.ground.grid import NoRoomError
    from xlbackprop.network.definition import Definition
    from xlbackprop.network.loading import load
    from xlbackprop.walkthrough.explanation import Explanation, explain
    from xlbackprop.workbook.build import build

    __version__: str

__all__ = [
    "Definition",
    "DefinitionError",
    "Explanation",
    "NoRoomError",
    "Problem",
    "Report",
    "Trace",
    "UnfitFileError",
    "UnknownQuantityError",
    "UserError",
    "__version__",
    "build",
    "check",
    "explain",
    "load",
    "train",
]

# openpyxl would use lxml where that is installed, which takes longer to load
os.environ.setdefault("OPENPYXL_LXML", "False")

_HOMES = {
    "Definition": "network.definition",
    "DefinitionError": "ground.errors",
    "Explanation": "walkthrough.explanation",
    "NoRoomError": "ground.grid",
    "Problem": "ground.errors",
    "Report": "checker.report.findings",
    "Trace": "engine.trace",
    "UnfitFileError": "ground.given_files",
    "UnknownQuantityError": "ground.errors",
    "UserError": "ground.errors",
    "build": "workbook.build",
    "check": "checker.workers",
    "explain": "walkthrough.explanation",
    "load": "network.loading",
    "train": "engine.training",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first used, so that a command loads only what it needs."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"xlbackprop.{_HOMES[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("xlbackprop")
    raise AttributeError(f"module 'xlbackprop' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
