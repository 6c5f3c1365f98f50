"""What a definition may say, and how it is loaded from TOML."""

from xlbackprop.network.activations import ACTIVATIONS, Activation
from xlbackprop.network.definition import CONSTANT, GRADIENT_DESCENT, LARGEST_NUMBER, Definition, Layer, Method
from xlbackprop.network.embedded import from_properties, to_properties
from xlbackprop.network.losses import LOSSES, Outputs
from xlbackprop.network.names import (
    BATCH_SIZE,
    EPOCH,
    EPOCH_LOSS,
    IN_BATCH,
    ITERATION,
    LEARNING_RATE,
    LEARNING_RATE_SENTENCE,
    MEAN_LOSS,
    ORDER,
    RATE_NOW,
    RUNNING_LOSS,
    SAMPLE,
    TURN,
    UPDATE,
    Names,
    Row,
    derivative,
    short_label,
)
from xlbackprop.network.optimisers import (
    OPTIMISERS,
    SETTINGS,
    WEIGHT_DECAY,
    Setting,
    correction_name,
    old_state,
    state_name,
)
from xlbackprop.network.schedules import SCHEDULES
from xlbackprop.network.softmax import SOFTMAX

__all__ = [
    "ACTIVATIONS",
    "BATCH_SIZE",
    "CONSTANT",
    "EPOCH",
    "EPOCH_LOSS",
    "GRADIENT_DESCENT",
    "IN_BATCH",
    "ITERATION",
    "LARGEST_NUMBER",
    "LEARNING_RATE",
    "LEARNING_RATE_SENTENCE",
    "LOSSES",
    "MEAN_LOSS",
    "OPTIMISERS",
    "ORDER",
    "RATE_NOW",
    "RUNNING_LOSS",
    "SAMPLE",
    "SCHEDULES",
    "SETTINGS",
    "SOFTMAX",
    "TURN",
    "UPDATE",
    "WEIGHT_DECAY",
    "Activation",
    "Definition",
    "Layer",
    "Method",
    "Names",
    "Outputs",
    "Row",
    "Setting",
    "correction_name",
    "derivative",
    "from_properties",
    "old_state",
    "short_label",
    "state_name",
    "to_properties",
]
