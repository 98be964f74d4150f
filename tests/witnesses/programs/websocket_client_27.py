"""websocket-client 0.4.1, of 2011, under Python 2.7: it speaks hixie-76. Usage and lines: see ../witness.py."""

import sys

import websocket


def hear(socket):
    if not socket.connected:
        return "closed"
    try:
        text = socket.recv()
    except websocket.ConnectionClosedException:
        return "closed"
    return "closed" if text is None else "text " + text


def main():
    try:
        socket = websocket.create_connection(sys.argv[1])
    except websocket.WebSocketException as refused:
        print "refused", refused
        return
    print "open"
    while True:
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            return
        verb, _, rest = line.rstrip("\n").partition(" ")
        if verb == "text":
            socket.send(rest)
        elif verb == "close":
            socket.close()
        elif verb == "hear":
            print hear(socket)


if __name__ == "__main__":
    main()
