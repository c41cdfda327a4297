/* src/check/test_runner.c - whatever becomes of a check, its line goes on */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/test.h"
#include "check/runner.h"
#include <jansson.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define MINUTE (60 * PX_US_PER_S)

static void well(const void *desk, struct px_findings *ret) {
    px_found_ok(ret, "well", "%s is fine", (const char *)desk);
    px_findings_value(ret, 1.5, "ms");
}

static void hang(const void *desk, struct px_findings *ret) {
    if (fork() == 0) /* its children must go, too */
        pause();
    pause();
}

static void crash(const void *desk, struct px_findings *ret) {
    signal(SIGABRT, SIG_DFL);
    raise(SIGKILL);
}

static void leave(const void *desk, struct px_findings *ret) {
    _exit(7);
}

static void nothing(const void *desk, struct px_findings *ret) {
}

static void flood(const void *desk, struct px_findings *ret) {
    px_cleanup_free char *text = px_calloc(1, PX_FINDINGS_TEXT_MAX_BYTES + 2);
    memset(text, 'x', PX_FINDINGS_TEXT_MAX_BYTES + 1);
    px_found_ok(ret, "flood", "%s", text);
}

static void forge(const void *desk, struct px_findings *ret) {
    px_found_ok(ret, "forge", "one\nfail  two\x1b[2J");
}

static const struct px_check kinds[] = {
    {"hang", "", 50 * PX_US_PER_MS, hang},
    {"crash", "", MINUTE, crash},
    {"leave", "", MINUTE, leave},
    {"nothing", "", MINUTE, nothing},
    {"flood", "", MINUTE, flood},
    {"forge", "", MINUTE, forge},
    {"well", "", MINUTE, well},
};

static void each_ends_with_a_finding(void **state) {
    static const char *const words[] = {"no end after 0 s", "signal 9",  "status 7",
                                        "nothing to say",   "more than", "one fail  two [2J",
                                        "alice is fine"};
    struct px_check_outcome out[PX_N_ELEMENTS(kinds)] = {0};
    struct px_check_line line = {.name = "alice", .desk = "alice", .outcomes = out};
    line.n = PX_N_ELEMENTS(kinds);
    for (size_t i = 0; i < line.n; i++)
        out[i].check = &kinds[i];
    px_assert_ok(px_checks_run(&line, 1, 4, NULL, NULL));
    for (size_t i = 0; i < line.n; i++) {
        assert_int_equal(out[i].findings.n, 1);
        const struct px_finding *f = &out[i].findings.items[0];
        px_assert_contains(f->text, words[i]);
        assert_string_equal(f->subject, kinds[i].name);
        assert_int_equal(f->verdict, i < 5 ? PX_VERDICT_FAIL : PX_VERDICT_OK);
    }
    assert_string_equal(out[6].findings.items[0].unit, "ms");
    assert_true(out[6].findings.items[0].value == 1.5);
    for (size_t i = 0; i < line.n; i++)
        px_findings_fini(&out[i].findings);
}

struct seen {
    atomic_int now, most, done;
};

static void count(const void *desk, struct px_findings *ret) {
    struct seen *seen = *(struct seen *const *)desk;
    const int now = ++seen->now;
    int most = seen->most;
    while (now > most && !atomic_compare_exchange_weak(&seen->most, &most, now))
        ;
    seen->done++;
    seen->now--;
    px_found_ok(ret, "count", "counted");
}

static void on_check(void *data, const struct px_check_line *line, const struct px_check *check) {
    if (!check)
        ++*(int *)data;
}

static void no_more_than_asked_for_run_at_once(void **state) {
    static const struct px_check check = {"count", "", MINUTE, count};
    struct seen *seen =
        mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct px_check_line lines[20];
    struct px_check_outcome out[20][2] = {0};
    int n_done = 0;
    const struct px_check_watch watch = {on_check, &n_done};
    for (size_t i = 0; i < 20; i++) {
        out[i][0].check = out[i][1].check = &check;
        lines[i] = (struct px_check_line){"d", &seen, out[i], 2};
    }
    px_assert_ok(px_checks_run(lines, 20, 3, &watch, NULL));
    assert_in_range(seen->most, 1, 3);
    assert_int_equal(seen->done, 40);
    assert_int_equal(n_done, 20);
    for (size_t i = 0; i < 20; i++) {
        px_findings_fini(&out[i][0].findings);
        px_findings_fini(&out[i][1].findings);
    }
    munmap(seen, sizeof(*seen));
}

static void no_desktops_are_soon_done(void **state) {
    px_assert_ok(px_checks_run(NULL, 0, 3, NULL, NULL));
}

static void findings_survive_the_way_through_json(void **state) {
    px_cleanup(px_findings_fini) struct px_findings a = {0}, b = {0};
    px_found_warn(&a, "dns", "mend it", "slow: %d ms", 40);
    px_findings_value(&a, 40, "ms");
    px_found_skip(&a, "torch", "not in this image");
    json_t *json = px_findings_to_json(&a);
    px_cleanup_free char *text = json_dumps(json, 0);
    json_decref(json);
    px_assert_ok(px_findings_parse(text, strlen(text), &b, NULL));
    assert_int_equal(b.n, 2);
    assert_int_equal(b.items[0].verdict, PX_VERDICT_WARN);
    assert_string_equal(b.items[0].fix, "mend it");
    assert_null(b.items[1].fix);
    assert_null(b.items[1].unit);
    assert_int_equal(b.items[1].verdict, PX_VERDICT_SKIP);
}

static void what_is_no_list_of_findings_is_refused(void **state) {
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"findings\": 3}",
        "{\"findings\": [{}]}",
        "{\"findings\": [{\"verdict\": \"good\", \"subject\": \"a\", \"text\": \"b\"}]}",
        "{\"findings\": [{\"verdict\": \"ok\", \"subject\": \"a\", \"text\": 1}]}",
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(texts); i++) {
        px_cleanup(px_findings_fini) struct px_findings list = {0};
        assert_int_equal(px_findings_parse(texts[i], strlen(texts[i]), &list, NULL), -EBADMSG);
        assert_int_equal(list.n, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_ends_with_a_finding),
        cmocka_unit_test(no_more_than_asked_for_run_at_once),
        cmocka_unit_test(no_desktops_are_soon_done),
        cmocka_unit_test(findings_survive_the_way_through_json),
        cmocka_unit_test(what_is_no_list_of_findings_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
