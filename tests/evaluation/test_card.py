"""The model card: self-contained, escaped, and explicit about missing statements."""

import base64
import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from evaluation_cases import APH, INPUTS, samples, variable

from pipeline.evaluation.album import Picture, draw_pictures
from pipeline.evaluation.card import DataFile, ModelCard, card_of_network, render_card
from pipeline.evaluation.report import evaluate_arrays, evaluate_classes
from pipeline.networks.description import Layer, Network

VOID = {"meta", "img", "br"}
EVIL = "<script>alert('x')</script>"


class Page(HTMLParser):
    """The content of a page; it checks that each element ends where it should."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def evaluation(part="test", outputs=2):
    x, observed, modelled, groups = samples(200, outputs)
    baselines = {"QAA": observed * 1.5}
    variables = [variable("aph", 400.0 + i) for i in range(outputs)]
    return evaluate_arrays(
        INPUTS, variables, x, observed, modelled, groups=groups, baselines=baselines, part=part
    )


def full_card():
    return ModelCard(
        name="aph_modis",
        title="Absorption of phytoplankton",
        inputs=INPUTS,
        outputs=APH[:2],
        sensors=("MODIS-Aqua",),
        shape_text="3-20-2",
        activations=("tanh", "tanh", "linear"),
        weights=12_345,
        sha256="ab" * 32,
        files=(DataFile("samples.csv", "cd" * 32, 4_460),),
        filters=("Rrs at or below zero: 41 rows",),
        split="by cruise",
        parts={"training": 300, "test": 100},
        groups="cruise, 25 of them",
        settings={"optimizer": {"name": "adam", "rate": 1e-3}, "epochs": 300},
        intended_use="Open ocean.",
        limits="No inland waters.",
        licence="CC-BY-4.0",
        citation="Doe 2026",
        software={"numpy": "2.4"},
    )


def test_all_that_is_known_is_on_the_card():
    """The card has statements, tables of all parts, baselines, groups, ranges and pictures."""
    parts = [evaluation("training"), evaluation("test")]
    pictures = draw_pictures(parts[-1])
    page = Page(render_card(full_card(), parts, pictures))
    for expected in (
        "MODIS-Aqua",
        "2 x tanh, linear",
        "12,345",
        "samples.csv",
        "4,460",
        "Rrs at or below zero: 41 rows",
        "optimizer.name adam",
        "Open ocean.",
        "No inland waters.",
        "Comparison with other models, test part",
        "Mean absolute error by group, test part",
        "cruise 07",
        "sr⁻¹",
        "0.001 to 0.010",
        "have an input outside its training range",
        "numpy 2.4",
    ):
        assert expected in page.text, expected
    assert page.tags.count("img") == len(pictures)
    assert page.text.count("aph_400 training") == 1


def test_the_card_needs_no_other_file():
    """Pictures are embedded, and the page loads no scripts, links, fonts or imports."""
    picture = Picture("p", "scatter", "a picture", b"\x89PNG bytes")
    html = render_card(full_card(), [evaluation()], [picture])
    page = Page(html)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    sources = [value for _, name, value in page.attributes if name in {"src", "href"}]
    assert sources == ["data:image/png;base64," + base64.b64encode(picture.png).decode()]
    assert not re.search(r"https?://|@import|url\(", html)


@pytest.mark.parametrize(
    "field",
    [one.name for one in dataclasses.fields(ModelCard) if one.type in {"str", str}],
)
def test_text_is_text(field):
    """Statements are shown as text and never become markup."""
    html = render_card(dataclasses.replace(full_card(), **{field: EVIL}))
    assert "<script" not in html
    assert EVIL in Page(html).text


def test_names_of_files_groups_models_and_settings_are_text_too():
    """Names from the data are escaped, in attributes as well."""
    x, observed, modelled, _ = samples(40, 1)
    outputs = [variable(EVIL, 443.0, EVIL)]
    result = evaluate_arrays(
        [variable(EVIL)] * 3,
        outputs,
        x,
        observed,
        modelled,
        groups=[EVIL, "b"] * 20,
        baselines={f"{EVIL}2": observed},
        part=EVIL,
        model=EVIL,
    )
    card = dataclasses.replace(
        full_card(),
        inputs=tuple(outputs),
        sensors=(EVIL,),
        files=(DataFile(EVIL, EVIL),),
        filters=(EVIL,),
        parts={EVIL: 1},
        settings={EVIL: {EVIL: [EVIL]}},
        software={EVIL: EVIL},
    )
    html = render_card(card, [result], [Picture("p", "k", '"><script>', b"png")])
    assert "<script" not in html
    assert Page(html).text.count(EVIL) > 15


def test_what_is_not_stated_is_said():
    """A card with few statements says so, and has no empty tables."""
    page = Page(render_card(ModelCard("n", "", INPUTS, APH)))
    assert page.text.count("Not stated.") == 5
    assert "How well it does" not in page.text
    assert "Pictures" not in page.text


def test_a_card_knows_what_the_network_says():
    """Variables, shape, weights and licence come from the network; statements are added."""
    layers = (
        Layer(np.zeros((3, 4)), np.zeros(4), "tanh"),
        Layer(np.zeros((4, 2)), np.zeros(2), "linear"),
    )
    network = Network(
        name="n",
        title="Title",
        inputs=INPUTS,
        outputs=APH[:2],
        layers=layers,
        sensors=("SGLI",),
        citation="Doe",
        licence="MIT",
        file_name="n.keras",
        sha256="ab" * 32,
    )
    card = card_of_network(network, limits="None known.")
    assert card.weights == 3 * 4 + 4 + 4 * 2 + 2
    assert card.shape_text == "3-4-2"
    assert (card.licence, card.limits) == ("MIT", "None known.")


def test_a_classification_on_the_card():
    """Precision and recall of the classes are a table."""
    x, *_ = samples(30, 1)
    truth = np.arange(30) % 2
    result = evaluate_classes(INPUTS, ("clear", "ice"), x, truth, np.eye(2)[truth])
    page = Page(render_card(full_card(), [result]))
    assert "accuracy 1.000" in page.text
    assert "precision" in page.text


def test_many_pictures_of_a_kind_stay_beside_the_card():
    """The card embeds eight of twenty residuals and mentions the others."""
    pictures = [Picture(f"r{i}", "residuals", f"caption {i}", b"png") for i in range(20)]
    page = Page(render_card(full_card(), [evaluation()], pictures))
    assert page.tags.count("img") == 8
    assert "12 more pictures" in page.text


def test_wide_tables_of_groups_are_split():
    """Thirteen outputs by group give three tables of at most six."""
    page = Page(render_card(full_card(), [evaluation(outputs=13)]))
    heads = [word for word in page.words if word == "group"]
    assert len(heads) == 3
