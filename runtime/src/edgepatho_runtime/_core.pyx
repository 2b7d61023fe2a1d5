# cython: language_level=3
"""Python bindings for the convolution core; all they do is check buffer sizes."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free


cdef extern from "edgepatho/core.h" nogil:
    ctypedef enum ep_status:
        EP_OK
        EP_BAD_PLAN
        EP_BAD_IMAGE
        EP_BAD_THREADS
        EP_BAD_ISA
        EP_NO_MEMORY
        EP_NO_THREAD
    enum:
        EP_MAX_THREADS
    ctypedef struct ep_map:
        pass
    ctypedef struct ep_step:
        pass
    ctypedef struct ep_task:
        pass
    ctypedef struct ep_buffer:
        const void *data
        size_t bytes
    ctypedef struct ep_plan:
        const ep_map *maps
        size_t map_count
        const ep_step *steps
        size_t step_count
        const ep_task *tasks
        size_t task_count
        const float *parameters
        size_t parameter_count
        const ep_buffer *weights
        size_t weight_count
        size_t arena_elements
        size_t image_height, image_width, image_channels
        float image_divisor
        size_t result_height, result_width, result_channels
    ctypedef struct ep_isa_facts:
        const char *name
        size_t lanes, block, element_bytes
    ctypedef struct ep_network:
        pass
    ctypedef struct ep_failure:
        const char *reason
        size_t record
    ep_status ep_isa_find(const char *name, size_t element_bytes, ep_isa_facts *facts)
    const char *ep_isa_name(size_t i)
    ep_status ep_network_create(const ep_plan *plan, const char *isa, size_t threads, ep_network **network,
                                ep_failure *failure)
    ep_status ep_network_run(ep_network *network, const uint8_t *image, size_t image_size, float *output,
                             size_t output_size, uint64_t *step_ns)
    size_t ep_network_bytes(const ep_network *network)
    void ep_network_destroy(ep_network *network)


def isa_names():
    """Names of the compiled instruction sets, best first, whether or not this processor supports them."""
    names = []
    while ep_isa_name(len(names)) != NULL:
        names.append(ep_isa_name(len(names)).decode())
    return names


def isa_facts(name, size_t element_bytes):
    """(name, lanes, block, element_bytes) of a set, of the best one for None; None if it cannot run here."""
    cdef ep_isa_facts facts
    cdef bytes encoded = b"" if name is None else name.encode()
    cdef const char *wanted = NULL if name is None else <const char *>encoded
    if ep_isa_find(wanted, element_bytes, &facts) != EP_OK:
        return None
    return facts.name.decode(), facts.lanes, facts.block, facts.element_bytes


cdef class _View:
    """A contiguous buffer, held for the lifetime of this object."""

    cdef Py_buffer view

    def __cinit__(self, source, bint writable=False):
        PyObject_GetBuffer(source, &self.view, PyBUF_WRITABLE if writable else PyBUF_SIMPLE)

    def __dealloc__(self):
        PyBuffer_Release(&self.view)


cdef class Core:
    """A plan ready to run, with its arena and threads."""

    cdef ep_network *network
    cdef size_t image_size, result_size, step_count
    cdef bint running
    cdef list views

    def __init__(self, plan, size_t threads):
        """Bind a plan.Plan. Raises ValueError for an invalid argument, MemoryError or OSError if the system refuses."""
        if self.network != NULL:
            raise RuntimeError("a Core cannot be initialised twice")
        cdef ep_plan raw
        cdef ep_failure failure
        cdef ep_status status
        cdef _View maps = _View(plan.map_records), steps = _View(plan.step_records), tasks = _View(plan.task_records)
        cdef _View parameters = _View(plan.parameters), weight
        cdef bytes isa = plan.isa.name.encode()
        cdef const char *isa_name = isa
        self.views = [_View(buffer) for buffer in plan.weights]
        cdef size_t i, weight_count = len(self.views)
        cdef ep_buffer *weights = <ep_buffer *>calloc(weight_count + 1, sizeof(ep_buffer))
        if weights == NULL:
            raise MemoryError()
        for i in range(weight_count):
            weight = self.views[i]
            weights[i].data = weight.view.buf
            weights[i].bytes = <size_t>weight.view.len
        raw.maps = <const ep_map *>maps.view.buf
        raw.map_count = <size_t>maps.view.len // sizeof(ep_map)
        raw.steps = <const ep_step *>steps.view.buf
        raw.step_count = <size_t>steps.view.len // sizeof(ep_step)
        raw.tasks = <const ep_task *>tasks.view.buf
        raw.task_count = <size_t>tasks.view.len // sizeof(ep_task)
        raw.parameters = <const float *>parameters.view.buf
        raw.parameter_count = <size_t>parameters.view.len // sizeof(float)
        raw.weights = weights
        raw.weight_count = weight_count
        try:
            raw.arena_elements = plan.arena_elements
            raw.image_height, raw.image_width, raw.image_channels = plan.image_shape
            raw.image_divisor = plan.divisor
            raw.result_height, raw.result_width, raw.result_channels = plan.result_shape
            with nogil:
                status = ep_network_create(&raw, isa_name, threads, &self.network, &failure)
        finally:
            free(weights)
        if status == EP_BAD_PLAN:
            raise ValueError(f"plan refused: {failure.reason.decode()} (record {failure.record})")
        if status == EP_BAD_THREADS:
            raise ValueError(f"{threads} threads; expected 1 to {EP_MAX_THREADS}")
        if status == EP_BAD_ISA:
            raise ValueError(f"this processor does not support the instruction set {plan.isa.name}")
        if status == EP_NO_MEMORY:
            raise MemoryError(f"the network needs more memory than is free (over {4 * raw.arena_elements} bytes)")
        if status == EP_NO_THREAD:
            raise OSError(f"the system refused to start {threads - 1} threads")
        self.image_size = raw.image_height * raw.image_width * raw.image_channels
        self.result_size = raw.result_height * raw.result_width * raw.result_channels
        self.step_count = raw.step_count

    def __dealloc__(self):
        ep_network_destroy(self.network)

    @property
    def bytes_held(self):
        """Bytes of the arena, the records and the scratch of all threads."""
        return ep_network_bytes(self.network)

    def run(self, image, output, step_ns=None):
        """One inference from a buffer of bytes into a buffer of float32, both C-contiguous and of the plan's sizes.

        The time of each step is added to the buffer of uint64 `step_ns`, if given.
        """
        cdef _View source = _View(image), target = _View(output, True)
        cdef _View times = None if step_ns is None else _View(step_ns, True)
        cdef uint64_t *ns = NULL if times is None else <uint64_t *>times.view.buf
        if <size_t>source.view.len != self.image_size:
            raise ValueError(f"the image has {source.view.len} bytes, expected {self.image_size}")
        if <size_t>target.view.len != self.result_size * sizeof(float):
            raise ValueError(f"the output has {target.view.len} bytes, expected {self.result_size * sizeof(float)}")
        if times is not None and <size_t>times.view.len != self.step_count * sizeof(uint64_t):
            raise ValueError(f"the times have {times.view.len} bytes, expected {self.step_count * sizeof(uint64_t)}")
        if self.running:
            raise RuntimeError("this network is running in another thread; create one network per thread")
        self.running = True
        with nogil:
            ep_network_run(self.network, <const uint8_t *>source.view.buf, self.image_size,
                           <float *>target.view.buf, self.result_size, ns)
        self.running = False
