"""The tutorial's program in PyTorch's idiom: ``torch_tutorial.py [--normalised]``.

By default the data set normalises each image as it is asked for, as the tutorial's loader and torchvision's transforms do. With
``--normalised`` all images are normalised beforehand and lie in a TensorDataset.
"""

from __future__ import annotations

import gzip
import os
import sys

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

FOLDER = os.path.expanduser("~/data/datasets/Fashion-MNIST")


def load(kind):
    with gzip.open(os.path.join(FOLDER, f"{kind}-labels-idx1-ubyte.gz")) as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    with gzip.open(os.path.join(FOLDER, f"{kind}-images-idx3-ubyte.gz")) as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(len(labels), 784)
    return images, labels


class Images(Dataset):
    def __init__(self, images, labels, transform):
        self.images = images
        self.labels = labels
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.transform(self.images[index]), int(self.labels[index])


class NN(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 256)
        self.classifier = nn.Linear(256, 10)

    def forward(self, x):
        return self.classifier(torch.relu(self.fc(x)))


def datasets():
    train, test = load("train"), load("t10k")
    mean, std = float(train[0].mean()), float(train[0].std())

    def transform(image):
        return (torch.tensor(image, dtype=torch.float32) - mean) / std

    if "--normalised" in sys.argv:
        return [TensorDataset(transform(x), torch.tensor(y, dtype=torch.int64)) for x, y in (train, test)]
    return [Images(x, y, transform) for x, y in (train, test)]


def main():
    train, test = datasets()
    train_loader = DataLoader(train, batch_size=64, shuffle=True)
    test_loader = DataLoader(test, batch_size=64)
    model = NN()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(5):
        training_loss, right, seen = 0.0, 0, 0
        for image, label in train_loader:
            score = model(image)
            loss = criterion(score, label)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            training_loss += loss.item() * len(image)
            right += (score.argmax(1) == label).sum().item()
            seen += len(image)
        with torch.no_grad():
            tested = [((model(image).argmax(1) == label).sum().item(), len(image)) for image, label in test_loader]
        val_acc = sum(r for r, _ in tested) / sum(n for _, n in tested)
        print(
            f"Epoch = {epoch}, train_loss = {training_loss / seen:.3f}, train_acc = {right / seen:.3f}, val_acc = {val_acc:.3f}"
        )


main()
