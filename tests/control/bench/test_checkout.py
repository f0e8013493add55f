"""Commit and branch of a project, by a real git."""

from __future__ import annotations

import re
import subprocess

import pytest

from edgekit.control.bench.checkout import Checkout, read_checkout

NOBODY = ("-c", "user.name=Anna", "-c", "user.email=anna@example.org", "-c", "commit.gpgsign=false")


def git(folder, *arguments):
    subprocess.run(["git", "-C", str(folder), *NOBODY, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    """On the branch main, with one commit and a tag."""
    git(tmp_path, "init", "-b", "main")
    (tmp_path / "devices.yaml").write_text("devices: {}\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    git(tmp_path, "tag", "-a", "v1.0", "-m", "first")
    return tmp_path


def test_commit_and_branch_are_those_of_the_checkout_and_no_tag_hides_them(repository):
    """A gate finds its baseline by them."""
    found = read_checkout(repository, {"GITHUB_REF_NAME": "other"})
    assert found.branch == "main" and found.commit is not None
    assert re.fullmatch(r"[0-9a-f]{12}", found.commit)
    git(repository, "switch", "-c", "faster/decode")
    assert read_checkout(repository, {}) == Checkout(found.commit, "faster/decode")


def test_files_that_nobody_committed_mark_the_commit(repository):
    """A figure of code that exists nowhere cannot be repeated."""
    (repository / "devices.yaml").write_text("devices: {local: {kind: local}}\n")
    assert str(read_checkout(repository, {}).commit).endswith("-dirty")


@pytest.mark.parametrize(
    ("environment", "branch"),
    [
        ({}, None),
        ({"GITHUB_HEAD_REF": "fix", "GITHUB_REF_NAME": "12/merge"}, "fix"),
        ({"GITHUB_HEAD_REF": "", "GITHUB_REF_NAME": "main"}, "main"),
        ({"CI_COMMIT_REF_NAME": "fix"}, "fix"),
        ({"BRANCH_NAME": "fix"}, "fix"),
    ],
)
def test_what_a_pipeline_checks_out_has_its_branch_from_the_pipeline(repository, environment, branch):
    """There the head is detached, and every result would be of no branch."""
    git(repository, "checkout", "--detach")
    assert read_checkout(repository, environment).branch == branch


def test_without_a_repository_or_git_nothing_is_known(tmp_path, monkeypatch):
    """A project need not lie in one."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert read_checkout(tmp_path, {"GITHUB_REF_NAME": "main"}) == Checkout(None, None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_checkout(tmp_path, {}) == Checkout(None, None)
