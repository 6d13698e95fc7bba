"""PyTorch's keywords."""

from __future__ import annotations

# Keywords of functions and constructors, and what a parameter is called in MegEngine, the first of these that it has.
KEYWORDS = {
    "chunks": ("nsplits_or_sections",),
    "collate_fn": ("collator",),
    "dim": ("axis", "axes", "normalized_axis"),
    "dim0": ("axis1",),
    "dim1": ("axis2",),
    "dims": ("axis", "pattern", "reps"),
    "dropout": ("drop_prob", "attn_drop"),
    "dropout_p": ("attn_drop",),
    "elementwise_affine": ("affine",),
    "end": ("stop",),
    "end_dim": ("end_axis",),
    "fill_value": ("value",),
    "indices_or_sections": ("nsplits_or_sections",),
    "iou_threshold": ("iou_thresh",),
    "keepdim": ("keepdims",),
    "label_smoothing": ("label_smooth",),
    "max": ("upper",),
    "min": ("lower",),
    "norm_type": ("ord",),
    "num_chunks": ("nsplits_or_sections",),
    "output_size": ("oshp", "output_shape"),
    "p": ("drop_prob", "prob", "ord"),
    "other": ("inp2",),
    "pad": ("pad_width",),
    "padding": ("padding_size",),
    "replacement": (),
    "shifts": ("shift",),
    "split_size": ("nsplits_or_sections",),
    "split_size_or_sections": ("nsplits_or_sections",),
    "start_dim": ("start_axis",),
    "steps": ("num",),
    "target": ("label",),
    "tensors": ("inps", "arrays"),
    "value": ("constant_value", "constant_val"),
}

# Keywords that MegEngine has no parameter for, and what to write.
WITHOUT = {
    "amsgrad": "nothing: Adam is that of its first paper",
    "batch_size": "sampler=RandomSampler(dataset, batch_size=...)",
    "ceil_mode": "padding=: sizes are rounded down",
    "correction": "nothing: the divisor is the number of elements",
    "count_include_pad": 'mode="average_count_exclude_padding"',
    "dampening": "nothing: the gradient is added as it is",
    "device": "a default device (megengine.set_default_device) or x.to(device)",
    "drop_last": "sampler=RandomSampler(dataset, batch_size=..., drop_last=True)",
    "generator": "a random generator of one's own, as in megengine.random.RNG(seed=0).normal()",
    "inplace": "an assignment, as in x = F.relu(x): results are new tensors",
    "persistent_workers": "nothing: workers are kept from pass to pass",
    "pin_memory": "nothing: arrays are moved when they are used",
    "requires_grad": "gm.attach(x)",
    "shuffle": "sampler=RandomSampler(dataset, batch_size=...)",
    "target_transform": "DataLoader(dataset, transform=...)",
    "transform": "DataLoader(dataset, transform=...)",
    "unbiased": "nothing: the divisor is the number of elements",
    "worker_init_fn": "nothing: each batch has a seed of its own",
}

# Functions that PyTorch has with ``inplace=``.
INPLACE = ("dropout", "gelu", "hsigmoid", "hswish", "leaky_relu", "relu", "relu6", "sigmoid", "silu", "softplus")

# Functions that sort the last axis only, and have ``dim=`` in PyTorch.
SORTING = {"argsort": "F.argsort(x.T)", "sort": "F.sort(x.T)", "topk": "F.topk(x.T, 2)"}
