"""What ``ocpipe status`` answers: times, failures, suspect scenes; checks and metrics."""

import json
import re
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from batches import copies, end, run, start, states, wait_for, write_config

from pipeline.batch import process_identity
from pipeline.batch.ages import ago, in_time
from pipeline.batch.ledger import Ledger, calls, recorded_call, recorded_early_end
from pipeline.batch.monitoring import CRITICAL, OK, UNKNOWN, WARNING, Limit, judge
from pipeline.batch.openmetrics import openmetrics
from pipeline.batch.status import as_json, read_status
from pipeline.batch.status_text import lines
from pipeline.errors import OutputError

NOW = 1_700_000_000  # 2023-11-14T22:13:20Z
HOUR_AGO, DAY_AGO = "2023-11-14T21:13:20Z", "2023-11-13T22:13:20Z"


@pytest.fixture
def path(tmp_path):
    """The path of a new ledger."""
    found = tmp_path / "ocpipe-ledger.sqlite"
    Ledger.open(found).close()
    return found


def fill(path, rows, run="test"):
    """Enter scenes: state, time, kind of failure, reason why the scene is suspect."""
    with sqlite3.connect(path) as ledger:
        (offset,) = ledger.execute("SELECT count(*) FROM scene").fetchone()
        for number, (state, finished, kind, suspect) in enumerate(rows, start=offset):
            reason = None if kind is None else f"S{number} is bad"
            ledger.execute(
                "INSERT INTO scene (run, path, recipe, state, why, first_seen, kind, reason, "
                "product, finished, suspect) VALUES (?, ?, 'r', ?, 'new', 3, ?, ?, ?, ?, ?)",
                (run, f"/in/S{number}.nc", state, kind, reason, f"S{number}.{run}.nc", finished,
                 suspect),
            )  # fmt: skip
    ledger.close()


def called(path, monkeypatch, when, run="test", problem="", interrupted=False):
    """Record a call that began and ended at one time."""
    monkeypatch.setattr(calls, "stamp", lambda: when)
    with Ledger.open(path) as ledger, recorded_call(ledger, run) as call:
        call.problem, call.interrupted = problem, interrupted


def of_run(path, run="test"):
    """What the JSON says of a configuration."""
    data = json.loads(as_json(read_status(path), NOW))
    return data["ledgers"][0]["configurations"][run]


def shown(path):
    return "\n".join(lines(read_status(path), NOW))


@pytest.mark.quick
def test_times_of_the_last_success_and_the_last_call(path, monkeypatch):
    """In the table and in JSON; an interrupted call does not change the last complete one."""
    fill(path, [("done", DAY_AGO, None, None), ("failed", HOUR_AGO, "scene", None)])
    called(path, monkeypatch, DAY_AGO)
    called(path, monkeypatch, HOUR_AGO, interrupted=True)
    found = of_run(path)
    assert found["last_success"] == DAY_AGO
    assert found["last_call"] == {
        "begun": HOUR_AGO, "ended": HOUR_AGO, "how": "interrupted", "problem": None,
    }  # fmt: skip
    assert found["last_complete_call"] == DAY_AGO
    text = shown(path)
    assert f"{DAY_AGO}, 24 h 0 min ago" in text
    assert re.search(rf"{HOUR_AGO}, 60 min ago +interrupted", text)


def test_a_call_that_ends_early_says_why(path):
    """Whether the batch noted the problem or an error ended it; the next call forgets it."""
    with Ledger.open(path) as ledger:
        with (
            pytest.raises(OutputError),
            recorded_call(ledger, "test"),
        ):
            raise OutputError("the disk is full")
        assert of_run(path)["last_call"]["problem"] == "the disk is full"
        assert "problem       test: the disk is full" in shown(path)
        with recorded_call(ledger, "test") as call:
            assert of_run(path)["last_call"]["how"] == "at work"
        assert call.how == "complete"
    assert of_run(path)["last_call"]["problem"] is None


def test_an_early_end_leaves_the_record_of_a_call_at_work(path, tmp_path):
    """And it makes no ledger."""
    with Ledger.open(path) as ledger, recorded_call(ledger, "test"):
        with pytest.raises(OutputError), recorded_early_end(path, path.parent, "test"):
            raise OutputError("the disk is full")
        assert of_run(path)["last_call"]["how"] == "at work"
    missing = tmp_path / "no" / "ledger.sqlite"
    with pytest.raises(OutputError), recorded_early_end(missing, missing.parent, "test"):
        raise OutputError("the disk is full")
    assert not missing.parent.exists()


def test_a_killed_call_is_named(path, monkeypatch):
    """Its process is gone, and no end was written."""
    monkeypatch.setattr(process_identity, "mine", lambda: "gone/1/2/3")
    with (
        Ledger.open(path) as ledger,
        pytest.raises(KeyboardInterrupt),
        recorded_call(ledger, "test"),
    ):
        raise KeyboardInterrupt
    assert of_run(path)["last_call"]["how"] == "killed"
    code, line = judge(read_status(path), (), (), NOW)
    assert code == WARNING
    assert "was killed" in line


def test_an_older_call_does_not_end_a_newer_one(path, monkeypatch):
    """Two calls of one configuration: the record is about the one that began last."""
    with Ledger.open(path) as ledger, recorded_call(ledger, "test"):
        own = process_identity.mine()
        monkeypatch.setattr(process_identity, "mine", lambda: "gone/1/2/3")
        with pytest.raises(KeyboardInterrupt), recorded_call(ledger, "test"):
            raise KeyboardInterrupt
        monkeypatch.setattr(process_identity, "mine", lambda: own)
    found = of_run(path)
    assert found["last_call"]["how"] == "killed"
    assert found["last_complete_call"] is not None


@pytest.mark.quick
def test_failures_by_kind_and_suspects_with_reasons(path):
    """Per configuration; the kind with most scenes first, with the reason of its last failure."""
    fill(path, [
        ("failed", DAY_AGO, "timeout", None), ("failed", HOUR_AGO, "scene", None),
        ("failed", DAY_AGO, "scene", None), ("done", HOUR_AGO, None, "iop computed on 1 %"),
        ("done", HOUR_AGO, None, None),
    ])  # fmt: skip
    fill(path, [("failed", HOUR_AGO, "crash", None)], run="other")
    found = of_run(path)
    assert found["failures_by_kind"] == [
        {"kind": "scene", "scenes": 2, "last": HOUR_AGO, "reason": "S1 is bad"},
        {"kind": "timeout", "scenes": 1, "last": DAY_AGO, "reason": "S0 is bad"},
    ]
    assert found["suspects"] == [{
        "path": "/in/S3.nc", "product": "S3.test.nc", "finished": HOUR_AGO,
        "reason": "iop computed on 1 %",
    }]  # fmt: skip
    assert found["suspect"] == 1
    assert [kind["kind"] for kind in of_run(path, "other")["failures_by_kind"]] == ["crash"]
    text = shown(path)
    assert re.search(r"test +scene +2 +\S+, 60 min ago", text)
    assert "S3.test.nc: iop computed on 1 %" in text


def test_columns_are_aligned(path):
    """The numbers of two configurations stand below each other; a last line adds them up."""
    fill(path, [("done", HOUR_AGO, None, None)] * 12)
    fill(path, [("failed", HOUR_AGO, "scene", None)], run="a_longer_name")
    head, _, first, second, both = shown(path).split("\n")[2:7]
    assert (first.split(), second.split()) == (
        ["a_longer_name", "1", "0", "1", "0", "0", "0", "0"],
        ["test", "12", "12", "0", "0", "0", "0", "0"],
    )
    assert both.split()[:4] == ["together", "13", "12", "1"]
    assert len({len(line) for line in (head, first, second, both)}) == 1


def test_a_ledger_without_calls_goes_on(tmp_path):
    """As version 0.2.0 made it: status reads it, a batch adds the table, no scene is done twice."""
    copies(tmp_path / "in", 2)
    out = tmp_path / "out"
    arguments = ("batch", write_config(tmp_path), tmp_path / "in", "-o", out, "--workers", 1)
    assert run(*arguments).code == 0
    with sqlite3.connect(out / "ocpipe-ledger.sqlite") as ledger:
        ledger.execute("DROP TABLE call")
    ledger.close()
    before = json.loads(run("status", out, "--json").stdout)["ledgers"][0]["configurations"]
    assert before["test"]["last_call"] is None
    assert run("status", out, "--check", "--warn", "last-call=1h").code == UNKNOWN
    ended = run(*arguments)
    assert "0 done, 0 skipped, 0 failed" in ended.stderr
    assert states(out) == {"done": 2}
    after = json.loads(run("status", out, "--json").stdout)["ledgers"][0]["configurations"]
    assert after["test"]["last_call"]["how"] == "complete"
    assert run("status", out, "--check", "--warn", "last-call=1h").code == OK


def test_calls_that_begin_together_add_the_table_once(path):
    """The first calls after an upgrade may be several."""
    for _ in range(10):
        with sqlite3.connect(path) as ledger:
            ledger.execute("DROP TABLE call")
        ledger.close()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: Ledger.open(path).close(), range(4)))
        with Ledger.open(path, may_repair=False) as ledger, recorded_call(ledger, "test"):
            pass


@pytest.mark.quick
@pytest.mark.parametrize(
    ("warn", "critical", "expected", "words"),
    [
        (["failed=2"], [], OK, "6 of 10 scenes done, 2 failed, last call 60 min ago"),
        (["failed=1"], [], WARNING, "2 of 10 scenes failed, more than 1"),
        (["failed=20%"], [], OK, ""),
        (["failed=19.9%"], [], WARNING, "2 of 10 scenes failed (20 %), more than 19.9%"),
        (["failed=1"], ["failed=1"], CRITICAL, "more than 1 |"),
        (["suspect=50%"], [], OK, ""),
        (["suspect=49%"], [], WARNING, "3 of 6 scenes suspect (50 %), more than 49%"),
        ([], ["pending=1"], CRITICAL, "2 of 10 scenes pending"),
        (["last-call=61min"], ["last-call=2h"], OK, ""),
        (["last-call=59min"], ["last-call=2h"], WARNING, "last call 60 min ago, more than 59 min"),
        (["last-success=1d"], ["last-success=23h"], CRITICAL, "last success 24 h 0 min ago"),
        (["last-complete-call=3600s"], [], OK, ""),
    ],
)  # fmt: skip
def test_limits_of_a_check(path, monkeypatch, warn, critical, expected, words):
    """Ages, shares and numbers; a value at its limit is in order."""
    fill(path, [("failed", DAY_AGO, "scene", None)] * 2 + [("pending", None, None, None)] * 2)
    fill(path, [("done", DAY_AGO, None, "odd")] * 3 + [("done", DAY_AGO, None, None)] * 3)
    called(path, monkeypatch, HOUR_AGO)
    limits = [[Limit.of(text) for text in texts] for texts in (warn, critical)]
    code, line = judge(read_status(path), *limits, NOW)
    assert code == expected, line
    assert words in line
    assert line.count("|") == 1
    assert "'test failed'=2;;;0" in line
    assert "'test last-call'=3600s;;;0" in line


def test_a_problem_is_critical_whatever_the_limits(path, monkeypatch):
    """And its text cannot begin the performance data."""
    called(path, monkeypatch, HOUR_AGO, problem="disk | full")
    code, line = judge(read_status(path), (), (), NOW)
    assert code == CRITICAL
    assert "the last call ended early: disk / full |" in line


@pytest.mark.parametrize(
    "text", ["failed", "faild=3", "failed=2h", "last-call=5%", "last-call=5", "failed=-1", "=3"]
)
def test_a_wrong_limit_is_unknown_and_not_critical(path, text):
    """The exit code 2 of a wrong call would be an alarm."""
    ended = run("status", path, "--check", "--warn", text)
    assert ended.code == UNKNOWN
    assert "expected an age, such as" in ended.stderr


def test_a_check_without_a_ledger_is_unknown(tmp_path):
    """With one line on stdout, where a monitoring system looks."""
    ended = run("status", tmp_path, "--check")
    assert ended.code == UNKNOWN
    assert ended.stdout.startswith("OCPIPE UNKNOWN: ")
    assert ended.stdout.count("\n") == 1


def test_by_default_a_check_warns_of_each_failure(path):
    """Limits of the user replace this."""
    fill(path, [("failed", DAY_AGO, "scene", None)])
    assert run("status", path, "--check").code == WARNING
    assert run("status", path, "--check", "--critical", "failed=50%").code == CRITICAL
    assert run("status", path, "--check", "--critical", "failed=1").code == OK


SAMPLE = re.compile(
    r'[a-z_]+(\{[a-z]+="([^"\\\n]|\\[\\"n])*"(,[a-z]+="([^"\\\n]|\\[\\"n])*")*\})? \d+'
)


def test_metrics_are_openmetrics(path, monkeypatch):
    """Each line has the form of the standard, each family is described once, EOF is last."""
    fill(path, [("done", HOUR_AGO, None, "odd"), ("failed", HOUR_AGO, "scene", None)])
    called(path, monkeypatch, DAY_AGO)
    text = openmetrics(read_status(path), NOW)
    *body, last, nothing = text.split("\n")
    assert (last, nothing) == ("# EOF", "")
    samples = [line for line in body if not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line) for line in samples)
    families = [line.split()[2] for line in body if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
    assert {re.split("[{ ]", line)[0] for line in samples} == set(families)
    where = f'{{ledger="{path}",configuration="test"'
    assert f'ocpipe_scenes{where},state="done"}} 1' in samples
    assert f'ocpipe_failed_scenes{where},kind="scene"}} 1' in samples
    assert f"ocpipe_suspect_scenes{where}}} 1" in samples
    assert f"ocpipe_last_success_timestamp_seconds{where}}} {NOW - 3600}" in samples
    assert f"ocpipe_last_complete_call_timestamp_seconds{where}}} {NOW - 86_400}" in samples


def test_labels_of_metrics_are_escaped(tmp_path):
    """A folder may have any name."""
    folder = tmp_path / 'a "b" \\ c\nd'
    folder.mkdir()
    path = folder / "ocpipe-ledger.sqlite"
    Ledger.open(path).close()
    fill(path, [("done", HOUR_AGO, None, None)])
    for line in openmetrics(read_status(path), NOW).split("\n")[:-2]:
        assert line.startswith("#") or SAMPLE.fullmatch(line), line
        assert line.startswith("#") or 'a \\"b\\" \\\\ c\\\\nd' in line or "{" not in line


def test_metrics_are_written_completely_or_not(path, tmp_path):
    """An earlier file is replaced; a file that cannot be written is an error."""
    fill(path, [("done", HOUR_AGO, None, None)])
    target = tmp_path / "ocpipe.prom"
    target.write_text("old")
    assert run("status", path, "--metrics", target).code == 0
    assert target.read_text().endswith("# EOF\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, target.name]
    ended = run("status", path, "--metrics", target / "below.prom")
    assert ended.code == 1
    assert "cannot be written" in ended.stderr
    ended = run("status", path, "--check", "--metrics", target / "below.prom")
    assert ended.code == UNKNOWN


def test_watching_shows_each_look(path, tmp_path):
    """As one object of JSON in each line, until a signal."""
    fill(path, [("done", HOUR_AGO, None, None)])
    target = tmp_path / "ocpipe.prom"
    watching = start("status", path, "--json", "--watch", "--every", 0.1, "--metrics", target)
    wait_for(target.exists, "the first look")
    first = target.stat().st_ino
    wait_for(lambda: target.stat().st_ino != first, "the second look")
    looks = end(watching).stdout.splitlines()
    assert all(json.loads(line)["scenes"]["done"] == 1 for line in looks)
    assert looks


@pytest.mark.parametrize(
    "arguments", [["--check", "--json"], ["--check", "--watch"], ["--warn", "failed=1"]]
)
def test_options_that_do_not_go_together(path, arguments):
    """Are refused with exit code 2."""
    assert run("status", path, *arguments).code == 2


@pytest.mark.quick
def test_times_in_words():
    """Short, and in two units at most; what a ledger cannot have written has no age."""
    assert [in_time(s) for s in (40, 720, 11_100, 180_000)] == [
        "40 s", "12 min", "3 h 5 min", "2 d 2 h",
    ]  # fmt: skip
    assert ago(HOUR_AGO, NOW) == f"{HOUR_AGO}, 60 min ago"
    assert ago(HOUR_AGO, 0) == f"{HOUR_AGO}, 0 s ago", "the clock was put back"
    assert (ago(None, NOW), ago("now", NOW)) == ("-", "-")
    assert time.gmtime(NOW).tm_year == 2023
