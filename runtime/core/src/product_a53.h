/* The step of product.h for the in-order Cortex-A53. A 128-bit load stalls the multiplications for two cycles, a 64-bit
 * one for one; a load to an integer register issues together with a multiplication, an insertion with a load (ncnn's
 * notes, "arm a53 a55 dual issue"). So vectors are loaded in halves between the multiplications: the weights of the
 * next k, and the next inputs of a tile as soon as its last sums have begun. */
#define LOW(to, from, at) "ldr d" #to ", [%[" #from "], #" #at "]\n"
#define HIGH(from, at) "ldr x9, [%[" #from "], #" #at " + 8]\n"
#define WHOLE(to) "ins v" #to ".d[1], x9\n"
#define SPARE "x9",

#define WITH_0(low, high, at) LOW(low, u, at)
#define WITH_1(low, high, at) HIGH(u, at)
#define WITH_2(low, high, at)
#define WITH_3(low, high, at) LOW(high, u, at + 16) WHOLE(low)
#define WITH_4(low, high, at) HIGH(u, at + 16)
#define WITH_5(low, high, at)
#define WITH_6(low, high, at) WHOLE(high)
#define WITH_7(low, high, at)
#define WEIGHTS_1(tile, low, high) WITH_##tile(10, 11, 32)
#define WEIGHTS_2(tile, low, high) WITH_##tile(12, 13, 64)
#define WEIGHTS_3(tile, low, high) WITH_##tile(14, 15, 96)

#define AFTER_0 LOW(0, v, 0)
#define AFTER_1 LOW(1, v, 16) WHOLE(0)
#define AFTER_2 LOW(2, v, 32) WHOLE(1)
#define AFTER_3 LOW(3, v, 48) WHOLE(2)
#define AFTER_4 LOW(4, v, 64) WHOLE(3)
#define AFTER_5 LOW(5, v, 80) WHOLE(4)
#define AFTER_6 LOW(6, v, 96) WHOLE(5)
#define AFTER_7 LOW(7, v, 112) WHOLE(6)
#define AFTER(tile, low, high) AFTER_##tile HIGH(v, 16 * tile)

#define BEGIN INPUTS HIGH(v, 112)
#define STEP(width, first, end) \
    WEIGHTS(8, 9, 0) WHOLE(7) NEXT_INPUTS TILES_OF(width, first, WEIGHTS_1, 8, 9, 0) \
    TILES_OF(width, "fmla", WEIGHTS_2, 10, 11, 1) TILES_OF(width, "fmla", WEIGHTS_3, 12, 13, 2) \
    "add %[u], %[u], #128\n" TILES_OF(width, "fmla", end, 14, 15, 3)
