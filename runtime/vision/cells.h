/* Cells in a heat map: threshold, distance transform, peaks, watershed, centroids. */
#ifndef EDGEPATHO_CELLS_H
#define EDGEPATHO_CELLS_H

#include <stddef.h>

/* Largest height and width: sums of two squared distances must fit 32 bits. */
enum { EP_CELLS_MAX_SIDE = 16383 };

typedef struct ep_cell {
    double x, y; /* mean column and row of the region, in pixels of the map */
} ep_cell;

/* Bytes that ep_find_cells needs as scratch. */
size_t ep_cells_scratch_bytes(size_t height, size_t width);

/* The most cells that a map of this size can hold. */
size_t ep_cells_capacity(size_t height, size_t width, size_t min_distance);

/* Find the cells of one channel of a heat map.
 *
 * The result equals, cell for cell and bit for bit, SciPy's distance_transform_edt, scikit-image's
 * peak_local_max(min_distance, exclude_border=False, labels=mask) and watershed(-distance, markers, mask), and
 * the mean of each region's coordinates, where mask = heat >= threshold and heat > 0.
 *
 * heat      IN   first value of the channel; (row, column) lies at heat[(row * width + column) * stride]
 * threshold IN   smallest heat that belongs to a cell
 * scratch   OUT  ep_cells_scratch_bytes(height, width) bytes, aligned for uint32_t
 * cells     OUT  room for ep_cells_capacity(...) cells, in reading order of their peaks
 *
 * Returns the number of cells. Sides are 1 to EP_CELLS_MAX_SIDE, min_distance at least 1. */
size_t ep_find_cells(const float *heat, size_t height, size_t width, size_t stride, float threshold,
                     size_t min_distance, void *restrict scratch, ep_cell *restrict cells);

#endif
