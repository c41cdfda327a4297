/* src/host/input/controlkey.c - named keys of the protocol as X keysyms */
#include "host/input/controlkey.h"
#include "base/cleanup.h"

/* keysymdef.h, XF86keysym.h */
static const uint32_t keysyms[] = {
    [1] = 0xffe9, /* Alt_L */
    [2] = 0xff08, /* BackSpace */
    [3] = 0xffe5, /* Caps_Lock */
    [4] = 0xffe3, /* Control_L */
    [5] = 0xffff, /* Delete */
    [6] = 0xff54, /* Down */
    [7] = 0xff57, /* End */
    [8] = 0xff1b, /* Escape */
    [9] = 0xffbe, /* F1; then F10, F11, F12, and only then F2 */
    [10] = 0xffc7,     [11] = 0xffc8,     [12] = 0xffc9,     [13] = 0xffbf,
    [14] = 0xffc0,     [15] = 0xffc1,     [16] = 0xffc2,     [17] = 0xffc3,
    [18] = 0xffc4,     [19] = 0xffc5,     [20] = 0xffc6,     [21] = 0xff50, /* Home */
    [22] = 0xff51,                                                          /* Left */
    [23] = 0xffeb,                                                          /* Super_L */
    [24] = 0xffe9,                                                          /* Option = Alt_L */
    [25] = 0xff56,                                                          /* Next */
    [26] = 0xff55,                                                          /* Prior */
    [27] = 0xff0d,                                                          /* Return */
    [28] = 0xff53,                                                          /* Right */
    [29] = 0xffe1,                                                          /* Shift_L */
    [30] = 0x0020,                                                          /* space */
    [31] = 0xff09,                                                          /* Tab */
    [32] = 0xff52,                                                          /* Up */
    [33] = 0xffb0,     [34] = 0xffb1,     [35] = 0xffb2,     [36] = 0xffb3,
    [37] = 0xffb4, /* KP_0.. */
    [38] = 0xffb5,     [39] = 0xffb6,     [40] = 0xffb7,     [41] = 0xffb8,
    [42] = 0xffb9,     [43] = 0xff69,                        /* Cancel */
    [44] = 0xff0b,                                           /* Clear */
    [45] = 0xffe9,                                           /* Menu, which meant Alt */
    [46] = 0xff13,                                           /* Pause */
    [47] = 0xff2d,                                           /* Kana_Lock */
    [48] = 0xff31,                                           /* Hangul */
    [49] = 0xff38,                                           /* Hangul_Jeonja */
    [51] = 0xff34,                                           /* Hangul_Hanja */
    [52] = 0xff21,                                           /* Kanji */
    [53] = 0xff23,                                           /* Henkan */
    [54] = 0xff60,                                           /* Select */
    [55] = 0xff61,                                           /* Print */
    [56] = 0xff62,                                           /* Execute */
    [57] = 0xff61,                                           /* Snapshot = Print */
    [58] = 0xff63,                                           /* Insert */
    [59] = 0xff6a,                                           /* Help */
    [60] = 0x1008ff2f,                                       /* XF86Sleep */
    [61] = 0xffac,                                           /* KP_Separator */
    [62] = 0xff14,                                           /* Scroll_Lock */
    [63] = 0xff7f,                                           /* Num_Lock */
    [64] = 0xffec,                                           /* Super_R */
    [65] = 0xff67,                                           /* Menu */
    [66] = 0xffaa,                                           /* KP_Multiply */
    [67] = 0xffab,                                           /* KP_Add */
    [68] = 0xffad,                                           /* KP_Subtract */
    [69] = 0xffae,                                           /* KP_Decimal */
    [70] = 0xffaf,                                           /* KP_Divide */
    [71] = 0xffbd,                                           /* KP_Equal */
    [72] = 0xff8d,                                           /* KP_Enter */
    [73] = 0xffe2,                                           /* Shift_R */
    [74] = 0xffe4,                                           /* Control_R */
    [75] = 0xfe03,                                           /* ISO_Level3_Shift */
    [76] = 0x1008ff12, [77] = 0x1008ff13, [78] = 0x1008ff11, /* XF86Audio Mute, Raise, Lower */
    [79] = 0x1008ff2a,                                       /* XF86PowerOff */
};

uint32_t px_control_keysym(int number) {
    return number > 0 && (size_t)number < PX_N_ELEMENTS(keysyms) ? keysyms[number] : 0;
}

uint32_t px_unicode_keysym(uint32_t c) {
    if (c == '\n' || c == '\r')
        return 0xff0d;
    if (c == '\t')
        return 0xff09;
    if (c == '\b')
        return 0xff08;
    if (c == 0x1b)
        return 0xff1b;
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    return c <= 0xff ? c : 0x01000000 | c; /* Latin-1 keysyms are its code points */
}
