"""What a definition may say, and how it is loaded from TOML."""

from xlbackprop.network.activations import ACTIVATIONS, Activation
from xlbackprop.network.definition import CONSTANT, GRADIENT_DESCENT, LARGEST_NUMBER, Definition, Layer, Method
from xlbackprop.network.embedded import from_workbook, to_cells, to_properties
from xlbackprop.network.loading import validated
from xlbackprop.network.losses import LOSSES, Outputs
from xlbackprop.network.names import (
    BATCH_SIZE,
    EPOCH,
    IN_BATCH,
    ITERATION,
    LEARNING_RATE,
    LEARNING_RATE_SENTENCE,
    MEAN_LOSS,
    ORDER,
    RATE_NOW,
    SAMPLE,
    TURN,
    UPDATE,
    WALKTHROUGH,
    Names,
    Row,
    derivative,
    layer_title,
    short_label,
)
from xlbackprop.network.optimisers import (
    OPTIMISERS,
    SETTINGS,
    WEIGHT_DECAY,
    Hyperparameter,
    correction_name,
    old_state,
    state_name,
)
from xlbackprop.network.schedules import SCHEDULES
from xlbackprop.network.softmax import SOFTMAX
