"""The derivation: every quantity of the walkthrough defined once, as an expression over other quantities.

This is the one place to look a quantity up, and the one place to change it: column formulas, box texts, mathematics
and sentences are all readings of what stands here. The equations are those of Rumelhart, Hinton and Williams,
Nature 323 (1986), cited as RHW.
"""

from __future__ import annotations

from collections.abc import Iterator

from xlbackprop.derivation.quantities import Derivation, Quantity, Role, Setting
from xlbackprop.network import (
    ACTIVATIONS,
    BATCH_SIZE,
    EPOCH,
    IN_BATCH,
    ITERATION,
    LARGEST_NUMBER,
    LEARNING_RATE,
    LEARNING_RATE_SENTENCE,
    LOSSES,
    MEAN_LOSS,
    OPTIMISERS,
    ORDER,
    RATE_NOW,
    SAMPLE,
    SCHEDULES,
    TURN,
    UPDATE,
    WEIGHT_DECAY,
    Definition,
    Hyperparameter,
    Method,
    Names,
    Outputs,
    correction_name,
    derivative,
    old_state,
    softmax,
    state_name,
)
from xlbackprop.symbols import (
    Builtin,
    Entry,
    Expression,
    Limited,
    Listed,
    Number,
    Old,
    Raised,
    Symbol,
    apply,
    conditional,
    sum_of,
)


def derive(definition: Definition) -> Derivation:
    """Define every quantity of a walkthrough."""
    names = definition.names
    quantities = [
        *_order(definition),
        *_given(definition),
        *_forward(definition),
        *_loss(definition),
        *_backward(definition),
        *_memory(definition),
    ]
    return Derivation(
        names,
        {quantity.name: quantity for quantity in quantities},
        {setting.name: setting for setting in _settings(definition)},
        len(definition.samples),
        definition.optimiser.name,
    )


def _settings(definition: Definition) -> Iterator[Setting]:
    yield Setting(LEARNING_RATE, LEARNING_RATE_SENTENCE, definition.learning_rate, 0, LARGEST_NUMBER)
    optimiser, schedule = definition.optimiser, definition.schedule
    for setting in OPTIMISERS[optimiser.name].settings:
        yield _setting(setting, optimiser)
    if optimiser.settings[WEIGHT_DECAY.key]:
        yield _setting(WEIGHT_DECAY, optimiser)
    for setting in SCHEDULES[schedule.name].settings:
        yield _setting(setting, schedule)


def _setting(setting: Hyperparameter, method: Method) -> Setting:
    return Setting(setting.symbol, setting.sentence, method.settings[setting.key], setting.least, setting.most)


def _order(definition: Definition) -> Iterator[Quantity]:
    """Which sample an iteration takes, and where it stands in its epoch and its batch; nothing for a single sample."""
    samples, batch = len(definition.samples), definition.samples_a_batch
    if samples == 1:
        return
    turn = _turn(definition)
    following = apply(Builtin.REMAINDER, Old(turn.name), samples) + 1
    words = f"which of the {samples} samples this is"
    if definition.order == "shuffled":
        yield Quantity(TURN, Role.ORDER, "the place of the sample in the epoch", following)
        yield Quantity(SAMPLE, Role.ORDER, f"{words}, in shuffled order", Entry(Listed(ORDER), Symbol(ITERATION) + 1))
    else:
        yield Quantity(SAMPLE, Role.ORDER, words, following)
    words = "the epoch: how often the whole data set has been begun"
    yield Quantity(EPOCH, Role.ORDER, words, conditional(turn, 2, Old(EPOCH) + 1, Old(EPOCH)))
    if batch > 1:
        place = apply(Builtin.REMAINDER, turn - 1, batch) + 1
        yield Quantity(IN_BATCH, Role.ORDER, "the place of the sample in its batch", place)
        size: Expression = Number(batch)
        if samples % batch:
            size = apply(Builtin.MINIMUM, batch, samples - turn + Symbol(IN_BATCH))
        yield Quantity(
            BATCH_SIZE, Role.ORDER, "how many samples the batch has; after the last one comes an update", size
        )
        counted = conditional(Symbol(IN_BATCH), 2, Old(UPDATE) + 1, Old(UPDATE))
        yield Quantity(UPDATE, Role.ORDER, "the number of the update to which the batch leads", counted)


def _turn(definition: Definition) -> Symbol:
    """The place of the sample in the epoch; in the given order it is the sample's number."""
    return Symbol(TURN if definition.order == "shuffled" else SAMPLE)


def _given(definition: Definition) -> Iterator[Quantity]:
    names, several = definition.names, len(definition.samples) > 1
    for index, name in enumerate(names.inputs, 1):
        yield Quantity(name, Role.INPUT, f"input {index}, given", _sample_entry(name) if several else None)
    for index, name in enumerate(names.targets, 1):
        words = f"the target: what output {index} should become"
        yield Quantity(name, Role.TARGET, words, _sample_entry(name) if several else None)


def _sample_entry(name: str) -> Expression:
    return Entry(Listed(name), Symbol(SAMPLE))


def _forward(definition: Definition) -> Iterator[Quantity]:
    names = definition.names
    last = len(names.weights) - 1
    for layer, rows in enumerate(names.weights):
        sources = names.activations[layer - 1] if layer else names.inputs
        role = Role.OUTPUT if layer == last else Role.HIDDEN
        units, outputs, biases = names.pre_activations[layer], names.activations[layer], names.biases[layer]
        for unit, row in zip(units, rows, strict=True):
            for weight, source in zip(row, sources, strict=True):
                yield _learned(definition, weight, f"the weight of {source} in {unit}")
        for bias in biases:
            sentence = f"the bias of {_listed(_owners(bias, biases, units))}"
            trained = definition.train_biases
            yield _learned(definition, bias, sentence) if trained else Quantity(bias, Role.WEIGHT, sentence)
        for unit, row in zip(units, rows, strict=True):
            terms = [Symbol(weight) * Symbol(source) for weight, source in zip(row, sources, strict=True)]
            terms += [Symbol(bias) for bias in biases if unit in _owners(bias, biases, units)]
            words = "the weighted sum of " + _listed(sources) + (", plus the bias" if biases else "")
            arriving = "activation" if layer else "input"
            why = f"{unit} adds what arrives: each {arriving} times its weight" + (", and the bias" if biases else "")
            yield Quantity(unit, role, words, sum_of(terms), reason=why)  # RHW 1
        for index, (unit, output) in enumerate(zip(units, outputs, strict=True)):
            if layer == last and definition.is_softmax:
                value, sentence = softmax.share([Symbol(each) for each in units], index), softmax.SENTENCE
            else:
                activation = ACTIVATIONS[definition.layers[layer].activation]
                value, sentence = activation.written(Symbol(unit)), activation.sentence
            yield Quantity(output, role, f"the activation of {unit}: {sentence}", value)  # RHW 2


def _outputs(names: Names) -> Outputs:
    rows = (names.targets, names.pre_activations[-1], names.activations[-1])
    return Outputs(*(tuple(map(Symbol, row)) for row in rows))


def _loss(definition: Definition) -> Iterator[Quantity]:
    names, loss = definition.names, LOSSES[definition.loss]
    outputs = _outputs(names)
    for index, name in enumerate(names.losses):
        words = outputs.worded(loss.sentence, index)
        yield Quantity(name, Role.LOSS, words, loss.share(outputs, index))  # RHW 3
    total = sum_of([Symbol(name) for name in names.losses])
    several = len(definition.samples) > 1
    words = "the loss of this sample: how wrong the network is about it" if several else _LOSS_SENTENCE
    yield Quantity(names.total_loss, Role.LOSS, words, total)


_LOSS_SENTENCE = "the loss: how wrong the whole network is, which training makes small"


def _backward(definition: Definition) -> Iterator[Quantity]:
    """From the loss back, as one calculates: unit by unit what reaches it, then the weights, then the layer below."""
    names, total = definition.names, definition.names.total_loss
    last = len(names.weights) - 1
    for layer in range(last, -1, -1):
        units, rows, biases = names.pre_activations[layer], names.weights[layer], names.biases[layer]
        yield from _output_deltas(definition) if layer == last else _hidden_deltas(definition, layer)
        for unit, row in zip(units, rows, strict=True):
            for weight, source in zip(row, names.activations[layer - 1] if layer else names.inputs, strict=True):
                yield _derivative(unit, weight, Symbol(source), reason=_only_term(unit, weight, source, weight))
                yield _derivative(total, weight, _link(total, unit, weight), reason=_through(weight, unit))  # RHW 6
        for bias in biases if definition.train_biases else ():
            owned = _owners(bias, biases, units)
            slope = sum_of([Symbol(derivative(total, unit)) for unit in owned])
            yield _derivative(total, bias, slope, reason=_added(bias, owned))


def _hidden_deltas(definition: Definition, layer: int) -> Iterator[Quantity]:
    """From the units of the layer above to the pre-activations of a hidden layer, unit by unit."""
    names, total = definition.names, definition.names.total_loss
    activation = ACTIVATIONS[definition.layers[layer].activation]
    above, rows = names.pre_activations[layer + 1], names.weights[layer + 1]
    is_parted = layer == len(names.weights) - 2 and not definition.is_softmax and len(names.losses) > 1
    for index, (unit, output) in enumerate(zip(names.pre_activations[layer], names.activations[layer], strict=True)):
        for place, (higher, row) in enumerate(zip(above, rows, strict=True)):
            only = _only_term(higher, row[index], output, output)
            yield _derivative(higher, output, Symbol(row[index]), reason=only)
            if is_parted:
                loss = names.losses[place]
                yield _derivative(loss, output, _link(total, higher, output), reason=_through(output, higher, loss))
        parts = [
            Symbol(derivative(names.losses[place], output)) if is_parted else _link(total, higher, output)
            for place, higher in enumerate(above)
        ]  # RHW 7
        yield _derivative(total, output, sum_of(parts), reason=_paths(output, len(parts)))
        slope = activation.local_derivative(Symbol(unit), Symbol(output))
        yield _derivative(output, unit, slope, reason=activation.reason)
        yield _derivative(total, unit, _link(total, output, unit), reason=_through(unit, output))  # RHW 5


def _output_deltas(definition: Definition) -> Iterator[Quantity]:
    """From the loss to the pre-activations of the last layer, in one step where loss and activation go together."""
    names, total, loss = definition.names, definition.names.total_loss, LOSSES[definition.loss]
    units, activations = names.pre_activations[-1], names.activations[-1]
    outputs = _outputs(names)
    if loss.goes_with is not None:
        for index, unit in enumerate(units):
            why = outputs.worded(loss.reason, index)
            yield _derivative(total, unit, loss.slope_expression(outputs, index), reason=why)
        return
    slopes = (
        _derivative(total, output, loss.slope_expression(outputs, index), reason=outputs.worded(loss.reason, index))
        for index, output in enumerate(activations)
    )  # RHW 4
    if definition.is_softmax:
        yield from slopes
        for output in activations:
            for unit, other in zip(units, activations, strict=True):
                same = output == other
                slope = softmax.local_derivative(Symbol(output), Symbol(other), same=same)
                yield _derivative(output, unit, slope, reason=softmax.REASONS[same].format(output=output, unit=unit))
        for unit in units:
            parts = [_link(total, output, unit) for output in activations]
            yield _derivative(total, unit, sum_of(parts), reason=_paths(unit, len(parts)))
        return
    activation = ACTIVATIONS[definition.layers[-1].activation]
    for slope_of_loss, unit, output in zip(slopes, units, activations, strict=True):
        yield slope_of_loss
        slope = activation.local_derivative(Symbol(unit), Symbol(output))
        yield _derivative(output, unit, slope, reason=activation.reason)
        yield _derivative(total, unit, _link(total, output, unit), reason=_through(unit, output))  # RHW 5


def _memory(definition: Definition) -> Iterator[Quantity]:
    """What the updates need beside the gradients of the iteration: means over the batch, states, the rate now."""
    names, optimiser = definition.names, OPTIMISERS[definition.optimiser.name]
    parameters = _parameters(definition)
    settings = _method_symbols(definition)
    batched = definition.samples_a_batch > 1
    if batched:
        place = Symbol(IN_BATCH)
        for parameter in parameters:
            name = derivative(MEAN_LOSS, parameter)
            mean = (Old(name) * (place - 1) + Symbol(derivative(names.total_loss, parameter))) / place
            words = f"the mean of {derivative(names.total_loss, parameter)} over the batch so far"
            yield Quantity(name, Role.GRADIENT, words, mean)
    for state in optimiser.states:
        if state.correction is not None:
            beta = settings[state.correction]
            words = f"makes up for {state.letter} having begun at 0, which makes it too small at first"
            yield Quantity(correction_name(state), Role.MEMORY, words, 1 - Raised(beta, _update_number(definition)))
        for parameter in parameters:
            old = old_state(state, parameter)
            new = state.advanced(old, _gradient(definition, parameter), settings)
            if batched:
                new = _once_a_batch(old, new)
            words = state.sentence.format(gradient=_gradient_name(definition, parameter))
            yield Quantity(state_name(state, parameter), Role.MEMORY, words, new)
    schedule = SCHEDULES[definition.schedule.name]
    if definition.schedule.name != "constant":
        rate = schedule.rate(Symbol(LEARNING_RATE), _updates_before(definition), settings)
        yield Quantity(RATE_NOW, Role.MEMORY, schedule.sentence, rate)


def _parameters(definition: Definition) -> list[str]:
    """The names of everything that is learned, in the order of the calculation."""
    names = definition.names
    found = []
    for rows, biases in zip(names.weights, names.biases, strict=True):
        found += [weight for row in rows for weight in row]
        found += biases if definition.train_biases else ()
    return found


def _method_symbols(definition: Definition) -> dict[str, Expression]:
    """The symbols of the settings of optimiser and schedule, by their keys."""
    settings = (
        *OPTIMISERS[definition.optimiser.name].settings,
        WEIGHT_DECAY,
        *SCHEDULES[definition.schedule.name].settings,
    )
    return {setting.key: Symbol(setting.symbol) for setting in settings}


def _update_number(definition: Definition) -> Expression:
    """The number of the update to which an iteration leads, from 1."""
    return Symbol(UPDATE) if definition.samples_a_batch > 1 else Symbol(ITERATION) + 1


def _updates_before(definition: Definition) -> Expression:
    """How many updates have been made before an iteration."""
    return Symbol(UPDATE) - 1 if definition.samples_a_batch > 1 else Symbol(ITERATION)


def _gradient_name(definition: Definition, parameter: str) -> str:
    total = definition.names.total_loss
    return derivative(MEAN_LOSS if definition.samples_a_batch > 1 else total, parameter)


def _gradient(definition: Definition, parameter: str) -> Expression:
    """What an update follows downhill: the gradient, with what a weight decay adds to it."""
    gradient = Symbol(_gradient_name(definition, parameter))
    method = definition.optimiser
    if method.settings[WEIGHT_DECAY.key] and not OPTIMISERS[method.name].decays_apart:
        return gradient + Symbol(WEIGHT_DECAY.symbol) * Symbol(parameter)
    return gradient


def _learned(definition: Definition, parameter: str, sentence: str) -> Quantity:
    """A weight or a bias with its update."""
    optimiser, settings = OPTIMISERS[definition.optimiser.name], _method_symbols(definition)
    rate = Symbol(LEARNING_RATE if definition.schedule.name == "constant" else RATE_NOW)
    states: list[Expression] = []
    for state in optimiser.states:
        value: Expression = Symbol(state_name(state, parameter))
        states.append(value / Symbol(correction_name(state)) if state.correction else value)
    weight: Expression = Symbol(parameter)
    if optimiser.decays_apart and definition.optimiser.settings[WEIGHT_DECAY.key]:
        weight = weight - rate * Symbol(WEIGHT_DECAY.symbol) * weight
    step = weight - rate * optimiser.stepped(_gradient(definition, parameter), states, settings)  # RHW 8
    if definition.weight_limit is not None:
        limit = definition.weight_limit
        kept = apply(Builtin.MAXIMUM, -limit, apply(Builtin.MINIMUM, limit, step))
        step = Limited(step, kept)
    if definition.samples_a_batch > 1:
        step = _once_a_batch(Symbol(parameter), step)
    return Quantity(parameter, Role.WEIGHT, sentence, update=step)


def _once_a_batch(before: Expression, after: Expression) -> Expression:
    return conditional(Symbol(IN_BATCH), Symbol(BATCH_SIZE), before, after, "the batch is complete")


def _derivative(of: str, by: str, expression: Expression, reason: str) -> Quantity:
    sentence = f"how much {of} changes when {by} changes"
    return Quantity(derivative(of, by), Role.GRADIENT, sentence, expression, derivative_of=(of, by), reason=reason)


def _through(start: str, middle: str, end: str = "E") -> str:
    return f"{start} reaches {end} through {middle} alone, so the slopes along the way multiply"


def _only_term(unit: str, weight: str, source: str, by: str) -> str:
    return f"only the term {weight} · {source} of {unit} contains {by}"


def _paths(start: str, number: int) -> str:
    if number == 1:
        return f"one path leads from {start} to E"
    return f"{number} paths lead from {start} to E, so their effects add"


def _added(bias: str, units: tuple[str, ...]) -> str:
    if len(units) == 1:
        return f"{units[0]} adds {bias} as it is, so E has the same slope for both"
    return f"{_listed(units)} add {bias} as it is, so their effects add"


def _link(of: str, through: str, by: str) -> Expression:
    """One step of the chain rule: ∂of/∂through · ∂through/∂by."""
    return Symbol(derivative(of, through)) * Symbol(derivative(through, by))


def _owners(bias: str, biases: tuple[str, ...], units: tuple[str, ...]) -> tuple[str, ...]:
    """The units that a bias belongs to: all of the layer when it has only one bias."""
    return units if len(biases) == 1 else (units[biases.index(bias)],)


def _listed(things: tuple[str, ...]) -> str:
    return " and ".join([", ".join(things[:-1]), things[-1]] if len(things) > 1 else things)
