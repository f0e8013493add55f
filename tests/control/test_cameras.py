"""What of a device's cameras comes to this machine: names, pictures, one sheet of all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from edgekit.control.cameras import SHEET_NAME, look_at_cameras, named_cameras
from edgekit.control.contact_sheet import TILE_PX, draw_sheet
from edgekit.control.inventory import Device
from edgekit.control.local_link import LocalLink
from edgekit.core.cameras import CameraLook
from edgekit.core.service import StreamSettings
from edgekit.errors import UsageError

SCENE = "scenes://?width=320&height=192&fps=20"


def device(*streams):
    return Device("yard", "local", "roadscene", "roadscene", streams)


def quiet(what, done, total):
    """Nobody wants to see it."""


def look(name, condition="ok", **changes):
    return replace(CameraLook(name, "rtsp://cam/1", True, condition), **changes)


def test_cameras_keep_their_names_and_given_addresses_get_some():
    """A picture under another name than the zone editor's would be of the wrong camera."""
    entry = device(StreamSettings("csi://0", "gate"), StreamSettings("rtsp://u:p@10.0.0.7/1", "10.0.0.7"))
    found = named_cameras(entry, ["rtsp://10.0.0.7/2", "csi://0", "csi://1", "csi://1"])
    assert [camera.name for camera in found] == ["gate", "10.0.0.7", "10.0.0.7-2", "csi-1"]
    assert found[2].uri == "rtsp://10.0.0.7/2"


def test_a_single_camera_without_a_name_gets_one():
    """Its picture would be a file called ".jpg"."""
    assert [camera.name for camera in named_cameras(device(StreamSettings("csi://0")), [])] == ["csi-0"]


def test_a_mistyped_address_is_refused_before_anything_is_connected_and_hides_its_password():
    """It would travel to the device and come back ten seconds later."""
    with pytest.raises(UsageError) as refusal:
        named_cameras(device(StreamSettings("csi://0")), ["rtsp://admin:hunter22@cam/1?fps=fast"])
    assert "fps: expected a number" in str(refusal.value) and "hunter22" not in str(refusal.value)


def test_pictures_come_here_and_old_ones_never_pass_for_new(tmp_path):
    """Yesterday's picture of a camera that is dead today looks well."""
    link, folder = LocalLink("yard", tmp_path / "device"), tmp_path / "pictures"
    both = (StreamSettings(SCENE, "drawn"), StreamSettings(f"{tmp_path}/none.mp4", "gone"))
    folder.mkdir()
    for old in ("gone.jpg", "drawn.jpg", SHEET_NAME):
        (folder / old).write_bytes(b"old")
    (folder / "notes.txt").write_text("of the user")
    report = look_at_cameras(link, both, folder, 5.0, quiet)
    assert [(item.name, item.picture) for item in report.looks] == [("drawn", str(folder / "drawn.jpg")), ("gone", "")]
    assert [item.name for item in report.missing] == ["gone"]
    assert sorted(path.name for path in folder.iterdir()) == [SHEET_NAME, "drawn.jpg", "notes.txt"]
    with Image.open(folder / "drawn.jpg") as picture, Image.open(report.sheet) as sheet:
        assert picture.size == (320, 192) and sheet.width > 2 * TILE_PX[0]
    assert list((tmp_path / "device").iterdir()) == []
    report = look_at_cameras(link, both[1:], folder, 5.0, quiet)
    assert report.sheet is None and not (folder / SHEET_NAME).exists()


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (5, 3, 2), (17, 4, 5)])
def test_a_sheet_has_room_for_all_and_shows_pictures_in_their_shape(tmp_path, count, columns, rows):
    """A camera that is not on the sheet is one that nobody looks at."""
    path = tmp_path / "a.jpg"
    Image.new("RGB", (100, 200), (0, 200, 0)).save(path)
    looks = [look(f"cam{number}", picture=str(path), width_px=100, height_px=200) for number in range(count - 1)]
    looks.append(look("last", "black", picture=str(path), detail="the picture is black " * 9))
    assert draw_sheet(looks, tmp_path / "sheet.jpg")
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert columns * TILE_PX[0] < sheet.width < columns * (TILE_PX[0] + 20)
        assert rows * TILE_PX[1] < sheet.height < rows * (TILE_PX[1] + 70)
        green = [x for x in range(sheet.width) if sheet.getpixel((x, 180))[1] > 150 > sheet.getpixel((x, 180))[0]]
    assert len(green) == pytest.approx(columns * TILE_PX[1] / 2, abs=8)  # 135 of 270 rows: twice as high as wide


def test_without_any_picture_there_is_no_sheet(tmp_path):
    """A sheet of grey tiles, opened in a viewer, says less than the table."""
    assert not draw_sheet([look("a", "failed")], tmp_path / "sheet.jpg")
    assert not Path(tmp_path / "sheet.jpg").exists()
