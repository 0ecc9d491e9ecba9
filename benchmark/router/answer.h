/* One HTTP/1.1 answer as it comes in: where it ends, what status it has, and whether its body is what was asked for. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEAD_BYTES 16384
#define BODY_BYTES (1 << 20)

enum stage { IN_HEAD, SIZED, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, TILL_CLOSE, WHOLE, BROKEN };

struct answer {
  enum stage stage;
  int status;
  bool closes;
  size_t left; /* of the body, or of the chunk */
  size_t head_length, body_length, line, counted;
  int tokens;
  char head[HEAD_BYTES + 1];
  char body[BODY_BYTES + 1];
};

static void begin_answer(struct answer *a) {
  a->stage = IN_HEAD;
  a->status = 0;
  a->closes = false;
  a->left = a->head_length = a->body_length = a->line = a->counted = 0;
  a->tokens = 0;
  a->head[0] = a->body[0] = 0;
}

static const char *header(const struct answer *a, const char *name) {
  const char *at = strcasestr(a->head, name);
  return at ? at + strlen(name) : NULL;
}

static void read_head(struct answer *a) {
  if (sscanf(a->head, "HTTP/1.%*d %d", &a->status) != 1) {
    a->stage = BROKEN;
    return;
  }
  const char *length = header(a, "\r\ncontent-length:");
  const char *connection = header(a, "\r\nconnection:");
  a->closes = connection && strncasecmp(connection + strspn(connection, " "), "close", 5) == 0;
  if (header(a, "\r\ntransfer-encoding: chunked")) {
    a->stage = CHUNK_SIZE;
  } else if (length) {
    a->left = strtoul(length, NULL, 10);
    a->stage = a->left ? SIZED : WHOLE;
  } else {
    a->closes = true;
    a->stage = TILL_CLOSE;
  }
}

/* Take at most n bytes of the body; gives how many. */
static size_t take_body(struct answer *a, const char *bytes, size_t n) {
  if (a->body_length + n > BODY_BYTES) {
    a->stage = BROKEN;
    return n;
  }
  memcpy(a->body + a->body_length, bytes, n);
  a->body_length += n;
  a->body[a->body_length] = 0;
  return n;
}

/* A line of the chunked form ended: a chunk's size, or an empty one after all chunks. */
static void end_line(struct answer *a) {
  bool empty = a->line == 0;
  a->line = 0;
  if (a->stage == CHUNK_END)
    a->stage = CHUNK_SIZE;
  else if (a->stage == CHUNK_SIZE)
    a->stage = a->left ? CHUNK_DATA : TRAILER;
  else if (empty)
    a->stage = WHOLE;
}

static void take_line(struct answer *a, char c) {
  if (c == '\n') {
    end_line(a);
    return;
  }
  if (c == '\r')
    return;
  if (a->stage == CHUNK_SIZE) {
    if (a->line == 0)
      a->left = 0;
    const char *digits = "0123456789abcdef", *digit = strchr(digits, c | 0x20);
    if (c >= '0' && c <= '9')
      digit = digits + (c - '0');
    if (!digit || a->line > 8) {
      a->stage = BROKEN;
      return;
    }
    a->left = a->left * 16 + (size_t)(digit - digits);
  }
  a->line++;
}

static void feed(struct answer *a, const char *bytes, size_t n) {
  size_t i = 0;
  while (i < n && a->stage != WHOLE && a->stage != BROKEN) {
    size_t some = n - i < a->left ? n - i : a->left;
    switch (a->stage) {
    case IN_HEAD:
      if (a->head_length == HEAD_BYTES) {
        a->stage = BROKEN;
        break;
      }
      a->head[a->head_length++] = bytes[i++];
      a->head[a->head_length] = 0;
      if (a->head_length > 3 && memcmp(a->head + a->head_length - 4, "\r\n\r\n", 4) == 0)
        read_head(a);
      break;
    case SIZED:
    case CHUNK_DATA:
      i += take_body(a, bytes + i, some);
      a->left -= some;
      if (!a->left && a->stage != BROKEN)
        a->stage = a->stage == SIZED ? WHOLE : CHUNK_END;
      break;
    case TILL_CLOSE:
      i += take_body(a, bytes + i, n - i);
      break;
    default:
      take_line(a, bytes[i++]);
    }
  }
}

static int count(const char *text, const char *what) {
  int found = 0;
  for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
    found++;
  return found;
}

/* How many tokens came since the last time. A token is the text " token", which stands nowhere else. */
static int new_tokens(struct answer *a) {
  int found = 0;
  for (const char *at; (at = strstr(a->body + a->counted, " token")); found++)
    a->counted = (size_t)(at - a->body) + 6;
  a->tokens += found;
  return found;
}

/* Whether an answer says everything: each token, the usage, and of a stream an event for each, and its end. */
static bool good_body(const struct answer *a, bool stream, int tokens) {
  const char *usage = strstr(a->body, "\"completion_tokens\"");
  if (a->tokens != tokens || !usage || atoi(usage + 19 + strspn(usage + 19, ": ")) != tokens)
    return false;
  return !stream || (count(a->body, "data: ") >= tokens + 2 && strstr(a->body, "data: [DONE]"));
}
