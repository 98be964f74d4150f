/* The least that a relay can do: the system calls, and nothing else.
 *
 * Whoever opens the same path is in one room; what arrives in one turn of the loop leaves
 * as one burst per room, to everyone there. No limit, no check, no close, no slow reader:
 * what the kernel does not take is lost. Its CPU time per delivery is therefore a floor
 * under every relay on this machine and kernel, and other relays are quoted as multiples.
 *
 * Usage: floor PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOMS_MAX = 20000, READ_SIZE = 1 << 20, HEAD_MAX = 4096, KEY_SIZE = 4 };

struct room {
  char path[64];
  int *members;
  int count, capacity;
  uint8_t *burst;
  size_t burst_size, burst_capacity;
};

struct connection {
  int fd;
  struct room *room;
};

static struct room rooms[ROOMS_MAX], *unflushed[ROOMS_MAX];
static int room_count, unflushed_count, poller;

static struct room *room_called(const char *path) {
  for (int i = room_count - 1; i >= 0; i--)
    if (!strcmp(rooms[i].path, path))
      return &rooms[i];
  struct room *room = &rooms[room_count++];
  snprintf(room->path, sizeof room->path, "%s", path);
  return room;
}

static void watch(int fd, struct connection *connection) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static void enter(int fd, const char *path) {
  struct connection *connection = malloc(sizeof *connection);
  struct room *room = room_called(path);
  *connection = (struct connection){.fd = fd, .room = room};
  if (room->count == room->capacity) {
    room->capacity = room->capacity ? room->capacity * 2 : 8;
    room->members = realloc(room->members, room->capacity * sizeof *room->members);
  }
  room->members[room->count++] = fd;
  watch(fd, connection);
}

/* The head is taken for valid and for complete; the answer is for one fixed key. */
static void shake_hands(int listener) {
  static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
  char head[HEAD_MAX];
  int fd = accept(listener, NULL, NULL), one = 1;
  ssize_t size = recv(fd, head, sizeof head - 1, 0);
  head[size > 0 ? size : 0] = 0;
  char *path = strchr(head, ' '), *end = path ? strchr(++path, ' ') : NULL;
  if (!end) {
    close(fd);
    return;
  }
  *end = 0;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (write(fd, answer, sizeof answer - 1) < 0)
    perror("floor: write");
  enter(fd, path);
}

static void leave(struct connection *connection) {
  struct room *room = connection->room;
  for (int i = 0; i < room->count; i++)
    if (room->members[i] == connection->fd) {
      room->members[i] = room->members[--room->count];
      break;
    }
  close(connection->fd);
  free(connection);
}

/* Append one frame to the room's burst, unmasked; return its size as it arrived. */
static size_t relay(struct room *room, const uint8_t *frame) {
  uint64_t size = frame[1] & 127;
  size_t head = size == 126 ? 4 : size == 127 ? 10 : 2;
  if (head > 2)
    size = 0;
  for (size_t i = 2; i < head; i++)
    size = size << 8 | frame[i];
  if (room->burst_size + head + size > room->burst_capacity) {
    room->burst_capacity = (room->burst_size + head + size) * 2;
    room->burst = realloc(room->burst, room->burst_capacity);
  }
  if (!room->burst_size)
    unflushed[unflushed_count++] = room;
  uint8_t *to = room->burst + room->burst_size;
  memcpy(to, frame, head);
  to[1] &= 127;
  const uint8_t *key = frame + head, *payload = key + KEY_SIZE;
  for (uint64_t i = 0; i < size; i++)
    to[head + i] = payload[i] ^ key[i & 3];
  room->burst_size += head + size;
  return head + KEY_SIZE + size;
}

static void read_from(struct connection *connection) {
  static uint8_t buffer[READ_SIZE];
  ssize_t size = recv(connection->fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (size <= 0) {
    leave(connection);
    return;
  }
  /* A frame that is cut by the end of the read is relayed as if it were whole: with the
   * messages of up to 16 KiB that these runs send over loopback, it does not happen. */
  for (ssize_t at = 0; size - at >= 2 + KEY_SIZE;)
    at += relay(connection->room, buffer + at);
}

static void flush(struct room *room) {
  for (int i = 0; i < room->count; i++)
    (void)!send(room->members[i], room->burst, room->burst_size, MSG_DONTWAIT | MSG_NOSIGNAL);
  room->burst_size = 0;
}

static int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (void *)&address, sizeof address) || listen(fd, SOMAXCONN)) {
    perror("floor: listen");
    exit(1);
  }
  return fd;
}

int main(int argc, char **argv) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  int listener = listen_on(argc > 1 ? atoi(argv[1]) : 8080);
  poller = epoll_create1(0);
  watch(listener, NULL);
  while (true) {
    struct epoll_event events[512];
    int n = epoll_wait(poller, events, 512, -1);
    for (int i = 0; i < n; i++)
      events[i].data.ptr ? read_from(events[i].data.ptr) : shake_hands(listener);
    for (int i = 0; i < unflushed_count; i++)
      flush(unflushed[i]);
    unflushed_count = 0;
  }
}
