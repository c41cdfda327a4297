/* src/phoenix-host/target.h - `phoenix-host target`: what clicks are measured on
 *
 * Shows a small window in the lower right corner of $DISPLAY, above all others, which turns from
 * black to white or back at each press of a button. Prints one line when it is drawn:
 *
 *     at X Y      its middle
 *     busy        somebody moves the pointer or holds a key: nothing is shown
 *
 * and ends when standard input does, at the latest after a minute; then the pointer is where it
 * was. Without it a click need not change anything on a screen, and a latency cannot be told from a
 * screen that does not care. */
#pragma once

/* Returns the exit code. */
int px_target_main(void);
