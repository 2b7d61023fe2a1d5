# cython: language_level=3
"""Python bindings for the image and cell code in C; all they do is check buffer sizes.

Plain buffers instead of typed memoryviews: their length is all there is to check, and the extension is a third
of the size.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t


cdef extern from "image.h" nogil:
    const size_t EP_IMAGE_MAX_SIDE
    bint ep_png_unfilter(uint8_t *rows, size_t height, size_t row_bytes, size_t pixel_bytes)
    bint ep_rgb_from_indices(const uint8_t *rows, size_t height, size_t width, unsigned depth, const uint8_t *table,
                             size_t colours, uint8_t *rgb)
    void ep_rgb_from_pixels(const uint8_t *rows, size_t height, size_t width, size_t channels, uint8_t *rgb)
    size_t ep_resize_scratch_bytes(size_t height, size_t width, size_t out_height, size_t out_width)
    void ep_resize_rgb(const uint8_t *rgb, size_t height, size_t width, size_t out_height, size_t out_width,
                       void *scratch, uint8_t *out)

cdef extern from "cells.h" nogil:
    const size_t EP_CELLS_MAX_SIDE
    ctypedef struct ep_cell:
        double x
        double y
    size_t ep_cells_scratch_bytes(size_t height, size_t width)
    size_t ep_cells_capacity(size_t height, size_t width, size_t min_distance)
    size_t ep_find_cells(const float *heat, size_t height, size_t width, size_t stride, float threshold,
                         size_t min_distance, void *scratch, ep_cell *cells)

cdef extern from "statistics.h" nogil:
    const size_t EP_COLOURS_BYTES
    ctypedef struct ep_statistics:
        double background
        double density
        double tissue
        double hematoxylin_area
        double dab_area
        double saturation
        double unseen_colours
        double dab_to_hematoxylin
        double brown_core_pale
        double brown_core_dense
        double sharpness
        double nucleus_px
        double brown_rim
        double hematoxylin[3]
        double dab[3]
    size_t ep_measure_scratch_bytes(size_t height, size_t width)
    void ep_measure(const uint8_t *rgb, size_t height, size_t width, const uint8_t *colours, const ep_cell *cells,
                    size_t count, void *scratch, ep_statistics *out)
    double ep_doubtful_heat(const float *heat, size_t pixels, size_t classes, const float *thresholds)


cdef class _Bytes:
    """A contiguous buffer of exactly the expected length."""

    cdef Py_buffer view

    def __cinit__(self, source, str name, size_t expected, bint writable=False):
        PyObject_GetBuffer(source, &self.view, PyBUF_WRITABLE if writable else PyBUF_SIMPLE)
        if <size_t>self.view.len != expected:
            raise ValueError(f"{name} holds {self.view.len} bytes, expected {expected}")

    def __dealloc__(self):
        PyBuffer_Release(&self.view)  # a no-op for a view that was never filled


cdef int _check_sides(size_t height, size_t width, size_t largest) except -1:
    if not (0 < height <= largest and 0 < width <= largest):
        raise ValueError(f"{height} x {width} pixels; each side must be 1 to {largest}")
    return 0


def png_unfilter(rows, size_t height, size_t row_bytes, size_t pixel_bytes):
    """Undo the filters of PNG scanlines ``rows`` uint8 [height][1 + row_bytes] in place.

    Return False if a filter type is invalid.
    """
    _check_sides(height, 1, EP_IMAGE_MAX_SIDE)
    if not 0 < pixel_bytes <= row_bytes <= 4 * EP_IMAGE_MAX_SIDE:
        raise ValueError(f"{pixel_bytes} bytes per pixel in rows of {row_bytes}; expected 1 to the row, {4 * EP_IMAGE_MAX_SIDE} at most")
    cdef _Bytes scanlines = _Bytes(rows, "rows", height * (1 + row_bytes), True)
    cdef bint known
    with nogil:
        known = ep_png_unfilter(<uint8_t *>scanlines.view.buf, height, row_bytes, pixel_bytes)
    return known


def rgb_from_indices(rows, size_t height, size_t width, unsigned depth, table):
    """Return RGB uint8 [height][width][3] looked up in ``table`` uint8 [colours][3], or None if a pixel is beyond it.

    ``rows`` are unfiltered PNG scanlines of ``depth`` 1, 2, 4 or 8 bits per pixel.
    """
    _check_sides(height, width, EP_IMAGE_MAX_SIDE)
    if depth not in (1, 2, 4, 8):
        raise ValueError(f"{depth} bits per pixel; expected 1, 2, 4 or 8")
    cdef _Bytes scanlines = _Bytes(rows, "rows", height * (1 + (width * depth + 7) // 8))
    cdef size_t colours = len(table) // 3
    cdef _Bytes colour_table = _Bytes(table, "table", 3 * colours)
    rgb = bytearray(3 * height * width)
    cdef _Bytes out = _Bytes(rgb, "rgb", 3 * height * width, True)
    cdef bint inside
    with nogil:
        inside = ep_rgb_from_indices(<const uint8_t *>scanlines.view.buf, height, width, depth,
                                     <const uint8_t *>colour_table.view.buf, colours, <uint8_t *>out.view.buf)
    return rgb if inside else None


def rgb_from_pixels(rows, size_t height, size_t width, size_t channels):
    """Return RGB uint8 [height][width][3] of unfiltered PNG scanlines of 2 (grey, alpha), 3 or 4 channels."""
    _check_sides(height, width, EP_IMAGE_MAX_SIDE)
    if channels not in (2, 3, 4):
        raise ValueError(f"{channels} channels; expected 2, 3 or 4")
    cdef _Bytes scanlines = _Bytes(rows, "rows", height * (1 + width * channels))
    rgb = bytearray(3 * height * width)
    cdef _Bytes out = _Bytes(rgb, "rgb", 3 * height * width, True)
    with nogil:
        ep_rgb_from_pixels(<const uint8_t *>scanlines.view.buf, height, width, channels, <uint8_t *>out.view.buf)
    return rgb


def resize(rgb, size_t height, size_t width, size_t out_height, size_t out_width):
    """Return ``rgb`` uint8 [height][width][3] as uint8 [out_height][out_width][3], as Pillow's BILINEAR does."""
    _check_sides(height, width, EP_IMAGE_MAX_SIDE)
    _check_sides(out_height, out_width, EP_IMAGE_MAX_SIDE)
    cdef _Bytes source = _Bytes(rgb, "rgb", 3 * height * width)
    cdef size_t scratch_bytes = ep_resize_scratch_bytes(height, width, out_height, out_width)
    cdef _Bytes scratch = _Bytes(bytearray(scratch_bytes), "scratch", scratch_bytes, True)
    resized = bytearray(3 * out_height * out_width)
    cdef _Bytes out = _Bytes(resized, "resized", 3 * out_height * out_width, True)
    with nogil:
        ep_resize_rgb(<const uint8_t *>source.view.buf, height, width, out_height, out_width,
                      scratch.view.buf, <uint8_t *>out.view.buf)
    return resized


def find_cells(heat, size_t height, size_t width, size_t channels, size_t channel, float threshold,
               size_t min_distance):
    """Return the cells of one channel of ``heat`` float32 [height][width][channels] as a list of (x, y) centres."""
    _check_sides(height, width, EP_CELLS_MAX_SIDE)
    if not 0 <= channel < channels <= 256:
        raise ValueError(f"channel {channel} of {channels}; expected one of at most 256 channels")
    if not 1 <= min_distance <= EP_CELLS_MAX_SIDE:
        raise ValueError(f"a minimum distance of {min_distance} pixels; expected 1 to {EP_CELLS_MAX_SIDE}")
    cdef _Bytes values = _Bytes(heat, "heat", height * width * channels * sizeof(float))
    cdef size_t scratch_bytes = ep_cells_scratch_bytes(height, width)
    cdef _Bytes scratch = _Bytes(bytearray(scratch_bytes), "scratch", scratch_bytes, True)
    cdef size_t cells_bytes = ep_cells_capacity(height, width, min_distance) * sizeof(ep_cell)
    cdef _Bytes out = _Bytes(bytearray(cells_bytes), "cells", cells_bytes, True)
    cdef ep_cell *cells = <ep_cell *>out.view.buf
    cdef size_t count
    with nogil:
        count = ep_find_cells(<const float *>values.view.buf + channel, height, width, channels, threshold,
                              min_distance, scratch.view.buf, cells)
    return [(cells[at].x, cells[at].y) for at in range(count)]


def measure(rgb, size_t height, size_t width, colours, cells):
    """Return the statistics of ``rgb`` uint8 [height][width][3] by name, None where there is too little to measure.

    ``colours`` are the bits of the envelope's table, ``cells`` a list of (x, y) centres.
    """
    _check_sides(height, width, EP_CELLS_MAX_SIDE)
    cdef _Bytes picture = _Bytes(rgb, "rgb", 3 * height * width)
    cdef _Bytes table = _Bytes(colours, "colours", EP_COLOURS_BYTES)
    cdef size_t scratch_bytes = ep_measure_scratch_bytes(height, width)
    cdef _Bytes scratch = _Bytes(bytearray(scratch_bytes), "scratch", scratch_bytes, True)
    cdef size_t count = len(cells)
    cdef _Bytes places = _Bytes(bytearray((count + 1) * sizeof(ep_cell)), "cells", (count + 1) * sizeof(ep_cell), True)
    cdef ep_cell *centres = <ep_cell *>places.view.buf
    cdef size_t at
    cdef ep_statistics found
    for at in range(count):
        centres[at].x, centres[at].y = cells[at]
        if not (0 <= centres[at].x < width and 0 <= centres[at].y < height):
            raise ValueError(f"cell {at} is outside the {height} x {width} pixels")
    with nogil:
        ep_measure(<const uint8_t *>picture.view.buf, height, width, <const uint8_t *>table.view.buf, centres, count,
                   scratch.view.buf, &found)
    return {
        "background": found.background,
        "brown_core_dense": _number(found.brown_core_dense),
        "brown_core_pale": _number(found.brown_core_pale),
        "brown_rim": _number(found.brown_rim),
        "dab": _direction(found.dab),
        "dab_area": found.dab_area,
        "dab_to_hematoxylin": _number(found.dab_to_hematoxylin),
        "density": found.density,
        "hematoxylin": _direction(found.hematoxylin),
        "hematoxylin_area": found.hematoxylin_area,
        "nucleus_px": _number(found.nucleus_px),
        "saturation": _number(found.saturation),
        "sharpness": _number(found.sharpness),
        "tissue": found.tissue,
        "unseen_colours": _number(found.unseen_colours),
    }


def doubtful_heat(heat, size_t pixels, thresholds):
    """Return the share of ``heat`` float32 [pixels][classes] above half the thresholds that is below them, or None."""
    cdef size_t classes = len(thresholds), at
    cdef _Bytes values = _Bytes(heat, "heat", pixels * classes * sizeof(float))
    cdef _Bytes levels = _Bytes(bytearray(classes * sizeof(float)), "thresholds", classes * sizeof(float), True)
    cdef double share
    for at in range(classes):
        (<float *>levels.view.buf)[at] = thresholds[at]
    with nogil:
        share = ep_doubtful_heat(<const float *>values.view.buf, pixels, classes, <const float *>levels.view.buf)
    return _number(share)


cdef _number(double value):
    return None if value != value else value


cdef _direction(const double *value):
    return None if value[0] != value[0] else [value[0], value[1], value[2]]
