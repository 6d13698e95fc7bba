"""Functions of images: colours, resizing, warping, boxes."""

from __future__ import annotations

from ..spec import Array, Refused, Wrong, array, case, f16, f32, given, i8, i32, nonsense, u8

# Boxes (image, x1, y1, x2, y2): inside, over the border, thin, outside, and malformed.
BOXES = [
    [0.0, 0.5, 0.25, 3.5, 4.0],
    [1.0, -1.5, -1.0, 2.5, 2.0],
    [1.0, 1.0, 2.0, 1.25, 5.5],
    [0.0, 3.0, 1.0, 7.5, 9.0],
    [0.0, 9.0, 9.0, 12.0, 11.0],
    [1.0, 3.0, 3.0, 1.0, 2.0],
]
AFFINE = [[[0.75, 0.25, -0.5], [-0.125, 1.0, 0.75]], [[1.0, 0.0, 0.3], [0.2, 0.9, -1.2]]]
TURNED = [
    [[0.9, 0.3, -0.4], [-0.2, 1.1, 0.6], [0.02, -0.03, 1.0]],
    [[1.0, 0.1, -2.3], [0.1, 0.8, 1.7], [0.01, 0.05, 0.9]],
]
BORDERS = ["replicate", "constant", "reflect", "reflect_101", "wrap"]
YUV = ["NV12", "NV21", "YU12", "YV12"]
ZERO = "is zero, for nothing was computed"


def bytes_(*shape: int) -> Array:
    """All values that a byte takes."""
    return u8(*shape, low=0, high=256)


CASES = [
    case(
        "cvt_color_float",
        [
            "F.vision.cvt_color(x, 'RGB2GRAY')",
            "F.vision.cvt_color(x, 'bgr2gray')",
            "F.vision.cvt_color(x, mode='RGB2YUV')",
            "F.vision.cvt_color(x, 'YUV2RGB')",
            "F.nn.cvt_color(g, 'GRAY2RGB')",
            "F.vision.cvt_color(e, 'RGB2GRAY')",
            Wrong("F.vision.cvt_color(x, 'RGB2BGR')", ZERO, "x[..., ::-1]"),
            Wrong("F.vision.cvt_color(x, 'BGR2RGB')", ZERO, "x[..., ::-1]"),
        ],
        x=f32(2, 2, 5, 3, low=0, high=1),
        g=f32(1, 2, 3, 1),
        e=f32(0, 2, 3, 3),
    ),
    case(
        "cvt_color_bytes",
        [
            *[
                f"F.vision.cvt_color(x, '{m}')"
                for m in ("RGB2GRAY", "BGR2GRAY", "RGB2YUV", "YUV2RGB", "RGB2BGR", "BGR2RGB")
            ],
            *[f"F.vision.cvt_color(a, '{m}')" for m in ("RGBA2RGB", "RGBA2BGR", "RGBA2GRAY")],
            "F.vision.cvt_color(g, 'GRAY2RGB')",
        ],
        x=bytes_(2, 3, 19, 3),
        a=bytes_(1, 3, 19, 4),
        g=bytes_(1, 2, 3, 1),
    ),
    case(
        "cvt_color_planes",
        [
            *[
                f"F.vision.cvt_color(x, '{p}YUV2{to}_{y}')"
                for p in ("", "BT601_")
                for to in ("RGB", "BGR")
                for y in YUV
            ],
            *[f"F.vision.cvt_color(x, 'YUV2GRAY_{y}')" for y in YUV],
            "F.vision.cvt_color(x, 'YCrCb2RGB')",
            "F.vision.cvt_color(x, 'YCrCb2BGR')",
        ],
        x=bytes_(2, 6, 36, 1),
    ),
    case(
        "cvt_color_errors",
        [
            "F.vision.cvt_color(x, 'foo')",
            "F.vision.cvt_color(x)",
            "F.vision.cvt_color(x, 'ycrcb2rgb')",
            "F.vision.cvt_color(x, '__class__')",
            "F.vision.cvt_color(x[0], 'RGB2GRAY')",
            "F.vision.cvt_color(x, 'RGBA2RGB')",
            "F.vision.cvt_color(x, 'GRAY2RGB')",
            "F.vision.cvt_color(u, 'YUV2RGB_NV21')",
            "F.vision.cvt_color(p, 'YUV2RGB_YV12')",
            Wrong("F.vision.cvt_color(x.astype('float16'), 'RGB2GRAY')", ZERO, raises=("RuntimeError",)),
            Wrong("F.vision.cvt_color(x.astype('int32'), 'RGB2GRAY')", ZERO, raises=("RuntimeError",)),
            Wrong("F.vision.cvt_color(p.astype('float32'), 'YUV2RGB_NV12')", ZERO, raises=("RuntimeError",)),
            Wrong("F.vision.cvt_color(p.astype('float32'), 'BT601_YUV2RGB_NV12')", ZERO, raises=("RuntimeError",)),
        ],
        x=f32(1, 2, 2, 3),
        u=bytes_(1, 3, 3, 1),
        p=bytes_(1, 3, 2, 1),
    ),
    case(
        "interpolate",
        [
            *[
                f"F.vision.interpolate(x, {how}, mode='{mode}')"
                for mode in ("bilinear", "nearest", "bicubic")
                for how in ("(5, 7)", "(2, 3)", "scale_factor=2", "(1, 1)")
            ],
            "F.vision.interpolate(x, [4, 5])",
            "F.vision.interpolate(x, (3, 4))",
            "F.vision.interpolate(x, scale_factor=(0.7, 1.6), mode='BICUBIC')",
            "F.vision.interpolate(x, scale_factor=(0.7, 1.6), mode='nearest')",
            "F.nn.interpolate(x, (2.9, 5), align_corners=False)",
            *[
                f"F.vision.interpolate(x, {how}, align_corners=True)"
                for how in ("(5, 7)", "(2, 3)", "scale_factor=2.0", "scale_factor=(1, 1.4)")
            ],
            "F.vision.interpolate(t, (3, 4))",
            "F.vision.interpolate(t, (3, 4), mode='bicubic')",
        ],
        x=f32(2, 2, 3, 4),
        t=f32(1, 2, 1, 2),
        grad=True,
        rtol=1e-5,
        atol=5e-6,
    ),
    case(
        "interpolate_linear",
        [
            "F.vision.interpolate(x, 7, mode='linear')",
            "F.vision.interpolate(x, 3, mode='linear')",
            "F.vision.interpolate(x, scale_factor=1.5, mode='linear')",
            "F.vision.interpolate(x, 7, mode='linear', align_corners=True)",
            "F.vision.interpolate(x, scale_factor=2, mode='linear', align_corners=True)",
            Refused("F.vision.interpolate(x, 1, mode='linear', align_corners=True)", "x[..., :1]"),
        ],
        x=f32(2, 3, 5),
        grad=True,
    ),
    case(
        "interpolate_trilinear",
        # The reference does not wait for the input: it must have been computed.
        [
            "x = x + 0; x.numpy(); F.vision.interpolate(x, (3, 4, 5), mode='trilinear')",
            "x = x + 0; x.numpy(); F.vision.interpolate(x, (1, 2, 2), mode='trilinear')",
            "x = x + 0; x.numpy(); F.vision.interpolate(x, scale_factor=2, mode='trilinear')",
            "x = x + 0; x.numpy(); F.vision.interpolate(x, scale_factor=(1, 0.7, 1.5), mode='trilinear')",
            "x = x + 0; x.numpy(); F.vision.interpolate(x, (3, 4, 5), mode='trilinear', align_corners=True)",
            "x = x + 0; x.numpy(); F.vision.interpolate(x, (1, 1, 3), mode='trilinear', align_corners=True)",
            "F.vision.interpolate(h, (3, 2, 2), mode='trilinear').dtype",
        ],
        x=f32(1, 2, 2, 3, 2),
        h=f16(1, 1, 2, 2, 1),
    ),
    case(
        "interpolate_dtypes",
        [
            f"F.vision.interpolate({name}, (5, 4){how})"
            for name in ("h", "b", "u")
            for how in ("", ", mode='nearest'", ", mode='bicubic'", ", align_corners=True")
        ],
        h=f16(1, 2, 3, 3),
        b=i8(1, 2, 3, 3, low=-90, high=90),
        u=bytes_(1, 2, 3, 3),
    ),
    case(
        "interpolate_overflow",
        Wrong(
            "F.vision.interpolate(b, (1, 3), mode='bicubic')",
            "wraps around",
            "np.array([[[[-128, 0, 127]]]], 'int8')",
        ),
        b=given([[[[-127, -127, 127, 127]]]], "int8"),
    ),
    case(
        "interpolate_sizes",
        [
            "F.vision.interpolate(x, s)",
            "F.vision.interpolate(x, s, align_corners=True)",
            "F.vision.interpolate(x, a)",
            Wrong(
                "F.vision.interpolate(x, 4, mode='nearest')",
                "size=4 means (4, 1)",
                "x[..., [0, 0, 1, 2], :][..., [0, 0, 1, 1]]",
            ),
            Wrong("F.vision.interpolate(x, 1, mode='nearest')", "fine by chance", "x[..., :1, :1]"),
            Wrong("F.vision.interpolate(v, 2, mode='trilinear').shape", "size=2 means (2, 1, 1)", "(1, 1, 2, 2, 2)"),
            Wrong("F.vision.interpolate(x, scale_factor=0.5, align_corners=True)", "NaN", "x[..., :1, :1]"),
            Refused("F.vision.interpolate(x, (1, 1), align_corners=True)", "x[..., :1, :1]"),
            Refused("F.vision.interpolate(x[:0], (5, 4))", "np.zeros((0, 2, 5, 4), 'float32')"),
            Refused("F.vision.interpolate(x[:, :0], (5, 4))", "np.zeros((1, 0, 5, 4), 'float32')"),
            Refused(
                "F.vision.interpolate(x, scale_factor=np.float32(2), mode='nearest')", "x.repeat(2, 2).repeat(2, 3)"
            ),
        ],
        x=f32(1, 2, 3, 2),
        v=f32(1, 1, 1, 1, 2),
        s=given([4, 3], "int32"),
        a=array(given([4, 3], "int32")),
    ),
    case(
        "interpolate_errors",
        [
            "F.vision.interpolate(x)",
            "F.vision.interpolate(x, (3, 3), 2.0)",
            "F.vision.interpolate(x, (3, 3), mode='area')",
            "F.vision.interpolate(x, (3, 3), mode='nearest', align_corners=False)",
            "F.vision.interpolate(x, (3, 3), mode='bicubic', align_corners=True)",
            "F.vision.interpolate(x, 3, mode='linear')",
            "F.vision.interpolate(x, 3, mode='trilinear')",
            "F.vision.interpolate(l, 3)",
            "F.vision.interpolate(l, (3,), mode='linear')",
            "F.vision.interpolate(l, scale_factor=(2.0,), mode='linear')",
            "F.vision.interpolate(x, scale_factor=(2, 2, 2))",
            "F.vision.interpolate(x, scale_factor=(2, 'a'))",
            "F.vision.interpolate(x, scale_factor=0.1)",
            "F.vision.interpolate(x, (3, 3, 3))",
            "F.vision.interpolate(x, (3,))",
            "F.vision.interpolate(x, (0, 3))",
            "F.vision.interpolate(x, (-1, 3))",
            "F.vision.interpolate(x, 'ab')",
            "F.vision.interpolate(i, (3, 3))",
            "F.vision.interpolate(i, (3, 3), align_corners=True)",
            Wrong("F.vision.interpolate(x[:, :, :0], (3, 3))", "ends the process", raises=("RuntimeError",)),
            "F.vision.interpolate(n, (3, 3))",
        ],
        x=f32(1, 1, 2, 2),
        l=f32(1, 1, 2),
        i=i32(1, 1, 2, 2),
        n=array(f32(1, 1, 2, 2)),
    ),
    case(
        "remap",
        [
            "F.vision.remap(x, m)",
            *[f"F.vision.remap(x, m, '{b}', 0.75)" for b in BORDERS[1:]],
            *[f"F.nn.remap(x, m, border_mode='{b}', scalar=-1, interp_mode='nearest')" for b in BORDERS],
            "F.vision.remap(t, m, 'reflect_101')",
            "F.vision.remap(t, m, 'REFLECT')",
        ],
        x=f32(2, 2, 3, 4),
        t=f32(2, 1, 1, 2),
        m=f32(2, 3, 5, 2, low=-6, high=8),
        grad=True,
        rtol=1e-5,
        atol=1e-5,
    ),
    case(
        "remap_halves",
        ["F.vision.remap(x, m, interp_mode='nearest')", "F.vision.remap(x, m, 'constant', 9.0)"],
        x=f32(1, 1, 3, 4),
        m=given([[[[0.5, 0.5], [1.5, -0.5], [2.5, 1.5], [-0.5, 2.5], [3.0, 2.0], [3.5, 2.0]]]]),
    ),
    case(
        "remap_dtypes",
        [
            *[f"F.vision.remap({n}, m, '{b}', 3.6)" for n in ("h", "b", "u") for b in ("replicate", "constant")],
            "F.vision.remap(u, m, 'constant', 300.0)",
            "F.vision.remap(b, m, 'constant', -7.5, 'nearest')",
        ],
        h=f16(1, 1, 3, 4),
        b=i8(1, 1, 3, 4, low=-128, high=128),
        u=bytes_(1, 1, 3, 4),
        m=f32(1, 3, 5, 2, low=-1, high=4),
    ),
    case(
        "remap_errors",
        [
            "F.vision.remap(n, m)",
            "F.vision.remap(x, m, 'transparent')",
            "F.vision.remap(x, m, 'isolated')",
            "F.vision.remap(x, m, 'foo')",
            "F.vision.remap(x, m, interp_mode='cubic')",
            "F.vision.remap(x, m, interp_mode='foo')",
            "F.vision.remap(i, m)",
            "F.vision.remap(x, m.astype('float16'))",
            "F.vision.remap(x, m.astype('int32'))",
            "F.vision.remap(x, m[0])",
            "F.vision.remap(x, m[..., :1])",
            "F.vision.remap(F.concat([x, x]), m)",
            "F.vision.remap(x[0], m)",
            Refused("F.vision.remap(x[:0], m[:0])", "np.zeros((0, 1, 2, 2), 'float32')"),
            Refused("F.vision.remap(x, m[:, :0])", "np.zeros((1, 1, 0, 2), 'float32')"),
        ],
        x=f32(1, 1, 3, 3),
        n=array(f32(1, 1, 3, 3)),
        i=i32(1, 1, 3, 3),
        m=f32(1, 2, 2, 2),
    ),
    case(
        "warp_affine_planes",
        [
            *[f"F.vision.warp_affine(x, m, (4, 5), '{b}', 0.75, 'NCHW')" for b in BORDERS],
            "F.warp_affine(x, m, Tensor([2, 3]), format='nchw')",
        ],
        x=f32(2, 2, 3, 4),
        m=given(AFFINE),
        grad=True,
        rtol=2e-5,
        atol=2e-5,
    ),
    case(
        "warp_affine",
        [
            *[f"F.vision.warp_affine(l, m, (4, 5), '{b}', 0.75)" for b in BORDERS],
            *[
                f"F.nn.warp_affine(l, m, (4, 5), border_mode='{b}', border_val=0.75, interp_mode='{i}')"
                for i in ("nearest", "cubic", "lanczos4")
                for b in BORDERS
            ],
            "F.vision.warp_affine(q, m, (4, 5))",
        ],
        l=f32(2, 3, 4, 2),
        q=f32(2, 3, 4, 4),
        m=given(AFFINE),
        rtol=1e-5,
        atol=1e-5,
    ),
    case(
        "warp_affine_bytes",
        [
            *[f"F.vision.warp_affine(x, m, (4, 9), '{b}', 77.6)" for b in BORDERS],
            *[
                f"F.vision.warp_affine(x, m, (4, 9), '{b}', 77.6, interp_mode='{i}')"
                for i in ("nearest", "cubic", "lanczos4")
                for b in BORDERS
            ],
            "F.vision.warp_affine(c, m, (4, 5), 'constant', 77.6, 'NCHW')",
            "F.vision.warp_affine(q, m, (4, 5), 'constant', 77.6)",
            "F.vision.warp_affine(b, m, (4, 5))",
            "F.vision.warp_affine(b, m, (4, 5), format='NCHW')",
        ],
        x=bytes_(2, 9, 10, 3),
        c=bytes_(2, 2, 3, 4),
        q=bytes_(2, 3, 4, 4),
        b=i8(2, 3, 4, 3, low=-128, high=128),
        m=given(AFFINE),
    ),
    case(
        "warp_affine_halves",
        [
            "F.vision.warp_affine(x, h, (3, 3), format='NCHW')",
            Wrong(
                "F.vision.warp_affine(x, m, (1, 1), format='NCHW')",
                "reads the float32 matrix as float16",
                "x[..., :1, :1]",
            ),
        ],
        x=f16(1, 2, 3, 4),
        h=given([[[0.75, 0.25, -0.5], [-0.125, 1.0, 0.75]]], "float16"),
        m=given([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]),
    ),
    case(
        "warp_affine_errors",
        [
            "F.vision.warp_affine(x, m, 2)",
            "F.vision.warp_affine(x, m, (2, 2, 2))",
            "F.vision.warp_affine(x, m, (0, 2))",
            "F.vision.warp_affine(x, m, (2, 2), format='CHW')",
            "F.vision.warp_affine(x, m, (2, 2), 'foo')",
            "F.vision.warp_affine(x, m, (2, 2), 'transparent')",
            "F.vision.warp_affine(x, m, (2, 2), 'isolated')",
            "F.vision.warp_affine(x, m, (2, 2), interp_mode='area')",
            "F.vision.warp_affine(x, m, (2, 2), interp_mode='foo')",
            "F.vision.warp_affine(x, m, (2, 2), format='NCHW', interp_mode='nearest')",
            "F.vision.warp_affine(x.astype('int8'), m, (2, 2), interp_mode='nearest')",
            "F.vision.warp_affine(x.astype('int32'), m, (2, 2), format='NCHW')",
            "F.vision.warp_affine(x, m.astype('float16'), (2, 2), format='NCHW')",
            "F.vision.warp_affine(x, p, (2, 2))",
            "F.vision.warp_affine(x, m[0], (2, 2))",
            "F.vision.warp_affine(F.concat([x, x]), m, (2, 2))",
            "F.vision.warp_affine(x[0], m, (2, 2))",
        ],
        x=f32(1, 3, 4, 3),
        m=given([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.25]]]),
        p=given([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.25], [0.0, 0.0, 1.0]]]),
    ),
    case(
        "warp_perspective",
        [
            *[f"F.vision.warp_perspective(x, m, (4, 5), border_mode='{b}', border_val=0.75)" for b in BORDERS],
            "F.vision.warp_perspective(x, m, (4, 5), [1, 1])",
            "F.vision.warp_perspective(x, m, (4, 5), mat_idx=(1, 0), border_mode='constant')",
            "F.vision.warp_perspective(o, m, (2, 3), Tensor([0, 0]))",
            "F.nn.warp_perspective(x, m, Tensor([2, 3]), format='nchw')",
            "F.warp_perspective(x, m, (1, 2))",
            "[hasattr(F, n) for n in ('remap', 'warp_affine', 'warp_perspective', 'nms', 'roi_align', 'interpolate')]",
        ],
        x=f32(2, 2, 3, 4),
        o=f32(1, 1, 3, 4),
        m=given(TURNED),
        grad=True,
        rtol=2e-5,
        atol=2e-5,
    ),
    case(
        "warp_perspective_interleaved",
        [
            *[
                f"F.vision.warp_perspective(x, m, (4, 5), None, '{b}', 0.75, 'NHWC', '{i}')"
                for i in ("linear", "nearest", "cubic", "lanczos4")
                for b in BORDERS
            ],
            "F.vision.warp_perspective(x, m, (4, 5), [1, 1], format='NHWC')",
            "F.vision.warp_perspective(q, m, (4, 5), format='NHWC')",
        ],
        x=f32(2, 3, 4, 3),
        q=f32(2, 3, 4, 4),
        m=given(TURNED),
        rtol=1e-5,
        atol=1e-5,
    ),
    case(
        "warp_perspective_dtypes",
        [
            *[
                f"F.vision.warp_perspective(u, m, (4, 9), None, '{b}', 77.6, 'NHWC', '{i}')"
                for i in ("linear", "nearest", "cubic", "lanczos4")
                for b in BORDERS
            ],
            "F.vision.warp_perspective(c, m, (4, 5), border_mode='constant', border_val=77.6)",
            "F.vision.warp_perspective(b, m, (4, 5))",
            "F.vision.warp_perspective(h, m, (4, 5))",
            "F.vision.warp_perspective(g, m, (4, 5), format='NHWC')",
            "F.vision.warp_perspective(f, w, (2, 2))",
            "F.vision.warp_perspective(f, m * 0, (2, 2), border_mode='constant', border_val=7)",
            "F.vision.warp_perspective(f, m * 0, (2, 2))",
        ],
        u=bytes_(2, 9, 10, 3),
        c=bytes_(2, 2, 3, 4),
        b=i8(2, 2, 3, 4, low=-128, high=128),
        h=f16(2, 2, 3, 4),
        g=f16(2, 3, 4, 3),
        f=f32(2, 1, 3, 4),
        w=given(TURNED, "float16"),
        m=given(TURNED),
        atol=1e-5,
    ),
    case(
        "warp_perspective_errors",
        [
            "F.vision.warp_perspective(x, m, 2)",
            "F.vision.warp_perspective(x, m, (2, 2, 2))",
            "F.vision.warp_perspective(x, m, (0, 2))",
            "F.vision.warp_perspective(x, m, (2, 2), interp_mode='nearest')",
            "F.vision.warp_perspective(x, m, (2, 2), border_mode='transparent')",
            "F.vision.warp_perspective(x, m, (2, 2), border_mode='isolated')",
            "F.vision.warp_perspective(x, m, (2, 2), format='CHW')",
            "F.vision.warp_perspective(x, F.concat([m, m]), (2, 2))",
            "F.vision.warp_perspective(x, F.concat([m, m]), (2, 2), [0])",
            "F.vision.warp_perspective(x, m, (2, 2), 0)",
            "F.vision.warp_perspective(x, m[:, :2], (2, 2))",
            "F.vision.warp_perspective(x, m[0], (2, 2))",
            "F.vision.warp_perspective(x[0], m, (2, 2))",
            "F.vision.warp_perspective(x.astype('int32'), m, (2, 2))",
            "F.vision.warp_perspective(x.astype('uint8'), m.astype('float16'), (2, 2))",
            "F.vision.warp_perspective(n, m, (2, 2))",
            "F.vision.warp_perspective(x, n, (2, 2))",
            Wrong("F.vision.warp_perspective(x, m, (2, 2), [1])", "reads beyond the images", raises=("IndexError",)),
            Wrong("F.vision.warp_perspective(x, m, (2, 2), [-1])", "reads beyond the images", raises=("IndexError",)),
        ],
        x=f32(1, 1, 4, 3),
        n=array(f32(1, 1, 4, 3)),
        m=given([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.25], [0.0, 0.0, 1.0]]]),
    ),
    # The reference adds the gradients of roi_align to uninitialised memory: ours are checked against slopes elsewhere.
    case(
        "roi_align",
        [
            "F.vision.roi_align(x, r, 2)",
            "F.vision.roi_align(x, r, (2, 3), 'average', 0.5, 3, False)",
            "F.nn.roi_align(x, r, [3, 2], sample_points=(1, 2))",
            "F.vision.roi_align(x, r, 1, sample_points=0)",
            "F.vision.roi_align(x, r, 0)",
            "F.vision.roi_align(x, r[:0], 2)",
            "F.vision.roi_align(h, r, Tensor([2, 2]))",
        ],
        x=f32(2, 3, 5, 6),
        h=f16(2, 1, 5, 6),
        r=given(BOXES),
        rtol=1e-5,
        atol=1e-5,
    ),
    case(
        "roi_align_max",
        [
            "F.vision.roi_align(x, r, 2, mode='max')",
            "F.vision.roi_align(x, r, (2, 3), 'MAX', 0.5, 3, False)",
            "F.vision.roi_align(i, r, 2, mode='max')",
        ],
        x=f32(2, 3, 5, 6),
        i=i32(2, 1, 5, 6),
        r=given(BOXES),
        atol=1e-5,
    ),
    case(
        "roi_pooling",
        [
            "F.vision.roi_pooling(x, r, 2)",
            "F.nn.roi_pooling(x, r, (2, 3), 'MAX', 0.5)",
            "F.vision.roi_pooling(x, r, [3, 2], mode='average')",
            "F.vision.roi_pooling(x, r, (4, 1), 'Average', 1.5)",
            "F.vision.roi_pooling(t, r, 3)",
        ],
        x=f32(2, 3, 5, 6),
        t=i32(2, 1, 5, 6),
        r=given(BOXES[:5]),
        grad=True,
        atol=1e-5,
    ),
    case(
        "roi_errors",
        [
            "F.vision.roi_align(x, r, 2, mode='sum')",
            "F.vision.roi_align(x, r, (2, 2, 2))",
            "F.vision.roi_align(x, r[:, :4], 2)",
            "F.vision.roi_align(x, r[0], 2)",
            "F.vision.roi_align(x[0], r, 2)",
            "F.vision.roi_align(x, r.astype('float16'), 2)",
            "F.vision.roi_align(x, r.astype('int32'), 2)",
            "F.vision.roi_pooling(x, r, 2, mode='sum')",
            "F.vision.roi_pooling(x, r, (2, 2, 2))",
            "F.vision.roi_pooling(x, r[:, :4], 2)",
            "F.vision.roi_pooling(x[0], r, 2)",
            "F.vision.roi_pooling(x.astype('float16'), r, 2)",
            "F.vision.roi_pooling(x.astype('int32'), r, 2)",
            "F.vision.roi_pooling(x, r.astype('int32'), 2)",
            "F.vision.roi_pooling(x, r, 0)",
            Refused("F.vision.roi_pooling(x, r[:0], 2)", "np.zeros((0, 1, 2, 2), 'float32')"),
            *[
                Wrong(f"F.vision.{f}(x, r + 1, 2).numpy()", "reads beyond the images", raises=("IndexError",))
                for f in ("roi_align", "roi_pooling")
            ],
        ],
        x=f32(1, 1, 4, 4),
        r=given([[0.0, 0.0, 0.0, 2.0, 2.0]]),
    ),
    case(
        "nms",
        [
            *[f"F.vision.nms(b, s, {t})" for t in (0.0, 0.1, 0.3, 0.5, 0.7, 1)],
            "F.vision.nms(b, s, 0.3, 3)",
            "F.nn.nms(b, s, iou_thresh=0.9, max_output=100)",
            "F.vision.nms(b, s.astype('float16'), 0.3)",
            "F.vision.nms(b, i, 0.3)",
            "F.vision.nms(b[:0], s[:0], 0.3)",
            "F.vision.nms(b[:1], s[:1], 0.3)",
            "F.vision.nms(b, F.ones(12), 0.3)",
            "F.vision.nms(b, F.floor(s * 3), 0.3)",
            Wrong("F.vision.nms(b, s, 0.3, 0)", "ends the process", "np.zeros(0, 'int32')"),
        ],
        b=Array(
            "float32",
            values=[
                [x, y, x + w, y + h] for x in (0, 2, 5) for y, w, h in ((0, 4, 4), (1, 3, 5), (3, 6, 2), (0, 4, 3))
            ],
        ),
        s=given([0.3, 0.9, 0.35, 0.8, 0.1, 0.6, 0.65, 0.2, 0.95, 0.5, 0.15, 0.7]),
        i=given([5, 2, 11, 3, 8, 1, 12, 4, 7, 9, 6, 10], "int32"),
    ),
    case(
        "nms_errors",
        [
            "F.vision.nms(b, s[:1], 0.5)",
            "F.vision.nms(b[:, :3], s, 0.5)",
            "F.vision.nms(b, s.reshape(2, 1), 0.5)",
            "F.vision.nms(b.astype('float16'), s, 0.5)",
            "F.vision.nms(b.astype('int32'), s, 0.5)",
            "F.vision.nms(b, s, 0.5, -1)",
            "F.vision.nms(b, s, 'a')",
            "F.vision.nms(n, s, 0.5)",
        ],
        b=f32(2, 4),
        n=array(f32(2, 4)),
        s=f32(2),
    ),
    case(
        "correlation",
        [
            "F.vision.correlation(x, y)",
            "F.vision.correlation(x, y, max_displacement=0)",
            "F.vision.correlation(x, y, kernel_size=2, pad_size=1)",
            "F.vision.correlation(x, y, kernel_size=3, pad_size=2, stride1=2)",
            "F.nn.correlation(x, y, 3, 3, 1, 2, 4, True)",
            "F.vision.correlation(x, y, stride2=2, max_displacement=2, pad_size=2, is_multiply=False)",
            "F.vision.correlation(x, y, 3, 2, 2, 1, 3, False)",
            "F.vision.correlation(h, h)",
        ],
        x=f32(2, 3, 5, 6),
        y=f32(2, 3, 5, 6),
        h=f16(1, 2, 4, 4),
    ),
    case(
        "correlation_errors",
        [
            "F.vision.correlation(x, x, kernel_size=9)",
            "F.vision.correlation(x, x.astype('float16'))",
            "F.vision.correlation(x.astype('int32'), x.astype('int32'))",
            "F.vision.correlation(x, x[:, :, :3])",
            "F.vision.correlation(x[0], x[0])",
            "F.vision.correlation(x, x, stride1=0)",
            Refused("F.vision.correlation(x[:0], x[:0])", "np.zeros((0, 9, 2, 2), 'float32')"),
        ],
        x=f32(1, 1, 4, 4),
    ),
    case(
        "nvof_errors",
        ["F.vision.nvof(x)", "F.vision.nvof(v)", "F.vision.nvof(g)"],
        x=f32(1, 1, 2, 4),
        v=f32(1, 1, 1, 1, 2),
        g=u8(1, 2, 8, 8, 4),
    ),
    case("nonsense_errors", nonsense("F.vision.correlation(x, x, max_displacement=1.5)"), x=f32(1, 1, 4, 4)),
]
