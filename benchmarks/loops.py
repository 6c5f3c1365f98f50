"""The training loop of the classic walkthrough as others write it, for the engine to be measured against.

Run as `python benchmarks/loops.py NAME ITERATIONS`; prints the seconds that the training took.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from math import exp
from time import process_time

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
    start = process_time()
    train_all(definitions)
    return (process_time() - start) / networks


def numpy_loop(iterations: int) -> float:
    """A loop as a tutorial writes it, which keeps the loss and the weights only."""
    x, t = np.array(INPUTS), np.array(TARGETS)
    hidden, output = np.array(HIDDEN), np.array(OUTPUT)
    losses, weights = [], []
    start = process_time()
    for _ in range(iterations):
        a_h = 1 / (1 + np.exp(-(hidden @ x)))
        a_o = 1 / (1 + np.exp(-(output @ a_h)))
        losses.append(0.5 * ((t - a_o) ** 2).sum())
        weights.append((hidden.copy(), output.copy()))
        delta_o = (a_o - t) * a_o * (1 - a_o)
        delta_h = (output.T @ delta_o) * a_h * (1 - a_h)
        output -= ETA * np.outer(delta_o, a_h)
        hidden -= ETA * np.outer(delta_h, x)
    return process_time() - start


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
    start = process_time()
    for _ in range(iterations):
        optimiser.zero_grad()
        loss = 0.5 * ((t - torch.sigmoid(output @ torch.sigmoid(hidden @ x))) ** 2).sum()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return process_time() - start


def python_loop(iterations: int) -> float:
    """The same over Python's own numbers, neuron by neuron, which keeps every value of every iteration."""
    (i1, i2), (t1, t2) = INPUTS, TARGETS
    (w1, w2), (w3, w4) = HIDDEN
    (w5, w6), (w7, w8) = OUTPUT
    rows = []
    start = process_time()
    for _ in range(iterations):
        h1, h2 = w1 * i1 + w2 * i2, w3 * i1 + w4 * i2
        a_h1, a_h2 = 1 / (1 + exp(-h1)), 1 / (1 + exp(-h2))
        o1, o2 = w5 * a_h1 + w6 * a_h2, w7 * a_h1 + w8 * a_h2
        a_o1, a_o2 = 1 / (1 + exp(-o1)), 1 / (1 + exp(-o2))
        e1, e2 = 0.5 * (t1 - a_o1) ** 2, 0.5 * (t2 - a_o2) ** 2
        d_o1, d_o2 = (a_o1 - t1) * a_o1 * (1 - a_o1), (a_o2 - t2) * a_o2 * (1 - a_o2)
        d_h1 = (d_o1 * w5 + d_o2 * w7) * a_h1 * (1 - a_h1)
        d_h2 = (d_o1 * w6 + d_o2 * w8) * a_h2 * (1 - a_h2)
        g1, g2, g3, g4 = d_h1 * i1, d_h1 * i2, d_h2 * i1, d_h2 * i2
        g5, g6, g7, g8 = d_o1 * a_h1, d_o1 * a_h2, d_o2 * a_h1, d_o2 * a_h2
        forward = (w1, w2, w3, w4, h1, a_h1, h2, a_h2, w5, w6, w7, w8, o1, a_o1, o2, a_o2, e1, e2, e1 + e2)
        rows.append((*forward, g1, g2, g3, g4, g5, g6, g7, g8))
        w1, w2, w3, w4 = w1 - ETA * g1, w2 - ETA * g2, w3 - ETA * g3, w4 - ETA * g4
        w5, w6, w7, w8 = w5 - ETA * g5, w6 - ETA * g6, w7 - ETA * g7, w8 - ETA * g8
    return process_time() - start


LOOPS: Mapping[str, Callable[[int], float]] = {
    "engine, 1 network": engine,
    "engine, 8 networks at once": lambda iterations: engine(iterations, 8),
    "engine, 80 networks at once": lambda iterations: engine(iterations, 80),
    "Python loop": python_loop,
    "NumPy loop": numpy_loop,
    "PyTorch loop": torch_loop,
}


if __name__ == "__main__":
    print(LOOPS[sys.argv[1]](int(sys.argv[2])))
