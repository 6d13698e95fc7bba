"""Models that PyTorch exports, brought here: same numbers, one step of training, and taken away again.

    python tests/onnx/from_torch.py write FOLDER    # where torch, onnx and onnxscript are
    python -m tests.onnx.from_torch read FOLDER     # where megengine-xla and onnxruntime are

``write`` exports each model by both of PyTorch's exporters, with weights left as they are, data, and PyTorch's results.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np


def models() -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """Networks of PyTorch, with inputs."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    def unit(i: int, o: int, k: int = 3, s: int = 1, g: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o)]

    class Basic(nn.Module):
        def __init__(self, i: int, o: int, s: int) -> None:
            super().__init__()
            self.body = nn.Sequential(*unit(i, o, 3, s), nn.ReLU(), *unit(o, o))
            self.short = nn.Sequential(*unit(i, o, 1, s)) if s > 1 or i != o else nn.Identity()

        def forward(self, x: Any) -> Any:
            return F.relu(self.body(x) + self.short(x))

    def resnet18() -> nn.Module:
        layers = [*unit(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        for i, o, s in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
            layers += [Basic(i, o, s), Basic(o, o, 1)]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))

    class Inverted(nn.Module):
        def __init__(self, i: int, o: int, s: int, t: int) -> None:
            super().__init__()
            h = i * t
            first = [*unit(i, h, 1), nn.ReLU6()] if t > 1 else []
            self.body = nn.Sequential(*first, *unit(h, h, 3, s, h), nn.ReLU6(), *unit(h, o, 1))
            self.same = s == 1 and i == o

        def forward(self, x: Any) -> Any:
            return x + self.body(x) if self.same else self.body(x)

    def mobilenetv2() -> nn.Module:
        layers: list[nn.Module] = [*unit(3, 32, 3, 2), nn.ReLU6()]
        i = 32
        for t, c, n, s in (
            (1, 16, 1, 1),
            (6, 24, 2, 2),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        ):
            for k in range(n):
                layers.append(Inverted(i, c, s if k == 0 else 1, t))
                i = c
        tail = [
            *unit(320, 1280, 1),
            nn.ReLU6(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(1280, 1000),
        ]
        return nn.Sequential(*layers, *tail)

    class Attention(nn.Module):
        def __init__(self, width: int, heads: int) -> None:
            super().__init__()
            self.heads = heads
            self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
            self.out = nn.Linear(width, width)

        def forward(self, x: Any, mask: Any) -> Any:
            n, t, d = x.shape
            q, k, v = (f(x).view(n, t, self.heads, -1).transpose(1, 2) for f in (self.query, self.key, self.value))
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :].bool())
            return self.out(y.transpose(1, 2).reshape(n, t, d))

    class Layer(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.attention, self.norm1, self.norm2 = Attention(width, 4), nn.LayerNorm(width), nn.LayerNorm(width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any, mask: Any) -> Any:
            x = self.norm1(x + self.attention(x, mask))
            return self.norm2(x + self.down(F.gelu(self.up(x))))

    class Bert(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.places, self.kinds = nn.Embedding(300, 64), nn.Embedding(32, 64), nn.Embedding(2, 64)
            self.norm, self.layers = nn.LayerNorm(64), nn.ModuleList([Layer(64) for _ in range(3)])
            self.pooler, self.head = nn.Linear(64, 64), nn.Linear(64, 2)

        def forward(self, ids: Any, mask: Any) -> Any:
            places = torch.arange(ids.shape[1])
            x = self.norm(self.words(ids) + self.places(places) + self.kinds(torch.zeros_like(ids)))
            for layer in self.layers:
                x = layer(x, mask)
            return self.head(torch.tanh(self.pooler(x[:, 0])))

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(100, 16)
            self.lstm = nn.LSTM(16, 24, 2, batch_first=True, bidirectional=True)
            self.head = nn.Linear(48, 5)

        def forward(self, ids: Any) -> Any:
            return self.head(self.lstm(self.words(ids))[0][:, -1])

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()

            def double(i: int, o: int) -> nn.Module:
                return nn.Sequential(*unit(i, o), nn.ReLU(), *unit(o, o), nn.ReLU())

            self.down1, self.down2, self.middle = double(3, 16), double(16, 32), double(32, 64)
            self.rise2, self.up2 = nn.ConvTranspose2d(64, 32, 2, 2), double(64, 32)
            self.up1, self.head = double(48, 16), nn.Conv2d(16, 2, 1)

        def forward(self, x: Any) -> Any:
            a = self.down1(x)
            b = self.down2(F.max_pool2d(a, 2))
            c = self.middle(F.max_pool2d(b, 2))
            y = self.up2(torch.cat([self.rise2(c), b], 1))
            wide = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
            return self.head(self.up1(torch.cat([wide, a], 1)))

    class Detector(nn.Module):
        """Boxes around the cells of a grid and their scores; ``write`` adds the choice of boxes."""

        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(*unit(3, 16, 3, 2), nn.SiLU(), *unit(16, 32, 3, 2), nn.SiLU())
            self.boxes, self.scores = nn.Conv2d(32, 4, 1), nn.Conv2d(32, 3, 1)

        def forward(self, x: Any) -> Any:
            y = self.body(x)
            n, _, h, w = y.shape
            grid = torch.stack(torch.meshgrid(torch.arange(w), torch.arange(h), indexing="xy"), 0)[None]
            raw = self.boxes(y)
            centre, size = raw[:, :2].sigmoid() + grid, raw[:, 2:].clamp(max=4).exp() * 2
            boxes = torch.cat([centre - size / 2, centre + size / 2], 1).flatten(2).transpose(1, 2)
            return boxes, self.scores(y).sigmoid().flatten(2)

    torch.manual_seed(0)
    mask = torch.ones(2, 12, dtype=torch.int64)
    mask[0, 9:] = 0
    return {
        "resnet18": (resnet18(), (torch.randn(2, 3, 96, 96),)),
        "mobilenetv2": (mobilenetv2(), (torch.randn(2, 3, 96, 96),)),
        "bert": (Bert(), (torch.randint(0, 300, (2, 12)), mask)),
        "lstm": (Recurrent(), (torch.randint(0, 100, (3, 9)),)),
        "unet": (UNet(), (torch.randn(2, 3, 32, 32),)),
        "detector": (Detector(), (torch.randn(1, 3, 32, 32),)),
    }


def with_choice(model: Any) -> Any:
    """A detector's model with boxes chosen and picked."""
    from onnx import helper, numpy_helper

    graph = model.graph
    boxes, scores = (o.name for o in graph.output)
    settings = {
        "most": np.array([20]),
        "overlap": np.float32([0.5]),
        "lowest": np.float32([0.3]),
        "column": np.array(2),
    }
    graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in settings.items())
    graph.node.extend(
        [
            helper.make_node("NonMaxSuppression", [boxes, scores, "most", "overlap", "lowest"], ["chosen"]),
            helper.make_node("Gather", ["chosen", "column"], ["index"], axis=1),
            helper.make_node("Gather", [boxes, "index"], ["picked"], axis=1),
        ]
    )
    shapes = {"chosen": (7, ["n", 3]), "picked": (1, [1, "n", 4])}
    graph.output.extend(helper.make_tensor_value_info(name, *shape) for name, shape in shapes.items())
    return model


def write(folder: Path) -> None:
    """Export all models."""
    import onnx
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    for name, (net, inputs) in models().items():
        for layer in net.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.1)
                layer.running_var.uniform_(0.5, 1.5)
        net.eval()
        with torch.no_grad():
            results = net(*inputs)
        arrays = {f"input_{k}": t.numpy() for k, t in enumerate(inputs)}
        arrays |= {
            f"output_{k}": t.numpy() for k, t in enumerate(results if isinstance(results, tuple) else (results,))
        }
        np.savez(folder / f"{name}.npz", **arrays)
        for way in ("dynamo", "script"):
            path = str(folder / f"{name}.{way}.onnx")
            try:
                if way == "dynamo":
                    torch.onnx.export(net, inputs, path, dynamo=True, external_data=False)
                else:
                    torch.onnx.export(
                        net,
                        inputs,
                        path,
                        dynamo=False,
                        do_constant_folding=False,
                        training=torch.onnx.TrainingMode.PRESERVE,
                    )
            except Exception as error:
                print(f"{name}, {way}: PyTorch does not export it: {type(error).__name__}: {str(error)[:200]}")
                continue
            if name == "detector":
                onnx.save(with_choice(onnx.load(path)), path)
            print(f"{name}, {way}: {len(onnx.load(path).graph.node)} nodes")


def read(folder: Path) -> None:
    """Load, compare, train one step, export and compare again."""
    import onnxruntime

    import megengine.functional as F
    from megengine import onnx
    from megengine.autodiff import GradManager
    from megengine.optimizer import SGD

    for path in sorted(folder.glob("*.onnx")):
        data = np.load(folder / f"{path.name.partition('.')[0]}.npz")
        inputs = [data[k] for k in sorted(data.files) if k.startswith("input")]
        wanted = [data[k] for k in sorted(data.files) if k.startswith("output")]
        net = onnx.load(path)

        def run(target: Any, inputs: list[np.ndarray] = inputs) -> list[np.ndarray]:
            session = onnxruntime.InferenceSession(target if isinstance(target, bytes) else str(target))
            given = zip(session.get_inputs(), inputs, strict=True)  # what is written here has int32 for int64
            return session.run(None, {i.name: x.astype("int32") if i.type == "tensor(int32)" else x for i, x in given})

        found = net(*inputs)
        found = [f.numpy() for f in (found if isinstance(found, tuple) else (found,))]
        by_torch = max(np.abs(f - w).max() / np.abs(w).max() for f, w in zip(found, wanted, strict=False))
        by_runtime = max(
            np.abs(f - w).max() / max(np.abs(w).max(), 1e-9) for f, w in zip(found, run(path), strict=True)
        )
        parameters = list(net.parameters())
        gm, optimizer = GradManager().attach(parameters), SGD(parameters, lr=1e-3)
        net.train()
        losses = []
        for _ in range(2):
            with gm:
                given = net(*inputs)
                first = given[1] if isinstance(given, tuple) else given
                loss = (F.log(1 + F.exp(first)) ** 2).mean()
                gm.backward(loss)
            without = sum(p.grad is None for p in parameters)
            optimizer.step().clear_grad()
            losses.append(loss.item())
        net.eval()
        line = f"{path.name}: torch {by_torch:.1e}, onnxruntime {by_runtime:.1e}; {len(parameters)} parameters, "
        line += f"{without} without gradient; loss {losses[0]:.6f} -> {losses[1]:.6f}; "
        # The choice of boxes reads scores: that one is written as it was read, with new weights.
        again = onnx.export(net, None, None if path.name.startswith("detector") else inputs)
        after = net(*inputs)
        after = [a.numpy() for a in (after if isinstance(after, tuple) else (after,))]
        given = run(again.SerializeToString(), inputs)
        apart = max(np.abs(a - g).max() / max(np.abs(a).max(), 1e-9) for a, g in zip(after, given, strict=True))
        print(f"{line}written again {apart:.1e}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["write", "read"])
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    (write if args.what == "write" else read)(args.folder)
