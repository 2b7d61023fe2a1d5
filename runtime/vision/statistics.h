/* Statistics of a picture at the network's scale: its stain, sharpness and cells (docs/envelope.md). */
#ifndef EDGEPATHO_STATISTICS_H
#define EDGEPATHO_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

#include "cells.h"

/* The table of colours: a bit for each level of strength, step of u and step of v, the first the highest of a byte. */
enum { EP_COLOUR_LEVELS = 5, EP_HUE_STEPS = 32, EP_COLOURS_BYTES = EP_COLOUR_LEVELS * EP_HUE_STEPS * EP_HUE_STEPS / 8 };

/* NaN where there is too little to measure. */
typedef struct ep_statistics {
    double background;         /* darkest channel of the background, 0..255 */
    double density;            /* median optical density */
    double tissue;             /* share of the pixels that are stained */
    double hematoxylin_area;   /* share of the pixels whose stain counts as hematoxylin */
    double dab_area;           /* share of the pixels that are brown, density in blue above 0.15 */
    double saturation;         /* mean distance of the stain's hue from grey */
    double unseen_colours;     /* share of stained pixels whose colour is not in the table */
    double dab_to_hematoxylin; /* ratio of the 95th percentiles of their density */
    double brown_core_pale;    /* share of brown, density in blue above 0.15, with brown on all sides */
    double brown_core_dense;   /* the same above 0.3 */
    double sharpness;          /* variance of the Laplacian over the variance */
    double nucleus_px;         /* diameter around the cells where density has halved */
    double brown_rim;          /* brown around cells over brown around and within them */
    double hematoxylin[3];     /* direction of optical density of R, G, B, of unit length */
    double dab[3];
} ep_statistics;

/* Bytes that ep_measure needs as scratch. */
size_t ep_measure_scratch_bytes(size_t height, size_t width);

/* Measure a picture.
 *
 * rgb     IN   [height][width][3]; sides are 1 to EP_CELLS_MAX_SIDE
 * colours IN   EP_COLOURS_BYTES bytes
 * cells   IN   [count] centres within the picture
 * scratch OUT  ep_measure_scratch_bytes(...) bytes, aligned for double */
void ep_measure(const uint8_t *rgb, size_t height, size_t width, const uint8_t *colours, const ep_cell *cells,
                size_t count, void *restrict scratch, ep_statistics *restrict out);

/* Return the share of the heat above half the thresholds that is below them, NaN if there is none.
 *
 * heat IN  [pixels][classes] */
double ep_doubtful_heat(const float *heat, size_t pixels, size_t classes, const float *thresholds);

#endif
