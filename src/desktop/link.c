/* src/desktop/link.c - a link that opens a desktop in a RustDesk client */
#include "desktop/link.h"
#include "base/alloc.h"
#include "base/buf.h"
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* RFC 3986 2.3: all else is escaped; a key's '+' would come out as a blank. */
static void add_escaped(struct px_buf *b, const char *text) {
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        px_buf_printf(b, isalnum(*p) || strchr("-._~", *p) ? "%c" : "%%%02X", *p);
}

char *px_link_make(const char *id, const char *server, const char *key, const char *password) {
    struct px_buf b = {0};
    px_buf_printf(&b, "rustdesk://connection/new/%s", id);
    /* Clients take this part as it stands, escapes and all: an address in brackets does not get
     * through, so it is left to the client's settings. */
    const bool named = server && !strchr(server, '[');
    if (named) {
        px_buf_printf(&b, "@%s?key=", server);
        add_escaped(&b, key);
    }
    px_buf_puts(&b, named ? "&password=" : "?password=");
    add_escaped(&b, password);
    return px_buf_take(&b);
}
