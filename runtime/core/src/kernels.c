/* The kernels of one instruction-set level: compiled once per level with other flags and another EP_LEVEL. */
#include "network.h"
#include "product.h"
#include "transforms.h"
#include "vector.h"
#include "weights.h"

typedef struct tile {
    ptrdiff_t y, x; /* of its first output pixel */
} tile;

/* ---- where things lie ---- */

INLINE element *row_of(const ep_view *map, size_t y) {
    const size_t at = y < map->rows ? y : y % map->rows;
    return (element *)map->data + at * map->width * map->channels;
}

/* First output pixel of tile `index`, counted along the rows of tiles from row `begin` on. For a dilated convolution
 * the tiles of all phases of a band follow each other, so that a band's pixels are read while they are in the cache. */
static tile tile_at(const ep_bound_step *step, size_t begin, size_t index) {
    const size_t row = begin + index / step->tiles_across, column = index % step->tiles_across, d = step->dilation;
    switch (step->operation) {
    case EP_WINOGRAD:
        return (tile){(ptrdiff_t)(row / d * 4 * d + row % d), (ptrdiff_t)(column / d * 4 * d + column % d)};
    case EP_UPSAMPLED:
        return (tile){(ptrdiff_t)(4 * row) - 1, (ptrdiff_t)(4 * column) - 1};
    default:
        return (tile){(ptrdiff_t)row, (ptrdiff_t)column};
    }
}

static void locate(const ep_bound_step *step, size_t begin, size_t first, size_t count, tile tiles[CHUNK]) {
    for (size_t t = 0; t < count; t++) tiles[t] = tile_at(step, begin, first + t);
}

/* ---- inputs ---- */

/* Pixels points x points, `d` apart, from (y, x) on; those outside the map are 0. */
INLINE void taps_of(const ep_view *in, ptrdiff_t y, ptrdiff_t x, size_t d, size_t points, const element *zeros,
                    const element **taps) {
    for (size_t i = 0; i < points; i++, y += d) {
        const bool row_inside = y >= 0 && y < (ptrdiff_t)in->height;
        const element *row = row_inside ? row_of(in, y) : zeros;
        for (size_t j = 0; j < points; j++) {
            const ptrdiff_t column = x + (ptrdiff_t)(j * d);
            const bool inside = row_inside && column >= 0 && column < (ptrdiff_t)in->width;
            taps[i * points + j] = inside ? row + column * in->channels : zeros;
        }
    }
}

/* Write the input planes [planes][depth / LANES][stride][LANES] of `count` tiles, the first at v. */
static void gather(const ep_call *call, const tile *tiles, size_t count, element *v, size_t stride) {
    const ep_bound_step *step = call->step;
    const element *zeros = call->network->zeros;
    const size_t plane = step->depth * stride, d = step->dilation;
    for (size_t s = 0; s < step->source_count; s++) {
        const ep_view *in = &step->source[s];
        for (size_t t = 0; t < count; t++) {
            const element *taps[36];
            vec pixels[36];
            element *out = v + t * LANES;
            if (step->operation == EP_WINOGRAD) {
                taps_of(in, tiles[t].y - (ptrdiff_t)d, tiles[t].x - (ptrdiff_t)d, d, 6, zeros, taps);
                for (size_t k = 0; k < in->channels; k += LANES, out += stride * LANES) {
                    UNROLL for (int i = 0; i < 36; i++) pixels[i] = load(taps[i] + k);
                    transform_inputs(pixels, out, plane, 6, winograd_inputs);
                }
            } else if (step->operation == EP_UPSAMPLED) { /* the tile starts at 4n - 1, its source at 2n - 1 */
                taps_of(in, (tiles[t].y - 1) / 2, (tiles[t].x - 1) / 2, 1, 3, zeros, taps);
                for (size_t k = 0; k < in->channels; k += LANES, out += stride * LANES) {
                    UNROLL for (int i = 0; i < 9; i++) pixels[i] = load(taps[i] + k);
                    transform_inputs(pixels, out, plane, 3, upsampled_inputs);
                }
            } else {
                const element *pixel = row_of(in, tiles[t].y) + tiles[t].x * in->channels;
                for (size_t k = 0; k < in->channels; k += LANES, out += stride * LANES) store(out, load(pixel + k));
            }
        }
        v += in->channels * stride;
    }
}

/* ---- products ---- */

/* m: [planes][tiles][BLOCK] of `count` tiles from `first` on, of inputs v [input planes][depth/LANES][stride][LANES]. */
static void multiply(const ep_bound_step *step, const element *v, size_t stride, size_t first, size_t count,
                     const element *u, element *m, size_t tiles) {
    const ep_form *form = &ep_forms[step->operation];
    for (size_t p = 0; p < form->planes; p++) {
        const size_t input =
            step->operation == EP_UPSAMPLED ? 3u * upsampled_input_of[p / 5] + upsampled_input_of[p % 5] : p;
        const element *inputs = v + input * step->depth * stride + first * LANES;
        for (size_t t = 0; t < count; t += TILES)
            product(inputs + t * LANES, u + p * step->depth * BLOCK, m + (p * tiles + t) * BLOCK, step->depth, stride);
    }
}

/* ---- outputs ---- */

typedef struct finish { /* what follows the sum, for one vector of channels */
    vec shift, slope, post_scale, post_shift, post_slope;
} finish;

INLINE vec parameter(const float *values, size_t channel, float otherwise) {
    return values ? narrow(load_wide(values + channel)) : splat(otherwise);
}

INLINE finish finish_of(const ep_bound_step *step, size_t channel) {
    return (finish){
        .shift = parameter(step->shift, channel, 0),
        .slope = splat(step->slope ? *step->slope : 1),
        .post_scale = parameter(step->post_scale, channel, 1),
        .post_shift = parameter(step->post_shift, channel, 0),
        .post_slope = splat(step->post_slope ? *step->post_slope : 1),
    };
}

/* max(x, slope * x): LeakyReLU, ReLU for slope 0, nothing for slope 1; slopes are within 0..1. */
INLINE vec activate(vec x, vec slope) { return larger(x, x * slope); }

INLINE vec finished(vec x, const finish *f, const element *add, bool post) {
    x = activate(x, f->slope);
    if (add) x += load(add);
    if (post) x = activate(x * f->post_scale + f->post_shift, f->post_slope);
    return x;
}

/* The map that is added may be at half the resolution, and may repeat its channels (a concatenation with itself). */
INLINE const element *added_at(const ep_bound_step *step, size_t y, size_t x, size_t channel) {
    const ep_view *add = &step->add;
    return row_of(add, y >> step->add_enlarged) + (x >> step->add_enlarged) * add->channels + channel % add->channels;
}

INLINE void output_tiles(const ep_bound_step *step, const tile *tiles, size_t count, const element *m, size_t stride,
                         size_t block, bool winograd, bool add, bool post) {
    const ep_view *out = &step->output;
    const size_t plane = stride * BLOCK, d = step->dilation;
    for (size_t j = 0; j < BLOCK; j += LANES) {
        const size_t channel = block * BLOCK + j;
        if (channel >= out->channels) break;
        const finish f = finish_of(step, channel);
        for (size_t t = 0; t < count; t++) {
            vec pixels[16];
            if (winograd)
                transform_outputs(m + t * BLOCK + j, plane, 6, WINOGRAD_CONSTANT, f.shift, winograd_outputs, pixels);
            else
                transform_outputs(m + t * BLOCK + j, plane, 5, UPSAMPLED_CONSTANT, f.shift, upsampled_outputs, pixels);
            for (size_t i = 0; i < 4; i++) {
                const ptrdiff_t y = tiles[t].y + (ptrdiff_t)(i * d);
                if (y < 0 || y >= (ptrdiff_t)out->height) continue;
                element *row = row_of(out, y) + channel;
                UNROLL for (size_t i2 = 0; i2 < 4; i2++) {
                    const ptrdiff_t x = tiles[t].x + (ptrdiff_t)(i2 * d);
                    if (x < 0 || x >= (ptrdiff_t)out->width) continue;
                    store(row + x * out->channels,
                          finished(pixels[4 * i + i2], &f, add ? added_at(step, y, x, channel) : NULL, post));
                }
            }
        }
    }
}

INLINE void output_pixels(const ep_bound_step *step, const tile *tiles, size_t count, const element *m, size_t block,
                          bool add, bool post) {
    const ep_view *out = &step->output;
    for (size_t j = 0; j < BLOCK; j += LANES) {
        const size_t channel = block * BLOCK + j;
        if (channel >= out->channels) break;
        const finish f = finish_of(step, channel);
        for (size_t t = 0; t < count; t++) {
            const vec sum = load(m + t * BLOCK + j) + f.shift;
            store(row_of(out, tiles[t].y) + tiles[t].x * out->channels + channel,
                  finished(sum, &f, add ? added_at(step, tiles[t].y, tiles[t].x, channel) : NULL, post));
        }
    }
}

static void output(const ep_bound_step *step, const tile *tiles, size_t count, const element *m, size_t stride,
                   size_t block) {
    const int variant = (step->operation != EP_POINTWISE) * 4 + (step->operation == EP_WINOGRAD) * 4 +
                        (step->add.data != NULL) * 2 + (step->post_scale != NULL);
    switch (variant) {
    case 0: output_pixels(step, tiles, count, m, block, false, false); break;
    case 1: output_pixels(step, tiles, count, m, block, false, true); break;
    case 2: output_pixels(step, tiles, count, m, block, true, false); break;
    case 3: output_pixels(step, tiles, count, m, block, true, true); break;
    case 4: output_tiles(step, tiles, count, m, stride, block, false, false, false); break;
    case 5: output_tiles(step, tiles, count, m, stride, block, false, false, true); break;
    case 6: output_tiles(step, tiles, count, m, stride, block, false, true, false); break;
    case 7: output_tiles(step, tiles, count, m, stride, block, false, true, true); break;
    case 8: output_tiles(step, tiles, count, m, stride, block, true, false, false); break;
    case 9: output_tiles(step, tiles, count, m, stride, block, true, false, true); break;
    case 10: output_tiles(step, tiles, count, m, stride, block, true, true, false); break;
    case 11: output_tiles(step, tiles, count, m, stride, block, true, true, true); break;
    }
}

/* ---- the parts of a convolution ---- */

static size_t tiles_left(const ep_call *call, size_t first) {
    const size_t left = (call->end - call->begin) * call->step->tiles_across - first;
    return left < CHUNK ? left : CHUNK;
}

static void weights_part(const ep_call *call, size_t block, void *scratch) {
    const ep_bound_step *step = call->step;
    decode_block(step, block, scratch);
    transform_weights(step, block, scratch,
                      (element *)step->resident + block * ep_forms[step->operation].planes * step->depth * BLOCK);
}

static void inputs_part(const ep_call *call, size_t item, void *scratch) {
    (void)scratch;
    tile tiles[CHUNK];
    const size_t first = item * CHUNK, count = tiles_left(call, first);
    locate(call->step, call->begin, first, count, tiles);
    gather(call, tiles, count, (element *)call->step->resident + first * LANES, call->step->resident_tiles);
}

static void blocks_part(const ep_call *call, size_t block, void *scratch) {
    const ep_bound_step *step = call->step;
    const ep_form *form = &ep_forms[step->operation];
    float *g = scratch;
    element *u = (element *)(g + step->depth * form->taps * BLOCK);
    element *m = u + form->planes * step->depth * BLOCK;
    const size_t total = step->tile_rows * step->tiles_across;

    decode_block(step, block, g);
    transform_weights(step, block, g, u);
    for (size_t first = 0; first < total; first += BATCH) {
        const size_t count = total - first < BATCH ? total - first : BATCH;
        multiply(step, step->resident, step->resident_tiles, first, count, u, m, BATCH);
        for (size_t t = 0; t < count; t += CHUNK) {
            tile tiles[CHUNK];
            const size_t some = count - t < CHUNK ? count - t : CHUNK;
            locate(step, 0, first + t, some, tiles);
            output(step, tiles, some, m + t * BLOCK, BATCH, block);
        }
    }
}

static void tiles_part(const ep_call *call, size_t item, void *scratch) {
    const ep_bound_step *step = call->step;
    const ep_form *form = &ep_forms[step->operation];
    element *v = scratch;
    element *m = v + form->input_planes * step->depth * CHUNK;
    tile tiles[CHUNK];
    const size_t first = item * CHUNK, count = tiles_left(call, first);

    locate(step, call->begin, first, count, tiles);
    gather(call, tiles, count, v, CHUNK);
    for (size_t block = 0; block < step->blocks; block++) {
        const element *u = (const element *)step->resident + block * form->planes * step->depth * BLOCK;
        multiply(step, v, CHUNK, 0, count, u, m, CHUNK);
        output(step, tiles, count, m, CHUNK, block);
    }
}

/* ---- the other steps, one output row at a time ---- */

static void image_row(const ep_call *call, size_t y) {
    const ep_network *net = call->network;
    const ep_view *out = &call->step->output;
    const size_t from = y < net->image_height ? y : net->image_height - 1, channels = net->image_channels;
    const uint8_t *pixel = call->image + from * net->image_width * channels;
    const element *values = net->pixel_values;
    element *to = row_of(out, y);
    for (size_t x = 0; x < out->width; x++, to += out->channels) {
        for (size_t c = 0; c < channels; c++) to[c] = values[pixel[c]];
        for (size_t c = channels; c < out->channels; c++) to[c] = 0;
        if (x + 1 < net->image_width) pixel += channels;
    }
}

static void elementwise_row(const ep_call *call, size_t y) {
    const ep_bound_step *step = call->step;
    const ep_view *in = step->source, *out = &step->output;
    const bool post = step->post_scale != NULL;
    const element *from = row_of(in, y >> step->enlarged);
    element *to = row_of(out, y);
    for (size_t c = 0; c < out->channels; c += LANES) {
        const finish f = finish_of(step, c);
        const vec scale = parameter(step->scale, c, 1);
        for (size_t x = 0; x < out->width; x++) {
            const vec value = load(from + (x >> step->enlarged) * in->channels + c) * scale + f.shift;
            store(to + x * out->channels + c,
                  finished(value, &f, step->add.data ? added_at(step, y, x, c) : NULL, post));
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

/* Rows of the source; to the same pixels of the output, or all one after the other into its only pixel (flatten). */
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
    if (!flatten || y + 1 == in->height) { /* padding lanes hold 0; a later part overwrites what is its own */
        element *pixel = flatten ? out->data : row_of(out, y);
        const size_t end = step->output_start + real * (flatten ? in->height * in->width : 1);
        for (size_t x = 0; x < out->width; x++, pixel += out->channels)
            for (size_t c = end; c < out->channels; c++) pixel[c] = 0;
    }
}

static void result_row(const ep_call *call, size_t y) {
    const ep_network *net = call->network;
    const ep_view *in = call->step->source;
    const element *from = row_of(in, y);
    float *to = call->result + y * net->result_width * net->result_channels;
    for (size_t x = 0; x < net->result_width; x++, from += in->channels, to += net->result_channels)
        for (size_t c = 0; c < net->result_channels; c++) to[c] = (float)from[c];
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

extern const ep_level JOIN(ep_level_, EP_LEVEL);
const ep_level JOIN(ep_level_, EP_LEVEL) = {
    .facts = {.name = EP_LEVEL_NAME, .lanes = LANES, .block = BLOCK, .element_bytes = sizeof(element)},
    .tiles = TILES,
    .kernels = {
        [EP_WEIGHTS] = weights_part,
        [EP_INPUTS] = inputs_part,
        [EP_BLOCKS] = blocks_part,
        [EP_TILES] = tiles_part,
        [EP_ROWS] = rows_part,
    },
};
