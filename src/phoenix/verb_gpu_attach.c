/* src/phoenix/verb_gpu_attach.c - `phoenix gpu attach|detach` */
#include "desktop/attach.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/gpu_cli.h"

static int attach(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    char uuid[PX_GPU_UUID_MAX];
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0 || (r = px_gpu_attach(fleet, cli->args.words[0], cli->args.words[1], uuid, err)) < 0)
        return r;
    px_cli_note(cli, "%s has %s now; the next 'up' goes by the desktop file again",
                cli->args.words[0], uuid);
    return 0;
}

static int detach(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    char uuid[PX_GPU_UUID_MAX];
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0 || (r = px_gpu_detach(fleet, cli->args.words[0], cli->args.words[1],
                                    px_cli_flag(cli, "force"), uuid, err)) < 0)
        return r;
    px_cli_note(cli, "%s has %s no more; the next 'up' goes by the desktop file again",
                cli->args.words[0], uuid);
    return 0;
}

const struct px_verb px_verb_gpu_attach = {
    .name = "attach",
    .summary = "give a running desktop one more card",
    .description =
        "Node and cgroup rule are added while it runs; programs started from then on see the "
        "card. The desktop must have been started with at least one card, because the driver is "
        "put in at the start. The grant counts as exclusive and lasts until 'up' carries out the "
        "desktop file again.",
    .positionals = {{.name = "NAME", .doc = "name of a desktop", .completes = PX_COMPLETE_DESKTOP},
                    {.name = "GPU", .doc = "a card by UUID, PCI address or index"}},
    .examples = {{"phoenix gpu attach alice 1", "Card 1 as well."}},
    .needs_root = true,
    .run = attach,
};

const struct px_verb px_verb_gpu_detach = {
    .name = "detach",
    .summary = "take a card from a running desktop",
    .description = "Refused while processes of the desktop hold the card; they are named. With "
                   "--force nothing new can open it, and what is open stays open until its "
                   "process ends.",
    .options = {{.name = "force", .doc = "also while processes hold it"}},
    .positionals = {{.name = "NAME", .doc = "name of a desktop", .completes = PX_COMPLETE_DESKTOP},
                    {.name = "GPU", .doc = "a card by UUID, PCI address or index"}},
    .examples = {{"phoenix gpu detach alice 1", "Takes card 1 back."}},
    .needs_root = true,
    .run = detach,
};
