/* src/phoenix/table.h - columns of text
 *
 *     px_cleanup(px_table_freep) struct px_table *t = px_table_new("NAME", "STATE", "MEMORY>",
 * NULL); px_table_cell(t, PX_PLAIN, "%s", name); px_table_cell(t, PX_GOOD, "running");
 *
 * A heading's last character: '>' right-aligned, '~' the column that gives way when the terminal is
 * too narrow. Cells fill rows from left to right; rows end by themselves. Not thread-safe. */
#pragma once
#include "base/cleanup.h"
#include "phoenix/term.h"

struct px_table;

struct px_table *px_table_new(const char *heading, ...) __attribute__((sentinel));
struct px_table *px_table_free(struct px_table *table);
PX_DEFINE_CLEANUP(struct px_table *, px_table_free)
/* One more column, before the first cell. */
void px_table_column(struct px_table *table, const char *heading);

/* The next cell; an empty one shows as "-". */
void px_table_cell(struct px_table *table, enum px_colour colour, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds the table with its headings, as wide as @term allows. */
void px_table_render(const struct px_table *table, const struct px_term *term, struct px_buf *out);
/* Renders to term->fd. */
void px_table_print(const struct px_table *table, const struct px_term *term);
