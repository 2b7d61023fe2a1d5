/* Pictures: PNG scanlines to RGB, and Pillow's antialiased bilinear resize. Sides are 1 to EP_IMAGE_MAX_SIDE. */
#ifndef EDGEPATHO_IMAGE_H
#define EDGEPATHO_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EP_IMAGE_MAX_SIDE = 65535 };

/* Undo the filters of PNG scanlines (PNG specification, section 9) in place.
 *
 * rows        IN OUT  [height][1 + row_bytes], the filter type in front of each row
 * pixel_bytes IN      distance to the byte of the pixel on the left, at least 1
 *
 * Returns false if a filter type is invalid. */
bool ep_png_unfilter(uint8_t *rows, size_t height, size_t row_bytes, size_t pixel_bytes);

/* Look up unfiltered scanlines of 1, 2, 4 or 8 bits per pixel in a table of colours.
 *
 * rows  IN   [height][1 + ceil(width * depth / 8)], leftmost pixel in the high bits
 * table IN   [colours][3]
 * rgb   OUT  [height][width][3]
 *
 * Returns false if a pixel is beyond the table. */
bool ep_rgb_from_indices(const uint8_t *rows, size_t height, size_t width, unsigned depth, const uint8_t *table,
                         size_t colours, uint8_t *restrict rgb);

/* Turn unfiltered scanlines into RGB, alpha composited on white and rounded to nearest.
 *
 * rows IN   [height][1 + width * channels]; channels: 2 grey and alpha, 3 RGB, 4 RGB and alpha
 * rgb  OUT  [height][width][3] */
void ep_rgb_from_pixels(const uint8_t *rows, size_t height, size_t width, size_t channels, uint8_t *restrict rgb);

/* Bytes that ep_resize_rgb needs as scratch. */
size_t ep_resize_scratch_bytes(size_t height, size_t width, size_t out_height, size_t out_width);

/* Resize an RGB picture, bit for bit as Pillow's Image.resize(size, BILINEAR) does.
 *
 * rgb     IN   [height][width][3]
 * scratch OUT  ep_resize_scratch_bytes(...) bytes, aligned for int32_t
 * out     OUT  [out_height][out_width][3] */
void ep_resize_rgb(const uint8_t *rgb, size_t height, size_t width, size_t out_height, size_t out_width,
                   void *restrict scratch, uint8_t *restrict out);

#endif
