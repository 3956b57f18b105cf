#!/usr/bin/env python3
"""Averages the live readings per zone and minute with Spark Structured Streaming, straight from Kafka.

Needs the `spark` group (`make install-spark`), Java 17 or newer, and Maven once, to fetch Spark's Kafka source.

    .venv/bin/python scripts/hands-on-scripts/software/spark_stream.py --seconds 120
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from amounts import seconds, whole

JAVA_AT_LEAST = 17
TRIED = "4.1.1"  # a pyspark whose Kafka source of the same version is known to be there
PATTERN = r"dt\.sensors\.[a-z_]+\.processed"
SCHEMA = (
    "sensor_id STRING, data_type STRING, value DOUBLE, unit STRING, timestamp DOUBLE, zone_id STRING,"
    " quality STRUCT<verdict: STRING>"
)
POM = Path(__file__).resolve().parent / "spark" / "pom.xml"


class MissingError(Exception):
    """Something that has to be installed is not; the text says how to get it."""


def main(arguments: list[str] | None = None) -> int:
    """Print averages until --count batches or --seconds; return 1 when a part is missing or the stream fails."""
    options = _parser().parse_args(arguments)
    try:
        require_java()
        pyspark_version = require_pyspark()
        jars = kafka_jars(options.jars, pyspark_version)
        shown = stream(options, jars)
    except MissingError as error:
        sys.stderr.write(f"spark_stream: {error}\n")
        return 1
    sys.stderr.write(f"{shown} batches shown\n")
    return 0


def require_java() -> None:
    """Raise MissingError unless Java is new enough for Spark 4."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    remedy = "install it, e.g. sudo apt-get install openjdk-17-jre-headless"
    if java is None or not Path(java).is_file():
        raise MissingError(f"Java {JAVA_AT_LEAST} or newer is missing: {remedy}")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    if found is None or int(found[1]) < JAVA_AT_LEAST:
        raise MissingError(f"Java {JAVA_AT_LEAST} or newer is needed, and {java} is {said.splitlines()[0]}: {remedy}")


def require_pyspark() -> str:
    """Return pyspark's version, or raise MissingError."""
    try:
        from pyspark import __version__
    except ImportError as error:
        raise MissingError(f"pyspark cannot be loaded ({error}): run `make install-spark`") from error
    return str(__version__)


def kafka_jars(folder: Path | None, version: str) -> list[Path]:
    """Return the jars of Spark's Kafka source: from a folder, the cache, or Maven."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "plant-twin" / f"spark-kafka-{version}"
    place = folder or cache
    if not list(place.glob(f"spark-sql-kafka-*-{version}.jar")):
        if folder is not None:
            raise MissingError(f"{folder}: holds no spark-sql-kafka jar of version {version}")
        _fetch(version, cache)
    return sorted(place.glob("*.jar"))


def stream(options: argparse.Namespace, jars: list[Path]) -> int:
    """Run the query until it has shown enough; return how many batches had something in them."""
    from pyspark.sql import SparkSession

    with tempfile.TemporaryDirectory(prefix="spark-stream-") as folder:
        builder = SparkSession.builder.master("local[2]").appName("plant-twin").config(map=_config(jars, folder))
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        batches: list[int] = []
        query = _query(session, options, batches).start()
        try:
            _wait(query, options, batches)
        finally:
            query.stop()
            session.stop()
    return len(batches)


def averages(readings: Any, per: str) -> Any:
    """Return mean, least, greatest and number of the good readings per zone, quantity and stretch of event time."""
    from pyspark.sql import functions as f

    message = f.from_json(f.col("value").cast("string"), SCHEMA)
    return (
        readings.select(message.alias("m"))
        .select("m.*")
        .where("value IS NOT NULL AND quality.verdict = 'good'")
        .withColumn("at", f.timestamp_seconds("timestamp"))
        .withWatermark("at", "10 minutes")
        .groupBy(f.window("at", per), "zone_id", "data_type", "unit")
        .agg(
            f.avg("value").alias("mean"),
            f.min("value").alias("min"),
            f.max("value").alias("max"),
            f.count("*").alias("n"),
        )
    )


def _query(session: Any, options: argparse.Namespace, batches: list[int]) -> Any:
    readings = (
        session.readStream.format("kafka")
        .option("kafka.bootstrap.servers", options.bootstrap)
        .option("kafka.isolation.level", "read_committed")
        .option("subscribePattern", options.pattern)
        .option("startingOffsets", "earliest" if options.from_beginning else "latest")
        .load()
    )

    def show(frame: Any, _number: int) -> None:
        rows = frame.orderBy("window", "zone_id", "data_type").collect()
        for row in rows:
            since = row["window"]["start"].strftime("%Y-%m-%d %H:%M")
            values = f"mean {row['mean']:.3f}  min {row['min']:.3f}  max {row['max']:.3f} {row['unit']}  n {row['n']}"
            print(f"{since}  {row['zone_id']}  {row['data_type']}  {values}", flush=True)
        if rows:
            batches.append(len(rows))

    return averages(readings, options.window).writeStream.outputMode("update").foreachBatch(show)


def _wait(query: Any, options: argparse.Namespace, batches: list[int]) -> None:
    ends_at = time.monotonic() + options.seconds
    while query.isActive and len(batches) < options.count and time.monotonic() < ends_at:
        query.awaitTermination(1)
    if query.exception() is not None:
        reason = str(query.exception()).splitlines()[0]
        raise MissingError(f"the stream ended: {reason} (is a broker at {options.bootstrap}?)")


def _config(jars: list[Path], folder: str) -> dict[str, bool | float | int | str | None]:
    return {
        "spark.jars": ",".join(map(str, jars)),
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.streaming.checkpointLocation": f"{folder}/checkpoint",
        "spark.sql.warehouse.dir": f"{folder}/warehouse",
    }


def _fetch(version: str, cache: Path) -> None:
    if shutil.which("mvn") is None:
        raise MissingError("Spark's Kafka source is not there yet and Maven is missing: sudo apt-get install maven")
    sys.stderr.write(f"fetching Spark's Kafka source {version} with Maven (about 60 MB)\n")
    command = ["mvn", "--quiet", "--batch-mode", "--strict-checksums", "--file", str(POM), f"-Dspark.version={version}"]
    outcome = subprocess.run(
        [*command, "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={cache}"], check=False
    )
    if outcome.returncode:
        raise MissingError(f"Maven could not fetch Spark's Kafka source {version}; pyspark {TRIED} and its source work")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Average the live readings per zone and minute with Spark.")
    parser.add_argument("--bootstrap", default="127.0.0.1:9092", help="broker, HOST:PORT (default: %(default)s)")
    parser.add_argument("--pattern", default=PATTERN, help="topics, a regular expression (default: %(default)s)")
    parser.add_argument("--window", default="1 minute", help="stretch of event time (default: %(default)s)")
    parser.add_argument("--from-beginning", action="store_true", help="begin with the oldest record that is kept")
    parser.add_argument("--jars", type=Path, help="folder with Spark's Kafka source (default: fetched into the cache)")
    parser.add_argument("--count", type=whole, default=1000, help="end after so many batches (default: %(default)s)")
    parser.add_argument("--seconds", type=seconds, default=60.0, help="end after so long (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
