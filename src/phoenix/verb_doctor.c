/* src/phoenix/verb_doctor.c - `phoenix doctor` */
#include "base/alloc.h"
#include "check/doctor.h"
#include "phoenix/cli.h"
#include "phoenix/findings_cli.h"
#include "phoenix/verbs.h"

static int run(struct px_cli *cli, struct px_error *err) {
    const struct px_host_spec *host = NULL;
    int r = px_cli_host(cli, &host, err);
    if (r < 0)
        return r;
    px_cleanup_free struct px_host_facts *facts = px_new0(struct px_host_facts, 1);
    px_cleanup(px_findings_fini) struct px_findings list = {0};
    px_doctor_look(host, facts);
    px_doctor_judge(facts, &list);
    return px_cli_print_findings(cli, &list);
}

const struct px_verb px_verb_doctor = {
    .name = "doctor",
    .summary = "check whether this machine can run desktops",
    .description =
        "Looks at kernel, cgroups, namespaces, id ranges, LXC, disk, network and GPUs, tries "
        "the mounts that desktops need, and leaves nothing behind. What is not well comes with "
        "the command that mends it.",
    .examples = {{"phoenix doctor", "A line per subject: ok, warn or fail, and the fix."},
                 {"phoenix doctor --quiet", "Only what is not well."}},
    .exits = "0: desktops can run (warnings do not count). 4: something must be mended first.",
    .run = run,
};
