"""Whether an HTML page is well-formed."""

import html.parser
import re

VOID = {"meta", "img", "br", "link"}


class Reader(html.parser.HTMLParser):
    """Collects elements, anchors and text, and fails where tags do not nest."""

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.ids, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text.append(data)


def check_html(text):
    """Assert that a page is well-formed and needs nothing else; return its `Reader`."""
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open
    assert len(set(reader.ids)) == len(reader.ids), "an id is there twice"
    tags = [tag for tag, _ in reader.elements]
    assert not {"script", "link", "iframe", "object"} & set(tags) and tags.count("h1") == 1
    for tag, attributes in reader.elements:
        for name in ("src", "href", "srcset", "data"):
            value = attributes.get(name, "#summary")
            assert re.match(r"#|data:image/(png|svg\+xml);base64,", value), value[:80]
            if value.startswith("#") and tag == "a":
                assert value[1:] in reader.ids, value
        if tag == "img":
            assert len(attributes["alt"]) > 20
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    assert "@media print" in style and "url(" not in style and "@import" not in style
    return reader
