/* Validation: every field of a plan is checked here before it becomes a pointer. */
#ifndef EDGEPATHO_BIND_H
#define EDGEPATHO_BIND_H

#include "step.h"

typedef struct ep_requirements {
    size_t scratch_bytes; /* of one thread */
    size_t widest_map;    /* stored channels */
} ep_requirements;

/* True if every step of `plan` stays within its maps, its maps within the arena, its weights and parameters within
 * their buffers; otherwise `failure` says why. */
bool ep_check(const ep_plan *plan, const ep_isa_facts *isa, ep_requirements *need, ep_failure *failure);

/* Step i of a checked plan, its references resolved to `arena`, `parameters` and the plan's weights. */
ep_bound_step ep_bind(const ep_plan *plan, size_t i, const ep_isa_facts *isa, void *arena, const float *parameters);

#endif
