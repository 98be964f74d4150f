"""The package gevent-websocket: a greenlet for each member. Usage: gevent_websocket_relay.py PORT"""

import sys
from collections import defaultdict

from gevent.pywsgi import WSGIServer
from geventwebsocket.handler import WebSocketHandler

rooms = defaultdict(set)


def relay(environ, start_response):
    socket = environ["wsgi.websocket"]
    members = rooms[environ["PATH_INFO"]]
    members.add(socket)
    try:
        while (message := socket.receive()) is not None:
            for member in list(members):
                member.send(message)
    finally:
        members.discard(socket)
    return []


WSGIServer(("127.0.0.1", int(sys.argv[1])), relay, handler_class=WebSocketHandler, log=None).serve_forever()
