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

static void print_procs(struct px_cli *cli, const struct px_host_spec *host,
                        const struct px_nvml *nvml) {
    px_cleanup(px_table_freep) struct px_table *t = px_table_new(
        "DESKTOP", "#", "PID>", "GPU>", "MEMORY>", "ENCODER>", "DECODER>", "PROGRAM~", NULL);
    size_t n = 0;
    for (size_t i = 0; i < nvml->n_cards; i++)
        for (size_t k = 0; k < nvml->cards[i].n_procs; k++, n++) {
            const struct px_nvml_proc *p = &nvml->cards[i].procs[k];
            px_cleanup_free char *desktop = desktop_of(host, p->pid), *name = name_of(p->pid);
            char memory[PX_SIZE_TEXT_MAX];
            px_table_cell(t, PX_BOLD, "%s", desktop[0] ? desktop : "(host)");
            px_table_cell(t, PX_PLAIN, "%zu", i);
            px_table_cell(t, PX_PLAIN, "%d", (int)p->pid);
            percent(t, p->gpu_percent);
            px_table_cell(t, PX_PLAIN, "%s", px_size_human(p->memory_bytes, memory));
            percent(t, nvml->cards[i].encoder == 0 ? -1 : p->encoder_percent);
            percent(t, p->decoder_percent);
            px_table_cell(t, PX_PLAIN, "%s", name);
        }
    if (n > 0) {
        px_cli_puts(cli, "\n");
        px_table_print(t, &cli->out);
    }
}

static void print_tables(struct px_cli *cli, const struct px_host_spec *host,
                         const struct px_nvml *nvml) {
    px_cleanup(px_table_freep) struct px_table *t = px_table_new(
        "#", "NAME~", "GPU>", "MEMORY>", "ENCODER>", "DECODER>", "POWER>", "TEMP>", NULL);
    for (size_t i = 0; i < nvml->n_cards; i++)
        add_card(t, i, &nvml->cards[i]);
    px_table_print(t, &cli->out);
    print_procs(cli, host, nvml);
}

static void set_if(json_t *o, const char *key, int64_t value) {
    if (value >= 0)
        json_object_set_new(o, key, json_integer(value));
}

static json_t *card_json(const struct px_host_spec *host, const struct px_nvml_card *c) {
    json_t *procs = json_array();
    for (size_t k = 0; k < c->n_procs; k++) {
        px_cleanup_free char *desktop = desktop_of(host, c->procs[k].pid);
        px_cleanup_free char *name = name_of(c->procs[k].pid);
        json_t *p = json_pack("{sI ss sI}", "pid", (json_int_t)c->procs[k].pid, "program", name,
                              "memory_bytes", (json_int_t)c->procs[k].memory_bytes);
        if (desktop[0])
            json_object_set_new(p, "desktop", json_string(desktop));
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

static void print_json(struct px_cli *cli, const struct px_host_spec *host,
                       const struct px_nvml *nvml) {
    json_t *cards = json_array();
    for (size_t i = 0; i < nvml->n_cards; i++)
        json_array_append_new(cards, card_json(host, &nvml->cards[i]));
    px_cli_json(cli, json_pack("{so}", "cards", cards));
}

static int look(struct px_nvml *nvml, const char *library, struct px_error *err) {
    px_nvml_read(library, nvml);
    if (nvml->code == 0)
        return 0;
    px_fail(err, nvml->code, "NVIDIA's management library does not answer: %s", nvml->why);
    return px_hint(err, nvml->code, "phoenix gpu check");
}

static int run(struct px_cli *cli, struct px_error *err) {
    const struct px_host_spec *host = NULL;
    px_cleanup_free struct px_gpu_host *gpus = px_new0(struct px_gpu_host, 1);
    px_cleanup_free struct px_nvml *nvml = px_new0(struct px_nvml, 1);
    long seconds = 0;
    int r = px_cli_host(cli, &host, err);
    if (r < 0 || (r = px_cli_number(cli, "watch", 1, 3600, 0, &seconds, err)) < 0)
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
        if ((r = look(nvml, library, err)) < 0)
            return r;
        if (seconds > 0 && isatty(STDOUT_FILENO) && !cli->json)
            px_cli_puts(cli, "\033[H\033[J");
        if (cli->json)
            print_json(cli, host, nvml);
        else
            print_tables(cli, host, nvml);
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
        "Load, memory, encoder, power and temperature of each card, and the processes on it with "
        "the desktop each belongs to and what each took of the card in the last second. Once; with "
        "--watch again and again until Ctrl-C.",
    .options = {{.name = "watch", .arg = "SECONDS", .doc = "again every so many seconds"}},
    .examples = {{"phoenix gpu top", "As it is now."},
                 {"phoenix gpu top --watch 2", "Live."},
                 {"phoenix gpu top --json", "For programs."}},
    .needs_root = true,
    .run = run,
};
