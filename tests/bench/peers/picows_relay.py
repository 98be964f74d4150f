"""The package picows (Cython), on asyncio with uvloop. Usage: picows_relay.py PORT"""

import sys
from collections import defaultdict

import uvloop
from picows import WSListener, WSMsgType, ws_create_server

rooms = defaultdict(set)


class Member(WSListener):
    def __init__(self, path):
        self.members = rooms[path]

    def on_ws_connected(self, transport):
        self.transport = transport
        self.members.add(transport)

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            message = frame.get_payload_as_bytes()
            for member in self.members:
                member.send(WSMsgType.TEXT, message)

    def on_ws_disconnected(self, transport):
        self.members.discard(transport)


async def main():
    server = await ws_create_server(lambda request: Member(request.path), "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


uvloop.run(main())
