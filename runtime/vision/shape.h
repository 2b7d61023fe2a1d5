/* Shapes in a picture: brown without a core, blur, and what surrounds cells (docs/envelope.md). */
#ifndef EDGEPATHO_SHAPE_H
#define EDGEPATHO_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "cells.h"

/* Kinds of a pixel, as bits: brown, and brown of a density in blue above 0.15 or 0.3. */
enum { EP_BROWN = 1, EP_BROWN_PALE = 2, EP_BROWN_DENSE = 4 };

typedef struct ep_maps {
    size_t height, width;
    const float *strengths; /* [height][width] optical density */
    const uint8_t *kinds;   /* [height][width] */
} ep_maps;

/* Return the share of the pixels of a kind that have it 2 px away on all four sides, NaN below a share of it. */
double ep_core_share(const ep_maps *maps, uint8_t kind, double least_share);

/* Return the variance of the Laplacian over the variance of the luminance of rgb IN [height][width][3], NaN for
 * sides below 3 or a plain picture. */
double ep_sharpness(const uint8_t *rgb, size_t height, size_t width);

/* Measure what surrounds cells; leaves values as they are where there is too little.
 *
 * nucleus_px OUT  diameter at which the mean density has halved, between its peak near the centre and its least
 * brown_rim  OUT  mean brown at 6 to 9 px over that and the mean brown within 3 px */
void ep_cell_profile(const ep_maps *maps, const ep_cell *cells, size_t count, double *nucleus_px, double *brown_rim);

#endif
