/* Sizes of steps: tiles, products, memory. The planner's twin is plan/geometry.py. */
#ifndef EDGEPATHO_GEOMETRY_H
#define EDGEPATHO_GEOMETRY_H

#include "step.h"

enum {
    CHUNK = 16, /* tiles (or pixels) that are multiplied together: their inputs stay in the inner caches */
    BATCH = 64, /* tiles whose products of one output block are held at once when all inputs are resident */
};

/* How a convolution becomes matrix products: planes of transformed inputs and weights, one product each. */
typedef struct ep_form {
    size_t taps;         /* stored weights of one (input, output) pair */
    size_t input_planes;
    size_t planes;       /* of weights and products */
} ep_form;

static const ep_form forms[EP_OPERATIONS] = {
    [EP_POINTWISE] = {1, 1, 1},
    [EP_WINOGRAD] = {9, 36, 36},
    [EP_UPSAMPLED] = {9, 9, 25},
};

static inline bool is_convolution(ep_operation operation) { return forms[operation].taps != 0; }

static inline size_t ceil_div(size_t value, size_t unit) { return (value + unit - 1) / unit; }

static inline size_t round_up(size_t value, size_t unit) { return ceil_div(value, unit) * unit; }

/* Tiles of 4 outputs, `d` apart, that cover `extent` outputs in all d phases. */
static inline size_t tiles_along(size_t extent, size_t d) {
    const size_t rest = extent % (4 * d);
    return extent / (4 * d) * d + (rest < d ? rest : d);
}

/* Derive the sizes of a convolution from its maps, for blocks of `block` output channels. */
static inline void set_geometry(ep_bound_step *step, size_t block) {
    const ep_view *out = &step->output;
    step->blocks = ceil_div(step->output_channels, block);
    step->depth = 0;
    for (size_t s = 0; s < step->source_count; s++) step->depth += step->source[s].channels;
    switch (step->operation) {
    case EP_WINOGRAD:
        step->tiles_across = tiles_along(out->width, step->dilation);
        step->tile_rows = tiles_along(out->height, step->dilation);
        break;
    case EP_UPSAMPLED: /* tiles begin one pixel outside the map */
        step->tiles_across = (out->width + 4) / 4;
        step->tile_rows = (out->height + 4) / 4;
        break;
    default:
        step->tiles_across = out->width;
        step->tile_rows = out->height;
    }
}

/* What a task of `part` may count to: output blocks, rows of tiles or rows. */
static inline size_t part_items(const ep_bound_step *step, ep_part part, size_t result_height) {
    if (part == EP_WEIGHTS) return step->blocks;
    if (part != EP_ROWS) return step->tile_rows;
    if (step->operation == EP_RESULT) return result_height;
    return step->operation == EP_COPY ? step->source[0].height : step->output.height;
}

/* Elements of the transformed weights or inputs that `part` makes or needs for `rows` rows of tiles. */
static inline size_t resident_elements(const ep_bound_step *step, ep_part part, size_t rows, size_t block) {
    const ep_form *form = &forms[step->operation];
    if (part == EP_WEIGHTS || part == EP_TILES) return form->planes * step->depth * step->blocks * block;
    return form->input_planes * step->depth * round_up(rows * step->tiles_across, CHUNK);
}

/* Bytes of scratch that a thread needs for `part`. */
static inline size_t scratch_bytes(const ep_bound_step *step, ep_part part, const ep_isa_facts *isa) {
    const ep_form *form = &forms[step->operation];
    const size_t element = isa->element_bytes, block = isa->block;
    const size_t decoded = step->depth * form->taps * block * sizeof(float), sink = step->blocks * block * element;
    switch (part) {
    case EP_WEIGHTS: return decoded;
    case EP_BLOCKS: {
        const size_t products = form->planes * BATCH * block * element;
        return sink + form->planes * step->depth * block * element + (decoded > products ? decoded : products);
    }
    case EP_TILES: return sink + (form->input_planes * step->depth + form->planes * block) * CHUNK * element;
    default: return 0;
    }
}

#endif
