"""The hub, made of the settings and of the memory that there is."""

import time
from collections.abc import Callable

from roomcast.brokers.epoch import new_epoch
from roomcast.brokers.memory import MemoryBroker
from roomcast.relay.budget import Budget
from roomcast.relay.busiest import Busiest
from roomcast.relay.history import Histories
from roomcast.relay.hub import Hub
from roomcast.relay.room import Room
from roomcast.server.memory import MemoryLimit, history_total_max_bytes, lag_total_max_bytes
from roomcast.settings import Settings
from roomcast.transport.loop import LoopScheduler


def build_hub(settings: Settings, memory: MemoryLimit | None, report: Callable[[Room | None, Exception], None]) -> Hub:
    """Return the hub, with the counters of every template.

    Args:
        settings: The relay's.
        memory: What the process may take, where anything limits it.
        report: Called with a fault of ours, and the room that it ended, if it did.
    """
    busiest_rooms = settings.admin.busiest_rooms
    hub = Hub(
        broker=lambda deliver: MemoryBroker(deliver, new_epoch(), time.time),
        scheduler=LoopScheduler(),
        clock=time.monotonic,
        wall_clock=time.time,
        rooms_max=settings.limits.rooms_max,
        budget=_budget(settings, memory),
        histories=Histories(history_total_max_bytes(settings.limits.history_total_max_bytes, memory)),
        report=report,
        busiest=Busiest(busiest_rooms, time.monotonic) if busiest_rooms else None,
    )
    # From the start, so that a metric of a template begins with 0.
    for room in settings.rooms:
        hub.add_template(room.name)
    return hub


def _budget(settings: Settings, memory: MemoryLimit | None) -> Budget:
    limit_bytes = lag_total_max_bytes(settings.limits.lag_total_max_bytes, memory)
    if memory is None:
        return Budget(limit_bytes)
    return Budget(limit_bytes, memory.left_bytes, memory.reserve_bytes)
