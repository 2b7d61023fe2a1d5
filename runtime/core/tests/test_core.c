/* The core against plain loops in double precision, on plans built here: test_core ISA GROUP.
 *
 * The caller's buffers end at an inaccessible page. */
#define _DEFAULT_SOURCE
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edgepatho/core.h"

static int failures;
static const char *isa;
static ep_isa_facts facts;

#define CHECK(condition, ...) \
    do { \
        if (!(condition)) { \
            failures++; \
            printf("%s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), puts(""); \
        } \
    } while (0)

/* ---- helpers ---- */

static uint32_t random_state = 1;

static uint32_t random_bits(void) { return random_state = random_state * 1664525u + 1013904223u, random_state >> 8; }

static float random_value(void) { return (float)random_bits() / (1 << 23) - 1; }

/* Memory whose last byte is followed by an inaccessible page. */
static void *guarded(size_t bytes) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (bytes + page - 1) / page * page;
    char *base = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + whole, page, PROT_NONE) != 0) abort();
    return base + whole - bytes; /* never freed */
}

static int64_t padded(int64_t channels, size_t unit) {
    return (channels + (int64_t)unit - 1) / (int64_t)unit * (int64_t)unit;
}

enum { MAPS = 8, STEPS = 8, TASKS = 64, PARAMETERS = 4096 };

/* A plan under construction: image -> steps -> result. */
typedef struct builder {
    ep_plan plan;
    ep_map maps[MAPS];
    ep_step steps[STEPS];
    ep_task tasks[TASKS];
    float parameters[PARAMETERS];
    ep_buffer weights[STEPS];
} builder;

static void start(builder *b, size_t height, size_t width, size_t channels) {
    memset(b, 0, sizeof *b);
    b->plan = (ep_plan){.maps = b->maps, .steps = b->steps, .tasks = b->tasks, .parameters = b->parameters,
                        .weights = b->weights, .image_height = height, .image_width = width,
                        .image_channels = channels, .image_divisor = 255};
}

static int64_t reserve(builder *b, size_t elements) {
    const size_t at = b->plan.arena_elements;
    b->plan.arena_elements += (elements + EP_ALIGNMENT - 1) / EP_ALIGNMENT * EP_ALIGNMENT;
    return (int64_t)at;
}

static int64_t new_map(builder *b, int64_t height, int64_t width, int64_t channels) {
    const int64_t stored = padded(channels, facts.lanes);
    b->maps[b->plan.map_count] =
        (ep_map){reserve(b, (size_t)(height * width * stored)), height, width, stored, height};
    return (int64_t)b->plan.map_count++;
}

static int64_t parameter(builder *b, size_t count, float (*value)(size_t)) {
    for (size_t i = 0; i < count; i++) b->parameters[b->plan.parameter_count + i] = value(i);
    b->plan.parameter_count += count;
    return (int64_t)(b->plan.parameter_count - count);
}

static ep_step *new_step(builder *b, ep_operation operation, int64_t source, int64_t channels, int64_t output,
                         int64_t output_channels) {
    ep_step *step = &b->steps[b->plan.step_count++];
    *step = (ep_step){.operation = operation, .source = {source, EP_NONE, EP_NONE, EP_NONE},
                      .source_channels = {channels}, .output = output, .output_channels = output_channels,
                      .dilation = 1, .weights = EP_NONE, .codebook = EP_NONE, .scale = EP_NONE, .shift = EP_NONE,
                      .slope = EP_NONE, .add = EP_NONE, .post_scale = EP_NONE, .post_shift = EP_NONE,
                      .post_slope = EP_NONE};
    return step;
}

static void new_task_from(builder *b, ep_part part, int64_t begin, int64_t end) {
    b->tasks[b->plan.task_count++] = (ep_task){(int64_t)b->plan.step_count - 1, part, begin, end};
}

static void new_task(builder *b, ep_part part, int64_t end) { new_task_from(b, part, 0, end); }

static int64_t start_with_image(builder *b, size_t height, size_t width, size_t channels) {
    start(b, height, width, channels);
    const int64_t map = new_map(b, (int64_t)height, (int64_t)width, (int64_t)channels);
    new_step(b, EP_IMAGE, EP_NONE, 0, map, (int64_t)channels);
    new_task(b, EP_ROWS, (int64_t)height);
    return map;
}

static void end_with_result(builder *b, int64_t map, size_t channels) {
    new_step(b, EP_RESULT, map, (int64_t)channels, EP_NONE, 0);
    b->plan.result_height = (size_t)b->maps[map].height;
    b->plan.result_width = (size_t)b->maps[map].width;
    b->plan.result_channels = channels;
    new_task(b, EP_ROWS, b->maps[map].height);
}

/* Run on guarded buffers with 1 and 3 threads; both outputs must be bit-identical. Returns the output. */
static const float *run(builder *b, const uint8_t *image) {
    const size_t outputs = b->plan.result_height * b->plan.result_width * b->plan.result_channels;
    const size_t inputs = b->plan.image_height * b->plan.image_width * b->plan.image_channels;
    float *out[2];
    for (int i = 0; i < 2; i++) {
        ep_network *network = NULL;
        ep_failure failure;
        const ep_status status = ep_network_create(&b->plan, isa, i ? 3 : 1, &network, &failure);
        CHECK(status == EP_OK, "create: %d, %s (record %zu)", status, failure.reason, failure.record);
        out[i] = guarded(outputs * sizeof(float));
        if (status != EP_OK) return out[i];
        CHECK(ep_network_run(network, image, inputs, out[i], outputs, NULL) == EP_OK, "run");
        ep_network_destroy(network);
    }
    CHECK(memcmp(out[0], out[1], outputs * sizeof(float)) == 0, "the number of threads changes the output");
    return out[0];
}

static uint8_t *random_image(const builder *b) {
    const size_t size = b->plan.image_height * b->plan.image_width * b->plan.image_channels;
    uint8_t *image = guarded(size);
    for (size_t i = 0; i < size; i++) image[i] = (uint8_t)random_bits();
    return image;
}

/* F(4, 3) in float16 loses up to 5 of its 11 bits to the transforms' constants. */
static double tolerance(void) { return facts.element_bytes == 4 ? 1e-5 : 5e-2; }

static void compare(const float *got, const double *expected, size_t count, const char *what) {
    double largest = 0, error = 0;
    for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < count && !isnan(error); i++) { /* fmax alone would pass over NaN */
        const double difference = fabs(got[i] - expected[i]);
        error = isnan(difference) ? difference : fmax(error, difference);
    }
    CHECK(error <= tolerance() * largest && largest > 0, "%s: error %g of %g", what, error, largest);
}

/* ---- convolutions ---- */

static float small(size_t i) { return (void)i, random_value() / 4; }
static float one(size_t i) { return (void)i, 1; }
static float slope(size_t i) { return (void)i, 0.3f; }

typedef struct layer {
    ep_operation operation;
    size_t height, width, inputs, outputs, dilation;
    ep_weights kind;
    bool keeps_inputs, adds, posts;
} layer;

static const size_t taps_of[EP_OPERATIONS] = {[EP_POINTWISE] = 1, [EP_WINOGRAD] = 9, [EP_UPSAMPLED] = 9};
static const size_t bytes_of_8[] = {[EP_FLOAT32] = 32, [EP_INDEX4] = 4, [EP_INDEX8] = 8, [EP_INDEX16] = 16};

/* Random weights in storage order, and their values [out][in][tap]. */
static uint8_t *random_weights(const layer *l, const float *codebook, size_t size, size_t *bytes, float *dense) {
    const size_t taps = taps_of[l->operation], blocks = (l->outputs + 7) / 8;
    *bytes = blocks * l->inputs * taps * bytes_of_8[l->kind];
    uint8_t *stored = guarded(*bytes);
    memset(stored, 0, *bytes);
    for (size_t o = 0; o < l->outputs; o++)
        for (size_t i = 0; i < l->inputs; i++)
            for (size_t t = 0; t < taps; t++) {
                const size_t at = ((o / 8 * l->inputs + i) * taps + t) * 8 + o % 8, index = random_bits() % size;
                float value = codebook[index];
                const uint16_t wide = (uint16_t)index;
                switch (l->kind) {
                case EP_FLOAT32: memcpy(stored + at * 4, &value, 4); break;
                case EP_INDEX4: stored[at / 2] |= (uint8_t)(index << 4 * (at % 2)); break;
                case EP_INDEX8: stored[at] = (uint8_t)index; break;
                default: memcpy(stored + at * 2, &wide, 2);
                }
                dense[(o * l->inputs + i) * taps + t] = value;
            }
    return stored;
}

static void test_layer(const layer *l) {
    builder b;
    const int64_t in = start_with_image(&b, l->height, l->width, l->inputs);
    const size_t factor = l->operation == EP_UPSAMPLED ? 2 : 1, d = l->dilation;
    const size_t height = factor * l->height, width = factor * l->width, taps = taps_of[l->operation];
    const int64_t out = new_map(&b, (int64_t)height, (int64_t)width, (int64_t)l->outputs);
    const size_t wide = (size_t)padded((int64_t)l->outputs, facts.block);
    const size_t size = l->kind == EP_INDEX4 ? 11 : l->kind == EP_INDEX16 ? 300 : 256;

    ep_step *step = new_step(&b, l->operation, in, (int64_t)l->inputs, out, (int64_t)l->outputs);
    step->dilation = (int64_t)d;
    step->codebook = parameter(&b, size, small);
    step->codebook_size = (int64_t)size;
    step->scale = parameter(&b, wide, small);
    step->shift = parameter(&b, wide, small);
    step->slope = parameter(&b, 1, slope);
    if (l->adds) step->add = in; /* its channels must match or repeat */
    if (l->posts) {
        step->post_scale = parameter(&b, wide, small);
        step->post_shift = parameter(&b, wide, small);
        step->post_slope = parameter(&b, 1, slope);
    }
    step->add_enlarged = l->adds && factor == 2;
    step->weight_kind = l->kind;
    float *dense = malloc(l->outputs * l->inputs * taps * sizeof *dense);
    ep_buffer *buffer = &b.weights[b.plan.weight_count];
    buffer->data = random_weights(l, b.parameters + step->codebook, size, &buffer->bytes, dense);
    step->weights = (int64_t)b.plan.weight_count++;
    step->resident = reserve(&b, 1 << 18); /* enough for every layer here */

    const size_t phases = l->operation == EP_WINOGRAD ? d : 1, span = l->operation == EP_POINTWISE ? 1 : 4 * phases;
    size_t rows = height / span * phases + (height % span < phases ? height % span : phases);
    if (l->operation == EP_UPSAMPLED) rows = (height + 4) / 4;
    const int64_t end = (int64_t)rows, half = end / 2; /* the inputs of one half replace those of the other */
    if (!l->keeps_inputs) new_task(&b, EP_WEIGHTS, (int64_t)(wide / facts.block)), new_task(&b, EP_TILES, end);
    if (l->keeps_inputs && half) new_task(&b, EP_INPUTS, half), new_task(&b, EP_BLOCKS, half);
    if (l->keeps_inputs) new_task_from(&b, EP_INPUTS, half, end), new_task_from(&b, EP_BLOCKS, half, end);
    end_with_result(&b, out, l->outputs);

    const uint8_t *image = random_image(&b);
    const float *got = run(&b, image), *scale = b.parameters + step->scale, *shift = b.parameters + step->shift;
    double *expected = malloc(height * width * l->outputs * sizeof *expected);
    const ptrdiff_t reach = taps == 9 ? 1 : 0;
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            for (size_t o = 0; o < l->outputs; o++) {
                double sum = 0;
                for (ptrdiff_t ty = -reach; ty <= reach; ty++)
                    for (ptrdiff_t tx = -reach; tx <= reach; tx++) {
                        const ptrdiff_t yy = (ptrdiff_t)y + ty * (ptrdiff_t)d, xx = (ptrdiff_t)x + tx * (ptrdiff_t)d;
                        if (yy < 0 || xx < 0 || yy >= (ptrdiff_t)height || xx >= (ptrdiff_t)width) continue;
                        const uint8_t *pixel =
                            image + ((size_t)yy / factor * l->width + (size_t)xx / factor) * l->inputs;
                        const float *w = dense + o * l->inputs * taps + (taps == 9 ? (ty + 1) * 3 + tx + 1 : 0);
                        for (size_t i = 0; i < l->inputs; i++) sum += pixel[i] / 255.0 * w[i * taps];
                    }
                double value = sum * scale[o] + shift[o];
                value = fmax(value, 0.3f * value);
                if (l->adds)
                    value += image[(y / factor * l->width + x / factor) * l->inputs + o % l->inputs] / 255.0;
                if (l->posts) {
                    value = value * b.parameters[step->post_scale + (int64_t)o] +
                            b.parameters[step->post_shift + (int64_t)o];
                    value = fmax(value, 0.3f * value);
                }
                expected[(y * width + x) * l->outputs + o] = value;
            }
    char what[160];
    snprintf(what, sizeof what, "operation %d, %zu x %zu, %zu -> %zu, dilation %zu, weights %d, %s%s%s", l->operation,
             l->height, l->width, l->inputs, l->outputs, d, l->kind, l->keeps_inputs ? "inputs" : "weights",
             l->adds ? ", add" : "", l->posts ? ", post" : "");
    compare(got, expected, height * width * l->outputs, what);
    free(expected);
    free(dense);
}

static void test_convolutions(void) {
    static const struct { size_t height, width; } sizes[] = {{1, 1}, {1, 9}, {7, 2}, {8, 8}, {13, 21}, {32, 36}};
    static const struct { size_t in, out; } channels[] = {{3, 5}, {16, 16}, {16, 32}, {20, 9}};
    for (size_t s = 0; s < 6; s++)
        for (size_t c = 0; c < 4; c++)
            for (int variant = 0; variant < 8; variant++) {
                layer l = {.height = sizes[s].height, .width = sizes[s].width, .inputs = channels[c].in,
                           .outputs = channels[c].out, .dilation = 1, .kind = (ep_weights)((s + c) % 4),
                           .keeps_inputs = variant & 1, .posts = variant & 2};
                l.adds = (variant & 4) && l.inputs == 16;
                l.operation = EP_POINTWISE, test_layer(&l);
                l.operation = EP_UPSAMPLED, test_layer(&l);
                l.operation = EP_WINOGRAD, test_layer(&l);
                l.dilation = 2 + s % 3, test_layer(&l);
            }
}

/* ---- other steps ---- */

static void test_steps(void) {
    builder b;
    const size_t h = 6, w = 10, c = 3;
    const int64_t in = start_with_image(&b, h, w, c);
    const int64_t pooled = new_map(&b, 3, 5, 3), back = new_map(&b, 6, 10, 3), joined = new_map(&b, 6, 10, 6);
    new_step(&b, EP_MAXPOOL, in, 3, pooled, 3), new_task(&b, EP_ROWS, 3);
    ep_step *step = new_step(&b, EP_ELEMENTWISE, pooled, 3, back, 3);
    const size_t wide = (size_t)padded(3, facts.block);
    step->enlarged = 1;
    step->scale = parameter(&b, wide, small);
    step->shift = parameter(&b, wide, small);
    step->slope = parameter(&b, 1, slope);
    step->add = in;
    const ep_step done = *step;
    new_task(&b, EP_ROWS, 6);
    new_step(&b, EP_COPY, back, 3, joined, 6), new_task(&b, EP_ROWS, 6);
    new_step(&b, EP_COPY, in, 3, joined, 6)->output_start = 3;
    new_task(&b, EP_ROWS, 6);
    const int64_t flat = new_map(&b, 1, 1, 360);
    new_step(&b, EP_COPY, joined, 6, flat, 360), new_task(&b, EP_ROWS, 6);
    end_with_result(&b, flat, 360);

    const uint8_t *image = random_image(&b);
    double expected[360];
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++)
            for (size_t k = 0; k < c; k++) {
                double peak = 0;
                for (size_t corner = 0; corner < 4; corner++)
                    peak = fmax(peak, image[((y / 2 * 2 + corner / 2) * w + x / 2 * 2 + corner % 2) * c + k] / 255.0);
                const double own = image[(y * w + x) * c + k] / 255.0;
                const double value = peak * b.parameters[done.scale + (int64_t)k] + b.parameters[done.shift + (int64_t)k];
                expected[(y * w + x) * 6 + k] = fmax(value, 0.3f * value) + own;
                expected[(y * w + x) * 6 + 3 + k] = own;
            }
    compare(run(&b, image), expected, 360, "pool, enlarge, add, join, flatten");
}

/* ---- memory: a map streamed through 4 of its 40 rows ---- */

static void test_memory(void) {
    builder b;
    start(&b, 40, 12, 3);
    const int64_t in = new_map(&b, 40, 12, 3), half = new_map(&b, 20, 6, 3);
    b.maps[in].rows = 4;
    b.plan.arena_elements = (size_t)b.maps[half].offset + 20 * 6 * (size_t)b.maps[half].channels;
    new_step(&b, EP_IMAGE, EP_NONE, 0, in, 3);
    new_step(&b, EP_MAXPOOL, in, 3, half, 3);
    for (int64_t y = 0; y < 20; y++) {
        b.tasks[b.plan.task_count++] = (ep_task){0, EP_ROWS, 2 * y, 2 * y + 2};
        b.tasks[b.plan.task_count++] = (ep_task){1, EP_ROWS, y, y + 1};
    }
    end_with_result(&b, half, 3);
    const uint8_t *image = random_image(&b);
    double expected[20 * 6 * 3];
    for (size_t i = 0; i < 20 * 6 * 3; i++) {
        const size_t y = i / 18, x = i / 3 % 6, k = i % 3;
        expected[i] = 0;
        for (size_t corner = 0; corner < 4; corner++)
            expected[i] =
                fmax(expected[i], image[((2 * y + corner / 2) * 12 + 2 * x + corner % 2) * 3 + k] / 255.0);
    }
    compare(run(&b, image), expected, 20 * 6 * 3, "streamed rows");
}

/* ---- refusals: every field of a good plan is corrupted in turn ---- */

static uint8_t good_indices[2 * 16 * 9 * 8];

static void good_plan(builder *b) {
    const int64_t in = start_with_image(b, 8, 8, 16), out = new_map(b, 8, 8, 16);
    ep_step *step = new_step(b, EP_WINOGRAD, in, 16, out, 16);
    step->weight_kind = EP_INDEX8;
    step->codebook = parameter(b, 200, small);
    step->codebook_size = 200;
    step->scale = parameter(b, 16, one);
    step->shift = parameter(b, 16, small);
    step->slope = parameter(b, 1, slope);
    step->add = in;
    b->weights[0] = (ep_buffer){good_indices, sizeof good_indices};
    b->plan.weight_count = 1;
    step->weights = 0;
    step->resident = reserve(b, 36 * 16 * 16);
    new_task(b, EP_WEIGHTS, 16 / (int64_t)facts.block), new_task(b, EP_TILES, 2);
    end_with_result(b, out, 16);
}

static bool accepted(const builder *b) {
    ep_network *network = NULL;
    ep_failure failure;
    const ep_status status = ep_network_create(&b->plan, isa, 1, &network, &failure);
    CHECK(status == EP_OK || (status == EP_BAD_PLAN && *failure.reason) || status == EP_NO_MEMORY, "status %d", status);
    if (status == EP_OK) { /* then it must be harmless: the sanitizers check */
        const size_t inputs = b->plan.image_height * b->plan.image_width * b->plan.image_channels;
        const size_t outputs = b->plan.result_height * b->plan.result_width * b->plan.result_channels;
        uint8_t *image = calloc(inputs, 1);
        float *output = malloc(outputs * sizeof *output);
        CHECK(ep_network_run(network, image, inputs, output, outputs, NULL) == EP_OK, "run");
        CHECK(ep_network_run(network, image, inputs - 1, output, outputs, NULL) == EP_BAD_IMAGE, "short image");
        CHECK(ep_network_run(network, image, inputs, output, outputs + 1, NULL) == EP_BAD_IMAGE, "long output");
        free(image);
        free(output);
        ep_network_destroy(network);
    }
    return status == EP_OK;
}

static size_t corrupt(builder *b, int64_t *fields, size_t count) {
    static const int64_t values[] = {-2, -1, 0, 1, 2, 3, 5, 33, 4097, 1 << 20, INT64_C(1) << 33, INT64_MAX, INT64_MIN};
    size_t refused = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            const int64_t good = fields[i];
            fields[i] = values[v];
            refused += !accepted(b);
            fields[i] = good;
        }
    return refused;
}

static void test_refusals(void) {
    builder b;
    good_plan(&b);
    CHECK(accepted(&b), "the good plan is refused");
    size_t refused = corrupt(&b, (int64_t *)b.maps, b.plan.map_count * sizeof(ep_map) / 8);
    refused += corrupt(&b, (int64_t *)b.steps, b.plan.step_count * sizeof(ep_step) / 8);
    refused += corrupt(&b, (int64_t *)b.tasks, b.plan.task_count * sizeof(ep_task) / 8);
    CHECK(refused > 500, "only %zu corrupted plans were refused", refused);

    good_indices[7] = 200;
    CHECK(!accepted(&b), "an index beyond the codebook");
    good_indices[7] = 0;
    b.weights[0].bytes--;
    CHECK(!accepted(&b), "short weights");
    b.weights[0].bytes++;
    const ep_step good = b.steps[1];
    b.steps[1].weight_kind = EP_INDEX4;
    b.weights[0].bytes /= 2;
    CHECK(accepted(&b), "indices of 4 bits");
    b.steps[1].codebook_size = 15;
    b.steps[1].codebook = (int64_t)b.plan.parameter_count - 15;
    CHECK(!accepted(&b), "fewer parameters than a nibble can index");
    b.steps[1] = good;
    b.weights[0].bytes *= 2;
    b.parameters[b.steps[1].slope] = 1.5f;
    CHECK(!accepted(&b), "a slope above 1");
    b.parameters[b.steps[1].slope] = 0.3f;
    const size_t arena = b.plan.arena_elements;
    for (b.plan.arena_elements = 0; b.plan.arena_elements < arena; b.plan.arena_elements += 640)
        CHECK(!accepted(&b), "an arena of %zu elements", b.plan.arena_elements);
    b.plan.arena_elements = arena;
    CHECK(accepted(&b), "the good plan is refused afterwards");

    ep_network *network;
    ep_failure failure;
    CHECK(ep_network_create(&b.plan, isa, 0, &network, &failure) == EP_BAD_THREADS, "no thread");
    CHECK(ep_network_create(&b.plan, isa, 1000, &network, &failure) == EP_BAD_THREADS, "1000 threads");
    CHECK(ep_network_create(&b.plan, "abacus", 1, &network, &failure) == EP_BAD_ISA, "unknown instruction set");
}

/* ---- allocations: the n-th one fails, for every n ---- */

static size_t allocations_left = SIZE_MAX;

void *__real_calloc(size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_calloc(size_t count, size_t size) {
    return allocations_left-- == 0 ? NULL : __real_calloc(count, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return allocations_left-- == 0 ? NULL : __real_aligned_alloc(alignment, size);
}

static void test_allocations(void) {
    builder b;
    good_plan(&b);
    size_t n = 0;
    for (;; n++) {
        ep_network *network = NULL;
        ep_failure failure;
        allocations_left = n;
        const ep_status status = ep_network_create(&b.plan, isa, 1, &network, &failure);
        allocations_left = SIZE_MAX;
        if (status == EP_OK) {
            ep_network_destroy(network);
            break;
        }
        CHECK(status == EP_NO_MEMORY || status == EP_NO_THREAD, "allocation %zu: status %d", n, status);
    }
    CHECK(n >= 8, "only %zu allocations were seen", n);
}

int main(int argc, char **argv) {
    if (argc != 3) return puts("usage: test_core ISA GROUP"), 2;
    isa = *argv[1] ? argv[1] : NULL;
    ep_status status = ep_isa_find(isa, sizeof(float), &facts);
    if (status != EP_OK) return puts("this processor lacks the instruction set"), 77;
    isa = facts.name;
    if (!strcmp(argv[2], "convolutions")) test_convolutions();
    else if (!strcmp(argv[2], "steps")) test_steps();
    else if (!strcmp(argv[2], "memory")) test_memory();
    else if (!strcmp(argv[2], "refusals")) test_refusals();
    else if (!strcmp(argv[2], "allocations")) test_allocations();
    else return puts("unknown group"), 2;
    printf("%s %s: %s\n", isa, argv[2], failures ? "failed" : "ok");
    return failures != 0;
}
