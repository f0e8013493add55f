"""The shape of the code: who may import whom, what device code may use, and what must not be anywhere."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Set, Tuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "edgekit"

DIRECTIONS = """
    package    may import from edgekit                            and beside the standard library
    errors     nothing                                            nothing
    files      errors                                             nothing
    core       errors core                                        numpy; no files, clock, environment, logs or processes
    scenes     errors files core scenes                           numpy cv2
    runtime    errors files core scenes runtime                   numpy cv2; onnx and onnxruntime in ort/ alone
    bootstrap  nothing                                            nothing; Python 3.6
    control    errors files core scenes bootstrap control         anything; fabric and paramiko in ssh/ alone
    report     errors files core report                           jinja2 PIL numpy; sqlalchemy in history/ alone
    cli        errors files core scenes control report cli        typer rich click
"""
MAY_IMPORT: Dict[str, Set[str]] = {
    "errors": set(),
    "files": {"errors"},
    "core": {"errors", "core"},
    "scenes": {"errors", "files", "core", "scenes"},
    "runtime": {"errors", "files", "core", "scenes", "runtime"},
    "bootstrap": set(),
    "control": {"errors", "files", "core", "scenes", "bootstrap", "control"},
    "report": {"errors", "files", "core", "report"},
    "cli": {"errors", "files", "core", "scenes", "control", "report", "cli"},
}
THIRD_PARTY: Dict[str, Set[str]] = {
    "errors": set(),
    "files": set(),
    "bootstrap": set(),
    "core": {"numpy"},
    "scenes": {"numpy", "cv2"},
    "runtime": {"numpy", "cv2"},
    "report": {"jinja2", "PIL", "numpy"},
    "cli": {"typer", "rich", "click"},
}
# Each back end is imported in the modules named after it, so that the rest runs on a board that lacks it. So is SSH:
# what it takes to trust a host is settled in one place.
BACK_ENDS = {
    "fabric": ("control/ssh/*.py",),
    "paramiko": ("control/ssh/*.py",),
    "onnxruntime": ("runtime/ort/*.py", "control/reference.py", "control/sets/embeddings.py"),
    "onnx": ("runtime/ort/*.py", "control/*.py", "control/*/*.py"),
    "google": ("runtime/ort/*.py", "control/*.py", "control/*/*.py"),  # protobuf, whose errors onnx raises
    "tensorrt": ("runtime/trt/*.py",),
    "pycuda": ("runtime/trt/*.py", "runtime/cuda/*.py"),
    "paho": ("runtime/mqtt_link.py",),
    "sqlalchemy": ("report/history/*.py",),
}
DEVICE = ("errors", "files", "core", "scenes", "runtime")
IMPURE = {
    "os",
    "io",
    "pathlib",
    "time",
    "datetime",
    "logging",
    "subprocess",
    "socket",
    "tempfile",
    "shutil",
    "threading",
}
HEAVY = (
    "numpy",
    "cv2",
    "onnx",
    "onnxruntime",
    "matplotlib",
    "jinja2",
    "pydantic",
    "faster_coco_eval",
    "PIL",
    "yaml",
    "fabric",
    "paramiko",
    "sqlalchemy",
    "psycopg",
)

if sys.version_info < (3, 10):
    pytest.skip("the host reads the code; device Python runs it", allow_module_level=True)

SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "data" not in path.relative_to(PACKAGE).parts)
TREES = {path: ast.parse(path.read_text(encoding="utf-8"), str(path)) for path in SOURCES}


def layer(path: Path) -> str:
    """errors, core, cli ..., or "" for edgekit/__init__.py and __main__.py."""
    parts = path.relative_to(PACKAGE).parts
    name = parts[0] if len(parts) > 1 else path.stem
    return name if name in MAY_IMPORT else ""


def where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def imports(path: Path) -> Iterator[Tuple[ast.AST, str]]:
    """Every imported module, absolute, also those inside functions and under TYPE_CHECKING."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = path.relative_to(ROOT).with_suffix("").parts[: -node.level]
                base = ".".join([*parts, base]).rstrip(".")
            if base == "edgekit":
                yield from ((node, f"edgekit.{alias.name}") for alias in node.names)
            else:
                yield node, base


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(TREES[path]) if isinstance(node, ast.Call))


def called_name(call: ast.Call) -> str:
    return ast.unparse(call.func)


def refuse(found: List[str], rule: str) -> None:
    assert not found, "\n".join([rule, *found, DIRECTIONS])


def test_packages_import_only_in_the_drawn_direction():
    """Host and device code would grow together, and neither could be installed without the other."""
    found = [
        f"{where(path, node)}: {layer(path)} imports {name}"
        for path in SOURCES
        for node, name in imports(path)
        if layer(path) and name.startswith("edgekit.") and name.split(".")[1] not in ("__version__", "py")
        if name.split(".")[1] not in MAY_IMPORT[layer(path)]
    ]
    refuse(found, "an import against the direction:")


def test_the_drawing_says_what_the_test_checks():
    """A drawing that is out of date misleads everyone who reads a failure."""
    drawn = {line.split()[0]: line[15:62].split() for line in DIRECTIONS.strip().splitlines()[1:]}
    assert {name: sorted(set(allowed) - {"nothing"}) for name, allowed in drawn.items()} == {
        name: sorted(allowed) for name, allowed in MAY_IMPORT.items()
    }


def test_packages_use_only_the_libraries_drawn_for_them():
    """A convenient import in core or runtime is a package that every board must then have."""
    found = []
    for path in SOURCES:
        for node, name in imports(path):
            top = name.split(".")[0]
            if layer(path) not in THIRD_PARTY or top in sys.stdlib_module_names or top in ("edgekit", *BACK_ENDS):
                continue
            if top not in THIRD_PARTY[layer(path)]:
                found.append(f"{where(path, node)}: {layer(path)} imports {name}")
    refuse(found, "a library that is not for this package:")


def test_each_back_end_is_imported_in_its_own_modules():
    """Differences between releases are settled in one place; everything else runs without the library."""
    found = [
        f"{where(path, node)}: imports {name}"
        for path in SOURCES
        for node, name in imports(path)
        if name.split(".")[0] in BACK_ENDS
        and not any(path.relative_to(PACKAGE).match(pattern) for pattern in BACK_ENDS[name.split(".")[0]])
    ]
    refuse(found, "a back end outside its modules:")


def test_core_touches_nothing_outside_itself():
    """Pure code is tested in milliseconds and behaves alike on both machines."""
    found = [
        f"{where(path, node)}: imports {name}"
        for path in SOURCES
        for node, name in imports(path)
        if layer(path) == "core" and name.split(".")[0] in IMPURE
    ]
    found += [
        f"{where(path, call)}: calls {called_name(call)}"
        for path in SOURCES
        for call in calls(path)
        if layer(path) == "core" and called_name(call) in ("open", "print", "input")
    ]
    refuse(found, "core is pure:")


DEVICE_SOURCES = [path for path in SOURCES if layer(path) in DEVICE]


@pytest.mark.parametrize("path", DEVICE_SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_device_code_is_python_3_8(path):
    """JetPack 5 has 3.8; one new construct and no board of that generation starts."""
    source = path.read_text(encoding="utf-8")
    ast.parse(source, str(path), feature_version=(3, 8))
    found = [f"{where(path, call)}: {reason}" for call in calls(path) for reason in _newer_than_38(call)]
    names = {
        alias.name
        for node in TREES[path].body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for alias in node.names
    }
    if "annotations" not in names and any(
        isinstance(node, (ast.AnnAssign, ast.FunctionDef)) for node in ast.walk(TREES[path])
    ):
        found.append(f"{path.relative_to(ROOT)}: lacks `from __future__ import annotations`")
    refuse(found, "newer than Python 3.8:")


def _newer_than_38(call: ast.Call) -> Iterator[str]:
    name = called_name(call)
    keywords = {keyword.arg for keyword in call.keywords}
    if name != "os.readlink" and name.endswith(
        (".removeprefix", ".removesuffix", ".is_relative_to", ".readlink", ".with_stem", ".bit_count")
    ):
        yield name
    if name == "zip" and "strict" in keywords:
        yield "zip(strict=)"
    if name in ("dataclass", "dataclasses.dataclass") and keywords & {"slots", "kw_only"}:
        yield "dataclass(slots= or kw_only=)"


BOOTSTRAP_SOURCES = [path for path in SOURCES if layer(path) == "bootstrap"]
SINCE_3_7 = ("dataclasses", "contextvars", "importlib.metadata", "importlib.resources", "graphlib", "zoneinfo")


@pytest.mark.parametrize("path", BOOTSTRAP_SOURCES, ids=lambda path: path.stem)
def test_bootstrap_scripts_are_python_3_6(path):
    """JetPack 4 has 3.6: such a board is to be refused with the reason, not with a syntax error."""
    ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 7))
    found = [f"{where(path, node)}: {name}" for node, name in imports(path) if name in (*SINCE_3_7, "__future__")]
    found += [f"{where(path, call)}: {reason}" for call in calls(path) for reason in _newer_than_36(call)]
    refuse(found, "newer than Python 3.6:")
    if PYTHON_3_6 is not None:
        compiled = f"compile(open({str(path)!r}, encoding='utf-8').read(), {path.name!r}, 'exec')"
        assert subprocess.run([PYTHON_3_6, "-c", compiled], check=False).returncode == 0


PYTHON_3_6 = next(
    (str(path) for path in Path("~/.pyenv/versions").expanduser().glob("3.6.*/bin/python")), shutil.which("python3.6")
)


def _newer_than_36(call: ast.Call) -> Iterator[str]:
    yield from _newer_than_38(call)
    name, keywords = called_name(call), {keyword.arg for keyword in call.keywords}
    if name.startswith("subprocess.") and keywords & {"capture_output", "text"}:
        yield "subprocess with capture_output= or text="
    if "missing_ok" in keywords or "dirs_exist_ok" in keywords:
        yield "missing_ok= or dirs_exist_ok="
    if name in ("shlex.join", "time.time_ns", "contextlib.nullcontext", "asyncio.run", "math.prod", "math.isqrt"):
        yield name
    if name.endswith((".fromisoformat", ".isascii")):
        yield name


def test_nothing_runs_text_as_code_or_through_a_shell():
    """Files come from other machines: a pickle, an eval or a shell would let one of them run commands here."""
    forbidden = {
        "eval",
        "exec",
        "os.system",
        "os.popen",
        "pickle.load",
        "pickle.loads",
        "yaml.load",
        "yaml.unsafe_load",
    }
    allowed = {"yaml_files.py": "yaml.load"}  # with its own subclass of SafeLoader
    found = []
    for path in SOURCES:
        found += [
            f"{where(path, node)}: imports {name}"
            for node, name in imports(path)
            if name.split(".")[0] in ("pickle", "cPickle", "dill", "shelve", "marshal")
        ]
        for call in calls(path):
            given = {keyword.arg: keyword.value for keyword in call.keywords}
            if called_name(call) in forbidden - {allowed.get(path.name)}:
                found.append(f"{where(path, call)}: {called_name(call)}")
            for argument in ("shell", "allow_pickle"):
                if argument in given and not (isinstance(given[argument], ast.Constant) and not given[argument].value):
                    found.append(f"{where(path, call)}: {argument}=")
    refuse(found, "runs data as code:")


def test_the_command_line_starts_without_heavy_libraries():
    """`edgekit --help` and shell completion answer within 0.3 s only if nothing of these is imported."""
    script = f"import sys, edgekit.cli.app\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    assert _output(script) == "", "imported by edgekit.cli.app"


def test_no_verb_imports_heavy_libraries_before_it_runs():
    """Help for one verb must not wait for OpenCV or ONNX."""
    paths = [path.relative_to(ROOT).with_suffix("") for path in (PACKAGE / "cli").rglob("*.py")]
    modules = sorted(".".join(path.parts) for path in paths if path.name != "__init__")
    script = (
        "import sys, importlib\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"print(*[name for name in {tuple(set(HEAVY) - {'numpy', 'yaml', 'pydantic'})!r} if name in sys.modules])"
    )
    assert _output(script) == "", "imported by a module of edgekit.cli"


def _output(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_no_file_of_the_repository_names_a_folder_of_one_machine():
    """A path that exists on one computer only is a command that fails on every other."""
    machine_path = re.compile(r"(?<![\w.<{])/(?:" + "|".join(("work", "root", "home")) + r")/[\w.]")
    found = []
    for path in _repository_files():
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(text.splitlines(), start=1)
            if machine_path.search(line)
        ]
    assert not found, "\n".join(["a folder of one machine:", *found])


def _repository_files() -> List[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name]
