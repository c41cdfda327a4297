/* src/host/encode/lanes.h - eight numbers at a time, as the transforms of VP8 and VP9 want them
 *
 * Two parts of 4x4 side by side: four lines of eight. With SSE2 where there is, else as the
 * compiler makes it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef int16_t v8 __attribute__((vector_size(16)));
typedef uint16_t w8 __attribute__((vector_size(16)));
typedef uint8_t b8 __attribute__((vector_size(8)));

static inline v8 px_load8(const uint8_t *p) {
    b8 b;
    memcpy(&b, p, sizeof(b));
    return __builtin_convertvector(b, v8);
}

/* To bytes; what is below 0 and above 255 becomes these. */
static inline void px_pack8(v8 v, uint8_t *to) {
#ifdef __SSE2__
    _mm_storel_epi64((__m128i *)to, _mm_packus_epi16((__m128i)v, (__m128i)v));
#else
    v &= ~(v >> 15);
    v = (v8)((v > 255) & 255) | (v & (v8)(v <= 255));
    const b8 b = __builtin_convertvector(v, b8);
    memcpy(to, &b, sizeof(b));
#endif
}

/* @a * @k / 65536, rounded down, lane by lane. */
static inline v8 px_high8(v8 a, v8 k) {
#ifdef __SSE2__
    return (v8)_mm_mulhi_epi16((__m128i)a, (__m128i)k);
#else
    v8 r;
    for (int i = 0; i < 8; i++)
        r[i] = (int16_t)(a[i] * k[i] >> 16);
    return r;
#endif
}

/* The sum, which stays within 16 bits. */
static inline v8 px_add8(v8 a, v8 b) {
#ifdef __SSE2__
    return (v8)_mm_adds_epi16((__m128i)a, (__m128i)b);
#else
    v8 r;
    for (int i = 0; i < 8; i++) {
        const int sum = a[i] + b[i];
        r[i] = (int16_t)(sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum);
    }
    return r;
#endif
}

/* Lines of two 4x4 parts to columns of them, and back. */
static inline void px_turn8(v8 r[4]) {
    const v8 a = __builtin_shufflevector(r[0], r[1], 0, 8, 1, 9, 2, 10, 3, 11);
    const v8 b = __builtin_shufflevector(r[0], r[1], 4, 12, 5, 13, 6, 14, 7, 15);
    const v8 c = __builtin_shufflevector(r[2], r[3], 0, 8, 1, 9, 2, 10, 3, 11);
    const v8 d = __builtin_shufflevector(r[2], r[3], 4, 12, 5, 13, 6, 14, 7, 15);
    const v8 a01 = __builtin_shufflevector(a, c, 0, 1, 8, 9, 2, 3, 10, 11);
    const v8 a23 = __builtin_shufflevector(a, c, 4, 5, 12, 13, 6, 7, 14, 15);
    const v8 b01 = __builtin_shufflevector(b, d, 0, 1, 8, 9, 2, 3, 10, 11);
    const v8 b23 = __builtin_shufflevector(b, d, 4, 5, 12, 13, 6, 7, 14, 15);
    r[0] = __builtin_shufflevector(a01, b01, 0, 1, 2, 3, 8, 9, 10, 11);
    r[1] = __builtin_shufflevector(a01, b01, 4, 5, 6, 7, 12, 13, 14, 15);
    r[2] = __builtin_shufflevector(a23, b23, 0, 1, 2, 3, 8, 9, 10, 11);
    r[3] = __builtin_shufflevector(a23, b23, 4, 5, 6, 7, 12, 13, 14, 15);
}

/* (|@a| + @round) * @per / 65536, with the sign of @a. */
static inline v8 px_quantize8(v8 a, v8 per, v8 round) {
    const v8 sign = a >> 15;
    return (px_high8(((a ^ sign) - sign) + round, per) ^ sign) - sign;
}

static inline bool px_is_zero8(const v8 r[4]) {
    const v8 all = r[0] | r[1] | r[2] | r[3];
    uint64_t words[2];
    memcpy(words, &all, sizeof(words));
    return (words[0] | words[1]) == 0;
}

/* How far sixteen pixels are from others, in all. */
static inline unsigned px_far16(const uint8_t *a, const uint8_t *b) {
#ifdef __SSE2__
    const __m128i sum =
        _mm_sad_epu8(_mm_loadu_si128((const __m128i *)a), _mm_loadu_si128((const __m128i *)b));
    return (unsigned)(_mm_cvtsi128_si32(sum) + _mm_extract_epi16(sum, 4));
#else
    unsigned sum = 0;
    for (int i = 0; i < 16; i++)
        sum += a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
    return sum;
#endif
}

/* The means of sixteen pixels and others, rounded up. */
static inline void px_mean16(const uint8_t *a, const uint8_t *b, uint8_t *to) {
#ifdef __SSE2__
    _mm_storeu_si128((__m128i *)to, _mm_avg_epu8(_mm_loadu_si128((const __m128i *)a),
                                                 _mm_loadu_si128((const __m128i *)b)));
#else
    for (int i = 0; i < 16; i++)
        to[i] = (uint8_t)((a[i] + b[i] + 1) >> 1);
#endif
}

#define PX_KEEP_ALL 16

/* Of the numbers of two parts side by side only the lowest @keep: 1, 3, 6, or all. */
static inline void px_keep_low8(v8 r[4], int keep) {
    if (keep == PX_KEEP_ALL)
        return;
    const int16_t b = keep >= 3 ? -1 : 0, c = keep >= 6 ? -1 : 0;
    r[0] &= (v8){-1, b, c, 0, -1, b, c, 0};
    r[1] &= (v8){b, c, 0, 0, b, c, 0, 0};
    r[2] &= (v8){c, 0, 0, 0, c, 0, 0, 0};
    r[3] = (v8){0};
}
