// The client of Node's library ws. Usage and lines: see ../witness.py; where ws is, is in NODE_PATH.
"use strict";

const readline = require("node:readline");
const WebSocket = require("ws");

const [url, ...subprotocols] = process.argv.slice(2);
const socket = new WebSocket(url, subprotocols, { maxPayload: 0 });
const heard = [];
let isAsked = false;

// Nothing is read that nobody asks for: a witness must be able to fall behind.
function answer() {
  if (isAsked && heard.length > 0) {
    isAsked = false;
    console.log(heard.shift());
  }
  if (socket.readyState === WebSocket.OPEN || socket.readyState === WebSocket.CLOSING) {
    isAsked ? socket.resume() : socket.pause();
  }
}

function hear(line) {
  heard.push(line);
  answer();
}

function close(rest) {
  const [code, ...reason] = rest.split(" ");
  socket.close(Number(code), reason.join(" "));
}

function fragments(parts) {
  parts.forEach((part, index) => socket.send(part, { fin: index === parts.length - 1 }));
}

const verbs = {
  text: (rest) => socket.send(rest),
  bytes: (rest) => socket.send(Buffer.from(rest, "hex")),
  fragments: (rest) => fragments(rest.split("|")),
  ping: (rest) => socket.ping(rest),
  close,
  hear: () => {
    isAsked = true;
    answer();
  },
};

socket.on("message", (data, isBinary) => hear(isBinary ? `bytes ${data.toString("hex")}` : `text ${data}`));
socket.on("pong", (data) => hear(`pong ${data}`));
socket.on("close", (code, reason) => hear(`closed ${code} ${reason}`));
socket.on("unexpected-response", (request, response) => {
  console.log(`refused ${response.statusCode}`);
  process.exit();
});
socket.on("open", () => {
  console.log(`open ${socket.protocol}`);
  answer();
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const verb = line.split(" ", 1)[0];
    verbs[verb](line.slice(verb.length + 1));
  });
  lines.on("close", () => process.exit());
});
