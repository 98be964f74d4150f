"""A journal that a test can look into."""

from __future__ import annotations

from threading import Condition

from roomcast.logs import Journal, Level, Record
from tests.wire import HANG_S


class Diary:
    """A journal, and the records that came out of it, for whichever thread wants to see them."""

    def __init__(self, level: Level = "info") -> None:
        self.journal = Journal(self._write, level=level)
        self._records: list[Record] = []
        self._changed = Condition()

    def _write(self, record: Record) -> None:
        with self._changed:
            self._records.append(record)
            self._changed.notify_all()

    def wait_for(self, event: str, **fields: object) -> Record:
        """Return the first record of this event with these fields, as soon as it is there."""

        def found() -> Record | None:
            return next((record for record in self._records if _matches(record, event, fields)), None)

        with self._changed:
            record = self._changed.wait_for(found, HANG_S)
            assert record is not None, f"no {event} with {fields} among {self._records}"
            return record

    def read(self) -> list[Record]:
        """Return every record that is out."""
        with self._changed:
            return list(self._records)

    def finish(self) -> list[Record]:
        """Run the journal, where no greenlet does, to its end in this thread's loop, and return every record."""
        self.journal.stop()
        self.journal.run()
        return self.read()


def _matches(record: Record, event: str, fields: dict[str, object]) -> bool:
    return record["event"] == event and all(record.get(name) == value for name, value in fields.items())
