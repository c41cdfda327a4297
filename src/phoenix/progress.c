/* src/phoenix/progress.c - long work, shown while it goes on */
#include "phoenix/progress.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include <pthread.h>
#include <string.h>
#include <time.h>

#define FRAME_US (100 * PX_US_PER_MS)
#define BAR_WIDTH 20

struct item {
    char *key, *text, *detail; /* detail may be NULL */
    double fraction;
    int64_t since_us;
};

struct px_progress {
    bool live, quiet;     /* constant */
    pid_t owner;          /* constant: the process that made it */
    pthread_t drawer;     /* only when live */
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t wake;
    struct px_term term; /* its size may change */
    bool ending;
    struct item *items; /* in progress, in the order they began */
    size_t n_items, cap;
    size_t n_drawn; /* lines of the block on the screen */
    unsigned frame;
};

static void put(struct px_progress *p, const struct px_buf *out) {
    px_fd_write_all(p->term.fd, out->data, out->size);
}

/* Goes to the block's first line and clears from there to the end of the screen. */
static void add_erase(struct px_progress *p, struct px_buf *out) {
    if (p->n_drawn > 0)
        px_buf_printf(out, "\r\033[%zuA\033[J", p->n_drawn);
    p->n_drawn = 0;
}

static void add_time(struct px_buf *out, int64_t us) {
    if (us < 60 * PX_US_PER_S)
        px_buf_printf(out, "%5.1f s", (double)us / PX_US_PER_S);
    else
        px_buf_printf(out, "%2d:%02d  ", (int)(us / PX_US_PER_S / 60),
                      (int)(us / PX_US_PER_S % 60));
}

static void add_bar(struct px_buf *out, double fraction) {
    if (fraction > 1)
        fraction = 1;
    const int full = (int)(fraction * BAR_WIDTH);
    for (int i = 0; i < BAR_WIDTH; i++)
        px_buf_puts(out, i < full ? "█" : "░");
    px_buf_printf(out, " %3d%%", (int)(fraction * 100));
}

void px_progress_draw(struct px_buf *out, const struct px_progress_line *line, size_t key_width,
                      unsigned frame, unsigned width, bool colour) {
    static const char *const frames[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
    const size_t fixed = 2 + 2 + 8; /* spinner, gaps, time */
    const size_t bar = line->fraction >= 0 ? BAR_WIDTH + 7 : 0;
    px_buf_printf(out, "%s%s%s ", px_colour_on(PX_GOOD, colour),
                  frames[frame % PX_N_ELEMENTS(frames)], px_colour_off(PX_GOOD, colour));
    px_cleanup_free char *text = line->detail && line->detail[0]
                                     ? px_asprintf("%s: %s", line->text, line->detail)
                                     : px_strdup(line->text);
    if (key_width > width / 3)
        key_width = width / 3;
    size_t used = px_text_add(out, line->key, key_width);
    px_buf_printf(out, "%*s  ", (int)(key_width - used), "");
    const size_t taken = fixed + key_width;
    if (width <= taken + bar + 8) { /* a very narrow terminal: the text is what matters */
        if (width > taken - 8)
            px_text_add(out, text, width - (taken - 8));
        return;
    }
    const size_t room = width - taken - bar;
    used = px_text_add(out, text, room);
    px_buf_printf(out, "%*s", (int)(room - used), "");
    if (bar) {
        px_buf_puts(out, "  ");
        add_bar(out, line->fraction);
    }
    px_buf_putc(out, ' ');
    add_time(out, line->elapsed_us);
}

static void add_block(struct px_progress *p, struct px_buf *out) {
    const int64_t now = px_now_us();
    /* The block must not be higher than the screen: lines that scrolled away cannot be redrawn. */
    const size_t most = p->term.height > 3 ? p->term.height - 2 : 1;
    const size_t n = p->n_items <= most ? p->n_items : most;
    size_t key_width = 0;
    for (size_t i = 0; i < n; i++) {
        size_t w = px_text_width(p->items[i].key);
        key_width = w > key_width ? w : key_width;
    }
    for (size_t i = 0; i < n; i++) {
        const struct item *it = &p->items[i];
        const struct px_progress_line line = {it->key, it->text, it->detail, it->fraction,
                                              now - it->since_us};
        px_progress_draw(out, &line, key_width, p->frame, p->term.width - 1, p->term.colour);
        px_buf_putc(out, '\n');
    }
    if (n < p->n_items)
        px_buf_printf(out, "  and %zu more\n", p->n_items - n);
    p->n_drawn = n + (n < p->n_items);
}

static void redraw(struct px_progress *p) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    add_erase(p, &out);
    add_block(p, &out);
    if (out.size > 0)
        put(p, &out);
}

static void *draw_thread(void *data) {
    struct px_progress *p = data;
    pthread_mutex_lock(&p->lock);
    while (!p->ending) {
        const struct px_term now = px_term_of(p->term.fd, "auto");
        p->term.width = now.width;
        p->term.height = now.height;
        redraw(p);
        p->frame++;
        const int64_t until = px_now_us() + FRAME_US;
        struct timespec ts = {.tv_sec = until / PX_US_PER_S, .tv_nsec = until % PX_US_PER_S * 1000};
        pthread_cond_timedwait(&p->wake, &p->lock, &ts);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* A line that stays: above the block, or with the time of day where there is none. */
static void say(struct px_progress *p, enum px_colour colour, const char *mark, const char *key,
                const char *text) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    add_erase(p, &out);
    if (!p->term.tty) {
        char clock[16];
        time_t now = time(NULL);
        struct tm tm;
        strftime(clock, sizeof(clock), "%H:%M:%S ", localtime_r(&now, &tm));
        px_buf_puts(&out, clock);
    }
    if (p->term.tty && mark[0])
        px_buf_printf(&out, "%s%s%s ", px_colour_on(colour, p->term.colour), mark,
                      px_colour_off(colour, p->term.colour));
    if (key[0]) {
        px_text_add(&out, key, 0);
        px_buf_puts(&out, ": ");
    }
    px_text_add(&out, text, 0);
    px_buf_putc(&out, '\n');
    if (p->live)
        add_block(p, &out);
    put(p, &out);
}

static void on_log(void *data, enum px_log_level level, const char *line) {
    struct px_progress *p = data;
    if (getpid() != p->owner) {
        /* A worker process: it has no drawer, and the lock may have been held when it was forked.
         */
        px_cleanup_free char *text = px_asprintf("%s\n", line);
        px_fd_write_all(p->term.fd, text, strlen(text));
        return;
    }
    pthread_mutex_lock(&p->lock);
    say(p, PX_PLAIN, "", "", line);
    pthread_mutex_unlock(&p->lock);
}

struct px_progress *px_progress_new(const struct px_term *term, bool quiet) {
    struct px_progress *p = px_new0(struct px_progress, 1);
    p->term = *term;
    p->quiet = quiet;
    p->owner = getpid();
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &attr);
    pthread_condattr_destroy(&attr);
    p->live = term->tty && term->colour && !quiet &&
              pthread_create(&p->drawer, NULL, draw_thread, p) == 0;
    px_log_set_writer(on_log, p);
    return p;
}

static void item_fini(struct item *it) {
    free(it->key);
    free(it->text);
    free(it->detail);
}

struct px_progress *px_progress_free(struct px_progress *p) {
    if (!p)
        return NULL;
    px_log_set_writer(NULL, NULL);
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    if (p->live)
        pthread_join(p->drawer, NULL);
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    add_erase(p, &out);
    if (out.size > 0)
        put(p, &out);
    for (size_t i = 0; i < p->n_items; i++)
        item_fini(&p->items[i]);
    free(p->items);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return NULL;
}

static struct item *find(struct px_progress *p, const char *key) {
    for (size_t i = 0; i < p->n_items; i++)
        if (strcmp(p->items[i].key, key) == 0)
            return &p->items[i];
    return NULL;
}

void px_progress_set(struct px_progress *p, const char *key, double fraction, const char *text,
                     const char *detail) {
    pthread_mutex_lock(&p->lock);
    struct item *it = find(p, key);
    if (!it) {
        px_grow(p->items, &p->cap, p->n_items + 1);
        it = &p->items[p->n_items++];
        *it = (struct item){.key = px_strdup(key), .since_us = px_now_us()};
    }
    it->fraction = fraction;
    free(it->detail);
    it->detail = px_strdup_null(detail);
    if (!it->text || strcmp(it->text, text) != 0) {
        free(it->text);
        it->text = px_strdup(text);
        if (!p->live && !p->quiet)
            say(p, PX_PLAIN, "", key, text);
    }
    pthread_mutex_unlock(&p->lock);
}

static void remove_item(struct px_progress *p, const char *key) {
    struct item *it = find(p, key);
    if (!it)
        return;
    item_fini(it);
    p->n_items--;
    memmove(it, it + 1, (size_t)(p->items + p->n_items - it) * sizeof(*it));
}

void px_progress_done(struct px_progress *p, const char *key, enum px_progress_end how,
                      const char *text) {
    static const struct {
        const char *mark;
        enum px_colour colour;
    } marks[] = {
        [PX_PROGRESS_OK] = {"✓", PX_GOOD},
        [PX_PROGRESS_FAILED] = {"✗", PX_BAD},
        [PX_PROGRESS_SKIPPED] = {"-", PX_DIM},
    };
    pthread_mutex_lock(&p->lock);
    remove_item(p, key);
    if (!p->quiet || how == PX_PROGRESS_FAILED)
        say(p, marks[how].colour, marks[how].mark, key, text);
    pthread_mutex_unlock(&p->lock);
}

void px_progress_say(struct px_progress *p, const char *line) {
    pthread_mutex_lock(&p->lock);
    if (!p->quiet)
        say(p, PX_PLAIN, "", "", line);
    pthread_mutex_unlock(&p->lock);
}
