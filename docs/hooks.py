"""What the site has besides the pages of this folder: the tables of flags, notebooks, and files from outside of it."""

import base64
import dataclasses
import json
import pathlib
import sys

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from flow_gan.config import SECTIONS, about  # noqa: E402  needs the path

FLAGS_MARK = "<!-- the tables of flags -->"
PAGES_FROM_ELSEWHERE = ("CHANGELOG.md", "CONTRIBUTING.md", "tests/golden/README.md")


def on_files(files, config):
    """Add the committed results, the notebooks, and pages from elsewhere, under their paths in the repository."""
    results = (path for path in (ROOT / "runs" / "results").rglob("*") if path.suffix in (".html", ".png"))
    for path in (*sorted(results), *(ROOT / page for page in PAGES_FROM_ELSEWHERE)):
        files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    for path in sorted((ROOT / "examples").glob("*.ipynb")):
        for name, content in notebook_page(path).items():
            files.append(File.generated(config, f"examples/{name}", content=content))
    return files


def on_page_markdown(markdown, page, config, files):
    """Let links work in the site as they do in the repository, and fill in the tables of flags."""
    if page.file.src_uri in PAGES_FROM_ELSEWHERE:
        return markdown.replace("](docs/", "](")
    return markdown.replace("](../", "](").replace(".ipynb)", ".md)").replace(FLAGS_MARK, flag_tables())


def notebook_page(path: pathlib.Path) -> dict[str, str | bytes]:
    """Return the files that show a notebook as it was run, {name: content}: a page, and its pictures."""
    parts: list[str] = []
    pictures: dict[str, str | bytes] = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            if "text" in output:
                parts.append("```text\n" + "".join(output["text"]).rstrip() + "\n```")
            elif "image/png" in output.get("data", {}):
                name = f"{path.stem}-{len(pictures) + 1}.png"
                pictures[name] = base64.b64decode(output["data"]["image/png"])
                parts.append(f"![]({name})")
    return {f"{path.stem}.md": "\n\n".join(parts)} | pictures


def flag_tables() -> str:
    """Return a Markdown table of flags for each section of settings."""
    lines = []
    for section in SECTIONS:
        lines += [f"## {section.TITLE}", "", "| flag | default | meaning |", "|---|---|---|"]
        for field in dataclasses.fields(section):
            known = about(field)
            default = "" if field.default is None else f"`{field.default}`"
            choices = ", ".join(f"`{choice}`" for choice in known.choices or ())
            meaning = known.text + (f" ({choices})" if choices else "")
            # Else <run_dir> and the like would be read as HTML.
            meaning = meaning.replace("<", "&lt;").replace("|", "\\|")
            lines.append(f"| `--{field.name}` | {default} | {meaning} |")
        lines.append("")
    return "\n".join(lines)
