/* src/gpu/probe/main.c - phoenix-gpu-probe [--json] [--rates] [UUID...] */
#include "base/text.h"
#include "gpu/probe/probe.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = {
    [PROBE_OK] = "ok", [PROBE_FAIL] = "fail", [PROBE_SKIP] = "skip"};

static struct check *add(struct probe *p, enum verdict verdict, const char *name) {
    struct check *c = &p->checks[p->n_checks < PROBE_CHECKS_MAX - 1 ? p->n_checks++ : p->n_checks];
    *c = (struct check){.verdict = verdict};
    snprintf(c->name, sizeof(c->name), "%s", name);
    return c;
}

void probe_note(struct probe *p, enum verdict verdict, const char *name, const char *fmt, ...) {
    struct check *c = add(p, verdict, name);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->text, sizeof(c->text), fmt, ap);
    va_end(ap);
}

void probe_measured(struct probe *p, const char *name, double value, const char *unit,
                    const char *fmt, ...) {
    struct check *c = add(p, PROBE_OK, name);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->text, sizeof(c->text), fmt, ap);
    va_end(ap);
    c->value = value;
    c->unit = unit;
}

bool probe_cuda(struct probe *p, int r, const char *name, const char *what) {
    if (r == CU_OK)
        return true;
    probe_note(p, PROBE_FAIL, name, "%s: %s", what, cuda_why(&p->cu, r));
    return false;
}

static void run(struct probe *p, bool rates) {
    const char *why = NULL;
    if (!rates) {
        probe_nodes(p);
        probe_versions(p);
    }
    if (cuda_open(&p->cu, &why) < 0) {
        probe_note(p, PROBE_FAIL, "cuda", "%s", why);
        return;
    }
    probe_cards(p);
    for (int i = 0; i < p->n_cards; i++) {
        if (!probe_cuda(p, p->cu.retain(&p->cards[i].context, p->cards[i].device), "context",
                        p->cards[i].uuid))
            return;
        p->cu.set_current(p->cards[i].context);
        probe_bandwidth(p, i);
        if (!rates) {
            probe_kernel(p, i);
            probe_codec(p, i);
        }
    }
    if (p->n_cards > 1)
        probe_pair(p);
    if (!rates)
        probe_egl(p);
}

/* By hand: images need not have a JSON library. */
static void print_string(const char *key, const char *text) {
    printf("\"%s\": \"", key);
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            putchar('\\');
        putchar(*c);
    }
    putchar('"');
}

static void print_json(struct probe *p) {
    printf("{\"findings\": [");
    for (size_t i = 0; i < p->n_checks; i++) {
        struct check *c = &p->checks[i];
        px_text_clean(c->text); /* no control characters, valid UTF-8 */
        printf("%s\n  {", i ? "," : "");
        print_string("verdict", words[c->verdict]);
        printf(", ");
        print_string("subject", c->name);
        printf(", ");
        print_string("text", c->text);
        if (c->unit) {
            printf(", \"value\": %.6g, ", c->value);
            print_string("unit", c->unit);
        }
        putchar('}');
    }
    puts("\n]}");
}

int main(int argc, char **argv) {
    static struct probe p;
    bool json = false, rates = false, failed = false;
    int first = 1;
    for (; first < argc && argv[first][0] == '-'; first++)
        if (strcmp(argv[first], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[first], "--rates") == 0) {
            rates = true;
        } else {
            fprintf(stderr, "phoenix-gpu-probe: unknown option '%s'\n", argv[first]);
            return 2;
        }
    setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID", 1); /* card 0 is the same at every run */
    p.expected = (const char *const *)argv + first;
    p.n_expected = (size_t)(argc - first);
    run(&p, rates);
    for (size_t i = 0; i < p.n_checks; i++) {
        failed |= p.checks[i].verdict == PROBE_FAIL;
        if (!json)
            printf("%-5s %-12s %s\n", words[p.checks[i].verdict], p.checks[i].name,
                   p.checks[i].text);
    }
    if (json)
        print_json(&p);
    return failed;
}
