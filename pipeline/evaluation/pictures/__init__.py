"""Pictures of an evaluation: each function returns a matplotlib figure."""

from pipeline.evaluation.pictures.class_shares import class_groups, class_shares
from pipeline.evaluation.pictures.comparison import comparison
from pipeline.evaluation.pictures.confusion import confusion
from pipeline.evaluation.pictures.coverage import coverage_picture
from pipeline.evaluation.pictures.groups import groups_picture
from pipeline.evaluation.pictures.learning import History, learning_curves
from pipeline.evaluation.pictures.residuals import residuals
from pipeline.evaluation.pictures.scatter import scatter
from pipeline.evaluation.pictures.style import png

__all__ = [
    "History",
    "class_groups",
    "class_shares",
    "comparison",
    "confusion",
    "coverage_picture",
    "groups_picture",
    "learning_curves",
    "png",
    "residuals",
    "scatter",
]
