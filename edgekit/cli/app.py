"""The frame of the command line: options before the verb, errors, exit codes, Ctrl-C. The verbs are in `verbs`."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import edgekit
from edgekit.cli import INSTALL_HINT
from edgekit.cli.console import Console, hush_broken_pipe
from edgekit.cli.session import Options
from edgekit.cli.verb_table import DebugOption, JsonOption, ProjectOption, VerbGroup
from edgekit.errors import EdgekitError, UsageError

_HELP = """From an ONNX detector and a list of Jetsons to a running, measured detection service.

Start here, without a Jetson:

    edgekit init demo
    cd demo
    edgekit doctor
    edgekit deploy --device local

Every verb explains itself: edgekit VERB --help
"""

INTERRUPTED = 130
UNEXPECTED = 1


class Frame(VerbGroup):
    """Runs a verb and turns whatever happens into a message and an exit code."""

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> None:
        """Run the command line and exit. The codes are those in edgekit.errors."""
        arguments = list(sys.argv[1:] if args is None else args)
        extra.pop("standalone_mode", None)
        console = Console(as_json="--json" in arguments, debug="--debug" in arguments)
        try:
            outcome = super().main(args=arguments, prog_name=prog_name, standalone_mode=False, **extra)
            sys.stdout.flush()
        except Exception as error:
            sys.exit(_report(error, console))
        sys.exit(outcome if isinstance(outcome, int) else 0)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the verb; Ctrl-C ends here, before Typer makes an anonymous exit of it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            Console().note("interrupted")
            return INTERRUPTED


app = typer.Typer(
    cls=Frame,
    help=_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"edgekit {edgekit.__version__}\n")
        raise typer.Exit()


@app.callback()
def _options(
    ctx: typer.Context,
    project: ProjectOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    ctx.obj = Options(project, as_json, debug)


def _report(error: Exception, console: Console) -> int:
    """Tell of an error; the exit code it stands for."""
    if isinstance(error, EdgekitError):
        if console.debug:
            traceback.print_exception(error)
        console.error(error)
        return error.exit_code
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("edgekit"):
        console.error(UsageError(f"the Python package {error.name!r} is missing", hint=INSTALL_HINT))
        return UsageError.exit_code
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        hush_broken_pipe()
        return UNEXPECTED
    if hasattr(error, "format_message"):
        return _report_usage(error, console)
    return _report_unexpected(error, console)


def _report_usage(error: Any, console: Console) -> int:
    """A wrong command line, as Typer found it: the base class of these is not public in every version of Typer."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return UsageError.exit_code
    context = getattr(error, "ctx", None)
    hint = f"{context.command_path} --help" if context else "edgekit --help"
    # Typer passes pydantic's words on, and these begin with the name of an exception.
    console.error(UsageError(error.format_message().replace(": Value error, ", ": "), hint=hint))
    return UsageError.exit_code


def _report_unexpected(error: Exception, console: Console) -> int:
    """A mistake of ours, or a full disk: one line for people, and the traceback in a file or, with --debug, shown."""
    line = traceback.format_exception_only(error)[-1].strip()
    if isinstance(error, OSError):
        console.error(EdgekitError(f"the system refused: {line}", hint="the same command with --debug shows where"))
    elif console.debug:
        traceback.print_exception(error)
        console.error(EdgekitError(f"unexpected error: {line}", why="this is a mistake in edgekit"))
    else:
        saved = _save_traceback(error)
        where = f"the traceback is in {saved}" if saved else "the same command with --debug shows where"
        console.error(EdgekitError(f"unexpected error: {line}", why="this is a mistake in edgekit", hint=where))
    return UNEXPECTED


def _save_traceback(error: Exception) -> Path | None:
    text = "".join(traceback.format_exception(error))
    try:
        descriptor, name = tempfile.mkstemp(prefix="edgekit-error-", suffix=".txt", text=True)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(f"edgekit {edgekit.__version__}, Python {sys.version}\narguments: {sys.argv[1:]}\n\n{text}")
    except OSError:
        return None
    return Path(name)
