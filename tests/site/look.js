// What a reader would see wrong on the page that is open; a list of lines.
() => {
  const problems = [];
  const short = (text) => text.trim().replace(/\s+/g, " ").slice(0, 80);

  // --- Formulas ---
  for (const formula of document.querySelectorAll(".math")) {
    if (!formula.querySelector("mjx-container")) {
      problems.push(`formula not rendered: ${short(formula.textContent)}`);
    }
  }
  // An unknown command is set in red; what cannot be parsed becomes an mjx-merror.
  for (const error of document.querySelectorAll("mjx-merror, mjx-container [style*='red']")) {
    problems.push(`formula with an error: ${short(error.textContent)}`);
  }
  const raw = /\\[([]|\$\$|\$[^\s$][^$\n]*\$|\\(frac|tfrac|log|mathrm|mathbb|sum|int|operatorname)\b/;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const parent = texts.currentNode.parentElement;
    if (parent.closest("pre, code, script, style, mjx-container, .math, .sig")) continue;
    if (raw.test(texts.currentNode.data)) {
      problems.push(`raw TeX: ${short(texts.currentNode.data)}`);
    }
  }

  // --- Pictures ---
  for (const picture of document.images) {
    if (picture.loading !== "lazy" && picture.naturalWidth === 0) {
      problems.push(`picture without content: ${picture.src}`);
    }
  }

  // --- Width: nothing is cut off at the right, except within a box that scrolls ---
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    problems.push(`the page is ${document.documentElement.scrollWidth} px wide on ${width} px`);
  }
  const scrolls = (element) => {
    for (let box = element; box && box.tagName !== "BODY"; box = box.parentElement) {
      if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return true;
    }
    return false;
  };
  for (const element of document.querySelectorAll("article *")) {
    const right = element.getBoundingClientRect().right;
    if (right > width + 1 && !element.closest("mjx-assistive-mml") && !scrolls(element)) {
      problems.push(`cut off at ${Math.round(right)} px: ${short(element.outerHTML)}`);
    }
  }
  return problems;
};
