#include "bind.h"

#include "geometry.h"

static bool within(int64_t value, int64_t low, int64_t high) { return low <= value && value <= high; }

/* ---- checks ---- */

static const char *check_map(const ep_map *map, size_t arena_elements, size_t lanes) {
    if (!within(map->height, 1, EP_MAX_EXTENT) || !within(map->width, 1, EP_MAX_EXTENT) ||
        !within(map->channels, 1, EP_MAX_CHANNELS) || !within(map->rows, 1, map->height))
        return "map has an invalid size";
    if (map->channels % (int64_t)lanes) return "map's channels are not a multiple of the vector";
    if (map->offset < 0 || map->offset % EP_ALIGNMENT) return "map is not aligned";
    const uint64_t pixels = (uint64_t)map->rows * (uint64_t)map->width;
    if (pixels > arena_elements / (uint64_t)map->channels ||
        (uint64_t)map->offset > arena_elements - pixels * (uint64_t)map->channels)
        return "map extends beyond the arena";
    return NULL;
}

static bool parameters_fit(int64_t first, size_t count, const ep_plan *plan) {
    return first >= 0 && count <= plan->parameter_count && (uint64_t)first <= plan->parameter_count - count;
}

static bool optional_fit(int64_t first, size_t count, const ep_plan *plan) {
    return first == EP_NONE || parameters_fit(first, count, plan);
}

static bool is_slope(int64_t at, const ep_plan *plan) {
    return at == EP_NONE || (parameters_fit(at, 1, plan) && plan->parameters[at] >= 0 && plan->parameters[at] <= 1);
}

static bool indices_fit(const uint8_t *weights, size_t bytes, ep_weights kind, size_t size) {
    if (kind == EP_INDEX4 && size < 16)
        for (size_t i = 0; i < bytes; i++)
            if ((weights[i] & 15u) >= size || weights[i] >> 4 >= size) return false;
    if (kind == EP_INDEX8 && size < 256)
        for (size_t i = 0; i < bytes; i++)
            if (weights[i] >= size) return false;
    if (kind == EP_INDEX16 && size < 65536)
        for (size_t i = 0; i < bytes; i += 2)
            if ((weights[i] | (size_t)weights[i + 1] << 8) >= size) return false;
    return true;
}

static const char *check_weights(const ep_step *raw, const ep_bound_step *step, const ep_plan *plan) {
    if (!within(raw->weights, 0, (int64_t)plan->weight_count - 1)) return "unknown weights";
    if (!within(raw->weight_kind, 0, EP_WEIGHT_KINDS - 1)) return "unknown kind of weights";
    static const uint64_t bytes_of_8[] = {[EP_FLOAT32] = 32, [EP_INDEX4] = 4, [EP_INDEX8] = 8, [EP_INDEX16] = 16};
    uint64_t inputs = 0;
    for (size_t s = 0; s < step->source_count; s++) inputs += step->source_channels[s];
    const uint64_t rows = (step->output_channels + 7) / 8 * inputs * forms[step->operation].taps;
    const ep_buffer *buffer = &plan->weights[raw->weights];
    if (buffer->bytes != rows * bytes_of_8[raw->weight_kind]) return "weights do not have the size of the layer";
    if (raw->weight_kind != EP_FLOAT32) {
        const int64_t fewest = raw->weight_kind == EP_INDEX4 ? EP_NIBBLES : 1;
        const int64_t read = raw->codebook_size < fewest ? fewest : raw->codebook_size;
        if (raw->codebook_size < 1 || !parameters_fit(raw->codebook, (size_t)read, plan))
            return "codebook is outside the parameters";
        if (!indices_fit(buffer->data, buffer->bytes, (ep_weights)raw->weight_kind, (size_t)raw->codebook_size))
            return "an index is beyond the codebook";
    }
    return NULL;
}

static bool same_size(const ep_view *a, const ep_view *b, size_t enlarged) {
    return (b->height + enlarged) >> enlarged == a->height && (b->width + enlarged) >> enlarged == a->width;
}

static const char *check_shapes(const ep_bound_step *step, const ep_plan *plan) {
    const ep_view *in = step->source, *out = &step->output;
    switch (step->operation) {
    case EP_IMAGE:
        if (step->source_count != 0 || out->channels < plan->image_channels) return "image does not fit its map";
        return NULL;
    case EP_POINTWISE:
    case EP_WINOGRAD:
    case EP_UPSAMPLED:
        for (size_t s = 0; s < step->source_count; s++) {
            if (step->source_channels[s] > in[s].channels) return "source has fewer channels than are read";
            if (step->operation == EP_UPSAMPLED ? in[s].height * 2 != out->height || in[s].width * 2 != out->width
                                                : !same_size(&in[s], out, 0))
                return "source and output differ in size";
        }
        return NULL;
    case EP_ELEMENTWISE:
        if (step->source_count != 1 || !same_size(in, out, step->enlarged) || in->channels != out->channels)
            return "source and output differ in size";
        return NULL;
    case EP_MAXPOOL:
        if (step->source_count != 1 || in->height / 2 != out->height || in->width / 2 != out->width ||
            in->channels != out->channels)
            return "source and output differ in size";
        return NULL;
    case EP_COPY: {
        if (step->source_count != 1 || step->source_channels[0] > in->channels)
            return "source has fewer channels than are copied";
        const bool flatten = out->height * out->width == 1;
        const size_t pixels = flatten ? in->height * in->width : 1;
        if (step->source_channels[0] * pixels + step->output_start > out->channels ||
            (!flatten && !same_size(in, out, 0)))
            return "copy does not fit its output";
        return NULL;
    }
    default: /* EP_RESULT */
        if (step->source_count != 1 || plan->result_height > in->height || plan->result_width > in->width ||
            plan->result_channels > in->channels)
            return "result is larger than its map";
        return NULL;
    }
}

static const char *check_epilogue(const ep_step *raw, const ep_bound_step *step, const ep_plan *plan, size_t block) {
    const size_t channels = round_up(step->output.channels, block);
    const bool convolution = is_convolution(step->operation);
    if (!(convolution ? parameters_fit : optional_fit)(raw->scale, channels, plan) ||
        !(convolution ? parameters_fit : optional_fit)(raw->shift, channels, plan) ||
        !optional_fit(raw->post_scale, channels, plan) || !optional_fit(raw->post_shift, channels, plan))
        return "scale or shift is outside the parameters";
    if (!is_slope(raw->slope, plan) || !is_slope(raw->post_slope, plan)) return "slope is not within 0..1";
    if (step->add.channels && !same_size(&step->add, &step->output, step->add_enlarged))
        return "added map and output differ in size";
    return NULL;
}

/* ---- binding ---- */

/* Without an arena, all fields but the pointers. */
static ep_view view_of(const ep_plan *plan, int64_t map, const ep_isa_facts *isa, void *arena) {
    if (map == EP_NONE) return (ep_view){0};
    const ep_map *m = &plan->maps[map];
    return (ep_view){
        .data = arena ? (char *)arena + (size_t)m->offset * isa->element_bytes : NULL,
        .height = (size_t)m->height,
        .width = (size_t)m->width,
        .channels = (size_t)m->channels,
        .rows = (size_t)m->rows,
    };
}

static ep_bound_step outline_of(const ep_plan *plan, const ep_step *raw, const ep_isa_facts *isa, void *arena) {
    ep_bound_step step = {
        .operation = (ep_operation)raw->operation,
        .enlarged = raw->enlarged != 0,
        .output = view_of(plan, raw->output, isa, arena),
        .output_channels = (size_t)raw->output_channels,
        .output_start = (size_t)raw->output_start,
        .dilation = (size_t)raw->dilation,
        .add = view_of(plan, raw->add, isa, arena),
        .add_enlarged = raw->add_enlarged != 0,
        .weight_kind = (ep_weights)raw->weight_kind,
    };
    while (step.source_count < EP_MAX_SOURCES && raw->source[step.source_count] != EP_NONE) {
        step.source[step.source_count] = view_of(plan, raw->source[step.source_count], isa, arena);
        step.source_channels[step.source_count] = (size_t)raw->source_channels[step.source_count];
        step.source_count++;
    }
    if (is_convolution(step.operation)) set_geometry(&step, isa->block);
    return step;
}

static const char *check_step(const ep_plan *plan, const ep_step *raw, const ep_isa_facts *isa) {
    const int64_t maps = (int64_t)plan->map_count;
    if (!within(raw->operation, 0, EP_OPERATIONS - 1)) return "unknown operation";
    const ep_operation operation = (ep_operation)raw->operation;
    for (int s = 0; s < EP_MAX_SOURCES; s++)
        if (!within(raw->source[s], EP_NONE, maps - 1) || !within(raw->source_channels[s], 0, EP_MAX_CHANNELS))
            return "unknown source";
    if (!within(raw->output, operation == EP_RESULT ? EP_NONE : 0, maps - 1)) return "unknown output";
    if (!within(raw->add, EP_NONE, maps - 1)) return "unknown added map";
    if (!within(raw->output_start, 0, EP_MAX_CHANNELS)) return "invalid first channel";
    if (!within(raw->dilation, 1, EP_MAX_EXTENT)) return "invalid dilation";
    if (operation == EP_RESULT) {
        if (raw->source[0] == EP_NONE) return "unknown source";
    } else if (!within(raw->output_channels, 1, plan->maps[raw->output].channels)) {
        return "output has fewer channels than are written";
    }
    const ep_bound_step step = outline_of(plan, raw, isa, NULL);
    const char *reason = check_shapes(&step, plan);
    if (!reason && operation != EP_RESULT) reason = check_epilogue(raw, &step, plan, isa->block);
    if (!reason && is_convolution(operation))
        reason = step.source_count ? check_weights(raw, &step, plan) : "convolution without a source";
    return reason;
}

static const char *check_task(const ep_plan *plan, const ep_task *task, const ep_isa_facts *isa,
                              ep_requirements *need) {
    if (!within(task->step, 0, (int64_t)plan->step_count - 1)) return "task of an unknown step";
    if (!within(task->part, 0, EP_PARTS - 1)) return "unknown part";
    const ep_step *raw = &plan->steps[task->step];
    const ep_part part = (ep_part)task->part;
    const ep_bound_step step = outline_of(plan, raw, isa, NULL);
    if (is_convolution(step.operation) == (part == EP_ROWS)) return "step has no such part";
    if (task->begin < 0 || task->end <= task->begin ||
        (uint64_t)task->end > part_items(&step, part, plan->result_height))
        return "task extends beyond its step";
    if (part == EP_ROWS) return NULL;
    const size_t resident = resident_elements(&step, part, (size_t)(task->end - task->begin), isa->block);
    if (raw->resident < 0 || raw->resident % EP_ALIGNMENT || resident > plan->arena_elements ||
        (uint64_t)raw->resident > plan->arena_elements - resident)
        return "transformed weights or inputs extend beyond the arena";
    const size_t scratch = scratch_bytes(&step, part, isa);
    if (scratch > need->scratch_bytes) need->scratch_bytes = scratch;
    return NULL;
}

bool ep_check(const ep_plan *plan, const ep_isa_facts *isa, ep_requirements *need, ep_failure *failure) {
    *need = (ep_requirements){0};
    if (plan->map_count > EP_MAX_COUNT || plan->step_count > EP_MAX_COUNT || plan->weight_count > EP_MAX_COUNT ||
        plan->arena_elements > UINT32_MAX || !(plan->image_divisor > 0) ||
        !within((int64_t)plan->image_height, 1, EP_MAX_EXTENT) || !within((int64_t)plan->image_width, 1, EP_MAX_EXTENT) ||
        !within((int64_t)plan->image_channels, 1, EP_MAX_EXTENT)) {
        failure->reason = "plan has an invalid size";
        return false;
    }
    for (size_t i = 0; i < plan->map_count; i++) {
        failure->record = i;
        failure->reason = check_map(&plan->maps[i], plan->arena_elements, isa->lanes);
        if (failure->reason) return false;
        if ((size_t)plan->maps[i].channels > need->widest_map) need->widest_map = (size_t)plan->maps[i].channels;
    }
    for (size_t i = 0; i < plan->step_count; i++) {
        failure->record = i;
        failure->reason = check_step(plan, &plan->steps[i], isa);
        if (failure->reason) return false;
    }
    for (size_t i = 0; i < plan->task_count; i++) {
        failure->record = i;
        failure->reason = check_task(plan, &plan->tasks[i], isa, need);
        if (failure->reason) return false;
    }
    return true;
}

ep_bound_step ep_bind(const ep_plan *plan, size_t i, const ep_isa_facts *isa, void *arena, const float *parameters) {
    const ep_step *raw = &plan->steps[i];
    ep_bound_step step = outline_of(plan, raw, isa, arena);
#define PARAMETER(field) raw->field == EP_NONE ? NULL : parameters + raw->field
    step.scale = PARAMETER(scale);
    step.shift = PARAMETER(shift);
    step.slope = PARAMETER(slope);
    step.post_scale = PARAMETER(post_scale);
    step.post_shift = PARAMETER(post_shift);
    step.post_slope = PARAMETER(post_slope);
#undef PARAMETER
    if (is_convolution(step.operation)) {
        step.weights = plan->weights[raw->weights].data;
        step.codebook = step.weight_kind == EP_FLOAT32 ? NULL : parameters + raw->codebook;
        step.resident = (char *)arena + (size_t)raw->resident * isa->element_bytes;
    }
    return step;
}
