"""The package socketify (uWebSockets, C++), rooms as its topics. Usage: socketify_relay.py PORT"""

import sys

from socketify import App

app = App()


def upgrade(response, request, context):
    response.upgrade(
        request.get_header("sec-websocket-key"),
        request.get_header("sec-websocket-protocol"),
        request.get_header("sec-websocket-extensions"),
        context,
        {"room": request.get_url()},
    )


def opened(socket):
    socket.subscribe(socket.get_user_data()["room"])


def received(socket, message, opcode):
    app.publish(socket.get_user_data()["room"], message, opcode)


app.ws(
    "/*",
    {
        "compression": 0,
        "max_payload_length": 16 * 1024 * 1024,
        "max_backpressure": 64 * 1024 * 1024,
        "idle_timeout": 120,
        "upgrade": upgrade,
        "open": opened,
        "message": received,
    },
)
app.listen(int(sys.argv[1]), lambda _: None)
app.run()
