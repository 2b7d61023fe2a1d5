/* The compiled instruction sets, best first, and which of them this processor supports. */
#include "isa.h"

#include <string.h>

#ifdef __aarch64__
#include <sys/auxv.h>

static bool has_neon(void) { return true; }

static bool has_fp16(void) {
    const unsigned long fphp = 1ul << 9, asimdhp = 1ul << 10; /* HWCAP_FPHP, HWCAP_ASIMDHP */
    return (getauxval(AT_HWCAP) & (fphp | asimdhp)) == (fphp | asimdhp);
}

/* The in-order core of a Pi 3 needs different loads in the inner loop. */
static bool is_cortex_a53(void) {
    const unsigned long cpuid = 1ul << 11; /* HWCAP_CPUID: the register is readable */
    if (!(getauxval(AT_HWCAP) & cpuid)) return false;
    uint64_t midr;
    __asm__("mrs %0, MIDR_EL1" : "=r"(midr));
    return (midr & 0xff00fff0u) == 0x4100d030u; /* Arm, part 0xd03 */
}
#else
#include <cpuid.h>

static bool has_sse2(void) { return true; }
/* Asks the processor itself: __builtin_cpu_supports does not work when compiled by zig. */
static bool has(unsigned leaf_1_ecx, unsigned leaf_7_ebx, unsigned saved_by_system) {
    unsigned a, b, c, d, saved;
    const unsigned xsave = 1u << 27; /* the system saves registers; XGETBV says which */
    if (!__get_cpuid(1, &a, &b, &c, &d) || ~c & (leaf_1_ecx | xsave)) return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || ~b & leaf_7_ebx) return false;
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(d) : "c"(0));
    return !(~saved & saved_by_system);
}

static bool has_avx2(void) { return has(1u << 28 | 1u << 12 /* AVX, FMA */, 1u << 5, 0x06); }
static bool has_avx512(void) { /* F, DQ, BW, VL */
    return has_avx2() && has(0, 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31, 0xe6);
}
#endif

#define ISA(name) extern const ep_isa ep_isa_##name;
#ifdef __aarch64__
ISA(neon_fp16) ISA(neon_a53) ISA(neon)
#else
ISA(avx512) ISA(avx2) ISA(sse2)
#endif

static const struct {
    const ep_isa *isa;
    bool (*available)(void); /* this processor supports it */
    bool (*preferred)(void); /* and it is the best one for its element type */
} isas[] = {
#ifdef __aarch64__
    {&ep_isa_neon_a53, has_neon, is_cortex_a53},
    {&ep_isa_neon, has_neon, has_neon},
    {&ep_isa_neon_fp16, has_fp16, has_fp16},
#else
    {&ep_isa_avx512, has_avx512, has_avx512},
    {&ep_isa_avx2, has_avx2, has_avx2},
    {&ep_isa_sse2, has_sse2, has_sse2},
#endif
};

enum { ISAS = sizeof isas / sizeof *isas };

const char *ep_isa_name(size_t i) { return i < ISAS ? isas[i].isa->facts.name : NULL; }

const ep_isa *ep_isa_get(const char *name, size_t element_bytes) {
    for (size_t i = 0; i < ISAS; i++) {
        const ep_isa_facts *facts = &isas[i].isa->facts;
        if (name ? strcmp(name, facts->name) == 0 && isas[i].available()
                 : facts->element_bytes == element_bytes && isas[i].preferred())
            return isas[i].isa;
    }
    return NULL;
}

ep_status ep_isa_find(const char *name, size_t element_bytes, ep_isa_facts *facts) {
    const ep_isa *isa = ep_isa_get(name, element_bytes);
    if (!isa) return EP_BAD_ISA;
    *facts = isa->facts;
    return EP_OK;
}
