/* src/phoenix/verbs.c - the program: its global options and its verbs */
#include "phoenix/verbs.h"

static const struct px_verb *const all[] = {
    /* in the order in which one needs them */
    &px_verb_doctor,  &px_verb_image,      &px_verb_plan,    &px_verb_up,
    &px_verb_ls,      &px_verb_show,       &px_verb_start,   &px_verb_stop,
    &px_verb_restart, &px_verb_rm,         &px_verb_shell,   &px_verb_exec,
    &px_verb_logs,    &px_verb_screenshot, &px_verb_connect, &px_verb_probe,
    &px_verb_verify,  &px_verb_gpu,        &px_verb_net,     &px_verb_schema,
    &px_verb_help,    &px_verb_complete,   &px_verb_man,     NULL,
};

const struct px_verb px_program = {
    .name = "phoenix",
    .summary = "turns a Linux machine into AI/ML desktops",
    .description =
        "Each desktop is an unprivileged LXC container with its own ordinary user, graphical "
        "session, JupyterLab and share of the machine. A desktop file says which desktops there "
        "should be; 'phoenix up FILE' makes it so.",
    .options =
        {
            {.name = "host-file",
             .arg = "FILE",
             .completes = PX_COMPLETE_FILE,
             .doc = "how phoenix uses this machine (default: $PHOENIX_HOST_FILE, else "
                    "/etc/phoenix/host.yaml where it exists)"},
            {.name = "json", .doc = "print facts as JSON"},
            {.name = "quiet",
             .letter = 'q',
             .doc = "no progress and notes, only results and errors"},
            {.name = "verbose", .letter = 'v', .doc = "tell more; twice: tell everything"},
            {.name = "yes", .letter = 'y', .doc = "answer yes to every question"},
            {.name = "color",
             .arg = "WHEN",
             .completes = PX_COMPLETE_WORDS,
             .words = "auto always never",
             .doc = "colours: auto (default; NO_COLOR is heeded), always, never"},
            {.name = "help", .letter = 'h', .doc = "explain a command"},
            {.name = "version", .doc = "print the version"},
        },
    .subs = all,
};
