/* src/spec/check.h - what single values of our files must look like
 *
 * Each takes the text and says in a full clause what is wrong with it, as -EINVAL; see the check
 * and parse slots of struct px_field. Pure; any thread. */
#pragma once
#include "base/error.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An absolute path: no "..", no "//", not "/" itself, at most 1024 bytes. */
int px_check_path(const char *text, struct px_error *err);
/* A path below a folder: relative, no "..", not empty. */
int px_check_relative(const char *text, struct px_error *err);
/* A login name as useradd(8) of Debian takes it, and none that the system has already. */
int px_check_user(const char *text, struct px_error *err);
/* A group name; those of the system are fine. */
int px_check_group(const char *text, struct px_error *err);
/* A recipe's or image's name, or its digest "sha256:..." (at least 6 hex digits). */
int px_check_image(const char *text, struct px_error *err);
/* A recipe's name. */
int px_check_recipe_name(const char *text, struct px_error *err);
/* A release of Debian by its name. */
int px_check_suite(const char *text, struct px_error *err);
/* A systemd unit's name with its suffix. */
int px_check_unit(const char *text, struct px_error *err);
/* A Debian package, "name", "name:arch", "name=version", "name/suite". */
int px_check_package(const char *text, struct px_error *err);
/* An interface name that a bridge can have. */
int px_check_bridge(const char *text, struct px_error *err);
/* An IANA time zone's form, "Europe/Berlin"; whether it exists is the image's to know. */
int px_check_timezone(const char *text, struct px_error *err);
/* XKB layouts, "us", "de(nodeadkeys)", "us,de". */
int px_check_keyboard(const char *text, struct px_error *err);
/* Where an ID server is, see base/server_name.h. */
int px_check_server(const char *text, struct px_error *err);

/* Dotted IPv4 that a machine can have: not 0/8, 127/8, multicast or above. */
int px_parse_address(const char *text, struct in_addr *ret, struct px_error *err);
/* "10.88.0.0/16": private (RFC 1918), prefix 8 to 29, no host bits. */
int px_parse_range(const char *text, struct in_addr *ret, unsigned *ret_prefix,
                   struct px_error *err);
/* "8080", "8080/tcp", "53/udp". */
int px_parse_port(const char *text, uint16_t *ret, bool *ret_udp, struct px_error *err);
/* "0755": 3 or 4 octal digits. */
int px_parse_mode(const char *text, unsigned *ret, struct px_error *err);
/* Decimal digits, at most @max. */
int px_parse_number(const char *text, unsigned max, unsigned *ret);

/* The same in ECMA 262, as JSON Schema wants it. */
#define PX_PATTERN_HOSTNAME "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
#define PX_PATTERN_PATH "^/[^/]"
#define PX_PATTERN_RELATIVE "^[^/]"
#define PX_PATTERN_USER "^[a-z_][a-z0-9_-]{0,31}$"
#define PX_PATTERN_RECIPE "^[a-z0-9][a-z0-9._-]{0,62}$"
#define PX_PATTERN_IMAGE "^([a-z0-9][a-z0-9._-]{0,62}|sha256:[0-9a-f]{6,64})$"
#define PX_PATTERN_UNIT                                                                            \
    "^[A-Za-z0-9:_.@\\\\-]+\\.(service|socket|timer|mount|automount|swap|target|path|slice|scope|" \
    "device)$"
#define PX_PATTERN_PACKAGE "^[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?([=/][A-Za-z0-9.+:~_-]+)?$"
#define PX_PATTERN_BRIDGE "^[A-Za-z0-9_.-]{1,15}$"
#define PX_PATTERN_TIMEZONE "^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$"
#define PX_PATTERN_KEYBOARD                                                                        \
    "^[a-z][a-z0-9_-]*(\\([A-Za-z0-9_.-]+\\))?(,[a-z][a-z0-9_-]*(\\([A-Za-z0-9_.-]+\\))?){0,3}$"
#define PX_PATTERN_SERVER                                                                          \
    "^((wss://)?(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?|wss://[^/]+/"                 \
    "|[0-9A-Fa-f:.]+)$"
#define PX_PATTERN_ADDRESS "^([0-9]{1,3}\\.){3}[0-9]{1,3}$"
#define PX_PATTERN_RANGE "^([0-9]{1,3}\\.){3}[0-9]{1,3}/([89]|[12][0-9])$"
#define PX_PATTERN_PORT "^[0-9]{1,5}(/(tcp|udp))?$"
#define PX_PATTERN_MODE "^[0-7]{3,4}$"
