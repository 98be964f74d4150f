"""Who is there: the client itself, or a proxy that says for whom it speaks.

It is asked twice, and both times between steps that others take. Before
everything else a PROXY header is read, from those who owe one: exactly to its
last byte, for a TLS handshake may be what follows. And when the head of the
request is whole, the headers are read in which proxies name their client.

As soon as it is known who the client is, its place counts for its address, and
the log names it. A trusted proxy itself is counted for none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roomcast.policies.forwarded import Forwarding
from roomcast.protocol.proxy_protocol import ProxyHeader, ProxyHeaderDecoder

if TYPE_CHECKING:
    from roomcast.protocol.request import Request
    from roomcast.transport.places import Places
    from roomcast.transport.visitor import Visitor


class Introduction:
    """Learns who a visitor is.

    Args:
        forwarding: Who is believed, and what.
        places: Where its own is counted.
    """

    def __init__(self, forwarding: Forwarding, places: Places) -> None:
        self._forwarding = forwarding
        self._places = places

    def before_everything(self, visitor: Visitor) -> None:
        """Read the PROXY header of a peer that owes one. Nothing else of the stream is touched.

        Raises:
            HandshakeError: With 400, if it sends something else.
            Refusal: With 429, if its client has too many connections.
            OSError: If it ends first.
        """
        proxies = self._forwarding.proxies
        if not self._forwarding.owes_proxy_header(visitor.address):
            visitor.is_proxy = proxies.trusts(visitor.address)
            return
        header = _read_proxy_header(visitor)
        if header.is_secure is not None:
            visitor.scheme = "https" if header.is_secure else "http"
        # Who speaks for somebody that it cannot name passes on what that one
        # writes: nothing of it is believed.
        if header.address is not None:
            visitor.is_proxy = proxies.trusts(header.address)
            self._is(visitor, header.address)

    def by_request(self, visitor: Visitor, request: Request) -> None:
        """Read what a trusted proxy says about its client in a request. Raises Refusal, as above."""
        if not visitor.is_proxy:
            return
        client = self._forwarding.client(visitor.address, request.all)
        visitor.scheme = client.scheme or visitor.scheme
        self._is(visitor, client.address)

    def _is(self, visitor: Visitor, address: str) -> None:
        if address == visitor.address:
            return
        # At once: if it is turned away, that is who was.
        visitor.address = address
        refusal = self._places.reclaim(address, visitor.claimed)
        if refusal is not None:
            raise refusal
        visitor.claimed = address


def _read_proxy_header(visitor: Visitor) -> ProxyHeader:
    decoder = ProxyHeaderDecoder()
    while decoder.header is None:
        data = visitor.peek()
        if not data:
            raise ConnectionResetError
        # What has come is taken even if more is to come: what is left lying
        # would wake us again and again.
        visitor.take(decoder.receive(data))
    return decoder.header
