"""Measures xlbackprop beside its peers, in one run, and writes benchmarks/RESULTS.md: `make bench`."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import typer
from msgspec import Struct

HERE = Path(__file__).parent
OURS = {"xlbackprop": ["--sheets", "walkthrough"], "xlbackprop, all sheets": []}
WRITERS = (
    *OURS,
    "trace alone",
    "bare loop",
    "bare loop, shared formulas",
    "wolfxl",
    "rustypyxl",
    "PyExcelerate",
    "openpyxl, write-only",
    "XlsxWriter",
    "XlsxWriter, constant memory",
)
LOOPS = (
    "engine, 1 network",
    "engine, 8 networks at once",
    "engine, 80 networks at once",
    "Python loop",
    "NumPy loop",
    "PyTorch loop",
)
CLASS_SIZE = 100
LARGEST = 1_048_544
"""Iterations: with the header in row 32 they end in the last row that a sheet has."""
IMPORTS = "import numpy, msgspec, typer"
"""The libraries that a build loads."""
START_UP = {
    "python -c pass": ["-c", "pass"],
    "import typer": ["-c", "import typer"],
    IMPORTS: ["-c", IMPORTS],
    "xlbackprop --help": ["-m", "xlbackprop", "--help"],
    "xlbackprop build, Walkthrough alone": ["-m", "xlbackprop", "build", "--sheets", "walkthrough"],
    "xlbackprop build, all sheets": ["-m", "xlbackprop", "build"],
}


class Measured(Struct, frozen=True):
    """The median of several runs of one thing."""

    name: str
    seconds: float
    """Of processor time, which other work on the machine hardly changes."""
    megabytes: float = 0.0
    """The most memory that it held."""
    file_megabytes: float | None = None


Rows = list[Measured]


def measured(commands: Mapping[str, Sequence[str]], runs: int, folder: Path, files: Mapping[str, Path]) -> Rows:
    """Run commands in turn, several times over, each in a process of its own, so that a slow moment meets them all.

    Args:
        files: those whose sizes are told, by the names of the commands.
    """
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    memory: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, env=_environment())
            _, status, usage = os.wait4(process.pid, 0)
            seconds[name].append(usage.ru_utime + usage.ru_stime)
            memory[name].append(usage.ru_maxrss / 1024)
            if status:
                raise SystemExit(f"{name} failed: {' '.join(command)}")
    sizes = {name: path.stat().st_size / 1e6 for name, path in files.items() if path.exists()}
    return [Measured(name, median(seconds[name]), median(memory[name]), sizes.get(name)) for name in commands]


def writers(iterations: int, runs: int, folder: Path) -> Rows:
    files = {name: folder / f"peer{index}.xlsx" for index, name in enumerate(WRITERS)}
    return measured({name: _writing(name, iterations, files[name]) for name in WRITERS}, runs, folder, files)


def _writing(name: str, iterations: int, file: Path) -> list[str]:
    if name in OURS:
        command = ["-m", "xlbackprop", "build", "--iterations", str(iterations), "-o", str(file), *OURS[name]]
    else:
        command = [str(HERE / "peers.py"), name, str(iterations), str(file)]
    return [sys.executable, *command]


def largest(folder: Path) -> Rows:
    """The table as long as a sheet can be, once: how much memory it takes beyond the trace."""
    file = folder / "largest.xlsx"
    commands = {name: _writing(name, LARGEST, file) for name in ("trace alone", "xlbackprop")}
    return measured(commands, 1, folder, {"xlbackprop": file})


def loops(iterations: int, runs: int, folder: Path) -> Rows:
    names = [name for name in LOOPS if "PyTorch" not in name or find_spec("torch")]
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            command = [sys.executable, str(HERE / "loops.py"), name, str(iterations)]
            answer = subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True)
            times[name].append(float(answer.stdout))
    return [Measured(name, median(times[name])) for name in names]


def start_up(runs: int, folder: Path) -> Rows:
    return measured({name: [sys.executable, *each] for name, each in START_UP.items()}, runs, folder, {})


def readers(iterations: int, name: str, runs: int, folder: Path) -> Rows:
    """How long programs take to open a workbook, with shared and with plain formulas.

    LibreOffice shows stored values as they are, and calculates where there are none.
    """
    from plain import plain_copy, without_values

    shared = folder / "shared.xlsx"
    subprocess.run(_writing(name, iterations, shared), check=True, stdout=subprocess.DEVNULL)
    plain = plain_copy(shared, folder / "plain.xlsx")
    programs = {"IronCalc loads and calculates": [sys.executable, "-c", _IRONCALC, _FILE]}
    if shutil.which("soffice"):
        profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
        place = ["--outdir", str(folder / "converted"), _FILE]
        programs["LibreOffice loads"] = ["soffice", profile, "--headless", "--convert-to", "csv", *place]
        programs[_CALCULATED] = ["soffice", profile, "--headless", "--convert-to", "ods", *place]
        measured({"making the profile": _with(programs["LibreOffice loads"], shared)}, 1, folder, {})
    if shutil.which("ssconvert"):
        programs["Gnumeric loads"] = ["ssconvert", _FILE, str(folder / "gnumeric.csv")]
    commands, files = {}, {}
    for program, command in programs.items():
        for file in (shared, plain):
            given = without_values(file) if program == _CALCULATED else file
            commands[f"{program}, {file.stem}"] = _with(command, given)
            files[f"{program}, {file.stem}"] = file
    return measured(commands, runs, folder, files)


def _with(command: Sequence[str], file: Path) -> list[str]:
    return [str(file) if argument == _FILE else argument for argument in command]


_FILE = "FILE"
_CALCULATED = "LibreOffice loads, calculates and saves"
_IRONCALC = """
import ironcalc, sys
ironcalc.load_from_xlsx(sys.argv[1], "en", "UTC", "en").evaluate()
"""


def table(head: str, rows: Sequence[Measured], base: str, memory: bool = False) -> str:
    """A Markdown table with the ratio of every row to the row `base`."""
    unit = next(row.seconds for row in rows if row.name == base)
    columns = ["seconds", f"× {base}", *(["memory, MB", "file, MB"] if memory else [])]
    lines = [f"| {head} | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for row in rows:
        cells = [f"{row.seconds:.3f}", f"{row.seconds / unit:.2f}"]
        size = "" if row.file_megabytes is None else f"{row.file_megabytes:.1f}"
        cells += [f"{row.megabytes:.0f}", size] if memory else []
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(iterations: int = 20_000, loop_iterations: int = 100_000, runs: int = 3) -> None:
    """Measure everything and write RESULTS.md."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        parts = [
            f"# Results\n\nProcessor time, medians of {runs} runs on {os.cpu_count()} × {_processor()}, "
            f"{platform.system()}, Python {platform.python_version()}. Made by `make bench`; judge the ratios, "
            "not the seconds.",
            f"## Writing {iterations:,} iterations, whole process\n\n"
            "Every row includes starting Python and computing the trace. Of the peers, XlsxWriter alone stores values; "
            "ours also writes the diagram, the derivation and the chart.",
            table("writer", writers(iterations, runs, folder), "xlbackprop", memory=True),
            f"## Writing {LARGEST:,} iterations, as many as a sheet has rows for",
            table("writer", largest(folder), "xlbackprop", memory=True),
            f"## Training, {loop_iterations:,} iterations of the 2-2-2 network, seconds a network",
            table("loop", loops(loop_iterations, runs, folder), "engine, 1 network"),
            "## Starting up",
            table("command", start_up(4 * runs, folder), IMPORTS),
        ]
        for rows, name in ((CLASS_SIZE, "xlbackprop, all sheets"), (iterations, "xlbackprop")):
            title = "all sheets" if "all" in name else "the Walkthrough alone"
            parts += [
                f"## Opening {rows:,} iterations, {title}, with shared and with plain formulas",
                table("program", readers(rows, name, runs, folder), "IronCalc loads and calculates, shared", True),
            ]
    (HERE / "RESULTS.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    typer.echo((HERE / "RESULTS.md").read_text(encoding="utf-8"))


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    typer.run(main)
