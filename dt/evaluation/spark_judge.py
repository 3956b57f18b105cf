"""Judges and rolls up what the raw topics hold, years and many zones of it, by Spark: the service's own code per zone.

    python -m dt.evaluation.spark_judge FOLDER

A bounded Structured Streaming job: it reads to the log's present end and stops; run again on the same folder it goes on
there. FOLDER/processed has the processed readings and dead letters as Parquet, FOLDER/rollups their summaries.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dt.communication.messaging import Record
from dt.communication.opening import open_messaging
from dt.communication.topics import Topics, raw_topics
from dt.evaluation.spark_session import SparkError, kafka_jars, kafka_options, open_spark, require_spark
from dt.evaluation.spark_zone import OUTPUTS, ROLLUPS, StateFolder, in_log_order, judge_records, rollup_rows
from dt.utils.clock import SystemClock
from dt.utils.config import Settings, load_settings
from dt.utils.exceptions import ConfigError, DTError

READING = (
    "sensor_id STRING, data_type STRING, value DOUBLE, unit STRING, timestamp DOUBLE, correlation_id STRING,"
    " zone_id STRING, plant_id STRING, boot_id STRING, sequence BIGINT, clock_synced BOOLEAN, raw_value DOUBLE,"
    " quality STRUCT<verdict: STRING, check: STRING, why: STRING>, calibration BIGINT, caused_by ARRAY<STRING>,"
    " late BOOLEAN, revision BIGINT, schema INT, origin STRING"
)
RECORDS_AT_ONCE = 200_000
MOST_RECORDS_AT_ONCE, MOST_CORES = 10_000_000, 1024
LEAST_MEMORY_MB, MOST_MEMORY_MB = 512, 1024 * 1024  # Spark's driver refuses to begin with less than 450 MB
DAY_MS = 86_400_000

_CAMERA = Topics.CAMERA_IMAGE.raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to judge and where to put it; `since` and `until` are when the log took a record, in epoch seconds."""

    folder: Path
    since: float | None = None
    until: float | None = None
    records_at_once: int = RECORDS_AT_ONCE
    cores: int = 2
    memory: str = "1g"
    jars: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a run did; the seconds are those of judging and of rolling up, Spark's own start left out."""

    records: int
    judging_s: float
    rolling_s: float


def run_job(settings: Settings, job: Job) -> Done:
    """Judge all that is new in the log, then roll up all that is judged; raises SparkError or MessagingError."""
    _require_possible(job)
    jars = kafka_jars(job.jars, require_spark())
    with closing(open_messaging(settings, "spark", SystemClock())) as messaging:
        registry = messaging.read_all(Topics.REGISTRY)
    job.folder.mkdir(parents=True, exist_ok=True)
    _keep_to_the_end(job)
    with tempfile.TemporaryDirectory(prefix="spark-") as scratch:
        session = open_spark(jars, Path(scratch), cores=job.cores, memory=job.memory)
        try:
            began = time.monotonic()
            records = _judge(session, settings, job, registry)
            judged = time.monotonic()
            _roll_up(session, job.folder)
            return Done(records=records, judging_s=judged - began, rolling_s=time.monotonic() - judged)
        finally:
            session.stop()


def _require_possible(job: Job) -> None:
    """Refuse what cannot be meant, by the option's name, before anything is written."""
    if job.since is not None and job.until is not None and job.until <= job.since:
        raise ConfigError(f"--until: must be after --since ({_iso(job.since)}), and is {_iso(job.until)}")
    for name, number, most in (
        ("--records-at-once", job.records_at_once, MOST_RECORDS_AT_ONCE),
        ("--cores", job.cores, MOST_CORES),
    ):
        if not 1 <= number <= most:
            raise ConfigError(f"{name}: must be from 1 to {most}, not {number}")
    megabytes = _megabytes(job.memory)
    if megabytes is None or not LEAST_MEMORY_MB <= megabytes <= MOST_MEMORY_MB:
        limits = f"from {LEAST_MEMORY_MB}m to {MOST_MEMORY_MB}m"
        raise ConfigError(
            f"--memory: must be megabytes or gigabytes such as 512m or 2g, {limits}, not {job.memory!r:.60}"
        )
    if any(place.exists() and not place.is_dir() for place in (job.folder, *job.folder.parents)):
        raise ConfigError(f"FOLDER: must be a folder, and {job.folder} is or lies in a file")
    if job.jars is not None and not job.jars.is_dir():
        raise ConfigError(f"--jars: must be a folder, and {job.jars} is none")


def _megabytes(memory: str) -> int | None:
    """Return a size of Java's memory.

    >>> _megabytes("2g"), _megabytes("512m"), _megabytes("banana")
    (2048, 512, None)
    """
    found = re.fullmatch(r"(\d{1,7})([mMgG])", memory, re.ASCII)
    return None if found is None else int(found[1]) * (1024 if found[2] in "gG" else 1)


def _iso(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat()


def _keep_to_the_end(job: Job) -> None:
    """Refuse to go on where an earlier run was to end: what came after its --until it has passed over for good."""
    mark = job.folder / "until"
    said = "" if job.until is None else repr(job.until)
    kept = mark.read_text("utf-8") if mark.is_file() else ""
    if kept and kept != said:
        raise ConfigError(f"--until: {job.folder} ends at {_iso(float(kept))}: name another folder for what came later")
    if said:
        mark.write_text(said, "utf-8")


def _judge(session: Any, settings: Settings, job: Job, registry: Sequence[Record]) -> int:
    """Run the stream to the log's present end and return how many records it read."""
    from pyspark.errors import PySparkException  # pyright: ignore[reportMissingImports] - of the group spark

    judge = _judging(settings, job.folder, registry)

    def keep(frame: Any, number: int) -> None:
        # A batch that was cut off comes again with its number, begins from the state before it, and writes over.
        made = _columns(frame.withColumn("batch", f.lit(number)).groupBy("key").applyInPandas(judge, OUTPUTS))
        target = job.folder / "processed" / f"batch={number}"
        made.write.mode("overwrite").partitionBy("topic").parquet(str(target))

    try:
        from pyspark.sql import functions as f  # pyright: ignore[reportMissingImports] - of the group spark

        query = (
            _raw(session, settings, job)
            .writeStream.foreachBatch(keep)
            .option("checkpointLocation", str(job.folder / "checkpoint"))
            .trigger(availableNow=True)
            .start()
        )
        query.awaitTermination()
    except PySparkException as error:
        raise SparkError(f"the job failed: {str(error).splitlines()[0]}") from error
    return sum(int(progress["numInputRows"]) for progress in query.recentProgress)


def _raw(session: Any, settings: Settings, job: Job) -> Any:
    """Return the records of all raw topics of readings."""
    from pyspark.sql import functions as f  # pyright: ignore[reportMissingImports] - of the group spark

    topics = [settings.topic_prefix + topic for topic in raw_topics() if topic != _CAMERA]
    source = session.readStream.format("kafka").options(**kafka_options(settings))
    source = source.option("subscribe", ",".join(topics)).option("maxOffsetsPerTrigger", job.records_at_once)
    if job.since is None:
        source = source.option("startingOffsets", "earliest")
    else:
        source = source.option("startingTimestamp", str(int(job.since * 1000)))
        source = source.option("startingOffsetsByTimestampStrategy", "latest")
    records = source.load().select(
        *("topic", "partition", "offset", "value"),
        f.coalesce(f.col("key").cast("string"), f.lit("")).alias("key"),
        f.expr("unix_millis(timestamp)").alias("taken_ms"),
    )
    return records if job.until is None else records.where(f.col("taken_ms") < int(job.until * 1000))


def _judging(settings: Settings, folder: Path, registry: Sequence[Record]) -> Callable[[Any], Any]:
    """Return what judges one zone's part of a batch."""
    timezone, cut, kept = settings.zone_name, len(settings.topic_prefix), list(registry)

    def judge(frame: Any) -> Any:
        import pandas as pd

        states = StateFolder(folder / "state", str(frame["key"].iloc[0]))
        number = int(frame["batch"].iloc[0])
        found, after = judge_records(kept, timezone, in_log_order(frame, cut), states.before(number))
        states.keep(number, after)
        return pd.DataFrame(found, columns=["place", "topic", "body"])

    return judge


def _columns(made: Any) -> Any:
    """Return readings as columns, and other messages as `body`."""
    from pyspark.sql import functions as f  # pyright: ignore[reportMissingImports] - of the group spark

    text = f.col("body").cast("string")
    is_reading = f.col("topic") != Topics.DEAD_LETTERS
    parsed = made.select(
        "place", "topic", text.alias("body"), f.from_json(f.when(is_reading, text), READING).alias("m")
    )
    fields = [name for name in _names(READING) if name != "quality"]
    return parsed.select(
        *("place", "topic"),
        *(f.col(f"m.{name}") for name in fields),
        *(f.col(f"m.quality.{name}") for name in ("verdict", "check", "why")),
        f.when(~is_reading, f.col("body")).alias("body"),
    )


def _roll_up(session: Any, folder: Path) -> None:
    """Summarise all processed readings anew, a day of a series at a time."""
    from pyspark.sql import functions as f  # pyright: ignore[reportMissingImports] - of the group spark

    if not any((folder / "processed").glob("batch=*/topic=*/*.parquet")):
        return

    def roll(frame: Any) -> Any:
        import pandas as pd

        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        return pd.DataFrame(rollup_rows(rows), columns=_names(ROLLUPS))

    names = ("sensor_id", "data_type", "value", "unit", "timestamp", "zone_id", "plant_id", "revision", "verdict")
    (
        session.read.parquet(str(folder / "processed"))
        .where("sensor_id IS NOT NULL AND value IS NOT NULL")
        .select("place", *names, f.floor(f.col("timestamp") * 1000 / DAY_MS).alias("day"))
        .groupBy("sensor_id", "data_type", "day")
        .applyInPandas(roll, ROLLUPS)
        .write.mode("overwrite")
        .partitionBy("width_s")
        .parquet(str(folder / "rollups"))
    )


def _names(schema: str) -> list[str]:
    """Return the columns of a schema in words.

    >>> _names("a STRING, b STRUCT<c: STRING, d: INT>, e INT")
    ['a', 'b', 'e']
    """
    found, depth = [], 0
    for part in schema.split(","):
        if depth == 0:
            found.append(part.split()[0])
        depth += part.count("<") - part.count(">")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and say what it did; return 1 where it failed, 2 for wrong settings."""
    options = _parser().parse_args(arguments)
    try:
        job = Job(
            folder=options.folder, since=_time("--since", options.since), until=_time("--until", options.until),
            records_at_once=options.records_at_once, cores=options.cores, memory=options.memory, jars=options.jars,
        )  # fmt: skip
        done = run_job(load_settings(), job)
    except ConfigError as error:
        sys.stderr.write(f"spark_judge: {error}\n")
        return 2
    except (DTError, OSError) as error:
        sys.stderr.write(f"spark_judge: {error}\n")
        return 1
    speed = done.records / done.judging_s if done.judging_s else 0.0
    judged = f"{done.records} records judged in {done.judging_s:.0f} s ({speed:.0f}/s)"
    sys.stderr.write(f"{judged}, rolled up in {done.rolling_s:.0f} s\n")
    sys.stdout.write(f"{options.folder}\n")
    return 0


def _time(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{name}: must be ISO 8601 such as 2026-03-01T00:00, and is {text!r:.60}") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spark_judge", description="Judge and roll up the raw topics by Spark.")
    parser.add_argument("folder", type=Path, help="where results and the job's place in the log are kept")
    parser.add_argument("--since", metavar="TIME", help="what the log took from then on, UTC (default: all)")
    parser.add_argument("--until", metavar="TIME", help="what the log took before that, UTC (default: now)")
    parser.add_argument(
        "--records-at-once", type=int, default=RECORDS_AT_ONCE, help="of a batch (default: %(default)s)"
    )
    parser.add_argument("--cores", type=int, default=2, help="zones at a time (default: %(default)s)")
    parser.add_argument("--memory", default="1g", help="of Java (default: %(default)s)")
    parser.add_argument("--jars", type=Path, help="folder with Spark's Kafka source (default: fetched into the cache)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
