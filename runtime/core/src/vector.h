/* Vectors in the compiler's vector extension: one source for all instruction sets. */
#ifndef EDGEPATHO_VECTOR_H
#define EDGEPATHO_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined __aarch64__
#include <arm_neon.h>
#elif defined __x86_64__
#include <immintrin.h>
#endif

/* LANES: elements of a vector. BLOCK: output channels of a product. TILES: tiles of a product. */
#if defined EP_HALF
enum { LANES = 8, BLOCK = 16, TILES = 8 };
#elif defined __AVX512F__
enum { LANES = 16, BLOCK = 16, TILES = 16 };
#elif defined __AVX2__
enum { LANES = 8, BLOCK = 8, TILES = 8 };
#else
enum { LANES = 4, BLOCK = 8, TILES = 8 };
#endif
enum { VECTORS = BLOCK / LANES };

#ifdef EP_HALF
typedef _Float16 element;
#else
typedef float element;
#endif

typedef element vec __attribute__((vector_size(LANES * sizeof(element))));
typedef element vec_unaligned
    __attribute__((vector_size(LANES * sizeof(element)), aligned(sizeof(element)), may_alias));
/* Weights are decoded and transformed in float32 for every element type, and rounded once. */
typedef float wide __attribute__((vector_size(LANES * sizeof(float))));
typedef float wide_unaligned __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

#define INLINE static inline __attribute__((always_inline))
#ifndef UNROLL /* empty with sanitizers, whose checks bloat unrolled code */
#define UNROLL _Pragma("GCC unroll 64")
#endif

INLINE vec load(const element *from) { return *(const vec_unaligned *)from; }
INLINE void store(element *to, vec value) { *(vec_unaligned *)to = value; }
INLINE wide load_wide(const float *from) { return *(const wide_unaligned *)from; }
INLINE vec splat(float value) { return (vec){0} + (element)value; }

INLINE vec narrow(wide value) {
#ifdef EP_HALF
    return __builtin_convertvector(value, vec);
#else
    return value;
#endif
}

/* The same value, unknown to the compiler, which would otherwise keep dozens of pointers for one address. */
INLINE size_t opaque(size_t value) {
    __asm__("" : "+r"(value));
    return value;
}

INLINE vec larger(vec a, vec b) {
#if defined EP_HALF
    return (vec)vmaxq_f16((float16x8_t)a, (float16x8_t)b);
#elif defined __aarch64__
    return (vec)vmaxq_f32((float32x4_t)a, (float32x4_t)b);
#elif defined __AVX512F__
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined __AVX2__
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return (vec)_mm_max_ps((__m128)a, (__m128)b);
#endif
}

#endif
