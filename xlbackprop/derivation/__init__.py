"""The training in symbols: every quantity defined once."""

from xlbackprop.derivation.equations import derive
from xlbackprop.derivation.quantities import Derivation, Quantity, Role, Setting
