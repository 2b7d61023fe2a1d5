/* A network: the memory of a checked plan, and its inferences. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bind.h"
#include "geometry.h"
#include "isa.h"
#include "threads.h"

enum { CACHE_LINE = 64 };

struct ep_network {
    const ep_isa *isa;
    ep_inference inference; /* without image and result */
    ep_bound_step *steps;
    ep_task *tasks;
    size_t task_count;
    float *parameters;
    void *arena, *zeros, *pixel_values; /* elements, see ep_inference */
    char *scratch;                      /* [threads][scratch_bytes] */
    size_t scratch_bytes, bytes;
    ep_pool *pool;
};

static void *allocate(ep_network *net, size_t bytes) {
    bytes = round_up(bytes, CACHE_LINE);
    void *memory = aligned_alloc(CACHE_LINE, bytes);
    if (memory) {
        memset(memory, 0, bytes);
        net->bytes += bytes;
    }
    return memory;
}

static void set_element(const ep_isa *isa, void *elements, size_t i, float value) {
    if (isa->facts.element_bytes == sizeof(float)) {
        ((float *)elements)[i] = value;
        return;
    }
#if defined __aarch64__
    ((_Float16 *)elements)[i] = (_Float16)value;
#endif
}

ep_status ep_network_create(const ep_plan *plan, const char *isa_name, size_t threads, ep_network **network,
                            ep_failure *failure) {
    *failure = (ep_failure){"", 0};
    if (threads < 1 || threads > EP_MAX_THREADS) return EP_BAD_THREADS;
    const ep_isa *isa = ep_isa_get(isa_name, sizeof(float));
    if (!isa) return EP_BAD_ISA;
    ep_requirements need;
    if (!ep_check(plan, &isa->facts, &need, failure)) return EP_BAD_PLAN;

    ep_network *net = calloc(1, sizeof *net);
    if (!net) return EP_NO_MEMORY;
    net->isa = isa;
    net->bytes = sizeof *net;
    net->task_count = plan->task_count;
    net->scratch_bytes = round_up(need.scratch_bytes, CACHE_LINE);

    const size_t element = isa->facts.element_bytes;
    net->steps = allocate(net, plan->step_count * sizeof *net->steps);
    net->tasks = allocate(net, plan->task_count * sizeof *net->tasks);
    net->parameters = allocate(net, plan->parameter_count * sizeof(float));
    net->arena = allocate(net, plan->arena_elements * element);
    net->zeros = allocate(net, need.widest_map * element);
    net->pixel_values = allocate(net, 256 * element);
    net->scratch = allocate(net, threads * net->scratch_bytes);
    if (!net->steps || !net->tasks || !net->parameters || !net->arena || !net->zeros || !net->pixel_values ||
        !net->scratch) {
        ep_network_destroy(net);
        return EP_NO_MEMORY;
    }
    memcpy(net->tasks, plan->tasks, plan->task_count * sizeof *net->tasks);
    memcpy(net->parameters, plan->parameters, plan->parameter_count * sizeof(float));
    for (size_t i = 0; i < 256; i++) set_element(isa, net->pixel_values, i, (float)i / plan->image_divisor);
    for (size_t i = 0; i < plan->step_count; i++)
        net->steps[i] = ep_bind(plan, i, &isa->facts, net->arena, net->parameters);
    net->inference = (ep_inference){
        .image_height = plan->image_height,
        .image_width = plan->image_width,
        .image_channels = plan->image_channels,
        .pixel_values = net->pixel_values,
        .result_height = plan->result_height,
        .result_width = plan->result_width,
        .result_channels = plan->result_channels,
        .zeros = net->zeros,
    };

    net->pool = ep_pool_create(threads);
    if (!net->pool) {
        ep_network_destroy(net);
        return EP_NO_THREAD;
    }
    *network = net;
    return EP_OK;
}

typedef struct job {
    ep_call call;
    ep_kernel *kernel;
    char *scratch; /* of all threads */
    size_t scratch_bytes;
} job;

static void work(void *context, size_t item, size_t thread) {
    const job *now = context;
    now->kernel(&now->call, item, now->scratch + thread * now->scratch_bytes);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

ep_status ep_network_run(ep_network *net, const uint8_t *image, size_t image_size, float *output,
                         size_t output_size, uint64_t *step_ns) {
    ep_inference inference = net->inference;
    if (image_size != inference.image_height * inference.image_width * inference.image_channels ||
        output_size != inference.result_height * inference.result_width * inference.result_channels)
        return EP_BAD_IMAGE;
    inference.image = image;
    inference.result = output;
    for (size_t i = 0; i < net->task_count; i++) {
        const ep_task *task = &net->tasks[i];
        job now = {.call = {.inference = &inference,
                            .step = &net->steps[task->step],
                            .begin = (size_t)task->begin,
                            .end = (size_t)task->end},
                   .kernel = net->isa->kernels[task->part],
                   .scratch = net->scratch,
                   .scratch_bytes = net->scratch_bytes};
        size_t first = now.call.begin, end = now.call.end;
        if (task->part == EP_TILES || task->part == EP_INPUTS) { /* items are chunks of tiles */
            end = ceil_div((end - first) * now.call.step->tiles_across, CHUNK);
            first = 0;
        } else if (task->part == EP_BLOCKS) {
            end = now.call.step->blocks;
            first = 0;
        }
        const uint64_t start = step_ns ? now_ns() : 0;
        ep_pool_run(net->pool, work, &now, first, end);
        if (step_ns) step_ns[task->step] += now_ns() - start;
    }
    return EP_OK;
}

size_t ep_network_bytes(const ep_network *network) { return network->bytes; }

void ep_network_destroy(ep_network *net) {
    if (!net) return;
    ep_pool_destroy(net->pool);
    free(net->steps);
    free(net->tasks);
    free(net->parameters);
    free(net->arena);
    free(net->zeros);
    free(net->pixel_values);
    free(net->scratch);
    free(net);
}
