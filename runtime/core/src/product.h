/* The micro-kernel: m[TILES][BLOCK] = sum over k of v[k][TILES] * u[k][BLOCK].
 *
 * v: [depth / LANES][stride][LANES], of which TILES neighbouring tiles are read
 * u: [depth][BLOCK]
 * m: [TILES][BLOCK] */
#ifndef EDGEPATHO_PRODUCT_H
#define EDGEPATHO_PRODUCT_H

#include "vector.h"

static inline void product(const element *restrict v, const element *restrict u, element *restrict m, size_t depth,
                           size_t stride) {
    vec sum[TILES][VECTORS] = {0};
    for (size_t k = 0; k < depth; k += LANES, v += stride * LANES) {
        for (size_t lane = 0; lane < LANES; lane++, u += BLOCK) {
            vec weight[VECTORS];
            UNROLL for (size_t j = 0; j < VECTORS; j++) weight[j] = load(u + j * LANES);
            UNROLL for (size_t t = 0; t < TILES; t++) {
                const vec input = (vec){0} + v[t * LANES + lane];
                UNROLL for (size_t j = 0; j < VECTORS; j++) sum[t][j] += input * weight[j];
            }
        }
    }
    UNROLL for (size_t t = 0; t < TILES; t++)
        UNROLL for (size_t j = 0; j < VECTORS; j++) store(m + t * BLOCK + j * LANES, sum[t][j]);
}

#endif
