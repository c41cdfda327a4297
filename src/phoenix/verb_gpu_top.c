/* src/phoenix/verb_gpu_top.c - `phoenix gpu top` */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "gpu/driver.h"
#include "gpu/host.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/gpu_cli.h"
#include "phoenix/gpu_use.h"
#include <jansson.h>
#include <string.h>

#define CGROUP_MAX_BYTES 65536

/* The desktop whose cgroup @pid is in, the caller's; "" for the host's own. */
static char *desktop_of(const struct px_host_spec *host, pid_t pid) {
    px_cleanup_free char *path = px_asprintf("/proc/%d/cgroup", (int)pid), *text = NULL;
    px_cleanup_free char *prefix = px_asprintf("/phoenix/%s-", host->network.bridge);
    if (px_file_read(AT_FDCWD, path, CGROUP_MAX_BYTES, &text, NULL, NULL) < 0)
        return px_strdup("");
    const char *at = strstr(text, prefix);
    at = at ? at + strlen(prefix) : "";
    return px_strndup(at, strcspn(at, "/\n"));
}

static char *name_of(pid_t pid) {
    px_cleanup_free char *path = px_asprintf("/proc/%d/comm", (int)pid);
    char *text = NULL;
    if (px_file_read(AT_FDCWD, path, 256, &text, NULL, NULL) < 0)
        return px_strdup("?");
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static void percent(struct px_table *t, int value) {
    if (value >= 0)
        px_table_cell(t, PX_PLAIN, "%d%%", value);
    else
        px_table_cell(t, PX_PLAIN, "%s", "");
}

static void add_card(struct px_table *t, size_t i, const struct px_nvml_card *c) {
    char used[PX_SIZE_TEXT_MAX], all[PX_SIZE_TEXT_MAX];
    px_table_cell(t, PX_BOLD, "%zu", i);
    px_table_cell(t, PX_PLAIN, "%s", c->name[0] ? c->name : c->trouble);
    percent(t, c->gpu_percent);
    px_table_cell(t, PX_PLAIN, "%s of %s", px_size_human(c->used_bytes, used),
                  px_size_human(c->memory_bytes, all));
    percent(t, c->encoder == 0 ? -1 : c->encoder_percent);
    percent(t, c->decoder_percent);
    if (c->power_mw >= 0)
        px_table_cell(t, PX_PLAIN, "%lld W", (long long)c->power_mw / 1000);
    else
        px_table_cell(t, PX_PLAIN, "%s", "");
    if (c->temperature_c >= 0)
        px_table_cell(t, PX_PLAIN, "%d C", c->temperature_c);
    else
        px_table_cell(t, PX_PLAIN, "%s", "");
}

/* What is looked at once, for one table or one JSON. */
struct look {
    struct px_nvml nvml;
    struct px_status *list; /* all desktops */
    size_t n;
    char **owners;           /* of each process, card by card: its desktop, "" for the host's own */
    struct px_gpu_use *uses; /* names are lent by the two above */
};

static struct look *look_free(struct look *l) {
    if (!l)
        return NULL;
    px_status_list_free(l->list, l->n);
    for (size_t i = 0; l->owners && l->owners[i]; i++)
        free(l->owners[i]);
    free(l->owners);
    free(l->uses);
    free(l);
    return NULL;
}
PX_DEFINE_CLEANUP(struct look *, look_free)

static void desktop_cell(struct px_table *t, const char *desktop) {
    px_table_cell(t, PX_BOLD, "%s", desktop[0] ? desktop : "(host)");
}

static void print_procs(struct px_cli *cli, const struct look *l) {
    px_cleanup(px_table_freep) struct px_table *t = px_table_new(
        "DESKTOP", "#", "PID>", "GPU>", "MEMORY>", "ENCODER>", "DECODER>", "PROGRAM~", NULL);
    size_t n = 0;
    for (size_t i = 0; i < l->nvml.n_cards; i++)
        for (size_t k = 0; k < l->nvml.cards[i].n_procs; k++, n++) {
            const struct px_nvml_proc *p = &l->nvml.cards[i].procs[k];
            px_cleanup_free char *name = name_of(p->pid);
            char memory[PX_SIZE_TEXT_MAX];
            desktop_cell(t, l->owners[n]);
            px_table_cell(t, PX_PLAIN, "%zu", i);
            px_table_cell(t, PX_PLAIN, "%d", (int)p->pid);
            percent(t, p->gpu_percent);
            px_table_cell(t, PX_PLAIN, "%s", px_size_human(p->memory_bytes, memory));
            percent(t, l->nvml.cards[i].encoder == 0 ? -1 : p->encoder_percent);
            percent(t, p->decoder_percent);
            px_table_cell(t, PX_PLAIN, "%s", name);
        }
    if (n > 0) {
        px_cli_puts(cli, "\n");
        px_table_print(t, &cli->out);
    }
}

static char *card_numbers(uint32_t cards) {
    struct px_buf b = {0};
    for (unsigned i = 0; i < PX_GPU_CARDS_MAX; i++)
        if (cards & UINT32_C(1) << i)
            px_buf_printf(&b, "%s%u", b.size ? "," : "", i);
    return px_buf_take(&b);
}

static void print_uses(struct px_cli *cli, const struct look *l) {
    px_cleanup(px_table_freep) struct px_table *t =
        px_table_new("DESKTOP", "#", "GPU>", "MEMORY>", "ENCODER>", "DECODER>", "PROCESSES>", NULL);
    for (const struct px_gpu_use *u = l->uses; u->desktop; u++) {
        px_cleanup_free char *cards = card_numbers(u->cards);
        char used[PX_SIZE_TEXT_MAX], budget[PX_SIZE_TEXT_MAX];
        desktop_cell(t, u->desktop);
        px_table_cell(t, PX_PLAIN, "%s", cards);
        percent(t, u->gpu_percent);
        px_size_human(u->memory_bytes, used);
        if (u->budget_bytes > 0)
            px_table_cell(t, u->memory_bytes > u->budget_bytes ? PX_BAD : PX_PLAIN, "%s of %s",
                          used, px_size_human(u->budget_bytes, budget));
        else
            px_table_cell(t, PX_PLAIN, "%s", used);
        percent(t, u->encoder_percent);
        percent(t, u->decoder_percent);
        px_table_cell(t, PX_PLAIN, "%zu", u->n_procs);
    }
    if (l->uses->desktop) {
        px_cli_puts(cli, "\n");
        px_table_print(t, &cli->out);
    }
}

static void print_tables(struct px_cli *cli, const struct look *l) {
    px_cleanup(px_table_freep) struct px_table *t = px_table_new(
        "#", "NAME~", "GPU>", "MEMORY>", "ENCODER>", "DECODER>", "POWER>", "TEMP>", NULL);
    for (size_t i = 0; i < l->nvml.n_cards; i++)
        add_card(t, i, &l->nvml.cards[i]);
    px_table_print(t, &cli->out);
    print_uses(cli, l);
    print_procs(cli, l);
}

static void set_if(json_t *o, const char *key, int64_t value) {
    if (value >= 0)
        json_object_set_new(o, key, json_integer(value));
}

static json_t *card_json(const struct px_nvml_card *c, char *const *owners) {
    json_t *procs = json_array();
    for (size_t k = 0; k < c->n_procs; k++) {
        px_cleanup_free char *name = name_of(c->procs[k].pid);
        json_t *p = json_pack("{sI ss sI}", "pid", (json_int_t)c->procs[k].pid, "program", name,
                              "memory_bytes", (json_int_t)c->procs[k].memory_bytes);
        if (owners[k][0])
            json_object_set_new(p, "desktop", json_string(owners[k]));
        set_if(p, "gpu_percent", c->procs[k].gpu_percent);
        set_if(p, "encoder_percent", c->encoder == 0 ? -1 : c->procs[k].encoder_percent);
        set_if(p, "decoder_percent", c->procs[k].decoder_percent);
        json_array_append_new(procs, p);
    }
    json_t *o = json_pack("{ss ss ss sI sI so}", "uuid", c->uuid, "address", c->address, "name",
                          c->name, "memory_bytes", (json_int_t)c->memory_bytes, "used_bytes",
                          (json_int_t)c->used_bytes, "processes", procs);
    set_if(o, "gpu_percent", c->gpu_percent);
    set_if(o, "memory_percent", c->memory_percent);
    set_if(o, "encoder_percent", c->encoder == 0 ? -1 : c->encoder_percent);
    set_if(o, "encoder_sessions", c->encoder == 0 ? -1 : c->encoder_sessions);
    set_if(o, "decoder_percent", c->decoder_percent);
    set_if(o, "power_mw", c->power_mw);
    set_if(o, "temperature_c", c->temperature_c);
    return o;
}

static json_t *use_json(const struct px_gpu_use *u) {
    json_t *cards = json_array();
    for (unsigned i = 0; i < PX_GPU_CARDS_MAX; i++)
        if (u->cards & UINT32_C(1) << i)
            json_array_append_new(cards, json_integer(i));
    json_t *o = json_pack("{ss so sI sI}", "desktop", u->desktop, "cards", cards, "processes",
                          (json_int_t)u->n_procs, "memory_bytes", (json_int_t)u->memory_bytes);
    if (u->budget_bytes > 0)
        json_object_set_new(o, "budget_bytes", json_integer((json_int_t)u->budget_bytes));
    set_if(o, "gpu_percent", u->gpu_percent);
    set_if(o, "encoder_percent", u->encoder_percent);
    set_if(o, "decoder_percent", u->decoder_percent);
    return o;
}

static void print_json(struct px_cli *cli, const struct look *l) {
    json_t *cards = json_array(), *desktops = json_array();
    char *const *owners = l->owners;
    for (size_t i = 0; i < l->nvml.n_cards; i++) {
        json_array_append_new(cards, card_json(&l->nvml.cards[i], owners));
        owners += l->nvml.cards[i].n_procs;
    }
    for (const struct px_gpu_use *u = l->uses; u->desktop; u++)
        if (u->desktop[0])
            json_array_append_new(desktops, use_json(u));
    px_cli_json(cli, json_pack("{so so}", "cards", cards, "desktops", desktops));
}

static int look_now(const struct px_fleet *fleet, const struct px_host_spec *host,
                    const char *library, struct look **ret, struct px_error *err) {
    px_cleanup(look_freep) struct look *l = px_new0(struct look, 1);
    px_nvml_read(library, &l->nvml);
    if (l->nvml.code != 0) {
        px_fail(err, l->nvml.code, "NVIDIA's management library does not answer: %s", l->nvml.why);
        return px_hint(err, l->nvml.code, "phoenix gpu check");
    }
    int r = px_status_list(fleet, NULL, 0, &(struct px_status_opts){0}, &l->list, &l->n, err);
    if (r < 0)
        return r;
    size_t n = 0;
    for (size_t i = 0; i < l->nvml.n_cards; i++)
        n += l->nvml.cards[i].n_procs;
    l->owners = px_new0(char *, n + 1);
    n = 0;
    for (size_t i = 0; i < l->nvml.n_cards; i++)
        for (size_t k = 0; k < l->nvml.cards[i].n_procs; k++)
            l->owners[n++] = desktop_of(host, l->nvml.cards[i].procs[k].pid);
    l->uses = px_gpu_use_sum(&l->nvml, l->owners, l->list, l->n);
    *ret = px_take_ptr(l);
    return 0;
}

static int run(struct px_cli *cli, struct px_error *err) {
    const struct px_host_spec *host = NULL;
    px_cleanup_free struct px_gpu_host *gpus = px_new0(struct px_gpu_host, 1);
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    long seconds = 0;
    int r = px_cli_host(cli, &host, err);
    if (r < 0 || (r = px_cli_fleet(cli, &fleet, err)) < 0 ||
        (r = px_cli_number(cli, "watch", 1, 3600, 0, &seconds, err)) < 0)
        return r;
    px_gpu_look("/", NULL, gpus);
    if (gpus->state != PX_GPU_READY) {
        px_fail(err, -ENODEV, "%s", gpus->why);
        return px_hint(err, -ENODEV, "%s", gpus->fix);
    }
    px_cleanup_free char *library = px_driver_library("/", gpus->libraries, "libnvidia-ml.so.1");
    if (seconds > 0)
        px_interrupt_catch();
    for (;;) {
        px_cleanup(look_freep) struct look *l = NULL;
        if ((r = look_now(fleet, host, library, &l, err)) < 0)
            return r;
        if (seconds > 0 && isatty(STDOUT_FILENO) && !cli->json)
            px_cli_puts(cli, "\033[H\033[J");
        if (cli->json)
            print_json(cli, l);
        else
            print_tables(cli, l);
        for (long i = 0; i < seconds * 10 && !px_interrupted(); i++)
            px_sleep_us(PX_US_PER_S / 10);
        if (seconds == 0 || px_interrupted())
            return 0;
    }
}

const struct px_verb px_verb_gpu_top = {
    .name = "top",
    .summary = "what each card does now, and for which desktop",
    .description =
        "Load, memory, encoder, power and temperature of each card; what each desktop took of its "
        "cards in the last second (100 % is one card) and of its memory budget where it shares "
        "them; and the processes with the desktop each belongs to. Once; with --watch again and "
        "again until Ctrl-C.",
    .options = {{.name = "watch", .arg = "SECONDS", .doc = "again every so many seconds"}},
    .examples = {{"phoenix gpu top", "As it is now."},
                 {"phoenix gpu top --watch 2", "Live."},
                 {"phoenix gpu top --json", "For programs."}},
    .needs_root = true,
    .run = run,
};
