/* tests/nvenc/played_test.h - a test program on the played card
 *
 * played_begin() makes the folder of control and log, and runs the program again with the played
 * libraries where the linker looks first. */
#pragma once
#include <stdbool.h>

void played_begin(char **argv); /* first thing in main */
void played_end(void);
/* A fresh log, and a control file with @control ("sessions 2\n"). */
void played_reset(const char *control);
void played_set(const char *control); /* the log goes on */
/* How often @text is in the log. */
int played_count(const char *text);
/* Fails the test if it is not, or if there is a violation. */
void played_has(const char *text);
void played_clean(void); /* no violation, no session open, no context left */
