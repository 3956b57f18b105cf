"""What the collector tells Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dt.collector.sensor_manager import SensorManager


class SensorMetrics(Collector):
    """Reads the manager's own counts whenever somebody asks."""

    def __init__(self, manager: SensorManager) -> None:
        self._manager = manager

    def collect(self) -> Iterator[Metric]:
        """Return reads and failures per sensor, and what waits, went out and was dropped."""
        reads = CounterMetricFamily("dt_sensor_reads", "Looks that gave a value", labels=["sensor_id"])
        failures = CounterMetricFamily("dt_sensor_failures", "Looks that gave none", labels=["sensor_id"])
        for sensor_id, health in self._manager.sensors():
            reads.add_metric([sensor_id], health.reads)
            failures.add_metric([sensor_id], health.failures)
        outbox = self._manager.outbox
        yield reads
        yield failures
        yield GaugeMetricFamily("dt_outbox_records", "Records that wait to be published", len(outbox))
        yield GaugeMetricFamily("dt_outbox_bytes", "Bytes of them", outbox.waiting_bytes)
        yield GaugeMetricFamily("dt_outbox_disk_ok", "1 while the outbox's disk is used", int(not outbox.disk_why))
        yield CounterMetricFamily("dt_outbox_published", "Records that the log has taken", outbox.published)
        yield CounterMetricFamily(
            "dt_outbox_dropped", "Records that were dropped, the outbox being full", outbox.dropped
        )
        yield CounterMetricFamily("dt_outbox_refused", "Records that the log refused for good", outbox.refused)
        yield CounterMetricFamily("dt_outbox_syncs", "Commits that were synced to the disk", outbox.syncs)
