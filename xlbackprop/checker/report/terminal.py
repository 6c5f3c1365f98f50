"""The report as people read it: a line of summary, the mistakes in a table, the notes below."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from xlbackprop.checker.report.findings import Finding, Report, shortened
from xlbackprop.ground.terminal import safe_line

_MOST_REPLACEMENTS = 8
_SIGNS = {
    "ok": ("✓", "green"),
    "mistakes": ("✗", "red"),
    "not_recognised": ("?", "yellow"),
    "unreadable": ("!", "yellow"),
}


def show(reports: Sequence[Report], console: Console) -> None:
    """Print reports, one after the other."""
    for index, report in enumerate(reports):
        if index:
            console.print()
        _one(report, console)


def _one(report: Report, console: Console) -> None:
    sign, colour = _SIGNS[report.status]
    console.print(
        Text.assemble((f"{sign} {safe_line(report.file)}", f"bold {colour}"), f": {safe_line(report.message)}")
    )
    for table in report.tables:
        rate = table.learning_rate
        value = "" if rate.value is None else f" = {rate.value:.6g}"
        where = f" in {rate.cell}" if rate.cell else ""
        eta = f", η{value}{where}" if value or where else ", no learning rate found"
        console.print(Text(safe_line(f"  {table.sheet}!{table.range}: {table.size}{eta}"), "dim"))
    for words in report.judged:
        console.print(Text(safe_line(f"  judged {words}"), "dim"))
    for words in report.not_judged:
        console.print(Text(safe_line(f"  not judged {words}"), "dim"))
    if report.findings:
        console.print(_findings(report.findings))
    for note in report.notes:
        place = "!".join(part for part in (note.sheet, shortened(note.cells)) if part)
        console.print(Text.assemble("  ", ("note", "cyan"), safe_line(f" {place}: {note.message}")))


def _findings(findings: Sequence[Finding]) -> Table:
    table = Table(header_style="bold", show_lines=True)
    table.add_column("cells", style="red", overflow="fold", min_width=10)
    table.add_column("what is wrong, what stands there, what belongs there", overflow="fold", ratio=1)
    for finding in findings:
        value = finding.value if isinstance(finding.value, str) else _number(finding.value)
        text = Text(safe_line(finding.message))
        text.append("\n\nthere stands   ", "dim").append(safe_line(finding.found), "red")
        text.append(f"  → {safe_line(value)}", "dim")
        if finding.expected:
            text.append("\nthere belongs  ", "dim").append(safe_line(finding.expected), "green")
            text.append(f"  → {_number(finding.correct_value)}", "dim")
        for other in finding.replacements[1:_MOST_REPLACEMENTS]:
            text.append(f"\n{safe_line(f'and in {other.cell}'):<15}", "dim").append(safe_line(other.formula), "green")
        if len(finding.replacements) > _MOST_REPLACEMENTS:
            text.append(f"\nand {len(finding.replacements) - _MOST_REPLACEMENTS} more", "dim")
        table.add_row(Text(f"{safe_line(finding.sheet)}\n{shortened(finding.cells)}"), text)
    return table


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.10g}"
