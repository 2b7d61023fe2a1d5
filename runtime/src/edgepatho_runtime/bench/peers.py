"""The peers: other engines, each imported only in the process that measures it, and set up as it documents.

Their input is the picture as RGB / 255, in the layout and type that their file asks for.
"""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

Shape = tuple[int, int, int]
"""Height, width and channels of the picture."""


class Loaded(NamedTuple):
    """A network in a peer, ready to run."""

    give: Callable[[bytes], object]
    """Take the picture: RGB, uint8."""
    infer: Callable[[], object]
    heat_maps: Callable[[], bytes]
    """The result of the last inference: float32 [height, width, channels]."""
    precision: str


class Peer(NamedTuple):
    """An engine: its package, the module to import, its kind of file, and how to load one."""

    package: str
    module: str
    suffix: str
    load: Callable[[Any, str, Shape, int, str], Loaded]
    """Of module, file, shape, threads, and the precision to compute in where the peer lets one choose."""
    weights: str | None = None
    """The suffix of the file with the weights, if they are not in the file itself."""


class PeerError(Exception):
    """A sentence: why a peer cannot be measured."""


def imported(engine: str) -> Any:
    """Import a peer, and numpy, which all of them need; return its module. Raises PeerError."""
    before = os.environ.get("CI")
    os.environ["CI"] = "true"  # keeps OpenVINO from reporting its import to a server
    try:
        importlib.import_module("numpy")
        return importlib.import_module(PEERS[engine].module)
    except ImportError as error:
        raise PeerError(f"{PEERS[engine].package} is not installed here, or incompletely: {error}.") from None
    finally:
        if before is None:
            del os.environ["CI"]
        else:
            os.environ["CI"] = before


def _tflite(module: Any, file: str, shape: Shape, threads: int, precision: str) -> Loaded:
    import numpy

    try:
        interpreter = module.Interpreter(model_path=file, num_threads=threads)
        interpreter.allocate_tensors()
    except SystemError:  # tflite-runtime 2.14 was built for numpy 1 and fails only here
        package = module.__name__.partition(".")[0].replace("_", "-")
        raise PeerError(
            f"{package} does not work with the installed numpy {numpy.__version__}; "
            "install numpy below 2, or use ai-edge-litert."
        ) from None
    source = interpreter.get_input_details()[0]
    found, dtype = tuple(source["shape"].tolist()), source["dtype"]
    if found != (1, *shape) or dtype not in (numpy.float32, numpy.int8, numpy.uint8):
        raise PeerError(f"Its input is {dtype.__name__} {found}, expected pixels {(1, *shape)}.")

    def give(image: bytes) -> None:
        pixels = _pixels(image, shape)[None]
        if dtype != numpy.float32:
            scale, zero = source["quantization"]
            limits = numpy.iinfo(dtype)
            pixels = numpy.round(pixels / scale + zero).clip(limits.min, limits.max).astype(dtype)
        interpreter.set_tensor(source["index"], pixels)

    def heat_maps() -> bytes:
        result = interpreter.get_output_details()[0]
        output = interpreter.get_tensor(result["index"]).astype(numpy.float32)
        if result["dtype"] != numpy.float32:
            scale, zero = result["quantization"]
            output = (output - zero) * numpy.float32(scale)
        return bytes(output.tobytes())

    # a full-integer file may have float inputs and outputs, so look at its weights
    kinds = {detail["dtype"] for detail in interpreter.get_tensor_details()}
    return Loaded(give, interpreter.invoke, heat_maps, "int8" if numpy.int8 in kinds else "fp32")


def _onnxruntime(module: Any, file: str, shape: Shape, threads: int, precision: str) -> Loaded:
    options = module.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = module.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0]
    _check(tuple(source.shape), shape)
    given: dict[str, Any] = {}
    results: list[Any] = []

    def infer() -> None:
        results[:] = session.run(None, given)

    return Loaded(
        lambda image: given.update({source.name: _planes(image, shape)}),
        infer,
        lambda: _interleaved(results[0]),
        _named(file, "fp32"),
    )


def _mnn(module: Any, file: str, shape: Shape, threads: int, precision: str) -> Loaded:
    # 0 is the processor; "low" computes in half precision where there is hardware for it
    settings = {"backend": 0, "numThread": threads, "precision": "low" if precision == "fp16" else "high"}
    runtime = module.nn.create_runtime_manager((settings,))
    network = module.nn.load_module_from_file(file, [], [], runtime_manager=runtime)
    given: list[Any] = []
    results: list[Any] = []

    def give(image: bytes) -> None:
        expr = module.expr
        given[:] = [expr.const(_planes(image, shape), [1, shape[2], *shape[:2]], expr.NCHW, expr.float)]

    def infer() -> None:
        result = network.forward(given[0])
        results[:] = [result.read(), result]  # read waits; what it returns is the memory of `result`

    return Loaded(give, infer, lambda: _interleaved(results[0]), _named(file, precision))


def _openvino(module: Any, file: str, shape: Shape, threads: int, precision: str) -> Loaded:
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f16" if precision == "fp16" else "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = module.Core().compile_model(file, "CPU", settings)
    _check(tuple(compiled.input(0).shape), shape)
    request = compiled.create_infer_request()
    return Loaded(
        lambda image: request.set_input_tensor(module.Tensor(_planes(image, shape))),
        request.infer,
        lambda: _interleaved(request.get_output_tensor().data),
        _named(file, precision),
    )


def _ncnn(module: Any, file: str, shape: Shape, threads: int, precision: str) -> Loaded:
    import numpy

    network = module.Net()
    network.opt.num_threads = threads
    network.opt.use_vulkan_compute = network.opt.use_bf16_storage = False
    half = precision == "fp16"
    network.opt.use_fp16_packed = network.opt.use_fp16_storage = network.opt.use_fp16_arithmetic = half
    if network.load_param(file) or network.load_model(str(Path(file).with_suffix(".bin"))):
        raise PeerError("ncnn cannot load it.")
    given: list[Any] = []
    results: list[Any] = []

    def give(image: bytes) -> None:
        planes = _planes(image, shape)[0]
        given[:] = [module.Mat(planes), planes]  # a Mat only points at the array

    def infer() -> None:
        extractor = network.create_extractor()
        extractor.input(network.input_names()[0], given[0])
        results[:] = [extractor.extract(network.output_names()[0])[1]]

    return Loaded(give, infer, lambda: _interleaved(numpy.array(results[0])[None]), precision)


PEERS = {
    "litert": Peer("ai-edge-litert", "ai_edge_litert.interpreter", ".tflite", _tflite),
    "tflite-runtime": Peer("tflite-runtime", "tflite_runtime.interpreter", ".tflite", _tflite),
    "onnxruntime": Peer("onnxruntime", "onnxruntime", ".onnx", _onnxruntime),
    "mnn": Peer("MNN", "MNN", ".mnn", _mnn),
    "openvino": Peer("openvino", "openvino", ".xml", _openvino, weights=".bin"),
    "ncnn": Peer("ncnn", "ncnn", ".param", _ncnn, weights=".bin"),
}


def _pixels(image: bytes, shape: Shape) -> Any:
    """Return the picture as float32 [height, width, channels], from 0 to 1."""
    import numpy

    return numpy.frombuffer(image, numpy.uint8).reshape(shape) / numpy.float32(255)


def _planes(image: bytes, shape: Shape) -> Any:
    """Return the picture as float32 [1, channels, height, width], from 0 to 1."""
    import numpy

    return numpy.ascontiguousarray(_pixels(image, shape).transpose(2, 0, 1)[None])


def _interleaved(planes: Any) -> bytes:
    """Return planes [1, channels, height, width] as float32 bytes [height, width, channels]."""
    return bytes(planes[0].transpose(1, 2, 0).astype("float32").tobytes())


def _check(found: tuple[Any, ...], shape: Shape) -> None:
    expected = (1, shape[2], *shape[:2])
    if found != expected:
        raise PeerError(f"Its input is {found}, expected pixels {expected}.")


def _named(file: str, otherwise: str) -> str:
    """Return the precision in a file's name, where the peer does not say which one the file has."""
    name = Path(file).name
    return next((precision for precision in ("int8", "fp16") if precision in name), otherwise)
