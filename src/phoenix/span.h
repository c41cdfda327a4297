/* src/phoenix/span.h - spans of time for people: "5 s", "12 min", "3 h", "9 d". Pure but for
 * *_since_*. */
#pragma once
#include <stdint.h>

#define PX_SPAN_TEXT_MAX 24

/* The two largest units: "3 h 12 min"; returns @out. */
char *px_span_text(int64_t us, char out[PX_SPAN_TEXT_MAX]);
/* From @us of CLOCK_BOOTTIME until now. */
char *px_span_since_boot(int64_t us, char out[PX_SPAN_TEXT_MAX]);
/* From @s seconds since 1970 until now: "3 d 2 h". */
char *px_span_since_epoch(int64_t s, char out[PX_SPAN_TEXT_MAX]);
