/* src/io/loop.c - event loop of one server thread */
#include "io/loop.h"
#include "base/alloc.h"
#include "base/clock.h"
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#define EVENTS_PER_TURN 256
#define LONGEST_WAIT_MS 500

struct deferred {
    void (*fn)(void *data);
    void *data;
};

struct px_loop {
    int epoll_fd;
    pthread_mutex_t awake; /* held while callbacks run, by whichever thread runs them */
    struct px_watch wake;
    _Atomic bool stop;
    _Atomic uint64_t turns;
    int64_t now_us;
    struct px_timer **heap; /* [1] is due first */
    size_t n_timers, heap_cap;
    struct deferred *deferred;
    size_t n_deferred, deferred_cap;
    struct px_watch *again; /* to be called in the next turn */
    pthread_mutex_t mail_lock;
    struct px_mail *mail, **mail_end; /* under mail_lock */
    struct epoll_event events[EVENTS_PER_TURN];
    int n_events;
    uint8_t scratch[PX_LOOP_SCRATCH_BYTES];
};

static void on_wake(struct px_watch *w, uint32_t events) {
    uint64_t n;
    if (read(w->fd, &n, sizeof(n)) < 0)
        return;
}

int px_loop_new(struct px_loop **ret, struct px_error *err) {
    struct px_loop *loop = px_new0(struct px_loop, 1);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake =
        (struct px_watch){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .on_events = on_wake};
    pthread_mutex_init(&loop->awake, NULL);
    pthread_mutex_init(&loop->mail_lock, NULL);
    loop->mail_end = &loop->mail;
    loop->now_us = px_now_us();
    if (loop->epoll_fd < 0 || loop->wake.fd < 0) {
        int r = px_fail_sys(err, -errno, "event loop");
        px_loop_free(loop);
        return r;
    }
    int r = px_loop_watch(loop, &loop->wake, EPOLLIN | EPOLLET, err);
    if (r < 0) {
        px_loop_free(loop);
        return r;
    }
    *ret = loop;
    return 0;
}

static void run_deferred(struct px_loop *loop) {
    for (size_t i = 0; i < loop->n_deferred; i++) /* may grow while we run */
        loop->deferred[i].fn(loop->deferred[i].data);
    loop->n_deferred = 0;
}

static void deliver_mail(struct px_loop *loop) {
    pthread_mutex_lock(&loop->mail_lock);
    struct px_mail *mail = loop->mail;
    loop->mail = NULL;
    loop->mail_end = &loop->mail;
    pthread_mutex_unlock(&loop->mail_lock);
    while (mail) {
        struct px_mail *next = mail->next;
        mail->deliver(mail);
        mail = next;
    }
}

void px_loop_flush(struct px_loop *loop) {
    deliver_mail(loop);
    run_deferred(loop);
}

struct px_loop *px_loop_free(struct px_loop *loop) {
    if (!loop)
        return NULL;
    px_loop_flush(loop);
    px_closep(&loop->wake.fd);
    px_closep(&loop->epoll_fd);
    pthread_mutex_destroy(&loop->mail_lock);
    pthread_mutex_destroy(&loop->awake);
    free(loop->heap);
    free(loop->deferred);
    free(loop);
    return NULL;
}

static void wake_up(struct px_loop *loop) {
    static const uint64_t one = 1;
    if (write(loop->wake.fd, &one, sizeof(one)) < 0)
        return; /* full: it is awake already */
}

void px_loop_stop(struct px_loop *loop) {
    atomic_store(&loop->stop, true);
    wake_up(loop);
}

void px_loop_post(struct px_loop *loop, struct px_mail *mail) {
    mail->next = NULL;
    pthread_mutex_lock(&loop->mail_lock);
    bool first = !loop->mail;
    *loop->mail_end = mail;
    loop->mail_end = &mail->next;
    pthread_mutex_unlock(&loop->mail_lock);
    if (first)
        wake_up(loop);
}

static int64_t first_due_us(const struct px_loop *loop) {
    return loop->n_timers > 0 ? loop->heap[1]->at_us : INT64_MAX;
}

void px_loop_hand(struct px_loop *loop, struct px_mail *mail) {
    if (pthread_mutex_trylock(&loop->awake) != 0)
        return px_loop_post(loop, mail);
    const int64_t due_us = first_due_us(loop);
    loop->now_us = px_now_us();
    mail->deliver(mail);
    /* What was put off is the loop's own thread's: it may have an event of this watch in hand. */
    const bool more = loop->n_deferred > 0 || loop->again || first_due_us(loop) < due_us;
    pthread_mutex_unlock(&loop->awake);
    if (more)
        wake_up(loop);
}

int px_loop_watch(struct px_loop *loop, struct px_watch *w, uint32_t events, struct px_error *err) {
    struct epoll_event ev = {.events = events, .data.ptr = w};
    w->next_again = NULL;
    w->link_again = NULL;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, w->fd, &ev) < 0)
        return px_fail_sys(err, -errno, "cannot watch a descriptor");
    w->watched = true;
    return 0;
}

static void unlink_again(struct px_watch *w) {
    if (!w->link_again)
        return;
    *w->link_again = w->next_again;
    if (w->next_again)
        w->next_again->link_again = w->link_again;
    w->link_again = NULL;
    w->next_again = NULL;
}

void px_loop_unwatch(struct px_loop *loop, struct px_watch *w) {
    unlink_again(w);
    w->watched = false;
    if (w->fd < 0)
        return;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    for (int i = 0; i < loop->n_events; i++) /* of the turn that is running */
        if (loop->events[i].data.ptr == w)
            loop->events[i].data.ptr = NULL;
}

void px_loop_again(struct px_loop *loop, struct px_watch *w) {
    if (w->link_again)
        return;
    w->next_again = loop->again;
    if (loop->again)
        loop->again->link_again = &w->next_again;
    loop->again = w;
    w->link_again = &loop->again;
}

static void place(struct px_loop *loop, struct px_timer *t, size_t i) {
    loop->heap[i] = t;
    t->place = i;
}

static void sift_up(struct px_loop *loop, struct px_timer *t, size_t i) {
    for (; i > 1 && loop->heap[i / 2]->at_us > t->at_us; i /= 2)
        place(loop, loop->heap[i / 2], i);
    place(loop, t, i);
}

static void sift_down(struct px_loop *loop, struct px_timer *t, size_t i) {
    for (size_t child; (child = 2 * i) <= loop->n_timers; i = child) {
        if (child < loop->n_timers && loop->heap[child + 1]->at_us < loop->heap[child]->at_us)
            child++;
        if (loop->heap[child]->at_us >= t->at_us)
            break;
        place(loop, loop->heap[child], i);
    }
    place(loop, t, i);
}

void px_loop_disarm(struct px_loop *loop, struct px_timer *t) {
    size_t i = t->place;
    if (i == 0)
        return;
    t->place = 0;
    struct px_timer *last = loop->heap[loop->n_timers--];
    if (last == t)
        return;
    if (i > 1 && loop->heap[i / 2]->at_us > last->at_us)
        sift_up(loop, last, i);
    else
        sift_down(loop, last, i);
}

void px_loop_arm(struct px_loop *loop, struct px_timer *t, int64_t at_us) {
    px_loop_disarm(loop, t);
    t->at_us = at_us;
    px_grow(loop->heap, &loop->heap_cap, loop->n_timers + 2);
    sift_up(loop, t, ++loop->n_timers);
}

void px_loop_defer(struct px_loop *loop, void (*fn)(void *data), void *data) {
    px_grow(loop->deferred, &loop->deferred_cap, loop->n_deferred + 1);
    loop->deferred[loop->n_deferred++] = (struct deferred){.fn = fn, .data = data};
}

int64_t px_loop_now_us(const struct px_loop *loop) {
    return loop->now_us;
}

uint64_t px_loop_turns(const struct px_loop *loop) {
    return atomic_load_explicit(&loop->turns, memory_order_relaxed);
}

uint8_t *px_loop_scratch(struct px_loop *loop) {
    return loop->scratch;
}

static int wait_ms(const struct px_loop *loop) {
    if (loop->again)
        return 0;
    if (loop->n_timers == 0)
        return LONGEST_WAIT_MS;
    int64_t us = first_due_us(loop) - px_now_us();
    int64_t ms = us <= 0 ? 0 : (us + 999) / 1000;
    return ms < LONGEST_WAIT_MS ? (int)ms : LONGEST_WAIT_MS;
}

static void run_timers(struct px_loop *loop) {
    while (loop->n_timers > 0 && loop->heap[1]->at_us <= loop->now_us) {
        struct px_timer *t = loop->heap[1];
        px_loop_disarm(loop, t);
        t->on_timeout(t);
    }
}

/* Awake. While it waits others may run callbacks, by px_loop_hand(). */
static void turn(struct px_loop *loop, int timeout_ms) {
    pthread_mutex_unlock(&loop->awake);
    int n = epoll_wait(loop->epoll_fd, loop->events, EVENTS_PER_TURN, timeout_ms);
    pthread_mutex_lock(&loop->awake);
    atomic_fetch_add_explicit(&loop->turns, 1, memory_order_relaxed);
    loop->now_us = px_now_us();
    loop->n_events = n < 0 ? 0 : n;
    struct px_watch *again = loop->again;
    if (again)
        again->link_again = &again; /* an event below may take entries off it */
    loop->again = NULL;
    for (int i = 0; i < loop->n_events; i++) {
        struct px_watch *w = loop->events[i].data.ptr;
        if (w && w->watched)
            w->on_events(w, loop->events[i].events);
    }
    loop->n_events = 0;
    while (again) {
        struct px_watch *w = again;
        unlink_again(w);
        w->on_events(w, EPOLLIN | EPOLLOUT);
    }
    run_timers(loop);
    deliver_mail(loop);
    run_deferred(loop);
}

void px_loop_turn(struct px_loop *loop) {
    pthread_mutex_lock(&loop->awake);
    turn(loop, 0);
    pthread_mutex_unlock(&loop->awake);
}

void px_loop_run(struct px_loop *loop) {
    pthread_mutex_lock(&loop->awake);
    while (!atomic_load_explicit(&loop->stop, memory_order_relaxed))
        turn(loop, wait_ms(loop));
    pthread_mutex_unlock(&loop->awake);
}
