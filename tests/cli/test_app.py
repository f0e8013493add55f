"""The frame: what goes where, with which exit code, and how fast."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
from typer.testing import CliRunner

import edgekit
from edgekit.cli.app import app
from edgekit.cli.verb_table import VERBS
from edgekit.errors import BuildError, EngineMismatchError, TargetMissedError

ROOT = Path(edgekit.__file__).parents[1]


def run(*arguments, cwd=ROOT, **environment):
    """The real program in a real process."""
    return subprocess.run(
        [sys.executable, "-m", "edgekit", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def verb(monkeypatch):
    """Puts a function in the place of the verb `status` and runs it through the frame."""

    def use(command, *arguments):
        module = types.ModuleType("edgekit.cli.verbs.status")
        command.__module__ = module.__name__
        module.command = command
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return CliRunner().invoke(app, ["status", *arguments])

    return use


def test_help_names_every_verb_and_imports_none():
    """--help is the first thing typed and must not wait for OpenCV."""
    code = (
        "import sys\nsys.argv = ['edgekit', '--help']\nfrom edgekit.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'cv2', 'onnx', 'onnxruntime', 'pydantic', 'yaml', 'jinja2', 'matplotlib'}\n"
        "sys.stderr.write(' '.join(sorted(heavy & set(sys.modules))))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in VERBS:
        assert re.search(rf"\b{name}\b", done.stdout), name
    assert done.stderr == ""


@pytest.mark.timed
def test_help_comes_within_the_promised_time():
    """0.3 s is the goal; the best of five leaves out the other programs of a busy machine."""
    times_s = []
    for _ in range(5):
        start = time.perf_counter()
        run("--help")
        times_s.append(time.perf_counter() - start)
    assert min(times_s) < 0.3


@pytest.mark.parametrize("name", sorted(VERBS))
def test_every_verb_that_exists_explains_itself_with_examples(name):
    """Help without an example is half a help; --json is promised on all."""
    result = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    assert "Examples:" in result.output
    assert f"edgekit {name}" in result.output
    assert "--json" in result.output


def test_help_fills_the_lines_of_any_terminal_and_indents_examples():
    """Lines broken where the source has them leave half lines between whole ones."""
    narrow = CliRunner().invoke(app, ["doctor", "--help"], env={"COLUMNS": "80"}).output
    assert "Of each device" in " ".join(narrow.split())
    prose = [line.strip() for line in narrow.split("Examples:")[0].splitlines() if line.strip()]
    assert not [line for line in prose if len(line) < 20]
    assert "\n     edgekit status\n" in re.sub(" +\n", "\n", CliRunner().invoke(app, ["status", "--help"]).output)


def test_the_version():
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"edgekit {edgekit.__version__}\n")


def test_no_verb_shows_the_help_and_fails():
    done = run()
    assert done.returncode == 2
    assert "Usage" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["devics"], "Did you mean 'devices'?"), (["devices", "--foo"], "--foo"), (["devices", "extra"], "extra")],
)
def test_a_wrong_command_line_exits_with_2_and_one_object(arguments, said):
    """A script that reads --json must find JSON even then."""
    plain = run(*arguments)
    assert (plain.returncode, plain.stdout) == (2, "")
    assert said in plain.stderr
    assert "--help" in plain.stderr
    as_json = run(*arguments, "--json") if arguments[0] == "devices" else run("--json", *arguments)
    assert as_json.returncode == 2
    assert json.loads(as_json.stdout)["error"]["kind"] == "UsageError"


@pytest.mark.parametrize("error", [BuildError("no"), EngineMismatchError("no"), TargetMissedError("no")])
def test_errors_keep_their_exit_code(verb, error):
    """Scripts and CI tell causes apart by these numbers."""

    def command(app):
        """Fail."""
        raise error

    result = verb(command)
    assert result.exit_code == error.exit_code
    assert result.stdout == ""


def test_an_error_answers_what_why_and_what_to_type(verb):
    def command(app):
        """Fail."""
        raise BuildError("it [did] not", why="because\nof this", hint="edgekit doctor\nedgekit build")

    result = verb(command, "--json")
    assert result.stderr == ("error: it [did] not\n  because\n  of this\n  try: edgekit doctor\n       edgekit build\n")
    assert json.loads(result.stdout) == {
        "error": {
            "kind": "BuildError",
            "what": "it [did] not",
            "why": "because\nof this",
            "hint": "edgekit doctor\nedgekit build",
        }
    }


def test_a_verb_may_choose_its_exit_code(verb):
    def command(app) -> int:
        """Say three."""
        return 3

    assert verb(command).exit_code == 3


def test_options_before_and_after_the_verb_mean_the_same(verb, tmp_path):
    (tmp_path / "devices.yaml").write_text("devices: {local: {kind: local}}")
    before = CliRunner().invoke(app, ["--json", "--project", str(tmp_path), "devices"])
    after = CliRunner().invoke(app, ["devices", "--project", str(tmp_path), "--json"])
    assert before.exit_code == after.exit_code == 0
    assert json.loads(before.stdout) == json.loads(after.stdout)
    assert [device["name"] for device in json.loads(after.stdout)["devices"]] == ["local"]


def test_ctrl_c_exits_with_130_and_says_so(verb):
    def command(app):
        """Wait."""
        raise KeyboardInterrupt

    result = verb(command)
    assert result.exit_code == 130
    assert result.stderr == "interrupted\n"


def test_a_mistake_of_ours_is_one_line_and_a_file(verb, tmp_path, monkeypatch):
    """A traceback in the terminal helps nobody; a lost one helps nobody either."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def command(app):
        """Divide."""
        return 1 // 0

    result = verb(command)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    (saved,) = tmp_path.glob("edgekit-error-*.txt")
    assert str(saved) in result.stderr
    assert "ZeroDivisionError" in saved.read_text()


def test_debug_shows_the_traceback(verb, capfd):
    def command(app):
        """Divide."""
        return 1 // 0

    result = verb(command, "--debug")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError" in result.stderr


def test_a_full_disk_is_no_mistake_of_ours(verb):
    def command(app):
        """Write."""
        raise OSError(28, "No space left on device")

    result = verb(command)
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert "mistake" not in result.stderr


def test_a_missing_host_package_is_one_line_with_the_pip_command(tmp_path):
    """A bare wheel has no typer and no pydantic; a traceback would look like a broken kit."""
    for package in ("typer", "pydantic"):
        folder = tmp_path / package
        folder.mkdir()
        (folder / f"{package}.py").write_text(f"raise ModuleNotFoundError('no', name='{package}')")
        done = run("devices", PYTHONPATH=f"{folder}:{ROOT}")
        assert done.returncode == 2, done
        assert f"'{package}' is missing" in done.stderr
        assert 'pip install "edgekit[host,local]"' in done.stderr
        assert "Traceback" not in done.stderr


def test_a_closed_pipe_is_quiet():
    """`edgekit ... | head -1` is no reason for a traceback."""
    command = f"{sys.executable} -m edgekit devices --json | true"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_colours_only_on_a_terminal():
    assert "\x1b" not in run("--help").stdout
    assert "\x1b" not in run("devices").stdout
    assert "\x1b" not in run("detectors", "nothing").stderr


def test_progress_in_a_pipe_is_plain_lines(verb):
    """A log file is not a terminal: no carriage returns, no bars."""

    def command(app):
        """Work."""
        with app.console.progress() as on_progress:
            for done in range(1001):
                on_progress("calibrating", done, 1000)
        app.console.result({"done": True}, "done")

    result = verb(command)
    assert result.stderr.splitlines() == ["calibrating: 0/1000", "calibrating: 1000/1000"]
    assert result.stdout == "done\n"


def test_shell_completion_knows_verbs_and_names(tmp_path):
    """Names are completed from the project, and a broken project completes nothing instead of failing."""
    (tmp_path / "devices.yaml").write_text("devices: {local: {kind: local}}")
    (tmp_path / "detectors/roadscene").mkdir(parents=True)
    (tmp_path / "detectors/roadscene/detector.yaml").touch()

    def complete(words):
        variables = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "_EDGEKIT_COMPLETE": "complete_bash"}
        return run(cwd=tmp_path, **variables).stdout.split()

    assert complete("edgekit det") == ["detectors", "detect"]
    assert complete("edgekit detectors ro") == ["roadscene"]
    (tmp_path / "devices.yaml").write_text("{{{")
    assert complete("edgekit deploy --device lo") == []
