/* From stored weights to the planes that inputs are multiplied by. Only one block is dense at a time. */
#ifndef EDGEPATHO_WEIGHTS_H
#define EDGEPATHO_WEIGHTS_H

#include "geometry.h"
#include "vector.h"

enum { STORED_BLOCK = 8 }; /* output channels side by side in the file */

/* Decode rows of eight 4-bit indices, low nibble first, looking up all eight at once in a codebook of 16 values. */
static void decode_nibbles(const uint8_t *restrict stored, const float *restrict codebook, size_t rows,
                           float *restrict out) {
#if defined __aarch64__
    const uint8x16x4_t bytes = vld4q_u8((const uint8_t *)codebook); /* the first bytes of the values, the second, ... */
#elif defined __AVX2__
    const __m256 lower = _mm256_loadu_ps(codebook), upper = _mm256_loadu_ps(codebook + 8);
    const __m256i shifts = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
#endif
    for (size_t r = 0; r < rows; r++, out += BLOCK) {
        uint32_t index;
        memcpy(&index, stored + r * 4, 4);
#if defined __aarch64__
        const uint8x8_t pairs = vcreate_u8(index);
        const uint8x8_t at = vzip1_u8(vand_u8(pairs, vdup_n_u8(15)), vshr_n_u8(pairs, 4));
        uint8x8x4_t values;
        UNROLL for (int i = 0; i < 4; i++) values.val[i] = vqtbl1_u8(bytes.val[i], at);
        vst4_u8((uint8_t *)out, values);
#elif defined __AVX2__
        const __m256i at = _mm256_srlv_epi32(_mm256_set1_epi32((int)index), shifts); /* in the low bits; 3 are used */
        const __m256 in_upper = _mm256_castsi256_ps(_mm256_slli_epi32(at, 28));      /* the fourth bit, as the sign */
        _mm256_storeu_ps(out, _mm256_blendv_ps(_mm256_permutevar8x32_ps(lower, at),
                                               _mm256_permutevar8x32_ps(upper, at), in_upper));
#else
        UNROLL for (int lane = 0; lane < 8; lane++) out[lane] = codebook[index >> 4 * lane & 15];
#endif
    }
}

/* Decode `rows` rows of 8 weights; row r goes to out[r * BLOCK .. + 8]. */
static void decode(const uint8_t *restrict stored, ep_weights kind, const float *restrict codebook, size_t rows,
                   float *restrict out) {
    switch (kind) {
    case EP_FLOAT32:
        for (size_t r = 0; r < rows; r++) memcpy(out + r * BLOCK, stored + r * 32, 32);
        break;
    case EP_INDEX8:
        for (size_t r = 0; r < rows; r++, out += BLOCK) {
            uint64_t index;
            memcpy(&index, stored + r * 8, 8);
            UNROLL for (int lane = 0; lane < 8; lane++) out[lane] = codebook[index >> 8 * lane & 255];
        }
        break;
    case EP_INDEX4: decode_nibbles(stored, codebook, rows, out); break;
    default: /* EP_INDEX16 */
        for (size_t r = 0; r < rows; r++, out += BLOCK) {
            uint16_t index[8];
            memcpy(index, stored + r * 16, 16);
            UNROLL for (int lane = 0; lane < 8; lane++) out[lane] = codebook[index[lane]];
        }
    }
}

static size_t stored_row_bytes(ep_weights kind) {
    return kind == EP_FLOAT32 ? 32 : kind == EP_INDEX4 ? 4 : kind == EP_INDEX8 ? 8 : 16;
}

/* Decode output block `block` to g: [depth][taps][BLOCK]; padding channels get weight 0. */
static void decode_block(const ep_bound_step *step, size_t block, float *restrict g) {
    const size_t taps = forms[step->operation].taps;
    size_t inputs = 0;
    for (size_t s = 0; s < step->source_count; s++) inputs += step->source_channels[s];
    const size_t row_bytes = stored_row_bytes(step->weight_kind);
    const size_t stored_blocks = (step->output_channels + STORED_BLOCK - 1) / STORED_BLOCK;

    for (size_t part = 0; part < BLOCK / STORED_BLOCK; part++) {
        const size_t stored_block = block * (BLOCK / STORED_BLOCK) + part;
        const uint8_t *stored = step->weights + stored_block * inputs * taps * row_bytes;
        float *out = g + part * STORED_BLOCK;
        for (size_t s = 0; s < step->source_count; s++) {
            size_t real = step->source_channels[s] * taps;
            const size_t padded = step->source[s].channels * taps;
            if (stored_block >= stored_blocks) real = 0;
            decode(stored, step->weight_kind, step->codebook, real, out);
            for (size_t r = real; r < padded; r++) memset(out + r * BLOCK, 0, STORED_BLOCK * sizeof *out);
            stored += real * row_bytes;
            out += padded * BLOCK;
        }
    }
}

/* One column of G g of F(4, 3): Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, for the
 * points 0, 1, -1, 2, -2 and infinity:
 *
 *         |  1/4    0    0  |
 *         | -1/6  -1/6 -1/6 |
 *     G = | -1/6   1/6 -1/6 |
 *         | 1/24   1/12 1/6 |
 *         | 1/24  -1/12 1/6 |
 *         |   0     0    1  | */
INLINE void winograd_weights(wide a, wide b, wide c, wide out[6]) {
    const wide outer = a + c, quarter = a * 0.25f + c, half = b * 0.5f;
    out[0] = a * 0.25f;
    out[1] = (outer + b) * (-1.0f / 6);
    out[2] = (outer - b) * (-1.0f / 6);
    out[3] = (quarter + half) * (1.0f / 6);
    out[4] = (quarter - half) * (1.0f / 6);
    out[5] = c;
}

/* The sums of neighbouring taps that an enlarged tile needs, see upsampled_outputs:
 *
 *         | 1 1 0 |
 *         | 1 0 0 |
 *     G = | 1 1 1 |
 *         | 0 0 1 |
 *         | 0 1 1 | */
INLINE void upsampled_weights(wide a, wide b, wide c, wide out[5]) {
    out[0] = a + b;
    out[1] = a;
    out[2] = a + b + c;
    out[3] = c;
    out[4] = b + c;
}

/* g: [depth][9][BLOCK] -> u: [planes][depth][BLOCK], times the output channel's scale. */
INLINE void transform_3x3(const float *restrict g, const float *restrict scale, element *restrict u, size_t depth,
                          size_t points, void transform(wide, wide, wide, wide *)) {
    const size_t plane = depth * BLOCK;
    for (size_t j = 0; j < BLOCK; j += LANES) {
        const wide factor = load_wide(scale + j);
        for (size_t k = 0; k < depth; k++) {
            const float *tap = g + k * 9 * BLOCK + j;
            wide columns[3][6], rows[6];
            UNROLL for (size_t x = 0; x < 3; x++)
                transform(load_wide(tap + x * BLOCK) * factor, load_wide(tap + (3 + x) * BLOCK) * factor,
                          load_wide(tap + (6 + x) * BLOCK) * factor, columns[x]);
            element *out = u + k * BLOCK + j;
            UNROLL for (size_t y = 0; y < points; y++) {
                transform(columns[0][y], columns[1][y], columns[2][y], rows);
                UNROLL for (size_t x = 0; x < points; x++) store(out + (y * points + x) * plane, narrow(rows[x]));
            }
        }
    }
}

static void transform_weights(const ep_bound_step *step, size_t block, const float *restrict g, element *restrict u) {
    const float *scale = step->scale + block * BLOCK;
    switch (step->operation) {
    case EP_WINOGRAD:
        transform_3x3(g, scale, u, step->depth, 6, winograd_weights);
        break;
    case EP_UPSAMPLED:
        transform_3x3(g, scale, u, step->depth, 5, upsampled_weights);
        break;
    default:
        for (size_t k = 0; k < step->depth * BLOCK; k += LANES)
            store(u + k, narrow(load_wide(g + k) * load_wide(scale + k % BLOCK)));
    }
}

#endif
