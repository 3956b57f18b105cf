"""How fast a contestant works off the log, by the offsets that it commits, and what it takes for that."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import psutil
from contestants import Contestant
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

_LOOKS_EVERY_S = 0.1
_WITHIN_S = 1_800.0


@dataclass(slots=True)
class Run:
    """What was seen: committed records by time, memory by committed records, processor time per record."""

    began: float = 0.0
    commits: list[tuple[float, int]] = field(default_factory=list)
    memory_mb: list[tuple[int, float]] = field(default_factory=list)
    cpu_us: float = 0.0

    @property
    def per_s(self) -> float:
        """Return the rate from the first commit seen to the last before the end, both at the moment of a commit.

        A run too small to show two commits counts from its start on.
        """
        inner = self.commits[:-1] if len(self.commits) > 3 else self.commits
        if len(inner) == 1:
            inner = [(self.began, 0), *inner]
        (began, first), (ended, last) = inner[0], inner[-1]
        return (last - first) / max(ended - began, 1e-9)

    @property
    def rss_mb(self) -> float:
        """Return the most memory."""
        return max(mb for _count, mb in self.memory_mb)

    @property
    def growth_mb(self) -> float:
        """Return how much more memory the last quarter took, at most, than the second quarter."""
        total = self.memory_mb[-1][0]
        second = [mb for count, mb in self.memory_mb if 0.25 * total <= count < 0.5 * total]
        last = [mb for count, mb in self.memory_mb if count >= 0.75 * total]
        return max(last) - max(second) if second and last else 0.0


def watch(contestant: Contestant, messages: int) -> Run:
    """Run a contestant until it has committed everything; raises when the store then holds another number."""
    run = Run()
    admin = KafkaAdminClient(bootstrap_servers=contestant.kafka_url)
    begun, at_first = 0.0, 0
    try:
        with contestant.running() as process:
            run.began, shown = time.monotonic(), psutil.Process(process.pid)
            deadline = time.monotonic() + _WITHIN_S
            while not run.commits or run.commits[-1][1] < messages:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{contestant.group} ended or stands still: {run.commits[-1:]}")
                committed = _committed(admin, contestant.group)
                if committed and not run.commits:
                    begun, at_first = _cpu_s(shown), committed
                if committed > (run.commits[-1][1] if run.commits else 0):
                    run.commits.append((time.monotonic(), committed))
                run.memory_mb.append((committed, shown.memory_info().rss / 1e6))
                time.sleep(_LOOKS_EVERY_S)
            run.cpu_us = 1e6 * (_cpu_s(shown) - begun) / max(1, messages - at_first)
            stored = contestant.stored()
        if stored != messages:
            raise RuntimeError(f"{contestant.group}: {messages} committed and {stored} stored")
        admin.delete_groups([contestant.group])
    finally:
        admin.close()
    return run


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _committed(admin: KafkaAdminClient, group: str) -> int:
    try:
        offsets = admin.list_group_offsets({group: None})[group]
    except KafkaError:  # nobody has joined yet
        return 0
    return sum(max(0, place.offset) for place in offsets.values())
