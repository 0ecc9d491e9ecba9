/* A model server that costs next to nothing: OpenAI's chat completions with canned answers, one epoll loop.
 *
 * upstream [PORT [TOKENS [DELAY_US]]]    listens on 127.0.0.1 and prints its port; 0, the default: any
 *
 * An answer has TOKENS (64) times the text " token" and the usage. A request with "stream":true is answered with events:
 * all in one piece, or, where "paced" stands in it in quotes (its model's name), the first token at once and one more
 * every DELAY_US (5000) microseconds, on a fixed schedule, each in a piece of its own.
 * GET /stats says how many answers and streams were begun, and how many streams their callers left before the end.
 * Trusts who asks: requests up to 256 KiB, 4096 connections, 1 to 5000 tokens. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_BYTES (1 << 18)
#define SECOND 1000000000ull

struct connection {
  int fd, sent; /* sent: tokens of the running stream */
  bool streaming, dead, blocked;
  uint64_t due;
  struct connection *before, *after; /* in the line of those that wait for their next token */
  char *out;                         /* what the socket did not take yet */
  size_t out_length;
  size_t length;
  char request[REQUEST_BYTES + 1];
};

struct text {
  char *at;
  size_t length;
};

static int tokens = 64, poller, timer;
static uint64_t delay = 5000000;
static long answers, streams, left;
static struct text whole, burst, opening, token, closing, models;
static struct connection *first, *last;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void add(struct text *to, const char *bytes, size_t n) {
  to->at = realloc(to->at, to->length + n + 1);
  if (!to->at)
    abort();
  memcpy(to->at + to->length, bytes, n);
  to->length += n;
  to->at[to->length] = 0;
}

static void add_text(struct text *to, const char *bytes) { add(to, bytes, strlen(bytes)); }

/* One event in a chunk of its own. */
static void add_event(struct text *to, const char *data) {
  char size[24];
  snprintf(size, sizeof size, "%zx\r\n", strlen(data) + 8);
  add_text(to, size);
  add_text(to, "data: ");
  add_text(to, data);
  add_text(to, "\n\n\r\n");
}

static void add_choice(struct text *to, const char *delta, const char *reason) {
  char data[512];
  snprintf(data, sizeof data,
           "{\"id\":\"chatcmpl-abc123def456\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,"
           "\"model\":\"gpt-4o-mini\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{\"index\":0,"
           "\"delta\":%s,\"logprobs\":null,\"finish_reason\":%s}],\"usage\":null}",
           delta, reason);
  add_event(to, data);
}

static void add_json(struct text *to, const char *body) {
  char head[128];
  snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n",
           strlen(body));
  add_text(to, head);
  add_text(to, body);
}

static void write_answers(void) {
  char usage[512];
  struct text body = {0};
  add_text(&opening, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
                     "transfer-encoding: chunked\r\n\r\n");
  add_choice(&opening, "{\"role\":\"assistant\",\"content\":\"\"}", "null");
  add_choice(&token, "{\"content\":\" token\"}", "null");
  add_choice(&closing, "{}", "\"stop\"");
  snprintf(usage, sizeof usage,
           "{\"id\":\"chatcmpl-abc123def456\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,"
           "\"model\":\"gpt-4o-mini\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[],"
           "\"usage\":{\"prompt_tokens\":125,\"completion_tokens\":%d,\"total_tokens\":%d}}",
           tokens, tokens + 125);
  add_event(&closing, usage);
  add_event(&closing, "[DONE]");
  add_text(&closing, "0\r\n\r\n");
  add(&burst, opening.at, opening.length);
  add_text(&body, "{\"id\":\"chatcmpl-abc123def456\",\"object\":\"chat.completion\",\"created\":1790000000,"
                  "\"model\":\"gpt-4o-mini\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{\"index\":0,"
                  "\"message\":{\"role\":\"assistant\",\"content\":\"");
  for (int i = 0; i < tokens; i++) {
    add(&burst, token.at, token.length);
    add_text(&body, " token");
  }
  add(&burst, closing.at, closing.length);
  snprintf(usage, sizeof usage,
           "\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
           "\"usage\":{\"prompt_tokens\":125,\"completion_tokens\":%d,\"total_tokens\":%d}}",
           tokens, tokens + 125);
  add_text(&body, usage);
  add_json(&whole, body.at);
  add_json(&models, "{\"object\":\"list\",\"data\":[{\"id\":\"burst\",\"object\":\"model\",\"created\":1,"
                    "\"owned_by\":\"bench\"},{\"id\":\"paced\",\"object\":\"model\",\"created\":1,\"owned_by\":\"bench\"}]}");
}

static void watch(struct connection *c, bool blocked) {
  struct epoll_event event = {.events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
  c->blocked = blocked;
  epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

/* Send, or keep what the socket does not take: a slow reader holds up nobody else. */
static void say(struct connection *c, const char *bytes, size_t n) {
  while (n && !c->out_length && !c->dead) {
    ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN)
      break;
    if (sent < 0)
      c->dead = true;
    else
      bytes += sent, n -= (size_t)sent;
  }
  if (!n || c->dead)
    return;
  c->out = realloc(c->out, c->out_length + n);
  if (!c->out)
    abort();
  memcpy(c->out + c->out_length, bytes, n);
  c->out_length += n;
  if (!c->blocked)
    watch(c, true);
}

static void say_rest(struct connection *c) {
  ssize_t sent = send(c->fd, c->out, c->out_length, MSG_NOSIGNAL);
  if (sent < 0) {
    c->dead = errno != EAGAIN;
    return;
  }
  c->out_length -= (size_t)sent;
  memmove(c->out, c->out + sent, c->out_length);
  if (!c->out_length)
    watch(c, false);
}

/* In the order of their time; nearly always that is the end of the line. */
static void line_up(struct connection *c) {
  struct connection *at = last;
  while (at && at->due > c->due)
    at = at->before;
  c->before = at;
  c->after = at ? at->after : first;
  *(at ? &at->after : &first) = c;
  *(c->after ? &c->after->before : &last) = c;
}

static void step_out(struct connection *c) {
  *(c->before ? &c->before->after : &first) = c->after;
  *(c->after ? &c->after->before : &last) = c->before;
}

static void hang_up(struct connection *c) {
  if (c->streaming) {
    left++;
    step_out(c);
  }
  close(c->fd);
  free(c->out);
  free(c);
}

/* Gives the length of the request that stands in front, head and body; 0 while it is not whole. */
static size_t whole_request(struct connection *c, size_t *head) {
  char *end = memmem(c->request, c->length, "\r\n\r\n", 4);
  if (!end)
    return 0;
  *head = (size_t)(end - c->request) + 4;
  *end = 0;
  char *length = strcasestr(c->request, "\r\ncontent-length:");
  bool chunked = strcasestr(c->request, "\r\ntransfer-encoding: chunked");
  size_t body = length ? strtoul(length + 17, NULL, 10) : 0;
  *end = '\r';
  if (chunked) {
    char *stop = memmem(c->request + *head - 2, c->length - *head + 2, "\r\n0\r\n\r\n", 7);
    return stop ? (size_t)(stop - c->request) + 7 : 0;
  }
  return c->length >= *head + body ? *head + body : 0;
}

static bool wants_stream(const char *body, size_t n) {
  const char *at = memmem(body, n, "\"stream\":", 9);
  if (!at)
    return false;
  at += 9;
  return strncmp(at + strspn(at, " "), "true", 4) == 0;
}

static void say_stats(struct connection *c) {
  struct text said = {0};
  char body[128];
  snprintf(body, sizeof body, "{\"answers\":%ld,\"streams\":%ld,\"left\":%ld}", answers, streams, left);
  add_json(&said, body);
  say(c, said.at, said.length);
  free(said.at);
}

static void begin_stream(struct connection *c) {
  say(c, opening.at, opening.length);
  say(c, token.at, token.length);
  c->streaming = true;
  c->sent = 1;
  c->due = now_ns() + delay;
  line_up(c);
}

static void answer(struct connection *c) {
  size_t head, length;
  while (!c->streaming && !c->dead && (length = whole_request(c, &head))) {
    const char *body = c->request + head;
    size_t n = length - head;
    if (strncmp(c->request, "GET /stats", 10) == 0) {
      say_stats(c);
    } else if (strncmp(c->request, "GET", 3) == 0) {
      say(c, models.at, models.length);
    } else if (!wants_stream(body, n)) {
      answers++;
      say(c, whole.at, whole.length);
    } else {
      streams++;
      if (memmem(body, n, "\"paced\"", 7))
        begin_stream(c);
      else
        say(c, burst.at, burst.length);
    }
    c->length -= length;
    memmove(c->request, c->request + length, c->length + 1);
  }
}

static void next_token(struct connection *c) {
  step_out(c);
  if (c->sent < tokens) {
    say(c, token.at, token.length);
    c->sent++;
    c->due += delay;
    line_up(c);
    return;
  }
  c->streaming = false;
  say(c, closing.at, closing.length);
  answer(c);
}

static void take(struct connection *c) {
  ssize_t n = recv(c->fd, c->request + c->length, REQUEST_BYTES - c->length, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0) {
    c->dead = true;
    return;
  }
  c->length += (size_t)n;
  c->request[c->length] = 0;
  answer(c);
}

static void welcome(int listener) {
  int fd, one = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct connection *c = calloc(1, sizeof *c);
    if (!c)
      abort();
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
  }
}

static void set_timer(void) {
  struct itimerspec at = {0};
  if (first)
    at.it_value = (struct timespec){(time_t)(first->due / SECOND), (long)(first->due % SECOND)};
  timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void serve(int listener) {
  struct epoll_event events[512];
  for (;;) {
    int n = epoll_wait(poller, events, 512, -1);
    for (int i = 0; i < n; i++) {
      struct connection *c = events[i].data.ptr;
      uint64_t rings;
      if (!c) {
        welcome(listener);
      } else if ((void *)c == (void *)&timer) {
        if (read(timer, &rings, sizeof rings) < 0 && errno != EAGAIN)
          abort();
      } else {
        if (events[i].events & EPOLLOUT)
          say_rest(c);
        if (!c->dead && events[i].events & ~(unsigned)EPOLLOUT)
          take(c);
        if (c->dead)
          hang_up(c);
      }
    }
    for (uint64_t now = now_ns(); first && first->due <= now;)
      next_token(first);
    set_timer();
  }
}

int main(int argc, char **argv) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0))};
  socklen_t length = sizeof at;
  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  tokens = argc > 2 ? atoi(argv[2]) : tokens;
  delay = argc > 3 ? (uint64_t)atol(argv[3]) * 1000 : delay;
  if (tokens < 1 || tokens > 5000 || delay < 1000) {
    fprintf(stderr, "upstream: TOKENS 1 to 5000, DELAY_US from 1\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096) ||
      getsockname(listener, (struct sockaddr *)&at, &length)) {
    perror("upstream");
    return 1;
  }
  write_answers();
  poller = epoll_create1(EPOLL_CLOEXEC);
  timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  struct epoll_event door = {.events = EPOLLIN, .data.ptr = NULL}, clock = {.events = EPOLLIN, .data.ptr = &timer};
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &door);
  epoll_ctl(poller, EPOLL_CTL_ADD, timer, &clock);
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  serve(listener);
}
