/* An instruction set: the kernels compiled for it, and their sizes. */
#ifndef EDGEPATHO_ISA_H
#define EDGEPATHO_ISA_H

#include "step.h"

typedef struct ep_isa {
    ep_isa_facts facts;
    ep_kernel *kernels[EP_PARTS];
} ep_isa;

/* Like ep_isa_find, but NULL if unavailable. */
const ep_isa *ep_isa_get(const char *name, size_t element_bytes);

#endif
