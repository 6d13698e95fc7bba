"""Names of devices and what is asked about them."""

from __future__ import annotations

from ..spec import case, f32

CASES = [
    case(
        "default",
        [
            "mge.get_default_device()",
            "mge.device.get_default_device()",
            "mge.is_cuda_available()",
            "mge.device.is_cuda_available()",
            "mge.get_device_count('cpu') > 0",
            "mge.set_default_device('cpu0'); mge.get_default_device(), str(Tensor([1.0]).device)",
            "mge.set_default_device('cpux'); str(Tensor([1.0]).device)",
            "mge.set_default_device('cpu0'); str(F.zeros((2,)).device), str((x + 1).device)",
            "mge.set_default_device('xpux'); str(Tensor([1.0]).device)",
            "mge.set_default_device('nosuch')",
            "mge.set_default_device('cpu')",
            "mge.set_default_device(0)",
            "mge.set_default_device(None)",
            "mge.get_default_device(1)",
        ],
        x=f32(3),
    ),
    case(
        "names",
        [
            "str(Tensor([1.0], device='%s').device)" % name
            for name in ("xpux", "xpu0", "cpux", "cpu0", "cpu1", "cpu0:1", "xpu0:0", "xpux:1")
        ]
        + ["Tensor([1.0], device='%s')" % name for name in ("abc", "cpu-1", "", "cpu0x", "0")]
        + [
            "F.ones((2,), device='cpu0') + F.ones((2,), device='cpu0')",
            "F.ones((2,), device='cpu0') + F.ones((2,), device='cpu1')",
            "str((F.ones((2,), device='cpu0') * 2).device)",
            "str(F.ones((2,), device='cpu0').to('xpux').device)",
            "Tensor([1.0], device='cpu0').device == Tensor([2.0], device='cpu0').device",
            "Tensor([1.0], device='cpu0').device == Tensor([2.0], device='cpu1').device",
            "hash(Tensor([1.0]).device) == hash(Tensor([2.0]).device)",
            "str(Parameter([1.0], device='cpu0').device)",
        ],
    ),
]
