"""The training in numbers: plain NumPy, every value kept."""

from xlbackprop.engine.order import sample_order
from xlbackprop.engine.trace import Array, Trace
from xlbackprop.engine.training import evaluate, train, train_all
