"""The training loop of the classic walkthrough as others write it, for the engine to be measured against.

Run as `python benchmarks/loops.py NAME ITERATIONS`; prints the seconds that the training took.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from time import perf_counter

import numpy as np
from msgspec.structs import replace

from xlbackprop import load
from xlbackprop.engine.training import train_all

ETA = 1.0
INPUTS, TARGETS = [0.05, 0.10], [0.5, 0.5]
HIDDEN, OUTPUT = [[0.15, 0.20], [0.25, 0.30]], [[0.40, 0.45], [0.50, 0.55]]


def engine(iterations: int, networks: int = 1) -> float:
    """Our engine, every intermediate value kept; seconds for each network."""
    definition = load(iterations=iterations)
    definitions = [replace(definition, learning_rate=0.1 + index / 10) for index in range(networks)]
    start = perf_counter()
    train_all(definitions)
    return (perf_counter() - start) / networks


def numpy_loop(iterations: int) -> float:
    """A loop as a tutorial writes it, which keeps the loss and the weights only."""
    x, t = np.array(INPUTS), np.array(TARGETS)
    hidden, output = np.array(HIDDEN), np.array(OUTPUT)
    losses, weights = [], []
    start = perf_counter()
    for _ in range(iterations):
        a_h = 1 / (1 + np.exp(-(hidden @ x)))
        a_o = 1 / (1 + np.exp(-(output @ a_h)))
        losses.append(0.5 * ((t - a_o) ** 2).sum())
        weights.append((hidden.copy(), output.copy()))
        delta_o = (a_o - t) * a_o * (1 - a_o)
        delta_h = (output.T @ delta_o) * a_h * (1 - a_h)
        output -= ETA * np.outer(delta_o, a_h)
        hidden -= ETA * np.outer(delta_h, x)
    return perf_counter() - start


def torch_loop(iterations: int) -> float:
    """The same with PyTorch's automatic differentiation and its optimiser, one thread."""
    import torch

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    x, t = torch.tensor(INPUTS), torch.tensor(TARGETS)
    hidden = torch.tensor(HIDDEN, requires_grad=True)
    output = torch.tensor(OUTPUT, requires_grad=True)
    optimiser = torch.optim.SGD([hidden, output], lr=ETA)
    losses = []
    start = perf_counter()
    for _ in range(iterations):
        optimiser.zero_grad()
        loss = 0.5 * ((t - torch.sigmoid(output @ torch.sigmoid(hidden @ x))) ** 2).sum()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return perf_counter() - start


LOOPS: Mapping[str, Callable[[int], float]] = {
    "engine, 1 network": engine,
    "engine, 8 networks at once": lambda iterations: engine(iterations, 8),
    "engine, 100 networks at once": lambda iterations: engine(iterations, 100),
    "NumPy loop": numpy_loop,
    "PyTorch loop": torch_loop,
}


if __name__ == "__main__":
    print(LOOPS[sys.argv[1]](int(sys.argv[2])))
