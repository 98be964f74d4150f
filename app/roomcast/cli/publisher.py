"""Batches, sent to a relay's private door: each once, in their order, and as fast as it takes them.

A batch that got no answer may have been accepted. It is sent again with the same
``Idempotency-Key``, so the relay can tell, and answers what it answered before. Only a
relay that was started anew in between cannot: it has forgotten the key.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from select import select

from pydantic import BaseModel

from roomcast.cli.batches import Batch, Batcher
from roomcast.cli.door import COME_AGAIN, UNREACHABLE, WAIT_MAX_S, Door, in_words, retry_after_s
from roomcast.cli.escaping import printable

PATH = "/api/v1/batch"
# A batch is checked and sent within milliseconds; more is a network that has gone.
ANSWER_MAX_S = 30.0
# The waits between, in all: two to four minutes, within the ten for which a relay remembers a key.
TRIES_MAX = 12
FIRST_WAIT_S = 0.5
ANSWER_MAX_BYTES = 1 << 20

OK, CONFLICT, TOO_LARGE, TOO_MANY = 200, 409, 413, 429


class RefusedError(Exception):
    """A batch was not accepted, and will not be. The text says why, in the relay's words where it had any."""

    def __init__(self, why: str, batch: Batch, *, is_known: bool = True) -> None:
        super().__init__(why)
        self.batch = batch
        self.is_known = is_known
        """Whether it is certain that none of it was accepted."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A batch that the relay has answered."""

    batch: Batch
    epoch: str
    offsets: list[int | None]
    """The place of each message in its room; None: the room could not be opened any more."""


class _Answer(BaseModel, strict=True):
    """What a relay answers to a batch."""

    epoch: str
    offsets: list[int | None]


class _TooLarge(Exception):
    """More than the relay takes at once."""


class _NoConnection(Exception):
    """There is nobody to send anything to."""


class Publisher:
    """Sends batches over one connection, which is made again when it breaks.

    Args:
        door: Where the relay's private door is.
        key: What to say in ``Authorization``.
        wait: Waits for this many seconds.
        roll: Returns a number from 0 to 1, so that not everybody comes back at once.
        name: Returns a text that names one request and no other.
        say: Hears, in words, why something is sent again.
    """

    def __init__(
        self,
        door: Door,
        key: str,
        *,
        wait: Callable[[float], None],
        roll: Callable[[], float],
        name: Callable[[], str],
        say: Callable[[str], None],
    ) -> None:
        self._door = door
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._wait = wait
        self._roll = roll
        self._name = name
        self._say = say
        self._connection: HTTPConnection = door.connect(ANSWER_MAX_S)
        self._has_been_answered = False
        self._is_paced = False

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def publish(self, batch: Batch, batcher: Batcher) -> Iterator[Accepted]:
        """Yield what was accepted: the batch, or its parts, where the relay takes less at once.

        Args:
            batch: What to send.
            batcher: Where batches come from, to be told when they are too large.

        Raises:
            RefusedError: If the relay refuses it for good, or does not answer.
        """
        try:
            accepted = self._send(batch)
        except KeyboardInterrupt:
            raise RefusedError("interrupted", batch, is_known=False) from None
        except _TooLarge as error:
            if len(batch.items) == 1:
                raise RefusedError(str(error), batch) from None
            batcher.limit(batch)
            for half in batch.halves():
                yield from self.publish(half, batcher)
            return
        yield accepted
        lost = [item for item, offset in zip(batch.items, accepted.offsets, strict=True) if offset is None]
        if lost:
            raise RefusedError("rooms_max is reached: the room could not be opened any more", Batch(lost))

    def _send(self, batch: Batch) -> Accepted:
        headers = self._headers | {"Idempotency-Key": self._name()}
        is_known, why = True, ""
        for tries in range(TRIES_MAX):
            told_s = 0.0
            try:
                answer, data = self._ask(batch.body, headers)
            except _NoConnection as error:
                why = str(error)
                if not self._has_been_answered and is_known:
                    raise RefusedError(f"{self._door.address}: {why}", batch) from error
            except UNREACHABLE as error:
                why, is_known = in_words(error), False
            else:
                if answer.status == OK:
                    return _accepted(batch, data)
                why, told_s = f"{answer.status} {_detail(data) or answer.reason}", retry_after_s(answer)
                _check(answer.status, why, batch, is_known=is_known)
                if answer.status == TOO_MANY:
                    self._keep_pace(why, told_s)
                    continue
            self._pause(why, tries, told_s)
        raise RefusedError(f"{why}, {TRIES_MAX} times", batch, is_known=is_known)

    def _ask(self, body: bytes, headers: dict[str, str]) -> tuple[HTTPResponse, bytes]:
        try:
            self._connect()
            self._connection.request("POST", self._door.target(PATH), body, headers)
            answer = self._connection.getresponse()
            data = _read(answer)
        except UNREACHABLE:
            # It connects anew with the next request.
            self._connection.close()
            raise
        self._has_been_answered = True
        return answer, data

    def _connect(self) -> None:
        """Connect, if there is no connection: what fails here has sent nothing."""
        # Input may come slowly, and a connection that waits for it is closed by the other side. Where
        # that has happened there is an end of stream to be read, before anything was asked.
        if self._connection.sock is not None and select([self._connection.sock], [], [], 0)[0]:
            self._connection.close()
        if self._connection.sock is None:
            try:
                self._connection.connect()
            except UNREACHABLE as error:
                raise _NoConnection(in_words(error)) from error

    def _keep_pace(self, why: str, told_s: float) -> None:
        # A long input is told so every few hundred lines, and nothing is wrong with that.
        if not self._is_paced:
            self._say(f"{why}; it goes on as fast as that allows")
            self._is_paced = True
        self._wait(told_s or FIRST_WAIT_S)

    def _pause(self, why: str, tries: int, told_s: float) -> None:
        wait_s = max(told_s, self._roll() * min(WAIT_MAX_S, FIRST_WAIT_S * 2**tries))
        self._say(f"{why}; again in {wait_s:.1f} s")
        self._wait(wait_s)


def _check(status: int, why: str, batch: Batch, *, is_known: bool) -> None:
    """Raise what a refusal means that the same request would get again."""
    if status == TOO_LARGE:
        raise _TooLarge(why)
    if status not in COME_AGAIN | {CONFLICT}:
        raise RefusedError(why, batch, is_known=is_known)


def _read(answer: HTTPResponse) -> bytes:
    data = answer.read(ANSWER_MAX_BYTES)
    # http.client takes a head for whole wherever it ends, and a body that is asked for by size, too.
    if answer.length or (answer.length is None and not data):
        raise HTTPException("the answer breaks off")
    return data


def _accepted(batch: Batch, data: bytes) -> Accepted:
    try:
        answer = _Answer.model_validate_json(data)
    except ValueError:
        answer = None
    if answer is None or len(answer.offsets) != len(batch.items):
        raise RefusedError("the answer is not that of a relay: is this its private door?", batch, is_known=False)
    return Accepted(batch, answer.epoch, answer.offsets)


def _detail(data: bytes) -> str:
    """Return what a problem says (RFC 9457), fit to be shown."""
    with suppress(ValueError):
        value = json.loads(data)
        if isinstance(value, dict):
            return printable(str(value.get("detail", "")))
    return ""
