"""`xlbackprop explain`: the chain to a quantity is complete, in order, and has the engine's numbers."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import thorough_but
from tests.networks import deep, definitions
from xlbackprop import Definition, UserError, load, train
from xlbackprop.derivation.equations import derive
from xlbackprop.network.templates import names
from xlbackprop.symbols.expression import symbols
from xlbackprop.walkthrough.explanation import FORMATS, Explanation, explain


def every_chain(definition: Definition, iteration: int) -> Iterator[Explanation]:
    """Explanations in which every quantity is explained, most of them on the way to another."""
    explained: set[str] = set()
    for name in reversed([*derive(definition).quantities]):
        if name not in explained:
            explanation = explain(definition, name, iteration)
            explained |= {step.name for step in explanation.steps}
            yield explanation


@pytest.mark.thorough
@given(definitions(), st.data())
def test_every_chain_is_complete_and_in_order(definition: Definition, data: st.DataObject) -> None:
    trace = train(definition)
    name = data.draw(st.sampled_from(list(derive(definition).quantities)))
    iteration = data.draw(st.integers(0, definition.iterations - 1))
    explanation = explain(definition, name, iteration)
    known: set[str] = set()
    for step in explanation.steps:
        if step.expression:
            assert {symbol.label for symbol in symbols(step.expression)} <= known
        known.add(step.name)
    given_ones = [step.expression is None for step in explanation.steps[:-1]]
    assert given_ones == sorted(given_ones, reverse=True)
    assert explanation.last.value == trace[name][iteration]
    for format in FORMATS:
        assert explanation.written(format)


def test_a_gradient_of_the_class_network() -> None:
    text = str(explain(load(), "dE/dw1"))
    assert text.startswith("∂E/∂w1 is how much E_total changes when w1 changes (iteration 0 of 0 to 67).\n\ngiven\n")
    assert (
        "∂E/∂w1 = ∂E/∂h1 · ∂h1/∂w1\n       = 0.0063399 · 0.05\n       ≈ 0.000317  (0.000316993396 unrounded)\n" in text
    )
    assert "∂h1/∂w1 = i1\n        = 0.05\n\n" in text
    assert text.endswith(
        "written out: ∂E/∂w1 = ((a_o1 − t1) · a_o1 · (1 − a_o1) · w5 + (a_o2 − t2) · a_o2 · (1 − a_o2) · w7)"
        " · a_h1 · (1 − a_h1) · i1"
    )


def test_a_weight_comes_from_the_update_before() -> None:
    explanation = explain(load("mazur"), "w5", 1)
    assert "new w5 = w5 − η · ∂E/∂w5\n       = 0.4 − 0.5 · 0.082167\n       ≈ 0.35892  (0.35891648 unrounded)" in str(
        explanation
    )
    assert "  η = 0.5\n" in str(explanation)
    assert str(explain(load("mazur"), "w5")).endswith("\ngiven\n  w5 = 0.4")


def test_markdown_has_subscripts_and_no_stray_underscores() -> None:
    text = explain(load(), "∂E/∂w5").written("markdown")
    assert (
        "| ∂E/∂w<sub>5</sub> | ∂E/∂o<sub>1</sub> · ∂o<sub>1</sub>/∂w<sub>5</sub> | 0.025412 · 0.50687 ≈ 0.012881 |"
        in text
    )
    assert "_" not in text
    assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {6}


def test_latex_of_a_gradient() -> None:
    text = explain(load(), "∂E/∂w5").written("latex")
    assert r"a_{h_{1}} &= \sigma(h_{1}) \\" in text
    assert r"\allowdisplaybreaks" in text  # or what does not fit on a page is lost
    assert r"&= \frac{1}{1 + e^{-0.0275}} \\" in text
    assert r"\frac{\partial E}{\partial w_{5}} &= (a_{o_{1}} - t_{1}) \cdot a_{o_{1}} \cdot (1 - a_{o_{1}})" in text


@pytest.mark.parametrize("definition", thorough_but([*map(load, names()), deep()], load()), ids=lambda each: each.title)
def test_latex_is_plain_ascii_with_matching_braces(definition: Definition) -> None:
    for explanation in every_chain(definition, 1):
        body = "\n".join(explanation.written("latex").splitlines()[1:])
        assert body.isascii()
        assert body.count("{") == body.count("}")
        assert not re.search(r"_[^{]", body)
        assert not re.search(r"(?<![\\a-z{])[a-z]{2,}\(", body), "a function's name is set as a product of letters"


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match='did you mean "∂E/∂w8"'):
        explain(load(), "dE/dw9")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", "dE/dw99"], "there is no quantity"),
        (["explain", "w1", "--iteration", "68"], "--iteration: found 68, expected a whole number from 0 to 67"),
        (["explain", "w1", "no-such-template"], 'there is no template "no-such-template"'),
    ],
)
def test_mistakes_at_the_command_line(arguments: list[str], message: str) -> None:
    result = subprocess.run([_command(), *arguments], capture_output=True, text=True, encoding="utf-8", check=False)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_the_command_prints_each_format() -> None:
    for markup in FORMATS:
        command = [_command(), "explain", "dE/dw5", "mazur", "--iteration", "3", "--format", markup]
        result = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
        assert result.stdout == explain(load("mazur"), "∂E/∂w5", 3).written(markup) + "\n"


def _command() -> str:
    found = shutil.which("xlbackprop", path=sys.prefix + "/bin")
    assert found is not None, "the package is not installed in this environment"
    return found
