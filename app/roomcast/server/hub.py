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
from roomcast.relay.rules import RoomRules
from roomcast.server.memory import MemoryLimit, history_total_max_bytes, lag_total_max_bytes
from roomcast.settings import Settings
from roomcast.transport.admission import Admission
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


def change_hub(hub: Hub, settings: Settings, memory: MemoryLimit | None, admission: Admission) -> None:
    """Let the hub go by other settings. Templates that are gone keep their counters: their rooms may go on."""
    limits = settings.limits
    for room in settings.rooms:
        hub.add_template(room.name)
    hub.rooms.rooms_max = limits.rooms_max
    hub.budget.change(lag_total_max_bytes(limits.lag_total_max_bytes, memory))
    hub.histories.limit_bytes = history_total_max_bytes(limits.history_total_max_bytes, memory)

    def rules_of(name: str) -> RoomRules | None:
        template = admission.template_of(name)
        return template.rules if template is not None else None

    hub.change_rules(rules_of)


def _budget(settings: Settings, memory: MemoryLimit | None) -> Budget:
    limit_bytes = lag_total_max_bytes(settings.limits.lag_total_max_bytes, memory)
    if memory is None:
        return Budget(limit_bytes)
    return Budget(limit_bytes, memory.left_bytes, memory.reserve_bytes)
