"""The extensions that a client offers, written in every way that there is.

The stream is the header's lines, one to a line.

* Only an agreement, None, or a ``HandshakeError`` with status 400 comes out.
* It is what ``websockets`` agrees on, with both takeovers off: which offers can
  be taken, which window is named, and what is no list of extensions at all.
* Our answer is a list of extensions, too.
* All of it takes no time: it is read for every handshake. (A timeout is a
  finding.)
"""

from collections.abc import Iterator
from typing import Final

from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.headers import parse_extension

from roomcast.protocol.deflate import Agreement, negotiate
from roomcast.protocol.errors import HandshakeError
from tests.fuzz import script
from tests.fuzz.bounds import check_words

REFUSED: Final = "refused"

_WITNESS: Final = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)


def check(data: bytes) -> None:
    """Offer what the input says, and make sure that it is understood as others understand it."""
    # As a head hands its values on: without the blanks around them.
    lines = [line.strip(" \t") for line in script.read(data).stream.decode("latin-1").split("\n")]
    ours, theirs = agreed(lines), agreed_by_websockets(",".join(lines))
    assert ours == theirs, f"websockets agrees on something else: {theirs}, not {ours}"
    if isinstance(ours, Agreement):
        (answer,) = parse_extension(ours.header)
        assert answer[0] == "permessage-deflate", "an answer that says something else"


def agreed(lines: list[str]) -> Agreement | str | None:
    """Return what we agree on."""
    try:
        return negotiate(lines)
    except HandshakeError as error:
        check_words(error)
        return REFUSED if error.status == 400 else "refused with another status"


def agreed_by_websockets(header: str) -> Agreement | str | None:
    """Return what they agree on: the first offer that they can take."""
    try:
        offers = parse_extension(header)
    except InvalidHeader:
        return REFUSED
    for name, parameters in offers:
        if name != _WITNESS.name:
            continue
        try:
            answer, _ = _WITNESS.process_request_params(parameters, [])
        except NegotiationError:
            continue
        window = dict(answer).get("server_max_window_bits")
        return Agreement() if window is None else Agreement(int(window), is_window_named=True)
    return None


WORDS: Final = (
    "permessage-deflate",
    "; server_max_window_bits=9",
    "; client_max_window_bits",
    "; server_no_context_takeover",
    "; client_no_context_takeover",
    '="15"',
    '="\\1\\0"',
    ", ",
)


def seeds() -> Iterator[bytes]:
    """Yield the inputs to begin with: what browsers offer, the ways to quote, and what is refused."""
    for stream in (
        b"permessage-deflate; client_max_window_bits",
        b"permessage-deflate; server_max_window_bits=8, permessage-deflate;server_max_window_bits=10",
        b'permessage-deflate ; server_max_window_bits = "1\\5" ; client_max_window_bits="8"',
        b"x-webkit-deflate-frame\npermessage-deflate; server_no_context_takeover; client_no_context_takeover",
        b", ,permessage-deflate,,",
        b"permessage-deflate; server_max_window_bits=09",
        b"permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        b"permessage-deflate; mux=4",
        b"permessage-deflate;",
        b'permessage-deflate; server_max_window_bits=""',
        b'permessage-deflate; server_max_window_bits="9,9"',
        b"permessage-deflate " + b"\t " * 500 + b"x",
        b"",
    ):
        yield script.write(stream)
