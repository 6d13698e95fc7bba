"""Record files of PyTorch's, with an interpreter that has it: checkpoints/pytorch/.

    python tests/golden/record_pytorch.py

expected.json has the values, shapes and dtypes of all tensors of each file, by their dotted path.
"""

import collections
import json
import os
import zipfile

import torch

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "checkpoints", "pytorch")
DTYPES = (
    "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 uint16 uint32 uint64 bool complex64 float8_e4m3fn"
)


def ramp(*shape):
    size = int(torch.Size(shape).numel())
    return ((torch.arange(size) * 7 % 11 - 5) / 8).reshape(shape)


def network():
    net = torch.nn.Sequential(
        collections.OrderedDict(conv=torch.nn.Conv2d(1, 2, 3), norm=torch.nn.BatchNorm2d(2), fc=torch.nn.Linear(2, 2))
    )
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(ramp(*parameter.shape))
    return net


def trained(net):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return optimizer


def views():
    base = ramp(4, 6)
    return {
        "base": base, "row": base[1], "column": base[:, 2], "step": base[::2, 1::2], "transposed": base.t(), "again": base,
        "expanded": ramp(3).expand(2, 3), "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3), "last": base[3, 5],
        "conj": torch.tensor([1 + 2j, 3 - 1j]).conj(), "neg": torch.tensor([1 + 2j]).conj().imag,
        "channels_last": ramp(1, 2, 3, 4).to(memory_format=torch.channels_last),
    }  # fmt: skip


def leaves(item, path=""):
    if isinstance(item, torch.Tensor):
        yield path, item
    elif isinstance(item, dict | list | tuple):
        for key, value in item.items() if isinstance(item, dict) else enumerate(item):
            yield from leaves(value, f"{path}.{key}" if path else str(key))


def describe(tensor):
    tensor = tensor.detach().resolve_conj().resolve_neg()
    value = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    return {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
        "value": value.double().tolist(),
    }


def main():
    os.makedirs(FOLDER, exist_ok=True)
    net = network()
    checkpoint = {
        "epoch": 3,
        "model": net.state_dict(),
        "optimizer": trained(net).state_dict(),
        "size": torch.Size([1, 2]),
    }
    files = {
        "state_dict.pth": net.state_dict(),
        "checkpoint.pt": checkpoint,
        "views.pt": views(),
        "dtypes.pt": {name: torch.tensor([0, 1, 2]).to(getattr(torch, name)) for name in DTYPES.split()},
        "parameter.pt": [torch.nn.Parameter(ramp(2, 2)), torch.nn.Buffer(ramp(3))],
        "tensor.pt": ramp(3),
    }
    for name, item in files.items():
        torch.save(item, os.path.join(FOLDER, name))
    legacy = {"legacy.pth": checkpoint, "legacy_views.pt": views(), "legacy_dtypes.pt": files["dtypes.pt"]}
    for name, item in legacy.items():
        torch.save(item, os.path.join(FOLDER, name), _use_new_zipfile_serialization=False)
    expected = {name: {k: describe(v) for k, v in leaves(item)} for name, item in {**files, **legacy}.items()}
    torch.save(net, os.path.join(FOLDER, "module.pt"))
    torch.save({"sparse": torch.eye(2).to_sparse()}, os.path.join(FOLDER, "sparse.pt"))
    with zipfile.ZipFile(
        os.path.join(FOLDER, "torchscript.pt"), "w"
    ) as archive:  # the names in one; torch.jit is deprecated
        for member in ("net/data.pkl", "net/code/__torch__.py", "net/constants.pkl", "net/version"):
            archive.writestr(member, b"")
    with open(os.path.join(FOLDER, "expected.json"), "w") as file:
        json.dump(expected, file, sort_keys=True, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
