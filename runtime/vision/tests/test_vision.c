/* Random sizes and contents through the image and cell code, in buffers of exactly the right size. Meant for
 * -fsanitize=address,undefined; the results themselves are tested from Python against Pillow and SciPy.
 *
 *     test_vision [rounds] */
#include <stdio.h>
#include <stdlib.h>

#include "cells.h"
#include "image.h"
#include "statistics.h"

static uint64_t state = 88172645463325252u;

static uint32_t random_below(uint32_t bound) { /* xorshift64 (Marsaglia 2003) */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % bound;
}

static void *random_bytes(size_t count, uint32_t bound) {
    uint8_t *bytes = malloc(count);
    if (bytes == NULL) exit(2);
    for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)random_below(bound);
    return bytes;
}

static void png_rows(void) {
    const size_t height = 1 + random_below(9), width = 1 + random_below(40);
    const unsigned depth = 1u << random_below(4);
    const size_t row_bytes = (width * depth + 7) / 8, colours = 1 + random_below(256);
    uint8_t *rows = random_bytes(height * (1 + row_bytes), 6);
    uint8_t *table = random_bytes(3 * colours, 256), *rgb = malloc(3 * height * width);
    if (ep_png_unfilter(rows, height, row_bytes, 1))
        ep_rgb_from_indices(rows, height, width, depth, table, colours, rgb);
    free(rows);
    free(table);

    const size_t channels = 2 + random_below(3);
    rows = random_bytes(height * (1 + width * channels), 256);
    for (size_t row = 0; row < height; row++) rows[row * (1 + width * channels)] %= 5;
    if (!ep_png_unfilter(rows, height, width * channels, channels)) exit(3);
    ep_rgb_from_pixels(rows, height, width, channels, rgb);
    free(rows);
    free(rgb);
}

static void resize(void) {
    const size_t height = 1 + random_below(70), width = 1 + random_below(70);
    const size_t out_height = 1 + random_below(70), out_width = 1 + random_below(70);
    uint8_t *rgb = random_bytes(3 * height * width, 256), *out = malloc(3 * out_height * out_width);
    void *scratch = malloc(ep_resize_scratch_bytes(height, width, out_height, out_width));
    ep_resize_rgb(rgb, height, width, out_height, out_width, scratch, out);
    free(rgb);
    free(scratch);
    free(out);
}

static void find_cells(void) {
    const size_t height = 1 + random_below(50), width = 1 + random_below(50), stride = 1 + random_below(3);
    const size_t min_distance = 1 + random_below(8);
    const uint32_t share = 1 + random_below(100);
    const size_t values = ((height * width - 1) * stride) + 1;
    float *heat = malloc(values * sizeof *heat);
    for (size_t i = 0; i < values; i++) heat[i] = random_below(100) < share ? 100.0f : 0.0f;
    const size_t capacity = ep_cells_capacity(height, width, min_distance);
    ep_cell *cells = malloc(capacity * sizeof *cells);
    void *scratch = malloc(ep_cells_scratch_bytes(height, width));
    const size_t count = ep_find_cells(heat, height, width, stride, 60.0f, min_distance, scratch, cells);
    if (count > capacity) exit(4);
    for (size_t i = 0; i < count; i++)
        if (!(cells[i].x >= 0 && cells[i].x <= (double)width - 1 && cells[i].y >= 0 &&
              cells[i].y <= (double)height - 1))
            exit(5);
    free(heat);
    free(cells);
    free(scratch);
}

static void measure(void) {
    const size_t height = 1 + random_below(40), width = 1 + random_below(40), count = random_below(9);
    uint8_t *rgb = random_bytes(3 * height * width, 1 + random_below(256));
    uint8_t *colours = random_bytes(EP_COLOURS_BYTES, 256);
    ep_cell *cells = malloc((count + 1) * sizeof *cells);
    for (size_t i = 0; i < count; i++)
        cells[i] = (ep_cell){(double)random_below((uint32_t)width), (double)random_below((uint32_t)height)};
    void *scratch = malloc(ep_measure_scratch_bytes(height, width));
    ep_statistics found;
    ep_measure(rgb, height, width, colours, cells, count, scratch, &found);
    if (!(found.tissue >= 0 && found.tissue <= 1 && found.background >= 1 && found.background <= 255)) exit(6);
    free(rgb);
    free(colours);
    free(cells);
    free(scratch);
}

int main(int argc, char **argv) {
    const long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    for (long round = 0; round < rounds; round++) {
        png_rows();
        resize();
        find_cells();
        measure();
    }
    printf("%ld rounds\n", rounds);
    return 0;
}
