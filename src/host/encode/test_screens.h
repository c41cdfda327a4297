/* src/host/encode/test_screens.h - what each of our own encoders has to show of a screen
 *
 * The tests have the names of what they promise. A codec's program lists those that are for it as
 * SCREENS_TEST(name, &its struct screens), which says what is peculiar to it, beside tests of its
 * own. What the screen shows, and which decoders look at it: test_desk.h. */
#pragma once
#include "base/test.h"
#include "host/encode/test_desk.h"

#define SCREENS_EDGE 8   /* pixels */
#define SCREENS_NEAR 1.5 /* of 255: what is shown against what is there, once that is fine */

struct screens_case {
    int width, height;
    bool i444;
    unsigned threads, rate_kbps; /* 0: a line that nothing fills */
};

struct screens {
    enum px_codec codec;
    int every;   /* of the lines are looked at: enough to find any block that is wrong */
    bool i444;   /* codes full chroma as well */
    bool shades; /* text of two colours is exact at once: what is to be coarse first has more */

    const struct screens_case *sizes; /* ends with a width of 0 */
    int n_scrolls;                    /* of each number of lines */
    int far_lines;                    /* scrolled at once, of 1200 */
    struct {
        int width, height, every, n, step_px; /* the corner gets wider by that, @n times */
    } small;                                  /* changes */
    struct {
        const struct screens_case *cases; /* ends with a width of 0 */
        int n_changes, key_every;         /* so-many-th of them */
        unsigned end_kbps; /* for a slow line's parts are small; 0: all of it at the case's rate */
    } busy;
    struct {
        const struct screens_case
            *sizes; /* ends with a width of 0; each of more than 1500 blocks */
        int n_rounds;
        /* The first frame of all, its parts, and those on a line of 2 Mbit/s. */
        size_t coarse_bytes, part_bytes, slow_part_bytes; /* all less than that */
    } late;
    double film_difference; /* less than that; 16 where nothing is looked for */
    struct {
        int width, height;
    } refined; /* by more than two parts */
};

#define SCREENS_TEST(name, of) cmocka_unit_test_prestate(name, (void *)(of))

void every_size_and_number_of_threads_is_shown_as_it_is(void **state);
/* By odd numbers of lines, too, at which colours move by halves of their pixels: they stay. */
void what_moved_costs_little_and_does_not_fade(void **state);
/* On a slow line the next picture comes late, and text has scrolled far by then. */
void what_scrolled_far_is_found(void **state);
/* A screen of something new, on a line that would take seconds for it: a sketch of it, then parts
 * that are as small as the line wants, readable before they are fine. */
void a_large_change_is_coarse_first_on_a_slow_line(void **state);
/* On any line: so that it is there soon. A film is not: it would never be sharp. */
void a_sudden_change_is_coarse_first_and_a_film_is_not(void **state);
/* What glides by parts of pixels is followed, and nothing is left of that when it rests. */
void a_film_on_a_tight_line_can_be_watched(void **state);
/* Blocks that stay cost a small part of a bit each: decoders must not take that for the end. */
void a_small_change_leaves_the_rest(void **state);
void a_viewer_who_comes_late_gets_a_key_frame_at_once(void **state);
/* Whatever the screen and the link do: what was coarse on the way is fine when it rests. */
void a_busy_screen_is_right_in_the_end(void **state);
/* Who was there sees nothing of it, whatever happens meanwhile; who comes has all of it soon. */
void a_late_viewer_of_a_full_screen_gets_a_coarse_key_frame_and_the_rest(void **state);
/* At the edges of the picture, where blocks are cut, the encoder must know what decoders have. */
void a_coarse_key_frame_of_any_size_becomes_fine(void **state);
/* A newcomer who comes while another one still waits for parts. */
void late_viewers_who_come_at_once_share_the_parts(void **state);
/* A slow line gets smaller parts, and nobody's picture becomes worse for them. */
void a_late_viewer_does_not_cost_others_their_quality(void **state);
/* No part takes long, and none is left out. */
void a_large_refinement_comes_in_parts(void **state);
