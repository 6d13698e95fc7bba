"""What runs in a process that has just begun: a rule that is there only after something else was imported is not there."""

from __future__ import annotations

import json

from tests.processes import Programs

STEP = """
    import json
    import numpy as np
    import megengine as mge
    import megengine.functional as F
    import megengine.module as M
    import megengine.optimizer as O
    from megengine import graph
    from megengine.autodiff import GradManager

    class Net(M.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.deep, self.norm = M.Conv2d(3, 8, 3), M.Conv2d(8, 8, 3, groups=8), M.BatchNorm2d(8)
            self.up, self.line, self.cell = M.ConvTranspose2d(8, 4, 2, 2), M.LayerNorm(4), M.LSTM(4, 64)
            self.group, self.drop = M.GroupNorm(2, 8), M.Dropout(0.1)

        def forward(self, x):
            x = F.relu(self.norm(self.conv(x)))
            x = self.drop(F.gelu(self.group(self.deep(F.max_pool2d(x, 2)))))
            x = F.avg_pool2d(F.leaky_relu(self.up(x)), 2)
            words = self.line(F.transpose(x.reshape(x.shape[0], 4, -1), (2, 0, 1)))
            return F.softmax(self.cell(words)[0], axis=-1).mean(0)

    net = Net()
    manager, optimizer = GradManager().attach(net.parameters()), O.AdamW(net.parameters(), lr=0.001)
    x, label = mge.Tensor(np.ones((6, 3, 30, 30), np.float32)), mge.Tensor(np.zeros(6, np.int32))
    with graph.tier("host"):
        for _ in range(2):
            with manager:
                loss = F.nn.cross_entropy(net(x), label)
                manager.backward(loss)
            optimizer.step().clear_grad()
            loss.item()
        net.eval()
        net(x).numpy()
    print(json.dumps([graph.counters.compiled_alone, graph.counters.interpreted, sum(graph.counters.compilations.values())]))
"""


def test_the_first_step_of_a_process_compiles_nothing(programs: Programs) -> None:
    out, errors = programs.start(STEP).communicate(timeout=120)
    alone, interpreted, compilations = json.loads(out or "null") or (errors, 0, 0)
    assert (alone, compilations) == ({}, 0) and interpreted >= 3
