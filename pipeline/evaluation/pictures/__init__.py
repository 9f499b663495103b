"""Pictures of an evaluation: each function returns a matplotlib figure."""

from pipeline.evaluation.pictures.class_shares import class_groups as class_groups
from pipeline.evaluation.pictures.class_shares import class_shares as class_shares
from pipeline.evaluation.pictures.comparison import comparison as comparison
from pipeline.evaluation.pictures.confusion import confusion as confusion
from pipeline.evaluation.pictures.coverage import coverage_picture as coverage_picture
from pipeline.evaluation.pictures.groups import groups_picture as groups_picture
from pipeline.evaluation.pictures.learning import History as History
from pipeline.evaluation.pictures.learning import learning_curves as learning_curves
from pipeline.evaluation.pictures.residuals import residuals as residuals
from pipeline.evaluation.pictures.scatter import scatter as scatter
from pipeline.evaluation.pictures.style import png as png
