/* src/io/test_loop.c */
#include "base/test.h"
#include "base/clock.h"
#include "io/loop.h"
#include <fcntl.h>
#include <pthread.h>

struct stage {
    struct px_loop *loop;
    struct px_timer timers[5], last;
    struct px_watch watch, other;
    struct px_mail mail;
    char order[16];
    size_t n;
};

static void note(struct stage *s, char c) {
    s->order[s->n++] = c;
}

static struct stage *stage_of; /* the callbacks below have no other way to it */

static void on_timer(struct px_timer *t) {
    note(stage_of, (char)('0' + (t - stage_of->timers)));
}

static void on_last(struct px_timer *t) {
    px_loop_stop(stage_of->loop);
}

static void timers_fire_in_order_of_time(void **state) {
    struct stage s = {0};
    stage_of = &s;
    px_assert_ok(px_loop_new(&s.loop, NULL));
    const int64_t base = px_now_us();
    static const int64_t at[] = {500, 100, 400, 200, 300};
    for (size_t i = 0; i < 5; i++) {
        s.timers[i].on_timeout = on_timer;
        px_loop_arm(s.loop, &s.timers[i], base + at[i]);
    }
    px_loop_arm(s.loop, &s.timers[0], base + 50); /* moves */
    px_loop_disarm(s.loop, &s.timers[2]);
    s.last.on_timeout = on_last;
    px_loop_arm(s.loop, &s.last, base + 1000);
    px_loop_run(s.loop);
    assert_string_equal(s.order, "0134");
    px_loop_free(s.loop);
}

static void on_first(struct px_watch *w, uint32_t events) {
    struct stage *s = px_container_of(w, struct stage, watch);
    note(s, 'a');
    px_loop_unwatch(s->loop, &s->other); /* both were readable in this turn */
}

static void on_other(struct px_watch *w, uint32_t events) {
    struct stage *s = px_container_of(w, struct stage, other);
    note(s, 'b');
    px_loop_unwatch(s->loop, &s->watch);
}

static void an_unwatched_descriptor_gets_no_event_of_the_same_turn(void **state) {
    struct stage s = {0};
    int one[2], two[2];
    stage_of = &s;
    assert_int_equal(pipe(one), 0);
    assert_int_equal(pipe(two), 0);
    px_assert_ok(px_loop_new(&s.loop, NULL));
    s.watch = (struct px_watch){.fd = one[0], .on_events = on_first};
    s.other = (struct px_watch){.fd = two[0], .on_events = on_other};
    px_assert_ok(px_loop_watch(s.loop, &s.watch, EPOLLIN | EPOLLET, NULL));
    px_assert_ok(px_loop_watch(s.loop, &s.other, EPOLLIN | EPOLLET, NULL));
    assert_int_equal(write(one[1], "x", 1) + write(two[1], "x", 1), 2);
    s.last.on_timeout = on_last;
    px_loop_arm(s.loop, &s.last, px_now_us() + 1000);
    px_loop_run(s.loop);
    assert_int_equal(s.n, 1);
    px_loop_free(s.loop);
    for (int i = 0; i < 2; i++) {
        close(one[i]);
        close(two[i]);
    }
}

static void on_mail(struct px_mail *mail) {
    note(stage_of, 'm');
    px_loop_stop(stage_of->loop);
}

static void on_deferred(void *data) {
    note(data, 'd');
}

static void mail_and_deferred_calls_arrive(void **state) {
    struct stage s = {0};
    stage_of = &s;
    px_assert_ok(px_loop_new(&s.loop, NULL));
    s.mail.deliver = on_mail;
    px_loop_defer(s.loop, on_deferred, &s);
    px_loop_post(s.loop, &s.mail);
    px_loop_run(s.loop);
    assert_string_equal(s.order, "md");
    px_loop_free(s.loop);
}

static void on_handed(struct px_mail *mail) {
    note(stage_of, 'h');
    px_loop_defer(stage_of->loop, on_deferred, stage_of);
}

static void a_loop_that_sleeps_gets_handed_mail_at_once(void **state) {
    struct stage s = {.mail.deliver = on_handed};
    stage_of = &s;
    px_assert_ok(px_loop_new(&s.loop, NULL));
    px_loop_hand(s.loop, &s.mail);
    assert_string_equal(s.order, "h"); /* what it put off is for the loop's own thread */
    px_loop_turn(s.loop);
    assert_string_equal(s.order, "hd");
    px_loop_free(s.loop);
}

static void *hand_one(void *data) {
    struct stage *s = data;
    px_loop_hand(s->loop, &s->mail);
    return NULL;
}

static void on_timer_hand(struct px_timer *t) {
    struct stage *s = px_container_of(t, struct stage, last);
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, hand_one, s), 0);
    pthread_join(other, NULL);
    note(s, 't');
}

static void a_loop_that_is_awake_gets_handed_mail_in_its_turn(void **state) {
    struct stage s = {.mail.deliver = on_handed, .last.on_timeout = on_timer_hand};
    stage_of = &s;
    px_assert_ok(px_loop_new(&s.loop, NULL));
    px_loop_arm(s.loop, &s.last, px_now_us());
    px_loop_turn(s.loop);
    assert_string_equal(s.order, "thd");
    px_loop_free(s.loop);
}

struct crowd {
    struct px_loop *loop;
    struct px_timer timer;
    struct px_watch watch;
    int fds[2], n_mail, n_deferred, n_timeouts, n_events;
};
struct letter {
    struct px_mail mail;
    struct crowd *crowd;
};
#define LETTERS 2000

static void on_crowd_deferred(void *data) {
    struct crowd *c = data;
    c->n_deferred++;
}

static void on_crowd_timer(struct px_timer *t) {
    px_container_of(t, struct crowd, timer)->n_timeouts++;
}

static void on_crowd_event(struct px_watch *w, uint32_t events) {
    struct crowd *c = px_container_of(w, struct crowd, watch);
    char byte;
    while (read(w->fd, &byte, 1) == 1)
        c->n_events++;
}

static void on_letter(struct px_mail *mail) {
    struct crowd *c = px_container_of(mail, struct letter, mail)->crowd;
    px_loop_unwatch(c->loop, &c->watch); /* and at once again: an old event may be under way */
    px_assert_ok(px_loop_watch(c->loop, &c->watch, EPOLLIN | EPOLLET, NULL));
    px_loop_defer(c->loop, on_crowd_deferred, c);
    px_loop_arm(c->loop, &c->timer, px_loop_now_us(c->loop));
    if (++c->n_mail == LETTERS)
        px_loop_stop(c->loop);
}

static void *run_crowd(void *data) {
    struct crowd *c = data;
    px_loop_run(c->loop);
    return NULL;
}

/* Nothing is lost, and no two callbacks run at a time: the counters need no lock. */
static void mail_from_other_threads_is_handed_to_a_running_loop(void **state) {
    static struct letter letters[LETTERS];
    struct crowd c = {.timer.on_timeout = on_crowd_timer};
    pthread_t thread;
    assert_int_equal(pipe2(c.fds, O_NONBLOCK), 0);
    px_assert_ok(px_loop_new(&c.loop, NULL));
    c.watch = (struct px_watch){.fd = c.fds[0], .on_events = on_crowd_event};
    px_assert_ok(px_loop_watch(c.loop, &c.watch, EPOLLIN | EPOLLET, NULL));
    assert_int_equal(pthread_create(&thread, NULL, run_crowd, &c), 0);
    for (int i = 0; i < LETTERS; i++) {
        letters[i] = (struct letter){.mail.deliver = on_letter, .crowd = &c};
        assert_int_equal(write(c.fds[1], "x", 1), 1);
        px_loop_hand(c.loop, &letters[i].mail);
    }
    pthread_join(thread, NULL);
    px_loop_turn(c.loop);
    assert_int_equal(c.n_mail, LETTERS);
    assert_int_equal(c.n_deferred, LETTERS);
    assert_int_equal(c.n_events, LETTERS);
    assert_true(c.n_timeouts > 0 && c.n_timeouts <= LETTERS);
    px_loop_free(c.loop);
    close(c.fds[0]);
    close(c.fds[1]);
}

static void on_busy(struct px_watch *w, uint32_t events) {
    struct stage *s = px_container_of(w, struct stage, watch);
    note(s, 'x');
    if (s->n < 4)
        px_loop_again(s->loop, w);
    else
        px_loop_stop(s->loop);
}

static void again_calls_back_without_a_new_event(void **state) {
    struct stage s = {0};
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    px_assert_ok(px_loop_new(&s.loop, NULL));
    s.watch = (struct px_watch){.fd = fds[0], .on_events = on_busy};
    px_assert_ok(px_loop_watch(s.loop, &s.watch, EPOLLIN | EPOLLET, NULL));
    px_loop_again(s.loop, &s.watch);
    px_loop_run(s.loop);
    assert_string_equal(s.order, "xxxx");
    px_loop_free(s.loop);
    close(fds[0]);
    close(fds[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_of_time),
        cmocka_unit_test(an_unwatched_descriptor_gets_no_event_of_the_same_turn),
        cmocka_unit_test(mail_and_deferred_calls_arrive),
        cmocka_unit_test(a_loop_that_sleeps_gets_handed_mail_at_once),
        cmocka_unit_test(a_loop_that_is_awake_gets_handed_mail_in_its_turn),
        cmocka_unit_test(mail_from_other_threads_is_handed_to_a_running_loop),
        cmocka_unit_test(again_calls_back_without_a_new_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
