"""The command line: one file per command, each light until it is used."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from backbones import download
from benchmark.cli import (
    convert,
    doctor,
    export,
    label,
    listing,
    match,
    plan,
    prepare,
    pretrain,
    report,
    run,
    speed,
    vocabulary,
    whole_suite,
)
from benchmark.cli.options import (
    RESULTS,
    DataOption,
    DebugOption,
    DownloadOption,
    JobsOption,
    PretrainingSeedsOption,
    ResultsOption,
    RetryOption,
    SeedsOption,
    Switches,
    WeightsOption,
)
from benchmark.suites.suite import DEFAULT_SUITE
from common.errors import JobFailed, UserError, one_line
from common.interrupt import Stopped
from common.terminal import prepare as prepare_terminal
from common.terminal import printable

UsageError = typer.BadParameter.__base__  # click's; some versions of typer have a click of their own

app = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def suite(
    context: typer.Context,
    suite: Annotated[
        str, typer.Option("--suite", help="Name or file of a suite; see list suites.")
    ] = DEFAULT_SUITE,
    results: ResultsOption = RESULTS,
    seeds: SeedsOption = None,
    pretraining_seeds: PretrainingSeedsOption = None,
    data: DataOption = [],  # noqa: B006 (typer copies it)
    weights: WeightsOption = None,
    retry_failed: RetryOption = False,
    jobs: JobsOption = None,
    download: DownloadOption = False,
    debug: DebugOption = False,
) -> None:
    """Is the cheaply pre-trained backbone as good as the expensive one?

    Without a command: prepare the data, pre-train, transfer every backbone to every task, and show the table.
    What is done already is not done again; a stopped run goes on where it was.

    Example: [bold]python run_suite.py --suite smoke --results /tmp/results[/bold]
    """
    if context.invoked_subcommand is None:
        repeats = (seeds, pretraining_seeds)
        whole_suite.command(suite, Path(results), *repeats, data, retry_failed, jobs, weights)


app.command("run")(run.command)
app.command("plan")(plan.command)
app.command("list")(listing.command)
app.command("pretrain")(pretrain.command)
app.command("prepare")(prepare.command)
app.command("label")(label.command)
app.command("vocabulary")(vocabulary.command)
app.command("match")(match.command)
app.command("speed")(speed.command)
app.command("report")(report.command)
app.command("convert")(convert.command)
app.command("export")(export.command)
app.command("doctor")(doctor.command)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: instead of the program's own.

    Returns:
        The exit code: 0; 1 when a cell or a process failed; 2 for an error of the user, in one line; 130 when
        stopped.
    """
    prepare_terminal()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    Switches.debug = False
    permission = os.environ.get(download.VARIABLE)
    try:
        _check_words(sys.argv[1:] if arguments is None else arguments)
        code = app(args=arguments, prog_name="run_suite.py", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except UsageError as error:
        command = error.ctx.command_path if error.ctx else "run_suite.py"
        return _refuse(error, f"{one_line(error.format_message())} (python {command} --help)")
    except UserError as error:
        return _refuse(error, one_line(error))
    except JobFailed as error:
        return _refuse(error, one_line(error), 1)
    except OSError as error:
        if error.errno is None:  # none of the system's
            raise
        return _refuse(error, f"{error.filename or 'writing'}: {error.strerror}")
    except (KeyboardInterrupt, Stopped, typer.Abort):
        print("stopped; what is finished is kept, the same command goes on from here", file=sys.stderr)
        return 130
    finally:  # --download holds for this call alone
        os.environ.pop(download.VARIABLE, None)
        if permission is not None:
            os.environ[download.VARIABLE] = permission


def _check_words(words: list[str]) -> None:
    """Refuse names that are no text: they could stand in no record, table or page.

    Raises:
        UserError: one of the words of the command line is no UTF-8.
    """
    for word in words:
        if any("\ud800" <= character <= "\udfff" for character in word):
            raise UserError(f"{word}: this is no UTF-8: rename the file or folder")


def _refuse(error: Exception, message: str, code: int = 2) -> int:
    if Switches.debug:
        raise error
    print(f"error: {printable(message)}", file=sys.stderr)
    return code
