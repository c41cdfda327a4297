/* src/phoenix/verb_schema.c - `phoenix schema` */
#include "phoenix/cli.h"
#include "phoenix/verbs.h"
#include "spec/desktop.h"
#include "spec/host.h"
#include "spec/recipe.h"
#include <string.h>

static int run(struct px_cli *cli, struct px_error *err) {
    const char *which = cli->args.words[0]; /* one of the table's words */
    px_cleanup_free char *text = strcmp(which, "desktop") == 0 ? px_desktop_file_schema()
                                 : strcmp(which, "host") == 0  ? px_host_schema()
                                                               : px_recipe_schema();
    px_cli_puts(cli, text);
    if (text[0] && text[strlen(text) - 1] != '\n')
        px_cli_puts(cli, "\n");
    return 0;
}

const struct px_verb px_verb_schema = {
    .name = "schema",
    .summary = "print the JSON Schema of a file",
    .description =
        "Editors complete and check the YAML files with it. 'make install' puts all three into "
        "/usr/share/phoenix/schema.",
    .positionals = {{.name = "FILE",
                     .doc = "desktop, host or recipe",
                     .completes = PX_COMPLETE_WORDS,
                     .words = "desktop host recipe"}},
    .examples =
        {{"phoenix schema desktop > desktop.schema.json",
          "Then begin the file with '# yaml-language-server: $schema=desktop.schema.json'."}},
    .run = run,
};
