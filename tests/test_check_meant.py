"""`check` of rules that somebody may mean though they are no plain descent: read, or asked about, never accused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import handmade
from tests.cases import thorough_but
from tests.handmade import FIRST
from tests.reports import check
from tests.test_check_neuron import LAST, NEURON, Changes, found_cells, report_on

GRADIENTS = {"g": "[d]*[x]", "k": "[d]*[y]"}
OF = {"w": "g", "u": "k", "b": "d"}


def by(rule: str) -> Mapping[str, str]:
    """A neuron whose parameters take a step from a column with their gradient, `#`."""
    return GRADIENTS | {name: f"[{name}-]-{rule.replace('#', f'[{gradient}-]')}" for name, gradient in OF.items()}


CUT_OFF = by("$G$31*MAX(-$I$31,MIN($I$31,#))")
CONTEXT: Mapping[str, str] = {
    "k": "[h-]",
    "h": "TANH([w]*[x]+[u]*[k])",
    "p": "[b]*[h]",
    "d": "[p]-[t]",
    "e": "[d]*[b]*(1-[h]^2)",
    "w": "[w-]-$G$31*[e-]*[x-]",
    "u": "[u-]-$G$31*[e-]*[k-]",
    "b": "[b-]-$G$31*[d-]*[h-]",
}
LOOKING: Mapping[str, str] = {
    **{v: f"$I$31*[{v}-]-$G$31*[d-]{by}" for v, by in (("q", "*[x-]"), ("s", "*[y-]"), ("m", ""))},
    **{look: f"[{name}]+$I$31*[{v}]" for look, name, v in (("e", "w", "q"), ("f", "u", "s"), ("h", "b", "m"))},
    **{name: f"[{name}-]+[{v}]" for name, v in (("w", "q"), ("u", "s"), ("b", "m"))},
    "z": "[e]*[x]+[f]*[y]+[h]",
}
READ: Mapping[str, tuple[Mapping[str, str], str]] = {
    "a gradient that is cut off": (CUT_OFF, ""),
    "a gradient that is cut off in a column": (
        {"c": "MAX(-$I$31,MIN($I$31,[g]))", "m": "MAX(-$I$31,MIN($I$31,[k]))", "n": "MAX(-$I$31,MIN($I$31,[d]))"}
        | GRADIENTS
        | {"w": "[w-]-$G$31*[c-]", "u": "[u-]-$G$31*[m-]", "b": "[b-]-$G$31*[n-]"},
        "",
    ),
    "the sign of a gradient": (by("$G$31*SIGN(#)"), "its sign"),
    "what the step before gave as a number": (CONTEXT, "the step before"),
    "a look ahead from the row of the gradient": (LOOKING, "momentum"),
}


@pytest.mark.parametrize(
    "rule", thorough_but(READ, "a gradient that is cut off", "what the step before gave as a number")
)
def test_a_rule_of_another_kind_is_read(rule: str, tmp_path: Path) -> None:
    rules, words = READ[rule]
    starts: Changes = {(name, FIRST): 0.0 for name in "kqsm" if rules in (CONTEXT, LOOKING)}
    report = report_on(tmp_path / "rule.xlsx", rules, starts)
    assert (report.status, report.findings) == ("ok", ()), report
    assert any(words in sentence for sentence in report.judged)


@pytest.mark.parametrize("slip", [{"g": "[d]*[y]"}, {"d": "([p]-[t])*[p]"}])
def test_a_slip_before_a_gradient_is_cut_off_is_not_called_right(slip: Mapping[str, str], tmp_path: Path) -> None:
    assert report_on(tmp_path / "slip.xlsx", {**CUT_OFF, **slip}).status != "ok"


def test_a_slip_beside_a_context_is_told(tmp_path: Path) -> None:
    wrong = {**CONTEXT, "e": "[d]*[b]*(1-[h])"}
    report = report_on(tmp_path / "slip.xlsx", wrong, {("k", FIRST): 0.0})
    assert found_cells(report) == {f"N{row}" for row in range(FIRST, LAST + 1)}, report


ASKED: Mapping[str, tuple[Mapping[str, str], Changes]] = {
    "noise": ({"w": f"{NEURON['w']}+[r-]"}, {}),
    "a gradient divided by its length": ({**by("$G$31*#/[n-]"), "n": "SQRT([g]^2+[k]^2+[d]^2)"}, {}),
}


@pytest.mark.parametrize("kind", ASKED)
def test_what_may_be_meant_is_asked(kind: str, tmp_path: Path) -> None:
    report = report_on(tmp_path / "asked.xlsx", *ASKED[kind])
    assert (report.status, report.findings) == ("not_recognised", ()), report


@pytest.mark.parametrize("labelled", [True, pytest.param(False, marks=pytest.mark.thorough)])
def test_a_layer_with_half_the_rate_is_asked_about(labelled: bool, tmp_path: Path) -> None:
    halved = {f"w{number}": f"[w{number}-]-$G$31/2*[∂E/∂w{number}-]" for number in range(5, 9)}
    labels = {} if labelled else dict.fromkeys(handmade.CLASSIC, "")
    report = check(handmade.write(tmp_path / "half.xlsx", formulas=halved, labels=labels, rows=5))
    assert (report.status, report.findings) == ("not_recognised", ()), report
    assert any("0.5 times the rate of others" in words for words in report.not_judged)
