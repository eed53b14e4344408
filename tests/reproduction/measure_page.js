// What the browser has laid out of the page in each iframe, as JSON, into the preformatted text of the page around them.
onload = () => {
  const pages = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument;
    const all = (query) => [...page.querySelectorAll(query)];
    const style = (element) => frame.contentWindow.getComputedStyle(element);
    const box = (element) => {
      const { left, top, right, bottom } = element.getBoundingClientRect();
      return [left, top, right, bottom];
    };
    const texts = (elements) => elements.map((element) => element.textContent);
    const isDivided = (element) => {
      const range = page.createRange();
      range.selectNodeContents(element);
      return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1;
    };
    const scrolls = (element) => element && (style(element).overflowX === "auto" || scrolls(element.parentElement));
    const isFollowed = (heading) => {
      const around = [...heading.parentElement.children];
      return around.slice(around.indexOf(heading) + 1).some((next) => !/^H/.test(next.tagName));
    };
    const isKept = (element) => element && (style(element).breakInside === "avoid" || isKept(element.parentElement));
    pages[frame.id] = {
      width: page.documentElement.scrollWidth,
      tooWide: all("main *").filter((e) => box(e)[2] > frame.clientWidth + 1 && !scrolls(e)).map((e) => e.outerHTML.slice(0, 80)),
      isLoaded: all("img").every((e) => e.complete && e.naturalWidth > 0),
      images: all("figure img").map((e) => [e.alt, ...box(e), e.closest(".panels").className]),
      numbers: texts(all("td").filter((e) => /\d/.test(e.textContent))).length,
      divided: texts(all("td.number, td").filter((e) => /^[−+\d.e± -]+$/.test(e.textContent) && isDivided(e))),
      findings: box(all(".findings")[0]),
      contents: box(all("nav")[0]),
      figures: box(all("#figures")[0]),
      headings: texts(all("h2, h3")),
      lonely: texts(all("h2, h3").filter((e) => e.parentElement.tagName !== "SUMMARY" && !(isKept(e) && isFollowed(e)))),
      folds: all("details").map((e) => e.lastElementChild.checkVisibility({ contentVisibilityAuto: true })),
    };
  }
  document.querySelector("pre").textContent = JSON.stringify(pages);
};
