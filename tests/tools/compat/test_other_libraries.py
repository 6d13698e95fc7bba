"""What Python, Pillow, OpenCV, PyYAML, SciPy and pandas had, with its old meaning."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def check(old: Run, program: str, *mentioned: str) -> None:
    """Runs a program of assertions, and sees what the report says."""
    ran = old(program)
    assert ran.returncode == 0, ran.stderr
    assert [text for text in mentioned if text not in ran.stderr] == [], ran.stderr


PYTHON = """
import array, ast, asyncio, base64, collections, configparser, fractions, html.parser, inspect, io, itertools, json, locale, math
import os, pathlib, platform, plistlib, random, re, string, sys, tempfile, threading, time, unittest, wave
import xml.etree.ElementTree as ET
from collections import Mapping, MutableMapping, Iterable, Callable
for name in "Sequence Iterator Hashable Sized Set KeysView Generator".split():
    assert getattr(collections, name) is getattr(collections.abc, name)
assert isinstance({}, Mapping) and isinstance([], Iterable) and isinstance(len, Callable)
assert fractions.gcd(12, 18) == 6
spec = inspect.getargspec(lambda a, b=1, *c, **d: 0)
assert (spec.args, spec.varargs, spec.keywords, spec.defaults) == (["a", "b"], "c", "d", (1,)) and len(spec) == 4
assert inspect.formatargspec(*spec) == "(a, b=1, *c, **d)"
assert time.clock() >= 0
assert base64.encodestring(b"abc") == b"YWJj\\n" and base64.decodestring(b"YWJj\\n") == b"abc"
@asyncio.coroutine
def answer():
    yield from asyncio.sleep(0)
    return 42
assert asyncio.run(answer()) == 42
thread = threading.Thread(target=lambda: None)
assert thread.isAlive() is False
assert array.array("b", [1, 2]).tostring() == b"\\x01\\x02"
numbers = array.array("b"); numbers.fromstring(b"\\x03"); assert numbers[0] == 3
parser = configparser.SafeConfigParser(); parser.readfp(io.StringIO("[a]\\nb = 1")); assert parser.getint("a", "b") == 1
class Case(unittest.TestCase):
    def test(self):
        self.assertEquals(1, 1); self.assert_(True); self.assertDictContainsSubset({1: 2}, {1: 2, 3: 4}); self.assertItemsEqual
assert unittest.makeSuite(Case).countTestCases() == 1
case = Case("test")
case.assertEquals(1, 1); case.assertNotEquals(1, 2); case.assertAlmostEquals(1.0, 1.0)
case.assertDictContainsSubset({1: 2}, {1: 2, 3: 4})
case.assertRegexpMatches("abc", "b")
tree = ET.fromstring("<a><b/><c><b/></c></a>")
assert [e.tag for e in tree.getchildren()] == ["b", "c"] and len(tree.getiterator("b")) == 2
assert len(ET.ElementTree(tree).getiterator()) == 4
assert html.parser.HTMLParser().unescape("&lt;") == "<"
assert len(platform.linux_distribution()) == 3 and platform.dist()[0] == platform.linux_distribution()[0]
assert locale.format("%d", 3) == "3"
folder = tempfile.mkdtemp(); path = os.path.join(folder, "a.plist")
plistlib.writePlist({"a": 1}, path); assert plistlib.readPlist(path) == {"a": 1}
assert isinstance(ast.parse("3").body[0].value, ast.Num) and ast.parse("3").body[0].value.n == 3
assert ast.Str(s="x").s == "x"
assert not isinstance(ast.parse("3").body[0].value, ast.Str)
random.seed(1); drawn = random.sample({1, 2, 3}, 2)
assert len(set(drawn)) == 2 and random.sample({"a": 1}.keys(), 1) == ["a"]
values = list(range(5)); random.shuffle(values, lambda: 0.5); assert values == [0, 3, 1, 4, 2], values
random.seed((1, 2)); assert random.randrange(10.0) < 10 and random.randint(1.0, 1.0) == 1 and math.factorial(4.0) == 24
assert json.loads("[1]", encoding="utf-8") == [1]
sys.setcheckinterval(100); assert sys.maxint == sys.maxsize and string.letters == string.ascii_letters
assert list(itertools.izip([1], [2])) == [(1, 2)]
pathlib.Path(path).link_to(path + "2"); assert os.path.exists(path + "2")
from typing.io import TextIO
assert TextIO.__name__ == "TextIO"
import dummy_threading
assert dummy_threading.Thread is threading.Thread
try:
    import formatter
except ModuleNotFoundError as error:
    assert "gone since Python 3.11" in str(error)
"""


def test_python(old: Run) -> None:
    check(
        old,
        PYTHON.replace("; self.assertItemsEqual", ""),
        "collections.Mapping -> collections.abc.Mapping  (Python 3.10)  program.py:5",
        "time.clock -> time.perf_counter",
        "random.shuffle(x, random) -> random.shuffle(x)  (Python 3.11)",
        "random.sample(a set) -> random.sample(sorted(a_set), k)",
        "threading.Thread.isAlive -> Thread.is_alive",
        "xml.etree.ElementTree.Element.getchildren -> list(element)",
    )


MODULES = """
import imp, distutils
from distutils.version import LooseVersion, StrictVersion
from distutils.util import strtobool
from distutils.dir_util import copy_tree, mkpath
from distutils.spawn import find_executable
import distutils.sysconfig, imghdr, os, pipes, cgi, string, sys, tempfile
assert LooseVersion("1.10.0") > LooseVersion("1.9") and LooseVersion("1.2") < "1.2.1"
assert StrictVersion("1.0") < StrictVersion("1.0.1")
assert strtobool("Yes") == 1 and strtobool("off") == 0
folder = tempfile.mkdtemp()
mkpath(folder + "/x/y"); open(folder + "/x/y/f.py", "w").write("value = 5")
assert copy_tree(folder + "/x", folder + "/z") == [folder + "/z/y/f.py"]
assert imp.load_source("loaded", folder + "/z/y/f.py").value == 5 and sys.modules["loaded"].value == 5
found = imp.find_module("f", [folder + "/z/y"]); assert imp.load_module("f", *found).value == 5; found[0].close()
assert imp.new_module("m").__name__ == "m" and imp.reload(sys.modules["string"]).digits == "0123456789"
assert find_executable("sh") and distutils.sysconfig.get_python_lib() and pipes.quote("a b") == "'a b'"
assert imghdr.what(None, b"\\x89PNG\\r\\n\\x1a\\n") == "png" and cgi.escape("<a>") == "&lt;a&gt;"
"""


def test_modules_that_are_gone(old: Run) -> None:
    ran = old("import warnings; warnings.simplefilter('ignore')\n" + MODULES)
    assert ran.returncode == 0, ran.stderr
    assert ("imp -> importlib  (Python 3.12)" in ran.stderr) == (sys.version_info >= (3, 12))


PILLOW = """
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageMath
assert Image.ANTIALIAS == Image.LANCZOS == 1 and Image.LINEAR == 2 and Image.CUBIC == 3
picture = Image.new("RGB", (20, 10))
assert picture.resize((4, 4), Image.ANTIALIAS).size == (4, 4)
assert picture.transpose(Image.FLIP_LEFT_RIGHT).size == (20, 10)
draw = ImageDraw.Draw(picture)
bitmap = ImageFont.load_default_imagefont() if hasattr(ImageFont, "load_default_imagefont") else ImageFont.load_default()
assert bitmap.getsize("abc") == (18, 11) and draw.textsize("abc", font=bitmap) == (18, 11), bitmap.getsize("abc")
assert draw.textsize("abc\\nabcd", font=bitmap) == (24, 26) and draw.multiline_textsize("a\\nb", bitmap) == (6, 26)
turned = ImageFont.TransposedFont(bitmap, Image.ROTATE_90); assert turned.getsize("abc") == (11, 18)
font = ImageFont.load_default(size=20)
if isinstance(font, ImageFont.FreeTypeFont):
    left, top, right, bottom = font.getbbox("Apple")
    assert font.getsize("Apple") == (right - left, bottom) and font.getoffset("Apple") == (left, top)
assert np.array(ImageMath.eval("a + 1", a=Image.new("L", (1, 1), 3))).item() == 4
assert Image.isImageType(picture) and not Image.isImageType(3)
"""


def test_pillow(old: Run) -> None:
    pytest.importorskip("PIL")
    check(
        old,
        PILLOW,
        "Image.ANTIALIAS -> Image.LANCZOS",
        "ImageDraw.ImageDraw.textsize -> draw.textbbox((0, 0), text)[2:]",
    )


OPENCV = """
import cv2, numpy as np
f = np.float32
def canvas(): return np.zeros((40, 40, 3), np.uint8)
wanted = cv2.rectangle(canvas(), (1, 2), (10, 12), (255, 0, 0), 2)
pairs = [((f(1.5), f(2)), (f(10), f(12))), ((1.2, 2.9), (np.float64(10.5), 12)), (np.array([1.5, 2]), np.array([10.0, 12]))]
for points in pairs:
    assert (cv2.rectangle(canvas(), *points, (255, 0, 0), 2) == wanted).all(), points
assert (cv2.rectangle(img=canvas(), pt1=(1.0, 2.0), pt2=(10, 12), color=(255, 0, 0), thickness=2.0) == wanted).all()
disc = cv2.circle(canvas(), (10, 9), 3, (1, 2, 3), -1)
assert (cv2.circle(canvas(), (10.0, 9), 3.7, tuple(np.array([1, 2, 3])), -1) == disc).all()
assert cv2.resize(canvas(), (f(20), f(30))).shape == (30, 20, 3)
assert cv2.resize(canvas(), (20.0, 30.0)).shape == (30, 20, 3)
assert cv2.putText(canvas(), "a", (1.0, 30.0), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (1, 2, 3), 1).any()
assert np.allclose(cv2.getRotationMatrix2D((np.int64(3), np.int64(4)), 30, 1), cv2.getRotationMatrix2D((3, 4), 30, 1))
assert cv2.copyMakeBorder(canvas(), f(1), 2.0, 0, 0, cv2.BORDER_CONSTANT).shape == (43, 40, 3)
square = np.zeros((9, 9), np.uint8); square[2:5, 2:5] = 1
_, contours, hierarchy = cv2.findContours(square, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE); assert len(contours) == 1
contours, hierarchy = cv2.findContours(square, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE); assert len(contours) == 1
assert len(cv2.findContours(square, 1, 2)) == 2
assert cv2.CV_AA == cv2.LINE_AA == cv2.cv.CV_AA and cv2.cv.CV_CAP_PROP_FPS == cv2.CAP_PROP_FPS
assert cv2.CV_LOAD_IMAGE_COLOR == 1
wrongs = [lambda: cv2.resize(canvas(), "x"), lambda: cv2.rectangle(canvas(), (1, float("nan")), (3, 4), 1)]
for wrong in [*wrongs, lambda: cv2.circle(canvas())]:
    try: wrong()
    except (cv2.error, TypeError): continue
    raise AssertionError(wrong)
source, target = np.array([[0, 0], [4, 0], [0, 4]], f), np.array([[1, 1], [5, 1], [1, 5]], f)
assert np.allclose(cv2.estimateRigidTransform(source, target, False), [[1, 0, 1], [0, 1, 1]], atol=1e-4)
"""


def test_opencv(old: Run) -> None:
    pytest.importorskip("cv2")
    check(
        old,
        OPENCV,
        "cv2.rectangle(numbers that are no int) -> int(...)",
        "cv2.findContours with three results -> two results",
    )


YAML = """
import io, yaml
assert yaml.load("a: [1, 2.5]") == {"a": [1, 2.5]} and yaml.load(io.StringIO("b: yes")) == {"b": True}
assert list(yaml.load_all("1\\n---\\n2")) == [1, 2] and yaml.load("a: 1", Loader=yaml.SafeLoader) == {"a": 1}
"""


def test_yaml(old: Run) -> None:
    pytest.importorskip("yaml")
    check(old, YAML, "yaml.load(stream) without Loader -> yaml.safe_load")


SCIPY = """
import numpy as np, scipy, scipy.misc, scipy.integrate, scipy.signal, scipy.stats, os, tempfile
from scipy.misc import imread, imresize, imsave
assert scipy.misc.comb(5, 2) == 10 and np.allclose(scipy.misc.logsumexp([0, 0]), np.log(2))
path = os.path.join(tempfile.mkdtemp(), "a.png")
picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
imsave(path, picture); assert (imread(path) == picture).all() and imresize(picture, (4, 6)).shape == (4, 6, 3)
assert imresize(picture, 0.5).shape == (1, 1, 3) and imresize(picture, 200).shape == (4, 4, 3)
assert scipy.integrate.trapz([1, 2]) == 1.5 and scipy.integrate.simps([1, 2, 3]) == 4.0
assert len(scipy.signal.gaussian(5, 1.0)) == 5 and scipy.array([1]).sum() == 1
from scipy.ndimage.filters import gaussian_filter
assert gaussian_filter(np.ones(3), 1).shape == (3,)
"""


def test_scipy(old: Run) -> None:
    pytest.importorskip("scipy")
    pytest.importorskip("PIL")
    check(
        old, SCIPY, "scipy.misc.imresize -> imageio, or PIL.Image", "scipy.integrate.trapz -> scipy.integrate.trapezoid"
    )


PANDAS = """
import pandas as pd
frame = pd.DataFrame({"a": [1, 2]})
assert frame.append({"a": 3}, ignore_index=True)["a"].tolist() == [1, 2, 3] and len(frame.append(frame)) == 4
assert [name for name, _ in frame.iteritems()] == ["a"] and pd.Series([1]).append(pd.Series([2])).tolist() == [1, 2]
assert pd.np.array([1]).sum() == 1 and frame.as_matrix().shape == (2, 1)
"""


def test_pandas(old: Run) -> None:
    pytest.importorskip("pandas")
    check(old, PANDAS, "pd.DataFrame.append -> pd.concat")


MEGENGINE = """
import numpy as np, megengine as mge, megengine.functional as F
import megengine.distributed as dist
from megengine.data import DataLoader, SequentialSampler
from megengine.data.dataset.meta_dataset import MapDataset
class Data(MapDataset):
    def __init__(self): super().__init__()
    def __getitem__(self, index): return np.float32(index)
    def __len__(self): return 4
class Loader(DataLoader):
    pass
data = Data()
for kind in (DataLoader, Loader):
    assert len(list(kind(data, SequentialSampler(data, 2), divide=False))) == 2
x = mge.Tensor([1.0])
assert F.pad(x, pad_witdth=((1, 1),)).tolist() == F.nn.pad(x, ((1, 1),)).tolist() == [0.0, 1.0, 0.0]
first, second = dist.get_free_ports(2)
assert first != second
"""


def test_what_megengine_had_before(old: Run) -> None:
    check(
        old,
        MEGENGINE,
        "F.pad(pad_witdth=) -> pad_width=  (MegEngine 1.8)",
        "DataLoader.__init__(divide=) -> the call without divide=  (MegEngine 1.11)",
        "MapDataset -> Dataset  (MegEngine 1.2)",
    )
