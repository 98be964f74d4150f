"""The client of the library aiohttp. It has no way to send fragments. Usage and lines: see ../witness.py."""

import asyncio
import sys

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError


async def do(socket: ClientWebSocketResponse, verb: str, rest: str) -> str | None:
    match verb:
        case "text":
            await socket.send_str(rest)
        case "bytes":
            await socket.send_bytes(bytes.fromhex(rest))
        case "ping":
            await socket.ping(rest.encode())
        case "close":
            code, _, reason = rest.partition(" ")
            await socket.close(code=int(code), message=reason.encode())
        case "hear":
            return await hear(socket)
    return None


async def hear(socket: ClientWebSocketResponse) -> str:
    while True:
        message = await socket.receive()
        match message.type:
            case WSMsgType.TEXT:
                return f"text {message.data}"
            case WSMsgType.BINARY:
                return f"bytes {message.data.hex()}"
            case WSMsgType.PONG:
                return f"pong {message.data.decode()}"
            case WSMsgType.PING:
                # Pongs are shown only to those who answer pings themselves.
                await socket.pong(message.data)
            case WSMsgType.CLOSE:
                return f"closed {message.data} {message.extra or ''}"
            case _:
                # We said goodbye first: then it keeps the other side's code, and not its reason.
                return f"closed {socket.close_code}"


async def main() -> None:
    url, *subprotocols = sys.argv[1:]
    lines = asyncio.get_running_loop()
    async with ClientSession() as session:
        try:
            socket = await session.ws_connect(url, protocols=subprotocols, compress=15, max_msg_size=0, autoping=False)
        except WSServerHandshakeError as refused:
            print(f"refused {refused.status}", flush=True)
            return
        print(f"open {socket.protocol or ''}", flush=True)
        while line := await lines.run_in_executor(None, sys.stdin.readline):
            verb, _, rest = line.rstrip("\n").partition(" ")
            answer = await do(socket, verb, rest)
            if answer is not None:
                print(answer, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
