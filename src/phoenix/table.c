/* src/phoenix/table.c - columns of text */
#include "phoenix/table.h"
#include "base/alloc.h"
#include <assert.h>
#include <string.h>

#define GAP 2         /* blanks between columns */
#define LEAST_WIDTH 8 /* a column that gives way keeps this much */
#define COLUMNS_MAX 24

struct cell {
    char *text;
    enum px_colour colour;
};

struct column {
    char *heading;
    bool right, shrinks;
};

struct px_table {
    struct column columns[COLUMNS_MAX];
    size_t n_columns;
    struct cell *cells; /* row by row */
    size_t n_cells, cap;
};

void px_table_column(struct px_table *t, const char *heading) {
    assert(t->n_columns < COLUMNS_MAX && t->n_cells == 0);
    struct column *c = &t->columns[t->n_columns++];
    const size_t n = strlen(heading);
    c->right = n > 0 && heading[n - 1] == '>';
    c->shrinks = n > 0 && heading[n - 1] == '~';
    c->heading = px_strndup(heading, n - (c->right || c->shrinks));
}

struct px_table *px_table_new(const char *heading, ...) {
    struct px_table *t = px_new0(struct px_table, 1);
    va_list ap;
    va_start(ap, heading);
    for (; heading; heading = va_arg(ap, const char *))
        px_table_column(t, heading);
    va_end(ap);
    return t;
}

struct px_table *px_table_free(struct px_table *t) {
    if (!t)
        return NULL;
    for (size_t i = 0; i < t->n_columns; i++)
        free(t->columns[i].heading);
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i].text);
    free(t->cells);
    free(t);
    return NULL;
}

void px_table_cell(struct px_table *t, enum px_colour colour, const char *fmt, ...) {
    px_grow(t->cells, &t->cap, t->n_cells + 1);
    va_list ap;
    va_start(ap, fmt);
    char *text = px_vasprintf(fmt, ap);
    va_end(ap);
    if (text[0] == '\0') {
        free(text);
        text = px_strdup("-");
    }
    t->cells[t->n_cells++] = (struct cell){text, colour};
}

static size_t width_of(const struct px_table *t, size_t column) {
    size_t width = px_text_width(t->columns[column].heading);
    for (size_t i = column; i < t->n_cells; i += t->n_columns) {
        size_t w = px_text_width(t->cells[i].text);
        width = w > width ? w : width;
    }
    return width;
}

/* Takes columns from those that give way, the widest first, until the rows fit. */
static void shrink(const struct px_table *t, size_t *widths, size_t room) {
    size_t all = 0;
    for (size_t i = 0; i < t->n_columns; i++)
        all += widths[i] + (i > 0 ? GAP : 0);
    while (all > room) {
        size_t widest = SIZE_MAX;
        for (size_t i = 0; i < t->n_columns; i++)
            if (t->columns[i].shrinks && widths[i] > LEAST_WIDTH &&
                (widest == SIZE_MAX || widths[i] > widths[widest]))
                widest = i;
        if (widest == SIZE_MAX)
            return; /* nothing gives way any more: the terminal wraps */
        widths[widest]--;
        all--;
    }
}

static void render_cell(struct px_buf *out, const struct column *c, const struct cell *cell,
                        size_t width, bool last, bool colour) {
    px_cleanup(px_buf_fini) struct px_buf text = {0};
    const size_t used = px_text_add(&text, cell->text, width);
    if (c->right)
        px_buf_printf(out, "%*s", (int)(width - used), "");
    px_buf_puts(out, px_colour_on(cell->colour, colour));
    px_buf_puts(out, px_buf_str(&text));
    px_buf_puts(out, px_colour_off(cell->colour, colour));
    if (!c->right && !last)
        px_buf_printf(out, "%*s", (int)(width - used), "");
    px_buf_puts(out, last ? "\n" : "  ");
}

void px_table_render(const struct px_table *t, const struct px_term *term, struct px_buf *out) {
    size_t widths[COLUMNS_MAX];
    for (size_t i = 0; i < t->n_columns; i++)
        widths[i] = width_of(t, i);
    if (term->width > 0)
        shrink(t, widths, term->width);
    for (size_t i = 0; i < t->n_columns; i++) {
        struct cell head = {t->columns[i].heading, PX_BOLD};
        render_cell(out, &t->columns[i], &head, widths[i], i + 1 == t->n_columns, term->colour);
    }
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t c = i % t->n_columns;
        render_cell(out, &t->columns[c], &t->cells[i], widths[c], c + 1 == t->n_columns,
                    term->colour);
    }
}

void px_table_print(const struct px_table *t, const struct px_term *term) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_table_render(t, term, &out);
    px_term_write(term, out.data, out.size);
}
