/* The convolution core: runs a plan, a list of tasks over a fixed arena.
 *
 * The plan is made by edgepatho_runtime/plan, which mirrors the records below field by field. It is checked as
 * a whole before anything runs; after that no image can make the core read or write outside its buffers. */
#ifndef EDGEPATHO_CORE_H
#define EDGEPATHO_CORE_H

#include <stddef.h>
#include <stdint.h>

enum {
    EP_NONE = -1,              /* in an index field: no reference */
    EP_NIBBLES = 16,           /* values that may be read from a codebook for 4-bit indices */
    EP_MAX_SOURCES = 4,        /* maps that one step reads as if concatenated along channels */
    EP_MAX_THREADS = 16,
    EP_MAX_EXTENT = 1 << 16,   /* height and width of a map, dilation */
    EP_MAX_CHANNELS = 1 << 24, /* of a map; a flattened map has many */
    EP_MAX_COUNT = 1 << 16,    /* records of one kind in a plan */
};

typedef enum ep_status {
    EP_OK,
    EP_BAD_PLAN,     /* a record is invalid; ep_failure says which and why */
    EP_BAD_IMAGE,    /* the size of the image or the output is not the plan's */
    EP_BAD_THREADS,  /* not within 1..EP_MAX_THREADS */
    EP_BAD_ISA,      /* the instruction set is unknown or not supported by this processor */
    EP_NO_MEMORY,
    EP_NO_THREAD,    /* the system refused to start a thread */
} ep_status;

/* What a step computes. */
typedef enum ep_operation {
    EP_IMAGE,        /* uint8 image -> map of value / divisor, edge pixels repeated outside the image */
    EP_POINTWISE,    /* 1x1 convolution */
    EP_WINOGRAD,     /* 3x3 convolution of any dilation by F(4x4, 3x3) */
    EP_UPSAMPLED,    /* 3x3 convolution of the nearest-x2 enlarged source, computed on the source itself */
    EP_ELEMENTWISE,  /* source * scale + shift, then the epilogue; the source may be enlarged x2 */
    EP_MAXPOOL,      /* 2x2, stride 2 */
    EP_COPY,         /* source channels -> part of the output's channels, or all pixels -> one (flatten) */
    EP_RESULT,       /* map -> the caller's float32 output, cropped */
    EP_OPERATIONS,
} ep_operation;

/* How a convolution's weights are stored: blocks [ceil(out/8)][in][taps][8], docs/bundle-format.md. */
typedef enum ep_weights {
    EP_FLOAT32,
    EP_INDEX4, /* two indices a byte, low nibble first */
    EP_INDEX8,
    EP_INDEX16,
    EP_WEIGHT_KINDS,
} ep_weights;

/* Which part of a step a task does; `begin` and `end` count the items in brackets. */
typedef enum ep_part {
    EP_WEIGHTS, /* decode and transform all weights into `resident`           [output blocks] */
    EP_INPUTS,  /* transform the inputs of these tiles into `resident`        [rows of tiles] */
    EP_BLOCKS,  /* with EP_INPUTS of these tiles done: weights, products, outputs [rows of tiles] */
    EP_TILES,   /* with EP_WEIGHTS done: inputs, products, outputs            [rows of tiles] */
    EP_ROWS,    /* any step that is not a convolution                         [output rows]   */
    EP_PARTS,
} ep_part;

/* A feature map in the arena: [rows][width][channels] elements. A streamed map keeps only its last `rows` rows:
 * row y is stored at y % rows. */
typedef struct ep_map {
    int64_t offset;   /* of the first element, in elements, a multiple of EP_ALIGNMENT */
    int64_t height;
    int64_t width;
    int64_t channels; /* stored: a multiple of the vector length; padding channels hold 0 */
    int64_t rows;     /* kept: `height` unless streamed */
} ep_map;

enum { EP_ALIGNMENT = 32 };

typedef struct ep_step {
    int64_t operation;                       /* ep_operation */
    int64_t source[EP_MAX_SOURCES];          /* maps; EP_NONE after the last */
    int64_t source_channels[EP_MAX_SOURCES]; /* real channels of each */
    int64_t enlarged;        /* EP_ELEMENTWISE: 1 if the source is read as if nearest-x2 enlarged */
    int64_t output;          /* map */
    int64_t output_channels; /* real */
    int64_t output_start;    /* EP_COPY: first channel written */
    int64_t dilation;        /* EP_WINOGRAD */
    int64_t weights;         /* buffer */
    int64_t weight_kind;     /* ep_weights */
    int64_t codebook;        /* parameter: first value; EP_INDEX4 may read EP_NIBBLES from there on */
    int64_t codebook_size;
    int64_t scale;      /* parameter: output channels, padded to the block; folded into the decoded weights */
    int64_t shift;      /* parameter, likewise: value * scale + shift */
    int64_t slope;      /* parameter: max(x, slope * x) follows; EP_NONE: nothing follows */
    int64_t add;        /* map added next, or EP_NONE */
    int64_t add_enlarged;
    int64_t post_scale; /* parameter: then x * scale + shift, or EP_NONE */
    int64_t post_shift;
    int64_t post_slope; /* parameter: and max(x, slope * x), or EP_NONE */
    int64_t resident;   /* arena offset of the transformed weights (EP_WEIGHTS) or inputs (EP_INPUTS) */
} ep_step;

typedef struct ep_task {
    int64_t step;
    int64_t part; /* ep_part */
    int64_t begin;
    int64_t end;
} ep_task;

typedef struct ep_buffer {
    const void *data;
    size_t bytes;
} ep_buffer;

typedef struct ep_plan {
    const ep_map *maps;
    size_t map_count;
    const ep_step *steps;
    size_t step_count;
    const ep_task *tasks;
    size_t task_count;
    const float *parameters; /* codebooks, scales, shifts, slopes */
    size_t parameter_count;
    const ep_buffer *weights; /* the caller's; must outlive the network unchanged */
    size_t weight_count;
    size_t arena_elements;
    size_t image_height, image_width, image_channels; /* before edge padding */
    float image_divisor;
    size_t result_height, result_width, result_channels;
} ep_plan;

/* An instruction set that the kernels are compiled for. */
typedef struct ep_isa_facts {
    const char *name;
    size_t lanes;         /* elements of a vector; channels of a map are a multiple of it */
    size_t block;         /* output channels of one product: 8 or 16 */
    size_t element_bytes; /* 4: float32, 2: float16 */
} ep_isa_facts;

/* Facts of instruction set `name`, or of this processor's best one for `element_bytes` if `name` is NULL.
 * EP_BAD_ISA if it is unknown or not supported by this processor. */
ep_status ep_isa_find(const char *name, size_t element_bytes, ep_isa_facts *facts);

/* Name of the i-th compiled instruction set, NULL after the last. */
const char *ep_isa_name(size_t i);

typedef struct ep_network ep_network;

typedef struct ep_failure {
    const char *reason; /* static text */
    size_t record;      /* index of the map, step or task concerned */
} ep_failure;

/* Check `plan`, copy its records and parameters, allocate the arena, start `threads` - 1 threads. */
ep_status ep_network_create(const ep_plan *plan, const char *isa, size_t threads, ep_network **network,
                            ep_failure *failure);

/* One inference. image [height][width][channels], output [result height][width][channels]; sizes in elements.
 * The nanoseconds that each step takes are added to step_ns, unless that is NULL. */
ep_status ep_network_run(ep_network *network, const uint8_t *image, size_t image_size, float *output,
                         size_t output_size, uint64_t *step_ns);

/* Bytes that the network holds: arena, scratch of every thread, records. */
size_t ep_network_bytes(const ep_network *network);

void ep_network_destroy(ep_network *network);

#endif
