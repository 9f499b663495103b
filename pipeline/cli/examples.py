"""Examples of every command, which its help shows; tests parse each of them."""

import click

# Command -> pairs: what an example does, and the command line.
EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "run": (
        ("see what a run would do", "ocpipe run scene.nc -c demo --networks nets --dry-run"),
        ("process two scenes", "ocpipe run a.nc b.nc -c my.yaml -o products"),
        ("process a part", "ocpipe run scene.nc -c my.yaml --bbox 5,53,9,56 --products aph,bbp"),
    ),
    "batch": (
        ("process new scenes", "ocpipe batch my.yaml /data/scenes -o products"),
        ("list what is pending, and why", "ocpipe batch my.yaml '/data/*.nc' -o out --dry-run"),
        ("process a list", "ocpipe batch my.yaml @scenes.txt -o out --workers 4"),
    ),
    "status": (
        ("show the progress of a batch", "ocpipe status products"),
        ("show the progress as JSON", "ocpipe status products --json"),
    ),
    "forget": (
        ("forget a scene, so that it is processed again", "ocpipe forget products scene.nc"),
    ),
    "prune": (
        ("see what would be removed", "ocpipe prune products --dry-run"),
        ("remove entries older than a year", "ocpipe prune products --keep-days 365"),
    ),
    "rerun": (
        ("make a product again, and compare the bytes", "ocpipe rerun product.nc"),
        ("keep the new product", "ocpipe rerun product.nc --networks nets -o again"),
    ),
    "diff": (
        ("compare two products", "ocpipe diff old.nc new.nc"),
        ("allow small differences", "ocpipe diff old.nc new.nc --tolerance 1e-5"),
    ),
    "mask": (
        ("mask a product again", "ocpipe mask product.nc --where 'aph_443 > 1' -o masked.nc"),
    ),
    "inspect": (
        ("describe a scene, a table, a network or a product", "ocpipe inspect scene.nc"),
        ("describe an algorithm", "ocpipe inspect algorithm:qaa_v6"),
    ),
    "verify": (
        ("check a product", "ocpipe verify product.nc --scene /data/scenes --networks nets"),
        ("recompute every pixel", "ocpipe verify product.nc --all"),
    ),
    "check-config": (
        ("check a file, and see all defaults", "ocpipe check-config my.yaml"),
        ("state the kind of the file", "ocpipe check-config draft.yaml --kind finetune"),
    ),
    "quicklook": (
        ("draw a picture", "ocpipe quicklook product.nc"),
        ("draw two variables", "ocpipe quicklook product.nc --variables aph_443,bbp_443 -o p.png"),
    ),
    "matchup": (
        ("match points with scenes", "ocpipe matchup points.csv /data/scenes -o matchups.csv"),
        ("use EUMETSAT's protocol", "ocpipe matchup points.sb '*.nc' -c eumetsat -o matchups.nc"),
    ),
    "simulate": (
        ("simulate samples for training", "ocpipe simulate --sensor sgli -n 200000 -o sgli.nc"),
        ("choose bands", "ocpipe simulate --bands 412,443,555 --noise none -o waters.csv"),
    ),
    "train": (
        ("train as a shipped recipe says", "ocpipe train sgli_iops --samples sgli.nc -o trained"),
        ("see what would be trained", "ocpipe train my.yaml -o trained --dry-run"),
        ("train an ensemble", "ocpipe train my.yaml -o trained --members 5"),
        ("choose a size first", "ocpipe train my.yaml -o trained --study sizes=tiny,small,medium"),
    ),
    "tune": (
        ("search for hyperparameters", "ocpipe tune my.yaml -o tuned"),
        ("see what would be searched", "ocpipe tune my.yaml -o tuned --dry-run"),
        ("start over", "ocpipe tune my.yaml -o tuned --restart"),
    ),
    "finetune": (
        ("continue with own samples", "ocpipe finetune SGLI_aphNN.h5 fine.yaml -o tuned"),
        ("use other samples", "ocpipe finetune net.h5 fine.yaml --samples own.csv -o tuned"),
    ),
    "evaluate": (
        ("evaluate on the test part", "ocpipe evaluate trained/net.h5 -c my.yaml -o report"),
        ("compare two networks", "ocpipe evaluate new.h5 old.h5 -c my.yaml --part validation"),
    ),
    "export": (
        ("save for OC-SMART", "ocpipe export model.keras -o MODIS-Aqua_aphNN.h5"),
        ("save as ONNX", "ocpipe export SGLI_aphNN.h5 -o aph.onnx"),
    ),
    "init": (
        ("draft with networks that fit", "ocpipe init --scene scene.nc --networks nets -o my.yaml"),
        ("draft with one network", "ocpipe init --scene scene.nc --network nets/aph.h5"),
        ("state units that a file lacks",
         "ocpipe init --scene a.tif --reader geotiff --reader-option units=sr-1"),
    ),
    "list": (
        ("list the lists of masks", "ocpipe list masks"),
        ("list networks with all facts", "ocpipe list networks --networks nets --json"),
    ),
    "schema": (
        ("list the kinds of files", "ocpipe schema"),
        ("save a schema for an editor", "ocpipe schema run -o run.json"),
    ),
    "doctor": (
        ("check the installation", "ocpipe doctor"),
        ("check a folder too", "ocpipe doctor --networks nets --output /data/products"),
    ),
    "completion": (
        ("complete in this shell", 'eval "$(ocpipe completion bash)"'),
        ("complete in every zsh", "ocpipe completion zsh"),
    ),
}  # fmt: skip


def add_examples(command: click.Command) -> None:
    """Put the examples of a command at the end of its help."""
    lines = [
        line
        for what, call in EXAMPLES.get(command.name or "", ())
        for line in (f"  {call}", f"      {what}")
    ]
    if lines:
        # \b keeps click from wrapping the lines.
        command.epilog = "\n".join(["\b", "Examples:", *lines])
