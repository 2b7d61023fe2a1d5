/* Shapes in a picture: brown without a core, blur, and what surrounds cells. */
#include "shape.h"

#include <math.h>

enum {
    RADIUS = 12, /* pixels of the profile around a cell */
    MIN_CELLS = 5,
    CORE = 2, /* pixels to the sides on which a core has brown, too */
};

double ep_core_share(const ep_maps *maps, uint8_t kind, double least_share) {
    const size_t height = maps->height, width = maps->width;
    size_t brown = 0, core = 0;
    for (size_t row = 0; row < height; row++)
        for (size_t column = 0; column < width; column++) {
            const uint8_t *here = maps->kinds + row * width + column;
            if (!(*here & kind)) continue;
            brown++;
            if (row >= CORE && row + CORE < height && column >= CORE && column + CORE < width &&
                here[-(ptrdiff_t)(CORE * width)] & here[CORE * width] & here[-CORE] & here[CORE] & kind)
                core++;
        }
    return brown == 0 || (double)brown < least_share * (double)(height * width) ? NAN : (double)core / (double)brown;
}

static int64_t grey(const uint8_t *rgb, size_t at) {
    return (77 * rgb[3 * at] + 150 * rgb[3 * at + 1] + 29 * rgb[3 * at + 2]) >> 4;
}

static double variance(int64_t sum, int64_t squares, size_t count) {
    const double mean = (double)sum / (double)count;
    return (double)squares / (double)count - mean * mean;
}

double ep_sharpness(const uint8_t *rgb, size_t height, size_t width) {
    if (height < 3 || width < 3) return NAN;
    int64_t sum = 0, squares = 0, laplacians = 0, laplacian_squares = 0;
    int64_t least = INT64_MAX, most = 0;
    for (size_t row = 0; row < height; row++)
        for (size_t column = 0; column < width; column++) {
            const size_t at = row * width + column;
            const int64_t here = grey(rgb, at);
            sum += here;
            squares += here * here;
            if (here < least) least = here;
            if (here > most) most = here;
            if (row == 0 || row + 1 == height || column == 0 || column + 1 == width) continue;
            const int64_t laplacian =
                grey(rgb, at - width) + grey(rgb, at + width) + grey(rgb, at - 1) + grey(rgb, at + 1) - 4 * here;
            laplacians += laplacian;
            laplacian_squares += laplacian * laplacian;
        }
    if (least == most) return NAN;
    return variance(laplacians, laplacian_squares, (height - 2) * (width - 2)) / variance(sum, squares, height * width);
}

/* ---- cells ---- */

void ep_cell_profile(const ep_maps *maps, const ep_cell *cells, size_t count, double *nucleus_px, double *brown_rim) {
    double sums[RADIUS + 1] = {0}, brown[RADIUS + 1] = {0}, pixels[RADIUS + 1] = {0};
    if (count < MIN_CELLS) return;
    for (size_t cell = 0; cell < count; cell++) {
        const ptrdiff_t x = (ptrdiff_t)floor(cells[cell].x + 0.5), y = (ptrdiff_t)floor(cells[cell].y + 0.5);
        for (ptrdiff_t down = -RADIUS; down <= RADIUS; down++)
            for (ptrdiff_t across = -RADIUS; across <= RADIUS; across++) {
                const ptrdiff_t row = y + down, column = x + across;
                const size_t ring = (size_t)floor(sqrt((double)(down * down + across * across)) + 0.5);
                if (ring > RADIUS || row < 0 || row >= (ptrdiff_t)maps->height || column < 0 ||
                    column >= (ptrdiff_t)maps->width)
                    continue;
                const size_t at = (size_t)row * maps->width + (size_t)column;
                sums[ring] += (double)maps->strengths[at];
                brown[ring] += maps->kinds[at] & EP_BROWN ? (double)maps->strengths[at] : 0.0;
                pixels[ring] += 1;
            }
    }
    double profile[RADIUS + 1], inside = 0, around = 0, inside_px = 0, around_px = 0;
    for (size_t ring = 0; ring <= RADIUS; ring++) {
        profile[ring] = sums[ring] / (pixels[ring] > 1 ? pixels[ring] : 1);
        if (ring <= 3) inside += brown[ring], inside_px += pixels[ring];
        if (ring >= 6 && ring <= 9) around += brown[ring], around_px += pixels[ring];
    }
    inside /= inside_px;
    around /= around_px > 1 ? around_px : 1;
    if (inside + around >= 0.02) *brown_rim = around / (inside + around);
    size_t peak = 0;
    for (size_t ring = 1; ring < 4; ring++)
        if (profile[ring] > profile[peak]) peak = ring;
    double least = profile[peak];
    for (size_t ring = peak; ring <= RADIUS; ring++)
        if (profile[ring] < least) least = profile[ring];
    const double half = (profile[peak] + least) / 2;
    for (size_t ring = peak; ring < RADIUS; ring++)
        if (profile[ring + 1] < half) {
            const double part = (profile[ring] - half) / (profile[ring] - profile[ring + 1]);
            *nucleus_px = 2 * ((double)ring + part);
            return;
        }
}
