"""Pictures of how well a network does: each function gives a matplotlib figure."""

from pipeline.training.evaluation.pictures.class_shares import class_groups, class_shares
from pipeline.training.evaluation.pictures.comparison import comparison
from pipeline.training.evaluation.pictures.confusion import confusion
from pipeline.training.evaluation.pictures.coverage import coverage_picture
from pipeline.training.evaluation.pictures.groups import groups_picture
from pipeline.training.evaluation.pictures.learning import learning_curves
from pipeline.training.evaluation.pictures.residuals import residuals
from pipeline.training.evaluation.pictures.scatter import scatter
from pipeline.training.evaluation.pictures.style import png

__all__ = [
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
