"""The table of verbs, and the command that each becomes: its module is imported only when the verb is used."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from edgekit.cli.session import App, Options

# Verb -> its line in `edgekit --help`; the code is `command` in cli/verbs/<verb>.py. The order is that of the work.
VERBS = {
    "init": "Make a folder a project, with a demo detector that runs at once.",
    "devices": "List the devices of this project.",
    "detectors": "List the detectors of this project, or show one.",
    "enroll": "Trust a device by its host key, once, before anything is sent to it.",
    "doctor": "Check this machine and its devices, and say how to mend what is wrong.",
    "provision": "Prepare a device: user, folders, Python packages, units.",
    "cameras": "Show the cameras of a device, and a test frame of each.",
    "calib": "Make, inspect, choose, check and label sets of pictures for INT8.",
    "build": "Build an engine for a detector on a device.",
    "inspect": "Show what an engine is, whether it is whole, and whether it fits a device.",
    "detect": "Run a detector over pictures, a video or a camera.",
    "deploy": "Put a detector into service on devices.",
    "status": "Show what runs on the devices.",
    "rollback": "Go back to the release before, or to another that was good.",
    "start": "Start a service that was stopped.",
    "stop": "Stop a service on a device.",
    "logs": "Show the log of a service.",
    "view": "Open the page of a service through an SSH tunnel.",
    "gc": "Delete what no release on a device needs any more.",
    "export": "Write a detector for Triton or DeepStream, or a release as an archive.",
    "bench": "Measure frames per second, latency and accuracy on a device.",
    "eval": "Measure the accuracy of an engine, overall and in each stratum, against another.",
    "sensitivity": "Find the layers that cost INT8 its accuracy, and keep them out of it.",
    "field": "Show the hard frames that a device has kept, and fetch them.",
    "refresh": "Calibrate a device anew from what its cameras see, if that is proven better.",
    "history": "Show results over time, add old ones, take in those of other tools.",
    "gate": "Fail if what was measured last is worse than a baseline, beyond noise.",
    "report": "Write a report from recorded results.",
    "forecast": "Say how likely the next releases are to meet their targets.",
}

ProjectOption = Annotated[
    Path | None, typer.Option("--project", metavar="DIR", help="The project. Default: found upwards from here.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write the result to standard output as JSON.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")]

# Given after every verb, and before it: `edgekit --json devices` is `edgekit devices --json`.
_COMMON: dict[str, tuple[Any, Any]] = {
    "project": (ProjectOption, None),
    "as_json": (JsonOption, False),
    "debug": (DebugOption, False),
}


class VerbGroup(TyperGroup):
    """The group of all verbs: knows every name and line of help, and imports a verb when it is called."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return list(VERBS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        if cmd_name not in VERBS:
            return None
        return self.commands.setdefault(cmd_name, TyperCommand(cmd_name, short_help=VERBS[cmd_name]))

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        for verb in VERBS:
            self.get_command(ctx, verb)  # the names that a typo is compared with
        name, stub, rest = super().resolve_command(ctx, args)
        if not name or stub is None:
            return name, None, rest
        normalise = getattr(_import_verb(name), "normalise_arguments", list)
        return name, load_verb(name), normalise(rest)


def load_verb(name: str) -> Any:
    """The command of a verb, made from `command(app, ...)` in its module with the common options added."""
    module = _import_verb(name)
    if hasattr(module, "COMMANDS"):
        return _load_group(name, module.HELP, module.COMMANDS)
    single = typer.Typer(add_completion=False, rich_markup_mode="rich")
    single.command(name, short_help=VERBS[name])(_with_common_options(module.command))
    return typer.main.get_command(single)


def _load_group(name: str, text: str, commands: Mapping[str, Callable[..., Any]]) -> Any:
    """A verb of several commands, from HELP and COMMANDS of its module; each command is written as `command` is."""
    group = typer.Typer(
        name=name, help=flowing(text), add_completion=False, rich_markup_mode="rich", no_args_is_help=True
    )
    for word, function in commands.items():
        group.command(word)(_with_common_options(function))
    return typer.main.get_command(group)


def flowing(text: str) -> str:
    """Help whose paragraphs are one line each, for terminals of any width; what is indented stays as it is."""
    first, *rest = [part if part.startswith(" ") else part.replace("\n", " ") for part in text.split("\n\n")]
    # Typer takes what follows the first paragraph for a docstring: with an empty line first, its indentation counts.
    return "\n\n".join([first, *(["\n" + rest[0], *rest[1:]] if rest else [])])


def _import_verb(name: str) -> Any:
    """A verb's module, which may define `normalise_arguments` for what Typer cannot express."""
    return importlib.import_module(f"edgekit.cli.verbs.{name}")


def _with_common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(app, ...)` as Typer is to see it: without `app`, which is made from the options added here."""
    signature = inspect.signature(function, eval_str=True)
    first, *own = signature.parameters.values()
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, (kind, default) in _COMMON.items()
    ]

    @functools.wraps(function)
    def call(ctx: typer.Context, **given: Any) -> Any:
        options = Options(**{name: given.pop(name) for name in _COMMON})
        return function(App.of(ctx, options), **given)

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [context, *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own), *common]
    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__doc__ = flowing(inspect.getdoc(function) or "")
    del call.__wrapped__
    assert first.name == "app", f"{function.__module__}.command: its first parameter must be app"
    return call
