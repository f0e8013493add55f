"""What makes room for a new frame: every stream and every stratum keeps its share."""

from __future__ import annotations

import random
from collections import Counter

from edgekit.core.collecting import CollectSettings
from edgekit.core.field_quota import Held, counts_for, disk_bytes, frames_over, frames_to_remove

MIB = 1 << 20
SETTINGS = CollectSettings(quota_mib=8, stream_share=0.5, stratum_share=0.5)


def held(name, stream="gate", stratum="light:day", mib=1.0):
    return Held(name, int(mib * MIB), stream, stratum)


def names(frames):
    return [frame.sha256 for frame in frames]


def test_nothing_goes_while_there_is_room():
    """Evidence would be thrown away for nothing."""
    assert frames_to_remove(held("new"), [held("a"), held("b")], SETTINGS) == []


def test_a_stratum_with_its_share_replaces_its_own_oldest():
    """A day of sunshine would push out the one foggy morning."""
    day = [held(f"day{number}") for number in range(4)]
    fog = [held("fog", stratum="weather:fog")]
    assert names(frames_to_remove(held("new"), fog + day, SETTINGS)) == ["day0"]


def test_a_stream_with_its_share_replaces_its_own_oldest():
    """One camera at a busy road would fill the folder alone."""
    gate = [held(f"gate{number}", stratum=f"tag:{number}") for number in range(4)]
    yard = [held("yard0", "yard"), held("yard1", "yard")]
    assert names(frames_to_remove(held("new", stratum="tag:new"), yard + gate, SETTINGS)) == ["gate0"]


def test_a_stream_with_its_share_does_not_give_up_what_it_has_little_of():
    """The one foggy morning would go because it is old."""
    gate = [held("fog", stratum="weather:fog"), *(held(f"day{number}") for number in range(3))]
    assert names(frames_to_remove(held("new", stratum="light:night"), [*gate, held("yard", "yard")], SETTINGS)) == [
        "day0"
    ]


def test_a_single_stream_may_take_everything():
    """A device with one camera would use half of what it is given."""
    frames = [held(str(number), stratum=f"tag:{number % 4}") for number in range(7)]
    assert frames_to_remove(held("new", stratum="tag:3"), frames, SETTINGS) == []


def test_a_stream_above_its_share_does_not_lose_it_at_once():
    """When a second camera is added, half of the first one's evidence would vanish with its first frame."""
    gate = [held(f"gate{number}", stratum=f"tag:{number}") for number in range(6)]
    yard = [held("yard0", "yard")]
    assert names(frames_to_remove(held("new", stratum="tag:new"), gate + yard, SETTINGS)) == ["gate0"]
    assert frames_to_remove(held("new", "yard"), gate + yard, SETTINGS) == []


def test_a_full_folder_gives_up_the_oldest_of_what_it_has_most_of():
    """The rare would go because it is old."""
    fog = [held("fog", stratum="weather:fog")]
    night = [held(f"night{number}", "road", "light:night") for number in range(3)]
    day = [held(f"day{number}", "yard") for number in range(4)]
    assert names(frames_to_remove(held("new", stratum="glare:glare"), fog + night + day, SETTINGS)) == ["day0"]


def test_a_frame_larger_than_the_quota_removes_nothing():
    """Everything would be deleted for a frame that finds no room even then."""
    assert frames_to_remove(held("new", mib=8.1), [held("a")], SETTINGS) is None


def test_a_smaller_quota_leaves_as_much_as_fits():
    """After a change of settings the folder would stay too large, or be emptied."""
    frames = [held(str(number), stratum="a" if number < 6 else "b") for number in range(8)]
    assert names(frames_over(frames, 4 * MIB)) == ["0", "1", "2", "3"]
    assert frames_over([], 0) == []


def test_whatever_comes_the_quota_holds_and_the_rare_stays():
    """A mistake in the rules shows only after hours of frames."""
    chance, frames = random.Random(5), []
    for number in range(600):
        rare = number % 100 == 0
        new = held(
            str(number),
            "yard" if rare else chance.choice(["gate", "gate", "gate", "road"]),
            "weather:fog" if rare else chance.choice(["light:day", "light:day", "light:dusk"]),
            chance.uniform(0.05, 0.4),
        )
        gone = frames_to_remove(new, frames, SETTINGS)
        frames = [frame for frame in frames if frame not in gone] + [new]
        assert sum(frame.bytes for frame in frames) <= 8 * MIB
        for key in ("stream", "stratum"):
            taken = Counter()
            for frame in frames:
                taken[getattr(frame, key)] += frame.bytes
            assert max(taken.values()) <= 4 * MIB or len(frames) < 20
    assert sum(frame.stratum == "weather:fog" for frame in frames) == 6


def test_a_frame_counts_for_what_the_set_lacks_else_for_what_is_rarest_here():
    """A foggy night of which the set has plenty of night would be one more night."""
    strata = ("light:night", "weather:fog", "class:car")
    counts = {"light:night": 3, "weather:fog": 9, "class:car": 1}
    assert counts_for(strata, lambda name: name == "weather:fog", counts) == "weather:fog"
    assert counts_for(strata, lambda name: False, counts) == "class:car"
    assert counts_for(strata, lambda name: False, {"light:night": 3}) == "weather:fog"
    assert counts_for((), lambda name: True, counts) == ""


def test_small_files_take_whole_blocks():
    """A folder of small files would be larger on the disk than its quota."""
    assert disk_bytes(1, 4096, 4097) == 4096 + 4096 + 8192
