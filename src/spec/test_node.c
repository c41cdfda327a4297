/* src/spec/test_node.c */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/test.h"
#include "spec/node.h"

static void a_tree_knows_lines_and_quotes(void **state) {
    static const char text[] = "a: 1\r\nb:\r\n  - x: 'two'\r\n  - |\r\n    three\r\nc:\r\n";
    px_cleanup(px_node_freep) struct px_node *root = NULL;
    struct px_error err = {0};
    px_assert_ok_err(px_yaml_parse("f", text, sizeof(text) - 1, false, &root, &err), &err);
    assert_int_equal(root->kind, PX_NODE_MAP);
    assert_int_equal(root->n_children, 3);
    const struct px_node *a = px_node_get(root, "a"), *b = px_node_get(root, "b");
    assert_string_equal(a->text, "1");
    assert_false(a->quoted);
    assert_int_equal(b->kind, PX_NODE_LIST);
    assert_int_equal(b->n_children, 2);
    const struct px_node *x = px_node_get(b->child, "x");
    assert_string_equal(x->text, "two");
    assert_true(x->quoted);
    assert_int_equal(x->line, 3);
    assert_string_equal(b->child->next->text, "three\n");
    const struct px_node *c = px_node_get(root, "c");
    assert_true(px_node_is_null(c));
    assert_int_equal(px_node_line(c), 6);
    assert_null(px_node_get(root, "d"));
}

static void a_byte_order_mark_is_fine(void **state) {
    static const char text[] = "\xef\xbb\xbf"
                               "a: b\n";
    px_cleanup(px_node_freep) struct px_node *root = NULL;
    px_assert_ok(px_yaml_parse("f", text, sizeof(text) - 1, false, &root, NULL));
    assert_string_equal(root->child->key, "a");
}

static void comments_alone_are_an_empty_mapping_only_where_asked(void **state) {
    static const char text[] = "# nothing\n\n";
    px_cleanup(px_node_freep) struct px_node *root = NULL;
    struct px_error err = {0};
    assert_int_equal(px_yaml_parse("f", text, sizeof(text) - 1, false, &root, &err), -EINVAL);
    assert_string_equal(err.msg, "f: nothing in it but comments");
    px_assert_ok(px_yaml_parse("f", text, sizeof(text) - 1, true, &root, NULL));
    assert_int_equal(root->kind, PX_NODE_MAP);
    assert_int_equal(root->n_children, 0);
}

#define TEXT(s) s, sizeof(s) - 1

static void what_is_no_plain_yaml_says_why(void **state) {
    static const struct {
        const char *text;
        size_t size;
        const char *msg;
    } cases[] = {
        {TEXT(""), "f: the file is empty"},
        {TEXT(" \n\t\r\n"), "f: the file is empty"},
        {TEXT("\xef\xbb\xbf\n"), "f: the file is empty"},
        {TEXT("---\n"), "f: nothing in it but comments"},
        {TEXT("a: b\nc: \0\n"), "f:2: byte 0x00: this is no text file"},
        {TEXT("\x7f"
              "ELF\x02\x01"),
         "f:1: byte 0x7f: this is no text file"},
        {TEXT("\xff\xfe"
              "a\0"),
         "f: the text is UTF-16: save it as UTF-8"},
        {TEXT("a: b\nc: \xe9t\xe9\n"), "f:2: byte 0xe9 is not UTF-8 text"},
        {TEXT("a: \xc0\x80\n"), "f:1: byte 0xc0 is not UTF-8 text"},
        {TEXT("a: \xed\xa0\x80\n"), "f:1: byte 0xed is not UTF-8 text"},
        {TEXT("a: \xf4\x90\x80\x80\n"), "f:1: byte 0xf4 is not UTF-8 text"},
        {TEXT("a: \"x\\0y\"\n"), "f:1: a NUL character in a value"},
        {TEXT("\"x\\0y\": a\n"), "f:1: a NUL character in a key"},
        {TEXT("a:\n\tb: c\n"), "f:2: tabs cannot indent YAML: use spaces"},
        {TEXT("a:\n  - b: c\n\td: e\n"), "f:3: tabs cannot indent YAML: use spaces"},
        {TEXT("a: b\na: c\n"), "f:2: key 'a' is given twice, first in line 1"},
        {TEXT("a: b\n---\na: c\n"),
         "f:2: a second document ('---') begins here: one file holds one"},
        {TEXT("a: &x 1\nb: *x\n"), "f:1: anchors and aliases ('&x', '*x') are not taken here"},
        {TEXT("a: *x\n"), "f:1: anchors and aliases ('&x', '*x') are not taken here"},
        {TEXT("a: !!str 1\n"),
         "f:1: tags ('tag:yaml.org,2002:str') are not taken here; text that begins with '!' needs "
         "quotes"},
        {TEXT("? [a, b]\n: c\n"), "f:1: a key must be a plain word, found a list"},
        {TEXT("{a: 1}: c\n"), "f:1: a key must be a plain word, found a mapping"},
        {TEXT("a: [1, 2\nb: 3\n"),
         "f:2: expected ',' or ']': a '[' is still open (it began in line 1)"},
        {TEXT("a: {b: 1\n"), "f:2: expected ',' or '}': a '{' is still open (it began in line 1)"},
        {TEXT("a: 'b\n\n"), "f:3: the file ends inside quotes (it began in line 1)"},
        {TEXT("a: b: c\n"), "f:1: a ':' where no key can stand: check the indentation, or put "
                            "quotes round text holding ': '"},
        {TEXT("a: @b\n"), "f:1: text cannot begin with this character ('@', '`' or '%'): put "
                          "quotes round it"},
        {TEXT("a: 1\nb\nc: 2\n"), "f:3: expected 'key: value', found no ':' (it began in line 2)"},
        {TEXT("a:\n  - 1\n  b: 2\n"),
         "f:3: expected '- ' as in the entries above: check the indentation (it began in line 2)"},
        {TEXT("a: \"\\q\"\n"), "f:1: an unknown escape: inside \"...\" a backslash is special, "
                               "inside '...' it is not"},
        {TEXT("a: - b\n"), "f:1: a list's '- ' cannot begin here: put it on a line of its own"},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        px_cleanup(px_node_freep) struct px_node *root = NULL;
        struct px_error err = {0};
        assert_int_equal(px_yaml_parse("f", cases[i].text, cases[i].size, false, &root, &err),
                         -EINVAL);
        assert_string_equal(err.msg, cases[i].msg);
        assert_null(root);
    }
}

static int parse_buf(const struct px_buf *b, struct px_error *err) {
    px_cleanup(px_node_freep) struct px_node *root = NULL;
    return px_yaml_parse("f", b->data, b->size, false, &root, err);
}

static void depth_nodes_and_keys_are_bounded(void **state) {
    struct px_error err = {0};
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    for (int i = 0; i < PX_YAML_DEPTH_MAX; i++)
        px_buf_putc(&b, '[');
    for (int i = 0; i < PX_YAML_DEPTH_MAX; i++)
        px_buf_putc(&b, ']');
    px_assert_ok(parse_buf(&b, NULL));
    px_buf_reset(&b);
    for (int i = 0; i < 100000; i++)
        px_buf_putc(&b, '[');
    assert_int_equal(parse_buf(&b, &err), -EINVAL);
    assert_string_equal(err.msg, "f:1: nested more than 32 deep");
    px_buf_reset(&b);
    for (int i = 0; i < PX_YAML_NODES_MAX; i++)
        px_buf_puts(&b, "- a\n");
    assert_int_equal(parse_buf(&b, &err), -EINVAL);
    assert_string_equal(err.msg, "f:100000: more than 100000 values in one file");
    px_buf_reset(&b);
    for (int i = 0; i <= PX_YAML_KEYS_MAX; i++)
        px_buf_printf(&b, "k%d: a\n", i);
    assert_int_equal(parse_buf(&b, &err), -EINVAL);
    assert_string_equal(err.msg, "f:257: more than 256 keys in one mapping");
}

/* Nine levels of ten references each would be 10^9 values. */
static void a_bomb_of_aliases_costs_nothing(void **state) {
    struct px_error err = {0};
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    px_buf_puts(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 10; i++) {
        px_buf_printf(&b, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            px_buf_printf(&b, "%s*a%d", j ? ", " : "", i - 1);
        px_buf_puts(&b, "]\n");
    }
    assert_int_equal(parse_buf(&b, &err), -EINVAL);
    px_assert_contains(err.msg, "f:1: anchors and aliases");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_knows_lines_and_quotes),
        cmocka_unit_test(a_byte_order_mark_is_fine),
        cmocka_unit_test(comments_alone_are_an_empty_mapping_only_where_asked),
        cmocka_unit_test(what_is_no_plain_yaml_says_why),
        cmocka_unit_test(depth_nodes_and_keys_are_bounded),
        cmocka_unit_test(a_bomb_of_aliases_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
