"""The package websockets, on asyncio with uvloop. Usage: websockets_relay.py PORT"""

import sys
from collections import defaultdict

import uvloop
from websockets.asyncio.server import broadcast, serve

rooms = defaultdict(set)


async def relay(socket):
    members = rooms[socket.request.path]
    members.add(socket)
    try:
        async for message in socket:
            broadcast(members, message)
    finally:
        members.discard(socket)


async def main():
    async with serve(relay, "127.0.0.1", int(sys.argv[1]), compression=None, ping_interval=None) as server:
        await server.serve_forever()


uvloop.run(main())
