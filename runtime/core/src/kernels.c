/* The kernels, compiled once for each instruction set with its own flags and EP_ISA. */
#include "geometry.h"
#include "isa.h"
#include "product.h"
#include "transforms.h"
#include "vector.h"
#include "weights.h"

typedef struct tile {
    ptrdiff_t y, x; /* of its first output pixel */
} tile;

/* ---- addresses ---- */

INLINE element *row_of(const ep_view *map, size_t y) {
    const size_t at = y < map->rows ? y : y % map->rows;
    return (element *)map->data + at * map->width * map->channels;
}

/* First output pixel, along one axis, of the n-th tile. The tiles of all phases of a dilated convolution's band are
 * consecutive, so that a band's pixels are read while they are in the cache. */
static ptrdiff_t origin(const ep_bound_step *step, size_t n) {
    const size_t d = step->dilation;
    switch (step->operation) {
    case EP_WINOGRAD: return (ptrdiff_t)(d == 1 ? 4 * n : n + n / d * 3 * d);
    case EP_UPSAMPLED: return (ptrdiff_t)(4 * n) - 1;
    default: return (ptrdiff_t)n;
    }
}

/* Locate `count` tiles from tile `first` on, counted from tile row `begin`. */
static void locate(const ep_bound_step *step, size_t begin, size_t first, size_t count, tile tiles[CHUNK]) {
    size_t row = begin + first / step->tiles_across, column = first % step->tiles_across;
    ptrdiff_t y = origin(step, row);
    for (size_t t = 0; t < count; t++) {
        tiles[t] = (tile){y, origin(step, column)};
        if (++column == step->tiles_across) {
            column = 0;
            y = origin(step, ++row);
        }
    }
}

/* ---- inputs ---- */

/* Find rows of `map` from y on, `d` apart; NULL for those outside. Returns whether all are inside. */
INLINE bool find_rows(const ep_view *map, ptrdiff_t y, ptrdiff_t d, size_t points, element **rows) {
    bool inside = true;
    for (size_t i = 0; i < points; i++, y += d) {
        const bool there = y >= 0 && y < (ptrdiff_t)map->height;
        rows[i] = there ? row_of(map, (size_t)y) : NULL;
        inside &= there;
    }
    return inside;
}

/* Find points x points pixels: in `rows` from column x on, `d` apart; `outside` for those beyond the rows or the
 * width. A stored pixel has `channels` elements and covers 2^enlarged columns. */
INLINE void find_taps(element *const *rows, size_t width, size_t channels, unsigned enlarged, ptrdiff_t x,
                      ptrdiff_t d, size_t points, element *outside, element **taps) {
    for (size_t j = 0; j < points; j++, x += d) {
        const bool inside = x >= 0 && x < (ptrdiff_t)width;
        const ptrdiff_t offset = (x >> enlarged) * (ptrdiff_t)channels;
        for (size_t i = 0; i < points; i++) taps[i * points + j] = inside && rows[i] ? rows[i] + offset : outside;
    }
}

/* Write the planes of one source of a 3x3 convolution, see gather. */
static void gather_winograd(const ep_view *in, const tile *tiles, size_t count, ptrdiff_t d, element *zeros,
                            element *v) {
    element *rows[6];
    const size_t step = (size_t)d * in->channels;
    bool rows_inside = false;
    for (size_t t = 0; t < count; t++, v += LANES) {
        const ptrdiff_t x = tiles[t].x - d;
        if (t == 0 || tiles[t].y != tiles[t - 1].y)
            rows_inside = find_rows(in, tiles[t].y - d, d, 6, rows);
        element *out = v;
        if (rows_inside && x >= 0 && x + 5 * d < (ptrdiff_t)in->width) {
            size_t at[6];
            for (size_t j = 0; j < 6; j++) at[j] = (size_t)x * in->channels + j * step;
            for (size_t k = 0; k < in->channels; k += LANES, out += 36 * INPUT_PLANE) {
                UNROLL for (size_t j = 0; j < 6; j++) at[j] = opaque(at[j]);
#define PIXELS(x, column) UNROLL for (size_t i = 0; i < 6; i++) column[i] = load(rows[i] + at[x])
                TRANSFORM_INPUTS(PIXELS, out);
#undef PIXELS
                UNROLL for (size_t j = 0; j < 6; j++) at[j] += LANES;
            }
        } else {
            element *taps[36];
            find_taps(rows, in->width, in->channels, 0, x, d, 6, zeros, taps);
            for (size_t k = 0; k < in->channels; k += LANES, out += 36 * INPUT_PLANE) {
#define PIXELS(x, column) UNROLL for (size_t i = 0; i < 6; i++) column[i] = load(taps[6 * i + x] + k)
                TRANSFORM_INPUTS(PIXELS, out);
#undef PIXELS
            }
        }
    }
}

static void gather_upsampled(const ep_view *in, const tile *tiles, size_t count, element *zeros, element *v) {
    element *rows[3], *taps[9];
    for (size_t t = 0; t < count; t++, v += LANES) { /* the tile starts at 4n - 1, its source at 2n - 1 */
        if (t == 0 || tiles[t].y != tiles[t - 1].y) find_rows(in, (tiles[t].y - 1) / 2, 1, 3, rows);
        find_taps(rows, in->width, in->channels, 0, (tiles[t].x - 1) / 2, 1, 3, zeros, taps);
        element *out = v;
        for (size_t k = 0; k < in->channels; k += LANES, out += 9 * INPUT_PLANE) {
            vec pixels[9];
            UNROLL for (int i = 0; i < 9; i++) pixels[i] = load(taps[i] + k);
            upsampled_inputs(pixels, out);
        }
    }
}

static void gather_pixels(const ep_view *in, const tile *tiles, size_t count, element *v) {
    const element *row = NULL;
    for (size_t t = 0; t < count; t++, v += LANES) {
        if (t == 0 || tiles[t].y != tiles[t - 1].y) row = row_of(in, (size_t)tiles[t].y);
        const element *pixel = row + (size_t)tiles[t].x * in->channels;
        element *out = v;
        for (size_t k = 0; k < in->channels; k += LANES, out += INPUT_PLANE) store(out, load(pixel + k));
    }
}

/* Write the input planes of a chunk of `count` tiles. */
static void gather(const ep_call *call, const tile *tiles, size_t count, element *v) {
    const ep_bound_step *step = call->step;
    element *zeros = call->inference->zeros;
    for (size_t s = 0; s < step->source_count; s++) {
        const ep_view *in = &step->source[s];
        switch (step->operation) {
        case EP_WINOGRAD: gather_winograd(in, tiles, count, (ptrdiff_t)step->dilation, zeros, v); break;
        case EP_UPSAMPLED: gather_upsampled(in, tiles, count, zeros, v); break;
        default: gather_pixels(in, tiles, count, v);
        }
        v += in->channels * forms[step->operation].input_planes * CHUNK;
    }
}

/* ---- products ---- */

_Static_assert(CHUNK % TILES == 0 && BATCH % CHUNK == 0, "a chunk is whole products, a batch whole chunks");

/* Whether the stored output channels fill only the first vector of a block, as the last block's may. */
static bool is_one_vector(const ep_bound_step *step, size_t block) {
    return VECTORS > 1 && step->output.channels - block * BLOCK == LANES;
}

/* Multiply `count` tiles, in consecutive chunks, by the weights u of a block: [planes][depth][BLOCK]. */
INLINE void multiply_as(bool one_vector, const ep_bound_step *step, const element *v, size_t count, const element *u,
                        element *m) {
    const ep_form *form = &forms[step->operation];
    const size_t row = form->input_planes * INPUT_PLANE, chunk = step->depth / LANES * row;
    for (size_t p = 0; p < form->planes; p++, u += step->depth * BLOCK, m += OUTPUT_PLANE) {
        const size_t input =
            step->operation == EP_UPSAMPLED ? 3u * upsampled_input_of[p / 5] + upsampled_input_of[p % 5] : p;
        const element *inputs = v + input * INPUT_PLANE;
        element *products = m;
        for (size_t left = count;; inputs += chunk, products += form->planes * OUTPUT_PLANE, left -= CHUNK) {
            for (size_t t = 0; t < CHUNK && t < left; t += TILES)
                product(inputs + t * LANES, u, products + t * BLOCK, step->depth, row, one_vector);
            if (left <= CHUNK) break;
        }
    }
}

static void multiply(const ep_bound_step *step, size_t block, const element *v, size_t count, const element *u,
                     element *m) {
    if (is_one_vector(step, block))
        multiply_as(true, step, v, count, u, m);
    else
        multiply_as(false, step, v, count, u, m);
}

/* ---- outputs ---- */

typedef struct epilogue { /* what follows the sum, for one vector of channels */
    vec shift, slope, post_scale, post_shift, post_slope;
} epilogue;

INLINE vec parameter(const float *values, size_t channel, float otherwise) {
    return values ? narrow(load_wide(values + channel)) : splat(otherwise);
}

INLINE epilogue epilogue_of(const ep_bound_step *step, size_t channel) {
    return (epilogue){
        .shift = parameter(step->shift, channel, 0),
        .slope = splat(step->slope ? *step->slope : 1),
        .post_scale = parameter(step->post_scale, channel, 1),
        .post_shift = parameter(step->post_shift, channel, 0),
        .post_slope = splat(step->post_slope ? *step->post_slope : 1),
    };
}

/* max(x, slope * x): LeakyReLU, ReLU for slope 0, nothing for slope 1; slopes are within 0..1. */
INLINE vec activate(vec x, vec slope) { return larger(x, x * slope); }

INLINE vec apply_epilogue(vec x, const epilogue *e, bool add, const element *added, bool post) {
    x = activate(x, e->slope);
    if (add) x += load(added);
    if (post) x = activate(x * e->post_scale + e->post_shift, e->post_slope);
    return x;
}

/* Where the 4x4 pixels of a tile (or its only one) are written, and where the added ones are read, at channel 0.
 * Pixels outside the map are written to the sink. */
typedef struct spot {
    element *out[16], *add[16];
} spot;

/* The channels of the added map may repeat: a concatenation with itself. */
INLINE size_t added_channel(const ep_bound_step *step, size_t channel) {
    return step->add.data ? channel % step->add.channels : 0;
}

INLINE void find_spots_of(const ep_call *call, const tile *tiles, size_t count, size_t points, element *sink,
                          spot *spots) {
    const ep_bound_step *step = call->step;
    const ep_view *out = &step->output, *add = &step->add;
    element *rows[4], *added[4] = {NULL};
    const ptrdiff_t d = (ptrdiff_t)step->dilation;
    for (size_t t = 0; t < count; t++) {
        const ptrdiff_t y = tiles[t].y, x = tiles[t].x;
        if (t == 0 || y != tiles[t - 1].y) {
            find_rows(out, y, d, points, rows);
            for (size_t i = 0; add->data && i < points; i++)
                added[i] = rows[i] ? row_of(add, (size_t)(y + (ptrdiff_t)i * d) >> step->add_enlarged) : NULL;
        }
        find_taps(rows, out->width, out->channels, 0, x, d, points, sink, spots[t].out);
        if (add->data)
            find_taps(added, out->width, add->channels, step->add_enlarged, x, d, points, call->inference->zeros,
                      spots[t].add);
    }
}

static void find_spots(const ep_call *call, const tile *tiles, size_t count, element *sink, spot *spots) {
    if (call->step->operation == EP_POINTWISE)
        find_spots_of(call, tiles, count, 1, sink, spots);
    else
        find_spots_of(call, tiles, count, 4, sink, spots);
}

/* Finish the products of one output block. Inlined for each operation and epilogue, so that no loop branches. */
INLINE void output_as(ep_operation operation, bool add, bool post, const ep_bound_step *step, const spot *spots,
                      size_t count, const element *m, size_t block) {
    const size_t points = operation == EP_POINTWISE ? 1 : 16;
    for (size_t j = 0; j < BLOCK; j += LANES) {
        const size_t channel = block * BLOCK + j, added = added_channel(step, channel);
        if (channel >= step->output.channels) break;
        const epilogue e = epilogue_of(step, channel);
        for (size_t t = 0; t < count; t++) {
            const element *products = m + t * BLOCK + j;
            vec pixels[16];
            if (operation == EP_WINOGRAD)
                winograd_outputs(products, e.shift, pixels);
            else if (operation == EP_UPSAMPLED)
                upsampled_outputs(products, e.shift, pixels);
            else
                pixels[0] = load(products) + e.shift;
            UNROLL for (size_t i = 0; i < points; i++)
                store(spots[t].out[i] + channel, apply_epilogue(pixels[i], &e, add, spots[t].add[i] + added, post));
        }
    }
}

static void output(const ep_bound_step *step, const spot *spots, size_t count, const element *m, size_t block) {
#define VARIANT(operation, add, post) ((operation) * 4 + (add) * 2 + (post))
#define OUTPUT(operation, add, post) \
    case VARIANT(operation, add, post): output_as(operation, add, post, step, spots, count, m, block); break;
#define OUTPUTS(operation) \
    OUTPUT(operation, false, false) OUTPUT(operation, false, true) \
    OUTPUT(operation, true, false) OUTPUT(operation, true, true)
    switch (VARIANT((int)step->operation, step->add.data != NULL, step->post_scale != NULL)) {
        OUTPUTS(EP_POINTWISE)
        OUTPUTS(EP_WINOGRAD)
        OUTPUTS(EP_UPSAMPLED)
    }
#undef OUTPUTS
#undef OUTPUT
#undef VARIANT
}

/* ---- the parts of a convolution ---- */

static size_t tiles_left(const ep_call *call, size_t first) {
    const size_t left = (call->end - call->begin) * call->step->tiles_across - first;
    return left < CHUNK ? left : CHUNK;
}

/* Scratch begins with the sink, one element per output channel, for pixels outside the map. */
static element *after_sink(const ep_bound_step *step, void *scratch) {
    return (element *)scratch + step->blocks * BLOCK;
}

static void weights_part(const ep_call *call, size_t block, void *scratch) {
    const ep_bound_step *step = call->step;
    decode_block(step, block, scratch);
    transform_weights(step, block, scratch,
                      (element *)step->resident + block * forms[step->operation].planes * step->depth * BLOCK);
}

static void inputs_part(const ep_call *call, size_t item, void *scratch) {
    (void)scratch;
    const ep_bound_step *step = call->step;
    tile tiles[CHUNK];
    const size_t first = item * CHUNK, count = tiles_left(call, first);
    locate(step, call->begin, first, count, tiles);
    gather(call, tiles, count,
           (element *)step->resident + first * forms[step->operation].input_planes * step->depth);
}

static void blocks_part(const ep_call *call, size_t block, void *scratch) {
    const ep_bound_step *step = call->step;
    const ep_form *form = &forms[step->operation];
    element *u = after_sink(step, scratch), *m = u + form->planes * step->depth * BLOCK;
    float *g = (float *)m; /* decoded weights, overwritten by the first product */
    const size_t total = (call->end - call->begin) * step->tiles_across;

    decode_block(step, block, g);
    transform_weights(step, block, g, u);
    for (size_t first = 0; first < total; first += BATCH) {
        const size_t count = total - first < BATCH ? total - first : BATCH;
        multiply(step, block, (const element *)step->resident + first * form->input_planes * step->depth, count, u, m);
        for (size_t t = 0; t < count; t += CHUNK) {
            tile tiles[CHUNK];
            spot spots[CHUNK];
            const size_t some = count - t < CHUNK ? count - t : CHUNK;
            locate(step, call->begin, first + t, some, tiles);
            find_spots(call, tiles, some, scratch, spots);
            output(step, spots, some, m + t * form->planes * BLOCK, block);
        }
    }
}

static void tiles_part(const ep_call *call, size_t item, void *scratch) {
    const ep_bound_step *step = call->step;
    const ep_form *form = &forms[step->operation];
    element *v = after_sink(step, scratch);
    element *m = v + form->input_planes * step->depth * CHUNK;
    tile tiles[CHUNK];
    spot spots[CHUNK];
    const size_t first = item * CHUNK, count = tiles_left(call, first);

    locate(step, call->begin, first, count, tiles);
    find_spots(call, tiles, count, scratch, spots);
    gather(call, tiles, count, v);
    for (size_t block = 0; block < step->blocks; block++) {
        multiply(step, block, v, count,
                 (const element *)step->resident + block * form->planes * step->depth * BLOCK, m);
        output(step, spots, count, m, block);
    }
}

/* ---- the other steps, one output row at a time ---- */

static void image_row(const ep_call *call, size_t y) {
    const ep_inference *now = call->inference;
    const ep_view *out = &call->step->output;
    const size_t from = y < now->image_height ? y : now->image_height - 1, channels = now->image_channels;
    const uint8_t *pixel = now->image + from * now->image_width * channels;
    const element *values = now->pixel_values;
    element *to = row_of(out, y);
    for (size_t x = 0; x < out->width; x++, to += out->channels) {
        for (size_t c = 0; c < channels; c++) to[c] = values[pixel[c]];
        for (size_t c = channels; c < out->channels; c++) to[c] = 0;
        if (x + 1 < now->image_width) pixel += channels;
    }
}

static void elementwise_row(const ep_call *call, size_t y) {
    const ep_bound_step *step = call->step;
    const ep_view *in = step->source, *out = &step->output, *add = &step->add;
    const bool post = step->post_scale != NULL;
    const element *from = row_of(in, y >> step->enlarged);
    const element *added = add->data ? row_of(add, y >> step->add_enlarged) : NULL;
    element *to = row_of(out, y);
    for (size_t c = 0; c < out->channels; c += LANES) {
        const epilogue e = epilogue_of(step, c);
        const vec scale = parameter(step->scale, c, 1);
        const size_t added_c = added_channel(step, c);
        for (size_t x = 0; x < out->width; x++) {
            const vec value = load(from + (x >> step->enlarged) * in->channels + c) * scale + e.shift;
            const element *plus = added ? added + (x >> step->add_enlarged) * add->channels + added_c : NULL;
            store(to + x * out->channels + c, apply_epilogue(value, &e, plus != NULL, plus, post));
        }
    }
}

static void maxpool_row(const ep_call *call, size_t y) {
    const ep_view *in = call->step->source, *out = &call->step->output;
    const element *upper = row_of(in, 2 * y), *lower = row_of(in, 2 * y + 1);
    element *to = row_of(out, y);
    for (size_t x = 0; x < out->width; x++, upper += 2 * in->channels, lower += 2 * in->channels)
        for (size_t c = 0; c < in->channels; c += LANES, to += LANES)
            store(to, larger(larger(load(upper + c), load(upper + in->channels + c)),
                             larger(load(lower + c), load(lower + in->channels + c))));
}

/* Copy a row of the source to the same pixels of the output, or into its part of the only pixel (flatten). */
static void copy_row(const ep_call *call, size_t y) {
    const ep_bound_step *step = call->step;
    const ep_view *in = step->source, *out = &step->output;
    const size_t real = step->source_channels[0];
    const bool flatten = out->height * out->width == 1;
    const element *from = row_of(in, y);
    element *to = flatten ? (element *)out->data + y * in->width * real : row_of(out, y);
    to += step->output_start;
    for (size_t x = 0; x < in->width; x++, from += in->channels, to += flatten ? real : out->channels)
        memcpy(to, from, real * sizeof *to);
    if (!flatten || y + 1 == in->height) { /* padding channels hold 0; a later copy overwrites its own */
        element *pixel = flatten ? out->data : row_of(out, y);
        const size_t end = step->output_start + real * (flatten ? in->height * in->width : 1);
        for (size_t x = 0; x < out->width; x++, pixel += out->channels)
            for (size_t c = end; c < out->channels; c++) pixel[c] = 0;
    }
}

static void result_row(const ep_call *call, size_t y) {
    const ep_inference *now = call->inference;
    const ep_view *in = call->step->source;
    const element *from = row_of(in, y);
    float *to = now->result + y * now->result_width * now->result_channels;
    for (size_t x = 0; x < now->result_width; x++, from += in->channels, to += now->result_channels)
        for (size_t c = 0; c < now->result_channels; c++) to[c] = (float)from[c];
}

static void rows_part(const ep_call *call, size_t y, void *scratch) {
    (void)scratch;
    switch (call->step->operation) {
    case EP_IMAGE: image_row(call, y); break;
    case EP_ELEMENTWISE: elementwise_row(call, y); break;
    case EP_MAXPOOL: maxpool_row(call, y); break;
    case EP_COPY: copy_row(call, y); break;
    default: result_row(call, y);
    }
}

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

extern const ep_isa JOIN(ep_isa_, EP_ISA);
const ep_isa JOIN(ep_isa_, EP_ISA) = {
    .facts = {.name = EP_ISA_NAME, .lanes = LANES, .block = BLOCK, .element_bytes = sizeof(element)},
    .kernels = {
        [EP_WEIGHTS] = weights_part,
        [EP_INPUTS] = inputs_part,
        [EP_BLOCKS] = blocks_part,
        [EP_TILES] = tiles_part,
        [EP_ROWS] = rows_part,
    },
};
