/* The micro-kernel: m[TILES][BLOCK] = sum over k of v[k][TILES] * u[k][BLOCK].
 *
 * v: [depth / LANES][row], each row beginning with [TILES][LANES]
 * u: [depth][BLOCK]
 * m: [TILES][BLOCK]
 * depth: at least LANES, a multiple of it
 * row: at least TILES * LANES
 * one_vector: only the first vector of the block's channels is needed */
#ifndef EDGEPATHO_PRODUCT_H
#define EDGEPATHO_PRODUCT_H

#include <assert.h>
#include <stdbool.h>

#include "vector.h"

#ifdef __aarch64__
/* All 32 registers are used, which compilers do not manage: 16 sums (v16 to v31, two a tile), the inputs of 8 tiles
 * (v0 to v7), pairs of weights (v8 to v15). A step covers as many k as a vector has lanes. The first step multiplies
 * instead of clearing the sums, the last one stores each sum as soon as it is complete. */
#ifdef EP_HALF
#define VEC ".8h"
#define LANE ".h"
#else
#define VEC ".4s"
#define LANE ".s"
#endif
#define KEEP(tile, low, high)
#define STORE(tile, low, high) "stp q" #low ", q" #high ", [%[m], #32 * " #tile "]\n"
#define STORE_NARROW(tile, low, high) "str q" #low ", [%[m], #32 * " #tile "]\n"
#define WIDE(second) second
#define NARROW(second)
#define TILE(width, op, end, tile, low, high, u0, u1, lane) \
    op " v" #low VEC ", v" #u0 VEC ", v" #tile LANE "[" #lane "]\n" \
    width(op " v" #high VEC ", v" #u1 VEC ", v" #tile LANE "[" #lane "]\n") end(tile, low, high)
#define TILES_OF(width, op, end, u0, u1, lane) \
    TILE(width, op, end, 0, 16, 17, u0, u1, lane) TILE(width, op, end, 1, 18, 19, u0, u1, lane) \
    TILE(width, op, end, 2, 20, 21, u0, u1, lane) TILE(width, op, end, 3, 22, 23, u0, u1, lane) \
    TILE(width, op, end, 4, 24, 25, u0, u1, lane) TILE(width, op, end, 5, 26, 27, u0, u1, lane) \
    TILE(width, op, end, 6, 28, 29, u0, u1, lane) TILE(width, op, end, 7, 30, 31, u0, u1, lane)
#define INPUTS "ldp q0, q1, [%[v]]\n ldp q2, q3, [%[v], #32]\n ldp q4, q5, [%[v], #64]\n ldp q6, q7, [%[v], #96]\n"
#define NEXT_INPUTS "add %[v], %[v], %[row]\n"
#define WEIGHTS(low, high, k) "ldp q" #low ", q" #high ", [%[u], #32 * " #k "]\n"
#ifdef EP_HALF
#define STEP(width, first, end) \
    INPUTS NEXT_INPUTS WEIGHTS(8, 9, 0) \
    WEIGHTS(10, 11, 1) TILES_OF(width, first, KEEP, 8, 9, 0) \
    WEIGHTS(12, 13, 2) TILES_OF(width, "fmla", KEEP, 10, 11, 1) \
    WEIGHTS(14, 15, 3) TILES_OF(width, "fmla", KEEP, 12, 13, 2) \
    WEIGHTS(8, 9, 4) TILES_OF(width, "fmla", KEEP, 14, 15, 3) \
    WEIGHTS(10, 11, 5) TILES_OF(width, "fmla", KEEP, 8, 9, 4) \
    WEIGHTS(12, 13, 6) TILES_OF(width, "fmla", KEEP, 10, 11, 5) \
    WEIGHTS(14, 15, 7) TILES_OF(width, "fmla", KEEP, 12, 13, 6) \
    "add %[u], %[u], #256\n" TILES_OF(width, "fmla", end, 14, 15, 7)
#elif defined EP_A53
#include "product_a53.h"
#else
#define STEP(width, first, end) \
    INPUTS NEXT_INPUTS WEIGHTS(8, 9, 0) \
    WEIGHTS(10, 11, 1) TILES_OF(width, first, KEEP, 8, 9, 0) \
    WEIGHTS(12, 13, 2) TILES_OF(width, "fmla", KEEP, 10, 11, 1) \
    WEIGHTS(14, 15, 3) TILES_OF(width, "fmla", KEEP, 12, 13, 2) \
    "add %[u], %[u], #128\n" TILES_OF(width, "fmla", end, 14, 15, 3)
#endif
#ifndef EP_A53
#define BEGIN
#define AFTER KEEP
#define SPARE
#endif

#define PRODUCT(width, store) \
    __asm__ volatile( \
        BEGIN "subs %[k], %[k], %[step]\n b.eq 3f\n" STEP(width, "fmul", AFTER) \
        "subs %[k], %[k], %[step]\n b.eq 2f\n" \
        "1:\n" STEP(width, "fmla", AFTER) \
        "subs %[k], %[k], %[step]\n b.ne 1b\n" \
        "2:\n" STEP(width, "fmla", store) "b 4f\n" \
        "3:\n" STEP(width, "fmul", store) \
        "4:\n" \
        : [v] "+r"(v), [u] "+r"(u), [k] "+r"(depth) \
        : [m] "r"(m), [row] "r"(row), [step] "i"(LANES) \
        : "memory", "cc", SPARE "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", \
          "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", \
          "v28", "v29", "v30", "v31")

INLINE void product(const element *restrict v, const element *restrict u, element *restrict m, size_t depth,
                    size_t row, bool one_vector) {
    assert(depth > 0 && depth % LANES == 0 && row >= TILES * LANES);
    row *= sizeof(element);
    if (one_vector)
        PRODUCT(NARROW, STORE_NARROW);
    else
        PRODUCT(WIDE, STORE);
}
#else
INLINE void product_of(const element *restrict v, const element *restrict u, element *restrict m, size_t depth,
                       size_t row, size_t vectors) {
    vec sum[TILES][VECTORS] = {0};
    for (size_t k = 0; k < depth; k += LANES, v += row) {
        for (size_t lane = 0; lane < LANES; lane++, u += BLOCK) {
            vec weight[VECTORS];
            UNROLL for (size_t j = 0; j < vectors; j++) weight[j] = load(u + j * LANES);
            UNROLL for (size_t t = 0; t < TILES; t++) {
                const vec input = (vec){0} + v[t * LANES + lane];
                UNROLL for (size_t j = 0; j < vectors; j++) sum[t][j] += input * weight[j];
            }
        }
    }
    UNROLL for (size_t t = 0; t < TILES; t++)
        UNROLL for (size_t j = 0; j < vectors; j++) store(m + t * BLOCK + j * LANES, sum[t][j]);
}

INLINE void product(const element *restrict v, const element *restrict u, element *restrict m, size_t depth,
                    size_t row, bool one_vector) {
    assert(depth > 0 && depth % LANES == 0 && row >= TILES * LANES);
    if (one_vector)
        product_of(v, u, m, depth, row, 1);
    else
        product_of(v, u, m, depth, row, VECTORS);
}
#endif

#endif
