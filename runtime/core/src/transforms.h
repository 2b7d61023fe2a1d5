/* Input and output transforms: between pixels and the planes in which a convolution is a product.
 *
 * F(4x4, 3x3) is Lavin and Gray's. The enlarged form is ours: a 3x3 convolution (a b c) of a nearest-x2 enlarged row
 * is two convolutions of 2 taps on the row itself, (a, b+c) for even and (a+b, c) for odd outputs. By Karatsuba each
 * takes 3 products for 2 outputs, and they share the middle one, (a+b+c) times the middle pixel: 5 products for 4
 * outputs, 25 for a tile of 4x4. */
#ifndef EDGEPATHO_TRANSFORMS_H
#define EDGEPATHO_TRANSFORMS_H

#include "geometry.h"
#include "vector.h"

/* Of one chunk: inputs [depth / LANES][planes][CHUNK][LANES], products [planes][CHUNK][BLOCK]. The distance between
 * planes is a constant, so that 36 of them need one pointer. */
enum { INPUT_PLANE = CHUNK * LANES, OUTPUT_PLANE = CHUNK * BLOCK };

/* One column of B^T d of F(4, 3):
 *
 *           | 4  0 -5  0  1  0 |
 *           | 0 -4 -4  1  1  0 |
 *     B^T = | 0  4 -4 -1  1  0 |
 *           | 0 -2 -1  2  1  0 |
 *           | 0  2 -1 -2  1  0 |
 *           | 0  4  0 -5  0  1 |
 *
 * Rows 1 and 2, and rows 3 and 4, are sum and difference of the same two terms. */
INLINE void input_column(const vec in[6], vec out[6]) {
    const vec outer = in[4] - in[2], inner = in[3] - in[1], twice = inner + inner;
    const vec even = in[4] - in[2] * (element)4, odd = inner - in[1] * (element)3;
    out[0] = (even - in[2]) + in[0] * (element)4;
    out[1] = even + odd;
    out[2] = even - odd;
    out[3] = outer + twice;
    out[4] = outer - twice;
    out[5] = in[5] - (in[3] + twice * (element)2);
}

/* One column of A^T m of F(4, 3), by sums and differences of planes 1 and 2 (points 1, -1) and 3 and 4 (2, -2):
 *
 *           | 1  1  1  1  1  0 |
 *     A^T = | 0  1 -1  2 -2  0 |
 *           | 0  1  1  4  4  0 |
 *           | 0  1 -1  8 -8  1 | */
INLINE void output_column(const vec in[6], vec out[4]) {
    const vec even1 = in[1] + in[2], odd1 = in[1] - in[2], even2 = in[3] + in[4], odd2 = in[3] - in[4];
    out[0] = in[0] + even1 + even2;
    out[1] = odd1 + odd2 * (element)2;
    out[2] = even1 + even2 * (element)4;
    out[3] = in[5] + odd1 + odd2 * (element)8;
}

/* The planes that alone carry a constant: adding to one adds to every output of the tile. */
enum { WINOGRAD_CONSTANT = 1 * 6 + 1, UPSAMPLED_CONSTANT = 2 * 5 + 2 };

/* B^T d B. pixels_of(x, column) loads the six pixels of column x; the result goes to 36 planes from `out` on.
 *
 * The rows are transformed as the columns are loaded: 1 to 4 first, which four of the six results need, then 0 and 5
 * for one each. So at most 24 values are live, and nothing waits for the last column. */
#define TRANSFORM_INPUTS(pixels_of, out) \
    do { \
        vec column[6], c1[6], c2[6], c3[6], c4[6], first[6], last[6]; \
        pixels_of(1, column), input_column(column, c1); \
        pixels_of(2, column), input_column(column, c2); \
        pixels_of(3, column), input_column(column, c3); \
        pixels_of(4, column), input_column(column, c4); \
        UNROLL for (size_t y = 0; y < 6; y++) { \
            const vec outer = c4[y] - c2[y], inner = c3[y] - c1[y], twice = inner + inner; \
            const vec even = c4[y] - c2[y] * (element)4, odd = inner - c1[y] * (element)3; \
            store((out) + (6 * y + 1) * INPUT_PLANE, even + odd); \
            store((out) + (6 * y + 2) * INPUT_PLANE, even - odd); \
            store((out) + (6 * y + 3) * INPUT_PLANE, outer + twice); \
            store((out) + (6 * y + 4) * INPUT_PLANE, outer - twice); \
            first[y] = even - c2[y]; \
            last[y] = c3[y] + twice * (element)2; \
        } \
        pixels_of(0, column), input_column(column, c1); \
        UNROLL for (size_t y = 0; y < 6; y++) store((out) + 6 * y * INPUT_PLANE, first[y] + c1[y] * (element)4); \
        pixels_of(5, column), input_column(column, c1); \
        UNROLL for (size_t y = 0; y < 6; y++) store((out) + (6 * y + 5) * INPUT_PLANE, c1[y] - last[y]); \
    } while (0)

INLINE void load_column(const element *planes, size_t points, size_t x, vec *out) {
    UNROLL for (size_t y = 0; y < points; y++) out[y] = load(planes + (y * points + x) * OUTPUT_PLANE);
}

/* A^T m A, in the same order, to 4x4 pixels; `shift` is added to the plane that carries constants. */
INLINE void winograd_outputs(const element *restrict planes, vec shift, vec pixels[16]) {
    vec m[6], c1[4], c2[4], c3[4], c4[4];
    load_column(planes, 6, 1, m);
    m[WINOGRAD_CONSTANT / 6] += shift;
    output_column(m, c1);
    load_column(planes, 6, 2, m), output_column(m, c2);
    load_column(planes, 6, 3, m), output_column(m, c3);
    load_column(planes, 6, 4, m), output_column(m, c4);
    UNROLL for (size_t y = 0; y < 4; y++) {
        const vec even1 = c1[y] + c2[y], odd1 = c1[y] - c2[y], even2 = c3[y] + c4[y], odd2 = c3[y] - c4[y];
        pixels[4 * y] = even1 + even2;
        pixels[4 * y + 1] = odd1 + odd2 * (element)2;
        pixels[4 * y + 2] = even1 + even2 * (element)4;
        pixels[4 * y + 3] = odd1 + odd2 * (element)8;
    }
    load_column(planes, 6, 0, m), output_column(m, c1);
    UNROLL for (size_t y = 0; y < 4; y++) pixels[4 * y] += c1[y];
    load_column(planes, 6, 5, m), output_column(m, c1);
    UNROLL for (size_t y = 0; y < 4; y++) pixels[4 * y + 3] += c1[y];
}

/* Input plane that each of the five weight sums is multiplied by. */
static const uint8_t upsampled_input_of[5] = {0, 0, 1, 2, 2};

/* B^T d B of 3x3 neighbouring pixels, the first one before the tile's own: differences to the middle one.
 *
 *           | 1 -1  0 |
 *     B^T = | 0  1  0 |
 *           | 0 -1  1 | */
INLINE void upsampled_inputs(const vec in[9], element *restrict out) {
    vec rows[3][3];
    UNROLL for (size_t x = 0; x < 3; x++) {
        rows[0][x] = in[x] - in[3 + x];
        rows[1][x] = in[3 + x];
        rows[2][x] = in[6 + x] - in[3 + x];
    }
    UNROLL for (size_t y = 0; y < 3; y++) {
        store(out + 3 * y * INPUT_PLANE, rows[y][0] - rows[y][1]);
        store(out + (3 * y + 1) * INPUT_PLANE, rows[y][1]);
        store(out + (3 * y + 2) * INPUT_PLANE, rows[y][2] - rows[y][1]);
    }
}

/* A^T m A: products with a+b, a, a+b+c, c, b+c (upsampled_weights) -> enlarged pixels -1, 0, 1, 2.
 *
 *           | 1  0  1  0  0 |
 *     A^T = | 0  1  1  0  0 |
 *           | 0  0  1  1  0 |
 *           | 0  0  1  0  1 | */
INLINE void upsampled_outputs(const element *restrict planes, vec shift, vec pixels[16]) {
    static const uint8_t outer[4] = {0, 1, 3, 4};
    vec m[5], middle[4], column[4];
    load_column(planes, 5, 2, m);
    m[UPSAMPLED_CONSTANT / 5] += shift;
    UNROLL for (size_t y = 0; y < 4; y++) middle[y] = m[outer[y]] + m[2];
    UNROLL for (size_t x = 0; x < 4; x++) {
        load_column(planes, 5, outer[x], m);
        UNROLL for (size_t y = 0; y < 4; y++) column[y] = m[outer[y]] + m[2];
        UNROLL for (size_t y = 0; y < 4; y++) pixels[4 * y + x] = column[y] + middle[y];
    }
}

#endif
