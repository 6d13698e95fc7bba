"""The tutorial's data pipeline in one process, for each contender: ``loaders.py ours|ours_one_by_one|megengine|torch``.

60,000 images of 784 uint8 pixels and uint8 labels, shuffled, batches of 64, normalised by mean and standard deviation.
"""

from __future__ import annotations

import sys

import numpy as np
from blocks import serve


def arrays():
    """Images and labels of the shapes and dtypes of Fashion-MNIST."""
    random = np.random.RandomState(0)  # the same stream in the old NumPy that MegEngine needs
    return random.randint(0, 256, (60000, 784)).astype(np.uint8), random.randint(0, 10, 60000).astype(np.uint8)


def megengine_loaders():
    """A shuffled loader, and one in order."""
    from megengine.data import DataLoader, RandomSampler, SequentialSampler
    from megengine.data.dataset import ArrayDataset
    from megengine.data.transform import Normalize

    images, labels = arrays()
    dataset = ArrayDataset(images, labels)
    transform = Normalize(images.mean(), images.std())
    samplers = RandomSampler(dataset, batch_size=64), SequentialSampler(dataset, batch_size=64)
    return [DataLoader(dataset, sampler, transform) for sampler in samplers]


def one_by_one_loaders():
    """The loaders of this package without its fast path."""
    import megengine.data.batching

    megengine.data.batching.batch_pipeline = lambda *parts: None
    return megengine_loaders()


def torch_loaders():
    """The same in PyTorch's idiom: a data set that normalises its item, and the default collation."""
    import torch
    from torch.utils.data import DataLoader, Dataset

    images, labels = arrays()
    mean, std = np.float32(images.mean()), np.float32(images.std())

    class Normalised(Dataset):
        def __len__(self):
            return len(images)

        def __getitem__(self, index):
            return torch.from_numpy((images[index] - mean) / std), labels[index]

    dataset = Normalised()
    return [DataLoader(dataset, batch_size=64, shuffle=shuffle) for shuffle in (True, False)]


if __name__ == "__main__":
    makers = {"ours_one_by_one": one_by_one_loaders, "torch": torch_loaders}
    shuffled, in_order = makers.get(sys.argv[1], megengine_loaders)()
    image, label = (np.asarray(field) for field in next(iter(in_order)))
    check = [str(image.dtype), image.shape, float(image.sum(dtype=np.float64)), label.tolist()]
    serve(lambda: sum(1 for _ in shuffled), check, warm_up=0)
