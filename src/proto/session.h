/* src/proto/session.h - messages between the two ends of a desktop session
 *
 * The structs are generated from session.proto (Pxs__Message and what it holds). Reading one is
 * bounded: a message may not take more than a few times its own size of memory, whatever it claims.
 * Here are also the numbers that the messages carry as int32. Pure, any thread. */
#pragma once
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "proto/session.pb-c.h"
#include <stdbool.h>

#define PX_PROTOCOL_VERSION "1.4.9" /* what we claim; unlocks features of the client */

/* *ret: the caller's. -EBADMSG: no such message, or one that wants too much memory. */
int px_message_parse(const uint8_t *data, size_t size, Pxs__Message **ret, struct px_error *err);
void px_message_free(Pxs__Message *m);
PX_DEFINE_CLEANUP(Pxs__Message *, px_message_free)
/* Adds the encoded message (of any type) to @out. */
void px_message_print(const ProtobufCMessage *m, struct px_buf *out);

/* "1.4.9" -> 1004090, "1.4.9-2" -> 1004092; "" or anything else -> 0. */
int64_t px_version_number(const char *text);

/* Printable and short: control characters (and bytes that are no UTF-8) become '?'. Returns @out.
 */
#define PX_PEER_TEXT_MAX 256
char *px_peer_text(const char *text, char out[PX_PEER_TEXT_MAX]);

/* What px_login_proof and the checks against it use. H1 = SHA256(password || salt),
 * proof = SHA256(H1 || challenge). */
#define PX_PROOF_BYTES 32
void px_login_h1(const char *password, const char *salt, uint8_t ret[PX_PROOF_BYTES]);
void px_login_proof(const uint8_t h1[PX_PROOF_BYTES], const char *challenge,
                    uint8_t ret[PX_PROOF_BYTES]);
/* Constant time; a length other than PX_PROOF_BYTES is wrong. */
bool px_login_check(const uint8_t h1[PX_PROOF_BYTES], const char *challenge, const uint8_t *proof,
                    size_t size);

/* RFC 6238: HMAC-SHA1, 6 digits, steps of 30 s. */
void px_totp(const uint8_t *secret, size_t size, int64_t unix_s, char ret[7]);
#define PX_TOTP_STEPS 3 /* whose codes are right at a time */
/* Whether @code is that of now, of the step before or of the next. Takes the same time for all.
 * *ret_step (NULL: not asked for): which step's it is, counted from 1970; only where it is right.
 */
bool px_totp_check(const uint8_t *secret, size_t size, int64_t unix_s, const char *code,
                   int64_t *ret_step);

enum px_option_bool { PX_OPTION_NOT_SET, PX_OPTION_NO, PX_OPTION_YES };
enum px_image_quality { PX_QUALITY_LOW = 2, PX_QUALITY_BALANCED = 3, PX_QUALITY_BEST = 4 };
enum px_prefer_codec {
    PX_PREFER_AUTO,
    PX_PREFER_VP9,
    PX_PREFER_H264,
    PX_PREFER_H265,
    PX_PREFER_VP8,
    PX_PREFER_AV1,
};
enum px_permission {
    PX_PERMISSION_KEYBOARD = 0,
    PX_PERMISSION_CLIPBOARD = 2,
    PX_PERMISSION_AUDIO = 3,
    PX_PERMISSION_FILE = 4,
    PX_PERMISSION_RESTART = 5,
    PX_PERMISSION_RECORDING = 6,
    PX_PERMISSION_BLOCK_INPUT = 7,
    PX_PERMISSION_PRIVACY_MODE = 8,
};
enum px_mouse_type {
    PX_MOUSE_MOVE,
    PX_MOUSE_DOWN,
    PX_MOUSE_UP,
    PX_MOUSE_WHEEL,
    PX_MOUSE_TRACKPAD,
    PX_MOUSE_RELATIVE,
};
enum px_mouse_button {
    PX_BUTTON_LEFT = 1,
    PX_BUTTON_RIGHT = 2,
    PX_BUTTON_MIDDLE = 4,
    PX_BUTTON_BACK = 8,
    PX_BUTTON_FORWARD = 16,
};
enum px_key_mode { PX_KEY_LEGACY, PX_KEY_MAP, PX_KEY_TRANSLATE, PX_KEY_AUTO };
enum px_control_key { /* those that the code names; the table of all is in input/controlkey.c */
                      PX_KEY_ALT = 1,
                      PX_KEY_CAPS_LOCK = 3,
                      PX_KEY_CONTROL = 4,
                      PX_KEY_META = 23,
                      PX_KEY_RETURN = 27,
                      PX_KEY_SHIFT = 29,
                      PX_KEY_NUM_LOCK = 63,
                      PX_KEY_RWIN = 64,
                      PX_KEY_RSHIFT = 73,
                      PX_KEY_RCONTROL = 74,
                      PX_KEY_RALT = 75,
                      PX_KEY_CTRL_ALT_DEL = 100,
                      PX_KEY_LOCK_SCREEN = 101,
};
enum px_clipboard_format {
    PX_CLIPBOARD_TEXT = 0,
    PX_CLIPBOARD_RTF = 1,
    PX_CLIPBOARD_HTML = 2,
    PX_CLIPBOARD_RGBA = 21,
    PX_CLIPBOARD_PNG = 22,
    PX_CLIPBOARD_SVG = 23,
    PX_CLIPBOARD_SPECIAL = 31,
};
enum px_file_type {
    PX_FILE_DIR = 0,
    PX_FILE_DIR_LINK = 2,
    PX_FILE_DRIVE = 3,
    PX_FILE_FILE = 4,
    PX_FILE_FILE_LINK = 5,
};
