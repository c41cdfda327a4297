/* bench/screen_load.c - measures one remote screen on which bench/patch.c runs
 *
 *     screen-load [OPTIONS] NAME typing|drag|scroll|sharp|busy|idle SECONDS
 *
 * Prints one row of a table: from input to the decoded picture that shows it, pictures a second,
 * and what the server's process (--pid) took for them. sharp: text scrolls, stops, and how long
 * until 99 of 100 pixels are within NEAR of how they stay; busy: typing in that
 * time. --settle SECONDS: what the first picture is given to become sharp. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "peer.h"
#include "proto/secure.h"
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SAMPLES_MAX 100000
#define ANSWER_US (2 * PX_US_PER_S)
#define SETTLE_S 1.5
#define SCROLL_US (2 * PX_US_PER_S)     /* before it stops */
#define STILL_US (2500 * PX_US_PER_MS)  /* no picture for so long: as sharp as it gets */
#define STOPPED_US (300 * PX_US_PER_MS) /* no new number for so long: it has stopped */
#define BUSY_US (2 * PX_US_PER_S)       /* so long after that it is still being sharpened */
#define STEP 11                         /* pixels between two samples */
#define SAMPLES (1900 / STEP * (1000 / STEP))
#define NEAR 24 /* of 255 */
#define LOOKS_MAX 4000

struct bench {
    struct px_peer *peer;
    int pid;
    unsigned random;
    int64_t us[SAMPLES_MAX];
    size_t n, n_lost;
    unsigned n_shown; /* different numbers seen */
    double settle_s;
    struct look *looks[LOOKS_MAX];
    size_t n_looks;
};

struct look {
    int64_t at_us;
    uint8_t luma[SAMPLES];
};

struct usage {
    int64_t at_us, decode_us;
    double cpu_ms; /* of the server's process */
    uint64_t bytes, pictures;
};

static void read_usage(const struct bench *b, struct usage *u) {
    struct timespec ts = {0};
    clockid_t clock;
    if (b->pid > 0 && clock_getcpuclockid(b->pid, &clock) == 0)
        clock_gettime(clock, &ts);
    *u = (struct usage){.at_us = px_now_us(),
                        .decode_us = b->peer->decode_us,
                        .cpu_ms = (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6,
                        .bytes = b->peer->n_bytes,
                        .pictures = b->peer->n_pictures};
}

/* "Pss:" of the server's process in MB; 0: not known. */
static double memory_mb(int pid, const char *key) {
    char path[64];
    unsigned long kb = 0;
    px_cleanup_free char *text = NULL;
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
    if (pid <= 0 || px_file_read(AT_FDCWD, path, 65536, &text, NULL, NULL) < 0)
        return 0;
    for (const char *at = text; (at = strstr(at, key)); at++)
        if (sscanf(at + strlen(key), " %lu kB", &kb) == 1)
            break;
    return (double)kb * 1024 / 1e6;
}

static unsigned shown(const struct bench *b) {
    unsigned v = 0;
    for (int i = 0; i < PX_PATCH_BITS; i++)
        if (b->peer->ops->luma(b->peer, i * PX_PATCH_SQUARE + PX_PATCH_SQUARE / 2,
                               PX_PATCH_SQUARE / 2) > 127)
            v |= 1u << i;
    return v;
}

static int next_picture(struct bench *b, int64_t until_us, struct px_error *err) {
    const int r = b->peer->ops->wait(b->peer, until_us, err);
    b->peer->n_pictures += r > 0;
    return r;
}

static int watch(struct bench *b, int64_t us, struct px_error *err) {
    const int64_t until = px_now_us() + us;
    int r;
    while ((r = next_picture(b, until, err)) > 0)
        ;
    return r;
}

/* Until the screen shows @want; the time since @since_us is a sample. */
static int await_value(struct bench *b, unsigned want, int64_t since_us, struct px_error *err) {
    while (shown(b) != want) {
        const int r = next_picture(b, since_us + ANSWER_US, err);
        if (r < 0)
            return r;
        if (r == 0) {
            b->n_lost++;
            return 0;
        }
    }
    if (b->n < SAMPLES_MAX)
        b->us[b->n++] = px_now_us() - since_us;
    return 0;
}

static int64_t random_us(struct bench *b, int64_t low_ms, int64_t high_ms) {
    b->random = b->random * 1103515245u + 12345u;
    return (low_ms + (b->random >> 16) % (high_ms - low_ms + 1)) * PX_US_PER_MS;
}

static int typing(struct bench *b, int64_t until_us, struct px_error *err) {
    int r = 0;
    while (r >= 0 && px_now_us() < until_us) {
        r = watch(b, random_us(b, 50, 250), err);
        const unsigned want = (shown(b) + 1) & 0xffff;
        const int64_t t0 = px_now_us();
        if (r >= 0)
            r = b->peer->ops->key(b->peer, err);
        if (r >= 0)
            r = await_value(b, want, t0, err);
    }
    return r;
}

static int drag(struct bench *b, int64_t until_us, struct px_error *err) {
    int x = 120, y = 120, dx = 7, dy = 3;
    int r = b->peer->ops->mouse(b->peer, x, y, false, err);
    if (r >= 0)
        r = b->peer->ops->mouse(b->peer, x, y, true, err);
    while (r >= 0 && px_now_us() < until_us) {
        r = watch(b, random_us(b, 4, 20), err);
        dx = x > 1200 ? -7 : x < 100 ? 7 : dx;
        dy = y > 600 ? -3 : y < 60 ? 3 : dy;
        x += dx;
        y += dy;
        const int64_t t0 = px_now_us();
        if (r >= 0)
            r = b->peer->ops->mouse(b->peer, x, y, true, err);
        if (r >= 0)
            r = await_value(b, (unsigned)x, t0, err);
    }
    return r < 0 ? r : b->peer->ops->mouse(b->peer, x, y, false, err);
}

/* Counts the different numbers that are seen. */
static int look(struct bench *b, int64_t until_us, struct px_error *err) {
    unsigned last = shown(b);
    int r;
    while ((r = next_picture(b, until_us, err)) > 0) {
        b->n_shown += shown(b) != last;
        last = shown(b);
    }
    return r;
}

static int click(struct bench *b, struct px_error *err) {
    const int r = b->peer->ops->mouse(b->peer, 1000, 500, true, err);
    return r < 0 ? r : b->peer->ops->mouse(b->peer, 1000, 500, false, err);
}

/* Text that scrolled stops; until the picture shows where it did. */
static int stop_scrolling(struct bench *b, struct px_error *err) {
    int r = look(b, px_now_us() + SCROLL_US, err);
    if (r >= 0)
        r = click(b, err);
    unsigned last = shown(b);
    int64_t since = px_now_us();
    while (r >= 0 && px_now_us() - since < STOPPED_US) {
        r = next_picture(b, since + STOPPED_US, err);
        if (shown(b) != last)
            since = px_now_us();
        last = shown(b);
    }
    return r;
}

static void keep_look(struct bench *b) {
    if (b->n_looks == LOOKS_MAX)
        return;
    struct look *l = b->looks[b->n_looks++] = px_new0(struct look, 1);
    l->at_us = px_now_us();
    for (int i = 0; i < SAMPLES; i++)
        l->luma[i] = (uint8_t)b->peer->ops->luma(b->peer, i % (1900 / STEP) * STEP,
                                                 40 + i / (1900 / STEP) * STEP);
}

static bool is_near(const struct look *a, const struct look *b) {
    int far = 0;
    for (int i = 0; i < SAMPLES; i++)
        far += abs(a->luma[i] - b->luma[i]) > NEAR;
    return far <= SAMPLES / 100;
}

/* Since when the picture has been as it is in the end. */
static int64_t sharp_since(const struct bench *b) {
    size_t i = b->n_looks - 1;
    while (i > 0 && is_near(b->looks[i - 1], b->looks[b->n_looks - 1]))
        i--;
    return b->looks[i]->at_us;
}

static int sharp(struct bench *b, int64_t until_us, struct px_error *err) {
    int r = 0;
    while (r >= 0 && px_now_us() < until_us) {
        r = look(b, px_now_us() + SCROLL_US, err);
        if (r < 0 || (r = click(b, err)) < 0)
            return r;
        const int64_t t0 = px_now_us();
        keep_look(b);
        while ((r = next_picture(b, px_now_us() + STILL_US, err)) > 0)
            keep_look(b);
        if (r >= 0)
            b->us[b->n++] = sharp_since(b) - t0;
        while (b->n_looks > 0)
            free(b->looks[--b->n_looks]);
        if (r >= 0 && px_now_us() < until_us) /* a last one would reach the next row's patch */
            r = click(b, err);
    }
    return r;
}

static int busy(struct bench *b, int64_t until_us, struct px_error *err) {
    int r = 0;
    while (r >= 0 && px_now_us() < until_us) {
        r = stop_scrolling(b, err);
        const int64_t until = px_now_us() + BUSY_US;
        if (r >= 0)
            r = typing(b, until, err);
        if (r >= 0 && px_now_us() < until_us)
            r = click(b, err);
    }
    return r;
}

static int compare(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double at_ms(const struct bench *b, size_t percent) {
    return b->n ? (double)b->us[b->n * percent / 100 < b->n ? b->n * percent / 100 : b->n - 1] / 1e3
                : 0;
}

static void print_row(struct bench *b, const char *name, const char *mode, const struct usage *was,
                      const struct usage *now) {
    const double s = (double)(now->at_us - was->at_us) / 1e6;
    const double pictures = (double)(now->pictures - was->pictures);
    const double per = pictures > 0 ? pictures : 1;
    qsort(b->us, b->n, sizeof(*b->us), compare);
    printf("%-22s %-7s", name, mode);
    if (b->n)
        printf(" p50 %6.1f  p95 %6.1f  max %6.1f ms, n %zu, lost %zu", at_ms(b, 50), at_ms(b, 95),
               at_ms(b, 100), b->n, b->n_lost);
    else
        printf(" %6.1f shown/s", b->n_shown / s);
    printf(" | %5.1f pictures/s, %6.2f ms CPU and %7.1f kB each, decoding %4.1f ms", pictures / s,
           (now->cpu_ms - was->cpu_ms) / per, (double)(now->bytes - was->bytes) / per / 1e3,
           (double)(now->decode_us - was->decode_us) / per / 1e3);
    printf(" | %6.2f %% of a core, %6.1f kB/s, PSS %.0f private %.0f MB\n",
           (now->cpu_ms - was->cpu_ms) / s / 10, (double)(now->bytes - was->bytes) / s / 1e3,
           memory_mb(b->pid, "\nPss:"), memory_mb(b->pid, "\nPrivate_Dirty:"));
}

static int measure(struct bench *b, const char *name, const char *mode, int64_t us,
                   struct px_error *err) {
    struct usage was, now;
    int r = next_picture(b, px_now_us() + 10 * PX_US_PER_S, err);
    if (r == 0)
        return px_fail(err, -ETIMEDOUT, "no picture arrives");
    if (r >= 0)
        r = watch(b, (int64_t)(b->settle_s * PX_US_PER_S), err);
    read_usage(b, &was);
    const int64_t until = px_now_us() + us;
    if (r >= 0 && strcmp(mode, "typing") == 0)
        r = typing(b, until, err);
    else if (r >= 0 && strcmp(mode, "drag") == 0)
        r = drag(b, until, err);
    else if (r >= 0 && strcmp(mode, "sharp") == 0)
        r = sharp(b, until, err);
    else if (r >= 0 && strcmp(mode, "busy") == 0)
        r = busy(b, until, err);
    else if (r >= 0)
        r = look(b, until, err);
    read_usage(b, &now);
    if (r >= 0)
        print_row(b, name, mode, &was, &now);
    return r;
}

static int usage(void) {
    fputs("usage: screen-load [--vnc HOST:PORT | --address HOST:PORT | --server HOST:PORT --key "
          "KEY]\n"
          "                   [--id ID] [--password-file FILE] [--codec NAME] [--pid PID]\n"
          "                   [--settle SECONDS] NAME typing|drag|scroll|sharp|busy|idle SECONDS\n",
          stderr);
    return 2;
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"vnc", 1, NULL, 'v'},    {"address", 1, NULL, 'a'},
        {"server", 1, NULL, 's'}, {"key", 1, NULL, 'k'},
        {"id", 1, NULL, 'i'},     {"password-file", 1, NULL, 'p'},
        {"codec", 1, NULL, 'c'},  {"pid", 1, NULL, 'P'},
        {"settle", 1, NULL, 'S'}, {0}};
    static struct bench b = {.random = 1, .settle_s = SETTLE_S};
    struct px_peer_opts o = {.id = "127.0.0.1"};
    const struct px_peer_ops *ops = &px_peer_phoenix;
    px_cleanup_free char *password = NULL;
    struct px_error err = {0};
    int c, r = px_secure_init(&err);
    while (r >= 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0)
        switch (c) {
        case 'v':
            ops = px_peer_rfb;
            o.address = optarg;
            break;
        case 'a':
            o.address = optarg;
            break;
        case 's':
            o.server = optarg;
            break;
        case 'k':
            o.server_key = optarg;
            break;
        case 'i':
            o.id = optarg;
            break;
        case 'p':
            r = px_file_read(AT_FDCWD, optarg, 4096, &password, NULL, &err);
            if (r >= 0)
                password[strcspn(password, "\r\n")] = '\0';
            break;
        case 'c':
            o.codec = optarg;
            break;
        case 'P':
            b.pid = atoi(optarg);
            break;
        case 'S':
            b.settle_s = atof(optarg);
            break;
        default:
            return usage();
        }
    if (r >= 0 && argc - optind != 3)
        return usage();
    o.password = password;
    if (r >= 0 && !ops)
        r = px_fail(&err, -ENOTSUP, "built without libvncclient (hint: install libvncserver-dev)");
    if (r >= 0)
        r = ops->open(&o, &b.peer, &err);
    if (r >= 0) {
        b.peer->ops = ops;
        r = measure(&b, argv[optind], argv[optind + 1],
                    (int64_t)(atof(argv[optind + 2]) * PX_US_PER_S), &err);
        ops->close(b.peer);
    }
    if (r < 0)
        fprintf(stderr, "screen-load: %s: %s\n", argv[optind], err.msg);
    return r < 0;
}
