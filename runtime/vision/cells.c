/* Cells in a heat map, in integers: distances stay squared, so every comparison is exact. */
#include "cells.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct entry {
    uint32_t distance; /* squared; the heap pops the largest first, */
    uint32_t age;      /* and of equal ones the oldest */
    uint32_t at;       /* row * width + column */
} entry;

typedef struct distance_field {
    size_t height, width;
    uint32_t *distance; /* [height][width] squared distance to the background, 0 on it */
    uint32_t *label;    /* [height][width] cell of the pixel, 0 = none */
    uint32_t *line;     /* [width] */
    entry *heap;        /* [height * width]: no pixel enters twice */
    size_t heap_count;
} distance_field;

/* ---- heap ---- */

/* In scikit-image's watershed all markers enter the queue at age 0, so where peaks tie, the structure of
 * the queue decides which grows first. This is the same binary heap: strict comparisons, left child first. */

static bool before(const entry *a, const entry *b) {
    return a->distance != b->distance ? a->distance > b->distance : a->age < b->age;
}

static void swap(entry *a, entry *b) {
    const entry kept = *a;
    *a = *b;
    *b = kept;
}

static void push(distance_field *field, entry added) {
    size_t child = field->heap_count++;
    field->heap[child] = added;
    while (child > 0) {
        const size_t parent = (child - 1) / 2;
        if (!before(&field->heap[child], &field->heap[parent])) break;
        swap(&field->heap[child], &field->heap[parent]);
        child = parent;
    }
}

static entry pop(distance_field *field) {
    entry *heap = field->heap;
    const entry first = heap[0];
    const size_t count = --field->heap_count;
    heap[0] = heap[count];
    for (size_t parent = 0;;) {
        const size_t left = 2 * parent + 1, right = left + 1;
        size_t best = parent;
        if (left < count && before(&heap[left], &heap[best])) best = left;
        if (right < count && before(&heap[right], &heap[best])) best = right;
        if (best == parent) return first;
        swap(&heap[parent], &heap[best]);
        parent = best;
    }
}

/* ---- distance ---- */

/* Write the squared distances of a mask (0 or 1 in field->distance) and return the smallest one. */
static uint32_t distances(distance_field *field, bool any_background) {
    const size_t height = field->height, width = field->width;
    uint32_t *distance = field->distance, *line = field->line;
    if (!any_background) { /* SciPy then measures to a pixel above the first one */
        for (size_t row = 0; row < height; row++)
            for (size_t column = 0; column < width; column++)
                distance[row * width + column] = (uint32_t)((row + 1) * (row + 1) + column * column);
        return 1;
    }
    const uint32_t far = (uint32_t)(height + width); /* farther than any background pixel */
    for (size_t column = 0; column < width; column++) {
        uint32_t run = far;
        for (size_t row = 0; row < height; row++) {
            uint32_t *here = &distance[row * width + column];
            run = *here == 0 ? 0 : run < far ? run + 1 : far;
            *here = run;
        }
        for (size_t row = height; row-- > 0;) {
            uint32_t *here = &distance[row * width + column];
            run = *here <= run ? *here : run + 1;
            *here = run;
        }
    }
    for (size_t row = 0; row < height; row++) {
        uint32_t *out = distance + row * width;
        for (size_t column = 0; column < width; column++) line[column] = out[column] * out[column];
        for (size_t column = 0; column < width; column++) {
            uint32_t best = line[column];
            for (size_t apart = 1; apart * apart < best; apart++) {
                const uint32_t square = (uint32_t)(apart * apart);
                if (column >= apart && line[column - apart] + square < best) best = line[column - apart] + square;
                if (column + apart < width && line[column + apart] + square < best)
                    best = line[column + apart] + square;
            }
            out[column] = best;
        }
    }
    return 0;
}

/* ---- peaks ---- */

typedef struct rectangle {
    size_t top, bottom, left, right; /* bottom and right are one past the end */
} rectangle;

static rectangle around(const distance_field *field, size_t at, size_t reach) {
    const size_t row = at / field->width, column = at % field->width;
    return (rectangle){
        .top = row > reach ? row - reach : 0,
        .bottom = row + reach < field->height ? row + reach + 1 : field->height,
        .left = column > reach ? column - reach : 0,
        .right = column + reach < field->width ? column + reach + 1 : field->width,
    };
}

static bool is_highest(const distance_field *field, size_t at, size_t reach) {
    const rectangle window = around(field, at, reach);
    for (size_t row = window.top; row < window.bottom; row++)
        for (size_t column = window.left; column < window.right; column++)
            if (field->distance[row * field->width + column] > field->distance[at]) return false;
    return true;
}

static bool is_free(const distance_field *field, size_t at, size_t reach) {
    const rectangle window = around(field, at, reach);
    for (size_t row = window.top; row < window.bottom; row++)
        for (size_t column = window.left; column < window.right; column++)
            if (field->label[row * field->width + column] != 0) return false;
    return true;
}

/* Label every peak, touching peaks (min_distance 1) alike; return the number of labels. */
static uint32_t label_peaks(distance_field *field, uint32_t lowest, size_t min_distance) {
    const size_t pixels = field->height * field->width;
    const uint32_t unnumbered = UINT32_MAX;
    memset(field->label, 0, pixels * sizeof *field->label);

    /* The highest pixel of its window is a peak unless a higher or earlier peak is nearer than
     * min_distance. scikit-image's extra rule for flat images selects the same pixels. */
    field->heap_count = 0;
    for (size_t at = 0; at < pixels; at++)
        if (field->distance[at] > lowest && is_highest(field, at, min_distance))
            push(field, (entry){field->distance[at], (uint32_t)at, (uint32_t)at});
    while (field->heap_count > 0) {
        const size_t at = pop(field).at;
        if (is_free(field, at, min_distance - 1)) field->label[at] = unnumbered;
    }

    uint32_t count = 0;
    for (size_t seed = 0; seed < pixels; seed++) {
        if (field->label[seed] != unnumbered) continue;
        field->label[seed] = ++count;
        push(field, (entry){.at = (uint32_t)seed});
        while (field->heap_count > 0) {
            const rectangle window = around(field, pop(field).at, 1);
            for (size_t row = window.top; row < window.bottom; row++)
                for (size_t column = window.left; column < window.right; column++) {
                    const size_t at = row * field->width + column;
                    if (field->label[at] != unnumbered) continue;
                    field->label[at] = count;
                    push(field, (entry){.at = (uint32_t)at});
                }
        }
    }
    return count;
}

/* ---- watershed ---- */

/* Water never rises again after a saddle: a pixel enters no higher than the one it was reached from. */
static void claim(distance_field *field, size_t at, entry from, uint32_t *age) {
    if (field->distance[at] == 0 || field->label[at] != 0) return;
    field->label[at] = field->label[from.at];
    const uint32_t distance = field->distance[at] < from.distance ? field->distance[at] : from.distance;
    push(field, (entry){distance, ++*age, (uint32_t)at});
}

/* Grow the labelled peaks downhill over the mask, along rows and columns. */
static void flood(distance_field *field) {
    const size_t width = field->width, pixels = field->height * width;
    uint32_t age = 0;
    for (size_t at = 0; at < pixels; at++)
        if (field->label[at] != 0) push(field, (entry){field->distance[at], 0, (uint32_t)at});
    while (field->heap_count > 0) {
        const entry from = pop(field);
        const size_t column = from.at % width;
        if (from.at >= width) claim(field, from.at - width, from, &age);
        if (column > 0) claim(field, from.at - 1, from, &age);
        if (column + 1 < width) claim(field, from.at + 1, from, &age);
        if (from.at + width < pixels) claim(field, from.at + width, from, &age);
    }
}

/* ---- cells ---- */

size_t ep_cells_scratch_bytes(size_t height, size_t width) {
    const size_t pixels = height * width;
    return pixels * (2 * sizeof(uint32_t) + sizeof(entry)) + width * sizeof(uint32_t);
}

size_t ep_cells_capacity(size_t height, size_t width, size_t min_distance) {
    const size_t apart = min_distance > 1 ? min_distance : 2; /* touching peaks are one cell */
    return ((height + apart - 1) / apart) * ((width + apart - 1) / apart);
}

/* Write the mean column and row of every label; the capacity of `cells` bounds `count`. */
static void centroids(const distance_field *field, uint32_t count, ep_cell *restrict cells, uint32_t *restrict pixels) {
    memset(pixels, 0, count * sizeof *pixels);
    for (uint32_t cell = 0; cell < count; cell++) cells[cell] = (ep_cell){0, 0};
    for (size_t row = 0; row < field->height; row++)
        for (size_t column = 0; column < field->width; column++) {
            const uint32_t label = field->label[row * field->width + column];
            if (label == 0) continue;
            cells[label - 1].x += (double)column; /* exact: sums of integers */
            cells[label - 1].y += (double)row;
            pixels[label - 1]++;
        }
    for (uint32_t cell = 0; cell < count; cell++) {
        cells[cell].x /= pixels[cell];
        cells[cell].y /= pixels[cell];
    }
}

size_t ep_find_cells(const float *heat, size_t height, size_t width, size_t stride, float threshold,
                     size_t min_distance, void *restrict scratch, ep_cell *restrict cells) {
    const size_t pixels = height * width;
    distance_field field = {.height = height, .width = width, .distance = scratch};
    field.label = field.distance + pixels;
    field.line = field.label + pixels;
    field.heap = (entry *)(field.line + width);

    bool any_background = false;
    for (size_t at = 0; at < pixels; at++) {
        const float value = heat[at * stride];
        field.distance[at] = value >= threshold && value > 0;
        any_background |= field.distance[at] == 0;
    }
    const uint32_t lowest = distances(&field, any_background);
    const uint32_t count = label_peaks(&field, lowest, min_distance);
    flood(&field);
    centroids(&field, count, cells, (uint32_t *)field.heap);
    return count;
}
