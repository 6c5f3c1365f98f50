"""The training in numbers: plain NumPy, every value kept."""

from xlbackprop.engine.order import passes
from xlbackprop.engine.trace import Array, Trace
from xlbackprop.engine.training import evaluate, train, train_all

__all__ = [
    "Array",
    "Trace",
    "evaluate",
    "passes",
    "train",
    "train_all",
]
