/* What the kernels see: steps whose every reference is checked and resolved to a pointer. */
#ifndef EDGEPATHO_NETWORK_H
#define EDGEPATHO_NETWORK_H

#include <stdbool.h>

#include "edgepatho/core.h"
#include "threads.h"

enum {
    CHUNK = 16, /* tiles (or pixels) that pass through a product together: their inputs stay in the first caches */
    BATCH = 64, /* tiles whose products of one output block are held at once, when all inputs are resident */
};

/* How a convolution becomes products of matrices: planes of transformed inputs and weights, one product each. */
typedef struct ep_form {
    size_t taps;         /* stored weights of one (input, output) pair */
    size_t input_planes;
    size_t planes;       /* of weights and products */
} ep_form;

static const ep_form ep_forms[EP_OPERATIONS] = {
    [EP_POINTWISE] = {1, 1, 1},
    [EP_WINOGRAD] = {9, 36, 36},
    [EP_UPSAMPLED] = {9, 9, 25},
};

static inline bool ep_is_convolution(ep_operation operation) { return ep_forms[operation].taps != 0; }

typedef struct ep_view {
    void *data; /* elements [rows][width][channels]; NULL: no map */
    size_t height, width, channels, rows;
} ep_view;

typedef struct ep_bound_step {
    ep_operation operation;
    ep_view source[EP_SOURCES];
    size_t source_channels[EP_SOURCES];
    size_t source_count;
    bool enlarged;
    ep_view output;
    size_t output_channels, output_start;
    size_t dilation;
    const uint8_t *weights;
    ep_weights weight_kind;
    const float *codebook;
    const float *scale, *shift, *slope; /* slope: NULL if no activation follows */
    ep_view add;
    bool add_enlarged;
    const float *post_scale, *post_shift, *post_slope; /* NULL if absent */
    void *resident;
    size_t depth;        /* stored input channels over all sources: length of a product */
    size_t blocks;       /* of output channels */
    size_t tiles_across; /* tiles (pixels of a 1x1 convolution) in a row of tiles */
    size_t tile_rows;
    size_t resident_tiles; /* tiles of the whole map, padded, when the inputs are resident */
} ep_bound_step;

typedef struct ep_call { /* one task of one inference */
    const ep_network *network;
    const ep_bound_step *step;
    size_t begin, end;    /* of the task */
    const uint8_t *image; /* EP_IMAGE */
    float *result;        /* EP_RESULT */
} ep_call;

/* Do one item of a task: a chunk of tiles, an output block or a row. `scratch` belongs to the thread. */
typedef void ep_kernel(const ep_call *call, size_t item, void *scratch);

struct ep_level {
    ep_level_facts facts;
    size_t tiles; /* of one product of the micro-kernel; divides CHUNK */
    ep_kernel *kernels[EP_PARTS];
};

typedef struct ep_level ep_level;

const ep_level *ep_level_get(const char *name, size_t element_bytes);

struct ep_network {
    const ep_level *level;
    ep_bound_step *steps;
    ep_task *tasks;
    size_t task_count;
    float *parameters;
    void *arena;
    void *zeros;      /* as many elements as the widest map has channels */
    void *pixel_values; /* elements [256]: value / divisor */
    char *scratch;    /* [threads][scratch_bytes] */
    size_t scratch_bytes, bytes;
    size_t image_height, image_width, image_channels;
    size_t result_height, result_width, result_channels;
    ep_pool *pool;
};

#endif
