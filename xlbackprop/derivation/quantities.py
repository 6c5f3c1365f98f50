"""What a quantity of a derivation is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from functools import cached_property

from msgspec import Struct

from xlbackprop.network import GRADIENT_DESCENT, Names, derivative
from xlbackprop.symbols import Expression, Listed, Old, Symbol, substitute, symbols


class Role(Enum):
    """What a quantity is to the network; it decides its colour everywhere."""

    INPUT = "input"
    TARGET = "target"
    WEIGHT = "weight"
    HIDDEN = "hidden"
    OUTPUT = "output"
    LOSS = "loss"
    GRADIENT = "gradient"
    MEMORY = "memory"
    """What an optimiser remembers of the iterations before."""
    ORDER = "order"
    """Which sample an iteration takes, and where it stands in the training."""


class Quantity(Struct, frozen=True):
    """One quantity of the walkthrough and the whole of what is known about it."""

    name: str
    role: Role
    sentence: str
    """What the quantity is, in plain words that can follow "name is …"."""
    expression: Expression | None = None
    """Its definition within an iteration; None for a number that is given."""
    update: Expression | None = None
    """For what is learned: its value in the next iteration."""
    derivative_of: tuple[str, str] | None = None
    """For ∂y/∂x: the names of y and x."""
    reason: str = ""
    """Why it is what it is, in words that can stand alone; empty where its sentence says it."""


class Setting(Struct, frozen=True):
    """A number that the training is set by, which a reader may change."""

    name: str
    sentence: str
    value: float
    least: float
    most: float


class Derivation(Struct, frozen=True, dict=True):
    """All quantities of one walkthrough in the order of the calculation."""

    names: Names
    quantities: Mapping[str, Quantity]
    settings: Mapping[str, Setting]
    """By name, the learning rate first."""
    samples: int = 1
    optimiser: str = GRADIENT_DESCENT.name

    def __getitem__(self, name: str) -> Quantity:
        return self.quantities[name]

    def expression(self, name: str) -> Expression:
        """The definition of a quantity within an iteration.

        Raises:
            ValueError: the quantity is given or learned and has none.
        """
        expression = self[name].expression
        if expression is None:
            raise ValueError(f"{name} is not calculated within an iteration")
        return expression

    def update(self, name: str) -> Expression:
        """The update of what is learned: its value in the next iteration.

        Raises:
            ValueError: the quantity is not learned.
        """
        update = self[name].update
        if update is None:
            raise ValueError(f"{name} is not learned")
        return update

    def expanded(self, name: str, columns: Collection[str]) -> Expression:
        """The definition of a quantity over `columns` only: every other quantity in it is written out."""
        return self._inlined(self.expression(name), columns, {})

    def updated(self, name: str, columns: Collection[str]) -> Expression:
        """The update of what is learned, over `columns` only."""
        return self._inlined(self.update(name), columns, {})

    def chain(self, gradient: str) -> Expression:
        """A gradient as its links: ∂E/∂w5 as ∂E/∂a_o1 · ∂a_o1/∂o1 · ∂o1/∂w5."""
        return self.expanded(gradient, self._ends_of_chains)

    def siblings(self, name: str) -> tuple[str, ...]:
        """The quantities of the same kind in the same layer, in their order, the quantity itself among them."""
        known = self.names.base
        ending = max((base for base in known if name.endswith(base)), key=len, default="")
        row = next((row for row in self._rows if ending in row), ())
        beginning = name.removesuffix(ending) if ending else ""
        found = tuple(beginning + each for each in row if beginning + each in self.quantities)
        return found if name in found else (name,)

    @cached_property
    def _rows(self) -> tuple[tuple[str, ...], ...]:
        """The names that are no derivatives, layer by layer and kind by kind."""
        names = self.names
        weights = [tuple(weight for row in rows for weight in row) for rows in names.weights]
        units = [*names.pre_activations, *names.activations]
        return (names.inputs, names.targets, *weights, *names.biases, *units, names.losses)

    def dependents(self, on: str) -> frozenset[str]:
        """The quantities that change within an iteration when `on` does."""
        found = {on}
        for name, quantity in self.quantities.items():
            used = symbols(quantity.expression) if quantity.expression else ()
            if any(symbol.name in found and not isinstance(symbol, Old | Listed) for symbol in used):
                found.add(name)
        return frozenset(found - {on})

    @cached_property
    def learned(self) -> tuple[str, ...]:
        """What training changes: the weights, and the biases if they are learned."""
        return tuple(name for name, quantity in self.quantities.items() if quantity.update is not None)

    @cached_property
    def carried(self) -> tuple[str, ...]:
        """What is calculated from its own value in the iteration before, and so needs a column of its own."""
        return tuple(
            name
            for name, quantity in self.quantities.items()
            if quantity.expression and any(isinstance(symbol, Old) for symbol in symbols(quantity.expression))
        )

    @cached_property
    def olds(self) -> tuple[str, ...]:
        """The quantities whose value in the iteration before is used by a definition of this one."""
        used = {
            symbol.name
            for quantity in self.quantities.values()
            if quantity.expression
            for symbol in symbols(quantity.expression)
            if isinstance(symbol, Old)
        }
        return tuple(name for name in self.quantities if name in used)

    @cached_property
    def given(self) -> tuple[str, ...]:
        """What an iteration begins with: its place in the training, its sample, the weights and the biases."""
        return tuple(
            name
            for name, quantity in self.quantities.items()
            if not quantity.expression or quantity.role in (Role.ORDER, Role.INPUT, Role.TARGET)
        )

    @property
    def typeset(self) -> tuple[str, ...]:
        """The names that are set with subscripts wherever they occur: those of all quantities but derivatives."""
        return (*(name for name in self.quantities if "/" not in name), *self.settings)

    def lengths(self, columns: Collection[str]) -> Mapping[str, int]:
        """How many symbols stand in the definition of every quantity when it is written out over `columns`."""
        known, lengths = frozenset(columns), dict[str, int]()
        for name, used in self._used.items():
            lengths[name] = sum(1 if each in known else lengths.get(each, 1) for each in used)
        return lengths

    @cached_property
    def _used(self) -> Mapping[str, Sequence[str]]:
        """The names in the definition of every quantity that has one, as often as they stand there."""
        return {
            name: [symbol.name for symbol in symbols(quantity.expression)]
            for name, quantity in self.quantities.items()
            if quantity.expression
        }

    @cached_property
    def constants(self) -> tuple[str, ...]:
        """What stays the same in every iteration: the inputs, the targets, and the biases if they are fixed."""
        return tuple(
            name for name, quantity in self.quantities.items() if quantity.update is None and not quantity.expression
        )

    @cached_property
    def fixed(self) -> tuple[str, ...]:
        """The biases that are not learned."""
        return tuple(name for name in self.constants if name not in self.sampled)

    def of_role(self, role: Role) -> tuple[str, ...]:
        """The quantities of a role, in the order of the calculation."""
        return tuple(name for name, quantity in self.quantities.items() if quantity.role is role)

    @cached_property
    def sampled(self) -> tuple[str, ...]:
        """The inputs and the targets."""
        return (*self.names.inputs, *self.names.targets)

    @cached_property
    def deltas(self) -> tuple[str, ...]:
        """∂E/∂(pre-activation) of every unit, often written δ."""
        layers = self.names.pre_activations
        return tuple(derivative(self.names.total_loss, unit) for layer in layers for unit in layer)

    def gradients(self, layer: int) -> tuple[str, ...]:
        """The gradients of a layer's weights, then of its biases when they are learned."""
        weights = [weight for row in self.names.weights[layer] for weight in row]
        wanted = [derivative(self.names.total_loss, parameter) for parameter in [*weights, *self.names.biases[layer]]]
        return tuple(name for name in wanted if name in self.quantities)

    @cached_property
    def _ends_of_chains(self) -> frozenset[str]:
        """All quantities but the deltas that are themselves links of the chain rule."""
        linked = {delta for delta in self.deltas if self._is_made_of_links(delta)}
        return frozenset(self.quantities.keys() - linked)

    def _is_made_of_links(self, name: str) -> bool:
        expression = self._definition(name)
        return expression is not None and all(self[symbol.name].derivative_of for symbol in symbols(expression))

    def _inlined(self, expression: Expression, columns: Collection[str], found: dict[str, Expression]) -> Expression:
        def replace(symbol: Symbol) -> Expression:
            if symbol.name in columns or isinstance(symbol, Old | Listed):
                return symbol
            if symbol.name not in found:
                definition = self._definition(symbol.name)
                found[symbol.name] = symbol if definition is None else self._inlined(definition, columns, found)
            return found[symbol.name]

        return substitute(expression, replace)

    def _definition(self, name: str) -> Expression | None:
        quantity = self.quantities.get(name)
        return quantity.expression if quantity else None
