"""What re-implementers guess wrong, item by item: the surprises that existing programs rely on."""

from __future__ import annotations

from ..spec import Refused, Wrong, bools, case, f16, f32, given, i8, i32, parameter, u8

OUT = ("IndexError", "RuntimeError")

CASES = [
    case(
        "ellipsis_replaces_slice_fills",
        ["x[...] = v; x", "x[...] = n; x", "x[:] = v; x", "x[:] = 3; x", "y = x; x[...] = v; y is x, y"],
        x=f32(2, 3),
        v=f32(3),
        n=i32(3),
    ),
    case(
        "sixty_four_bit_arrays",
        [
            "Tensor(np.arange(3)).dtype",
            "Tensor(np.ones(3)).dtype",
            "Tensor(np.int64(3)).dtype",
            "Tensor(3.0).dtype",
            "Tensor([1, 2]).dtype",
        ],
    ),
    case(
        "sixty_four_bit_refused",
        [
            "x.astype(float)",
            "x.astype(int)",
            "x.astype('float64')",
            "x.astype('int64')",
            Refused("x + np.float64(1)", "x + np.float64(1)"),
            Refused("x * np.ones((2, 3))", "x * np.ones((2, 3))"),
            Refused("n + np.arange(3)", "n + np.arange(3)"),
            Refused("n * np.int64(2)", "n * np.int64(2)"),
            "Tensor(n, dtype='float32')",
            "Tensor(x, dtype='int32')",
            "Tensor([1.0], dtype='float64')",
        ],
        x=f32(2, 3),
        n=i32(3),
    ),
    case(
        "unsigned_and_signed",
        ["u + n", "u * i", "u == n", "u < i", "n - u", "u == u", "u + 1", "u == 1", "F.maximum(u, n)"],
        u=u8(3),
        n=i32(3),
        i=i8(3),
    ),
    case(
        "bools",
        [
            "b + x",
            "b + n",
            "b + 1",
            "b * 2.5",
            "b + b",
            "b * b",
            "b - b",
            "b.sum()",
            "b.mean()",
            "b == b",
            "b & b",
            "b == 1",
            "b + True",
            "b.sum().dtype",
            "(x > 0).sum()",
            "(x > 0) * x",
            "1 - b",
        ],
        b=bools(3),
        x=f32(3),
        n=i32(3),
    ),
    case(
        "half",
        ["h + n", "h * b", "h + 1", "h * 2.5", "h + s", "h + h", "h * x", "h / 2", "h ** 2", "-h", "h + np.float32(1)"],
        h=f16(3),
        n=i32(3),
        b=bools(3),
        s=given(1.5),
        x=f32(3),
    ),
    case(
        "int_scalars",
        [
            "i + 300",
            "i * 2",
            "i + 1.0",
            "i ** 2",
            "i / 2",
            "n ** 2",
            "n / n",
            "n ** 0.5",
            "n % 3",
            "n % -3",
            "x % 2",
            "x % -2",
            "n // 2",
            "i % 5",
            "n // m",
            "n % m",
        ],
        i=i8(3),
        n=given([7, -7, 8], "int32"),
        m=given([3, 3, -3], "int32"),
        x=given([7.5, -7.5, 3.0]),
    ),
    case(
        "wide_reductions",
        [
            "F.mean(h)",
            "F.var(h)",
            "F.std(h)",
            "F.mean(n)",
            "F.std(n)",
            "F.mean(i)",
            "F.sum(i)",
            "F.sum(u)",
            "F.sum(h)",
            "big.sum()",
            "h.mean()",
            "n.mean(axis=1)",
        ],
        h=f16(2, 3),
        n=i32(2, 3),
        i=i8(2, 3),
        u=u8(2, 3),
        big=given([100, 100], "int8"),
    ),
    case(
        "keepdims_without_axis",
        [
            "x.sum(keepdims=True)",
            "F.mean(x, keepdims=True)",
            "F.max(x, keepdims=True)",
            "x.min(None, True)",
            "F.argmax(x, keepdims=True)",
        ],
        x=f32(2, 3),
    ),
    case(
        "odd_attributes",
        [
            "Tensor(2.5).size",
            "type(Tensor(2.5).size).__name__",
            "x.size",
            Refused("1.0 in x", "bool((x == 1).any())"),
            Refused("x == None", "False"),
            Refused("x != None", "True"),
            "x.requires_grad",
            "x.requires_grad = False",
        ],
        x=f32(2, 3),
    ),
    case(
        "late_indices",
        [
            Wrong("x[5]", "reported later", raises=OUT),
            Wrong("x[-4]", "reported later", raises=OUT),
            Wrong("x[np.array([True] * 4)]", "not detected", raises=OUT),
            Wrong("x[[7]]", "ends the process", raises=OUT),
        ],
        x=f32(2, 3),
    ),
    case(
        "shape_errors",
        ["x[0] = [1, 2]", "x[:] = y", "x.reshape(4)", "F.sum(x, axis=(0, 0))", "F.max(x, (1, 1))", "x + y"],
        x=f32(2, 3),
        y=f32(2, 2),
    ),
    case(
        "transpose_axes",
        [
            Refused("x.transpose(-1, 0)", "x.T"),
            "x.transpose('x', 0, 1)",
            "x.transpose(1, 'x', 0)",
            "F.transpose(x, (1, 0, 'x')).shape",
        ],
        x=f32(2, 3),
    ),
    case(
        "lists_as_operands",
        [
            "x + [1, 2, 3]",
            "[1.0, 2, 3] * x",
            "F.maximum(x, [0, 0, 0])",
            "x > [0, 1, 2]",
            Wrong("(1, 2, 3) - x", "only the first number of a tuple is used", right="np.float32([1, 2, 3]) - x"),
        ],
        x=f32(3),
    ),
    case("rounding", ["F.round(x)", "round(x)"], x=given([0.5, -0.5, 1.5, 2.5, -2.5])),
    case("not_a_number", ["F.nn.relu(x)", "F.nn.relu6(x)", "F.sign(x)"], x=given([float("nan"), 1.0, -1.0])),
    case("atan_of_half", ["F.atan(h)", "F.atan(h).dtype"], h=f16(3)),
    case(
        "no_gradient",
        ["F.floor(x)", "F.ceil(x)", "F.round(x)", "F.sign(x)", "x % y", "F.mod(x, y)"],
        x=f32(3),
        y=f32(3, low=0.5),
        grad=True,
    ),
    case(
        "ties",
        [
            "F.max(x)",
            "F.max(x, 0)",
            "F.min(x)",
            "F.maximum(x, x + 0)",
            "F.maximum(x, y)",
            "F.minimum(x, y)",
            "F.abs(z)",
            "F.clip(x, 1, 2)",
            "F.clip(x, 2, 2)",
        ],
        x=given([2.0, 1.0, 2.0]),
        y=given([2.0, 1.0, 1.0]),
        z=given([0.0, -0.0, 1.0]),
        grad=True,
    ),
    case(
        "logsumexp_squeezes",
        [
            Wrong("F.logsumexp(c, 2)", "squeezes all axes of length 1", right="np.log(np.exp(c).sum(2))"),
            "F.logsumexp(c, 2, keepdims=True)",
        ],
        c=f32(2, 1, 4),
    ),
    case(
        "stack_and_split",
        ["F.stack([s, s])", "F.stack([s, s, s]).shape", "F.split(t, 3)", "[p.shape for p in F.split(t, 3)]"],
        s=given(1.5),
        t=f32(10),
    ),
    case(
        "scatter_and_one_hot",
        ["F.scatter(x, 1, i, y) is x", "F.scatter(x, 1, i, y); x", "F.one_hot(n, 3).dtype", "F.one_hot(n, 3)"],
        x=f32(2, 3),
        y=f32(2, 1),
        i=given([[2], [0]], "int32"),
        n=given([0, 2], "int32"),
    ),
    case(
        "tile_repeat_sort",
        [
            "F.tile(x, (1, 2))",
            Refused("F.repeat(x, 2, axis=-1)", "np.repeat(x, 2, -1)"),
            Refused("F.sort(c)[0]", "np.sort(c)"),
            "F.topk(x, 9)",
            "F.sort(x)",
        ],
        x=given([[1.0, 3.0, 2.0], [6.0, 4.0, 5.0]]),
        c=f32(2, 1, 4),
    ),
    case(
        "matmul_batches",
        [Refused("F.matmul(a, b)", "np.matmul(a, b)"), "F.matmul(c, b)"],
        a=f32(1, 2, 3),
        b=f32(2, 3, 2),
        c=f32(2, 2, 3),
    ),
    case(
        "half_cross_entropy",
        [
            "F.nn.cross_entropy(h, n).dtype",
            "F.nn.cross_entropy(h, n)",
            "F.nn.cross_entropy(h, n, reduction='sum').dtype",
        ],
        h=f16(2, 3),
        n=given([0, 2], "int32"),
        rtol=4e-3,
    ),
    case(
        "softmax_axis",
        ["F.nn.softmax(v)", "F.nn.softmax(x)", "F.nn.softmax(c)", "F.nn.softmax(q)"],
        v=f32(3),
        x=f32(2, 3),
        c=f32(2, 2, 2),
        q=f32(1, 2, 1, 2),
    ),
    case("never_returns", [Wrong("F.zeros(())", "never returns", right="np.zeros((), 'float32')")]),
    case(
        "alphabetical_modules",
        [
            (
                "m = M.Linear(2, 2); m.zz = M.ReLU(); m.aa = M.Linear(1, 1); "
                "[n for n, _ in m.named_parameters()], list(m.state_dict()), [n for n, "
                "_ in m.named_children()]"
            )
        ],
    ),
    case(
        "state_dict_loading",
        [
            (
                "m = M.Linear(2, 2); w = m.weight; "
                "m.load_state_dict({'weight': np.ones((2, 2), 'float16'), 'bias': np.zeros(2, "
                "'float32')}); w is m.weight, m.weight.dtype, m.weight"
            ),
            (
                "M.Linear(2, 2).load_state_dict({'weight': Tensor(np.ones((2, 2), 'float32')), "
                "'bias': np.zeros(2, 'float32')})"
            ),
        ],
    ),
    case(
        "returns_its_input",
        ["M.Dropout(0.0)(x) is x", "m = M.Dropout(0.5); m.eval(); m(x) is x", "M.Identity()(x) is x"],
        x=f32(3),
    ),
    case(
        "optimizer",
        [
            (
                "opt = optim.SGD([p, q], lr=0.5, momentum=0.9); p.grad = Tensor(np.ones(3, 'float32')); "
                "opt.step() is opt, p, q, opt.state_dict()"
            ),
            "p.grad = Tensor([1.0, -5.0, 2.0]); n = optim.clip_grad_norm([p], 1.0, ord=np.inf); n, p.grad",
            "optim.SGD([p], lr=0.1).clear_grad()",
        ],
        p=parameter(f32(3)),
        q=parameter(f32(3)),
    ),
    case(
        "grad_manager",
        [
            "gm = GradManager().attach(x)\nwith gm:\n    gm.backward(x * 3)\nx.grad",
            "gm = GradManager().attach(x)\nwith gm:\n    gm.backward(x)\nx.grad",
            "gm = GradManager()\nwith gm:\n    a = x * 2\n    gm.attach(x)\n    gm.backward((a * x).sum())\nx.grad",
            (
                "gm = GradManager(); t = Tensor([1.0]); gm.attach(t); del t; __import__('gc').collect(); "
                "len(gm.attached_tensors())"
            ),
        ],
        x=f32(3),
    ),
    case(
        "random_shapes",
        [
            "mge.random.normal().shape",
            "mge.random.uniform().shape",
            "mge.random.normal(0, 1).shape",
            "mge.random.normal(size=(2, 3)).shape",
            "mge.random.uniform(0, 1, (2,)).shape",
            "mge.random.permutation(5).shape",
            "mge.random.permutation(5).dtype",
            "mge.random.normal(size=(0,)).shape",
            Refused("mge.random.normal(size=3).shape", "(3,)"),
        ],
    ),
    case(
        "documented_but_absent",
        [
            Wrong("F.cross(x, y)", "documented, absent", right="np.cross(x, y)"),
            Wrong("F.non_zero(m)", "documented, absent"),
        ],
        x=f32(2, 3),
        y=f32(2, 3),
        m=bools(2, 3),
    ),
]
