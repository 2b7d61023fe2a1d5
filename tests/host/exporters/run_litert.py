"""Run one .tflite in its own process: `python run_litert.py ENGINE MODEL INPUT.npy OUTPUT.npy`.

TensorFlow and TFLite's interpreters must not share a process. Prints the interpreter's details as JSON.
"""

import importlib
import json
import sys
from collections import Counter

import numpy as np

engine, model, source, target = sys.argv[1:]
module = importlib.import_module(f"{engine}.interpreter")
interpreter = module.Interpreter(model_path=model, num_threads=1)
interpreter.allocate_tensors()
(image,), (heat,) = interpreter.get_input_details(), interpreter.get_output_details()
interpreter.set_tensor(image["index"], np.load(source))
interpreter.invoke()
np.save(target, interpreter.get_tensor(heat["index"]))

operations = interpreter._get_ops_details()
delegates = [one for one in operations if one["op_name"] == "DELEGATE"]
plain = module.Interpreter(
    model_path=model, experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
)
plain.allocate_tensors()
kernels = [
    plain.get_tensor(one["inputs"][1])
    for one in operations
    if one["op_name"] in ("CONV_2D", "FULLY_CONNECTED") and one["inputs"][1] >= 0
]
values = np.unique(np.concatenate([kernel.ravel() for kernel in kernels]))
facts = {
    "delegates": len(delegates),
    # one partition from the image to the heat maps leaves nothing outside
    "whole": [image["index"] in one["inputs"] and heat["index"] in one["outputs"] for one in delegates]
    == [True],
    "operations": Counter(one["op_name"] for one in operations if one["op_name"] != "DELEGATE"),
    "inputs": [image["shape"].tolist(), image["dtype"].__name__],
    "kernel_type": kernels[0].dtype.name,
    "kernels": len(kernels),
    "distinct": len(values),
    "values": [float(value) for value in values[:300]],
}
print(json.dumps(facts))
