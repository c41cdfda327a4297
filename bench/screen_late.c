/* bench/screen_late.c - what late viewers wait for, and what others wait for because of them
 *
 *     screen-late --address HOST:PORT --password-file FILE [--codec NAME] NAME NEWCOMERS
 *
 * One viewer types on bench/patch.c all the time. Others come, one after the other, and go when
 * their picture is as sharp as his. Prints a row: from the login's answer to a newcomer's first
 * packet (and the time of a core that decoding it takes), until that is a picture, and until the
 * sharp one, and the first viewer's times from key to picture before and meanwhile. Two threads:
 * newcomers have one. */
#include "base/clock.h"
#include "base/file.h"
#include "peer.h"
#include "proto/secure.h"
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEWCOMERS_MAX 1000
#define KEYS_MAX 100000
#define ALONE_KEYS 60
#define ANSWER_US (2 * PX_US_PER_S)
#define PAUSE_US (300 * PX_US_PER_MS) /* between two newcomers */
/* Where nothing is typed: right of its 80 letters. */
#define LEFT 1000
#define RIGHT 1900
#define TOP 40
#define BOTTOM 1070
#define SAMPLES ((RIGHT - LEFT) / 9 * ((BOTTOM - TOP) / 7))
#define NEAR 24 /* of 255 */

struct times {
    int64_t us[KEYS_MAX];
    size_t n;
};

struct late {
    struct px_peer_opts opts;
    int n;
    atomic_bool done;
    struct px_error err;
    int result;
    uint8_t sharp[SAMPLES];
    struct times arrived, decoding, first, whole; /* newcomers' */
};

static void add(struct times *t, int64_t us) {
    if (t->n < KEYS_MAX)
        t->us[t->n++] = us;
}

static void sample(struct px_peer *p, uint8_t *to) {
    for (int i = 0, y = TOP; i < SAMPLES; y += 7)
        for (int x = LEFT; x + 9 <= RIGHT && i < SAMPLES; x += 9)
            to[i++] = (uint8_t)p->ops->luma(p, x, y);
}

static bool is_sharp(struct px_peer *p, const uint8_t *sharp) {
    uint8_t now[SAMPLES];
    sample(p, now);
    for (int i = 0; i < SAMPLES; i++)
        if (abs(now[i] - sharp[i]) > NEAR)
            return false;
    return true;
}

/* Comes, looks until all is sharp, goes. */
static int visit(struct late *l, struct px_error *err) {
    struct px_peer *p = NULL;
    int r = px_peer_phoenix.open(&l->opts, &p, err);
    if (r < 0)
        return r;
    p->ops = &px_peer_phoenix;
    const int64_t t0 = px_now_us();
    bool first = true;
    do {
        r = p->ops->wait(p, t0 + ANSWER_US, err);
        if (r > 0 && first) {
            add(&l->first, px_now_us() - t0);
            add(&l->arrived, p->arrived_us - t0);
            add(&l->decoding, p->decode_cpu_us);
        }
        first = false;
    } while (r > 0 && !is_sharp(p, l->sharp));
    if (r > 0)
        add(&l->whole, px_now_us() - t0);
    else if (r == 0)
        r = px_fail(err, -ETIMEDOUT, "a newcomer's picture does not get sharp");
    p->ops->close(p);
    return r;
}

/* Newcomers are machines of their own: what they decode shall not keep the host waiting. */
static void give_way(void) {
    struct sched_param p;
    int policy;
    if (pthread_getschedparam(pthread_self(), &policy, &p) == 0 && policy == SCHED_RR) {
        p.sched_priority = 1;
        pthread_setschedparam(pthread_self(), policy, &p);
    }
}

static void *visit_all(void *arg) {
    struct late *l = arg;
    give_way();
    for (int i = 0; i < l->n && l->result >= 0; i++) {
        l->result = visit(l, &l->err);
        nanosleep(&(struct timespec){0, PAUSE_US * 1000}, NULL);
    }
    l->done = true;
    return NULL;
}

static unsigned shown(struct px_peer *p) {
    unsigned v = 0;
    for (int i = 0; i < PX_PATCH_BITS; i++)
        if (p->ops->luma(p, i * PX_PATCH_SQUARE + PX_PATCH_SQUARE / 2, PX_PATCH_SQUARE / 2) > 127)
            v |= 1u << i;
    return v;
}

static int look(struct px_peer *p, int64_t until_us, struct px_error *err) {
    int r;
    while ((r = p->ops->wait(p, until_us, err)) > 0)
        ;
    return r;
}

/* One key, and until the picture shows it. */
static int type_one(struct px_peer *p, unsigned *random, struct times *t, struct px_error *err) {
    *random = *random * 1103515245u + 12345u;
    int r = look(p, px_now_us() + 20000 + (*random >> 16) % 60000, err);
    const unsigned want = (shown(p) + 1) & 0xffff;
    const int64_t t0 = px_now_us();
    if (r >= 0)
        r = p->ops->key(p, err);
    while (r >= 0 && shown(p) != want) {
        r = p->ops->wait(p, t0 + ANSWER_US, err);
        if (r == 0)
            return px_fail(err, -ETIMEDOUT, "a key is not shown");
    }
    if (r >= 0)
        add(t, px_now_us() - t0);
    return r;
}

static int compare(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *what, struct times *t) {
    qsort(t->us, t->n, sizeof(*t->us), compare);
    if (t->n)
        printf(" | %s p50 %5.1f  p95 %5.1f  max %5.1f ms (%zu)", what,
               (double)t->us[t->n / 2] / 1e3, (double)t->us[t->n * 95 / 100] / 1e3,
               (double)t->us[t->n - 1] / 1e3, t->n);
}

static int measure(struct late *l, const char *name, struct px_error *err) {
    static struct times alone, beside;
    struct px_peer *p = NULL;
    pthread_t thread;
    unsigned random = 1;
    int r = px_peer_phoenix.open(&l->opts, &p, err);
    if (r < 0)
        return r;
    p->ops = &px_peer_phoenix;
    r = look(p, px_now_us() + 2 * PX_US_PER_S, err);
    sample(p, l->sharp);
    while (r >= 0 && alone.n < ALONE_KEYS)
        r = type_one(p, &random, &alone, err);
    if (r >= 0 && pthread_create(&thread, NULL, visit_all, l) == 0) {
        while (r >= 0 && !l->done)
            r = type_one(p, &random, &beside, err);
        pthread_join(thread, NULL);
    }
    p->ops->close(p);
    if (r >= 0 && l->result < 0) {
        *err = l->err;
        r = l->result;
    }
    if (r < 0)
        return r;
    printf("%-22s late", name);
    print_times("first packet", &l->arrived);
    print_times("its decoding, CPU", &l->decoding);
    print_times("first picture", &l->first);
    print_times("sharp", &l->whole);
    print_times("another's typing before", &alone);
    print_times("meanwhile", &beside);
    puts("");
    return 0;
}

static int usage(void) {
    fputs("usage: screen-late --address HOST:PORT --password-file FILE [--codec NAME]\n"
          "                   NAME NEWCOMERS\n",
          stderr);
    return 2;
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"address", 1, NULL, 'a'}, {"password-file", 1, NULL, 'p'}, {"codec", 1, NULL, 'c'}, {0}};
    static struct late l = {.opts = {.id = "127.0.0.1"}};
    px_cleanup_free char *password = NULL;
    struct px_error err = {0};
    int c, r = px_secure_init(&err);
    while (r >= 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0)
        switch (c) {
        case 'a':
            l.opts.address = optarg;
            break;
        case 'p':
            r = px_file_read(AT_FDCWD, optarg, 4096, &password, NULL, &err);
            if (r >= 0)
                password[strcspn(password, "\r\n")] = '\0';
            break;
        case 'c':
            l.opts.codec = optarg;
            break;
        default:
            return usage();
        }
    if (r >= 0 && (argc - optind != 2 || !l.opts.address))
        return usage();
    l.opts.password = password;
    l.n = r < 0 ? 0 : atoi(argv[optind + 1]);
    if (l.n > NEWCOMERS_MAX)
        return usage();
    if (r >= 0)
        r = measure(&l, argv[optind], &err);
    if (r < 0)
        fprintf(stderr, "screen-late: %s\n", err.msg);
    return r < 0;
}
