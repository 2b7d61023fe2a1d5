#include "network.h"

#include <stdlib.h>
#include <string.h>

#include "bind.h"

static void *allocate(ep_network *net, size_t bytes) {
    bytes = (bytes + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    if (memory) {
        memset(memory, 0, bytes);
        net->bytes += bytes;
    }
    return memory;
}

static void set_element(const ep_level *level, void *elements, size_t i, float value) {
    if (level->facts.element_bytes == sizeof(float)) {
        ((float *)elements)[i] = value;
        return;
    }
#if defined __aarch64__
    ((_Float16 *)elements)[i] = (_Float16)value;
#endif
}

ep_status ep_network_create(const ep_plan *plan, const char *level_name, size_t threads, ep_network **network,
                            ep_failure *failure) {
    *failure = (ep_failure){"", 0};
    if (threads < 1 || threads > EP_MAX_THREADS) return EP_BAD_THREADS;
    const ep_level *level = ep_level_get(level_name, sizeof(float));
    if (!level) return EP_BAD_LEVEL;
    ep_requirements need;
    if (!ep_check(plan, level, &need, failure)) return EP_BAD_PLAN;

    ep_network *net = calloc(1, sizeof *net);
    if (!net) return EP_NO_MEMORY;
    net->level = level;
    net->bytes = sizeof *net;
    net->task_count = plan->task_count;
    net->scratch_bytes = (need.scratch_bytes + 63) / 64 * 64;
    net->image_height = plan->image_height;
    net->image_width = plan->image_width;
    net->image_channels = plan->image_channels;
    net->result_height = plan->result_height;
    net->result_width = plan->result_width;
    net->result_channels = plan->result_channels;

    const size_t element = level->facts.element_bytes;
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
    for (size_t i = 0; i < 256; i++) set_element(level, net->pixel_values, i, (float)i / plan->image_divisor);
    for (size_t i = 0; i < plan->step_count; i++) ep_bind(plan, i, net);

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
} job;

static void work(void *context, size_t item, size_t thread) {
    const job *now = context;
    const ep_network *net = now->call.network;
    now->kernel(&now->call, item, net->scratch + thread * net->scratch_bytes);
}

ep_status ep_network_run(ep_network *net, const uint8_t *image, size_t image_size, float *output,
                         size_t output_size) {
    if (image_size != net->image_height * net->image_width * net->image_channels ||
        output_size != net->result_height * net->result_width * net->result_channels)
        return EP_BAD_IMAGE;
    for (size_t i = 0; i < net->task_count; i++) {
        const ep_task *task = &net->tasks[i];
        job now = {.kernel = net->level->kernels[task->part],
                   .call = {.network = net,
                            .step = &net->steps[task->step],
                            .begin = (size_t)task->begin,
                            .end = (size_t)task->end,
                            .image = image,
                            .result = output}};
        size_t first = now.call.begin, end = now.call.end;
        if (task->part == EP_TILES || task->part == EP_INPUTS) { /* items are chunks of tiles */
            end = ((end - first) * now.call.step->tiles_across + CHUNK - 1) / CHUNK;
            first = 0;
        }
        ep_pool_run(net->pool, work, &now, first, end);
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
