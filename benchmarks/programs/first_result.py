"""From a file to the first result: ``first_result.py dump|onnxruntime PATH``, the path without its ending.

Prints the seconds from the start of the imports. With CPU_TIME in the environment they are those that the process computed.
"""

import os
import sys
import time

clock = time.process_time if "CPU_TIME" in os.environ else time.perf_counter
started = clock()

import numpy as np  # noqa: E402

if sys.argv[1] == "dump":
    from megengine.utils.comp_graph_tools import GraphInference

    graph = GraphInference(f"{sys.argv[2]}.mge")
    graph.run(*(np.ones(var.aval.shape, var.aval.dtype) for var in graph._inputs))
else:
    import onnxruntime

    session = onnxruntime.InferenceSession(f"{sys.argv[2]}.onnx", providers=["CPUExecutionProvider"])
    port = session.get_inputs()[0]
    batch = {"mlp": 64, "transformer": 8, "resnet": 16}[os.path.basename(sys.argv[2])]
    shape = [batch, *port.shape[1:]]
    dtype = {"tensor(float)": np.float32, "tensor(int32)": np.int32}[port.type]
    session.run(None, {port.name: np.ones(shape, dtype)})
print(clock() - started)
