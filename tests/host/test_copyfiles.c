/* tests/host/test_copyfiles.c - files by copy and paste, both ways, over a real X selection */
#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "fixture.h"
#include "host/clipboard/descriptor.h"
#include "host/clipboard/uris.h"
#include <sys/stat.h>

static struct px_client *copier(void) {
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    o.enable_file_transfer = PX_OPTION_YES;
    return desktop(&o);
}

static void send_cliprdr(struct px_client *c, Pxs__Cliprdr *r) {
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_CLIPRDR;
    m.cliprdr = r;
    px_assert_ok(px_client_send(c, &m, NULL));
}

static Pxs__Message *await_cliprdr(struct px_client *c, Pxs__Cliprdr__ItemCase want) {
    const int64_t until = px_now_us() + 10 * SECOND;
    for (;;) {
        Pxs__Message *m = await(c, PXS__MESSAGE__ITEM_CLIPRDR, until - px_now_us());
        if (!m)
            fail_msg("no cliprdr message %d", want);
        if (m->cliprdr->item_case == want)
            return m;
        px_message_free(m);
    }
}

static char *in_dir(const char *name) {
    static char path[8][256];
    static unsigned n;
    char *p = path[n++ % 8];
    snprintf(p, 256, "%s/%s", f.dir, name);
    return p;
}

static void make_file(const char *name, const char *text) {
    px_assert_ok(px_file_write_atomic(AT_FDCWD, in_dir(name), text, strlen(text), 0644, NULL));
}

/* ---- copied on the desktop ---- */

static void copy_on_the_desktop(const char *target, const char *text) {
    const char *const argv[] = {"xclip", "-selection", "clipboard", "-t", target, "-i", NULL};
    const struct px_proc_opts o = {
        .argv = argv, .inherit_env = true, .input = text, .input_size = strlen(text)};
    px_assert_ok(px_proc_check(&o, NULL));
}

static void ask_descriptors(struct px_client *c, struct px_descriptors *ret) {
    Pxs__CliprdrDataRequest q = PXS__CLIPRDR_DATA_REQUEST__INIT;
    Pxs__Cliprdr r = PXS__CLIPRDR__INIT;
    struct px_error err = {0};
    q.requested_format_id = 49334;
    r.item_case = PXS__CLIPRDR__ITEM_FORMAT_DATA_REQUEST;
    r.format_data_request = &q;
    send_cliprdr(c, &r);
    px_cleanup(px_message_freep) Pxs__Message *m =
        await_cliprdr(c, PXS__CLIPRDR__ITEM_FORMAT_DATA_RESPONSE);
    const Pxs__CliprdrDataResponse *a = m->cliprdr->format_data_response;
    assert_int_equal(a->msg_flags, 1);
    px_assert_ok_err(px_descriptors_parse(a->format_data.data, a->format_data.len, ret, &err),
                     &err);
}

/* The answer to a request for contents: its flags; what came in @out. */
static int ask_contents(struct px_client *c, int index, int flags, uint32_t offset, int size,
                        struct px_buf *out) {
    Pxs__CliprdrContentsRequest q = PXS__CLIPRDR_CONTENTS_REQUEST__INIT;
    Pxs__Cliprdr r = PXS__CLIPRDR__INIT;
    q.stream_id = 77;
    q.list_index = index;
    q.dw_flags = flags;
    q.n_position_low = (int32_t)offset;
    q.cb_requested = size;
    r.item_case = PXS__CLIPRDR__ITEM_FILE_CONTENTS_REQUEST;
    r.file_contents_request = &q;
    send_cliprdr(c, &r);
    px_cleanup(px_message_freep) Pxs__Message *m =
        await_cliprdr(c, PXS__CLIPRDR__ITEM_FILE_CONTENTS_RESPONSE);
    const Pxs__CliprdrContentsResponse *a = m->cliprdr->file_contents_response;
    assert_int_equal(a->stream_id, 77);
    px_buf_reset(out);
    px_buf_add(out, a->requested_data.data, a->requested_data.len);
    return a->msg_flags;
}

static size_t find(const struct px_descriptors *l, const char *name) {
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->list[i].name, name) == 0)
            return i;
    fail_msg("'%s' is not in the list", name);
    return 0;
}

static void files_copied_here_are_read_by_clients(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = copier();
    px_cleanup(px_buf_fini) struct px_buf uris = {0}, got = {0};
    struct px_descriptors l = {0};
    mkdir(in_dir("tree"), 0755);
    mkdir(in_dir("tree/sub"), 0755);
    make_file("tree/sub/h\xc3\xa4.txt", "below");
    make_file("one file.txt", "0123456789");
    (void)!symlink("/etc/passwd", in_dir("tree/link"));
    px_buf_printf(&uris, "copy\nfile://%s/one%%20file.txt\nfile://%s/tree\nfile:///nowhere", f.dir,
                  f.dir);
    copy_on_the_desktop("x-special/gnome-copied-files", uris.data);
    px_cleanup(px_message_freep) Pxs__Message *m = await_cliprdr(c, PXS__CLIPRDR__ITEM_FORMAT_LIST);
    assert_int_equal(m->cliprdr->format_list->n_formats, 2);
    assert_string_equal(m->cliprdr->format_list->formats[0]->format, "FileGroupDescriptorW");
    assert_string_equal(m->cliprdr->format_list->formats[1]->format, "FileContents");
    ask_descriptors(c, &l);
    assert_int_equal(l.n, 4); /* without the link, and what is not there */
    const size_t one = find(&l, "one file.txt"), below = find(&l, "tree/sub/h\xc3\xa4.txt");
    assert_true(l.list[find(&l, "tree")].is_dir);
    assert_true(l.list[find(&l, "tree/sub")].is_dir);
    assert_int_equal(l.list[one].size, 10);
    assert_int_equal(ask_contents(c, (int)one, 1, 0, 0, &got), 1); /* its size */
    assert_int_equal(got.size, 8);
    assert_int_equal(got.data[0], 10);
    assert_int_equal(ask_contents(c, (int)one, 2, 4, 4 << 20, &got), 1);
    assert_string_equal(got.data, "456789");
    assert_int_equal(ask_contents(c, (int)below, 2, 0, 3, &got), 1);
    assert_string_equal(got.data, "bel");
    static const int bad[] = {99, -1};
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++)
        assert_int_equal(ask_contents(c, bad[i], 2, 0, 10, &got), 2);
    assert_int_equal(ask_contents(c, (int)find(&l, "tree"), 2, 0, 10, &got), 2);
    assert_int_equal(ask_contents(c, (int)one, 2, 4000000000u, 10, &got), 1); /* behind its end */
    px_descriptors_fini(&l);
}

static void uri_lists_count_too_and_text_still_goes_to_others(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = copier(), *plain = desktop(NULL);
    px_cleanup(px_buf_fini) struct px_buf uris = {0};
    make_file("listed", "x");
    px_buf_printf(&uris, "file://%s/listed\r\n", f.dir);
    copy_on_the_desktop("text/uri-list", uris.data);
    px_message_free(await_cliprdr(c, PXS__CLIPRDR__ITEM_FORMAT_LIST));
    px_cleanup(px_message_freep) Pxs__Message *none =
        await(plain, PXS__MESSAGE__ITEM_CLIPRDR, SECOND / 2);
    assert_null(none); /* it did not ask for files */
    copy_on_the_desktop("UTF8_STRING", "words");
    px_message_free(await(c, PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS, 10 * SECOND));
    Pxs__CliprdrDataRequest q = PXS__CLIPRDR_DATA_REQUEST__INIT;
    Pxs__Cliprdr r = PXS__CLIPRDR__INIT;
    r.item_case = PXS__CLIPRDR__ITEM_FORMAT_DATA_REQUEST;
    r.format_data_request = &q;
    send_cliprdr(c, &r); /* too late: the clipboard holds words */
    px_cleanup(px_message_freep) Pxs__Message *m =
        await_cliprdr(c, PXS__CLIPRDR__ITEM_FORMAT_DATA_RESPONSE);
    assert_int_equal(m->cliprdr->format_data_response->msg_flags, 2);
}

static void clients_without_the_option_get_nothing(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    Pxs__CliprdrContentsRequest q = PXS__CLIPRDR_CONTENTS_REQUEST__INIT;
    Pxs__Cliprdr r = PXS__CLIPRDR__INIT;
    r.item_case = PXS__CLIPRDR__ITEM_FILE_CONTENTS_REQUEST;
    r.file_contents_request = &q;
    send_cliprdr(c, &r);
    px_cleanup(px_message_freep) Pxs__Message *m = await(c, PXS__MESSAGE__ITEM_CLIPRDR, SECOND / 2);
    assert_null(m);
}

/* ---- copied by a client ---- */

/* Tells of files, and gives the list when asked. */
static void offer(struct px_client *c, const struct px_descriptors *l) {
    Pxs__CliprdrFormat d = PXS__CLIPRDR_FORMAT__INIT, b = PXS__CLIPRDR_FORMAT__INIT;
    Pxs__CliprdrFormat *formats[] = {&d, &b};
    Pxs__CliprdrFormatList list = PXS__CLIPRDR_FORMAT_LIST__INIT;
    Pxs__CliprdrDataResponse a = PXS__CLIPRDR_DATA_RESPONSE__INIT;
    Pxs__Cliprdr r = PXS__CLIPRDR__INIT;
    px_cleanup(px_buf_fini) struct px_buf data = {0};
    d.id = 50001;
    d.format = (char *)"FileGroupDescriptorW";
    b.id = 50002;
    b.format = (char *)"FileContents";
    list.n_formats = 2;
    list.formats = formats;
    r.item_case = PXS__CLIPRDR__ITEM_FORMAT_LIST;
    r.format_list = &list;
    send_cliprdr(c, &r);
    px_cleanup(px_message_freep) Pxs__Message *m =
        await_cliprdr(c, PXS__CLIPRDR__ITEM_FORMAT_DATA_REQUEST);
    assert_int_equal(m->cliprdr->format_data_request->requested_format_id, 50001);
    px_descriptors_print(l, &data);
    a.msg_flags = 1;
    a.format_data = (ProtobufCBinaryData){data.size, (uint8_t *)data.data};
    r.item_case = PXS__CLIPRDR__ITEM_FORMAT_DATA_RESPONSE;
    r.format_data_response = &a;
    send_cliprdr(c, &r);
}

static bool owner_is_host(void *data) {
    const xcb_window_t before = *(xcb_window_t *)data;
    xcb_intern_atom_reply_t *a =
        xcb_intern_atom_reply(f.x, xcb_intern_atom(f.x, 0, 9, "CLIPBOARD"), NULL);
    xcb_get_selection_owner_reply_t *r =
        xcb_get_selection_owner_reply(f.x, xcb_get_selection_owner(f.x, a->atom), NULL);
    const bool changed = r->owner && r->owner != before;
    free(a);
    free(r);
    return changed;
}

static bool nobody_owns(void *data) {
    xcb_window_t none = 0;
    return !owner_is_host(&none);
}

/* A program that pastes; what it gets ends up in @file. */
static void paste(const char *target, const char *file) {
    static char command[512];
    unlink(in_dir(file));
    snprintf(command, sizeof(command),
             "xclip -selection clipboard -o -t %s >%s/%s.part; mv %s/%s.part %s/%s", target, f.dir,
             file, f.dir, file, f.dir, file);
    run((const char *const[]){"sh", "-c", command, NULL});
}

static bool is_there(void *data) {
    return px_exists(AT_FDCWD, data);
}

static void answer(struct px_client *c, const Pxs__CliprdrContentsRequest *q, const char *data,
                   size_t size) {
    Pxs__CliprdrContentsResponse a = PXS__CLIPRDR_CONTENTS_RESPONSE__INIT;
    Pxs__Cliprdr r = PXS__CLIPRDR__INIT;
    a.stream_id = q->stream_id;
    a.msg_flags = data ? 1 : 2;
    a.requested_data = (ProtobufCBinaryData){data ? size : 0, (uint8_t *)data};
    r.item_case = PXS__CLIPRDR__ITEM_FILE_CONTENTS_RESPONSE;
    r.file_contents_response = &a;
    send_cliprdr(c, &r);
}

static struct px_descriptor names[] = {
    {.name = (char *)"dir", .is_dir = true},
    {.name = (char *)"dir/deep.txt", .size = 4},
    {.name = (char *)"empty"},
    {.name = (char *)"big.bin", .size = 2500000, .mtime_s = 1000000000}};
static const struct px_descriptors tree = {names, 4, 4};

/* Who pasted last knows where the files are. */
static void pasted_paths(const char *file, struct px_paths *ret) {
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    assert_true(wait_for(is_there, in_dir(file), 10 * SECOND));
    px_assert_ok(px_file_read(AT_FDCWD, in_dir(file), 1 << 16, &text, &size, NULL));
    px_uris_parse(text, size, ret);
}

static void files_copied_by_a_client_are_fetched_when_pasted(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = copier();
    px_cleanup_free char *big = malloc(2500000);
    xcb_window_t before = 0;
    struct stat st;
    for (size_t i = 0; i < 2500000; i++)
        big[i] = (char)(i * 2654435761u >> 13);
    copy_on_the_desktop("UTF8_STRING", "before");
    px_message_free(await(c, PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS, 10 * SECOND));
    assert_true(owner_is_host(&before));
    xcb_intern_atom_reply_t *a =
        xcb_intern_atom_reply(f.x, xcb_intern_atom(f.x, 0, 9, "CLIPBOARD"), NULL);
    xcb_get_selection_owner_reply_t *r =
        xcb_get_selection_owner_reply(f.x, xcb_get_selection_owner(f.x, a->atom), NULL);
    before = r->owner;
    free(a);
    free(r);
    offer(c, &tree);
    assert_true(wait_for(owner_is_host, &before, 10 * SECOND));
    px_cleanup(px_message_freep) Pxs__Message *early =
        await(c, PXS__MESSAGE__ITEM_CLIPRDR, SECOND / 2);
    assert_null(early); /* nothing is fetched before somebody pastes */
    paste("text/uri-list", "pasted");
    size_t sent = 0;
    while (sent < 2500004) {
        px_cleanup(px_message_freep) Pxs__Message *m =
            await_cliprdr(c, PXS__CLIPRDR__ITEM_FILE_CONTENTS_REQUEST);
        const Pxs__CliprdrContentsRequest *q = m->cliprdr->file_contents_request;
        assert_int_equal(q->dw_flags, 2);
        const size_t at = (uint32_t)q->n_position_low, n = (uint32_t)q->cb_requested;
        if (q->list_index == 1)
            answer(c, q, "deep", 4);
        else {
            assert_int_equal(q->list_index, 3);
            assert_true(at + n <= 2500000);
            answer(c, q, big + at, n);
        }
        sent += n;
    }
    struct px_paths p;
    pasted_paths("pasted", &p);
    assert_int_equal(p.n, 3);
    px_cleanup_free char *text = NULL, *deep = NULL;
    char path[512];
    size_t size = 0;
    snprintf(path, sizeof(path), "%s/deep.txt", p.list[0]);
    px_assert_ok(px_file_read(AT_FDCWD, path, 100, &deep, NULL, NULL));
    assert_string_equal(deep, "deep");
    assert_int_equal(stat(p.list[1], &st), 0);
    assert_int_equal(st.st_size, 0);
    px_assert_ok(px_file_read(AT_FDCWD, p.list[2], 3 << 20, &text, &size, NULL));
    assert_int_equal(size, 2500000);
    assert_memory_equal(text, big, size);
    assert_int_equal(stat(p.list[2], &st), 0);
    assert_int_equal(st.st_mtime, 1000000000);
    px_paths_fini(&p);
    paste("x-special/gnome-copied-files", "again"); /* here by now: nobody is asked */
    pasted_paths("again", &p);
    assert_int_equal(p.n, 3);
    px_paths_fini(&p);
}

static void a_client_that_leaves_in_mid_file_takes_its_offer_along(void **state) {
    struct px_client *c = copier();
    offer(c, &tree);
    px_sleep_us(SECOND / 5);
    paste("text/uri-list", "never");
    px_message_free(await_cliprdr(c, PXS__CLIPRDR__ITEM_FILE_CONTENTS_REQUEST));
    px_client_close(c);
    assert_true(wait_for(nobody_owns, NULL, 10 * SECOND));
    assert_true(wait_for(is_there, in_dir("never"), 10 * SECOND)); /* the program was told */
    struct stat st;
    assert_int_equal(stat(in_dir("never"), &st), 0);
    assert_int_equal(st.st_size, 0);
}

static void a_client_that_cannot_give_fails_the_paste_only(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = copier();
    offer(c, &tree);
    px_sleep_us(SECOND / 5);
    for (int i = 0; i < 2; i++) { /* and it may be tried again */
        paste("text/uri-list", "fails");
        px_cleanup(px_message_freep) Pxs__Message *m =
            await_cliprdr(c, PXS__CLIPRDR__ITEM_FILE_CONTENTS_REQUEST);
        answer(c, m->cliprdr->file_contents_request, NULL, 0);
        assert_true(wait_for(is_there, in_dir("fails"), 10 * SECOND));
    }
}

static void too_much_or_bad_names_are_declined_with_words(void **state) {
    static struct px_descriptor huge[] = {{.name = (char *)"huge", .size = UINT64_C(1) << 40}};
    static struct px_descriptor evil[] = {{.name = (char *)"../../.bashrc", .size = 3}};
    const struct px_descriptors lists[] = {{huge, 1, 1}, {evil, 1, 1}};
    for (size_t i = 0; i < PX_N_ELEMENTS(lists); i++) {
        px_cleanup(px_client_closep) struct px_client *c = copier();
        offer(c, &lists[i]);
        px_cleanup(px_message_freep) Pxs__Message *m =
            await(c, PXS__MESSAGE__ITEM_MESSAGE_BOX, 10 * SECOND);
        assert_non_null(m);
        assert_true(strlen(m->message_box->text) > 10);
    }
}

/* Whoever may have files gets an answer, if only that there are none. */
static bool is_answered(void) {
    px_cleanup(px_client_closep) struct px_client *c = copier();
    Pxs__CliprdrContentsRequest q = PXS__CLIPRDR_CONTENTS_REQUEST__INIT;
    Pxs__Cliprdr r = PXS__CLIPRDR__INIT;
    r.item_case = PXS__CLIPRDR__ITEM_FILE_CONTENTS_REQUEST;
    r.file_contents_request = &q;
    send_cliprdr(c, &r);
    px_cleanup(px_message_freep) Pxs__Message *m = await(c, PXS__MESSAGE__ITEM_CLIPRDR, SECOND / 2);
    return m != NULL;
}

static bool answered(void *data) {
    return is_answered();
}

static void item_26_files_want_three_permissions(void **state) {
    static const char *const names_of[] = {"file", "clipboard", "keyboard"};
    for (size_t i = 0; i < PX_N_ELEMENTS(names_of); i++) {
        char extra[80];
        snprintf(extra, sizeof(extra), "\"permissions\": {\"%s\": false}", names_of[i]);
        fixture_change(extra);
        assert_false(is_answered());
    }
    fixture_change("");
    assert_true(wait_for(answered, NULL, 20 * SECOND));
}

static int start(void **state) {
    fixture_x(false);
    fixture_host("");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_copied_here_are_read_by_clients),
        cmocka_unit_test(uri_lists_count_too_and_text_still_goes_to_others),
        cmocka_unit_test(clients_without_the_option_get_nothing),
        cmocka_unit_test(files_copied_by_a_client_are_fetched_when_pasted),
        cmocka_unit_test(a_client_that_leaves_in_mid_file_takes_its_offer_along),
        cmocka_unit_test(a_client_that_cannot_give_fails_the_paste_only),
        cmocka_unit_test(too_much_or_bad_names_are_declined_with_words),
        cmocka_unit_test(item_26_files_want_three_permissions),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
