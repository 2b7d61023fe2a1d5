/* A step as the kernels see it: every reference checked and resolved to a pointer. */
#ifndef EDGEPATHO_STEP_H
#define EDGEPATHO_STEP_H

#include <stdbool.h>

#include "edgepatho/core.h"

typedef struct ep_view {
    void *data; /* elements [rows][width][channels]; NULL: no map */
    size_t height, width, channels, rows;
} ep_view;

typedef struct ep_bound_step {
    ep_operation operation;
    ep_view source[EP_MAX_SOURCES];
    size_t source_channels[EP_MAX_SOURCES];
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
    size_t depth;        /* stored input channels of all sources: depth of a product */
    size_t blocks;       /* of output channels */
    size_t tiles_across; /* tiles (pixels of a 1x1 convolution) per row of tiles */
    size_t tile_rows;
} ep_bound_step;

typedef struct ep_inference { /* what the steps of one inference share */
    const uint8_t *image;     /* [image_height][image_width][image_channels] */
    size_t image_height, image_width, image_channels;
    const void *pixel_values; /* elements [256]: value / divisor */
    float *result;            /* [result_height][result_width][result_channels] */
    size_t result_height, result_width, result_channels;
    void *zeros;              /* as many elements as the widest map has channels; never written */
} ep_inference;

typedef struct ep_call { /* one task of one inference */
    const ep_inference *inference;
    const ep_bound_step *step;
    size_t begin, end; /* of the task */
} ep_call;

/* Do one item of a task: a chunk of tiles, an output block or a row. `scratch` belongs to the thread. */
typedef void ep_kernel(const ep_call *call, size_t item, void *scratch);

#endif
