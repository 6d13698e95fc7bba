"""Modules: what they hold and in which order, state dicts, hooks, modes, printing, initialisers."""

from __future__ import annotations

from ..spec import Refused, case, f16, f32, nonsense

NET = """
class Block(M.Module):
    def __init__(self, size):
        super().__init__()
        self.fc = M.Linear(size, size)
        self.act = M.ReLU()
        self.scale = Parameter([1.0])
        self.count = Tensor([0.0])
    def forward(self, x):
        return self.act(self.fc(x)) * self.scale
class Net(M.Module):
    def __init__(self):
        super().__init__()
        self.zeta = Parameter([2.0, 3.0])
        self.blocks = [Block(2), Block(2)]
        self.head = M.Linear(2, 3)
        self.table = {"b": M.Linear(2, 2, bias=False), "a": Parameter([4.0])}
        self.buffer = Tensor([5.0])
        self.alpha = M.Sequential(M.Linear(2, 2), M.ReLU())
        self.drop = M.Dropout(0.5)
        self.label = "text"
        self.shared = self.head
    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(self.alpha(x))
net = Net()
"""


def asked(*exprs: str | Refused) -> list[str | Refused]:
    """Questions about NET."""
    return [Refused(NET + e.expr, e.right) if isinstance(e, Refused) else NET + e for e in exprs]


HOOKS = """
calls = []
class Add(M.Module):
    def __init__(self):
        super().__init__()
    def forward(self, x, y=1.0):
        calls.append("forward")
        return x + y
m = Add()
"""


def hooked(*exprs: str) -> list[str]:
    """Questions about a module with hooks."""
    return [HOOKS + e for e in exprs]


CASES = [
    case(
        "traversal",
        asked(
            "[n for n, _ in net.named_parameters()]",
            "[n for n, _ in net.named_buffers()]",
            "[n for n, _ in net.named_tensors()]",
            "[n for n, _ in net.named_children()]",
            "[n for n, _ in net.named_modules()]",
            "[p.shape for p in net.parameters()]",
            "[type(m).__name__ for m in net.modules()]",
            "[type(m).__name__ for m in net.children()]",
            "[b.shape for b in net.buffers()]",
            "[n for n, _ in net.named_parameters(recursive=False)]",
            "[n for n, _ in net.named_parameters(prefix='p')]",
            "[n for n, _ in net.named_modules(prefix='q')]",
            "[n for n, _ in net.named_buffers(prefix='r', recursive=False)]",
            "list(net.state_dict())",
            "{k: v.shape for k, v in net.state_dict().items()}",
            "{type(v).__name__ for v in net.state_dict().values()} == {'ndarray'}",
            "type(net.state_dict()).__name__",
            "[type(v).__name__ for v in net.state_dict(keep_var=True).values()]",
            "list(net.state_dict(prefix='w.'))",
            "len(list(net.parameters()))",
            "[n for n, _ in net.blocks[0].named_parameters()]",
            "list(net.blocks[0].state_dict())",
            "[n for n, _ in net.named_tensors(recursive=False)]",
            "len(list(net.tensors()))",
            "[x[0] for x in net.named_modules(with_parent=True)]",
            "[type(p).__name__ for _, _, p in net.named_modules(with_parent=True)]",
        ),
    ),
    case(
        "modes",
        asked(
            "[m.training for m in net.modules()]",
            "net.eval(); [m.training for m in net.modules()]",
            "net.eval(); net.train(); net.blocks[1].fc.training",
            "net.train(False); net.training",
            "net.eval(); net.blocks[0].train(); [m.training for m in net.modules()]",
            "net.train(False, recursive=False); [m.training for m in net.modules()]",
            "net.eval()",
            "net.train()",
            "names = []; net.apply(lambda m: names.append(type(m).__name__)); names",
            "net.apply(lambda m: None)",
            "net.disable_quantize()",
            "net(1, 2, 3)",
            "net.zero_grad()",
            "net.name",
            "net.blocks[0].fc.name",
            "hasattr(net, 'nosuch')",
        ),
    ),
    case(
        "state",
        asked(
            "state = net.state_dict(); net.load_state_dict(state)",
            (
                "state = {k: v + 1 for k, v in net.state_dict().items()}; net.load_state_dict(state); "
                "all(np.array_equal(v, state[k]) for k, v in net.state_dict().items())"
            ),
            (
                "p = net.head.weight; state = {k: np.zeros_like(v) for k, v in net.state_dict().items()}; "
                "net.load_state_dict(state); p is net.head.weight, p"
            ),
            "net.load_state_dict({})",
            "net.load_state_dict({}, strict=False)",
            "net.load_state_dict({'nosuch': np.zeros(1)}, strict=False)",
            "s = net.state_dict(); s['nosuch'] = np.zeros(1); net.load_state_dict(s)",
            "s = net.state_dict(); s.pop('zeta'); net.load_state_dict(s)",
            "s = net.state_dict(); s['zeta'] = np.zeros(5, 'float32'); net.load_state_dict(s)",
            "s = net.state_dict(); s['zeta'] = np.zeros(2, 'float16'); net.load_state_dict(s); net.zeta.dtype",
            "s = net.state_dict(); s['zeta'] = Tensor([1.0, 2.0]); net.load_state_dict(s)",
            "s = net.state_dict(); s['zeta'] = [1.0, 2.0]; net.load_state_dict(s)",
            "net.load_state_dict(3)",
            "net.load_state_dict(lambda k, v: np.full(v.shape, 7, 'float32')); net.zeta",
            "net.load_state_dict(lambda k, v: None)",
            "net.load_state_dict(lambda k, v: None, strict=False)",
            "s = net.state_dict(); s['zeta'] = np.array([1, 2], 'uint8'); net.load_state_dict(s); net.zeta.dtype",
            "s = net.state_dict(); s['zeta'] = np.array([1, 2], 'int32'); net.load_state_dict(s); net.zeta.dtype",
            "s = net.state_dict(); net.zeta += 1; s['zeta']",
            Refused(
                "s = net.state_dict(); s['zeta'] = np.array([1.0, 2.0]); net.load_state_dict(s); net.zeta.dtype",
                "np.dtype('float32')",
            ),
            Refused("net.state_dict()['zeta'][0] = 9; net.zeta", "np.float32([2, 3])"),
            "type(net.zeta).__name__, net.load_state_dict(net.state_dict()), type(net.zeta).__name__",
        ),
    ),
    case(
        "print",
        [
            "print_me = %s; repr(print_me)" % m
            for m in (
                "M.Linear(2, 3)",
                "M.Linear(2, 3, bias=False)",
                "M.ReLU()",
                "M.Sigmoid()",
                "M.Softmax()",
                "M.Softmax(axis=1)",
                "M.LeakyReLU()",
                "M.LeakyReLU(0.2)",
                "M.PReLU()",
                "M.PReLU(3)",
                "M.SiLU()",
                "M.GELU()",
                "M.Dropout(0.3)",
                "M.Identity()",
                "M.Sequential()",
                "M.Sequential(M.Linear(2, 3), M.ReLU())",
                "M.Sequential(M.Sequential(M.ReLU()), M.Dropout())",
                "M.Linear(2, 3, name='first')",
                "M.Elemwise('add')",
                "M.Concat()",
            )
        ]
        + asked("repr(net)", "str(net)", "repr(net.alpha)", "repr(net.blocks[0])"),
    ),
    case(
        "linear",
        [
            "[(n, p.shape) for n, p in M.Linear(2, 3).named_parameters()]",
            "[(n, p.shape) for n, p in M.Linear(2, 3, bias=False).named_parameters()]",
            "M.Linear(2, 3, bias=False).bias",
            "filled(M.Linear(3, 4))(x)",
            "filled(M.Linear(3, 4, bias=False))(x)",
            "filled(M.Linear(3, 2))(c)",
            "M.Linear(2, 3).in_features, M.Linear(2, 3).out_features",
            "M.Linear(3, 4)(x).shape",
            "m = M.Linear(3, 4); m.bias",
            (
                "w = M.Linear(300, 40).weight.numpy(); "
                "bool(abs(w.std() * np.sqrt(300 / 2) - 1) < 0.1 or abs(w.std() * np.sqrt(300) - 1) < 0.1 "
                "or abs(w.std() * np.sqrt(340 / 2) - 1) < 0.1)"
            ),
            "w = M.Linear(300, 40).weight.numpy(); round(float(w.std() * np.sqrt(300)), 1)",
            "M.Linear(4, 2)(x)",
            "M.Linear()",
            "M.Linear(2)",
            "M.Linear(-1, 2)",
            "type(M.Linear(2, 3).weight).__name__",
            "filled(M.Linear(3, 1))(x)",
            "M.Linear(3, 2)('a')",
            "M.Linear(2.5, 3)",
        ],
        x=f32(2, 3),
        c=f32(2, 1, 3),
        grad=True,
    ),
    case(
        "linear_gradient",
        [
            (
                "m = filled(M.Linear(3, 2)); gm = GradManager().attach(m.parameters())\n"
                "with gm:\n"
                "    gm.backward((m(x) ** 2).sum())\n"
                "(m.weight.grad, m.bias.grad)"
            ),
            (
                "m = filled(M.Sequential(M.Linear(3, 4), M.ReLU(), M.Linear(4, 2))); "
                "gm = GradManager().attach(m.parameters())\n"
                "with gm:\n"
                "    gm.backward(m(x).sum())\n"
                "[p.grad for p in m.parameters()]"
            ),
        ],
        x=f32(2, 3),
    ),
    case(
        "sequential",
        [
            "[n for n, _ in M.Sequential(M.Linear(2, 3), M.ReLU(), M.Linear(3, 1)).named_parameters()]",
            "list(M.Sequential(M.Linear(2, 3), M.ReLU(), M.Linear(3, 1)).state_dict())",
            "len(M.Sequential(M.ReLU(), M.Sigmoid()))",
            "type(M.Sequential(M.ReLU(), M.Sigmoid())[1]).__name__",
            "[type(m).__name__ for m in M.Sequential(M.ReLU(), M.Sigmoid())]",
            "M.Sequential(M.ReLU(), M.Sigmoid())(x)",
            "M.Sequential()(x) is x",
            (
                "from collections import OrderedDict\n"
                "[n for n, _ in M.Sequential(OrderedDict([('first', M.Linear(2, 3)), ('second', M.ReLU()), "
                "('third', M.Linear(3, 1))])).named_parameters()]"
            ),
            (
                "from collections import OrderedDict\n"
                "m = M.Sequential(OrderedDict(b=M.ReLU(), a=M.Sigmoid())); "
                "[type(v).__name__ for v in m], [n for n, _ in m.named_children()]"
            ),
            (
                "from collections import OrderedDict\n"
                "m = M.Sequential(OrderedDict(b=M.ReLU(), a=M.Sigmoid())); type(m.b).__name__"
            ),
            "m = M.Sequential(M.ReLU(), M.Sigmoid()); type(m[-1]).__name__",
            "m = M.Sequential(M.ReLU(), M.Sigmoid(), M.ReLU()); type(m[:2]).__name__",
            "m = M.Sequential(M.ReLU(), M.Sigmoid()); m[0] = M.Identity(); [type(v).__name__ for v in m]",
            "m = M.Sequential(M.ReLU(), M.Sigmoid()); del m[0]; [type(v).__name__ for v in m]",
            "m = M.Sequential(M.ReLU(), M.Sigmoid()); m[5]",
            *nonsense("M.Sequential(3)", "M.Sequential([M.ReLU()])"),
            "[n for n, _ in M.Sequential(*[M.Linear(1, 1) for _ in range(12)]).named_children()]",
            "[n for n, _ in M.Sequential(*[M.Linear(1, 1, bias=False) for _ in range(12)]).named_parameters()]",
            "M.Sequential(M.ReLU(), lambda x: x)",
        ],
        x=f32(2, 3),
    ),
    case(
        "activations",
        [
            "M.ReLU()(x)",
            "M.Sigmoid()(x)",
            "M.Softmax()(x)",
            "M.Softmax(axis=1)(x)",
            "M.Softmax(0)(x)",
            "M.LeakyReLU()(x)",
            "M.LeakyReLU(0.2)(x)",
            "M.PReLU()(x)",
            "M.PReLU(1, 0.5)(x)",
            "M.SiLU()(x)",
            "M.GELU()(x)",
            "M.Identity()(x)",
            "M.Identity()(x) is x",
            "[(n, p) for n, p in M.PReLU(3).named_parameters()]",
            "[(n, p) for n, p in M.PReLU().named_parameters()]",
            "M.ReLU()(h)",
        ],
        x=f32(2, 3),
        h=f16(3),
        grad=True,
    ),
    case(
        "dropout",
        [
            "M.Dropout(0.0)(x) is x",
            "m = M.Dropout(0.5); m.eval(); m(x) is x",
            "M.Dropout()(x) is x",
            "M.Dropout(0.5).drop_prob",
            "M.Dropout(0.5)(x).shape",
            "M.Dropout(1.5)(x)",
            "M.Dropout(-0.5)(x)",
            *nonsense("M.Dropout(1.5)"),
            "m = M.Dropout(0.5); m.training",
        ],
        x=f32(2, 3),
    ),
    case(
        "hooks",
        hooked(
            "h = m.register_forward_hook(lambda mod, i, o: calls.append(('hook', len(i))) or o * 2); m(x)",
            "m.register_forward_pre_hook(lambda mod, i: calls.append('pre') or (i[0] * 3,)); m(x)",
            "m.register_forward_pre_hook(lambda mod, i: i[0] * 3); m(x)",
            (
                "m.register_forward_hook(lambda mod, i, o: calls.append('a')); "
                "m.register_forward_hook(lambda mod, i, o: calls.append('b')); "
                "m.register_forward_pre_hook(lambda mod, i: calls.append('p') and None); m(x); calls"
            ),
            "h = m.register_forward_hook(lambda mod, i, o: o * 2); h.remove(); m(x)",
            "h = m.register_forward_hook(lambda mod, i, o: o * 2); h.remove(); h.remove(); m(x)",
            "m.register_forward_hook(lambda mod, i, o: None); m(x)",
            "m.register_forward_pre_hook(lambda mod, i: None); m(x)",
            (
                "m.register_forward_hook(lambda mod, i, o: o + 1); "
                "m.register_forward_hook(lambda mod, i, o: o * 2); m(x)"
            ),
            "m.register_forward_hook(lambda mod, i, o: 'text'); m(x)",
            "m(x, y=2.0)",
            "m(x, 3.0)",
            "m.register_forward_hook(lambda mod, i, o: calls.append(len(i))); m(x, y=2.0); calls",
            "m.register_forward_hook(lambda mod, i, o: 1 / 0); m(x)",
            "type(m.register_forward_hook(lambda mod, i, o: None)).__name__",
            "m.register_forward_pre_hook(lambda mod, i: calls.append(mod is m) and None); m(x); calls",
        ),
        x=f32(3),
    ),
    case(
        "odd",
        [
            "M.Module()",
            (
                "class E(M.Module):\n"
                "    def __init__(self): super().__init__()\n"
                "    def forward(self): pass\n"
                "[list(E().parameters()), list(E().modules()).__len__()]"
            ),
            "class E(M.Module):\n    def forward(self, x): return x\ne = E(); e(1), e('a'), e(None)",
            "class E(M.Module):\n    def __init__(self): pass\n    def forward(self, x): return x\nE()(1)",
            (
                "class E(M.Module):\n"
                "    def __init__(self):\n"
                "        super().__init__()\n"
                "        self.d = {1: M.ReLU()}\n"
                "    def forward(self, x): return x\n"
                "list(E().children())"
            ),
            (
                "class E(M.Module):\n"
                "    def __init__(self):\n"
                "        super().__init__()\n"
                "        self.d = (M.ReLU(), [M.Linear(1, 1)])\n"
                "    def forward(self, x): return x\n"
                "[n for n, _ in E().named_modules()]"
            ),
            (
                "class E(M.Module):\n"
                "    def __init__(self):\n"
                "        super().__init__()\n"
                "        self.a = M.Linear(1, 1); self.b = self.a\n"
                "    def forward(self, x): return x\n"
                "[n for n, _ in E().named_parameters()], list(E().state_dict())"
            ),
            (
                "class E(M.Module):\n"
                "    def __init__(self):\n"
                "        super().__init__()\n"
                "        self.a = Parameter([1.0]); self.a = Parameter([2.0]); self.b = 3; del self.b\n"
                "    def forward(self, x): return x\n"
                "[(n, p) for n, p in E().named_parameters()]"
            ),
            (
                "class E(M.Module):\n"
                "    def __init__(self):\n"
                "        super().__init__(name='my')\n"
                "    def forward(self, x): return x\n"
                "E().name"
            ),
            (
                "class E(M.Module):\n"
                "    def __init__(self):\n"
                "        super().__init__(name='')\n"
                "    def forward(self, x): return x\n"
                "E()"
            ),
            "M.Linear(2, 3, name=3)",
            "m = M.Linear(2, 2); m.extra = M.ReLU(); [n for n, _ in m.named_children()]",
            "m = M.Linear(2, 2); m.weight = Parameter([[1.0]]); [p.shape for p in m.parameters()]",
            "m = M.Linear(2, 2); del m.weight; [n for n, _ in m.named_parameters()]",
            "copy = __import__('copy'); m = filled(M.Linear(2, 2)); n = copy.deepcopy(m); n.weight += 1; m.weight",
            "pickle = __import__('pickle'); m = filled(M.Linear(2, 2)); pickle.loads(pickle.dumps(m)).weight",
            (
                "pickle = __import__('pickle'); m = M.Sequential(M.Linear(2, 2), M.ReLU()); "
                "list(pickle.loads(pickle.dumps(m)).state_dict())"
            ),
        ],
    ),
    case(
        "initialisers",
        [
            "%s; p" % c
            for c in (
                "M.init.zeros_(p)",
                "M.init.ones_(p)",
                "M.init.fill_(p, 2.5)",
                "M.init.fill_(p, -1)",
                "M.init.zeros_(h)",
            )
        ]
        + [
            "M.init.zeros_(h); h",
            "M.init.zeros_(p)",
            "M.init.calculate_fan_in_and_fan_out(p)",
            "M.init.calculate_fan_in_and_fan_out(k)",
            "M.init.calculate_fan_in_and_fan_out(v)",
            "M.init.calculate_fan_in_and_fan_out(b)",
            "M.init.calculate_correct_fan(p, 'fan_in')",
            "M.init.calculate_correct_fan(p, 'fan_out')",
            "M.init.calculate_correct_fan(p, 'nosuch')",
            "M.init.calculate_correct_fan(p, 'FAN_IN')",
            "M.init.fill_(p)",
            "M.init.uniform_(big, -1, 1); bool(abs(big.numpy()).max() <= 1)",
            "M.init.normal_(big, 5, 0.1); bool(abs(big.numpy().mean() - 5) < 0.1)",
            "M.init.xavier_uniform_(big); bool(abs(big.numpy()).max() <= np.sqrt(6 / 120))",
            "M.init.xavier_normal_(big); round(float(big.numpy().std() / np.sqrt(2 / 120)), 1)",
            "M.init.msra_uniform_(big); bool(abs(big.numpy()).max() <= np.sqrt(6 / 80))",
            "M.init.msra_normal_(big); round(float(big.numpy().std() / np.sqrt(1 / 80)), 1)",
            (
                "M.init.msra_uniform_(big, a=0, mode='fan_out', nonlinearity='relu'); "
                "round(float(abs(big.numpy()).max() / np.sqrt(6 / 40)), 1)"
            ),
            "M.init.xavier_uniform_(big, gain=2.0); round(float(abs(big.numpy()).max() / np.sqrt(24 / 120)), 1)",
            "M.init.xavier_uniform_(v)",
            "M.init.msra_normal_(v)",
            "p2 = p; M.init.ones_(p); p2 is p",
            "type(p).__name__",
        ]
        + [
            "M.init.calculate_gain(%s)" % a
            for a in (
                "'linear'",
                "'conv2d'",
                "'sigmoid'",
                "'tanh'",
                "'relu'",
                "'leaky_relu'",
                "'leaky_relu', 0.2",
                "'selu'",
                "'leaky_relu', 1",
                "'conv1d'",
                "'conv_transpose2d'",
            )
        ]
        + [
            "M.init.calculate_gain('nosuch')",
            "M.init.calculate_gain('leaky_relu', 'a')",
            "M.init.calculate_gain('leaky_relu', True)",
        ],
        p=f32(2, 3),
        k=f32(4, 3, 2, 2),
        v=f32(3),
        b=f32(),
        h=f16(2, 3),
        big=f32(40, 80),
    ),
    case(
        "elemwise_concat",
        [
            "M.Elemwise('add')(x, x)",
            "M.Elemwise('ADD')(x, x * 2)",
            "M.Elemwise('mul')(x, x)",
            "M.Elemwise('relu')(x)",
            "M.Elemwise('fuse_add_relu')(x, x)",
            "M.Concat()([x, x])",
            "M.Concat()([x, x], 1)",
            *nonsense("M.Elemwise('nosuch')"),
        ],
        x=f32(2, 3),
        grad=True,
    ),
]
