"""Loaders with workers: ``worker_loaders.py ours|torch arrays|images WORKERS [FOLDER]``, each answering with the time of a batch.

*arrays*: 60,000 images of 784 uint8 pixels and their labels, shuffled, batches of 64, normalised. *images*: a folder of JPEG
files, shuffled, batches of 32; a random crop of 224 by 224, a random flip, normalised by channel, channels first. PyTorch's data
sets do the pixel work with the same OpenCV and NumPy.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from blocks import serve
from loaders import arrays

CROP, BATCH = 224, 32
MEAN = np.array([103.53, 116.28, 123.675], np.float32)
STD = np.array([57.375, 57.12, 58.395], np.float32)


def our_loaders(work, workers, folder):
    """A shuffled loader, and one in order without draws to compare its batches."""
    from megengine.data import DataLoader, RandomSampler, SequentialSampler
    from megengine.data.dataset import ArrayDataset, ImageFolder
    from megengine.data.transform import CenterCrop, Compose, Normalize, RandomCrop, RandomHorizontalFlip, ToMode

    if work == "arrays":
        images, labels = arrays()
        dataset, size = ArrayDataset(images, labels), 64
        shuffled = in_order = Normalize(images.mean(), images.std())
    else:
        dataset, size = ImageFolder(folder), BATCH
        last = [Normalize(MEAN, STD), ToMode("CHW")]
        shuffled, in_order = (
            Compose([RandomCrop(CROP), RandomHorizontalFlip(), *last]),
            Compose([CenterCrop(CROP), *last]),
        )
    return (
        DataLoader(dataset, RandomSampler(dataset, size), shuffled, num_workers=workers),
        DataLoader(dataset, SequentialSampler(dataset, size), in_order, num_workers=workers),
    )


def torch_loaders(work, workers, folder):
    """The same in PyTorch's idiom: a data set that does all of it to its item, and the default collation."""
    import cv2
    import torch
    from torch.utils.data import DataLoader, Dataset

    if work == "arrays":
        from loaders import torch_loaders as alone

        datasets, size = [loader.dataset for loader in alone()], 64
    else:
        paths = sorted(Path(folder).glob("*/*.jpg"))
        names = sorted({path.parent.name for path in paths})

        class Images(Dataset):
            def __init__(self, random):
                self.random = random

            def __len__(self):
                return len(paths)

            def __getitem__(self, index):
                image = cv2.imread(str(paths[index]))
                height, width = image.shape[0] - CROP, image.shape[1] - CROP
                top, left = round(height / 2), round(width / 2)
                if self.random:
                    top, left = (int(torch.randint(0, most + 1, ())) for most in (height, width))
                image = image[top : top + CROP, left : left + CROP]
                if self.random and torch.rand(()) < 0.5:
                    image = image[:, ::-1]
                image = (image - MEAN) / STD
                return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))), names.index(
                    paths[index].parent.name
                )

        datasets, size = [Images(True), Images(False)], BATCH

    def one_thread(worker):
        cv2.setNumThreads(1)

    return [
        DataLoader(dataset, size, shuffle=shuffle, num_workers=workers, worker_init_fn=one_thread)
        for dataset, shuffle in zip(datasets, (True, False), strict=True)
    ]


if __name__ == "__main__":
    who, work, workers, *folder = sys.argv[1:]
    make = {"ours": our_loaders, "torch": torch_loaders}[who]
    shuffled, in_order = make(work, int(workers), *(folder or [None]))
    image, label = (np.asarray(field) for field in next(iter(in_order)))
    check = [str(image.dtype), image.shape, round(float(image.sum(dtype=np.float64)), 1), label.tolist()]
    serve(lambda: sum(1 for _ in shuffled), check, warm_up=0)
