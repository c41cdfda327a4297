/* src/host/input/controlkey.h - named keys of the protocol as X keysyms. Pure. */
#pragma once
#include <stdint.h>

/* The keysym of ControlKey @number, 0: none (or one that no Linux desktop knows). */
uint32_t px_control_keysym(int number);
/* The keysym of a Unicode code point (X11 protocol, appendix A); 0 for control characters that have
 * no key. Newline is Return, tab is Tab. */
uint32_t px_unicode_keysym(uint32_t code_point);
