"""`ampfix report`: what graded runs add up to, compared with each other."""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampfix.cli._common import CommandError, Exit
from ampfix.cli._lab import output

if TYPE_CHECKING:
    from ampfix.agents.grading import Graded
    from ampfix.agents.summary import Comparison, Summary


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "report",
        help="sum up graded runs and compare them",
        description="Sum up runs that `eval` or `grade --out` left: pass@k, pass^k, intervals, families, pressures, "
        "and the paired difference of each two runs. Nothing is run.",
    )
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="a folder with results.jsonl, or the file; with --html also a folder of `watch`",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with every distinct answer")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write one row for each answer")
    parser.add_argument("--scenarios-dir", type=Path, metavar="DIR", help="where the scenarios lie")
    parser.add_argument("--output-format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument("--output-file", type=Path, metavar="FILE", help="write the result there instead of stdout")


def run(args: argparse.Namespace) -> int:
    """Read results, sum them up, write what was asked for."""
    if args.html is not None and len(args.runs) == 1 and any(args.runs[0].glob("watch-*.jsonl")):
        return _draw_watched(args.runs[0], args.html)
    from ampfix.agents.summary import EvalReport, compare, summarise
    from ampfix.lab.spec import SpecError, all_specs

    try:
        families = {spec.id: spec.family for spec in all_specs(args.scenarios_dir)}
    except SpecError as error:
        raise CommandError(str(error)) from error
    found = [run for path in args.runs for run in _runs(path)]
    names, results = [name for name, _ in found], [graded for _, graded in found]
    summaries = [summarise(name, graded, families) for name, graded in zip(names, results, strict=True)]
    comparisons: list[Comparison] = []
    for one, other in combinations(range(len(results)), 2):
        compared = compare(summaries[one], summaries[other], results[one], results[other], families)
        comparisons += [compared] if compared is not None else []
    _write_files(args, summaries, results, comparisons, families)
    with output(args) as stream:
        if args.output_format == "json":
            report = EvalReport(runs=tuple(summaries), comparisons=tuple(comparisons))
            stream.write(report.to_json() + "\n")
            return Exit.OK
        from ampfix.report import eval_text

        for summary in summaries:
            eval_text.write_summary(summary, stream)
        for comparison in comparisons:
            eval_text.write_comparison(comparison, stream)
    return Exit.OK


def _draw_watched(folder: Path, path: Path) -> int:
    """The page of a record that `watch` left, such as one of a run that was killed. Raises CommandError."""
    from ampfix.cli._page import write_page
    from ampfix.report import watch_html

    try:
        page = watch_html.render(folder)
    except (OSError, ValueError) as error:
        raise CommandError(str(error)) from error
    write_page(path, page)
    return Exit.OK


def _write_files(
    args: argparse.Namespace,
    summaries: Sequence[Summary],
    results: Sequence[Sequence[Graded]],
    comparisons: Sequence[Comparison],
    families: dict[str, str],
) -> None:
    """The page and the table, each in one move. Raises CommandError."""
    from ampfix.report import eval_csv, eval_html

    texts: dict[Path, str] = {}
    if args.html is not None:
        texts[args.html] = eval_html.render(summaries, results, comparisons)
    if args.csv is not None:
        table = io.StringIO()
        eval_csv.write(zip([each.agent for each in summaries], results, strict=True), families, table)
        texts[args.csv] = table.getvalue()
    for path, text in texts.items():
        _write(path, text)


def _write(path: Path, text: str) -> None:
    from ampfix import atomic

    try:
        atomic.write(path, text.encode())
    except OSError as error:
        raise CommandError(f"{path}: cannot be written: {error.strerror}") from error


def _read(path: Path) -> list[Graded]:
    """Raises CommandError."""
    from ampfix.agents.results import ResultsError, read_results

    try:
        found = list(read_results(path))
    except OSError as error:
        raise CommandError(f"{error.filename or path}: cannot be read: {error.strerror}") from error
    except ResultsError as error:
        raise CommandError(str(error)) from error
    if not found:
        raise CommandError(f"{path}: holds no result")
    return found


def _runs(path: Path) -> list[tuple[str, list[Graded]]]:
    """The runs in one place, each with its agent's name: a file may hold the answers of several.

    Lines that name nobody belong to the only agent, or else to one called after the folder. Raises CommandError.
    """
    found = _read(path)
    named = list(dict.fromkeys(each.key.model for each in found if each.key.model))
    if len(named) == 1:
        return [(named[0], found)]
    runs: dict[str, list[Graded]] = {}
    folder = (path if path.is_dir() else path.parent).resolve().name
    for graded in found:
        runs.setdefault(graded.key.model or folder, []).append(graded)
    return list(runs.items())
