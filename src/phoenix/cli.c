/* src/phoenix/cli.c - one run of the program */
#include "phoenix/cli.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "phoenix/help.h"
#include <assert.h>
#include <ctype.h>
#include <jansson.h>
#include <string.h>

static bool in_table(const struct px_cli *cli, const char *name) {
    const struct px_verb *verb = cli->args.verb;
    for (size_t i = 0; i < px_verb_n_options(verb); i++)
        if (strcmp(verb->options[i].name, name) == 0)
            return true;
    return false;
}

bool px_cli_flag(const struct px_cli *cli, const char *name) {
    assert(in_table(cli, name));
    return px_args_count(&cli->args, name) > 0;
}

const char *px_cli_value(const struct px_cli *cli, const char *name) {
    assert(in_table(cli, name));
    return px_args_value(&cli->args, name);
}

int px_cli_bad_input(struct px_cli *cli, int r) {
    cli->bad_input = true;
    return r;
}

int px_cli_host(struct px_cli *cli, const struct px_host_spec **ret, struct px_error *err) {
    if (!cli->host) {
        const char *path = px_args_value(&cli->args, "host-file");
        if (!path && getenv("PHOENIX_HOST_FILE") && getenv("PHOENIX_HOST_FILE")[0])
            path = getenv("PHOENIX_HOST_FILE");
        int r = px_host_load(path, &cli->host, err);
        if (r < 0)
            return px_cli_bad_input(cli, r);
    }
    *ret = cli->host;
    return 0;
}

int px_cli_number(struct px_cli *cli, const char *name, long min, long max, long fallback,
                  long *ret, struct px_error *err) {
    const char *text = px_cli_value(cli, name);
    if (!text) {
        *ret = fallback;
        return 0;
    }
    char *end = NULL;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || n < min || n > max)
        return px_cli_bad_input(cli, px_fail(err, -EINVAL,
                                             "--%s: expected a number from %ld to %ld, found '%s'",
                                             name, min, max, text));
    *ret = n;
    return 0;
}

void px_cli_puts(const struct px_cli *cli, const char *text) {
    px_term_write(&cli->out, text, strlen(text));
}

void px_cli_printf(const struct px_cli *cli, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    px_cleanup_free char *text = px_vasprintf(fmt, ap);
    va_end(ap);
    px_cli_puts(cli, text);
}

void px_cli_json(const struct px_cli *cli, struct json_t *json) {
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY);
    assert(text);
    px_cli_printf(cli, "%s\n", text);
    free(text);
    json_decref(json);
}

void px_cli_fact(const struct px_cli *cli, const char *key, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    px_cleanup_free char *text = px_vasprintf(fmt, ap);
    va_end(ap);
    px_cleanup(px_buf_fini) struct px_buf line = {0};
    px_buf_printf(&line, "%s%-11s%s ", px_colour_on(PX_BOLD, cli->out.colour), key,
                  px_colour_off(PX_BOLD, cli->out.colour));
    px_text_add(&line, text, 0);
    px_buf_putc(&line, '\n');
    px_cli_puts(cli, px_buf_str(&line));
}

void px_cli_note(const struct px_cli *cli, const char *fmt, ...) {
    if (cli->quiet)
        return;
    va_list ap;
    va_start(ap, fmt);
    px_cleanup_free char *text = px_vasprintf(fmt, ap);
    va_end(ap);
    px_cleanup_free char *line = px_asprintf("%s\n", text);
    px_fd_write_all(cli->err.fd, line, strlen(line));
}

int px_cli_confirm(struct px_cli *cli, struct px_error *err, const char *fmt, ...) {
    if (cli->yes)
        return 0;
    va_list ap;
    va_start(ap, fmt);
    px_cleanup_free char *question = px_vasprintf(fmt, ap);
    va_end(ap);
    if (!isatty(STDIN_FILENO) || !cli->err.tty) {
        px_fail(err, -EINVAL, "nobody is there to answer: %s", question);
        return px_cli_bad_input(cli, px_hint(err, -EINVAL, "say --yes"));
    }
    px_cleanup_free char *line = px_asprintf("%s [y/N] ", question);
    px_fd_write_all(cli->err.fd, line, strlen(line));
    char answer[16] = "";
    ssize_t n = read(STDIN_FILENO, answer, sizeof(answer) - 1);
    if (n <= 0 || px_interrupted())
        px_fd_write_all(cli->err.fd, "\n", 1);
    if (n > 0 && (answer[0] == 'y' || answer[0] == 'Y'))
        return 0;
    return px_fail(err, -ECANCELED, "nothing was changed");
}

void px_cli_print_error(const struct px_term *term, const struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf line = {0};
    px_buf_printf(&line, "%sphoenix: ", px_colour_on(PX_BAD, term->colour));
    px_text_add(&line, err->msg, 0);
    px_buf_puts(&line, px_colour_off(PX_BAD, term->colour));
    if (err->hint[0]) {
        px_buf_puts(&line, " (hint: ");
        px_text_add(&line, err->hint, 0);
        px_buf_putc(&line, ')');
    }
    px_buf_putc(&line, '\n');
    px_fd_write_all(term->fd, line.data, line.size);
}

/* What px_cli_print_error() says, for a program: {"error": {"message", "hint", "exit_code"}}. */
static void print_json_error(const struct px_cli *cli, const struct px_error *err, int exit_code) {
    px_cleanup(px_buf_fini) struct px_buf message = {0}, hint = {0};
    px_text_add(&message, err->msg, 0);
    px_text_add(&hint, err->hint, 0);
    json_t *o =
        json_pack("{s{ss si}}", "error", "message", px_buf_str(&message), "exit_code", exit_code);
    if (hint.size > 0)
        json_object_set_new(json_object_get(o, "error"), "hint", json_string(px_buf_str(&hint)));
    char *text = json_dumps(o, JSON_COMPACT);
    assert(text);
    px_cleanup_free char *line = px_asprintf("%s\n", text);
    px_fd_write_all(cli->err.fd, line, strlen(line));
    free(text);
    json_decref(o);
}

static int exit_code_of(const struct px_cli *cli, int r) {
    if (r >= 0)
        return r;
    if (r == -EINTR && px_interrupted())
        return 128 + px_interrupt_signal();
    return cli->bad_input ? PX_EXIT_USAGE : PX_EXIT_FAILED;
}

static void look_around(struct px_cli *cli) {
    const struct px_args *a = &cli->args;
    const char *when = px_args_value(a, "color");
    cli->out = px_term_of(STDOUT_FILENO, when);
    cli->out.error = &cli->out_error;
    cli->err = px_term_of(STDERR_FILENO, when);
    cli->json = px_args_count(a, "json") > 0;
    cli->quiet = px_args_count(a, "quiet") > 0;
    cli->yes = px_args_count(a, "yes") > 0;
    const unsigned verbose = px_args_count(a, "verbose");
    px_log_set_level(verbose > 1    ? PX_LOG_DEBUG
                     : verbose == 1 ? PX_LOG_INFO
                     : cli->quiet   ? PX_LOG_ERROR
                                    : PX_LOG_WARNING);
}

static int run_verb(const struct px_verb *program, struct px_cli *cli, struct px_error *err) {
    const struct px_verb *verb = cli->args.verb;
    if (cli->args.version) {
        px_cli_puts(cli, "phoenix " PX_VERSION "\n");
        return 0;
    }
    if (cli->args.help) {
        px_help_print(program, verb, &cli->out);
        return 0;
    }
    if (verb->needs_root && geteuid() != 0) {
        px_cleanup_free char *path = px_verb_path(program, verb);
        px_fail(err, -EPERM, "'%s' needs root", path);
        return px_hint(err, -EPERM, "sudo %s ...", path);
    }
    return verb->run(cli, err);
}

int px_cli_main(const struct px_verb *program, int argc, char *const *argv) {
    struct px_cli cli = {0};
    struct px_error err = {0};
    int r = px_args_parse(program, argc, argv, &cli.args, &err);
    look_around(&cli);
    if (argc < 2) { /* a newcomer: show the way around */
        px_help_print(program, program, &cli.err);
        px_args_fini(&cli.args);
        return PX_EXIT_USAGE;
    }
    if (r < 0) {
        cli.bad_input = true;
        for (int i = 1; i < argc; i++) /* which the parser may not have come to */
            cli.json = cli.json || strcmp(argv[i], "--json") == 0;
    } else
        r = run_verb(program, &cli, &err);
    if (r >= 0 && cli.out_error < 0) /* what was asked for did not come out */
        r = px_fail_sys(&err, cli.out_error, "cannot write the output");
    const int code = exit_code_of(&cli, r);
    if (r < 0 && cli.json)
        print_json_error(&cli, &err, code);
    else if (r < 0)
        px_cli_print_error(&cli.err, &err);
    px_host_free(cli.host);
    px_args_fini(&cli.args);
    return code;
}
