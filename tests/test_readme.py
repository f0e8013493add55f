"""What the guides tell people to type exists: every verb, every option, every make target, every file linked."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app
from edgekit.cli.verb_table import VERBS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]
TEXTS = {page.name: page.read_text("utf-8") for page in PAGES}
BLOCK_LINE = re.compile(r"^ {4,}(edgekit .*)$|`(edgekit [^`]*)`", re.MULTILINE)
COMMANDS = sorted(
    {
        (one or two).split(" #")[0].split("&&")[0].strip()
        for text in TEXTS.values()
        for one, two in BLOCK_LINE.findall(text)
    }
)


def help_of(verb: str) -> str:
    result = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_the_guides_exists(command):
    """A guide that names an option of last year loses its reader at the first line."""
    words = [word for word in shlex.split(command)[1:] if word.isascii()]
    verb = next((word for word in words if not word.startswith("-")), "")
    if not verb:
        assert set(words) <= {"--install-completion", "--help", "--version"}
        return
    if verb.isupper():
        return
    assert verb in VERBS
    options = [word.split("=")[0] for word in words if word.startswith("-")]
    text = help_of(verb)
    assert [option for option in options if option not in text] == []


def test_every_make_target_in_the_guides_exists():
    targets = set(re.findall(r"\bmake ([a-z-]+)", " ".join(TEXTS.values()))) & {"demo", "test", "unit", "lint", "wheel"}
    assert {"demo", "test"} <= targets
    for target in targets:
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False)
        assert done.returncode == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", TEXTS[page.name])
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []
