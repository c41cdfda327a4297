/* src/rendezvous/relays.c - which relay to propose next */
#include "rendezvous/relays.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define PROBE_EVERY_S 3
#define CONNECT_MS 3000

struct relay {
    char name[PX_RELAY_NAME_MAX];
    bool live;
};

struct px_relays {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    struct relay list[PX_RELAYS_MAX]; /* from here on under the lock */
    size_t n, turn;
    uint64_t generation; /* of the list */
    bool stop;
    uint16_t default_port;
};

static int parse(const char *text, struct relay list[PX_RELAYS_MAX], size_t *ret_n,
                 struct px_error *err) {
    size_t n = 0;
    for (const char *p = text; *p;) {
        size_t size = strcspn(p, ",");
        const char *start = p + strspn(p, " \t");
        size_t k = size - (size_t)(start - p < (ptrdiff_t)size ? start - p : (ptrdiff_t)size);
        while (k && (start[k - 1] == ' ' || start[k - 1] == '\t'))
            k--;
        if (k >= PX_RELAY_NAME_MAX)
            return px_fail(err, -EINVAL, "relay name '%.40s...' is too long", start);
        if (k && n == PX_RELAYS_MAX)
            return px_fail(err, -EINVAL, "more than %d relays", PX_RELAYS_MAX);
        if (k) {
            list[n] = (struct relay){.live = true};
            memcpy(list[n++].name, start, k);
        }
        p += size + (p[size] == ',');
    }
    *ret_n = n;
    return 0;
}

/* Splits "host:port", "[v6]:port", "host". */
static void split(const char *name, uint16_t default_port, char host[PX_RELAY_NAME_MAX],
                  char port[8]) {
    const char *colon = strrchr(name, ':'), *bracket = strrchr(name, ']');
    const bool has_port = colon && (bracket ? colon > bracket : strchr(name, ':') == colon);
    size_t size = has_port ? (size_t)(colon - name) : strlen(name);
    snprintf(port, 8, "%.5s", has_port ? colon + 1 : "");
    if (!has_port)
        snprintf(port, 8, "%u", default_port);
    if (name[0] == '[' && bracket) {
        name++;
        size = (size_t)(bracket - name);
    }
    snprintf(host, PX_RELAY_NAME_MAX, "%.*s", (int)size, name);
}

static bool answers(const struct addrinfo *ai) {
    px_cleanup_close int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    if (connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
        return true;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int e = 0;
    socklen_t size = sizeof(e);
    return errno == EINPROGRESS && poll(&p, 1, CONNECT_MS) == 1 &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &size) == 0 && e == 0;
}

static bool probe(const char *name, uint16_t default_port) {
    char host[PX_RELAY_NAME_MAX], port[8];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    bool live = false;
    split(name, default_port, host, port);
    if (getaddrinfo(host, port, &hints, &list) != 0)
        return false;
    for (const struct addrinfo *ai = list; ai && !live; ai = ai->ai_next)
        live = answers(ai);
    freeaddrinfo(list);
    return live;
}

/* Looks at all of them without holding the lock; a list that changed meanwhile wins. */
static void probe_all(struct px_relays *r) {
    struct relay list[PX_RELAYS_MAX];
    const size_t n = r->n;
    const uint64_t generation = r->generation;
    bool any = false;
    memcpy(list, r->list, sizeof(list));
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < n; i++)
        any |= list[i].live = probe(list[i].name, r->default_port);
    pthread_mutex_lock(&r->lock);
    if (!any || generation != r->generation)
        return;
    for (size_t i = 0; i < n; i++) {
        if (list[i].live != r->list[i].live)
            px_warning("relays: %s %s", list[i].name, list[i].live ? "answers again" : "is down");
        r->list[i].live = list[i].live;
    }
}

static void *run(void *data) {
    struct px_relays *r = data;
    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        struct timespec until;
        if (r->n > 1)
            probe_all(r);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += PROBE_EVERY_S;
        if (!r->stop)
            pthread_cond_timedwait(&r->wake, &r->lock, &until);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

int px_relays_new(const char *list, uint16_t default_port, struct px_relays **ret,
                  struct px_error *err) {
    struct px_relays *r = px_new0(struct px_relays, 1);
    pthread_condattr_t attr;
    int e = parse(list, r->list, &r->n, err);
    if (e < 0) {
        free(r);
        return e;
    }
    r->default_port = default_port;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&r->thread, NULL, run, r) != 0) {
        free(r);
        return px_fail(err, -EAGAIN, "cannot start the thread that looks after relays");
    }
    *ret = r;
    return 0;
}

struct px_relays *px_relays_free(struct px_relays *r) {
    if (!r)
        return NULL;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->wake);
    free(r);
    return NULL;
}

int px_relays_set(struct px_relays *r, const char *list, struct px_error *err) {
    struct relay parsed[PX_RELAYS_MAX];
    size_t n = 0;
    int e = parse(list, parsed, &n, err);
    if (e < 0)
        return e;
    pthread_mutex_lock(&r->lock);
    memcpy(r->list, parsed, sizeof(parsed));
    r->n = n;
    r->generation++;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    return 0;
}

void px_relays_next(struct px_relays *r, char ret[PX_RELAY_NAME_MAX]) {
    ret[0] = '\0';
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n; i++) {
        const struct relay *x = &r->list[r->turn++ % r->n];
        if (x->live) {
            memcpy(ret, x->name, PX_RELAY_NAME_MAX);
            break;
        }
    }
    pthread_mutex_unlock(&r->lock);
}

bool px_relays_has(struct px_relays *r, struct px_bytes name) {
    bool found = false;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n && !found; i++)
        found = px_bytes_equal(px_bytes_of(r->list[i].name), name);
    pthread_mutex_unlock(&r->lock);
    return found;
}

void px_relays_each(struct px_relays *r, void (*fn)(const char *name, bool live, void *data),
                    void *data) {
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n; i++)
        fn(r->list[i].name, r->list[i].live, data);
    pthread_mutex_unlock(&r->lock);
}
