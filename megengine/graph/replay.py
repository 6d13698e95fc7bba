"""A captured call that runs again without recording: the program gets the tensors' current values, and they its results."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Sequence
from itertools import chain, starmap
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .capture import Capture
from .checks import fits, is_integral, note_flags, number_of
from .counters import counters, counting
from .errors import raise_interrupt
from .execute import calling, on_device, protect
from .flights import flown
from .flushing import evaluate
from .host_array import HostArray
from .jax_state import restore
from .liveness import only_handle
from .options import options
from .origins import Argument, Constant, Gradient, Held, Itself, Origin, Output, Target, target
from .recorder import Recorder, pack, thread
from .shared import exclusive
from .signature import Signature
from .source import Source
from .spanning import meet
from .tiers import divided, partitions, tier_of
from .value import Handle, Value, new_handle


class Replay:
    """A captured call, ready to run again.

    Attributes:
        inputs: where the program's inputs come from.
        results: where those of the function come from.
        writes: for each tensor that the call rebinds, where its new value comes from.
        grads: the same for the gradients that it sets; None takes one away.
        may_alias: arguments whose tensors the body may know by another way, too.
        escapes: the call has left a tensor that it computed somewhere else, where a replay cannot put another.
    """

    def __init__(self, capture: Capture, results: Sequence[Handle]) -> None:
        assert capture.program is not None and capture.recorder is not None
        self.program = capture.program
        self.guards = capture.guards
        self.device = capture.recorder.device
        self.args = capture.arg_handles
        self.may_alias = list(range(len(self.args)))
        self.numbers = pack(capture.recorder)
        self.scalars = [
            jax.device_put(s, None if self.device.is_default else self.device.jax_device) for s in self.numbers
        ]
        number = {id(h): k for k, ref in enumerate(capture.arg_handles) if (h := ref()) is not None}

        def target_of(handle: Handle) -> Target:
            return number.get(id(handle), handle)

        def origin(found: Origin) -> Origin:
            return Gradient(target_of(found.of)) if isinstance(found, Gradient) else found  # type: ignore[arg-type]

        def source(handle: Any) -> Origin | Output:
            k = capture.result(handle._value)
            if k is not None:
                return Output(k)
            found = origin(capture.origin(handle._value))
            # What nothing read and the call did not make is a tensor from outside, handed on.
            foreign = isinstance(found, Constant) and id(found.made) not in capture.made
            return Held(handle) if foreign else found

        def result(handle: Any) -> Origin | Output | Itself:
            there = id(handle) in number or capture.was_there(handle)
            return Itself(target_of(handle)) if there else source(handle)

        self.inputs = [origin(o) for o in capture.origins]
        self.results = [result(h) for h in results]
        written = [h for key, ref in capture.written.items() if capture.outside[key] and (h := ref()) is not None]
        graded: list[Any] = [
            h for key, ref in capture.grads.items() if capture.outside[key] and (h := ref()) is not None
        ]
        gradients = {id(h._grad) for h in [*graded, *(h for h, _ in capture.grads_before.values())]}
        self.writes = [(target_of(h), source(h)) for h in written if id(h) not in gradients]
        self.grads = [(target_of(h), None if h._grad is None else source(h._grad)) for h in graded]
        self.grads_before = [(target_of(h), aval) for h, aval in capture.grads_before.values()]
        self.where = [capture.recorder.sources[n] for n in self.program.checked]
        self.trusted = self._trusted(capture.recorder)
        held = [o.tensor for o in self.inputs if isinstance(o, Held)]
        self.expected = [(h, h._value.aval, h._value.device) for h in held]
        self.avals = self.program.output_avals
        computed = [*self.results, *(o for _, o in self.writes), *(o for _, o in self.grads)]
        self.collectives = capture.recorder.collectives
        used = {o for o in computed if isinstance(o, Output)}
        self.escapes = len(used) + (capture.recorder.token is not None) < len(self.program.live)
        targets: list[Target] = [t for t, *_ in [*self.writes, *self.grads, *self.grads_before]]
        targets += [*held, *(o.tensor for o in self.results if isinstance(o, Held | Itself))]
        self.outside = {id(t) for t in targets if type(t) is not int}

    def _trusted(self, recorder: Recorder) -> list[tuple[Signature, list[Any], Source]]:
        """The ops whose integers were looked at on the host, so that the program does not look, with where these come from."""
        trusted = self.program.key.trusted
        source_of = dict(zip(self.program.inputs, self.inputs, strict=True))
        found = []
        for number, call in recorder.node.checked():
            if number in trusted:
                operands = [
                    (source_of[o] if is_integral(spec) else spec) if isinstance(o, int) else number_of(o, recorder)
                    for o, spec in zip(call.operands, call.signature.specs, strict=True)
                ]
                if any(isinstance(o, Argument | Held | Gradient) for o in operands):
                    found.append((call.signature, operands, recorder.sources[number]))
        return found

    def _are_fit(self, args: Sequence[Any]) -> bool:
        """Whether the integers that the program does not look at are ones that its ops take; False if only the device knows.

        Raises:
            BadIndexError: an op does not take them.
        """
        for signature, operands, where in self.trusted:
            now = []
            for operand in operands:
                if isinstance(operand, Origin):
                    value = operand.value(args)
                    if value.array is None:
                        return False
                    operand = value
                now.append(operand)
            if not fits(signature, now, where):
                return False
        return True

    def drop_guards(self, watched: Container[int]) -> None:
        """Do without the guards of objects, by id, that are watched as a whole."""
        self.guards = [guard for guard in self.guards if id(guard[2]) not in watched]

    def agrees_with(self, other: Replay) -> bool:
        """Whether two calls recorded the same operations, numbers and constants."""
        return (
            self.program.node.equals(other.program.node)
            and [n.tobytes() for n in self.numbers] == [n.tobytes() for n in other.numbers]
            and list(map(type, self.inputs)) == list(map(type, other.inputs))
            and all(
                np.asarray(a.made.array).tobytes() == np.asarray(b.made.array).tobytes()
                for a, b in zip(self.inputs, other.inputs, strict=True)
                if isinstance(a, Constant) and isinstance(b, Constant)
            )
        )

    def holds(self, args: Sequence[Any]) -> bool:
        """Whether nothing that the captured call depended on has changed."""
        for handle, known, device in self.expected:
            value = handle._value
            if value.aval is not known or (value.device is not device and value.device.physical != device.physical):
                return False
        for which, had in self.grads_before:
            grad = target(which, args)._grad
            if (None if grad is None else grad._value.aval) is not had:
                return False
        for snapshot, before, _ in self.guards:
            if snapshot() != before:
                return False
        if partitions() and divided([o.value(args).array for o in self.inputs]) != self.program.key.divided:
            return False
        if options.measured is not self.program.key.measured:
            return False
        return not self.trusted or self._are_fit(args)

    def has_as_its_own(self, args: Sequence[Handle]) -> bool:
        """Whether an argument is a tensor that the body also knows by another way: then it is not what was captured."""
        return not self.outside.isdisjoint(map(id, args))

    def arguments_may_alias(self, args: Sequence[Handle]) -> bool:
        """Whether the captured call had, in the place of one of these, a tensor that its body may know by another way."""
        for k in self.may_alias:
            known = self.args[k]()
            if known is not None and known is not args[k]:
                return True
        return False

    def replaces(self, other: Replay) -> None:
        """Captured since an argument of ``other`` may alias: the body knows what is outside ``other``, or such an argument."""
        hidden = {id(known) for k in other.may_alias if (known := other.args[k]()) is not None}
        self.may_alias = [k for k, ref in enumerate(self.args) if id(ref()) in hidden]

    def __call__(self, args: Sequence[Any]) -> list[Any]:
        """Run with these arguments; returns the tensors that the function returned.

        Everything that the call changes is changed by one call of C code, which no interrupt can come into, and which begins
        with the program itself: a buffer is overwritten only together with what its tensor holds.
        """
        restore()
        try:
            if not (self.writes or self.grads):
                return self._replay(args)
            with exclusive:
                return self._replay(args)
        except BaseException as error:
            restore()
            raise_interrupt(error)
            raise

    def _replay(self, args: Sequence[Any]) -> list[Any]:
        self.program.prepare(tier_of(self.device))
        values = [self._value(origin, args) for origin in self.inputs]
        if self.program.interpreted:
            inputs = [value.array for value in values]
        else:
            inputs = [on_device(v, True) if type(v.array) is HostArray else v.array for v in values]
        values.clear()  # they would not seem to be referred to by their tensors alone
        for k in self.program.overwrites:
            if thread.several or not only_handle(self.inputs[k].tensor, lists=1):  # type: ignore[union-attr]
                inputs[k] = jnp.array(inputs[k])
        made = [Value(None, aval, None, self.device) for aval in self.avals]

        def value_of(origin: Origin | Output) -> Value:
            return made[origin.number] if type(origin) is Output else self._value(origin, args)  # type: ignore[arg-type]

        results = [target(o.tensor, args) if isinstance(o, Itself) else new_handle(value_of(o)) for o in self.results]
        writes = [(target(which, args), value_of(origin)) for which, origin in self.writes]
        changes: list[tuple[Any, str, Any]] = [(handle, "_node", None) for handle, _ in writes]
        changes += [(handle, "_value", value) for handle, value in writes]
        changes += [
            (target(which, args), "_grad", None if origin is None else new_handle(value_of(origin)))
            for which, origin in self.grads
        ]
        numbers = self.numbers if self.program.first_tier else self.scalars
        self._run([*numbers, *inputs], made, changes)
        with counting:
            counters.replays += 1
            counters.bytes_donated += self.program.donated_bytes
        return results

    def _run(self, arguments: list[Any], made: list[Value], changes: list[tuple[Any, str, Any]]) -> None:
        program = self.program
        leading = [Value(None, None, None, None) for _ in range(program.leading)]  # type: ignore[arg-type]
        protect(program, arguments, self.device)
        if program.spans:
            meet(program, arguments)
        filled = [*leading, *made]
        names = ["array"] * len(filled) + [name for _, name, _ in changes]
        outs = chain.from_iterable(starmap(flown(self.collectives, program.run), (arguments,)))
        targets, values = [*filled, *(t for t, _, _ in changes)], chain(outs, [v for _, _, v in changes])
        with calling(program, arguments):
            deque(map(setattr, targets, names, values), 0)
        if program.checked:
            note_flags(leading[-1].array, program, self.where, made)

    @staticmethod
    def _value(origin: Origin, args: Sequence[Any]) -> Value:
        value = origin.value(args)
        if value.array is None:
            evaluate(value)
        return value
