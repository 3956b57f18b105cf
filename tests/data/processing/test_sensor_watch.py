"""When somebody is told that a sensor is silent or cannot be believed."""

from __future__ import annotations

from collections.abc import Callable

from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.data.processing.sensor_watch import MOST_WATCHED, LastHeard, SensorWatch, WatchRounds
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import AlertCondition, Quality, SensorDescriptor, Verdict
from dt.utils.quantities import Quantity
from tests.data.readings import NOW, make_descriptor, make_reading

GOOD, DOUBT = Quality(verdict=Verdict.GOOD), Quality(verdict=Verdict.SUSPECT, check="stuck", why="20 for 3 h")
SENSORS = {"air-t": make_descriptor(read_interval=10.0, name="Air")}
Eventually = Callable[[Callable[[], object], str], None]


def watching() -> SensorWatch:
    """Return a watch that knows one sensor, read every ten seconds."""
    return SensorWatch(SENSORS.get)


def hear(
    watch: SensorWatch, since: float, seconds: float, quality: Quality = GOOD, **more: object
) -> list[AlertCondition]:
    """Let readings come every ten seconds, and return all that was said meanwhile."""
    said = []
    for step in range(int(seconds / 10)):
        watch.hear(make_reading(timestamp=since + 10 * step, quality=quality.to_dict(), **more), 10.0)
        said += watch.conditions(since + 10 * step)
    return said


def active(said: list[AlertCondition]) -> list[tuple[str, bool]]:
    """Return kind and state of what was said."""
    return [(condition.key.partition(":")[0], condition.active) for condition in said]


def test_sensor_that_falls_silent_is_told_after_ten_pauses_and_again_every_minute() -> None:
    """A few misses are ordinary; who starts later hears of what is still so."""
    watch = watching()
    hear(watch, NOW, 100)

    soon, late = watch.conditions(NOW + 150), watch.conditions(NOW + 200)
    again = watch.conditions(NOW + 230), watch.conditions(NOW + 265)

    assert soon == []
    assert active(late) == [("sensor_silent", True)]
    assert "Air (air-t) is silent for 110 s" in late[0].description
    assert late[0].advice
    assert late[0].zone_id == "box"
    assert [len(said) for said in again] == [0, 1]


def test_silence_ends_only_when_readings_keep_coming() -> None:
    """One reading of a loose contact is no recovery."""
    watch = watching()
    hear(watch, NOW, 100)
    watch.conditions(NOW + 300)

    said = hear(watch, NOW + 310, 60)

    ended = [condition for condition in said if not condition.active and condition.key.startswith("sensor_silent")]
    assert [condition.timestamp for condition in ended] == [NOW + 340]


def test_readings_that_are_doubted_for_long_are_told_with_the_reason() -> None:
    """Ten minutes of doubt, and ten good minutes before all is well."""
    watch = watching()
    hear(watch, NOW, 700)

    doubted = hear(watch, NOW + 700, 1000, DOUBT)
    well = hear(watch, NOW + 1700, 1000)

    first = next(condition for condition in doubted if condition.active)
    assert first.key == "sensor_doubtful:air-t"
    assert 600 <= first.timestamp - (NOW + 700) <= 750
    assert "stuck, 20 for 3 h" in first.description
    [end] = [condition for condition in well if not condition.active]
    assert end.timestamp - (NOW + 1700) >= 600


def test_short_doubt_says_nothing() -> None:
    """Five minutes pass without a word."""
    watch = watching()
    hear(watch, NOW, 700)

    said = hear(watch, NOW + 700, 300, DOUBT) + hear(watch, NOW + 1000, 1000)

    assert not [condition for condition in said if condition.active]


def test_history_and_late_readings_say_nothing() -> None:
    """Only what is live and in time raises anything."""
    watch = watching()

    said = hear(watch, NOW, 2000, DOUBT, origin="backfill") + hear(watch, NOW, 2000, DOUBT, late=True)

    assert not [condition for condition in said if condition.active]


def test_sensor_that_nobody_registered_any_more_is_not_missed() -> None:
    """Who takes a sensor out of the rig does not want to hear of it."""
    watch = SensorWatch({}.get)
    hear(watch, NOW, 100)

    assert [c for c in watch.conditions(NOW + 5000) if c.active] == []


def test_restart_of_the_stack_gives_the_collector_time() -> None:
    """Silence counts from when this process took the sensor over, and then it is told."""
    watch = watching()
    watch.begin([LastHeard("air-t", Quantity.TEMPERATURE, "box", NOW - 90_000, 10.0)], NOW)

    soon, late = watch.conditions(NOW + 50), watch.conditions(NOW + 150)

    assert not [condition for condition in soon if condition.active]
    assert active(late)[-1] == ("sensor_silent", True)


def taken_over(at: float, cadence_s: float = 10.0) -> SensorWatch:
    """Return the watch of a process that began at NOW, with what the state knows of the sensor."""
    watch = watching()
    watch.begin([LastHeard("air-t", Quantity.TEMPERATURE, "box", at, cadence_s)], NOW)
    return watch


def rounds(watch: SensorWatch, seconds: float) -> list[AlertCondition]:
    """Return all that is said from NOW on while nothing comes."""
    return [said for step in range(int(seconds / 5)) for said in watch.conditions(NOW + 5.0 * step)]


def test_restart_does_not_end_a_silence_that_goes_on() -> None:
    """Silent for an hour, then processing was killed: nothing came, so nobody may say that it is well."""
    said = rounds(taken_over(NOW - 3600.0), 2000)

    assert said
    assert all(condition.active for condition in said)


def test_readings_that_waited_in_the_log_do_not_end_a_silence() -> None:
    """They were taken before this process began."""
    watch = taken_over(NOW - 3600.0)
    for step in range(20):
        watch.hear(make_reading(timestamp=NOW - 1800.0 + 10 * step, quality=GOOD.to_dict(), late=True), 10.0)

    assert [condition.active for condition in rounds(watch, 120)] == [True]


def test_restart_ends_a_silence_once_readings_come() -> None:
    """What the run before has told of a sensor that is well now must not stay for ever."""
    watch = taken_over(NOW - 3600.0)

    said = hear(watch, NOW + 20, 100)

    assert [(c.key, c.active, c.timestamp) for c in said] == [("sensor_silent:air-t", False, NOW + 50)]


def test_clock_that_is_set_back_ends_no_silence() -> None:
    """Less time has passed, and still nothing came."""
    watch = watching()
    hear(watch, NOW, 100)
    watch.conditions(NOW + 300)

    said = [condition for step in range(60) for condition in watch.conditions(NOW - 600 + 5 * step)]

    assert all(condition.active for condition in said)


def test_restart_does_not_end_a_doubt_before_readings_show_it() -> None:
    """Nine readings of a slow sensor, as bad as before, or none at all: neither says that it is well."""
    slow, mute = taken_over(NOW - 120.0, 120.0), taken_over(NOW - 120.0, 120.0)

    said = rounds(mute, 1000)
    for step in range(60):
        slow.hear(make_reading(timestamp=NOW + 120.0 * step, quality=DOUBT.to_dict()), 120.0)
        said += slow.conditions(NOW + 120.0 * step)

    doubts = [condition for condition in said if condition.key.startswith("sensor_doubtful")]
    assert doubts
    assert all(condition.active for condition in doubts)


def test_restart_leaves_a_doubt_that_is_halfway() -> None:
    """A third of doubted readings ends nothing that was told, whichever process told it."""
    watch = taken_over(NOW - 10.0)

    said: list[AlertCondition] = []
    for step in range(200):
        said += hear(watch, NOW + 10 * step, 10, GOOD if step % 3 else DOUBT)

    assert not [condition for condition in said if condition.key.startswith("sensor_doubtful")]


def test_what_was_told_of_a_sensor_that_was_taken_out_meanwhile_ends() -> None:
    """It will never be heard again, and its alerts must not stay for ever; the registry gets time to be read."""
    watch = SensorWatch({}.get)
    watch.begin([LastHeard("air-t", Quantity.TEMPERATURE, "box", NOW - 3600.0, 10.0)], NOW)

    said = rounds(watch, 1000)

    assert sorted(active(said)) == [("sensor_doubtful", False), ("sensor_silent", False)]
    assert all("no longer registered" in condition.description for condition in said)
    assert min(condition.timestamp for condition in said) >= NOW + 600


def test_zone_that_went_to_another_process_is_not_missed_here() -> None:
    """After a rebalance only the sensors of the own partitions are watched."""
    watch = watching()
    hear(watch, NOW, 100)

    watch.begin([], NOW + 100)

    assert watch.conditions(NOW + 5000) == []


def test_clock_that_is_set_back_ends_no_patience() -> None:
    """A wall clock that jumps back by a day neither tells nor forgets."""
    watch = watching()
    hear(watch, NOW, 700)
    hear(watch, NOW + 700, 300, DOUBT)

    said = watch.conditions(NOW - 86_400)

    assert not [condition for condition in said if condition.active]


def test_a_sensor_is_watched_on_after_a_clock_that_stood_decades_ahead() -> None:
    """What was heard in 2049 must not outweigh what is heard today: neither doubt nor silence would be told again."""
    doubted, silent = watching(), watching()
    for watch in (doubted, silent):
        hear(watch, NOW, 300)
        hear(watch, NOW + 22 * 365 * 86_400.0, 300)

    said = hear(doubted, NOW + 600, 1500, DOUBT)
    silent.conditions(NOW + 600)

    assert active(said)[-1] == ("sensor_doubtful", True)
    assert active(silent.conditions(NOW + 900)) == [("sensor_silent", True)]


def test_sensors_taken_over_while_the_clock_stood_ahead_are_missed_when_it_is_back() -> None:
    """Silence counts from when the clock came back."""
    watch = watching()
    ahead = NOW + 22 * 365 * 86_400.0
    watch.begin([LastHeard("air-t", Quantity.TEMPERATURE, "box", ahead, 10.0)], ahead)

    watch.conditions(NOW)

    assert active(watch.conditions(NOW + 300)) == [("sensor_silent", True)]


def test_rounds_publish_for_the_plants_key_and_only_while_the_log_is_read(eventually: Eventually) -> None:
    """Behind the log, silence means nothing."""
    clock, current = ManualClock(), [False]
    messaging = MemoryMessaging(clock)
    descriptor: SensorDescriptor = make_descriptor("soil", "soil_moisture", plant_id="basil", read_interval=1.0)
    watch = SensorWatch({"soil": descriptor}.get)
    watch.hear(make_reading("soil", "soil_moisture", 0.3, plant_id="basil", timestamp=NOW - 500), 1.0)
    rounds = WatchRounds(watch, messaging, clock, lambda: current[0])
    stop = rounds.start()

    clock.advance(30.0)
    nothing = messaging.read_all(Topics.ALERT_CONDITIONS)
    current[0] = True

    def told() -> bool:
        clock.advance(5.0)
        return bool(messaging.read_all(Topics.ALERT_CONDITIONS))

    eventually(told, "the condition is published")
    stop()
    record = messaging.read_all(Topics.ALERT_CONDITIONS)[0]
    assert nothing == []
    assert record.key == "basil"
    assert AlertCondition.from_json(record.value or b"").key == "sensor_silent:soil"
    messaging.close()


def test_sensors_beyond_the_bound_are_forgotten_the_silent_ones_first() -> None:
    """Made up ids cannot grow the watch for ever."""
    watch = watching()
    for number in range(MOST_WATCHED + 10):
        watch.hear(make_reading(f"stranger-{number}", timestamp=NOW + number), 10.0)

    assert len(watch._watched) <= MOST_WATCHED
    assert (f"stranger-{MOST_WATCHED + 9}", Quantity.TEMPERATURE) in watch._watched
    assert ("stranger-0", Quantity.TEMPERATURE) not in watch._watched
