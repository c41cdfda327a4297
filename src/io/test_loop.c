/* src/io/test_loop.c */
#include "base/test.h"
#include "base/clock.h"
#include "io/loop.h"

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
        cmocka_unit_test(again_calls_back_without_a_new_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
