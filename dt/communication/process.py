"""How a service becomes a process: settings, logging, the log, the life cycle, an exit code."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

from dt.communication.messaging import MessagingService
from dt.communication.opening import open_messaging
from dt.utils.clock import Clock, SystemClock
from dt.utils.config import Settings, load_settings
from dt.utils.exceptions import ConfigError
from dt.utils.logger import configure_logging
from dt.utils.service import Service, run_service

# A batch is tens of thousands of objects that live until it is committed: looking among them for cycles after every 700
# new ones, as Python does, takes a tenth of a service's time.
_GARBAGE_EVERY = (20_000, 5, 10)

Create = Callable[[Settings, MessagingService, Clock], Service]


def run_process(
    name: str,
    create: Create,
    require: Callable[[Settings], object] = lambda _settings: None,
    *,
    works_in_batches: bool = False,
) -> int:
    """Run a service on the broker until a signal and return its exit code: 2 for a wrong setting, said in one line.

    `require` raises ConfigError for settings that the service cannot work with. One that works in batches looks for
    garbage seldom, at the price of some memory.
    """
    try:
        settings = load_settings()
        require(settings)
        configure_logging(settings.log_dir, settings.log_level)
        clock = SystemClock()
        messaging = open_messaging(settings, name, clock)
        if works_in_batches:
            gc.freeze()
            gc.set_threshold(*_GARBAGE_EVERY)
        try:
            return run_service(create(settings, messaging, clock))
        finally:
            messaging.close()
    except ConfigError as error:
        sys.stderr.write(f"dt {name}: {error}\n")
        return 2
