"""Inference of the networks of models.py: ``shipped.py make TASK FOLDER``, then ``traced|dump|onnxruntime TASK BATCH FOLDER``.

The first writes TASK.mge and TASK.onnx; the others answer how long one batch takes, from NumPy to NumPy. ``traced`` is the
module in a function whose body is skipped. With ONE_CORE in the environment they run on one core and tell the time that
they had it.
"""

from __future__ import annotations

import os
import sys
import time

ONE_CORE = "ONE_CORE" in os.environ
if ONE_CORE:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np  # noqa: E402
from blocks import serve  # noqa: E402
from models import batches  # noqa: E402


def made(task, folder):
    """Write the network to files."""
    from models_megengine import make_model

    import megengine
    from megengine import onnx

    model = make_model(task)
    model.eval()
    x = next(batches(task))[0]
    predict = megengine.jit.trace(model.forward, symbolic=True, capture_as_const=True)
    predict(megengine.Tensor(x))
    predict.dump(f"{folder}/{task}.mge", arg_names=["x"], output_names=["y"])
    onnx.export(model, f"{folder}/{task}.onnx", [x], dynamic_batch=True)


def runner(way, task, folder):
    """A function of an array."""
    if way == "traced":
        from models_megengine import make_model

        import megengine

        model = make_model(task)
        model.eval()
        predict = megengine.jit.trace(model.forward, symbolic=True, without_host=True)
        return lambda x: predict(megengine.Tensor(x)).numpy()
    if way == "dump":
        from megengine.utils.comp_graph_tools import GraphInference

        graph = GraphInference(f"{folder}/{task}.mge")
        return lambda x: graph.run(x)["y"]
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if ONE_CORE:
        options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(f"{folder}/{task}.onnx", options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


def main():
    way, task, *rest = sys.argv[1:]
    if way == "make":
        made(task, *rest)
        return
    batch, folder = rest
    run = runner(way, task, folder)
    data = [np.ascontiguousarray(x[: int(batch)]) for (x, _), _ in zip(batches(task), range(4), strict=False)]
    number = -1

    def step():
        nonlocal number
        number += 1
        return run(data[number % len(data)])

    check = [float(np.abs(run(x)).mean()) for x in data]
    serve(step, check, warm_up=5, clock=time.process_time if ONE_CORE else time.perf_counter)


if __name__ == "__main__":
    main()
