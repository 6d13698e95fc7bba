"""SGD with every option over twenty steps, the layout of its state, and what the optimizer base refuses."""

from __future__ import annotations

from ..spec import Wrong, case, given

RUN = """
a, b = Parameter(ramp((2, 3))), Parameter(ramp((3,)))
def run(opt, steps=20, each=lambda i: None):
    gm = GradManager().attach([a, b])
    losses = []
    for i in range(steps):
        each(i)
        with gm:
            loss = ((a * x - b) ** 2).sum() + (b ** 2).mean()
            gm.backward(loss)
        opt.step().clear_grad()
        losses.append(loss.item())
    return a.numpy(), b.numpy(), np.array(losses, "float32")
"""

OPTIONS = [
    "lr=0.05",
    "lr=0.05, momentum=0.9",
    "lr=0.05, momentum=0.9, nesterov=True",
    "lr=0.05, weight_decay=0.1",
    "lr=0.05, momentum=0.5, weight_decay=0.1",
    "lr=0.05, momentum=0.5, nesterov=True, weight_decay=0.1",
    "lr=0",
    "lr=1e-3, momentum=0.0",
]


def asked(*exprs: str) -> list[str]:
    """Questions about the run."""
    return [Wrong(RUN + e.expr, e.why) if isinstance(e, Wrong) else RUN + e for e in exprs]


CASES = [
    case(
        "sgd",
        asked(*["run(optim.SGD([a, b], %s))" % o for o in OPTIONS]),
        x=given([[0.5, -1.0, 0.25], [1.5, 0.75, -0.5]]),
        rtol=2e-5,
    ),
    case(
        "sgd_ways",
        asked(
            "run(optim.SGD([{'params': [a], 'lr': 0.1}, {'params': [b]}], lr=0.01))",
            "run(optim.SGD([{'params': a, 'momentum': 0.9}, {'params': b, 'weight_decay': 0.5}], lr=0.05))",
            (
                "opt = optim.SGD([a, b], lr=0.05)\n"
                "def each(i): opt.param_groups[0]['lr'] = 0.05 / (i + 1)\n"
                "run(opt, each=each)"
            ),
            "opt = optim.SGD([a], lr=0.05); opt.add_param_group({'params': [b], 'lr': 0.1}); run(opt)",
            "opt = optim.SGD([a], lr=0.05); run(opt, 3)",
            "run(optim.SGD(iter([a, b]), lr=0.05), 3)",
            "run(optim.SGD({'params': [a, b]}, lr=0.05), 3)",
            "run(optim.SGD((a, b), 0.05, 0.9, True, 0.01), 3)",
            "run(optim.SGD(a, lr=0.05), 3)",
            (
                "opt = optim.SGD([a, b], lr=0.05, momentum=0.9)\n"
                "run(opt, 3); state = opt.state_dict()\n"
                "other = optim.SGD([a, b], lr=0.9, momentum=0.1); other.load_state_dict(state); run(other, 3)"
            ),
            (
                "opt = optim.SGD([a, b], lr=0.05, momentum=0.9)\n"
                "def each(i): opt.param_groups[0]['momentum'] = 0.5\n"
                "run(opt, 5, each)"
            ),
            "opt = optim.SGD([a, b], lr=0.05)\nopt.step() is opt",
            "opt = optim.SGD([a, b], lr=0.05)\nopt.step(); a, b",
            "opt = optim.SGD([a, b], lr=0.05); a.grad = Tensor(np.ones((2, 3), 'float32')); opt.step(); a, b",
            "opt = optim.SGD([a, b], lr=0.05); a.grad = Tensor(np.ones((2, 3), 'float32')); opt.clear_grad(); a.grad",
            "opt = optim.SGD([a, b], lr=0.05); opt.clear_grad()",
            "opt = optim.SGD([a, b], lr=0.05); a.grad = Tensor(np.ones((2, 3), 'float32')); opt.zero_grad(); a.grad",
            (
                "c = a; opt = optim.SGD([a, b], lr=0.5); a.grad = Tensor(np.ones((2, 3), 'float32')); "
                "opt.step(); c is a, c"
            ),
            (
                "opt = optim.SGD([a, b], lr=0.5, momentum=0.9, weight_decay=0.1); "
                "a.grad = Tensor(np.ones((2, 3), 'float32')); opt.step(); opt.step(); a, b"
            ),
        ),
        x=given([[0.5, -1.0, 0.25], [1.5, 0.75, -0.5]]),
        rtol=2e-5,
    ),
    case(
        "state",
        asked(
            "opt = optim.SGD([a, b], lr=0.05, momentum=0.9); opt.state_dict()",
            "opt = optim.SGD([a, b], lr=0.05); opt.state_dict()",
            "opt = optim.SGD([a, b], lr=0.05, momentum=0.9); run(opt, 2); opt.state_dict()",
            "opt = optim.SGD([{'params': [a], 'lr': 0.1}, {'params': [b]}], lr=0.01, momentum=0.5); opt.state_dict()",
            (
                "opt = optim.SGD([a, b], lr=0.05, momentum=0.9); "
                "type(opt.state_dict(keep_var=True)['state'][0]['momentum_buffer']).__name__"
            ),
            (
                "optim.SGD([a, b], lr=0.05, momentum=0.9).param_groups[0].keys() == {'params', 'lr', "
                "'momentum', 'weight_decay'}"
            ),
            "list(optim.SGD([a, b], lr=0.05).param_groups[0])",
            "len(optim.SGD([{'params': [a]}, {'params': [b]}], lr=0.05).param_groups)",
            "[p is a or p is b for p in optim.SGD([a, b], lr=0.05).param_groups[0]['params']]",
            "optim.SGD([a, b], lr=0.05).param_groups[0]['lr']",
            "optim.SGD([a, b], 0.1, nesterov=True, momentum=0.5).nesterov",
            "opt = optim.SGD([a, b], lr=0.05); opt.load_state_dict(optim.SGD([a], lr=0.1).state_dict())",
            Wrong(
                "opt = optim.SGD([a, b], lr=0.05, momentum=0.9); "
                "opt.load_state_dict(optim.SGD([a, b], lr=0.1).state_dict())",
                "the reference fails with KeyError; the momentum starts from zero",
            ),
            (
                "opt = optim.SGD([a, b], lr=0.05); "
                "opt.load_state_dict(optim.SGD([a, b], lr=0.7, momentum=0.2).state_dict()); "
                "opt.param_groups[0]['lr'], opt.param_groups[0]['momentum']"
            ),
            (
                "opt = optim.SGD([a, b], lr=0.05); "
                "opt.load_state_dict(optim.SGD([{'params': [a]}, {'params': [b]}], "
                "lr=0.1).state_dict())"
            ),
            (
                "pickle = __import__('pickle'); "
                "list(pickle.loads(pickle.dumps(optim.SGD([a, b], lr=0.05, momentum=0.9).state_dict())))"
            ),
        ),
        x=given([[0.5, -1.0, 0.25], [1.5, 0.75, -0.5]]),
        rtol=2e-5,
    ),
    case(
        "errors",
        asked(
            "optim.SGD([a, b], lr=-1)",
            "optim.SGD([a, b], lr=0.1, momentum=-1)",
            "optim.SGD([a, b], lr=0.1, weight_decay=-1)",
            "optim.SGD([a, b], lr=0.1, nesterov=True)",
            "optim.SGD([], lr=0.1)",
            "optim.SGD([a, b])",
            "optim.SGD(3, lr=0.1)",
            "optim.SGD([Tensor([1.0])], lr=0.1)",
            "optim.SGD([a, a], lr=0.1)",
            "optim.SGD([{'params': [a]}, {'params': [a]}], lr=0.1)",
            "optim.SGD([a, {'params': [b]}], lr=0.1)",
            "optim.SGD([{'lr': 0.1}], lr=0.1)",
            "optim.SGD([np.ones(3)], lr=0.1)",
            "optim.SGD(None, lr=0.1)",
            "optim.SGD(['a'], lr=0.1)",
            "optim.SGD([a], lr='a')",
            "optim.SGD([a], lr=0.1).backward(x)",
            "optim.SGD([a], lr=0.1).bcast_param()",
            "optim.Optimizer([a], {})",
            "optim.SGD([a], lr=0.1).add_param_group([b])",
            "optim.SGD([a], lr=0.1).add_param_group({'params': [a]})",
            "optim.SGD({a, b}, lr=0.1).step().__class__.__name__",
            "optim.SGD([a], lr=0.1).load_state_dict({})",
            "optim.SGD([a], lr=0.1, nosuch=1)",
        ),
        x=given([[0.5, -1.0, 0.25], [1.5, 0.75, -0.5]]),
    ),
    case(
        "own",
        [
            (
                "class Plain(optim.Optimizer):\n"
                "    def __init__(self, params, lr):\n"
                "        super().__init__(params, {'lr': lr})\n"
                "    def _create_state(self, group):\n"
                "        for p in group['params']:\n"
                "            self._add_state(p, 'sum')\n"
                "    def _updates(self, group):\n"
                "        for p in group['params']:\n"
                "            if p.grad is not None:\n"
                "                self._state[p]['sum'] += p.grad\n"
                "                p -= group['lr'] * self._state[p]['sum']\n"
            )
            + (
                "p = Parameter([1.0, 2.0]); opt = Plain([p], 0.1)\n"
                "for i in range(3):\n"
                "    p.grad = Tensor([1.0, -1.0]); opt.step().clear_grad()\n"
                "(p, opt.state_dict())"
            ),
        ],
    ),
    case(
        "clip",
        [
            (
                "p = Parameter([1.0, 2.0]); p.grad = Tensor([3.0, 4.0]); "
                "n = optim.clip_grad_norm([p], max_norm=1.0); (n, p.grad)"
            ),
            "p = Parameter([1.0, 2.0]); p.grad = Tensor([3.0, 4.0]); n = optim.clip_grad_norm(p, 10.0); (n, p.grad)",
            (
                "p = Parameter([1.0, 2.0]); p.grad = Tensor([3.0, 4.0]); "
                "n = optim.clip_grad_norm([p], 1.0, ord=1); (n, p.grad)"
            ),
            (
                "p = Parameter([1.0, 2.0]); p.grad = Tensor([3.0, -4.0]); "
                "n = optim.clip_grad_norm([p], 1.0, ord=np.inf); (n, p.grad)"
            ),
            (
                "p, q = Parameter([1.0]), Parameter([1.0, 2.0]); p.grad = Tensor([3.0]); "
                "q.grad = Tensor([4.0, 12.0]); n = optim.clip_grad_norm([p, q], 6.5); (n, p.grad, q.grad)"
            ),
            (
                "p, q = Parameter([1.0]), Parameter([2.0]); p.grad = Tensor([3.0]); "
                "optim.clip_grad_norm([p, q], 1.5); (p.grad, q.grad)"
            ),
            (
                "p = Parameter([1.0, 2.0]); p.grad = Tensor([3.0, -4.0]); "
                "optim.clip_grad_value([p], lower=-1, upper=2); p.grad"
            ),
            "p = Parameter([1.0]); optim.clip_grad_norm([p], 1.0)",
            "optim.clip_grad_norm([], 1.0)",
        ],
    ),
]
