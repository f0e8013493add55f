"""The README.txt of an export: what to do with it in the tool, and how the labels come back."""

from __future__ import annotations

from pathlib import Path

from edgekit.control.labels.boxes import Format, Handed

_COCO = """annotations.json holds the labels, images/ the pictures.

Any tool that reads COCO takes both. Boxes are x, y, width, height in pixels."""

_YOLO = """labels/ holds a .txt for each picture that has labels, images/ the pictures, data.yaml and classes.txt
the classes.

Any tool that reads YOLO takes them, and so does Ultralytics' training."""

_CVAT = """annotations.xml holds the labels, in the form "CVAT for images 1.1"; images/ the pictures.

1. In CVAT: Tasks, +, Create a new task. Under Labels choose Raw and paste the content of cvat_labels.json.
2. Add all files of images/ and submit.
3. Open the task: Actions, Upload annotations, CVAT 1.1, annotations.xml.
4. Correct the boxes. A picture that shows nothing gets the tag "empty"; without box and tag it counts as not looked
   at.
5. Actions, Export task dataset, "CVAT for images 1.1"."""

_LABEL_STUDIO = """tasks.json holds the tasks, labeling_config.xml the labelling interface, images/ the pictures.

1. Start Label Studio so that it may read this folder:
     LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={parent} label-studio
   In a container the pictures must be copies (--pictures copy), and the folder must be mounted.
2. Create a project. Settings, Labeling Interface, Code: paste the content of labeling_config.xml.
3. Settings, Cloud Storage, Add Source Storage, Local files: {images}. Save it without a sync.
4. Import tasks.json.
5. Submit every picture that you looked at, also one that shows nothing; skip those that you cannot judge.
6. Export the project as JSON."""

_TEXTS: dict[Format, str] = {"coco": _COCO, "yolo": _YOLO, "cvat": _CVAT, "label-studio": _LABEL_STUDIO}


def guide(handed: Handed, form: Format, out: Path) -> str:
    """The text of README.txt."""
    text = _TEXTS[form].format(parent=out.parent, images=out / "images")
    return f"""Pictures of edgekit's set {handed.set_name}: {len(handed.pictures)}, classes: {", ".join(handed.classes)}

{text}

The labels come back with
    edgekit calib import {handed.set_name} FILE
where FILE is what the tool wrote: a file, a folder or a ZIP archive. Keep the names of the pictures.
{"" if form == "label-studio" else _REVIEWED}"""


_REVIEWED = """
This form cannot tell a picture that was looked at from one that was not. Pictures that come back without a box, or with
a detector's boxes as they were, stay without labels. If every picture was looked at, add --reviewed.
"""
