"""The pictures of the demo's past: those that its camera would have taken then, one per hour, as backfill."""

from __future__ import annotations

from pathlib import Path

from dt.communication.frames import frame_from_headers
from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.data.database.frame_thinning import FramePolicy, FrameRow, frames_to_remove
from dt.operations.demo_history import live_through, prepared_box
from dt.operations.demo_pictures import PICTURE_EVERY_S, Album, Moment
from dt.simulator.chips.camera import draw
from dt.simulator.from_rig import box_spec
from dt.utils.clock import ManualClock, SystemClock
from dt.utils.dataclasses import Origin
from dt.utils.rig import load_rig

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_800_000_000.0
RIG = load_rig(ROOT / "rig.toml")
SPEC = box_spec(RIG)


def moments_of(days: float, silent_until: float = 0.0) -> list[Moment]:
    """Return the moments of a past of which pictures are drawn."""
    box, since = prepared_box(SPEC, RIG, days, NOW)
    return live_through(box, RIG, since, NOW, silent_until)[1]


def test_a_picture_of_the_past_is_the_one_that_the_camera_would_have_taken(messaging: MemoryMessaging) -> None:
    """To the byte: drawn later, from numbers that were kept, and published on the camera's own way."""
    box, since = prepared_box(SPEC, RIG, 0.1, NOW)
    seen = []
    for step in range(3):
        box.advance(since + step * PICTURE_EVERY_S)
        seen.append(draw(box, "box"))

    sent = Album(SPEC, moments_of(0.1), RIG.sensors, messaging, SystemClock()).publish()

    records = messaging.read_all(Topics.CAMERA_IMAGE.raw)
    frames = [frame_from_headers(record.headers) for record in records]
    assert sent == 3
    assert [record.value for record in records] == seen[::-1]
    assert [frame.timestamp for frame in frames] == [since + step * PICTURE_EVERY_S for step in (2, 1, 0)]
    assert {(frame.origin, frame.sensor_id, frame.width) for frame in frames} == {(Origin.BACKFILL, "camera", 640)}


def test_the_policy_keeps_every_picture_of_the_demos_past() -> None:
    """What is drawn is what thinning would have left: nothing is drawn to be thrown away."""
    moments = moments_of(1.5)
    rows = [FrameRow(index, "camera", moment.timestamp, str(index), False) for index, moment in enumerate(moments)]

    assert len(rows) == 36
    assert frames_to_remove(rows, NOW, FramePolicy()) == []


def test_a_kept_demo_draws_only_the_time_since() -> None:
    """What an earlier run stored is there."""
    moments = moments_of(0.3, silent_until=NOW - 1.5 * PICTURE_EVERY_S)

    assert len(moments) == 2
    assert moments[0].timestamp >= NOW - 1.5 * PICTURE_EVERY_S


def test_an_album_ends_when_it_is_told(messaging: MemoryMessaging) -> None:
    """Ctrl-C does not wait for two weeks of pictures."""
    album = Album(SPEC, moments_of(0.3), RIG.sensors, messaging, ManualClock())

    album.stop()

    assert album.publish() == 0
