"""PyTorch's optimizers, data, mixed precision, gradients, and what trains in several processes."""

from __future__ import annotations

# torch.optim.NAME, and names of its schedules and of torch.nn.utils
OPTIMIZER = {
    "Adamax": "mge.optimizer.Adam(net.parameters(), lr=0.001)  # there is no Adamax",
    "ConstantLR": "mge.optimizer.LRScheduler  # a subclass writes get_lr()",
    "CosineAnnealingLR": "mge.optimizer.LRScheduler  # a subclass writes get_lr()",
    "CosineAnnealingWarmRestarts": "mge.optimizer.LRScheduler  # a subclass writes get_lr()",
    "CyclicLR": "mge.optimizer.LRScheduler  # a subclass writes get_lr()",
    "ExponentialLR": "mge.optimizer.MultiStepLR(optimizer, list(range(1, 90)), gamma=0.9)",
    "LBFGS": "mge.optimizer.Adam(net.parameters(), lr=0.001)  # there is no LBFGS",
    "LambdaLR": "mge.optimizer.LRScheduler  # a subclass writes get_lr()",
    "LinearLR": "mge.optimizer.LRScheduler  # a subclass writes get_lr()",
    "NAdam": "mge.optimizer.Adam(net.parameters(), lr=0.001)  # there is no NAdam",
    "OneCycleLR": "mge.optimizer.LRScheduler  # a subclass writes get_lr()",
    "PolynomialLR": "mge.optimizer.LRScheduler  # a subclass writes get_lr()",
    "RAdam": "mge.optimizer.Adam(net.parameters(), lr=0.001)  # there is no RAdam",
    "RMSprop": "mge.optimizer.Adam(net.parameters(), lr=0.001)  # there is no RMSprop",
    "ReduceLROnPlateau": "mge.optimizer.LRScheduler  # a subclass writes get_lr()",
    "SequentialLR": "mge.optimizer.LRScheduler  # a subclass writes get_lr()",
    "StepLR": "mge.optimizer.MultiStepLR(optimizer, [30, 60, 90])",
    "_LRScheduler": "mge.optimizer.LRScheduler",
    "clip_grad_norm_": "mge.optimizer.clip_grad_norm(net.parameters(), 1.0)",
    "clip_grad_value_": "mge.optimizer.clip_grad_value(net.parameters(), -1, 1)",
}

SCHEDULES = {**OPTIMIZER, "MultiStepLR": "mge.optimizer.MultiStepLR(optimizer, [30, 60])"}

# torch.utils.data.NAME
DATA = {
    "BatchSampler": "mge.data.SequentialSampler(dataset, batch_size=2)",
    "ConcatDataset": "mge.data.dataset.ConcatDataset([dataset, dataset])",
    "Dataset": "mge.data.dataset.Dataset",
    "DistributedSampler": "mge.data.RandomSampler(dataset, world_size=2, rank=0)",
    "IterableDataset": "mge.data.dataset.StreamDataset",
    "Subset": "mge.data.SequentialSampler(dataset, indices=[0, 1])",
    "SubsetRandomSampler": "mge.data.RandomSampler(dataset, indices=[0, 1])",
    "TensorDataset": "mge.data.dataset.ArrayDataset(array, array)",
    "WeightedRandomSampler": "mge.data.ReplacementSampler(dataset, weights=[1, 3])",
    "default_collate": "mge.data.Collator()",
    "get_worker_info": "mge.data.dataloader.get_worker_info",
    "random_split": "mge.data.RandomSampler(dataset, indices=[0, 1])",
}

# torchvision.transforms.NAME
TRANSFORM = {
    "AutoAugment": "mge.data.transform.Transform  # a subclass writes apply()",
    "ConvertImageDtype": "mge.data.transform.Transform  # a subclass writes apply()",
    "GaussianBlur": "mge.data.transform.Transform  # a subclass writes apply()",
    "Grayscale": 'F.vision.cvt_color(picture, "RGB2GRAY")',
    "Lambda": "mge.data.transform.Transform  # a subclass writes apply()",
    "PILToTensor": "mge.data.transform.Transform  # a subclass writes apply()",
    "RandomAffine": "mge.data.transform.Transform  # a subclass writes apply()",
    "RandomApply": "mge.data.transform.Transform  # a subclass writes apply()",
    "RandomChoice": "mge.data.transform.Transform  # a subclass writes apply()",
    "RandomErasing": "mge.data.transform.Transform  # a subclass writes apply()",
    "RandomGrayscale": "mge.data.transform.Transform  # a subclass writes apply()",
    "RandomPerspective": "mge.data.transform.Transform  # a subclass writes apply()",
    "RandomRotation": "mge.data.transform.Transform  # a subclass writes apply()",
    "ToPILImage": "mge.data.transform.Transform  # a subclass writes apply()",
    "ToTensor": "mge.data.transform.ToMode()",
}

RANDOM = {
    "get_rng_state": "mge.random.RNG(seed=0)",
    "manual_seed": "mge.random.seed(0)",
    "rand": "mge.random.uniform(size=shape)",
    "randint": 'mge.random.uniform(0, 10, size=shape).astype("int32")',
    "randn": "mge.random.normal(size=shape)",
    "randperm": "mge.random.permutation(10)",
}

# Attributes of torch.cuda.amp.GradScaler
SCALER = {
    "get_scale": "scaler.scale_factor",
    "scale": "scaler.backward(gm, loss)",
    "step": "optimizer.step()",
    "unscale_": "scaler.unscale(net.parameters())",
}

# Attributes of managers of gradients, by what optimizers have
MANAGER = {
    "clear_grad": "optimizer.clear_grad()",
    "parameters": "gm.attached_tensors()",
    "step": "optimizer.step()",
    "zero_grad": "optimizer.clear_grad()",
}

AUTODIFF = {
    "backward": "gm.backward(loss)",
    "enable_grad": "gm.record()",
    "grad": "mge.autodiff.GradManager()",
    "no_grad": "net(x)  # outside `with gm:` nothing is recorded",
}

# torch.utils.NAME
UTILS = {
    "data": "mge.data.DataLoader(dataset)",
}

JIT = {
    "load": "mge.load",
    "save": "mge.save",
    "script": "mge.jit.trace(function)",
}

DISTRIBUTED = {
    "DistributedDataParallel": 'gm.attach(net.parameters(), callbacks=[mge.distributed.make_allreduce_cb("mean")])',
    "all_gather": "mge.distributed.functional.all_gather(x)",
    "all_reduce": "mge.distributed.functional.all_reduce_sum(x)",
    "barrier": "mge.distributed.group_barrier()",
    "broadcast": "mge.distributed.functional.broadcast(x)",
    "is_initialized": "mge.distributed.is_distributed()",
    "reduce": "mge.distributed.functional.reduce_sum(x)",
    "spawn": "mge.distributed.launcher",
}
