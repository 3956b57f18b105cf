"""Spark on this machine, reading Kafka: what has to be installed, and how it is told where the broker is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError, DTError

JAVA_AT_LEAST = 17

_POM = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>plant-twin</groupId><artifactId>spark-kafka-jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies><dependency>
    <groupId>org.apache.spark</groupId><artifactId>spark-sql-kafka-0-10_2.13</artifactId><version>{version}</version>
  </dependency></dependencies>
</project>
"""


class SparkError(DTError):
    """Spark cannot run or its job failed; the text says what to install or what went wrong."""


def open_spark(jars: list[Path], folder: Path, *, cores: int, memory: str) -> Any:
    """Start Spark in this process's own Java, scratch files in a folder."""
    from pyspark.sql import SparkSession  # pyright: ignore[reportMissingImports] - of the group spark

    os.environ["PYSPARK_PYTHON"] = sys.executable  # workers need our packages
    config: dict[str, bool | float | int | str | None] = {
        "spark.jars": ",".join(map(str, jars)),
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": memory,
        "spark.local.dir": str(folder),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(cores),
        "spark.sql.streaming.numRecentProgressUpdates": "100000",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }
    session = SparkSession.builder.master(f"local[{cores}]").appName("plant-twin").config(map=config).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def require_spark() -> str:
    """Return pyspark's version; raises SparkError where it or Java is missing."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    remedy = "install it, e.g. sudo apt-get install openjdk-17-jre-headless"
    if java is None or not Path(java).is_file():
        raise SparkError(f"Java {JAVA_AT_LEAST} or newer is missing: {remedy}")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    if found is None or int(found[1]) < JAVA_AT_LEAST:
        raise SparkError(f"Java {JAVA_AT_LEAST} or newer is needed, and {java} is another: {remedy}")
    try:
        from pyspark import __version__  # pyright: ignore[reportMissingImports] - of the group spark
    except ImportError as error:
        raise SparkError(f"pyspark cannot be loaded ({error}): run `make install-spark`") from error
    return str(__version__)


def kafka_jars(folder: Path | None, version: str) -> list[Path]:
    """Return the jars of Spark's Kafka source: from a folder, the cache, or once by Maven."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "plant-twin" / f"spark-kafka-{version}"
    place = folder or cache
    if not list(place.glob(f"spark-sql-kafka-*-{version}.jar")):
        if folder is not None:
            raise SparkError(f"{folder}: holds no spark-sql-kafka jar of version {version}")
        _fetch(version, cache)
    return sorted(place.glob("*.jar"))


def kafka_options(settings: Settings) -> dict[str, str]:
    """Return what Spark's Kafka source is told of the broker."""
    options = {
        "kafka.bootstrap.servers": settings.kafka_url,
        "kafka.isolation.level": "read_committed",
        "kafka.security.protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_ssl_certfile:
        raise ConfigError("KAFKA_SSL_CERTFILE: Spark's job has no client certificates; use SASL for it")
    if settings.kafka_ssl_cafile:
        options["kafka.ssl.truststore.type"] = "PEM"
        options["kafka.ssl.truststore.location"] = settings.kafka_ssl_cafile
    if settings.kafka_security_protocol.startswith("SASL"):
        options["kafka.sasl.mechanism"] = settings.kafka_sasl_mechanism
        options["kafka.sasl.jaas.config"] = _login(settings)
    return options


def _login(settings: Settings) -> str:
    kind = "plain.Plain" if settings.kafka_sasl_mechanism == "PLAIN" else "scram.Scram"
    user, password = (_quoted(text) for text in (settings.kafka_sasl_username, settings.kafka_sasl_password))
    return f"org.apache.kafka.common.security.{kind}LoginModule required username={user} password={password};"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _fetch(version: str, cache: Path) -> None:
    if shutil.which("mvn") is None:
        raise SparkError("Spark's Kafka source is not there yet and Maven is missing: sudo apt-get install maven")
    sys.stderr.write(f"fetching Spark's Kafka source {version} with Maven (about 60 MB)\n")
    with tempfile.TemporaryDirectory(prefix="spark-pom-") as folder:
        pom = Path(folder) / "pom.xml"
        pom.write_text(_POM.format(version=version), "utf-8")
        command = ["mvn", "--quiet", "--batch-mode", "--strict-checksums", "--file", str(pom)]
        wanted = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={cache}"]
        if subprocess.run([*command, *wanted], check=False).returncode:
            raise SparkError(f"Maven could not fetch Spark's Kafka source {version}")
