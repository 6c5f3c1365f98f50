"""The command line, in which each command imports only what it needs."""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from xlbackprop.ground import terminal
from xlbackprop.ground.errors import UserError, count, index_of, message_of

if TYPE_CHECKING:
    from xlbackprop.engine.trace import Trace
    from xlbackprop.network.definition import Definition

_UsageError: Any = typer.BadParameter.__base__  # what click raises for every mistake in the arguments
_CHARACTERS_AT_A_TIME = 1 << 16
_BROKEN_PIPE = 128 + 13
"""As the shell tells it of a program that SIGPIPE has ended."""


class _EndedError(BaseException):
    """A signal has asked the program to end; no `except Exception` is to take it for a mistake."""

    def __init__(self, signal: int) -> None:
        self.signal = signal


app = typer.Typer(
    name="xlbackprop",
    help="Spreadsheets that show, with live formulas, how a neural network learns.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help in plain text: drawing it with rich takes as long again as everything else
)


Columns = Literal["compact", "full"]
Format = Literal["table", "csv", "json"]
Markup = Literal["text", "markdown", "latex"]
Handout = Literal["pdf", "png"]
Engine = Literal["ironcalc", "libreoffice"]


def _path(text: str) -> Path:
    if not text:
        raise typer.BadParameter("found an empty name, expected that of a file or a folder")
    return Path(text)


def _output(metavar: str, help: str) -> Any:
    """The option that says where to write."""
    return typer.Option("--output", "-o", parser=_path, metavar=metavar, help=help)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        terminal.say(f"xlbackprop {version('xlbackprop')}")
        raise typer.Exit


Template = Annotated[str, typer.Argument(help="A ready-made template by name, or the path of your own TOML file.")]
Iterations = Annotated[
    int | None, typer.Option(metavar="N", help="Rows of the table, in place of the template's number.")
]
LearningRate = Annotated[float | None, typer.Option(metavar="X", help="η, in place of the template's value.")]


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version, and no more.")
    ] = False,
) -> None:
    """What every command takes."""


@app.command()
def build(
    template: Template = "classic",
    output: Annotated[Path | None, _output("FILE", "The workbook to write (default: output/TEMPLATE.xlsx).")] = None,
    iterations: Iterations = None,
    learning_rate: LearningRate = None,
    columns: Annotated[
        Columns, typer.Option(help="The original's columns, or every link of the chain rule.")
    ] = "compact",
    sheets: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME…", help="Only these sheets, such as step-by-step,your-turn (default: all of them)."
        ),
    ] = None,
) -> None:
    """Write a workbook with live formulas and a loss chart."""
    from xlbackprop.ground.progress import bar
    from xlbackprop.network.loading import load
    from xlbackprop.workbook import build as build_workbook

    definition = load(template, iterations=iterations, learning_rate=learning_rate)
    target = _target(output, Path(template).stem)
    chosen = None if sheets is None else [name for name in sheets.split(",") if name.strip()]
    missing: list[str] = []
    with bar() as listener:
        build_workbook(
            definition,
            target,
            columns=columns,
            sheets=chosen,
            listener=listener,
            left_out=lambda title, reason: missing.append(f"Without the sheet {title}: {reason}.\n"),
        )
    iterations_made = count(definition.iterations, "iteration")
    terminal.say(
        f"Wrote {target}: {definition.title}, {iterations_made} at η = {definition.learning_rate:g}.\n"
        f"{''.join(missing)}"
        "Open it in Excel, LibreOffice or Google Sheets and change a number in bold blue; everything else follows."
    )


@app.command()
def new(
    file: Annotated[Path, typer.Argument(parser=_path, metavar="FILE", help="The definition to write (.toml).")],
    layers: Annotated[
        str, typer.Option(metavar="N,N…", help="Units of every layer, the inputs first, such as 2,3,1.")
    ] = "2,2,2",
    activation: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the hidden layers, such as tanh or relu (default: sigmoid).")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Activation of the last layer (default: sigmoid, or what the loss needs)."),
    ] = None,
    loss: Annotated[
        str | None, typer.Option(metavar="NAME", help="Such as binary-cross-entropy (default: half-squared-error).")
    ] = None,
    samples: Annotated[int, typer.Option(metavar="N", help="How many samples to make up.")] = 1,
    optimiser: Annotated[
        str | None, typer.Option(metavar="NAME", help="Such as momentum or adam (default: gradient-descent).")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="What the weights and the samples are drawn by.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Write over a FILE that is there already.")] = False,
) -> None:
    """Write a definition of your own to start from.

    It has a comment on everything that a definition may say.
    """
    import tomllib

    from xlbackprop.ground.files import as_typed, atomic_write
    from xlbackprop.network.loading import parse
    from xlbackprop.network.starter import starter
    from xlbackprop.walkthrough import fit

    _require_new_definition(file, force=force)
    text = starter(
        str(file),
        layers=layers,
        activation=activation,
        output=output,
        loss=loss,
        samples=samples,
        optimiser=optimiser,
        seed=seed,
    )
    fit(parse(tomllib.loads(text), source=str(file)), "compact")
    with atomic_write(file) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    terminal.say(f"Wrote {file}. Change what you like in it; the comments say what there is.")
    terminal.say(f"Then: xlbackprop build {as_typed(file)}")


@app.command()
def check(
    files: Annotated[
        list[Path],
        typer.Argument(
            parser=_path, metavar="FILE…", help="Workbooks (.xlsx, .ods) or numbers (.csv), ours or anybody's."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print an array, one object a file.")] = False,
    annotate: Annotated[
        Path | None,
        typer.Option(
            parser=_path, metavar="OUT.xlsx", help="Write a copy with the wrong cells marked (one FILE only)."
        ),
    ] = None,
    engine: Annotated[Engine, typer.Option(help="What recalculates the workbook.")] = "ironcalc",
    map_file: Annotated[
        Path | None,
        typer.Option("--map", parser=_path, metavar="FILE", help="A TOML file: which quantity stands in which column."),
    ] = None,
) -> None:
    """Tell whether a backpropagation spreadsheet is right.

    Where it is not, the wrong cells are named, with what should stand there.

    Exit code 0: all right; 1: mistakes found; 2: a file could not be read or understood.
    """
    from xlbackprop.checker.command import run

    raise typer.Exit(run(files, as_json=as_json, annotate=annotate, engine=engine, map_file=map_file))


@app.command()
def templates() -> None:
    """List the ready-made walkthroughs."""
    from rich.table import Table

    from xlbackprop.network.loading import load
    from xlbackprop.network.templates import names

    table = Table("template", "what it teaches", box=None, header_style="bold", pad_edge=False)
    for name in names():
        table.add_row(name, load(name).teaches)
    terminal.console().print(table)
    terminal.say("\nBuild one with: xlbackprop build NAME")


@app.command()
def trace(
    template: Template = "classic",
    iteration: Annotated[
        int | None, typer.Option(metavar="K", help="One iteration, counted from 0 (default: 0 in a table, else all).")
    ] = None,
    format: Annotated[Format, typer.Option(help="For reading, or for another program.")] = "table",
    iterations: Iterations = None,
    learning_rate: LearningRate = None,
) -> None:
    """Print every intermediate value of the training."""
    from xlbackprop.engine.training import train
    from xlbackprop.ground.progress import bar
    from xlbackprop.network.loading import load

    definition = load(template, iterations=iterations, learning_rate=learning_rate)
    _require_iteration(definition, iteration or 0)
    with bar() as listener:
        values = train(definition, listener=listener)
    chosen = range(definition.iterations) if iteration is None else range(iteration, iteration + 1)
    match format:
        case "json":
            _print_json(values, chosen)
        case "csv":
            _print_csv(values, chosen)
        case "table":
            from xlbackprop.derivation.equations import derive

            sentences = {name: quantity.sentence for name, quantity in derive(definition).quantities.items()}
            _print_table(values, sentences, iteration or 0)


@app.command()
def explain(
    quantity: Annotated[str, typer.Argument(help='A quantity by name, such as "dE/dw1", "∂E/∂w1" or a_h1.')],
    template: Template = "classic",
    iteration: Annotated[int, typer.Option(metavar="K", help="The iteration, counted from 0.")] = 0,
    format: Annotated[Markup, typer.Option(help="For the terminal, a web page or a paper.")] = "text",
) -> None:
    """Print the steps that lead to one quantity, with their numbers."""
    from xlbackprop.network.loading import load
    from xlbackprop.walkthrough.explanation import explain as explain_quantity

    definition = load(template)
    _require_iteration(definition, iteration)
    terminal.say(explain_quantity(definition, quantity, iteration).written(format))


@app.command()
def render(
    file: Annotated[Path, typer.Argument(parser=_path, metavar="FILE", help="The workbook to print.")],
    output: Annotated[
        Path | None, _output("DIR|PDF", "The folder for it (default: that of FILE), or its name.")
    ] = None,
    format: Annotated[Handout, typer.Option(help="One document, or one picture a page.")] = "pdf",
    table: Annotated[bool, typer.Option("--table", help="Print the whole table of iterations, and only it.")] = False,
) -> None:
    """Print a workbook as a handout, with LibreOffice."""
    from xlbackprop.ground.progress import waiting
    from xlbackprop.workbook.printing import render as render_workbook

    with waiting(f"printing {file.name}"):
        written = render_workbook(file, output, format=format, is_table=table)
    for path in written:
        terminal.say(f"Wrote {path}")


@app.command()
def handout(
    template: Template = "classic",
    output: Annotated[Path | None, _output("DIR|PDF", "The folder for them (default: output), or the name.")] = None,
    iteration: Annotated[
        int | None,
        typer.Option(metavar="K", help="The iteration, counted from 0 (default: the first one in which weights move)."),
    ] = None,
) -> None:
    """Print a worksheet to calculate by hand, and its answers, with LibreOffice."""
    from xlbackprop.ground.progress import waiting
    from xlbackprop.network.loading import load
    from xlbackprop.workbook.worksheet_printing import handout as print_handout

    definition = load(template)
    _require_iteration(definition, iteration or 0)
    with waiting("printing the worksheet"):
        written = print_handout(definition, Path(template).stem, output or Path("output"), iteration=iteration)
    for path in written:
        terminal.say(f"Wrote {path}: {definition.title}")


def run() -> None:
    """Run the command line and end with its exit code; whatever goes wrong is one message and never a traceback."""
    _heed_signals()
    sys.unraisablehook = lambda _: None  # after Ctrl-C, generators that are torn down complain of closed files
    try:
        code = _run()
    except KeyboardInterrupt:
        code = 130
    except _EndedError as error:
        code = 128 + error.signal
    sys.exit(code)


def _run() -> int:
    try:
        terminal.prepare()
        code = app(standalone_mode=False) or 0
        terminal.flush()
    except (terminal.OutputEndedError, SystemExit):  # the latter is typer's, when nobody reads its help
        terminal.give_up_printing()
        return _BROKEN_PIPE
    except _UsageError as error:
        said = io.StringIO()
        error.show(said)
        terminal.say_to_stderr(said.getvalue())
        return 2
    except Exception as error:
        _end_if_interrupted(error)
        terminal.give_up_printing()
        terminal.complain(message_of(error))
        return 2
    return int(code)


def _end_if_interrupted(error: BaseException) -> None:
    """Raise the interruption anew in whose wake something else failed, such as closing a file that is half written."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt | _EndedError):
            raise cause
        cause = cause.__context__


def _heed_signals() -> None:
    """Let a polite end from outside take the same way as Ctrl-C, so that nothing half-written is left behind."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # `nohup` has it ignored
            signal.signal(number, _end)


def _end(number: int, _: object) -> None:
    raise _EndedError(number)


def _require_iteration(definition: Definition, iteration: int) -> None:
    index_of("--iteration", iteration, definition.iterations - 1)


def _require_new_definition(file: Path, *, force: bool) -> None:
    from xlbackprop.ground.files import require_ending, require_writable

    require_ending(file, ".toml")
    require_writable(file)
    if file.exists() and not force:
        raise UserError(f"{file}: is there already; --force writes over it")


def _target(output: Path | None, name: str) -> Path:
    if output is None:
        return Path("output") / f"{name}.xlsx"
    return output / f"{name}.xlsx" if output.is_dir() else output


def _print_json(values: Trace, chosen: range) -> None:
    import json

    rows = [{"iteration": iteration, "values": values.at(iteration)} for iteration in chosen]
    terminal.say(json.dumps(rows, ensure_ascii=False, indent=2))


def _print_csv(values: Trace, chosen: range) -> None:
    import csv

    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["iteration", *values.quantities])
    for iteration in chosen:
        writer.writerow([iteration, *values.values[iteration].tolist()])
        if lines.tell() > _CHARACTERS_AT_A_TIME:
            terminal.say(lines.getvalue(), end="")
            lines.seek(0)
            lines.truncate()
    terminal.say(lines.getvalue(), end="")


def _print_table(values: Trace, sentences: dict[str, str], iteration: int) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("quantity", "value", "what it is", box=None, header_style="bold", pad_edge=False)
    table.columns[1].justify = "right"
    for name, value in values.at(iteration).items():
        table.add_row(Text(name), f"{value:.9g}", Text(sentences[name]))
    terminal.say(f"iteration {iteration} of 0 to {len(values) - 1}\n")
    terminal.console().print(table)
