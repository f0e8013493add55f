"""Runs the verb bench on an engine that is a stand-in, on whatever machine the tests run."""

from __future__ import annotations

import pytest

from edgekit.core.preflight import Preflight, Setting
from edgekit.core.requests import BenchRequest
from edgekit.runtime.bench.run import run_bench

PREFLIGHT = Preflight(settings=(Setting("clocks", "vary"), Setting("governor", "schedutil")), busy_pct=3.0)


@pytest.fixture(name="benching")
def _benching(monkeypatch):
    """run(engine, scenario, on_progress=, **request) -> BenchAnswer. The preflight, a second of its own, is made up."""

    def run(engine, scenario, on_progress=lambda *_: None, **options):
        monkeypatch.setattr("edgekit.runtime.bench.session.load_engine", lambda *_, **__: engine)
        monkeypatch.setattr("edgekit.runtime.bench.run.read_preflight", lambda: PREFLIGHT)
        settings = {"warmup_frames": 3, "duration_s": 0.5, "scenario": scenario, **options}
        return run_bench(BenchRequest("x", engine.detector, **settings), None, on_progress)

    return run
