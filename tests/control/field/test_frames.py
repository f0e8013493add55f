"""Frames come here whole or not at all, once, and only as what the device says they are."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from edgekit.control.field import frames as module
from edgekit.control.field.frames import fetched_before, kept_on_device
from edgekit.control.field.ledger import add_judged
from edgekit.control.field.limits import frame_problem
from edgekit.control.field.screen import screen
from edgekit.control.field.sets import write_field_sets
from edgekit.control.local_link import LocalLink
from edgekit.core.field import FieldAnswer, KeptFrame
from edgekit.core.scene_descriptor import SceneDescriptor
from edgekit.core.wire import to_wire
from edgekit.errors import DeviceError, UnreachableError, UsageError
from edgekit.files import sha256_file
from tests.kept_frames import NOW_S, KeptOnDevice
from tests.made_up_sets import quiet


@pytest.fixture
def device(tmp_path):
    return KeptOnDevice(tmp_path)


class Cut(LocalLink):
    """A link that breaks after so many files, in the middle of a batch."""

    left = 2

    def fetch_files(self, remote, sizes, local):
        super().fetch_files(remote, dict(list(sizes.items())[: self.left]), local)
        raise UnreachableError("the link broke")


class Noting(LocalLink):
    """Which names were asked for at one go."""

    def fetch_files(self, remote, sizes, local):
        self.asked = [*getattr(self, "asked", []), list(sizes)]
        super().fetch_files(remote, sizes, local)


class Lying(LocalLink):
    """A device whose verb `field` says what it likes."""

    frames = ()

    def call(self, verb, request, answer, on_progress=quiet):
        said = super().call(verb, request, answer, on_progress)
        return replace(said, frames=self.frames, damaged=("\x1b[2Jgone",)) if verb == "field" else said


DESCRIBED = SceneDescriptor(120.0, 40.0, 1.0, 1.8, 0.5, 20.0, 0.0, 0.0, 0.1)
HONEST = KeptFrame(
    "ab" * 32, 100, 64, 48, "gate", ("far",), ("light:day",), DESCRIBED, (), 1.5, NOW_S, "tiny", "0123456789abcdef"
)


def lying(device, *frames):
    link = Lying("local", device.project.device_root("local"))
    link.frames = frames
    return link


def fetch_over(device, link):
    return module.fetch_frames(device.project, device.device, link, quiet)


def test_frames_come_here_with_what_is_known_of_them_and_stay_on_the_device(device):
    """What a refresh is made of; a fetch that deleted would lose frames to a dying laptop."""
    kept = device.keep_scenes("night", 3)
    there = sorted(path.name for path in device.folder.iterdir())
    fetched = device.fetch()
    assert [frame.kept for frame in fetched.frames] == kept
    assert (fetched.new, fetched.refused, fetched.gone, fetched.streams) == (3, (), 0, ("gate", "yard"))
    assert all(sha256_file(frame.path) == frame.kept.sha256 for frame in fetched.frames)
    assert sorted(path.name for path in device.folder.iterdir()) == there


def test_a_second_fetch_brings_only_what_is_new(device):
    """A refresh every week must not copy half a gigabyte every week."""
    device.keep_scenes("day", 2)
    device.fetch()
    device.keep_scenes("fog", 1)
    again = device.fetch()
    assert (again.new, len(again.frames)) == (1, 3)


def test_a_fetch_that_was_cut_off_goes_on_where_it_ended(device):
    """Links to cameras on masts break; what came must count."""
    device.keep_scenes("day", 5)
    with pytest.raises(UnreachableError):
        fetch_over(device, Cut("local", device.project.device_root("local")))
    assert len(fetched_before(device.project, device.device).frames) == 2
    rest = device.fetch()
    assert (rest.new, len(rest.frames)) == (3, 5)


def test_a_frame_without_its_json_or_with_half_of_it_is_fetched_again(device):
    """The machine went down between the two files, or while one was written by something less careful."""
    device.keep_scenes("day", 2)
    first, second = (frame.path for frame in device.fetch().frames)
    first.with_suffix(".json").unlink()
    second.with_suffix(".json").write_text('{"sha256": "')
    again = device.fetch()
    assert (again.new, len(again.frames)) == (2, 2)


def test_frames_that_the_device_dropped_for_room_stay_here(device):
    """Its quota is a ring; the archive of this machine is not."""
    kept = device.keep_scenes("day", 2)
    device.fetch()
    for path in device.folder.glob(f"{kept[0].sha256}.*"):
        path.unlink()
    assert len(device.fetch().frames) == 2


def test_a_frame_that_goes_between_the_list_and_the_fetch_is_counted_and_no_error(device):
    """The service makes room whenever it must, also in the middle of a fetch."""
    kept = device.keep_scenes("day", 3)
    link = LocalLink("local", device.project.device_root("local"))
    fetch_files = link.fetch_files

    def removing(remote, sizes, local):
        for path in device.folder.glob(f"{kept[2].sha256}.*"):
            path.unlink()
        fetch_files(remote, sizes, local)

    link.fetch_files = removing
    fetched = fetch_over(device, link)
    assert (fetched.new, fetched.gone, fetched.refused) == (2, 1, ())


@pytest.mark.parametrize(
    ("lie", "why"), [({"bytes": 100}, "size"), ({"bytes": 1 << 20}, "size"), ({"sha256": "ab" * 32}, "digest")]
)
def test_a_picture_that_is_not_what_its_json_says_is_not_kept(device, lie, why):
    """A torn or exchanged file must be known before anything decodes it."""
    kept = device.keep_scenes("day", 1)[0]
    told = replace(kept, **lie)
    if "sha256" in lie:
        shutil.copy(device.folder / f"{kept.sha256}.jpg", device.folder / f"{told.sha256}.jpg")
    fetched = fetch_over(device, lying(device, told))
    assert [one.why for one in fetched.refused] == [why]
    assert fetched.frames == ()
    assert not (fetched.folder / ".arriving").exists() and not list(fetched.folder.glob("*.jpg"))


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ({"sha256": "../../../../etc/passwd"}, "no SHA-256"),
        ({"sha256": "AB" * 32}, "no SHA-256"),
        ({"stream": "../../up"}, "no name of a camera"),
        ({"stream": "a\x1b[2J"}, "no name of a camera"),
        ({"service": "other"}, "service 'other'"),
        ({"bytes": 1 << 40}, "bytes"),
        ({"bytes": 0}, "bytes"),
        ({"width_px": 65535}, "px"),
        ({"height_px": -1}, "px"),
        ({"time_unix_s": 9e12}, "cannot be"),
        ({"time_unix_s": -1.0}, "cannot be"),
        ({"strata": ("light:day",) * 5000}, "5000 strata"),
        ({"strata": ("tag:" + "x" * 5000,)}, "no name"),
        ({"reasons": ("far\x1b]0;owned",)}, "no name"),
        ({"engine_id": "\u202e"}, "no name"),
    ],
)
def test_a_description_that_no_service_writes_is_known(lie, said):
    """Its words become names of files, tags of sets and lines in terminals."""
    problem = frame_problem(replace(HONEST, **lie), "tiny")
    assert said in problem
    assert problem.isprintable()


def test_an_honest_description_is_fetched():
    assert frame_problem(HONEST, "tiny") == ""


def test_a_frame_with_a_wrong_description_is_not_even_fetched(device):
    kept = device.keep_scenes("day", 1)[0]
    link = lying(device, replace(kept, sha256="../../../../etc/passwd"))
    link.fetch_files = lambda remote, sizes, local: sizes and pytest.fail(f"fetched {sizes}")
    fetched = fetch_over(device, link)
    assert [(one.why, one.sha256) for one in fetched.refused] == [("foreign", "")]
    assert fetched.damaged == ("?[2Jgone",)
    listed = kept_on_device(link, "tiny", quiet)
    assert (listed.frames, len(listed.refused)) == ((), 1)


def test_a_device_that_answers_in_another_form_is_named(device):
    """A newer or older edgekit there must not look like a fault of ours."""
    link = lying(device)
    link.call = lambda verb, request, answer, on_progress: module.from_wire(FieldAnswer, {"folder": 3})
    with pytest.raises(DeviceError, match="not known here"):
        fetch_over(device, link)


def test_frames_that_cannot_be_read_there_are_an_error_if_none_comes(device):
    """Rights on a device go wrong; "nothing new" every week would hide it for ever."""
    device.keep_scenes("day", 2)
    link = device.link

    def refused(remote, sizes, local):
        raise DeviceError(f"{remote} cannot be read", why="Permission denied")

    link.fetch_files = refused
    with pytest.raises(DeviceError, match="2 frames that local has kept cannot be read there"):
        fetch_over(device, link)


def test_one_frame_that_cannot_be_read_there_is_told_and_does_not_stop_the_others(device):
    kept = device.keep_scenes("day", 4)
    picture = device.folder / f"{kept[1].sha256}.jpg"
    content = picture.read_bytes()
    picture.unlink()
    picture.mkdir()
    fetched = fetch_over(device, lying(device, *kept))
    assert (fetched.new, [(one.why, one.sha256) for one in fetched.refused]) == (3, [("not fetched", kept[1].sha256)])
    picture.rmdir()
    picture.write_bytes(content)
    result = screen(device.project, fetched, device.detector, quiet)
    write_field_sets(device.project, device.device, device.detector, result, quiet)
    assert device.fetch().new == 1, "it is asked for again"


def test_one_larger_frame_of_a_batch_costs_itself_alone(device):
    """One torn file on a device must not keep away the rest of its frames for ever."""
    kept = device.keep_scenes("day", 3)
    with (device.folder / f"{kept[1].sha256}.jpg").open("ab") as stream:
        stream.write(b"grown")
    fetched = fetch_over(device, lying(device, *kept))
    assert [frame.kept for frame in fetched.frames] == [kept[0], kept[2]]
    assert [(one.why, one.sha256, one.stream) for one in fetched.refused] == [("size", kept[1].sha256, "gate")]
    assert f"at most {kept[1].bytes}" in fetched.refused[0].detail


def test_frames_come_in_batches_with_progress_after_each(device, monkeypatch):
    """A frame for each call took a third of a second over SSH: a minute and a half for a full device."""
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    device.keep_scenes("day", 5)
    link, told = Noting("local", device.project.device_root("local")), []
    fetched = module.fetch_frames(device.project, device.device, link, lambda *what: told.append(what))
    assert [len(names) for names in link.asked] == [2, 2, 1]
    assert [event for event in told if event[0] == "fetch frames of local"] == [
        ("fetch frames of local", done, 5) for done in (2, 4, 5)
    ]
    assert fetched.new == 5


def test_what_a_killed_fetch_left_behind_goes_and_is_no_frame(device):
    """It would lie there for ever, or be taken for a picture that was checked."""
    kept = device.keep_scenes("day", 1)[0]
    left = module.field_folder(device.project, "local", "tiny") / ".arriving" / f"{kept.sha256}.jpg"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    assert fetched_before(device.project, device.device).frames == ()
    assert device.fetch().new == 1
    assert not left.parent.exists()
    left.parent.mkdir()
    assert device.fetch().new == 0
    assert not left.parent.exists(), "also if there is nothing to fetch"


def test_a_disk_that_would_be_filled_is_refused_before_the_first_frame(device, monkeypatch):
    """A fleet that keeps frames for years must not stop the machine that looks after it."""
    device.keep_scenes("day", 1)
    usage = shutil.disk_usage(device.folder)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage._replace(total=1 << 40, free=100 << 20))
    with pytest.raises(UsageError, match="less than 5 %"):
        device.fetch()


def test_a_device_that_never_kept_a_frame_has_none(device):
    shutil.rmtree(device.folder)
    fetched = device.fetch()
    assert (fetched.frames, fetched.new, fetched.refused) == ((), 0, ())


def test_a_frame_that_was_refused_for_its_content_is_not_fetched_every_time(device):
    """Its bytes will not get better, and counting it in every batch would condemn batches that are well."""
    kept = device.keep_scenes("day", 1)[0]
    told = replace(kept, sha256="ab" * 32)
    shutil.copy(device.folder / f"{kept.sha256}.jpg", device.folder / f"{told.sha256}.jpg")
    fetched = fetch_over(device, lying(device, told))
    add_judged(fetched.folder, [(one.sha256, one.why) for one in fetched.refused])
    assert fetch_over(device, lying(device, told)).refused == ()


def test_json_that_is_nested_or_huge_on_this_machine_is_no_frame(device):
    """What lies here may have been put here by an older version, or by hand."""
    device.keep(np.full((180, 320, 3), 90, np.uint8))
    fetched = device.fetch()
    for content in ("[" * 100_000, json.dumps(to_wire(fetched.frames[0].kept)) + " " * (5 << 20)):
        (fetched.folder / f"{'cd' * 32}.json").write_text(content)
        assert len(fetched_before(device.project, device.device).frames) == 1
