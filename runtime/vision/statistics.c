/* Statistics of a picture. edgepatho/envelope computes the same on the host, in the same order and in double
 * precision; percentiles come from histograms, so that a last bit can move them by one bin at most. */
#include "statistics.h"

#include "shape.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum {
    BOX = 3 * 3 * 255 + 1, /* sums of 3 x 3 pixels */
    DENSEST = 2200,        /* bins of strength: 500 per unit, the densest is 4.17 */
    U_BINS = 257,          /* of 1/128, from -1 to 1 */
    V_BINS = 385,          /* of 1/128, from -1 to 2 */
};

static const double LEVELS[EP_COLOUR_LEVELS] = {0.06, 0.12, 0.25, 0.5, 1.0};

typedef struct stain {
    uint32_t count, unseen, strength[DENSEST];
    uint64_t weight, u[U_BINS], v[V_BINS];
} stain;

typedef struct measuring {
    double density[3][BOX]; /* optical density of a sum, by channel */
    uint32_t counts[3][BOX], strength[DENSEST];
    stain blue, brown;
    double hue; /* sum of the stained pixels' distances from grey */
    size_t stained, pale;
    float *strengths;  /* [height][width] */
    uint16_t *sums;    /* [height][width][3] of 3 x 3 pixels */
    uint16_t *columns; /* [1 + width + 1][3] of 3 pixels, one above the other */
    uint8_t *kinds;    /* [height][width] */
} measuring;

size_t ep_measure_scratch_bytes(size_t height, size_t width) {
    const size_t pixel_bytes = sizeof(float) + 3 * sizeof(uint16_t) + 1;
    return sizeof(measuring) + height * width * pixel_bytes + 3 * (width + 2) * sizeof(uint16_t);
}

/* ---- histograms ---- */

/* The first bin up to which `wanted` of the counts lie. */
static size_t reached(const uint32_t *counts, double wanted) {
    double sum = 0.0;
    for (size_t bin = 0;; bin++)
        if ((sum += counts[bin]) >= wanted || bin == DENSEST - 1) return bin;
}

static double percentile(const uint32_t *counts, size_t total, double share) {
    return ((double)reached(counts, share * (double)total) + 0.5) / 500;
}

static double middle(const uint64_t *weights, size_t bins, uint64_t total) {
    double sum = 0.0;
    for (size_t bin = 0;; bin++)
        if ((sum += (double)weights[bin]) >= (double)total / 2 || bin == bins - 1)
            return ((double)bin - 128 + 0.5) / 128;
}

/* ---- colour ---- */

/* Write the sums of a row's 3 x 3 pixels, edges repeated, to sums [width][3] and count them. */
static void sum_row(measuring *m, const uint8_t *rgb, size_t height, size_t width, size_t row) {
    const size_t bytes = 3 * width;
    const uint8_t *here = rgb + row * bytes, *above = row > 0 ? here - bytes : here;
    const uint8_t *below = row + 1 < height ? here + bytes : here;
    uint16_t *columns = m->columns + 3, *sums = m->sums + row * bytes; /* with a pixel to the left */
    for (size_t i = 0; i < bytes; i++) columns[i] = (uint16_t)(above[i] + here[i] + below[i]);
    for (size_t channel = 0; channel < 3; channel++) {
        m->columns[channel] = columns[channel];
        columns[bytes + channel] = columns[bytes - 3 + channel];
    }
    for (size_t i = 0; i < bytes; i++) {
        const uint16_t sum = (uint16_t)(m->columns[i] + columns[i] + columns[i + 3]);
        sums[i] = sum < 9 ? 9 : sum;
        m->counts[i % 3][sums[i]]++;
    }
}

static double set_background(measuring *m, const uint8_t *rgb, size_t height, size_t width) {
    for (size_t row = 0; row < height; row++) sum_row(m, rgb, height, width, row);
    const double wanted = ceil(0.97 * (double)(height * width));
    double darkest = 255.0;
    for (size_t channel = 0; channel < 3; channel++) {
        size_t background = 0;
        for (double sum = m->counts[channel][0]; sum < wanted; sum += m->counts[channel][background]) background++;
        for (size_t sum = 9; sum < BOX; sum++) {
            const double density = log10((double)background / (double)sum);
            m->density[channel][sum] = density > 0.0 ? density : 0.0;
        }
        if ((double)background / 9 < darkest) darkest = (double)background / 9;
    }
    return darkest;
}

static bool is_known(const uint8_t *colours, double strength, double u, double v) {
    size_t level = 0;
    while (level + 1 < EP_COLOUR_LEVELS && strength > LEVELS[level + 1]) level++;
    const double across = floor((u + 0.8) / 0.05), along = floor((v + 0.8) / 0.05);
    const double steps = (double)EP_HUE_STEPS;
    if (!(across >= 0.0 && across < steps && along >= 0.0 && along < steps)) return false;
    const size_t bit = (level * EP_HUE_STEPS + (size_t)across) * EP_HUE_STEPS + (size_t)along;
    return colours[bit / 8] >> (7 - bit % 8) & 1;
}

static void add_pixel(measuring *m, size_t at, const uint8_t *colours) {
    const uint16_t *sums = m->sums + 3 * at;
    const double red = m->density[0][sums[0]], green = m->density[1][sums[1]], blue = m->density[2][sums[2]];
    const double strength = sqrt(red * red + green * green + blue * blue);
    const size_t bin = (size_t)(strength * 500);
    m->strength[bin]++;
    m->strengths[at] = (float)strength;
    m->kinds[at] = 0;
    if (!(strength > LEVELS[0])) return;
    const double total = red + green + blue, u = (red - blue) / total, v = (2 * green - red - blue) / total;
    const bool is_brown = !(u > 0.05);
    stain *own = is_brown ? &m->brown : &m->blue;
    m->stained++;
    m->hue += sqrt(u * u + v * v);
    if (!is_known(colours, strength, u, v)) own->unseen++;
    const uint64_t weight = (uint64_t)((strength < 0.5 ? strength : 0.5) * 1000);
    own->count++;
    own->strength[bin]++;
    own->weight += weight;
    own->u[(size_t)(floor(u * 128) + 128)] += weight;
    own->v[(size_t)(floor(v * 128) + 128)] += weight;
    m->pale += is_brown && blue > 0.15;
    if (is_brown)
        m->kinds[at] = (uint8_t)(EP_BROWN | (blue > 0.15 ? EP_BROWN_PALE : 0) | (blue > 0.3 ? EP_BROWN_DENSE : 0));
}

/* direction OUT  of unit length */
static void set_direction(const stain *own, double *direction) {
    const double u = middle(own->u, U_BINS, own->weight), v = middle(own->v, V_BINS, own->weight);
    const double green = (1 + v) / 3;
    const double shares[3] = {(1 - green + u) / 2, green, (1 - green - u) / 2};
    double square = 0.0;
    for (size_t channel = 0; channel < 3; channel++) {
        direction[channel] = shares[channel] > 0.0 ? shares[channel] : 0.0;
        square += direction[channel] * direction[channel];
    }
    for (size_t channel = 0; channel < 3; channel++) direction[channel] /= sqrt(square);
}

/* ---- all together ---- */

void ep_measure(const uint8_t *rgb, size_t height, size_t width, const uint8_t *colours, const ep_cell *cells,
                size_t count, void *restrict scratch, ep_statistics *restrict out) {
    measuring *m = scratch;
    const size_t pixels = height * width;
    memset(m, 0, sizeof *m);
    m->strengths = (float *)(m + 1);
    m->sums = (uint16_t *)(m->strengths + pixels);
    m->columns = m->sums + 3 * pixels;
    m->kinds = (uint8_t *)(m->columns + 3 * (width + 2));
    out->background = set_background(m, rgb, height, width);
    for (size_t at = 0; at < pixels; at++) add_pixel(m, at, colours);
    const double stained = (double)m->stained, enough = 0.001 * (double)pixels;
    const bool is_blue = m->blue.count > 0 && m->blue.count >= enough;
    const bool is_brown = m->brown.count > 0 && m->brown.count >= enough;
    out->density = percentile(m->strength, pixels, 0.5);
    out->tissue = stained / (double)pixels;
    out->hematoxylin_area = m->blue.count / (double)pixels;
    out->dab_area = (double)m->pale / (double)pixels;
    out->saturation = m->stained > 0 ? m->hue / stained : NAN;
    const double unseen_blue = is_blue ? (double)m->blue.unseen / m->blue.count : NAN;
    const double unseen_brown = is_brown ? (double)m->brown.unseen / m->brown.count : NAN;
    out->unseen_colours = fmax(unseen_blue, unseen_brown); /* of NAN and a number, the number */
    out->dab_to_hematoxylin = NAN;
    if (is_blue && is_brown)
        out->dab_to_hematoxylin =
            percentile(m->brown.strength, m->brown.count, 0.95) / percentile(m->blue.strength, m->blue.count, 0.95);
    const ep_maps maps = {height, width, m->strengths, m->kinds};
    out->brown_core_pale = ep_core_share(&maps, EP_BROWN_PALE, 0.02);
    out->brown_core_dense = ep_core_share(&maps, EP_BROWN_DENSE, 0.01);
    out->sharpness = ep_sharpness(rgb, height, width);
    out->nucleus_px = out->brown_rim = NAN;
    ep_cell_profile(&maps, cells, count, &out->nucleus_px, &out->brown_rim);
    for (size_t channel = 0; channel < 3; channel++) out->hematoxylin[channel] = out->dab[channel] = NAN;
    if (is_blue) set_direction(&m->blue, out->hematoxylin);
    if (is_brown) set_direction(&m->brown, out->dab);
}

double ep_doubtful_heat(const float *heat, size_t pixels, size_t classes, const float *thresholds) {
    size_t above_half = 0, above = 0;
    for (size_t pixel = 0; pixel < pixels; pixel++)
        for (size_t class = 0; class < classes; class ++) {
            const float value = heat[pixel * classes + class];
            above_half += value >= thresholds[class] / 2;
            above += value >= thresholds[class];
        }
    return above_half > 0 ? (double)(above_half - above) / (double)above_half : NAN;
}
