"""A hook of MkDocs: README.md and CONTRIBUTING.md are pages too, and links work here as they do on GitHub."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
BESIDE = ("README.md", "CONTRIBUTING.md")  # pages at the top level of the repository
LINK = re.compile(r"\]\((?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name in BESIDE:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to files of the repository, from where the page lies in it, become links to pages or to the repository."""
    name = page.file.src_uri
    folder = ROOT if name in BESIDE else (ROOT / "docs" / name).parent

    def changed(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(folder / link["path"]))
        if not target.exists():
            return link[0]  # code, or an error that MkDocs reports
        place = target.relative_to(ROOT).as_posix().removeprefix("docs/")
        if files.get_file_from_path(place) is None:
            place = f"{config.extra['repository']}/{target.relative_to(ROOT).as_posix()}"
        else:
            place = os.path.relpath(place, os.path.dirname(name) or ".")
        return f"]({place}{link['anchor'] or ''})"

    return LINK.sub(changed, markdown)
