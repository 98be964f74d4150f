// Bun's own WebSocket server (uWebSockets, C++), rooms as its topics. Usage: bun bun_relay.js PORT [CERTIFICATE KEY]
const [port, certificate, key] = process.argv.slice(2);
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  tls: certificate ? { cert: Bun.file(certificate), key: Bun.file(key) } : undefined,
  fetch(request, server) {
    const room = new URL(request.url).pathname;
    if (server.upgrade(request, { data: { room } })) return undefined;
    return new Response("not an upgrade\n", { status: 426 });
  },
  websocket: {
    backpressureLimit: 64 * 1024 * 1024, // the default drops messages before it slows anyone down
    open(socket) {
      socket.subscribe(socket.data.room);
    },
    message(socket, message) {
      server.publish(socket.data.room, message);
    },
  },
});
