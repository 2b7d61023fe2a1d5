/* Pictures: PNG scanlines to RGB, and Pillow's antialiased bilinear resize. */
#include "image.h"

#include <string.h>

/* ---- PNG ---- */

static uint8_t paeth(int left, int above, int corner) {
    const int to_left = above > corner ? above - corner : corner - above; /* |left + above - corner - left| */
    const int to_above = left > corner ? left - corner : corner - left;
    const int both = left + above - 2 * corner, to_corner = both > 0 ? both : -both;
    if (to_left <= to_above && to_left <= to_corner) return (uint8_t)left;
    return (uint8_t)(to_above <= to_corner ? above : corner);
}

bool ep_png_unfilter(uint8_t *rows, size_t height, size_t row_bytes, size_t pixel_bytes) {
    for (size_t row = 0; row < height; row++) {
        uint8_t *here = rows + row * (1 + row_bytes) + 1;
        const uint8_t filter = here[-1];
        if (filter > 4) return false;
        if (filter == 0) continue;
        const uint8_t *above = row > 0 ? here - (1 + row_bytes) : NULL;
        for (size_t i = 0; i < row_bytes; i++) {
            const uint8_t left = i >= pixel_bytes ? here[i - pixel_bytes] : 0;
            const uint8_t up = above != NULL ? above[i] : 0;
            const uint8_t corner = above != NULL && i >= pixel_bytes ? above[i - pixel_bytes] : 0;
            switch (filter) {
            case 1: here[i] = (uint8_t)(here[i] + left); break;
            case 2: here[i] = (uint8_t)(here[i] + up); break;
            case 3: here[i] = (uint8_t)(here[i] + (left + up) / 2); break;
            default: here[i] = (uint8_t)(here[i] + paeth(left, up, corner));
            }
        }
    }
    return true;
}

bool ep_rgb_from_indices(const uint8_t *rows, size_t height, size_t width, unsigned depth, const uint8_t *table,
                         size_t colours, uint8_t *restrict rgb) {
    const size_t row_bytes = (width * depth + 7) / 8, pixels_per_byte = 8 / depth;
    const unsigned mask = (1u << depth) - 1;
    for (size_t row = 0; row < height; row++) {
        const uint8_t *packed = rows + row * (1 + row_bytes) + 1;
        for (size_t column = 0; column < width; column++, rgb += 3) {
            const unsigned shift = 8 - depth * (unsigned)(column % pixels_per_byte + 1);
            const size_t colour = (unsigned)(packed[column / pixels_per_byte] >> shift) & mask;
            if (colour >= colours) return false;
            memcpy(rgb, table + 3 * colour, 3);
        }
    }
    return true;
}

static uint8_t over_white(unsigned value, unsigned alpha) {
    return (uint8_t)((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

void ep_rgb_from_pixels(const uint8_t *rows, size_t height, size_t width, size_t channels, uint8_t *restrict rgb) {
    for (size_t row = 0; row < height; row++) {
        const uint8_t *pixel = rows + row * (1 + width * channels) + 1;
        if (channels == 3) {
            memcpy(rgb, pixel, 3 * width);
            rgb += 3 * width;
            continue;
        }
        for (size_t column = 0; column < width; column++, pixel += channels, rgb += 3) {
            const uint8_t alpha = pixel[channels - 1];
            for (size_t colour = 0; colour < 3; colour++)
                rgb[colour] = over_white(pixel[channels == 4 ? colour : 0], alpha);
        }
    }
}

/* ---- resize ---- */

/* Two passes, columns first, each rounded to 8 bits. A triangle filter as wide as one output pixel (at least
 * as one input pixel) is sampled in double precision and rounded to fixed point. Build without contraction of
 * floating-point expressions: a fused multiply-add would round differently from Pillow. */

enum { FRACTION_BITS = 22 }; /* 32 less 8 for the pixel and 2 for the sum */

typedef struct span {
    int32_t first, count; /* input pixels that this output pixel sums */
} span;

/* The most input pixels that one output pixel sums. */
static size_t filter_taps(size_t size, size_t out_size) {
    const size_t reach = size > out_size ? (size + out_size - 1) / out_size : 1;
    return 2 * reach + 1;
}

/* spans OUT [out_size], weights OUT [out_size][taps] */
static void filter(size_t size, size_t out_size, span *restrict spans, int32_t *restrict weights) {
    const size_t taps = filter_taps(size, out_size);
    const double scale = (double)size / (double)out_size;
    const double reach = scale < 1.0 ? 1.0 : scale;
    const double narrow = 1.0 / reach;
    for (size_t at = 0; at < out_size; at++, weights += taps) {
        const double centre = ((double)at + 0.5) * scale;
        int32_t first = (int32_t)(centre - reach + 0.5), end = (int32_t)(centre + reach + 0.5);
        if (first < 0) first = 0;
        if (end > (int32_t)size) end = (int32_t)size;
        spans[at] = (span){first, end - first};
        double total = 0.0;
        for (int pass = 0; pass < 2; pass++) /* first the sum, then each weight's share of it */
            for (int32_t tap = 0; tap < end - first; tap++) {
                const double apart = (tap + first - centre + 0.5) * narrow;
                const double height = apart < 0.0 ? 1.0 + apart : 1.0 - apart;
                const double weight = height > 0.0 ? height : 0.0;
                if (pass == 0) total += weight;
                else weights[tap] = (int32_t)(0.5 + weight / total * (1 << FRACTION_BITS));
            }
    }
}

static uint8_t clip(int32_t sum) {
    const int32_t value = sum >> FRACTION_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* out[i] for each of `values` neighbouring values: the weighted sum of `count` pixels that lie `step` apart. */
static void weighted_sum(const uint8_t *first, size_t step, int32_t count, const int32_t *weights, size_t values,
                         uint8_t *restrict out) {
    for (size_t i = 0; i < values; i++) {
        int32_t sum = 1 << (FRACTION_BITS - 1);
        for (int32_t tap = 0; tap < count; tap++) sum += first[(size_t)tap * step + i] * weights[tap];
        out[i] = clip(sum);
    }
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static size_t filter_bytes(size_t height, size_t width, size_t out_height, size_t out_width) {
    const size_t across = out_width * (sizeof(span) + filter_taps(width, out_width) * sizeof(int32_t));
    const size_t down = out_height * (sizeof(span) + filter_taps(height, out_height) * sizeof(int32_t));
    return larger(across, down);
}

size_t ep_resize_scratch_bytes(size_t height, size_t width, size_t out_height, size_t out_width) {
    return filter_bytes(height, width, out_height, out_width) + 3 * height * out_width;
}

void ep_resize_rgb(const uint8_t *rgb, size_t height, size_t width, size_t out_height, size_t out_width,
                   void *restrict scratch, uint8_t *restrict out) {
    span *spans = scratch;
    uint8_t *narrow = (uint8_t *)scratch + filter_bytes(height, width, out_height, out_width);

    int32_t *weights = (int32_t *)(spans + out_width);
    size_t taps = filter_taps(width, out_width);
    filter(width, out_width, spans, weights);
    for (size_t row = 0; row < height; row++)
        for (size_t at = 0; at < out_width; at++)
            weighted_sum(rgb + 3 * (row * width + (size_t)spans[at].first), 3, spans[at].count, weights + at * taps, 3,
                         narrow + 3 * (row * out_width + at));

    weights = (int32_t *)(spans + out_height);
    taps = filter_taps(height, out_height);
    filter(height, out_height, spans, weights);
    for (size_t at = 0; at < out_height; at++)
        weighted_sum(narrow + 3 * out_width * (size_t)spans[at].first, 3 * out_width, spans[at].count,
                     weights + at * taps, 3 * out_width, out + 3 * out_width * at);
}
