/* src/io/loop.h - event loop of one server thread: descriptors, timers, mail from other threads
 *
 * Ours rather than libuv's, for the relay: a descriptor is registered once, edge-triggered, for
 * both directions, so that back-pressure costs no epoll_ctl at all (libuv is level-triggered and
 * would need two for every full buffer), and a watch is 40 bytes inside its owner.
 *
 * Everything belongs to the loop's thread, except px_loop_post(), px_loop_hand() and
 * px_loop_stop(). A callback never blocks. Memory that a pending event may still point to is
 * released by px_loop_defer(). Source: epoll(7). */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct px_loop;

struct px_watch {
    int fd;       /* owned by whoever embeds the watch; -1: not watched */
    bool watched; /* the loop's */
    void (*on_events)(struct px_watch *w, uint32_t events);
    struct px_watch *next_again, **link_again; /* the loop's */
};

struct px_timer {
    int64_t at_us;
    size_t place; /* in the heap, from 1; 0: not armed */
    void (*on_timeout)(struct px_timer *t);
};

/* Embedded in a larger struct that the receiver frees. */
struct px_mail {
    struct px_mail *next;
    void (*deliver)(struct px_mail *mail); /* on the loop's thread */
};

int px_loop_new(struct px_loop **ret, struct px_error *err);
struct px_loop *px_loop_free(struct px_loop *loop);
PX_DEFINE_CLEANUP(struct px_loop *, px_loop_free)

/* Runs until px_loop_stop(). */
void px_loop_run(struct px_loop *loop);
/* One turn that waits for nothing. */
void px_loop_turn(struct px_loop *loop);
/* Any thread. */
void px_loop_stop(struct px_loop *loop);

/* @events as epoll_ctl(2), with EPOLLET where the callback reads until EAGAIN. */
int px_loop_watch(struct px_loop *loop, struct px_watch *w, uint32_t events, struct px_error *err);
/* Forgets @w; the caller closes the fd. No event of this turn will reach it any more. */
void px_loop_unwatch(struct px_loop *loop, struct px_watch *w);
/* Calls w->on_events(w, EPOLLIN | EPOLLOUT) in the next turn: for work that was cut short so that
 * others get their share. */
void px_loop_again(struct px_loop *loop, struct px_watch *w);

void px_loop_arm(struct px_loop *loop, struct px_timer *t, int64_t at_us);
void px_loop_disarm(struct px_loop *loop, struct px_timer *t);
/* Calls fn(data) at the end of this turn. */
void px_loop_defer(struct px_loop *loop, void (*fn)(void *data), void *data);
/* Any thread. The loop takes @mail. */
void px_loop_post(struct px_loop *loop, struct px_mail *mail);
/* Any thread but the loop's own. As px_loop_post(), but while the loop sleeps it is delivered at
 * once, by the caller's thread: waking the other one takes longer than most mail does. It may
 * overtake mail that was posted. deliver() must not move a watch to another loop. */
void px_loop_hand(struct px_loop *loop, struct px_mail *mail);

/* Delivers waiting mail and runs deferred calls, on a loop that does not run (any more). */
void px_loop_flush(struct px_loop *loop);

/* CLOCK_MONOTONIC, as of the start of this turn. */
int64_t px_loop_now_us(const struct px_loop *loop);
/* Grows with every turn, at least once a second: shows from outside that the thread is alive. */
uint64_t px_loop_turns(const struct px_loop *loop);
/* Memory for any one callback to use until it returns. */
#define PX_LOOP_SCRATCH_BYTES (256u * 1024)
uint8_t *px_loop_scratch(struct px_loop *loop);
