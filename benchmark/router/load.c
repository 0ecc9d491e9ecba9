/* Asks a door again and again over N connections, checks every answer, and says how long what took.
 *
 * load --port P --request FILE [--connections N] [--seconds S | --calls N] [--rate R] [--warm N] [--grace S]
 *      [--spread S] [--stream] [--tokens N]
 *
 * FILE is a whole HTTP/1.1 request. Without --rate a connection asks as soon as it was answered (closed loop), all of
 * them for the first time within --spread seconds, so that paced streams do not march in step; with --rate calls begin at random moments, R a second on the average, and one that has to wait for a free connection counts from
 * the moment at which it was due (open loop). --warm calls are made before, uncounted. Then it prints "ready", waits for
 * a line on standard input, does the work, waits at most --grace seconds for what is still open, and prints JSON.
 * Speaks to 127.0.0.1 only. */
#define _GNU_SOURCE
#include "answer.h"
#include "samples.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SECOND 1000000000ull
#define WAITING 65536 /* calls that are due and have no connection yet */
#define ERRORS 1000   /* after so many the door is broken */

struct caller {
  int fd;
  bool busy;
  uint64_t began, token_at;
  struct answer answer;
};

static struct {
  int port, connections, calls, warm, tokens;
  double seconds, rate, grace, spread;
  bool stream;
  char request[65536];
  size_t length;
} opt = {.connections = 1, .seconds = 1, .grace = 10, .tokens = 64};

static struct {
  long started, done, status, body, errors, late;
  uint64_t begin, end, last;
  struct samples latency, first, gap;
  char said[400];
} got;

static struct caller *callers;
static uint64_t *waiting;
static size_t waiting_first, waiting_count, busy;
static int opened; /* connections that asked, in a closed loop */
static int poller;

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static void open_connection(struct caller *c) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
  int one = 1;
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to))
    fail("connect");
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event))
    fail("epoll_ctl");
}

static void close_connection(struct caller *c) {
  close(c->fd);
  c->fd = -1;
}

static void ask(struct caller *c, uint64_t due) {
  if (c->fd < 0)
    open_connection(c);
  begin_answer(&c->answer);
  c->began = due;
  c->token_at = 0;
  c->busy = true;
  busy++;
  got.started++;
  if (send(c->fd, opt.request, opt.length, MSG_NOSIGNAL) != (ssize_t)opt.length) {
    got.errors++;
    c->busy = false;
    busy--;
    close_connection(c);
  }
}

static bool more(uint64_t now) {
  return got.errors < ERRORS && (opt.calls ? got.started < opt.calls : now < got.end);
}

static void remember(struct caller *c) {
  if (!got.said[0])
    snprintf(got.said, sizeof got.said, "%.100s %.250s", c->answer.head, c->answer.body);
}

/* A call ended, well or not; its connection takes the next one. */
static void end_call(struct caller *c, bool whole, uint64_t now) {
  c->busy = false;
  busy--;
  if (whole && c->answer.status == 200 && good_body(&c->answer, opt.stream, opt.tokens)) {
    got.done++;
    sample(&got.latency, now - c->began);
    got.last = now;
  } else {
    remember(c);
    (*(!whole ? &got.errors : c->answer.status != 200 ? &got.status : &got.body))++;
  }
  if (c->answer.closes || !whole)
    close_connection(c);
  if (waiting_count) {
    uint64_t due = waiting[waiting_first++ % WAITING];
    waiting_count--;
    ask(c, due);
  } else if (!opt.rate && more(now)) {
    ask(c, now);
  }
}

static void note_tokens(struct caller *c, uint64_t now) {
  bool first = c->answer.tokens == 0;
  int found = new_tokens(&c->answer);
  if (!found)
    return;
  if (first)
    sample(&got.first, now - c->began);
  else
    sample(&got.gap, now - c->token_at);
  for (int i = 1; i < found && opt.stream; i++)
    sample(&got.gap, 0); /* came in one piece with the one before */
  c->token_at = now;
}

static void receive(struct caller *c) {
  static char bytes[262144];
  ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
  uint64_t now = now_ns();
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (!c->busy) { /* a server may end a connection that rests */
    close_connection(c);
    return;
  }
  if (n <= 0) {
    end_call(c, n == 0 && c->answer.stage == TILL_CLOSE, now);
    return;
  }
  feed(&c->answer, bytes, (size_t)n);
  note_tokens(c, now);
  if (c->answer.stage == WHOLE || c->answer.stage == BROKEN)
    end_call(c, c->answer.stage == WHOLE, now);
}

static struct caller *resting(void) {
  for (int i = 0; i < opt.connections; i++)
    if (!callers[i].busy)
      return &callers[i];
  return NULL;
}

/* Begin what is due; gives when the next call is. */
static uint64_t begin_due(uint64_t due, uint64_t now) {
  while (due <= now && more(due)) {
    struct caller *c = resting();
    if (c) {
      ask(c, due);
    } else if (waiting_count < WAITING) {
      waiting[(waiting_first + waiting_count++) % WAITING] = due;
      got.late++;
    } else {
      got.errors++;
    }
    due += (uint64_t)(-log(drand48()) / opt.rate * 1e9) + 1;
  }
  return due;
}

/* Let the connections of a closed loop ask for the first time; gives when the next one does. */
static uint64_t open_due(uint64_t due, uint64_t now) {
  for (; due <= now && opened < opt.connections && more(now); due += (uint64_t)(opt.spread / opt.connections * 1e9))
    ask(&callers[opened++], now_ns());
  return due;
}

static void work(int timer) {
  struct epoll_event events[512];
  uint64_t now = got.begin = got.last = now_ns(), due = now, grace = (uint64_t)(opt.grace * 1e9);
  got.end = got.begin + (uint64_t)(opt.seconds * 1e9);
  opened = 0;
  while (now < got.end + grace) {
    due = opt.rate ? begin_due(due, now) : open_due(due, now);
    bool next = more(due) && (opt.rate || opened < opt.connections);
    if (!busy && !waiting_count && !next)
      break;
    if (next) {
      struct itimerspec at = {.it_value = {(time_t)(due / SECOND), (long)(due % SECOND)}};
      timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
    }
    int n = epoll_wait(poller, events, 512, 100);
    for (int i = 0; i < n; i++) {
      uint64_t rings;
      if (events[i].data.ptr)
        receive(events[i].data.ptr);
      else if (read(timer, &rings, sizeof rings) < 0 && errno != EAGAIN)
        fail("read");
    }
    now = now_ns();
  }
}

static void print_text(const char *text) {
  for (; *text; text++)
    if ((unsigned char)*text < 32 || *text == '"' || *text == '\\' || (unsigned char)*text > 126)
      printf("\\u%04x", (unsigned char)*text);
    else
      putchar(*text);
}

static void print(void) {
  double seconds = (double)(got.last - got.begin) / 1e9;
  printf("{\"started\":%ld,\"done\":%ld,\"bad_status\":%ld,\"bad_body\":%ld,\"errors\":%ld,\"unfinished\":%zu,", got.started,
         got.done, got.status, got.body, got.errors, busy + waiting_count);
  printf("\"late\":%ld,\"seconds\":%.6f,", got.late, seconds);
  print_samples("latency_us", &got.latency);
  putchar(',');
  print_samples("first_us", &got.first);
  putchar(',');
  print_samples("gap_us", &got.gap);
  printf(",\"said\":\"");
  print_text(got.said);
  printf("\"}\n");
}

static void read_options(int argc, char **argv) {
  static const struct option names[] = {
      {"port", 1, 0, 'p'},  {"request", 1, 0, 'q'}, {"connections", 1, 0, 'c'}, {"seconds", 1, 0, 's'},
      {"calls", 1, 0, 'n'}, {"rate", 1, 0, 'r'},    {"warm", 1, 0, 'w'},        {"grace", 1, 0, 'g'},
      {"spread", 1, 0, 'd'}, {"stream", 0, 0, 'S'}, {"tokens", 1, 0, 't'},      {0, 0, 0, 0}};
  for (int found; (found = getopt_long(argc, argv, "", names, NULL)) != -1;) {
    switch (found) {
    case 'p': opt.port = atoi(optarg); break;
    case 'q': {
      int file = open(optarg, O_RDONLY | O_CLOEXEC);
      ssize_t n = file < 0 ? -1 : read(file, opt.request, sizeof opt.request);
      if (n <= 0 || n == sizeof opt.request)
        fail(optarg);
      opt.length = (size_t)n;
      close(file);
      break;
    }
    case 'c': opt.connections = atoi(optarg); break;
    case 's': opt.seconds = atof(optarg); break;
    case 'n': opt.calls = atoi(optarg); break;
    case 'r': opt.rate = atof(optarg); break;
    case 'w': opt.warm = atoi(optarg); break;
    case 'g': opt.grace = atof(optarg); break;
    case 'd': opt.spread = atof(optarg); break;
    case 'S': opt.stream = true; break;
    case 't': opt.tokens = atoi(optarg); break;
    default: exit(2);
    }
  }
  if (opt.port < 1 || opt.port > 65535 || !opt.length || opt.connections < 1 || opt.connections > 4096 || opt.tokens < 1) {
    fprintf(stderr, "load: --port and --request are needed, --connections 1 to 4096, --tokens from 1\n");
    exit(2);
  }
}

/* Make --warm calls in a closed loop, and forget them. */
static void warm_up(int timer) {
  double rate = opt.rate;
  int calls = opt.calls;
  double seconds = opt.seconds;
  if (opt.warm) {
    opt.rate = 0;
    opt.calls = opt.warm;
    opt.seconds = 60;
    work(timer);
    if (got.errors || got.status || got.body) {
      print();
      exit(1);
    }
  }
  opt.rate = rate;
  opt.calls = calls;
  opt.seconds = seconds;
  got.started = got.done = got.late = 0;
  got.latency.count = got.first.count = got.gap.count = 0;
}

int main(int argc, char **argv) {
  char line[16];
  read_options(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  srand48(1);
  callers = calloc((size_t)opt.connections, sizeof *callers);
  waiting = calloc(WAITING, sizeof *waiting);
  poller = epoll_create1(EPOLL_CLOEXEC);
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  if (!callers || !waiting || poller < 0 || timer < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event))
    fail("start");
  for (int i = 0; i < opt.connections; i++)
    open_connection(&callers[i]);
  warm_up(timer);
  printf("ready\n");
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin))
    return 1;
  work(timer);
  print();
  return 0;
}
