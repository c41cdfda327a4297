/* src/session/probe_main.c - the probe as a program of its own: options and wiring */
#include "base/clock.h"
#include "base/file.h"
#include "proto/secure.h"
#include "session/probe.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static void usage(FILE *to) {
    fputs(
        "usage: phoenix-probe (--address ADDR:PORT | --server HOST --key KEY) --id ID\n"
        "                     --password-file FILE [--relay] [--codec NAME] [--444] [--type TEXT]\n"
        "                     [--click X,Y] [--latency N] [--seconds N] [--png FILE]\n"
        "Looks into a desktop as a user would, prints what it found as JSON.\n",
        to);
}

static int parse(int argc, char **argv, struct px_probe_opts *o, char **password,
                 struct px_error *err) {
    static const struct option options[] = {
        {"address", 1, NULL, 'a'},       {"server", 1, NULL, 's'},
        {"key", 1, NULL, 'k'},           {"id", 1, NULL, 'i'},
        {"password-file", 1, NULL, 'p'}, {"relay", 0, NULL, 'r'},
        {"codec", 1, NULL, 'c'},         {"444", 0, NULL, '4'},
        {"type", 1, NULL, 't'},          {"click", 1, NULL, 'x'},
        {"latency", 1, NULL, 'l'},       {"seconds", 1, NULL, 'd'},
        {"png", 1, NULL, 'o'},           {"code", 1, NULL, '2'},
        {"help", 0, NULL, 'h'},          {0}};
    double seconds = 0;
    int c, r = 0;
    while (r >= 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (c) {
        case 'a':
            r = px_addr_parse(optarg, 21118, &o->address, err);
            break;
        case 'p':
            r = px_file_read(AT_FDCWD, optarg, 4096, password, NULL, err);
            if (r >= 0)
                (*password)[strcspn(*password, "\r\n")] = '\0';
            break;
        case 'x':
            r = sscanf(optarg, "%d,%d", &o->click_x, &o->click_y) == 2
                    ? 0
                    : px_fail(err, -EINVAL, "'%s' is not X,Y", optarg);
            break;
        case 'l':
            r = sscanf(optarg, "%u", &o->n_latency) == 1 ? 0 : px_fail(err, -EINVAL, "a number");
            break;
        case 'd':
            r = sscanf(optarg, "%lf", &seconds) == 1 ? 0 : px_fail(err, -EINVAL, "a number");
            break;
        case 's':
            o->server = optarg;
            break;
        case 'k':
            o->server_key = optarg;
            break;
        case 'i':
            o->id = optarg;
            break;
        case 'r':
            o->force_relay = true;
            break;
        case 'c':
            o->codec = optarg;
            break;
        case '4':
            o->i444 = true;
            break;
        case 't':
            o->type = optarg;
            break;
        case 'o':
            o->png = optarg;
            break;
        case '2':
            o->code = optarg;
            break;
        default:
            usage(c == 'h' ? stdout : stderr);
            exit(c == 'h' ? 0 : 2);
        }
    }
    o->duration_us = (int64_t)(seconds * PX_US_PER_S);
    return r;
}

int main(int argc, char **argv) {
    struct px_probe_opts o = {.click_x = -1, .click_y = -1, .timeout_us = 18 * PX_US_PER_S};
    struct px_probe_result result;
    struct px_error err = {0};
    px_cleanup_free char *password = NULL;
    int r = px_secure_init(&err);
    if (r >= 0)
        r = parse(argc, argv, &o, &password, &err);
    if (r >= 0 && ((!o.server && !o.address.port) || !o.id || !password)) {
        usage(stderr);
        return 2;
    }
    o.password = password;
    if (r >= 0)
        r = px_probe_run(&o, &result, &err);
    if (r < 0) {
        fprintf(stderr, "phoenix-probe: %s%s%s%s\n", err.msg, *err.hint ? " (hint: " : "", err.hint,
                *err.hint ? ")" : "");
        return 1;
    }
    json_t *json = px_probe_json(&result);
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(json);
    return 0;
}
