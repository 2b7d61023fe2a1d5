/* The one place that believes nothing: every field of a plan is checked here before a pointer is made of it. */
#ifndef EDGEPATHO_BIND_H
#define EDGEPATHO_BIND_H

#include "network.h"

typedef struct ep_requirements {
    size_t scratch_bytes; /* of one thread */
    size_t widest_map;    /* stored channels */
} ep_requirements;

/* True if every step of `plan` stays within its maps, its maps within the arena, its weights and parameters within
 * their buffers; else the reason is in `failure`. */
bool ep_check(const ep_plan *plan, const ep_level *level, ep_requirements *need, ep_failure *failure);

/* Resolve the references of step i of a checked plan into net->steps[i]. */
void ep_bind(const ep_plan *plan, size_t i, ep_network *net);

#endif
