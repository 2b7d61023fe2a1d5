/* Input and output transforms: between pixels and the planes in which a convolution is a product.
 *
 * F(4x4, 3x3) is Lavin and Gray's. The enlarged form is ours: a 3x3 convolution (a b c) of a nearest-x2 enlarged row
 * is two convolutions of 2 taps on the row itself, (a, b+c) for even and (a+b, c) for odd outputs. By Karatsuba each
 * takes 3 products for 2 outputs, and their middle product, (a+b+c) times the middle pixel, is the same: 5 products
 * for 4 outputs, 25 for a tile of 4x4. */
#ifndef EDGEPATHO_TRANSFORMS_H
#define EDGEPATHO_TRANSFORMS_H

#include "vector.h"

/* B of F(4, 3). */
INLINE void winograd_inputs(const vec in[6], vec out[6]) {
    const vec outer = in[4] - in[2], inner = in[3] - in[1], twice = inner + inner;
    const vec even = in[4] - in[2] * (element)4, odd = in[3] - in[1] * (element)4;
    out[0] = outer + (in[0] - in[2]) * (element)4;
    out[1] = even + odd;
    out[2] = even - odd;
    out[3] = outer + twice;
    out[4] = outer - twice;
    out[5] = (in[5] - in[3]) - inner * (element)4;
}

/* A of F(4, 3). */
INLINE void winograd_outputs(const vec in[6], vec out[4]) {
    const vec even1 = in[1] + in[2], odd1 = in[1] - in[2], even2 = in[3] + in[4], odd2 = in[3] - in[4];
    out[0] = in[0] + even1 + even2;
    out[1] = odd1 + odd2 * (element)2;
    out[2] = even1 + even2 * (element)4;
    out[3] = in[5] + odd1 + odd2 * (element)8;
}

/* Three neighbouring pixels; the first is one before the tile's own. */
INLINE void upsampled_inputs(const vec in[3], vec out[3]) {
    out[0] = in[0] - in[1];
    out[1] = in[1];
    out[2] = in[2] - in[1];
}

/* Products with a+b, a, a+b+c, c, b+c (upsampled_weights) -> enlarged pixels -1, 0, 1, 2 of the tile. */
INLINE void upsampled_outputs(const vec in[5], vec out[4]) {
    out[0] = in[0] + in[2];
    out[1] = in[1] + in[2];
    out[2] = in[3] + in[2];
    out[3] = in[4] + in[2];
}

/* Input plane that each of the five weight sums is multiplied with. */
static const uint8_t upsampled_input_of[5] = {0, 0, 1, 2, 2};

/* The plane that alone carries a constant: adding to it adds to every output of the tile. */
enum { WINOGRAD_CONSTANT = 1 * 6 + 1, UPSAMPLED_CONSTANT = 2 * 5 + 2 };

/* Transform a square of points x points pixels, one vector of channels. in: [points][points] */
INLINE void transform_inputs(const vec *in, element *restrict planes, size_t plane, size_t points,
                             void transform(const vec *, vec *)) {
    vec columns[6][6], line[6], done[6];
    UNROLL for (size_t x = 0; x < points; x++) {
        UNROLL for (size_t y = 0; y < points; y++) line[y] = in[y * points + x];
        transform(line, columns[x]);
    }
    UNROLL for (size_t y = 0; y < points; y++) {
        UNROLL for (size_t x = 0; x < points; x++) line[x] = columns[x][y];
        transform(line, done);
        UNROLL for (size_t x = 0; x < points; x++) store(planes + (y * points + x) * plane, done[x]);
    }
}

/* Back to 4x4 pixels of one vector of channels; `shift` joins the plane `constant`. */
INLINE void transform_outputs(const element *restrict planes, size_t plane, size_t points, size_t constant, vec shift,
                              void transform(const vec *, vec *), vec pixels[16]) {
    vec columns[6][4], line[6];
    UNROLL for (size_t x = 0; x < points; x++) {
        UNROLL for (size_t y = 0; y < points; y++) {
            line[y] = load(planes + (y * points + x) * plane);
            if (y * points + x == constant) line[y] += shift;
        }
        transform(line, columns[x]);
    }
    UNROLL for (size_t y = 0; y < 4; y++) {
        UNROLL for (size_t x = 0; x < points; x++) line[x] = columns[x][y];
        transform(line, pixels + 4 * y);
    }
}

#endif
