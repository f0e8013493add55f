"""What is looked at beside the frames: whose power it is, and when."""

from __future__ import annotations

import time

import pytest

from edgekit.core.machine_samples import MachineSamples
from edgekit.core.power_curve import PowerSample, curve_of_samples
from edgekit.runtime.bench.watch import Watch
from tests.fakes import FakeEngine

MEMORY = "memory://?width=128&height=96&frames=3"


class Sampler:
    """A power sensor by which the machine draws 2 W for a moment, and 10 W from then on."""

    sensor = "INA3221"
    busy_after_s = 0.15

    def __init__(self, every_s):
        self.every_s, self.began_s, self.marked, self.looks, self.ended = every_s, time.monotonic(), [], 0, False
        Sampler.latest = self

    def start(self):
        pass

    def look(self):
        self.looks += 1

    def mark(self, start_s, end_s):
        self.marked.append((start_s, end_s))

    def samples_so_far(self):
        steps = range(round((time.monotonic() - self.began_s + 1) * 100))
        power = [PowerSample(self.began_s + n / 100, 2.0 if n < 100 * self.busy_after_s else 10.0) for n in steps]
        return MachineSamples(
            power=curve_of_samples(power),
            windows=tuple(self.marked),
            every_s=0.01,
            of="module input",
            sensor=self.sensor,
        )

    def stop(self):
        self.ended = True
        return self.samples_so_far()


@pytest.fixture(autouse=True)
def _sampler(monkeypatch):
    monkeypatch.setattr("edgekit.runtime.bench.watch.MachineSampler", Sampler)


def test_energy_is_of_the_frames_that_were_counted(benching):
    """The engine alone takes turns with the pipeline: its energy in the pipeline's frames would double their cost."""
    measured = benching(FakeEngine(delay_s=0.002), "pipeline", source=MEMORY, idle_s=0.1, duration_s=0.4).measurement
    counted_s = sum(end - start for start, end in Sampler.latest.marked)
    assert measured.energy.frames == measured.frames
    assert measured.energy.sampled_s == pytest.approx(counted_s, rel=0.01)
    assert measured.energy.joules == pytest.approx(10 * counted_s, rel=0.02)
    assert counted_s == pytest.approx(0.4, rel=0.3)
    assert (measured.energy.mean_w, measured.power_mean_w) == pytest.approx((10.0, 10.0), rel=0.02)
    assert Sampler.latest.ended


def test_the_idle_machine_is_measured_first(benching):
    """What a frame costs beyond a device that is only switched on needs that device's power."""
    told = []
    energy = benching(
        FakeEngine(), "soak", lambda *event: told.append(event[0]), source=MEMORY, idle_s=0.1, duration_s=0.3
    ).measurement.energy
    assert energy.idle_w == pytest.approx(2.0, rel=0.05)
    assert told.index("measuring the idle machine") < min(
        number for number, what in enumerate(told) if what.startswith("soaking")
    )


def test_without_a_sensor_nobody_waits_for_an_idle_machine(benching, monkeypatch):
    """Two seconds of every run would be spent on nothing."""
    monkeypatch.setattr(Sampler, "sensor", "")
    started_s = time.monotonic()
    with Watch(0.1) as watch:
        watch.idle(5.0, lambda *_: None)
    assert time.monotonic() - started_s < 2


def test_energy_of_streams_is_of_the_most_of_them(benching):
    """The energy of one stream, and of two, divided by the frames of two, would be no figure of anything."""
    measured = benching(FakeEngine(), "streams", source=MEMORY, streams=2, duration_s=0.3).measurement
    first, second = Sampler.latest.marked
    assert measured.energy.sampled_s == pytest.approx(second[1] - second[0], rel=0.02)
    assert measured.energy.frames == measured.frames
    assert first[1] <= second[0]


def test_every_counted_window_has_a_look_at_both_ends(benching):
    """A gap between samples that reaches over an edge makes the energy uncertain."""
    benching(FakeEngine(), "pipeline", source=MEMORY, duration_s=0.3)
    assert Sampler.latest.marked
    assert Sampler.latest.looks == 2 * len(Sampler.latest.marked) + 2  # those of the idle machine
