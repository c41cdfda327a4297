/* tests/host/test_services.c - the session checklist: clipboard, files, tunnel, terminal,
 * permissions */
#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "fixture.h"
#include "ports.h"
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <zstd.h>

/* ---- clipboard ---- */

static void copy_on_the_desktop(const char *text) {
    const char *const argv[] = {"xclip", "-selection", "clipboard", "-i", NULL};
    const struct px_proc_opts o = {
        .argv = argv, .inherit_env = true, .input = text, .input_size = strlen(text)};
    px_assert_ok(px_proc_check(&o, NULL));
}

static void paste_on_the_desktop(const char *target, struct px_buf *out) {
    const char *const argv[] = {"xclip", "-selection", "clipboard", "-o", "-t", target, NULL};
    const struct px_proc_opts o = {.argv = argv,
                                   .inherit_env = true,
                                   .out = out,
                                   .max_bytes = 8 << 20,
                                   .timeout_us = 10 * SECOND};
    px_assert_ok(px_proc_check(&o, NULL));
}

static void assert_text(const Pxs__Clipboard *c, const char *want) {
    char plain[256] = {0};
    assert_int_equal(c->format, PX_CLIPBOARD_TEXT);
    if (c->compress)
        assert_false(ZSTD_isError(
            ZSTD_decompress(plain, sizeof(plain) - 1, c->content.data, c->content.len)));
    else
        memcpy(plain, c->content.data, c->content.len);
    assert_string_equal(plain, want);
}

static void item_55_text_copied_here_reaches_clients_old_and_new(void **state) {
    const struct px_client_login web = {.username = ID, .password = PASSWORD, .version = ""};
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL), *old = login(&web);
    drain(c, SECOND / 5);
    copy_on_the_desktop("copied h\xc3\xa4re");
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(c, PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS, 3 * SECOND);
    assert_non_null(m);
    assert_text(m->multi_clipboards->clipboards[0], "copied h\xc3\xa4re");
    px_cleanup(px_message_freep) Pxs__Message *n =
        await(old, PXS__MESSAGE__ITEM_CLIPBOARD, 3 * SECOND);
    assert_non_null(n);
    assert_text(n->clipboard, "copied h\xc3\xa4re");
}

static void send_text(struct px_client *c, const char *text, size_t size) {
    Pxs__Clipboard item = PXS__CLIPBOARD__INIT, html = PXS__CLIPBOARD__INIT;
    Pxs__Clipboard *list[] = {&item, &html};
    Pxs__MultiClipboards multi = PXS__MULTI_CLIPBOARDS__INIT;
    item.content = (ProtobufCBinaryData){size, (uint8_t *)text};
    html.format = PX_CLIPBOARD_HTML;
    html.content = (ProtobufCBinaryData){8, (uint8_t *)"<b>x</b>"};
    multi.n_clipboards = 2;
    multi.clipboards = list;
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS;
    m.multi_clipboards = &multi;
    px_assert_ok(px_client_send(c, &m, NULL));
}

static void item_56_a_clients_text_goes_everywhere_but_back(void **state) {
    px_cleanup(px_client_closep) struct px_client *a = desktop(NULL), *b = desktop(NULL);
    drain(a, SECOND / 5);
    send_text(a, "from a", 6);
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(b, PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS, 3 * SECOND);
    assert_non_null(m);
    px_cleanup(px_message_freep) Pxs__Message *back =
        await(a, PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS, SECOND / 2);
    assert_null(back);
    px_cleanup(px_buf_fini) struct px_buf text = {0}, html = {0};
    paste_on_the_desktop("UTF8_STRING", &text);
    assert_string_equal(text.data, "from a");
    paste_on_the_desktop("text/html", &html);
    assert_string_equal(html.data, "<b>x</b>");
}

static void large_clipboards_come_in_pieces(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    const size_t size = 3 << 20;
    px_cleanup_free char *big = malloc(size);
    for (size_t i = 0; i < size; i++)
        big[i] = (char)('a' + i * i % 26);
    send_text(c, big, size);
    drain(c, SECOND / 5);
    px_cleanup(px_buf_fini) struct px_buf text = {0};
    paste_on_the_desktop("UTF8_STRING", &text);
    assert_int_equal(text.size, size);
    assert_memory_equal(text.data, big, size);
}

/* ---- files ---- */

static struct px_client *files(const char *dir) {
    const struct px_client_login l = {.username = ID, .password = PASSWORD, .files_dir = dir};
    return login(&l);
}

static Pxs__FileResponse *response(struct px_client *c, Pxs__FileResponse__ResponseCase want,
                                   Pxs__Message **keep) {
    *keep = await(c, PXS__MESSAGE__ITEM_FILE_RESPONSE, 5 * SECOND);
    assert_non_null(*keep);
    Pxs__FileResponse *r = (*keep)->file_response;
    if (r->response_case == PXS__FILE_RESPONSE__RESPONSE_ERROR &&
        want != PXS__FILE_RESPONSE__RESPONSE_ERROR)
        fail_msg("error: %s", r->error->error);
    assert_int_equal(r->response_case, want);
    return r;
}

static void send_action(struct px_client *c, Pxs__FileAction *a) {
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_FILE_ACTION;
    m.file_action = a;
    px_assert_ok(px_client_send(c, &m, NULL));
}

static void send_file_response(struct px_client *c, Pxs__FileResponse *r) {
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_FILE_RESPONSE;
    m.file_response = r;
    px_assert_ok(px_client_send(c, &m, NULL));
}

static ProtobufCBinaryData bytes(const char *s) {
    return (ProtobufCBinaryData){strlen(s), (uint8_t *)s};
}

static char *in_dir(const char *name) {
    static char path[8][256];
    static unsigned n;
    char *p = path[n++ % 8];
    snprintf(p, 256, "%s/%s", f.dir, name);
    return p;
}

static void make_file(const char *name, size_t size) {
    px_cleanup_free char *data = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 2654435761u >> 13);
    px_assert_ok(px_file_write_atomic(AT_FDCWD, in_dir(name), data, size, 0644, NULL));
}

static void item_61_a_listing_comes_unasked(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = files(""), *d = files("/");
    px_cleanup(px_message_freep) Pxs__Message *m = NULL, *n = NULL;
    const Pxs__FileDirectory *home = response(c, PXS__FILE_RESPONSE__RESPONSE_DIR, &m)->dir;
    assert_int_equal(home->id, 0);
    assert_int_equal(home->path.len, strlen(f.dir));
    assert_memory_equal(home->path.data, f.dir, strlen(f.dir));
    const Pxs__FileDirectory *root = response(d, PXS__FILE_RESPONSE__RESPONSE_DIR, &n)->dir;
    assert_int_equal(root->path.len, 1);
    assert_true(root->n_entries > 5);
}

static void send_request(struct px_client *c, const char *path) {
    Pxs__FileSend s = PXS__FILE_SEND__INIT;
    Pxs__FileAction a = PXS__FILE_ACTION__INIT;
    s.id = 7;
    s.path = bytes(path);
    a.action_case = PXS__FILE_ACTION__ACTION_SEND;
    a.send = &s;
    send_action(c, &a);
}

static void send_confirm(struct px_client *c, int id, int n, uint32_t offset, bool skip) {
    Pxs__FileSendConfirm k = PXS__FILE_SEND_CONFIRM__INIT;
    Pxs__FileAction a = PXS__FILE_ACTION__INIT;
    k.id = id;
    k.file_num = n;
    k.decision_case =
        skip ? PXS__FILE_SEND_CONFIRM__DECISION_SKIP : PXS__FILE_SEND_CONFIRM__DECISION_OFFSET_BLK;
    if (skip)
        k.skip = true;
    else
        k.offset_blk = offset;
    a.action_case = PXS__FILE_ACTION__ACTION_SEND_CONFIRM;
    a.send_confirm = &k;
    send_action(c, &a);
}

/* Blocks up to the empty one, unpacked; returns how many held data. */
static unsigned take_blocks(struct px_client *c, struct px_buf *out) {
    unsigned n = 0;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        const Pxs__FileBlock *b = response(c, PXS__FILE_RESPONSE__RESPONSE_BLOCK, &m)->block;
        if (b->data.len == 0)
            return n;
        n++;
        if (!b->compressed) {
            px_buf_add(out, b->data.data, b->data.len);
            continue;
        }
        void *at = px_buf_reserve(out, 1 << 20);
        const size_t size = ZSTD_decompress(at, 1 << 20, b->data.data, b->data.len);
        assert_false(ZSTD_isError(size));
        out->size += size;
    }
}

static void download_from(uint32_t from, unsigned blocks_at_least) {
    make_file("big.bin", 300000);
    px_cleanup_free char *want = NULL;
    px_assert_ok(px_file_read(AT_FDCWD, in_dir("big.bin"), 1 << 20, &want, NULL, NULL));
    px_cleanup(px_client_closep) struct px_client *c = files("/");
    px_cleanup(px_message_freep) Pxs__Message *a = NULL, *b = NULL, *d = NULL, *e = NULL;
    response(c, PXS__FILE_RESPONSE__RESPONSE_DIR, &a);
    send_request(c, in_dir("big.bin"));
    const Pxs__FileDirectory *list = response(c, PXS__FILE_RESPONSE__RESPONSE_DIR, &b)->dir;
    assert_int_equal(list->id, 7);
    assert_int_equal(list->n_entries, 1);
    assert_int_equal(list->entries[0]->name.len, 0);
    const Pxs__FileDigest *g = response(c, PXS__FILE_RESPONSE__RESPONSE_DIGEST, &d)->digest;
    assert_int_equal(g->file_size, 300000);
    assert_true(g->last_modified > 0);
    send_confirm(c, 7, 0, from, false);
    px_cleanup(px_buf_fini) struct px_buf got = {0};
    assert_true(take_blocks(c, &got) >= blocks_at_least);
    assert_int_equal(got.size, 300000 - from);
    assert_memory_equal(got.data, want + from, got.size);
    const Pxs__FileDone *done = response(c, PXS__FILE_RESPONSE__RESPONSE_DONE, &e)->done;
    assert_int_equal(done->file_num, 1);
}

static void item_62_download_in_blocks(void **state) {
    download_from(0, 3);
}

static void item_63_download_from_where_it_broke_off(void **state) {
    download_from(100000, 2);
}

/* Directories with everything below them; hidden files only if wanted, links never. */
static void trees_are_downloaded_without_links(void **state) {
    mkdir(in_dir("fetch"), 0755);
    mkdir(in_dir("fetch/sub"), 0755);
    make_file("fetch/sub/deep", 3);
    make_file("fetch/.hidden", 4);
    (void)!symlink("/etc", in_dir("fetch/sub/etc"));
    (void)!symlink("/etc/passwd", in_dir("fetch/passwd"));
    for (int hidden = 0; hidden < 2; hidden++) {
        px_cleanup(px_client_closep) struct px_client *c = files("/");
        px_cleanup(px_message_freep) Pxs__Message *a = NULL, *b = NULL;
        Pxs__FileSend s = PXS__FILE_SEND__INIT;
        Pxs__FileAction act_send = PXS__FILE_ACTION__INIT;
        response(c, PXS__FILE_RESPONSE__RESPONSE_DIR, &a);
        s.id = 7;
        s.path = bytes(in_dir("fetch"));
        s.include_hidden = hidden;
        act_send.action_case = PXS__FILE_ACTION__ACTION_SEND;
        act_send.send = &s;
        send_action(c, &act_send);
        const Pxs__FileDirectory *list = response(c, PXS__FILE_RESPONSE__RESPONSE_DIR, &b)->dir;
        assert_int_equal(list->n_entries, 1 + hidden);
        bool deep = false;
        for (size_t i = 0; i < list->n_entries; i++)
            deep |= list->entries[i]->name.len == 8 &&
                    memcmp(list->entries[i]->name.data, "sub/deep", 8) == 0;
        assert_true(deep);
    }
}

/* What takes long to read is read beside the loop; a client that leaves ends it. */
static void a_huge_tree_holds_nothing_up(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = files("");
    px_cleanup(px_message_freep) Pxs__Message *a = NULL, *b = NULL;
    Pxs__ReadDir all = PXS__READ_DIR__INIT;
    Pxs__DirCreate dir = PXS__DIR_CREATE__INIT;
    Pxs__FileAction first = PXS__FILE_ACTION__INIT, second = PXS__FILE_ACTION__INIT;
    response(c, PXS__FILE_RESPONSE__RESPONSE_DIR, &a);
    all.path = bytes("/");
    all.include_hidden = true;
    first.action_case = PXS__FILE_ACTION__ACTION_READ_EMPTY_DIRS;
    first.read_empty_dirs = &all;
    dir.id = 5;
    dir.path = bytes(in_dir("meanwhile"));
    second.action_case = PXS__FILE_ACTION__ACTION_CREATE;
    second.create = &dir;
    send_action(c, &first);
    send_action(c, &second);
    assert_int_equal(response(c, PXS__FILE_RESPONSE__RESPONSE_DONE, &b)->done->id, 5);
}

static void skipping_the_only_file_says_so(void **state) {
    make_file("small", 10);
    px_cleanup(px_client_closep) struct px_client *c = files("/");
    px_cleanup(px_message_freep) Pxs__Message *a = NULL, *b = NULL, *d = NULL, *e = NULL;
    response(c, PXS__FILE_RESPONSE__RESPONSE_DIR, &a);
    send_request(c, in_dir("small"));
    response(c, PXS__FILE_RESPONSE__RESPONSE_DIR, &b);
    response(c, PXS__FILE_RESPONSE__RESPONSE_DIGEST, &d);
    send_confirm(c, 7, 0, 0, true);
    assert_string_equal(response(c, PXS__FILE_RESPONSE__RESPONSE_ERROR, &e)->error->error,
                        "skipped");
}

static void send_receive(struct px_client *c, const char *dir, const char *name, uint64_t size,
                         uint64_t modified) {
    Pxs__FileEntry e = PXS__FILE_ENTRY__INIT, *list[] = {&e};
    Pxs__FileReceive r = PXS__FILE_RECEIVE__INIT;
    Pxs__FileAction a = PXS__FILE_ACTION__INIT;
    e.entry_type = PX_FILE_FILE;
    e.name = bytes(name);
    e.size = size;
    e.modified_time = modified;
    r.id = 9;
    r.path = bytes(dir);
    r.n_files = 1;
    r.files = list;
    a.action_case = PXS__FILE_ACTION__ACTION_RECEIVE;
    a.receive = &r;
    send_action(c, &a);
}

static void send_digest(struct px_client *c, uint64_t size, uint64_t modified, bool resume) {
    Pxs__FileDigest d = PXS__FILE_DIGEST__INIT;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    d.id = 9;
    d.file_size = size;
    d.last_modified = modified;
    d.is_resume = resume;
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_DIGEST;
    r.digest = &d;
    send_file_response(c, &r);
}

static void send_block(struct px_client *c, const char *data, size_t size) {
    Pxs__FileBlock b = PXS__FILE_BLOCK__INIT;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    b.id = 9;
    b.data = (ProtobufCBinaryData){size, (uint8_t *)data};
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_BLOCK;
    r.block = &b;
    send_file_response(c, &r);
}

static void send_done(struct px_client *c) {
    Pxs__FileDone d = PXS__FILE_DONE__INIT;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    d.id = 9;
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_DONE;
    r.done = &d;
    send_file_response(c, &r);
}

static void expect_confirm(struct px_client *c) {
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(c, PXS__MESSAGE__ITEM_FILE_ACTION, 3 * SECOND);
    assert_non_null(m);
    assert_int_equal(m->file_action->action_case, PXS__FILE_ACTION__ACTION_SEND_CONFIRM);
    assert_int_equal(m->file_action->send_confirm->offset_blk, 0);
}

static struct px_client *files_ready(void) {
    struct px_client *c = files("/");
    px_message_free(await(c, PXS__MESSAGE__ITEM_FILE_RESPONSE, 3 * SECOND));
    return c;
}

static void upload_makes_the_file_with_its_time(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = files_ready();
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    send_receive(c, in_dir("up"), "deep/er/file.txt", 11, 1000000000);
    send_digest(c, 11, 1000000000, false);
    expect_confirm(c);
    send_block(c, "hello ", 6);
    send_block(c, "world", 5);
    send_block(c, "", 0);
    send_done(c);
    response(c, PXS__FILE_RESPONSE__RESPONSE_DONE, &m);
    px_cleanup_free char *text = NULL;
    struct stat st;
    px_assert_ok(px_file_read(AT_FDCWD, in_dir("up/deep/er/file.txt"), 100, &text, NULL, NULL));
    assert_string_equal(text, "hello world");
    assert_int_equal(stat(in_dir("up/deep/er/file.txt"), &st), 0);
    assert_int_equal(st.st_mtime, 1000000000);
    assert_false(px_exists(AT_FDCWD, in_dir("up/deep/er/file.txt.download")));
    assert_false(px_exists(AT_FDCWD, in_dir("up/deep/er/file.txt.digest")));
}

static void item_64_upload_over_a_file_asks_and_skip_leaves_it(void **state) {
    make_file("there", 5);
    px_cleanup_free char *before = NULL, *after = NULL;
    px_assert_ok(px_file_read(AT_FDCWD, in_dir("there"), 100, &before, NULL, NULL));
    px_cleanup(px_client_closep) struct px_client *c = files_ready();
    px_cleanup(px_message_freep) Pxs__Message *m = NULL, *n = NULL;
    send_receive(c, f.dir, "there", 99, 5);
    send_digest(c, 99, 5, false);
    const Pxs__FileDigest *d = response(c, PXS__FILE_RESPONSE__RESPONSE_DIGEST, &m)->digest;
    assert_true(d->is_upload);
    assert_false(d->is_identical);
    assert_int_equal(d->file_size, 5);
    px_cleanup(px_message_freep) Pxs__Message *none =
        await(c, PXS__MESSAGE__ITEM_FILE_RESPONSE, SECOND / 2); /* it waits */
    assert_null(none);
    assert_false(px_exists(AT_FDCWD, in_dir("there.download")));
    send_confirm(c, 9, 0, 0, true);
    send_block(c, "overwritten", 11); /* nobody should, but one may */
    send_done(c);
    response(c, PXS__FILE_RESPONSE__RESPONSE_DONE, &n);
    struct stat st;
    assert_int_equal(stat(in_dir("there"), &st), 0);
    assert_int_equal(st.st_size, 5);
    px_assert_ok(px_file_read(AT_FDCWD, in_dir("there"), 100, &after, NULL, NULL));
    assert_memory_equal(before, after, 5);
}

/* What a stock client does after "overwrite?" was answered with yes: it begins, without a word. */
static void upload_over_a_file_needs_no_confirmation(void **state) {
    make_file("there", 5);
    px_cleanup(px_client_closep) struct px_client *c = files_ready();
    px_cleanup(px_message_freep) Pxs__Message *m = NULL, *n = NULL;
    send_receive(c, f.dir, "there", 11, 5);
    send_digest(c, 11, 5, false);
    response(c, PXS__FILE_RESPONSE__RESPONSE_DIGEST, &m);
    send_block(c, "overwritten", 11);
    send_block(c, "", 0);
    send_block(c, "", 0); /* too much; the file is whole */
    send_done(c);
    response(c, PXS__FILE_RESPONSE__RESPONSE_DONE, &n);
    px_cleanup_free char *text = NULL;
    px_assert_ok(px_file_read(AT_FDCWD, in_dir("there"), 100, &text, NULL, NULL));
    assert_string_equal(text, "overwritten");
}

/* And with no, when it is the only file: the client says so, and waits to hear it. */
static void upload_that_the_client_gives_up_is_told_back(void **state) {
    make_file("there", 5);
    px_cleanup(px_client_closep) struct px_client *c = files_ready();
    px_cleanup(px_message_freep) Pxs__Message *m = NULL, *n = NULL;
    send_receive(c, f.dir, "there", 11, 5);
    send_digest(c, 11, 5, false);
    response(c, PXS__FILE_RESPONSE__RESPONSE_DIGEST, &m);
    Pxs__FileError e = PXS__FILE_ERROR__INIT;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    e.id = 9;
    e.file_num = 1;
    e.error = (char *)"skipped";
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_ERROR;
    r.error = &e;
    send_file_response(c, &r);
    const Pxs__FileError *back = response(c, PXS__FILE_RESPONSE__RESPONSE_ERROR, &n)->error;
    assert_int_equal(back->id, 9);
    assert_int_equal(back->file_num, 1);
    assert_string_equal(back->error, "skipped");
    struct stat st;
    assert_int_equal(stat(in_dir("there"), &st), 0);
    assert_int_equal(st.st_size, 5);
}

static void item_65_names_that_lead_elsewhere_are_refused(void **state) {
    static const char *const names[] = {"../x", "/etc/x", "a/../../x", "a//b", "a/", "."};
    for (size_t i = 0; i < PX_N_ELEMENTS(names); i++) {
        px_cleanup(px_client_closep) struct px_client *c = files_ready();
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        send_receive(c, in_dir("up"), names[i], 1, 1);
        response(c, PXS__FILE_RESPONSE__RESPONSE_ERROR, &m);
    }
    /* and through a symlink inside the target */
    mkdir(in_dir("up"), 0755);
    (void)!symlink("/tmp", in_dir("up/link"));
    px_cleanup(px_client_closep) struct px_client *c = files_ready();
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    send_receive(c, in_dir("up"), "link/pxt-escaped", 1, 1);
    send_digest(c, 1, 1, false);
    response(c, PXS__FILE_RESPONSE__RESPONSE_ERROR, &m);
    assert_false(px_exists(AT_FDCWD, "/tmp/pxt-escaped"));
    /* which may also be on the way to a directory that is none */
    mkdir(in_dir("outside"), 0755);
    mkdir(in_dir("outside/sub"), 0755);
    (void)!symlink("../outside", in_dir("up/way"));
    px_cleanup(px_client_closep) struct px_client *d = files_ready();
    px_cleanup(px_message_freep) Pxs__Message *n = NULL;
    send_receive(d, in_dir("up"), "way/sub/escaped", 1, 1);
    send_digest(d, 1, 1, false);
    response(d, PXS__FILE_RESPONSE__RESPONSE_ERROR, &n);
    send_block(d, "x", 1);
    send_block(d, "", 0);
    drain(d, SECOND / 5);
    assert_false(px_exists(AT_FDCWD, in_dir("outside/sub/escaped")));
    assert_false(px_exists(AT_FDCWD, in_dir("outside/sub/escaped.download")));
}

static bool download_there(void *data) {
    return px_exists(AT_FDCWD, data);
}

static bool download_gone(void *data) {
    return !px_exists(AT_FDCWD, data);
}

static void item_66_cancel_removes_what_was_begun(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = files_ready();
    send_receive(c, f.dir, "half", 100, 5);
    send_digest(c, 100, 5, false);
    expect_confirm(c);
    send_block(c, "begun", 5);
    assert_true(wait_for(download_there, in_dir("half.download"), 10 * SECOND));
    assert_true(wait_for(download_there, in_dir("half.digest"), 10 * SECOND));
    Pxs__FileCancel k = PXS__FILE_CANCEL__INIT;
    Pxs__FileAction a = PXS__FILE_ACTION__INIT;
    k.id = 9;
    a.action_case = PXS__FILE_ACTION__ACTION_CANCEL;
    a.cancel = &k;
    send_action(c, &a);
    assert_true(wait_for(download_gone, in_dir("half.download"), 10 * SECOND));
    assert_true(wait_for(download_gone, in_dir("half.digest"), 10 * SECOND));
    assert_false(px_exists(AT_FDCWD, in_dir("half")));
}

static void broken_uploads_go_on_where_they_were(void **state) {
    struct px_client *c = files_ready();
    send_receive(c, f.dir, "resume", 11, 777);
    send_digest(c, 11, 777, false);
    expect_confirm(c);
    send_block(c, "hello ", 6);
    assert_true(wait_for(download_there, in_dir("resume.digest"), PATIENCE));
    drain(c, SECOND / 5);
    px_client_close(c);
    c = files_ready();
    send_receive(c, f.dir, "resume", 11, 777);
    send_digest(c, 11, 777, true);
    px_cleanup(px_message_freep) Pxs__Message *m = NULL, *n = NULL;
    const Pxs__FileDigest *d = response(c, PXS__FILE_RESPONSE__RESPONSE_DIGEST, &m)->digest;
    assert_true(d->is_identical);
    assert_int_equal(d->transferred_size, 6);
    send_confirm(c, 9, 0, 6, false);
    send_block(c, "world", 5);
    send_block(c, "", 0);
    send_done(c);
    response(c, PXS__FILE_RESPONSE__RESPONSE_DONE, &n);
    px_client_close(c);
    px_cleanup_free char *text = NULL;
    px_assert_ok(px_file_read(AT_FDCWD, in_dir("resume"), 100, &text, NULL, NULL));
    assert_string_equal(text, "hello world");
}

static void create_rename_and_remove(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = files_ready();
    px_cleanup(px_message_freep) Pxs__Message *m1 = NULL, *m2 = NULL, *m3 = NULL, *m4 = NULL;
    Pxs__DirCreate create = PXS__DIR_CREATE__INIT;
    Pxs__FileRename rename = PXS__FILE_RENAME__INIT;
    Pxs__DirRemove rm = PXS__DIR_REMOVE__INIT;
    Pxs__FileAction a = PXS__FILE_ACTION__INIT;
    create.path = bytes(in_dir("new/dir"));
    a.action_case = PXS__FILE_ACTION__ACTION_CREATE;
    a.create = &create;
    send_action(c, &a);
    response(c, PXS__FILE_RESPONSE__RESPONSE_DONE, &m1);
    rename.path = bytes(in_dir("new/dir"));
    rename.new_name = bytes("a/b");
    a.action_case = PXS__FILE_ACTION__ACTION_RENAME;
    a.rename = &rename;
    send_action(c, &a);
    response(c, PXS__FILE_RESPONSE__RESPONSE_ERROR, &m2);
    rename.new_name = bytes("other");
    send_action(c, &a);
    response(c, PXS__FILE_RESPONSE__RESPONSE_DONE, &m3);
    assert_true(px_exists(AT_FDCWD, in_dir("new/other")));
    rm.path = bytes(in_dir("new"));
    rm.recursive = true;
    a.action_case = PXS__FILE_ACTION__ACTION_REMOVE_DIR;
    a.remove_dir = &rm;
    send_action(c, &a);
    response(c, PXS__FILE_RESPONSE__RESPONSE_DONE, &m4);
    assert_false(px_exists(AT_FDCWD, in_dir("new")));
}

/* ---- tunnel ---- */

static struct px_client *tunnel(uint16_t port) {
    const struct px_client_login l = {
        .username = ID, .password = PASSWORD, .tunnel_host = "localhost", .tunnel_port = port};
    return login(&l);
}

/* After the answer to the login the next byte is the target's; encrypted sessions: test_server.c.
 */
static void item_67_tunnel_carries_raw_bytes(void **state) {
    uint16_t port;
    px_cleanup_close int l = ports_listen(&port);
    px_cleanup(px_client_closep) struct px_client *c = tunnel(port);
    px_cleanup_close int target = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    char buf[64];
    assert_true(target >= 0);
    assert_int_equal(px_client_recv_raw(c, px_now_us() + 3 * SECOND / 2, buf, sizeof(buf), NULL),
                     0); /* no probe, which would be due every second */
    assert_int_equal(write(target, "SSH-2.0-x\r\n", 11), 11);
    assert_int_equal(px_client_recv_raw(c, px_now_us() + 10 * SECOND, buf, sizeof(buf), NULL), 11);
    assert_memory_equal(buf, "SSH-2.0-x\r\n", 11);
    px_assert_ok(px_client_send_raw(c, "GET / HTTP/1.1\r\n", 16, NULL));
    assert_int_equal(recv(target, buf, 16, MSG_WAITALL), 16);
    assert_memory_equal(buf, "GET / HTTP/1.1\r\n", 16);
}

static void item_69_tunnel_ends_with_its_target_and_the_other_way_round(void **state) {
    uint16_t port;
    px_cleanup_close int l = ports_listen(&port);
    px_cleanup(px_client_closep) struct px_client *c = tunnel(port);
    px_cleanup_close int target = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    char buf[64];
    close(px_take_fd(&target));
    assert_int_equal(px_client_recv_raw(c, px_now_us() + 10 * SECOND, buf, sizeof(buf), NULL),
                     -EPIPE);
    px_cleanup(px_client_closep) struct px_client *d = tunnel(port);
    target = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    close(d->fd);
    d->fd = -1;
    assert_int_equal(read(target, buf, sizeof(buf)), 0);
}

/* The client's echo and its first raw bytes in one segment: the host has a probe out, as the login
 * takes the place of its echo. */
static void item_68_what_follows_the_echo_reaches_the_target(void **state) {
    uint16_t port;
    px_cleanup_close int l = ports_listen(&port);
    const struct px_client_login request = {
        .username = ID, .password = PASSWORD, .tunnel_host = "", .tunnel_port = port};
    px_cleanup(px_client_closep) struct px_client *c = dial();
    c->no_echo = true;
    px_assert_ok(px_client_wait_hash(c, PATIENCE, NULL));
    drain(c, SECOND / 5); /* takes the probe in, unanswered */
    assert_int_equal(c->n_probes, 1);
    px_assert_ok(px_client_send_login(c, &request, NULL));
    px_cleanup_close int target = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    px_assert_ok(px_client_send_raw(c, "\x08\x2a\x00GET / HTTP/1.1\r\n", 19, NULL));
    char buf[64];
    assert_int_equal(recv(target, buf, sizeof(buf), 0), 16);
    assert_memory_equal(buf, "GET / HTTP/1.1\r\n", 16);
}

static void item_70_unreachable_targets_are_named_soon(void **state) {
    uint16_t port;
    close(ports_listen(&port));
    const struct px_client_login l = {
        .username = ID, .password = PASSWORD, .tunnel_host = "localhost", .tunnel_port = port};
    px_cleanup(px_client_closep) struct px_client *c = dial();
    static const char want[] = "Failed to access remote";
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    struct px_error err = {0};
    assert_int_equal(px_client_login(c, &l, 4 * SECOND, &m, &err), -EACCES);
    assert_int_equal(strncmp(err.msg, want, sizeof(want) - 1), 0);
}

static void tunnels_lead_to_this_desktop_only(void **state) {
    const struct px_client_login l = {
        .username = ID, .password = PASSWORD, .tunnel_host = "192.0.2.1", .tunnel_port = 80};
    px_cleanup(px_client_closep) struct px_client *c = dial();
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    struct px_error err = {0};
    assert_int_equal(px_client_login(c, &l, 4 * SECOND, &m, &err), -EACCES);
    assert_string_equal(err.msg, "No permission of IP tunneling");
}

static void a_megabyte_both_ways_through_a_tunnel(void **state) {
    uint16_t port;
    px_cleanup_close int l = ports_listen(&port);
    px_cleanup(px_client_closep) struct px_client *c = tunnel(port);
    px_cleanup_close int target = accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    const size_t size = 1 << 20;
    px_cleanup_free char *data = malloc(size), *got = malloc(size);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 2654435761u >> 9);
    size_t there = 0, back = 0, sent = 0, at = 0;
    const int64_t until = px_now_us() + 20 * SECOND;
    while ((there < size || back < size) && px_now_us() < until) {
        if (sent < size) {
            const size_t n = size - sent < 8192 ? size - sent : 8192;
            px_assert_ok(px_client_send_raw(c, data + sent, n, NULL));
            sent += n;
        }
        const ssize_t n = there < size ? read(target, got + there, size - there) : 0;
        there += n > 0 ? (size_t)n : 0;
        const ssize_t w = at < there ? write(target, got + at, there - at) : 0;
        at += w > 0 ? (size_t)w : 0;
        char buf[65536];
        const int r = px_client_recv_raw(c, px_now_us() + 1000, buf, sizeof(buf), NULL);
        if (r > 0) {
            assert_memory_equal(buf, data + back, (size_t)r);
            back += (size_t)r;
        }
    }
    assert_int_equal(back, size);
}

/* ---- terminal ---- */

static struct px_client *terminal(const char *service, const char *my_id, bool persistent) {
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    o.terminal_persistent = persistent ? PX_OPTION_YES : PX_OPTION_NO;
    const struct px_client_login l = {.username = ID,
                                      .password = PASSWORD,
                                      .terminal_service = service,
                                      .my_id = my_id,
                                      .option = &o};
    return login(&l);
}

static void act(struct px_client *c, Pxs__TerminalAction *a) {
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_TERMINAL_ACTION;
    m.terminal_action = a;
    px_assert_ok(px_client_send(c, &m, NULL));
}

static void open_terminal(struct px_client *c, unsigned rows, unsigned cols, bool resize) {
    Pxs__TerminalOpen o = PXS__TERMINAL_OPEN__INIT;
    Pxs__TerminalAction a = PXS__TERMINAL_ACTION__INIT;
    o.terminal_id = 1;
    o.rows = rows;
    o.cols = cols;
    a.action_case =
        resize ? PXS__TERMINAL_ACTION__ACTION_RESIZE : PXS__TERMINAL_ACTION__ACTION_OPEN;
    a.open = &o;
    act(c, &a);
}

static void type_line(struct px_client *c, const char *line) {
    Pxs__TerminalData d = PXS__TERMINAL_DATA__INIT;
    Pxs__TerminalAction a = PXS__TERMINAL_ACTION__INIT;
    d.terminal_id = 1;
    d.data = bytes(line);
    a.action_case = PXS__TERMINAL_ACTION__ACTION_DATA;
    a.data = &d;
    act(c, &a);
}

static Pxs__Message *terminal_response(struct px_client *c,
                                       Pxs__TerminalResponse__ResponseCase want) {
    for (;;) {
        Pxs__Message *m = await(c, PXS__MESSAGE__ITEM_TERMINAL_RESPONSE, 5 * SECOND);
        assert_non_null(m);
        if (m->terminal_response->response_case == want)
            return m;
        px_message_free(m);
    }
}

/* Reads output until @text is in it. */
static void expect_output(struct px_client *c, const char *text) {
    px_cleanup(px_buf_fini) struct px_buf all = {0};
    while (!strstr(px_buf_str(&all), text)) {
        px_cleanup(px_message_freep) Pxs__Message *m =
            terminal_response(c, PXS__TERMINAL_RESPONSE__RESPONSE_DATA);
        const Pxs__TerminalData *d = m->terminal_response->data;
        if (!d->compressed) {
            px_buf_add(&all, d->data.data, d->data.len);
            continue;
        }
        void *at = px_buf_reserve(&all, 1 << 20);
        const size_t n = ZSTD_decompress(at, 1 << 20, d->data.data, d->data.len);
        assert_false(ZSTD_isError(n));
        all.size += n;
        all.data[all.size] = '\0';
    }
}

static void item_71_terminal_has_the_size_that_was_asked_for(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = terminal("", "term", false);
    open_terminal(c, 24, 80, false);
    px_cleanup(px_message_freep) Pxs__Message *m =
        terminal_response(c, PXS__TERMINAL_RESPONSE__RESPONSE_OPENED);
    assert_true(m->terminal_response->opened->success);
    assert_true(m->terminal_response->opened->pid > 0);
    type_line(c, "stty size\n");
    expect_output(c, "24 80");
    open_terminal(c, 33, 101, true);
    type_line(c, "stty size\n");
    expect_output(c, "33 101");
    type_line(c, "exit 5\n");
    px_cleanup(px_message_freep) Pxs__Message *n =
        terminal_response(c, PXS__TERMINAL_RESPONSE__RESPONSE_CLOSED);
    assert_int_equal(n->terminal_response->closed->exit_code, 5);
}

/* Several tabs on one connection; what one types does not reach the other. */
static void terminals_have_shells_of_their_own(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = terminal("", "tabs", false);
    uint32_t pids[2];
    for (int i = 0; i < 2; i++) {
        Pxs__TerminalOpen o = PXS__TERMINAL_OPEN__INIT;
        Pxs__TerminalAction a = PXS__TERMINAL_ACTION__INIT;
        o.terminal_id = i + 1;
        o.rows = 24;
        o.cols = 80;
        a.action_case = PXS__TERMINAL_ACTION__ACTION_OPEN;
        a.open = &o;
        act(c, &a);
        px_cleanup(px_message_freep) Pxs__Message *m =
            terminal_response(c, PXS__TERMINAL_RESPONSE__RESPONSE_OPENED);
        assert_int_equal(m->terminal_response->opened->terminal_id, i + 1);
        pids[i] = m->terminal_response->opened->pid;
    }
    assert_int_not_equal(pids[0], pids[1]);
    type_line(c, "echo only-$((40+2))\n"); /* in the first */
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m =
            terminal_response(c, PXS__TERMINAL_RESPONSE__RESPONSE_DATA);
        const Pxs__TerminalData *d = m->terminal_response->data;
        if (!memmem(d->data.data, d->data.len, "only-42", 7))
            continue;
        assert_int_equal(d->terminal_id, 1);
        break;
    }
}

static bool is_gone(void *data) {
    return kill(*(pid_t *)data, 0) < 0;
}

static void shells_end_with_their_client_unless_told_to_stay(void **state) {
    struct px_client *c = terminal("", "leaver", false);
    open_terminal(c, 24, 80, false);
    px_cleanup(px_message_freep) Pxs__Message *m =
        terminal_response(c, PXS__TERMINAL_RESPONSE__RESPONSE_OPENED);
    pid_t pid = (pid_t)m->terminal_response->opened->pid;
    type_line(c, "trap '' HUP; echo rea''dy\n"); /* one that does not want to go */
    expect_output(c, "ready");
    px_client_close(c);
    assert_true(wait_for(is_gone, &pid, 20 * SECOND));
}

static void characters_are_not_cut_in_two(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = terminal("", "utf8", false);
    open_terminal(c, 24, 80, false);
    px_message_free(terminal_response(c, PXS__TERMINAL_RESPONSE__RESPONSE_OPENED));
    type_line(c, "stty -echo; printf 'a\\342'; sleep 1; printf '\\202\\254z\\n'\n");
    px_cleanup(px_buf_fini) struct px_buf all = {0};
    while (!strstr(px_buf_str(&all), "a\xe2\x82\xacz")) {
        px_cleanup(px_message_freep) Pxs__Message *m =
            terminal_response(c, PXS__TERMINAL_RESPONSE__RESPONSE_DATA);
        const Pxs__TerminalData *d = m->terminal_response->data;
        assert_false(d->compressed);
        assert_int_not_equal(d->data.data[d->data.len - 1], 0xe2);
        px_buf_add(&all, d->data.data, d->data.len);
    }
}

static void item_72_persistent_shells_are_found_again(void **state) {
    char service[64];
    struct px_client *c = terminal("", "owner", true);
    open_terminal(c, 24, 80, false);
    px_cleanup(px_message_freep) Pxs__Message *m =
        terminal_response(c, PXS__TERMINAL_RESPONSE__RESPONSE_OPENED);
    const uint32_t pid = m->terminal_response->opened->pid;
    snprintf(service, sizeof(service), "%s", m->terminal_response->opened->service_id);
    type_line(c, "X=remembered; echo set-$X\n");
    expect_output(c, "set-remembered");
    px_client_close(c);
    px_sleep_us(SECOND / 5);

    struct px_client *thief = terminal(service, "somebody else", true);
    open_terminal(thief, 24, 80, false);
    px_cleanup(px_message_freep) Pxs__Message *t =
        terminal_response(thief, PXS__TERMINAL_RESPONSE__RESPONSE_OPENED);
    assert_int_not_equal(t->terminal_response->opened->pid, pid);
    px_client_close(thief);

    c = terminal(service, "owner", true);
    open_terminal(c, 24, 80, false);
    px_cleanup(px_message_freep) Pxs__Message *n =
        terminal_response(c, PXS__TERMINAL_RESPONSE__RESPONSE_OPENED);
    assert_int_equal(n->terminal_response->opened->pid, pid);
    assert_true(n->terminal_response->opened->replay_terminal_output);
    expect_output(c, "set-remembered"); /* from the ring */
    type_line(c, "echo again-$X\n");
    expect_output(c, "again-remembered");
    px_client_close(c);
}

/* ---- permissions; the host is started again for these ---- */

static void item_26_permissions_that_are_off_are_told_and_kept(void **state) {
    fixture_stop_host();
    fixture_host("\"permissions\": {\"keyboard\": false, \"file\": false, \"tunnel\": false, "
                 "\"terminal\": false, \"clipboard\": false, \"audio\": false}");
    px_cleanup(px_client_closep) struct px_client *c = dial();
    bool keyboard = false, audio = false;
    const int64_t until = px_now_us() + SECOND / 2;
    for (;;) {
        const uint8_t *body;
        size_t size;
        if (px_client_recv_body(c, until, &body, &size, NULL) <= 0)
            break;
        keyboard |= size == 5 && memcmp(body, "\x9a\x01\x02\x32\x00", 5) == 0;
        audio |= size == 7 && memcmp(body, "\x9a\x01\x04\x32\x02\x08\x03", 7) == 0;
    }
    assert_true(keyboard);
    assert_true(audio);
    const struct {
        struct px_client_login l;
        const char *want;
    } cases[] = {
        {{.username = ID, .password = PASSWORD, .files_dir = "/"},
         "No permission of file transfer"},
        {{.username = ID, .password = PASSWORD, .tunnel_host = "x", .tunnel_port = 1},
         "No permission of IP tunneling"},
        {{.username = ID, .password = PASSWORD, .terminal_service = ""},
         "No permission of terminal"},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        px_cleanup(px_client_closep) struct px_client *d = dial();
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        struct px_error err = {0};
        assert_int_equal(px_client_login(d, &cases[i].l, 5 * SECOND, &m, &err), -EACCES);
        assert_string_equal(err.msg, cases[i].want);
    }
    px_cleanup(px_client_closep) struct px_client *e = desktop(NULL);
    px_assert_ok(px_client_mouse(e, PX_MOUSE_MOVE, 77, 88, NULL));
    drain(e, SECOND / 5);
    xcb_query_pointer_reply_t *p =
        xcb_query_pointer_reply(f.x, xcb_query_pointer(f.x, f.root), NULL);
    assert_false(p->root_x == 77 && p->root_y == 88);
    free(p);
}

static void start_with_second_factor(const char *more) {
    char extra[160];
    px_assert_ok(px_file_write_atomic(AT_FDCWD, in_dir("totp"),
                                      "3132333435363738393031323334353637383930", 40, 0600, NULL));
    snprintf(extra, sizeof(extra), "\"totp_secret_file\": \"%s\"%s", in_dir("totp"), more);
    fixture_stop_host();
    fixture_host(extra);
}

/* Byte for byte, where devices are not trusted. */
static void item_22_second_factor_is_asked_for(void **state) {
    static const char want[] = "\x42\x0e\x0a\x0c"
                               "2FA Required";
    start_with_second_factor(", \"trusted_devices\": false");
    px_cleanup(px_client_closep) struct px_client *c = dial();
    const struct px_client_login l = {.username = ID, .password = PASSWORD};
    const int64_t until = px_now_us() + 10 * SECOND;
    const uint8_t *body;
    size_t size;
    px_assert_ok(px_client_wait_hash(c, PATIENCE, NULL));
    px_assert_ok(px_client_send_login(c, &l, NULL));
    do
        assert_int_equal(px_client_recv_body(c, until, &body, &size, NULL), 1);
    while (body[0] != 0x42);
    assert_int_equal(size, sizeof(want) - 1);
    assert_memory_equal(body, want, size);
}

static void second_factor_opens_when_it_is_right(void **state) {
    char code[7];
    start_with_second_factor("");
    px_cleanup(px_client_closep) struct px_client *d = dial();
    struct px_client_login l = {.username = ID, .password = PASSWORD, .code = "000000"};
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    struct px_error err = {0};
    assert_int_equal(px_client_login(d, &l, PATIENCE, &m, &err), -EACCES);
    assert_string_equal(err.msg, "Wrong 2FA Code");
    px_cleanup(px_client_closep) struct px_client *e = dial();
    px_totp((const uint8_t *)"12345678901234567890", 20, (int64_t)time(NULL), code);
    l.code = code;
    px_assert_ok_err(px_client_login(e, &l, PATIENCE, &m, &err), &err);
}

static void say_code(struct px_client *c, const char *code) {
    Pxs__Auth2FA a = PXS__AUTH2_FA__INIT;
    Pxs__Message m = PXS__MESSAGE__INIT;
    a.code = (char *)code;
    m.item_case = PXS__MESSAGE__ITEM_AUTH_2FA;
    m.auth_2fa = &a;
    px_assert_ok(px_client_send(c, &m, NULL));
}

/* Six digits would not take long otherwise. Twice seven, should a minute begin meanwhile. */
static void codes_are_not_tried_without_end(void **state) {
    start_with_second_factor("");
    const struct px_client_login l = {.username = ID, .password = PASSWORD};
    px_cleanup(px_client_closep) struct px_client *c = dial();
    px_assert_ok(px_client_wait_hash(c, 10 * SECOND, NULL));
    px_assert_ok(px_client_send_login(c, &l, NULL));
    px_message_free(await(c, PXS__MESSAGE__ITEM_LOGIN_RESPONSE, 10 * SECOND));
    for (int i = 0;; i++) {
        say_code(c, "000000");
        px_cleanup(px_message_freep) Pxs__Message *m =
            await(c, PXS__MESSAGE__ITEM_LOGIN_RESPONSE, 10 * SECOND);
        assert_non_null(m);
        if (strcmp(m->login_response->error, "Please try 1 minute later") == 0)
            break;
        assert_string_equal(m->login_response->error, "Wrong 2FA Code");
        assert_true(i < 2 * 7);
    }
}

static void addresses_that_are_not_allowed_are_told_so(void **state) {
    fixture_stop_host();
    fixture_host("\"allow_addresses\": [\"10.99.0.0/16\"]");
    px_cleanup(px_client_closep) struct px_client *c = dial();
    struct px_error err = {0};
    assert_int_equal(px_client_wait_hash(c, PATIENCE, &err), -EACCES);
    assert_string_equal(err.msg, "Your ip is blocked by the peer");
    assert_true(is_closed(c, PATIENCE));
}

static int start(void **state) {
    fixture_x(false);
    fixture_host("");
    setenv("SHELL", "/bin/sh", 1);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_55_text_copied_here_reaches_clients_old_and_new),
        cmocka_unit_test(item_56_a_clients_text_goes_everywhere_but_back),
        cmocka_unit_test(large_clipboards_come_in_pieces),
        cmocka_unit_test(item_61_a_listing_comes_unasked),
        cmocka_unit_test(item_62_download_in_blocks),
        cmocka_unit_test(item_63_download_from_where_it_broke_off),
        cmocka_unit_test(trees_are_downloaded_without_links),
        cmocka_unit_test(a_huge_tree_holds_nothing_up),
        cmocka_unit_test(skipping_the_only_file_says_so),
        cmocka_unit_test(upload_makes_the_file_with_its_time),
        cmocka_unit_test(item_64_upload_over_a_file_asks_and_skip_leaves_it),
        cmocka_unit_test(upload_over_a_file_needs_no_confirmation),
        cmocka_unit_test(upload_that_the_client_gives_up_is_told_back),
        cmocka_unit_test(item_65_names_that_lead_elsewhere_are_refused),
        cmocka_unit_test(item_66_cancel_removes_what_was_begun),
        cmocka_unit_test(broken_uploads_go_on_where_they_were),
        cmocka_unit_test(create_rename_and_remove),
        cmocka_unit_test(item_67_tunnel_carries_raw_bytes),
        cmocka_unit_test(item_69_tunnel_ends_with_its_target_and_the_other_way_round),
        cmocka_unit_test(item_68_what_follows_the_echo_reaches_the_target),
        cmocka_unit_test(item_70_unreachable_targets_are_named_soon),
        cmocka_unit_test(tunnels_lead_to_this_desktop_only),
        cmocka_unit_test(a_megabyte_both_ways_through_a_tunnel),
        cmocka_unit_test(item_71_terminal_has_the_size_that_was_asked_for),
        cmocka_unit_test(terminals_have_shells_of_their_own),
        cmocka_unit_test(shells_end_with_their_client_unless_told_to_stay),
        cmocka_unit_test(characters_are_not_cut_in_two),
        cmocka_unit_test(item_72_persistent_shells_are_found_again),
        cmocka_unit_test(item_26_permissions_that_are_off_are_told_and_kept),
        cmocka_unit_test(item_22_second_factor_is_asked_for),
        cmocka_unit_test(second_factor_opens_when_it_is_right),
        cmocka_unit_test(codes_are_not_tried_without_end),
        cmocka_unit_test(addresses_that_are_not_allowed_are_told_so),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
