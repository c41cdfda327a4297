/* src/desktop/login.h - renaming the ordinary user in an image's account files
 *
 * An image has one ordinary user under the name that its recipe gave; a desktop file may want
 * another name. Uid, password field and groups stay. Pure. Source: passwd(5), group(5), shadow(5),
 * gshadow(5). */
#pragma once
#include "base/error.h"
#include <stddef.h>

/* @text of passwd, group, shadow, gshadow, subuid or subgid with user and group @from called @to,
 * in the first field and in member lists, and home /home/@from moved; the caller's string. */
char *px_login_rename(const char *text, size_t size, const char *from, const char *to);
