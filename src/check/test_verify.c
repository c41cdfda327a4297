/* src/check/test_verify.c - what a desktop says, read in bounds */
#include "base/alloc.h"
#include "base/test.h"
#include "check/dns.h"
#include "check/probing.h"
#include "check/verify_parse.h"
#include <jansson.h>
#include <math.h>

static void a_word_is_cut_and_cleaned(void **state) {
    char word[8];
    px_verify_word("  running\nmore", word, sizeof(word));
    assert_string_equal(word, "running");
    px_verify_word("\x1b[2Jx", word, sizeof(word));
    assert_string_equal(word, " [2Jx");
    px_verify_word("  \n", word, sizeof(word));
    assert_string_equal(word, "");
}

static void units_are_counted_even_where_there_is_no_room_for_their_names(void **state) {
    char names[PX_VERIFY_TEXT_MAX];
    assert_int_equal(px_verify_first_words("a.service loaded failed\n\n  b.timer x\n", names), 2);
    assert_string_equal(names, "a.service, b.timer");
    assert_int_equal(px_verify_first_words("", names), 0);
    assert_string_equal(names, "");
    char many[4096] = "";
    for (int i = 0; i < 60; i++)
        strcat(many, "a-rather-long-name-of-a-unit.service loaded\n");
    assert_int_equal(px_verify_first_words(many, names), 60);
    px_assert_contains(names, "...");
}

static void an_idmap_is_one_line(void **state) {
    struct px_verify_map m;
    px_assert_ok(px_verify_idmap("         0     100000      65536\n", &m));
    assert_int_equal(m.inside, 0);
    assert_int_equal(m.outside, 100000);
    assert_int_equal(m.count, 65536);
    assert_int_equal(px_verify_idmap("0 0 4294967295\n0 1 2\n", &m), -EBADMSG);
    assert_int_equal(px_verify_idmap("", &m), -EBADMSG);
}

static void a_process_status_gives_filter_and_capabilities(void **state) {
    struct px_verify_status s;
    px_verify_proc_status("Name:\tSeccomp:\t9\nCapBnd:\t00000000a80425fb\nSeccomp:\t2\n"
                          "Seccomp_filters:\t1\n",
                          &s);
    assert_int_equal(s.seccomp, 2);
    assert_int_equal(s.n_filters, 1);
    assert_int_equal(s.cap_bounding, 0xa80425fb);
    px_verify_proc_status("", &s);
    assert_int_equal(s.seccomp, 0);
}

static void a_target_says_where_it_is(void **state) {
    static const char *const others[] = {"",          "at\n",         "at 1 2", "at 1 2 3\n",
                                         "at -1 2\n", "at 99999 2\n", "busy",   "at 1 2\nat 3 4\n"};
    int x = 0, y = 0;
    px_assert_ok(px_aim_parse("at 1896 1056\n", &x, &y));
    assert_int_equal(x, 1896);
    assert_int_equal(y, 1056);
    assert_int_equal(px_aim_parse("busy\n", &x, &y), -EBUSY);
    for (size_t i = 0; i < PX_N_ELEMENTS(others); i++)
        assert_int_equal(px_aim_parse(others[i], &x, &y), -EPROTO);
    assert_int_equal(x, 1896);
}

static int report(const char *text, struct px_probing_report *ret) {
    return px_probing_parse(text, strlen(text), ret, NULL);
}

static void a_report_is_read_as_far_as_it_goes(void **state) {
    struct px_probing_report r;
    px_assert_ok(
        report("{\"encrypted\": true, \"codec\": \"vp9\", \"width\": 1920, \"height\": 1080,"
               " \"latency_asked\": 10, \"latency_samples\": 9, \"latency_p50_ms\": 12.5,"
               " \"files\": {\"ok\": false, \"error\": \"no\\nroom\"},"
               " \"tunnel\": {\"ok\": true, \"line\": \"HTTP/1.1 302 Found\"}}",
               &r));
    assert_true(r.encrypted);
    assert_false(r.relayed);
    assert_string_equal(r.codec, "vp9");
    assert_int_equal(r.width, 1920);
    assert_int_equal(r.n_samples, 9);
    assert_true(r.p50 == 12.5);
    assert_true(r.login < 0);
    assert_string_equal(r.files_error, "no room");
    assert_string_equal(r.tunnel_error, "");
    assert_string_equal(r.line, "HTTP/1.1 302 Found");
    px_assert_ok(report("{\"width\": \"x\", \"latency_asked\": -4, \"files\": {}}", &r));
    assert_int_equal(r.width, 0);
    assert_int_equal(r.n_asked, 0);
    assert_string_equal(r.files_error, "it was not done");
    assert_int_equal(report("", &r), -EBADMSG);
    assert_int_equal(report("[1]", &r), -EBADMSG);
}

static void a_question_is_what_rfc_1035_says(void **state) {
    static const uint8_t want[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
                                  "\x01"
                                  "a\x03"
                                  "b-c\x00\x00\x01\x00\x01";
    uint8_t out[PX_DNS_MAX_BYTES];
    assert_int_equal(px_dns_ask(0x1234, "a.b-c", out, NULL), sizeof(want) - 1);
    assert_memory_equal(out, want, sizeof(want) - 1);
    assert_int_equal(px_dns_ask(1, "a..b", out, NULL), -EINVAL);
}

static void an_answer_gives_its_first_address(void **state) {
    static const uint8_t answer[] =
        "\x12\x34\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00"
        "\x01"
        "a\x00\x00\x01\x00\x01"
        "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x0c"          /* CNAME */
        "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x07"; /* 192.0.2.7 */
    const size_t size = sizeof(answer) - 1;
    struct in_addr a;
    assert_int_equal(px_dns_parse(answer, size, 0x1234, &a, NULL), 0);
    assert_int_equal(ntohl(a.s_addr), 0xc0000207);
    assert_int_equal(px_dns_parse(answer, size, 0x1235, &a, NULL), -EBADMSG);
    assert_int_equal(px_dns_parse(answer, 18, 0x1234, &a, NULL), -EBADMSG);
    for (size_t i = 20; i < size; i++) { /* cut off anywhere: no address, no harm */
        assert_int_equal(px_dns_parse(answer, i, 0x1234, &a, NULL), 0);
        assert_int_equal(a.s_addr, 0);
    }
}

static void the_last_result_counts(void **state) {
    struct px_verify_result_line r;
    px_assert_ok(
        px_verify_result("a warning\nRESULT 1 2 cpu\nRESULT 805306368.0 12.5 cpu-numpy\n", &r));
    assert_true(r.value == 805306368.0);
    assert_true(r.ms == 12.5);
    assert_string_equal(r.device, "cpu-numpy");
    assert_int_equal(px_verify_result("RESULT nan 1 cpu\nRESULT 1\n", &r), -EBADMSG);
    assert_int_equal(px_verify_result("", &r), -EBADMSG);
}

static void stages_are_what_came_between(void **state) {
    struct px_stages before, after;
    px_stages_parse(
        "# HELP x\nphoenix_host_stage_seconds_bucket{stage=\"grab\",codec=\"vp9\",le=\"0.001\"} 2\n"
        "phoenix_host_stage_seconds_bucket{stage=\"grab\",codec=\"vp9\",le=\"+Inf\"} 2\n"
        "phoenix_host_stage_seconds_sum{stage=\"grab\",codec=\"vp9\"} 0.001\n",
        &before);
    px_stages_parse(
        "phoenix_host_stage_seconds_bucket{stage=\"grab\",codec=\"vp9\",le=\"0.001\"} 5\n"
        "phoenix_host_stage_seconds_bucket{stage=\"grab\",codec=\"vp9\",le=\"+Inf\"} 6\n"
        "phoenix_host_stage_seconds_bucket{stage=\"grab\",codec=\"h264\",le=\"+Inf\"} 1\n"
        "phoenix_host_stage_seconds_sum{stage=\"grab\",codec=\"vp9\"} 0.011\n"
        "phoenix_host_stage_seconds_bucket{stage=\"gr",
        &after);
    assert_int_equal(after.n, 1);
    assert_int_equal(after.items[0].upto[3], 5);
    assert_int_equal(after.items[0].upto[PX_STAGE_BUCKETS - 1], 7);
    json_t *json = px_stages_json(&before, &after);
    const json_t *grab = json_object_get(json, "grab");
    assert_int_equal(json_integer_value(json_object_get(grab, "count")), 5);
    assert_true(fabs(json_number_value(json_object_get(grab, "mean_ms")) - 2) < 1e-9);
    const json_t *buckets = json_object_get(grab, "buckets");
    assert_int_equal(json_array_size(buckets), 2);
    assert_true(json_number_value(json_array_get(json_array_get(buckets, 0), 0)) == 1);
    assert_int_equal(json_integer_value(json_array_get(json_array_get(buckets, 0), 1)), 3);
    assert_true(json_is_null(json_array_get(json_array_get(buckets, 1), 0)));
    json_decref(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_cut_and_cleaned),
        cmocka_unit_test(units_are_counted_even_where_there_is_no_room_for_their_names),
        cmocka_unit_test(an_idmap_is_one_line),
        cmocka_unit_test(a_process_status_gives_filter_and_capabilities),
        cmocka_unit_test(a_target_says_where_it_is),
        cmocka_unit_test(a_report_is_read_as_far_as_it_goes),
        cmocka_unit_test(a_question_is_what_rfc_1035_says),
        cmocka_unit_test(an_answer_gives_its_first_address),
        cmocka_unit_test(the_last_result_counts),
        cmocka_unit_test(stages_are_what_came_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
