"""`edgekit report --review` and what a report takes from the project, as a person types it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from edgekit.control.sets.calibration_sets import load_set, materialise
from edgekit.core.wire import to_wire
from edgekit.report.review.prices import PRICES_TEMPLATE
from tests.command_line import run_verb
from tests.made_up_sets import make_outlier_project
from tests.report.made_up import coverage, disturbed, engine, powered, result, write_document, write_results

DEVICES = "devices:\n  local:\n    kind: local\n    targets: {fps: 39, p99_ms: 10, watts: 20}\n"
PRICES = "currency: EUR\ncameras: 40\nfps_per_camera: 10\ndevice_price: 600\n"


@pytest.fixture
def measured(tmp_path):
    (tmp_path / "devices.yaml").write_text(DEVICES, encoding="utf-8")
    write_results(
        tmp_path / ".edgekit" / "results", powered(result(), 9.0), powered(result("int8", map50_95=0.494), 7.0)
    )
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess:
    return run_verb(project, "report", *arguments, timeout_s=60)


def reports(project: Path) -> list:
    return sorted(path.name for path in (project / ".edgekit" / "reports").iterdir())


def test_without_prices_the_review_says_what_is_missing(measured):
    """The first run must show what a filled-in line would bring, and no invented euro."""
    done = run(measured, "--review")
    assert done.returncode == 0, done.stderr
    assert "no prices.yaml" in done.stderr
    assert "Devices for all cameras: not computed: no fps_per_camera given, no cameras given" in done.stdout
    assert reports(measured) == ["local-roadscene-review.html"]


def test_prices_of_the_project_are_found_and_reckoned_with(measured):
    """40 cameras at 10 FPS: 1 on a device before, 3 now."""
    (measured / "prices.yaml").write_text(PRICES, encoding="utf-8")
    done = run(measured, "--review")
    assert done.returncode == 0, done.stderr
    assert "Devices for all cameras: 40 -> 14" in done.stdout
    assert "Price of the devices: 24\u202f000\u202fEUR -> 8400\u202fEUR" in done.stdout


def test_json_is_one_object_with_all_three_levels(measured):
    """A budget sheet reads it."""
    (measured / "other.yaml").write_text(PRICES, encoding="utf-8")
    done = run(measured, "--review", "--prices", str(measured / "other.yaml"), "--json", "--format", "md")
    document = json.loads(done.stdout)
    assert {"figures", "business", "team"} <= set(document)
    assert Path(document["path"]).read_text(encoding="utf-8").startswith("# roadscene on local: what it brought")


@pytest.mark.parametrize(("form", "start"), [("html", "<!doctype html>"), ("md", "# roadscene"), ("json", '{\n  "sch')])
def test_each_form_of_a_review_in_chinese(measured, form, start):
    """The form and the language that were asked for."""
    done = run(measured, "--review", "--format", form, "--lang", "zh", "--out", f"r.{form}")
    assert done.returncode == 0, done.stderr
    written = (measured / f"r.{form}").read_text(encoding="utf-8")
    assert written.startswith(start)
    assert ("业务影响" in written) == (form != "json")


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param("camera: 4\nyears: -1\n", ("camera:", "years:"), id="unknown-and-negative"),
        pytest.param("cameras: many\n", ("cameras:",), id="no-number"),
        pytest.param("hours_per_year: 9000\n", ("hours_per_year:",), id="longer-than-a-year"),
        pytest.param("device_price: .inf\n", ("device_price",), id="infinite"),
        pytest.param("- 1\n", (), id="no-mapping"),
    ],
)
def test_wrong_prices_are_named_all_at_once_and_nothing_is_written(measured, text, problems):
    """A review with half of its prices dropped in silence would be wrong by a factor."""
    (measured / "prices.yaml").write_text(text, encoding="utf-8")
    done = run(measured, "--review")
    assert done.returncode == 2
    assert all(problem in done.stderr for problem in problems)
    assert "Traceback" not in done.stderr
    assert not (measured / ".edgekit" / "reports").exists()


def test_a_named_file_of_prices_that_is_missing_is_an_error(measured):
    """A typo must not become a review without prices."""
    assert run(measured, "--review", "--prices", "nowhere.yaml").returncode == 2
    done = run(measured, "--prices", "prices.yaml")
    assert done.returncode == 2
    assert "--prices belongs to --review" in done.stderr


def test_the_template_is_written_once_and_is_good_when_filled_in(measured):
    """Uncommented as it stands it must be read; what somebody filled in must not be overwritten."""
    done = run(measured, "--review", "--init-prices")
    assert done.returncode == 0, done.stderr
    path = measured / "prices.yaml"
    assert path.read_text(encoding="utf-8") == PRICES_TEMPLATE
    again = run(measured, "--review", "--init-prices")
    assert again.returncode == 2
    assert "is there already" in again.stderr
    lines = [line[2:] if line.startswith("# ") and ":" in line else "" for line in PRICES_TEMPLATE.splitlines()[2:]]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert len(yaml.safe_load(path.read_text(encoding="utf-8"))) == 10
    filled = run(measured, "--review", "--json")
    assert filled.returncode == 0, filled.stderr
    document = json.loads(filled.stdout)
    assert [one["key"] for one in document["business"] if one["missing"]] == []


def test_targets_of_the_device_are_held_against_what_was_measured(measured):
    """Met, missed and met: said in the report, for whoever does not run bench."""
    done = run(measured, "--format", "json", "--out", "r.json")
    assert done.returncode == 0, done.stderr
    document = json.loads((measured / "r.json").read_text(encoding="utf-8"))
    found = [one["key"] for one in document["meaning"] if one["key"].startswith("target_")]
    assert found == ["target_met", "target_missed", "target_met"]
    assert document["targets"] == {"fps": 39.0, "p99_ms": 10.0, "watts": 20.0}


def test_a_broken_devices_file_costs_the_targets_and_not_the_report(measured):
    """Figures are not lost for a typo elsewhere."""
    (measured / "devices.yaml").write_text("devices:\n  local: {kind: spaceship}\n", encoding="utf-8")
    done = run(measured)
    assert done.returncode == 0, done.stderr
    assert "reported without its targets" in done.stderr


def test_coverage_that_was_found_before_is_in_the_report(measured):
    """Nobody looks at three hundred pictures again for each report."""
    write_document(measured / ".edgekit" / "cache" / "coverage" / f"{'3' * 64}.json", to_wire(coverage()))
    assert run(measured, "--format", "md", "--out", "r.md").returncode == 0
    written = (measured / "r.md").read_text(encoding="utf-8")
    assert "show nothing of: Weather: fog" in written
    assert "## Scenes that INT8 was calibrated with" in written


def test_coverage_cannot_be_looked_at_without_a_calibrated_engine(tmp_path):
    """Said, and the report is written all the same."""
    (tmp_path / "devices.yaml").write_text(DEVICES, encoding="utf-8")
    write_results(tmp_path / ".edgekit" / "results", result())
    done = run(tmp_path, "--coverage")
    assert done.returncode == 0, done.stderr
    assert "no engine of this report was calibrated" in done.stderr


def test_a_disturbed_run_is_said_to_be_one(tmp_path):
    """In the terminal too: the headline alone would pass for a figure."""
    (tmp_path / "devices.yaml").write_text(DEVICES, encoding="utf-8")
    write_results(tmp_path / ".edgekit" / "results", disturbed(result()))
    done = run(tmp_path, "--json")
    assert json.loads(done.stdout)["disturbances"] == ["the GPU was throttled for 2.1 s"]
    assert "disturbed: the GPU was throttled for 2.1 s" in run(tmp_path).stdout


def test_pictures_are_looked_at_once_and_only_if_they_are_those_of_the_engine(tmp_path):
    """Coverage of another set beside an engine's figures would explain nothing."""
    project = make_outlier_project(tmp_path)
    sha256 = materialise(project, load_set(project, "few"), lambda *_: None).sha256
    made = engine("int8", detector="tiny", calibration_sha256=sha256)
    folder = write_results(tmp_path / ".edgekit" / "results", result("int8", engine=made))
    done = run(tmp_path, "--coverage", "--format", "json", "--out", "r.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["calibration_coverage"]
    assert (found["sha256"], found["pictures"]) == (sha256, 6)
    assert run(tmp_path, "--format", "json", "--out", "again.json").returncode == 0
    again = json.loads((tmp_path / "again.json").read_text(encoding="utf-8"))
    assert again["calibration_coverage"] == found
    write_results(folder, result("int8", engine=engine("int8", detector="tiny", calibration_sha256="9" * 64)))
    other = run(tmp_path, "--coverage", "--format", "json", "--out", "other.json")
    assert "few as it is now is not what INT8 was calibrated with" in other.stderr
    assert json.loads((tmp_path / "other.json").read_text(encoding="utf-8"))["calibration_coverage"] is None
