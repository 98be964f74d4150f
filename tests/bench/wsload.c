/* A load generator for relays that broadcast by path: one thread, one epoll, no library.
 * Compiled with -DTLS it speaks nothing but TLS, and takes OpenSSL for that.
 *
 * It opens ROOMS x MEMBERS WebSockets, lets the first PUBLISHERS of each room publish, and
 * reads what arrives at all of them. It prints one JSON line: deliveries, latencies, and
 * what the server (-x) spent on them, in CPU time and memory.
 *
 * Publishers follow one of three rules:
 *   closed loop (default)  the next message when the room's publishers have all been heard,
 *                          so the server must echo; -w messages of each are under way
 *   open loop (-R)         so many messages a second in all, whatever comes back
 *   flood (-F)             whenever the socket takes bytes
 *
 * What it is not: a WebSocket client. It believes the server's frames and its masking key
 * is no secret, for its own speed limits what can be measured.
 *
 * With -H it is a herd that comes back: the first member publishes so many messages, then
 * all others connect at once, as fast as the server takes them, and ask for all of these.
 * The first one pings meanwhile, one ping after the other, to see how long the server is away.
 *
 * With -Z it offers permessage-deflate and counts what arrives compressed, without looking
 * into it. It publishes uncompressed either way: text that shrinks to about a third.
 *
 * A message begins with the time at which it was built, 18 decimal digits of nanoseconds.
 * One delivery in 16 is timed: parsing those digits at each would cost the generator more
 * than reading the frame. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef TLS
#include <openssl/ssl.h>
#endif

enum { STAMP_SIZE = 18, HEAD_MAX = 14, PONG_MAX = 6 + 125, LATENCIES_MAX = 4000000, READ_SIZE = 1 << 20 };
enum { OPCODE_BINARY = 2, OPCODE_CLOSE = 8, OPCODE_PING = 9, OPCODE_PONG = 10, COMPRESSED = 0x40 };

static struct {
  int port, rooms, members, publishers, size, window, stalled, receive_buffer, herd;
  bool is_flood, offers_deflate;
  double seconds, warm_s, rate;
  pid_t server;
  const char *path, *origin;
} want = {.port = 8080, .rooms = 1, .members = 100, .publishers = 1, .size = 64, .window = 1,
          .seconds = 3, .warm_s = 0.5, .path = "/rooms/%d", .origin = "http://localhost"};

enum stage { JOINED, CONNECTING, ASKING };

struct member {
  int fd;
  enum stage stage;
  int replayed;             /* what it has got of what the herd asks for */
#ifdef TLS
  SSL *tls;
#endif
  bool is_publisher;
  int heard;                /* deliveries that do not yet pay for another message */
  int owed;                 /* messages to publish once the socket takes bytes again */
  uint8_t *inbox;           /* the beginning of a frame whose end has not arrived */
  size_t inbox_size, inbox_capacity;
  uint8_t *frame;           /* the frame being written, */
  size_t frame_size, sent;  /* and how much of it the kernel has taken */
  uint8_t pong[PONG_MAX];   /* owed too, between two frames */
  size_t pong_size;
  bool is_waiting;          /* for the socket to take bytes */
};

static struct member *members;
static int poller;
static uint64_t published, delivered, compressed;
static uint64_t pinged;     /* when the ping went out that is under way */
static int served;          /* members of the herd that have got all */
static uint32_t *latencies_us;
static size_t latencies;

static void fail(const char *what) {
  fprintf(stderr, "wsload: %s: %s\n", what, errno ? strerror(errno) : "unexpected");
  exit(2);
}

static uint64_t nanoseconds(clockid_t clock) {
  struct timespec t;
  if (clock_gettime(clock, &t))
    return 0;
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static uint64_t now(void) { return nanoseconds(CLOCK_MONOTONIC); }

/* The process's own CPU clock counts nanoseconds; /proc/PID/stat counts ticks of 10 ms. */
static double server_cpu_s(void) {
  clockid_t clock;
  if (!want.server || clock_getcpuclockid(want.server, &clock))
    return 0;
  return nanoseconds(clock) / 1e9;
}

static long server_rss_kib(void) {
  char name[64];
  long total, resident = 0;
  snprintf(name, sizeof name, "/proc/%d/statm", want.server);
  FILE *file = want.server ? fopen(name, "r") : NULL;
  if (!file)
    return 0;
  if (fscanf(file, "%ld %ld", &total, &resident) != 2)
    resident = 0;
  fclose(file);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* ---- The connection: as the calls of a socket, whatever is below ---- */

#ifdef TLS
/* What OpenSSL wants to have called again is, with the same bytes: the same frame, or the same buffer. */
static ssize_t result(struct member *m, int n) {
  if (n > 0)
    return n;
  int error = SSL_get_error(m->tls, n);
  if (error == SSL_ERROR_ZERO_RETURN)
    return 0;
  errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
  return -1;
}

static ssize_t give(struct member *m, const void *data, size_t size) { return result(m, SSL_write(m->tls, data, size)); }

static ssize_t take(struct member *m, void *buffer, size_t size) { return result(m, SSL_read(m->tls, buffer, size)); }

static void begin(struct member *m) {
  static SSL_CTX *context;
  if (!context) {
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    /* Relays are compared, not the ciphers that they prefer. */
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
  }
  m->tls = SSL_new(context);
  SSL_set_fd(m->tls, m->fd);
  if (SSL_connect(m->tls) != 1)
    fail("TLS");
}
#else
static ssize_t give(struct member *m, const void *data, size_t size) { return write(m->fd, data, size); }

static ssize_t take(struct member *m, void *buffer, size_t size) { return recv(m->fd, buffer, size, 0); }

static void begin(struct member *m) { (void)m; }
#endif

/* ---- Publishing ---- */

/* Words of one to eight letters, drawn from a hundred: neither noise nor one repetition. */
static void fill_with_words(uint8_t *text, int size) {
  uint32_t dice = 1;
  for (int i = 0; i < size; i++) {
    dice = dice * 1664525 + 1013904223;
    uint32_t word = (dice >> 16) % 100;
    for (uint32_t letter = 0; letter <= word % 8 && i < size; letter++)
      text[i++] = 'a' + (word * 7 + letter * letter * 5) % 26;
    if (i < size)
      text[i] = ' ';
  }
}

static void build_frame(struct member *m) {
  static uint8_t *text;
  if (!text) {
    text = malloc(want.size + 1);
    fill_with_words(text, want.size);
  }
  char stamp[STAMP_SIZE + 1];
  snprintf(stamp, sizeof stamp, "%018llu", (unsigned long long)now());
  memcpy(text, stamp, STAMP_SIZE);

  uint8_t *to = m->frame;
  *to++ = 0x81;
  if (want.size < 126) {
    *to++ = 0x80 | want.size;
  } else {
    bool is_long = want.size > 0xffff;
    *to++ = 0x80 | (is_long ? 127 : 126);
    for (int shift = is_long ? 56 : 8; shift >= 0; shift -= 8)
      *to++ = (uint64_t)want.size >> shift;
  }
  static const uint8_t key[4] = {0x12, 0x34, 0x56, 0x78};
  memcpy(to, key, sizeof key);
  to += sizeof key;
  for (int i = 0; i < want.size; i++)
    to[i] = text[i] ^ key[i & 3];
  m->frame_size = to + want.size - m->frame;
  m->sent = 0;
}

static void watch(struct member *m, uint32_t events, int operation) {
  struct epoll_event event = {.events = events, .data.ptr = m};
  if (epoll_ctl(poller, operation, m->fd, &event))
    fail("epoll_ctl");
}

/* The next frame that is owed, if any: a pong before a message. */
static bool load_frame(struct member *m) {
  if (!m->frame)
    m->frame = malloc(want.size + HEAD_MAX > PONG_MAX ? want.size + HEAD_MAX : PONG_MAX);
  if (m->pong_size) {
    memcpy(m->frame, m->pong, m->pong_size);
    m->frame_size = m->pong_size;
    m->sent = m->pong_size = 0;
    return true;
  }
  if (!m->owed && !(want.is_flood && m->is_publisher))
    return false;
  build_frame(m);
  m->owed -= m->owed > 0;
  published++;
  return true;
}

/* Write until nothing is owed or the kernel takes no more; then EPOLLOUT goes on from here. */
static void drain(struct member *m) {
  while (m->sent < m->frame_size || load_frame(m)) {
    ssize_t n = give(m, m->frame + m->sent, m->frame_size - m->sent);
    if (n < 0 && errno != EAGAIN)
      fail("write");
    m->sent += n > 0 ? n : 0;
    if (m->sent < m->frame_size)
      break;
  }
  bool must_wait = m->sent < m->frame_size;
  if (must_wait != m->is_waiting)
    watch(m, must_wait ? EPOLLIN | EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
  m->is_waiting = must_wait;
}

static void publish(struct member *m) {
  m->owed++;
  if (!m->is_waiting)
    drain(m);
}

/* ---- Reading ---- */

static void time_delivery(const uint8_t *payload) {
  uint64_t stamp = 0;
  for (int i = 0; i < STAMP_SIZE; i++)
    stamp = stamp * 10 + (payload[i] - '0');
  latencies_us[latencies++] = (now() - stamp) / 1000;
}

static void on_message(struct member *m, const uint8_t *payload, uint64_t size) {
  delivered++;
  if (want.herd && ++m->replayed == want.herd)
    served++;
  if (!want.herd && (delivered & 15) == 0 && latencies < LATENCIES_MAX && size >= STAMP_SIZE)
    time_delivery(payload);
  bool is_closed_loop = want.rate == 0 && !want.is_flood && !want.herd;
  if (is_closed_loop && m->is_publisher && ++m->heard >= want.publishers) {
    m->heard -= want.publishers;
    publish(m);
  }
}

static void ping(struct member *m) {
  static const uint8_t frame[6] = {0x80 | OPCODE_PING, 0x80};
  pinged = now();
  if (give(m, frame, sizeof frame) != sizeof frame)
    fail("ping");
}

static void on_control(struct member *m, int opcode, const uint8_t *payload, uint64_t size) {
  if (opcode == OPCODE_CLOSE) {
    fprintf(stderr, "wsload: closed by the server: %d %.*s\n", size >= 2 ? payload[0] << 8 | payload[1] : 0,
            size >= 2 ? (int)size - 2 : 0, payload + 2);
    exit(4);
  }
  if (opcode == OPCODE_PONG && want.herd) {
    latencies_us[latencies++] = (now() - pinged) / 1000;
    ping(m);
  }
  if (opcode == OPCODE_PING && size < 126) {
    memcpy(m->pong, (uint8_t[6]){0x8a, 0x80 | size}, 6); /* a key of zeros masks nothing */
    memcpy(m->pong + 6, payload, size);
    m->pong_size = 6 + size;
    if (!m->is_waiting)
      drain(m);
  }
}

/* Take one frame off the front: its size in all, or 0 while its end has not arrived. */
static size_t take_frame(struct member *m, const uint8_t *data, size_t available) {
  if (available < 2)
    return 0;
  uint64_t size = data[1] & 127;
  size_t head = size == 126 ? 4 : size == 127 ? 10 : 2;
  if (available < head)
    return 0;
  if (head > 2)
    size = 0;
  for (size_t i = 2; i < head; i++)
    size = size << 8 | data[i];
  if (available - head < size)
    return 0;
  int opcode = data[0] & 15;
  bool is_compressed = data[0] & COMPRESSED;
  compressed += is_compressed;
  if (opcode <= OPCODE_BINARY)
    on_message(m, data + head, is_compressed ? 0 : size); /* its stamp cannot be read */
  else
    on_control(m, opcode, data + head, size);
  return head + size;
}

static void keep(struct member *m, const uint8_t *data, size_t size) {
  if (size > m->inbox_capacity) {
    m->inbox_capacity = size * 2;
    uint8_t *grown = malloc(m->inbox_capacity);
    memcpy(grown, data, size); /* `data` may lie in the old one */
    free(m->inbox);
    m->inbox = grown;
  } else if (size) {
    memmove(m->inbox, data, size);
  }
  m->inbox_size = size;
}

static void read_member(struct member *m) {
  static uint8_t buffer[READ_SIZE];
  uint8_t *data = buffer;
  size_t kept = m->inbox_size;
  if (kept)
    memcpy(buffer, m->inbox, kept);
  ssize_t n = take(m, buffer + kept, sizeof buffer - kept);
  if (n < 0 && errno == EAGAIN)
    return;
  if (n <= 0)
    fail("the server closed a connection");
  size_t available = kept + n, size;
  while ((size = take_frame(m, data, available))) {
    data += size;
    available -= size;
  }
  keep(m, data, available);
}

/* ---- Connecting ---- */

static int connected_socket(int number, int flags) {
  int fd = socket(AF_INET, SOCK_STREAM | flags, 0), one = 1;
  if (fd < 0)
    fail("socket");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  /* One address has some 28,000 ports to leave from. */
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + number / 20000)};
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(want.port)};
  bool is_stalled = number % want.members >= want.members - want.stalled;
  if (is_stalled && want.receive_buffer)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &want.receive_buffer, sizeof want.receive_buffer);
  if (bind(fd, (void *)&from, sizeof from) || (connect(fd, (void *)&to, sizeof to) && errno != EINPROGRESS))
    fail("connect");
  return fd;
}

static void ask(struct member *m, int room, const char *query) {
  char path[128], head[2048];
  snprintf(path, sizeof path, want.path, room);
  int size = snprintf(head, sizeof head,
                      "GET %s%s HTTP/1.1\r\nHost: localhost:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                      "Origin: %s\r\n%s\r\n",
                      path, query, want.port, want.origin,
                      want.offers_deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
  if (give(m, head, size) != size)
    fail("handshake");
}

static void check_answer(const char *head) {
  if (strncmp(head, "HTTP/1.1 101", 12)) {
    fprintf(stderr, "wsload: refused: %s\n", head);
    exit(3);
  }
  if (want.offers_deflate && !strstr(head, "permessage-deflate")) {
    fprintf(stderr, "wsload: no compression was agreed on: %s\n", head);
    exit(3);
  }
}

static void shake_hands(struct member *m, int room) {
  char head[2048];
  ask(m, room, "");
  size_t got = 0;
  char *end = NULL;
  while (!end) {
    ssize_t n = take(m, head + got, sizeof head - 1 - got);
    if (n <= 0)
      fail("handshake");
    head[got += n] = 0;
    end = strstr(head, "\r\n\r\n");
  }
  check_answer(head);
  keep(m, (uint8_t *)end + 4, head + got - (end + 4));
}

static void join(int number) {
  struct member *m = &members[number];
  int place = number % want.members;
  m->fd = connected_socket(number, 0);
  begin(m);
  shake_hands(m, number / want.members);
  fcntl(m->fd, F_SETFL, O_NONBLOCK);
  m->is_publisher = place < want.publishers;
  if (place < want.members - want.stalled)
    watch(m, EPOLLIN, EPOLL_CTL_ADD);
}

/* ---- The run ---- */

static struct member *publisher(int number) {
  return &members[number / want.publishers * want.members + number % want.publishers];
}

static void start_publishers(void) {
  if (want.rate > 0)
    return;
  for (int round = 0; round < (want.is_flood ? 1 : want.window); round++)
    for (int i = 0; i < want.rooms * want.publishers; i++)
      want.is_flood ? drain(publisher(i)) : publish(publisher(i));
}

static void publish_what_is_due(uint64_t start) {
  static uint64_t due;
  uint64_t elapsed = now() - start;
  while (due * 1e9 / want.rate <= elapsed)
    publish(publisher(due++ % (want.rooms * want.publishers)));
}

static void run_until(uint64_t start, uint64_t end) {
  struct epoll_event events[256];
  while (now() < end) {
    bool is_open_loop = want.rate > 0 && want.publishers;
    if (is_open_loop)
      publish_what_is_due(start);
    int n = epoll_wait(poller, events, 256, is_open_loop ? 0 : 10);
    for (int i = 0; i < n; i++) {
      struct member *m = events[i].data.ptr;
      if (events[i].events & EPOLLOUT)
        drain(m);
      if (events[i].events & ~EPOLLOUT)
        read_member(m);
    }
  }
}

/* ---- The herd ---- */

static void read_answer(struct member *m) {
  char answer[4096];
  ssize_t n = recv(m->fd, answer, sizeof answer - 1, MSG_PEEK);
  if (n < 0 && errno == EAGAIN)
    return;
  if (n <= 0)
    fail("the server closed a connection");
  answer[n] = 0;
  char *end = strstr(answer, "\r\n\r\n");
  if (!end)
    return;
  check_answer(answer);
  if (recv(m->fd, answer, end + 4 - answer, 0) != end + 4 - answer)
    fail("handshake");
  m->stage = JOINED;
}

static void go_on(struct member *m) {
  char query[32];
  if (m->stage == CONNECTING) {
    snprintf(query, sizeof query, "?history=%d", want.herd);
    ask(m, 0, query);
    m->stage = ASKING;
    watch(m, EPOLLIN, EPOLL_CTL_MOD);
  } else if (m->stage == ASKING) {
    read_answer(m);
  } else {
    read_member(m);
  }
}

static void take_events(int timeout_ms) {
  struct epoll_event events[64];
  int n = epoll_wait(poller, events, 64, timeout_ms);
  for (int i = 0; i < n; i++)
    go_on(events[i].data.ptr);
}

static void run_herd(void) {
  struct member *first = &members[0];
  join(0);
  first->owed = want.herd;
  drain(first);
  while (!served)
    take_events(10);
  latencies = 0;
  ping(first);
  for (int i = 1; i < want.members; i++) {
    members[i].fd = connected_socket(i, SOCK_NONBLOCK);
    members[i].stage = CONNECTING;
    watch(&members[i], EPOLLOUT, EPOLL_CTL_ADD);
    /* Those that wait in the server's queue are enough to keep it busy; of more the kernel drops some. */
    do
      take_events(0);
    while (i - served > want.window * 1000);
  }
  while (served < want.members)
    take_events(10);
}

static int by_value(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static uint32_t latency(double share) {
  return latencies ? latencies_us[(size_t)((latencies - 1) * share)] : 0;
}

static void parse(int argc, char **argv) {
  int option;
  while ((option = getopt(argc, argv, "p:t:r:m:P:s:w:d:W:x:R:o:z:b:H:FZ")) > 0)
    switch (option) {
    case 'p': want.port = atoi(optarg); break;
    case 't': want.path = optarg; break;
    case 'r': want.rooms = atoi(optarg); break;
    case 'm': want.members = atoi(optarg); break;
    case 'P': want.publishers = atoi(optarg); break;
    case 's': want.size = atoi(optarg); break;
    case 'w': want.window = atoi(optarg); break;
    case 'd': want.seconds = atof(optarg); break;
    case 'W': want.warm_s = atof(optarg); break;
    case 'x': want.server = atoi(optarg); break;
    case 'R': want.rate = atof(optarg); break;
    case 'o': want.origin = optarg; break;
    case 'z': want.stalled = atoi(optarg); break;
    case 'b': want.receive_buffer = atoi(optarg); break;
    case 'H': want.herd = atoi(optarg); break;
    case 'F': want.is_flood = true; break;
    case 'Z': want.offers_deflate = true; break;
    default: fprintf(stderr, "wsload: see the options in parse()\n"); exit(1);
    }
  if (want.size < STAMP_SIZE)
    want.size = STAMP_SIZE;
}

int main(int argc, char **argv) {
  parse(argc, argv);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  int count = want.rooms * want.members;
  members = calloc(count, sizeof *members);
  latencies_us = malloc(LATENCIES_MAX * sizeof *latencies_us);
  poller = epoll_create1(0);

  long rss_before_kib = server_rss_kib();
  double cpu_before_s = server_cpu_s();
  if (want.herd)
    run_herd();
  else
    for (int i = 0; i < count; i++)
      join(i);
  double handshake_cpu_s = server_cpu_s() - cpu_before_s;
  usleep(200000); /* let the server finish what follows a handshake before its memory is read */
  long rss_joined_kib = server_rss_kib();

  qsort(latencies_us, latencies, sizeof *latencies_us, by_value);
  printf("{\"herd_ping_p99_us\": %u, \"herd_ping_max_us\": %u, ", latency(0.99), latency(1));
  if (want.herd)
    want.publishers = 0;
  uint64_t start = now(), measured = start + want.warm_s * 1e9;
  start_publishers();
  run_until(start, measured);
  measured = now();
  uint64_t published_before = published;
  double server_before_s = server_cpu_s(), self_before_s = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
  delivered = compressed = latencies = 0;
  run_until(start, measured + want.seconds * 1e9);
  double elapsed_s = (now() - measured) / 1e9, server_s = server_cpu_s() - server_before_s;
  double self_s = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) / 1e9 - self_before_s;

  qsort(latencies_us, latencies, sizeof *latencies_us, by_value);
  printf("\"deliveries_per_s\": %.0f, \"published_per_s\": %.1f, \"cpu_us_per_delivery\": %.4f, "
         "\"server_cpu\": %.4f, \"generator_cpu\": %.4f, ",
         delivered / elapsed_s, (published - published_before) / elapsed_s,
         delivered ? server_s * 1e6 / delivered : 0, server_s / elapsed_s, self_s / elapsed_s);
  printf("\"compressed_share\": %.3f, ", delivered ? (double)compressed / delivered : 0);
  printf("\"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u, ", latency(0.5), latency(0.99), latency(1));
  printf("\"handshake_cpu_us\": %.1f, \"kib_per_connection\": %.3f, \"rss_joined_kib\": %ld, \"rss_end_kib\": %ld}\n",
         handshake_cpu_s * 1e6 / count, (double)(rss_joined_kib - rss_before_kib) / count, rss_joined_kib,
         server_rss_kib());
  return 0;
}
