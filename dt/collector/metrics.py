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
        backlog = self._manager.backlog
        yield reads
        yield failures
        yield GaugeMetricFamily("dt_backlog_records", "Records that wait to be published", len(backlog))
        yield CounterMetricFamily("dt_backlog_published", "Records that were published", backlog.published)
        yield CounterMetricFamily("dt_backlog_dropped", "Records that were dropped, memory being full", backlog.dropped)
