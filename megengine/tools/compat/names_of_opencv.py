"""Names that OpenCV 2 to 4 had and OpenCV 5 does not, and numbers that it took as coordinates."""

from __future__ import annotations

import re
import sys

from .table import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Used = Callable[..., None]

CV = Library("cv2", "OpenCV")
CV.same(
    "3.0",
    CV_AA="LINE_AA",
    CV_FILLED="FILLED",
    CV_LOAD_IMAGE_COLOR="IMREAD_COLOR",
    CV_LOAD_IMAGE_GRAYSCALE="IMREAD_GRAYSCALE",
)
CV.same("3.0", CV_LOAD_IMAGE_UNCHANGED="IMREAD_UNCHANGED", CV_LOAD_IMAGE_ANYDEPTH="IMREAD_ANYDEPTH")
CV.same("3.0", CV_LOAD_IMAGE_ANYCOLOR="IMREAD_ANYCOLOR", CV_INTER_NN="INTER_NEAREST", CV_INTER_LINEAR="INTER_LINEAR")
CV.same("3.0", CV_INTER_CUBIC="INTER_CUBIC", CV_INTER_AREA="INTER_AREA", CV_INTER_LANCZOS4="INTER_LANCZOS4")
CV.same(
    "3.0", FONT_HERSHEY_SCRIPT="FONT_HERSHEY_SCRIPT_SIMPLEX", StereoBM="StereoBM_create", StereoSGBM="StereoSGBM_create"
)
CV.same(
    "3.0", SIFT="SIFT_create", ORB="ORB_create", BRISK="BRISK_create", FastFeatureDetector="FastFeatureDetector_create"
)
CV.same("3.0", BFMatcher="BFMatcher_create")
CV.value("4.0", "{value!r}", CAP_MODE_BGR=0, CAP_MODE_RGB=1, CAP_MODE_GRAY=2, CAP_MODE_YUYV=3)
CV.value("5.0", "{value!r}", CAP_OPENNI=900, CAP_OPENNI_ASUS=910, CAP_QT=500, CAP_UNICAP=600, CAP_VFW=200)
CV.value("5.0", "another solvePnP method", SOLVEPNP_DLS=3, SOLVEPNP_UPNP=4)

_LOST = "CascadeClassifier HOGDescriptor groupRectangles AKAZE AKAZE_create KAZE KAZE_create BRISK_create"
_LOST += " AgastFeatureDetector_create BOWKMeansTrainer BOWImgDescriptorExtractor"
_LOST += " ml gapi calibrateHandEye TrackerGOTURN_create convertFp16 rectify3Collinear"
CV.lost("5.0", "install opencv-python<5", *_LOST.split())
CV.lost(
    "4.0",
    "install opencv-contrib-python",
    "DualTVL1OpticalFlow_create",
    "createOptFlow_DualTVL1",
    "createStitcher",
    "SURF",
)


@CV.function("estimateRigidTransform", "4.0", "cv2.estimateAffinePartial2D, or cv2.estimateAffine2D")
def estimate_rigid_transform(src: Any, dst: Any, fullAffine: bool) -> Any:
    cv2 = sys.modules["cv2"]
    return (cv2.estimateAffine2D if fullAffine else cv2.estimateAffinePartial2D)(src, dst)[0]


@CV.function("linearPolar", "5.0", "cv2.warpPolar")
def linear_polar(src: Any, center: Any, maxRadius: float, flags: int, dst: Any = None) -> Any:
    return sys.modules["cv2"].warpPolar(src, src.shape[1::-1], center, maxRadius, flags)


@CV.function("logPolar", "5.0", "cv2.warpPolar(..., flags | cv2.WARP_POLAR_LOG)")
def log_polar(src: Any, center: Any, M: float, flags: int, dst: Any = None) -> Any:
    cv2, math = sys.modules["cv2"], __import__("math")
    return cv2.warpPolar(src, src.shape[1::-1], center, math.exp(src.shape[1] / M), flags | cv2.WARP_POLAR_LOG)


class _Legacy:
    """``cv2.cv``, whose names are those of today with ``CV_`` in front."""

    RENAMED = {"CV_AA": "LINE_AA", "CV_LOAD_IMAGE_COLOR": "IMREAD_COLOR", "CV_LOAD_IMAGE_GRAYSCALE": "IMREAD_GRAYSCALE"}

    def __getattr__(self, name: str) -> Any:
        today = self.RENAMED.get(name, name.removeprefix("CV_"))
        if today == "FOURCC":
            today = "VideoWriter_fourcc"
        try:
            return getattr(sys.modules["cv2"], today)
        except AttributeError:
            raise AttributeError(f"cv2.cv.{name} is gone since OpenCV 3.0", name=name) from None


CV.add("cv", "3.0", "the name in cv2 without CV_", lambda module: _Legacy())


class _Contrib:
    """``cv2.xfeatures2d``, whose free parts are in cv2 today."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.modules["cv2"], name)


CV.add("xfeatures2d", "4.4", "cv2.SIFT_create", lambda module: _Contrib())

_NAMED = re.compile(r"Can't parse '(\w+)'|[Aa]rgument '(\w+)' (?:is|must be)")


def _parameters(function: Callable[..., Any]) -> list[list[str]]:
    """The names of a function's parameters, for each way to call it."""
    found = re.findall(rf"^\.?\s*{function.__name__}\((.*?)\) ->", function.__doc__ or "", re.M)
    return [[name.strip() for name in re.sub(r"[\[\]]", "", text).split(",")] for text in found]


def _python(value: Any) -> Any:
    """NumPy's numbers as Python's, also in a pair of coordinates or a colour."""
    if isinstance(value, tuple | list):
        return type(value)(_python(v) for v in value)
    if not hasattr(value, "dtype") or getattr(value, "ndim", 2) > 1:
        return value
    return tuple(value.tolist()) if value.ndim else value.item()


def _whole(value: Any) -> Any:
    """A number, or the numbers of a pair, cut to integers as OpenCV's C code did."""
    value = _python(value)
    if isinstance(value, tuple | list):
        return tuple(_whole(v) for v in value)
    return int(value) if isinstance(value, float) and value == value and abs(value) != float("inf") else value


@CV.call("*", "4.5.2", "int(...) for coordinates and sizes")
def _forgiving(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return present(*args, **kwargs)
        except (TypeError, sys.modules["cv2"].error) as error:
            found = _again(present, args, kwargs, error)
            if not found:
                raise
        used("(numbers that are no int)")
        return found[0]

    return _contours(present, used, call) if present.__name__ == "findContours" else call


def _again(present: Callable[..., Any], args: Any, kwargs: dict[str, Any], error: Exception) -> tuple[Any, ...]:
    """The result with the arguments that messages name as Python's numbers, then as integers; nothing if neither helps."""
    for convert in (_python, _whole):
        for _ in range(len(args) + len(kwargs)):
            named = {a or b for a, b in _NAMED.findall(str(error))}
            places = {i for names in _parameters(present) for i, name in enumerate(names) if name in named}
            args = [convert(a) if i in places else a for i, a in enumerate(args)]
            kwargs = {name: convert(v) if name in named else v for name, v in kwargs.items()}
            try:
                return (present(*args, **kwargs),)
            except (TypeError, sys.modules["cv2"].error) as another:
                if str(another) == str(error):
                    break
                error = another
    return ()


def _contours(present: Callable[..., Any], used: Used, call: Callable[..., Any]) -> Callable[..., Any]:
    """``image, contours, hierarchy = cv2.findContours(...)`` of OpenCV 3, where the line takes three values."""

    def find_contours(image: Any, *args: Any, **kwargs: Any) -> Any:
        found = call(image, *args, **kwargs)
        if len(found) == 2 and _takes_three(sys._getframe(2)):
            used(" with three results", "two results")
            return (image, *found)
        return found

    return find_contours


def _takes_three(frame: Any) -> bool:
    """Whether the call that a frame is in is unpacked into three names."""
    import dis

    after = (
        i
        for i in dis.get_instructions(frame.f_code)
        if i.offset > frame.f_lasti and i.opname not in ("CACHE", "PRECALL", "CALL")
    )
    following = next(after, None)
    return following is not None and following.opname == "UNPACK_SEQUENCE" and following.arg == 3
