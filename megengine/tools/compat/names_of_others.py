"""What PyYAML, SciPy, scikit-image, pandas and matplotlib have taken away, as far as programs for MegEngine use it."""

from __future__ import annotations

import sys
from importlib import import_module

from .calls_of_numpy import has, lacks
from .table import Library, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    Used = Callable[..., None]

YAML = Library("yaml", "PyYAML")


def _loader(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def load(stream: Any, Loader: Any = None) -> Any:
        if Loader is None:
            used("(stream) without Loader")
            Loader = sys.modules["yaml"].FullLoader
        return present(stream, Loader)

    return load


for _name in ("load", "load_all"):
    YAML.call(_name, "6.0", f"yaml.safe_{_name}", lacks("Loader", 1))(_loader)

SCIPY = Library("scipy", "SciPy")
_OF_NUMPY = (
    "array asarray zeros ones arange linspace sqrt exp log sin cos pi dot mean std sum abs float32 float64 int32 int64"
)
_OF_NUMPY += (
    " eye concatenate where argmax argmin max min argsort sort prod real imag mod inf nan newaxis ndarray reshape"
)
_OF_NUMPY += " transpose stack"
for _name in _OF_NUMPY.split():
    SCIPY.add(_name, "2.0", f"np.{_name}", lambda *_, _name=_name: getattr(sys.modules["numpy"], _name))
SCIPY.add("rand", "2.0", "np.random.rand", lambda *_: sys.modules["numpy"].random.rand)
SCIPY.add("randn", "2.0", "np.random.randn", lambda *_: sys.modules["numpy"].random.randn)
SCIPY.add("interp", "2.0", "np.interp", lambda *_: sys.modules["numpy"].interp)


_SPECIAL = ("comb", "factorial", "factorial2", "factorialk", "logsumexp")


def _misc_name(name: str) -> Any:
    """A name of ``scipy.misc``: its images by Pillow, as SciPy 1.2 read and wrote them, and what has gone to scipy.special."""
    if name in _SPECIAL:
        return getattr(import_module("scipy.special"), name)
    return getattr(import_module("scipy.datasets"), name) if name in ("face", "ascent") else _IMAGES[name]


def _misc(module: ModuleType) -> None:
    vars(module)["__getattr__"] = _lacking(module)


def _lacking(module: ModuleType) -> Callable[[str], Any]:
    def __getattr__(name: str) -> Any:
        if find(f"{module.__name__}.{name}") is None or name[:1] == "_":
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}", name=name, obj=module)
        return _misc_name(name)

    return __getattr__


MISC = Library("scipy.misc", "SciPy")
MISC.add("", "2.0", "imageio and PIL.Image; scipy.special for comb and factorial", _misc)


def np() -> ModuleType:
    """NumPy."""
    return sys.modules["numpy"]


def bytescale(data: Any, cmin: Any = None, cmax: Any = None, high: int = 255, low: int = 0) -> Any:
    if data.dtype == np().uint8:
        return data
    cmin, cmax = (data.min() if cmin is None else cmin), (data.max() if cmax is None else cmax)
    scale = float(high - low) / (float(cmax) - float(cmin) or 1.0)
    return ((data.astype("float64") - cmin) * scale + low).clip(low, high).__add__(0.5).astype("uint8")


def toimage(
    arr: Any,
    high: int = 255,
    low: int = 0,
    cmin: Any = None,
    cmax: Any = None,
    pal: Any = None,
    mode: Any = None,
    **_: Any,
) -> Any:
    image = import_module("PIL.Image")
    data = np().asarray(arr)
    if data.ndim == 3 and data.shape[2] not in (3, 4) and data.shape[0] in (3, 4):
        data = data.transpose(1, 2, 0)
    if mode == "F":
        return image.fromarray(data.astype("float32"))
    return image.fromarray(bytescale(data, cmin, cmax, high, low))


def fromimage(im: Any, flatten: bool = False, mode: Any = None) -> Any:
    im = im.convert(mode) if mode is not None and mode != im.mode else im
    im = im.convert("RGBA" if "transparency" in im.info else "RGB") if im.mode == "P" else im
    return np().array(im.convert("F") if flatten else im)


def imread(name: Any, flatten: bool = False, mode: Any = None) -> Any:
    return fromimage(import_module("PIL.Image").open(name), flatten, mode)


def imsave(name: Any, arr: Any, format: Any = None) -> None:
    toimage(arr).save(name, format) if format is not None else toimage(arr).save(name)


def imresize(arr: Any, size: Any, interp: str = "bilinear", mode: Any = None) -> Any:
    image = toimage(arr, mode=mode)
    if isinstance(size, int | np().integer):
        shape = tuple(int(s * size / 100.0) for s in image.size)
    elif isinstance(size, float | np().floating):
        shape = tuple(int(s * size) for s in image.size)
    else:
        shape = (int(size[1]), int(size[0]))
    kinds = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "cubic": 3}
    return fromimage(image.resize(shape, resample=kinds[interp]))


def imrotate(arr: Any, angle: float, interp: str = "bilinear") -> Any:
    kinds = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "cubic": 3}
    return fromimage(toimage(np().asarray(arr)).rotate(angle, resample=kinds[interp]))


_IMAGES = {each.__name__: each for each in (imread, imresize, imsave, toimage, fromimage, bytescale, imrotate)}
for _name in (*_SPECIAL, "face", "ascent", *_IMAGES):
    _instead = f"scipy.special.{_name}" if _name in _SPECIAL else "imageio, or PIL.Image"
    MISC.add(_name, "1.3", _instead, lambda *_, _name=_name: _misc_name(_name))


INTEGRATE = Library("scipy.integrate", "SciPy")
INTEGRATE.same("1.14", trapz="trapezoid", simps="simpson", cumtrapz="cumulative_trapezoid")
SIGNAL = Library("scipy.signal", "SciPy")
_WINDOWS = "gaussian hann hamming blackman boxcar bartlett triang nuttall parzen bohman blackmanharris flattop barthann"
_WINDOWS += " kaiser tukey"
SIGNAL.same(
    "1.13", **{name: f"windows.{name}" for name in _WINDOWS.split()}, hanning="windows.hann", cosine="windows.cosine"
)
Library("scipy.linalg", "SciPy").same("1.9", pinv2="pinv")


def _ndimage(module: ModuleType) -> None:
    vars(module).update(vars(import_module("scipy.ndimage")))


_LINALG_OF_NUMPY = ("tri", "tril", "triu")
for _name in _LINALG_OF_NUMPY:
    Library("scipy.linalg", "SciPy").add(_name, "1.13", f"np.{_name}", lambda *_, _name=_name: getattr(np(), _name))
Library("scipy.stats", "SciPy").same("1.12", binom_test="binomtest")
for _module in ("filters", "interpolation", "measurements", "morphology", "fourier"):
    Library(f"scipy.ndimage.{_module}", "SciPy").add("", "2.0", "scipy.ndimage", _ndimage)

PANDAS = Library("pandas", "pandas", "pd.")
PANDAS.add("datetime", "2.0", "datetime.datetime", lambda *_: import_module("datetime").datetime)
PANDAS.add("np", "2.0", "import numpy as np", lambda *_: np())
PANDAS.same("2.0", Int64Index="Index", Float64Index="Index", UInt64Index="Index")
for _kind in ("DataFrame", "Series"):

    @PANDAS.function(f"{_kind}.append", "2.0", "pd.concat")
    def append(
        self: Any, other: Any, ignore_index: bool = False, verify_integrity: bool = False, sort: bool = False
    ) -> Any:
        pandas = sys.modules["pandas"]
        if isinstance(other, dict):
            other = pandas.Series(other)
        if isinstance(self, pandas.DataFrame) and isinstance(other, pandas.Series):
            other = other.to_frame().T.infer_objects().rename_axis(self.index.names)
        others = list(other) if isinstance(other, list | tuple) else [other]
        more = {"sort": sort} if isinstance(self, pandas.DataFrame) else {}
        return pandas.concat([self, *others], ignore_index=ignore_index, verify_integrity=verify_integrity, **more)

    PANDAS.same_method("2.0", _kind, iteritems="items")
    PANDAS.add(f"{_kind}.ix", "1.0", ".loc or .iloc", lambda *_: property(lambda self: self.loc))
    PANDAS.add(f"{_kind}.as_matrix", "1.0", ".to_numpy()", lambda *_: lambda self, columns=None: self.values)
    PANDAS.add(f"{_kind}.get_value", "1.0", ".at", lambda *_: lambda self, *key: self.at[key])


@PANDAS.call("read_csv", "2.0", 'on_bad_lines="skip"', has("error_bad_lines", "warn_bad_lines", "squeeze"))
def _read_csv(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def read_csv(*args: Any, **kwargs: Any) -> Any:
        if not kwargs.keys() & {"error_bad_lines", "warn_bad_lines", "squeeze"}:
            return present(*args, **kwargs)
        used()
        if kwargs.pop("error_bad_lines", True) is False:
            kwargs["on_bad_lines"] = "warn" if kwargs.pop("warn_bad_lines", True) else "skip"
        kwargs.pop("warn_bad_lines", None)
        frame = present(*args, **{k: v for k, v in kwargs.items() if k != "squeeze"})
        return frame.squeeze("columns") if kwargs.get("squeeze") else frame

    return read_csv


MEASURE = Library("skimage.measure", "scikit-image")


def _metric(today: str) -> Callable[..., Any]:
    return lambda *_: getattr(import_module("skimage.metrics"), today)


for _old, _new in {
    "compare_ssim": "structural_similarity",
    "compare_psnr": "peak_signal_noise_ratio",
    "compare_mse": "mean_squared_error",
}.items():
    MEASURE.add(_old, "0.18", f"skimage.metrics.{_new}", _metric(_new))


def _channels(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        if "multichannel" in kwargs:
            used("(multichannel=)")
            kwargs["channel_axis"] = -1 if kwargs.pop("multichannel") else None
        return present(*args, **kwargs)

    return function


def _similarity(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    """Of floats, the range of values was that of a picture of floats, from -1 to 1."""
    call = _channels(present, used)

    def function(im1: Any, im2: Any, **kwargs: Any) -> Any:
        if kwargs.get("data_range") is None and np().asarray(im1).dtype.kind == "f":
            used("(floats without data_range)", "data_range=")
            kwargs["data_range"] = 2.0
        return call(im1, im2, **kwargs)

    return function


Library("skimage.metrics", "scikit-image").call(
    "structural_similarity", "0.21", "channel_axis=-1, data_range=", has("multichannel")
)(_similarity)
_WITH_CHANNELS = {
    "filters": "gaussian unsharp_mask",
    "transform": "rescale pyramid_expand pyramid_gaussian pyramid_laplacian pyramid_reduce",
    "restoration": "denoise_bilateral denoise_nl_means denoise_tv_bregman denoise_tv_chambolle denoise_wavelet estimate_sigma",
    "segmentation": "felzenszwalb quickshift random_walker slic",
    "feature": "hog",
}
for _module, _names in _WITH_CHANNELS.items():
    for _name in _names.split():
        _declare = Library(f"skimage.{_module}", "scikit-image").call(
            _name, "0.21", "channel_axis=-1", has("multichannel")
        )
        _declare(_channels)


def _joblib(module: ModuleType) -> None:
    vars(module).update(vars(import_module("joblib")))


Library("sklearn.externals.joblib", "scikit-learn").add("", "0.23", "import joblib", _joblib)

MATPLOTLIB = Library("matplotlib.cm", "matplotlib", "cm.")


@MATPLOTLIB.function("get_cmap", "3.9", "matplotlib.colormaps[name]")
def get_cmap(name: Any = None, lut: int | None = None) -> Any:
    matplotlib = import_module("matplotlib")
    found = matplotlib.colormaps[name or matplotlib.rcParams["image.cmap"]] if not hasattr(name, "resampled") else name
    return found if lut is None else found.resampled(lut)
