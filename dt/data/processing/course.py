"""What is remembered of one series of readings: of fixed size, whatever comes, advanced by one reading at a time."""

from __future__ import annotations

import msgspec

from dt.data.processing.arrival import Arrival, is_taken, take
from dt.data.processing.thresholds import Thresholds
from dt.utils.dataclasses import Quality, SensorData, Verdict

_RECENT = 32
_BACK_BELIEVED = 5
SHORT_S = 60.0  # limits of change hold for a minute, and for anything shorter
LEARNT_S = 86_400.0  # a day shows a sensor's calm and its restless hours
_NOISE_OVER = 15.0  # readings
_STEPS_OVER = 50.0  # readings
_RUNS_FORGOTTEN_S = 7 * 86_400.0
_PATIENCE_S = 600.0
_RUN_GAP_S, _RUN_GAP = 1800.0, 10.0  # pauses: without readings, or with a clock that jumped, no value is known to stand
_CLIP = 6.0
_NOISE_CLIP = 4.0
_DAYS = 5
_HOUR_S, _HOURS = 3600.0, 24
_BRIGHT = 10.0  # times darkness
_BRIGHT_MOST = 7
_SMOOTH_S = 900.0
_SHARP_PER_MIN = 0.12  # of the rise that would be suspicious
_RISE_GAP_S = 5400.0
_SHARP = 1.0  # of it: the level still follows
_LOW_FORGOTTEN_S = 86_400.0


class Noise(msgspec.Struct, array_like=True):
    """Mean second difference of the last readings, and the highest of each day."""

    now: float = 0.0
    step: float = 0.0
    today: float = 0.0
    day: int = 0
    days: list[float] = []

    def usual(self) -> float | None:
        """Return the highest of the past days; None on the first day."""
        return max(self.days, default=None)


class Rise(msgspec.Struct, array_like=True):
    """A smoothed level above its last low, and whether water came in between."""

    level: float = 0.0
    low: float = 0.0
    low_at: float = 0.0
    sharp_at: float = -1.0  # when it last rose as water does

    @property
    def height(self) -> float:
        """Return how far the level has risen slowly."""
        return self.level - self.low


class Course(msgspec.Struct, array_like=True):
    """One series: its last reading, the last possible value, and running measures of how it usually goes."""

    boot_id: str = ""
    spans: list[tuple[int, int]] = []  # sequence numbers taken of this boot
    recent: list[float] = []  # the last instants of a sensor that does not count
    scale: str = ""  # unit and calibration: another one begins a new level
    time: float = -1.0
    last: float = 0.0
    quality: Quality | None = None
    back: int = 0  # readings in a row whose clock stands before the last one's
    count: int = 0  # possible values so far
    since: float = 0.0
    at: float = 0.0  # when the last possible value was
    value: float = 0.0
    raw: float = 0.0
    even: float = 0.0
    cadence_s: float = 0.0
    step: float = 0.0
    steps: float = 0.0  # mean size of a step
    changing: float = 1.0  # share of readings that differ from the one before
    run: int = 0  # readings with the same raw value before this one
    run_since: float = 0.0
    longest_run_s: float = 0.0
    offset: float = 0.0  # sum of steps that nothing explains
    offset_at: float = 0.0
    jumped: float = 0.0  # the last large rise that could be water
    jumped_at: float = 0.0
    doubted: SensorData | None = None  # the last reading, where the next one shows whether it was a spike
    hour: int = -1  # of light: the hour in hand, its darkest reading,
    darkest: float = 0.0
    bright: list[int] = []  # and of each hour of the day, on how many days in a row it was never dark
    noise: Noise = msgspec.field(default_factory=Noise)
    rise: Rise = msgspec.field(default_factory=Rise)

    @property
    def _is_stuck(self) -> bool:
        return self.quality is not None and self.quality.check == "stuck"

    @property
    def learnt(self) -> bool:
        """Return whether a whole day is behind this series."""
        return self.at - self.since >= LEARNT_S

    def arrival_of(self, reading: SensorData) -> Arrival:
        """Return how a reading comes."""
        if reading.timestamp > self.time:
            return Arrival.NEXT
        if reading.timestamp == self.time:
            return Arrival.SAME
        if not reading.boot_id or reading.boot_id != self.boot_id or not self.spans:
            return Arrival.REPEATED if reading.timestamp in self.recent else Arrival.LATE
        if reading.sequence > self.spans[-1][1]:
            return Arrival.BACK
        return Arrival.REPEATED if is_taken(self.spans, reading.sequence) else Arrival.LATE

    def note(self, reading: SensorData, quality: Quality) -> None:
        """Remember that a reading was taken in order, whatever it is worth."""
        self.time = reading.timestamp
        self.last = reading.value
        self.quality = quality
        self.back = 0
        self.note_number(reading)

    def note_number(self, reading: SensorData) -> None:
        """Remember which reading it was; the numbers of another boot are forgotten."""
        if not reading.boot_id:
            self.recent.append(reading.timestamp)
            del self.recent[:-_RECENT]
            return
        if reading.boot_id != self.boot_id:
            self.boot_id, self.spans = reading.boot_id, []
        take(self.spans, reading.sequence)

    def note_back(self, reading: SensorData) -> None:
        """Count a reading whose clock stands behind; after five in a row the clock is believed."""
        self.note_number(reading)
        self.back += 1
        if self.back >= _BACK_BELIEVED:
            self._set_back(reading.timestamp)

    def begin_level(self, scale: str) -> None:
        """Forget what depends on the scale: a new calibration moves every value."""
        self.scale = scale
        self.count, self.offset, self.jumped, self.steps, self.step = 0, 0.0, 0.0, 0.0, 0.0
        self.doubted, self.noise = None, Noise()

    def advance(self, reading: SensorData, raw: float, even: float, limits: Thresholds, offset: float) -> None:
        """Take a possible value that is newer than all before.

        `even` is the value by a straight calibration, in which noise is the same at every level; `offset` is what the
        gates found unexplained.
        """
        timestamp, value = reading.timestamp, reading.value
        self.count += 1
        if self.count == 1:
            self.since = self.run_since = timestamp
            self.rise = Rise(value, value, timestamp)
        else:
            elapsed_s = timestamp - self.at
            step = value - self.value
            self._follow_cadence(elapsed_s)
            if limits.noise is not None:
                self._follow_noise(even - self.even, elapsed_s, limits.noise)
            self._follow_run(raw, timestamp, elapsed_s, limits.dark)
            if limits.dark is not None and not self._is_stuck:
                self._follow_hours(value, timestamp, limits.dark)
            if limits.slow_rise is not None:
                self._follow_rise(value, timestamp, elapsed_s, limits.slow_rise)
            if limits.fall_per_min is not None:
                self._follow_offset(offset, step, timestamp, limits)
            is_large = limits.spike is not None and abs(step) > max(limits.spike, 8.0 * self.steps)
            self.doubted = reading if is_large and elapsed_s <= 3.0 * self.cadence_s else None
            size = abs(step)
            most = _CLIP * self.steps + 0.2 * (limits.spike or 0.0)
            self.steps += (min(size, most) - self.steps) / min(self.count, _STEPS_OVER)
            self.step = step
        self.at, self.value, self.raw, self.even = timestamp, value, raw, even

    def _set_back(self, timestamp: float) -> None:
        """Believe a clock that stays behind: what was learnt moves with it."""
        self.time, self.back = timestamp, 0
        by_s = self.at - timestamp + self.cadence_s
        self.at -= by_s
        self.since -= by_s
        self.run_since -= by_s
        self.offset_at -= by_s
        self.jumped_at -= by_s
        self.rise.low_at -= by_s
        self.rise.sharp_at -= by_s
        self.noise.day = int(self.at // LEARNT_S)
        self.doubted = None

    def _follow_cadence(self, elapsed_s: float) -> None:
        """A running median: moves by a part of itself towards each pause."""
        if self.count == 2:
            self.cadence_s = elapsed_s
        elif elapsed_s > self.cadence_s:
            self.cadence_s *= 1.02 if elapsed_s > 1.02 * self.cadence_s else elapsed_s / self.cadence_s
        elif elapsed_s < self.cadence_s:
            self.cadence_s *= 0.98 if elapsed_s < 0.98 * self.cadence_s else elapsed_s / self.cadence_s

    def _follow_run(self, raw: float, timestamp: float, elapsed_s: float, dark: float | None) -> None:
        is_dark = dark is not None and self.value <= dark
        is_gap = elapsed_s > max(_RUN_GAP_S, _RUN_GAP * self.cadence_s)  # nobody saw what came in between
        if raw != self.raw or is_gap:
            if not is_dark:
                self._learn_run(self.at - self.run_since)
            self.run, self.run_since = 0, timestamp
        else:
            self.run += 1
        self.longest_run_s -= self.longest_run_s * min(1.0, elapsed_s / _RUNS_FORGOTTEN_S)

    def _learn_run(self, lasted_s: float) -> None:
        """A plateau that was doubted teaches patience only slowly."""
        if self.quality is not None and self.quality.verdict is not Verdict.GOOD:
            lasted_s = min(lasted_s, 2.0 * self.longest_run_s + _PATIENCE_S)
        self.longest_run_s = max(self.longest_run_s, lasted_s)
        stays = 1.0 - 1.0 / _STEPS_OVER
        self.changing = self.changing * stays ** (self.run + 1) + 1.0 / _STEPS_OVER

    def _follow_noise(self, step: float, elapsed_s: float, floor: float) -> None:
        noise = self.noise
        day = int(self.at // LEARNT_S)
        if day != noise.day:
            if noise.today > 0.0:
                noise.days = [*noise.days[1 - _DAYS :], noise.today]
            noise.day, noise.today = day, 0.0
        if self.count > 2 and 0.5 * self.cadence_s <= elapsed_s <= 2.0 * self.cadence_s:
            most = _NOISE_CLIP * max(noise.now, 0.1 * floor)
            noise.now += (min(abs(step - noise.step), most) - noise.now) / _NOISE_OVER
        noise.step = step
        noise.today = max(noise.today, noise.now)

    def _follow_rise(self, value: float, timestamp: float, elapsed_s: float, least: float) -> None:
        rise = self.rise
        if elapsed_s > _RISE_GAP_S:  # whatever came in between, nobody saw it
            self.rise = Rise(value, value, timestamp, timestamp)
            return
        before = rise.level
        rise.level += (value - rise.level) * elapsed_s / (_SMOOTH_S + elapsed_s)
        is_sharp = rise.level - before > _SHARP_PER_MIN * least * max(elapsed_s, 1.0) / SHORT_S
        if is_sharp or max(value - rise.level, value - self.value) > _SHARP * least:
            is_sharp, rise.sharp_at, rise.level = True, timestamp, value
        if is_sharp or rise.level < rise.low or timestamp - rise.low_at > _LOW_FORGOTTEN_S:
            rise.low, rise.low_at = rise.level, timestamp

    def _follow_offset(self, offset: float, step: float, timestamp: float, limits: Thresholds) -> None:
        if self.offset == 0.0:
            self.offset_at = timestamp
        elif offset == 0.0 and timestamp - self.offset_at > limits.step_held_s:
            self.jumped, self.jumped_at = self.offset, timestamp
        if (
            offset == 0.0
            and self.offset == 0.0
            and limits.slow_rise is not None
            and step > (limits.fall_per_min or 0.0)
        ):
            self.jumped, self.jumped_at = step, timestamp  # water, or what looks like it
        self.offset = offset

    def _follow_hours(self, value: float, timestamp: float, dark: float) -> None:
        hour = int(timestamp // _HOUR_S)
        if hour != self.hour:
            if self.hour >= 0 and not self.bright:
                self.bright = [0] * _HOURS
            if self.hour >= 0:
                place = self.hour % _HOURS
                self.bright[place] = min(_BRIGHT_MOST, self.bright[place] + 1) if self.darkest > _BRIGHT * dark else 0
            self.hour, self.darkest = hour, value
        self.darkest = min(self.darkest, value)


def is_possible(quality: Quality) -> bool:
    """Return whether a value says anything of the series; impossible ones must not bend what is usual."""
    return quality.verdict is not Verdict.BAD
