// Texts that do not stand out from what is behind them; a list of lines.
// The ratio is that of WCAG 2, and 4.5 its level AA for text.
() => {
  const channels = (colour) => {
    const numbers = colour.match(/[\d.]+/g).map(Number);
    return colour.startsWith("color(")
      ? [...numbers.slice(0, 3).map((share) => 255 * share), numbers[3] ?? 1]
      : [...numbers.slice(0, 3), numbers[3] ?? 1];
  };
  const over = (front, back) =>
    [0, 1, 2].map((i) => front[3] * front[i] + (1 - front[3]) * back[i]).concat(1);
  const behind = (element) => {
    const layers = [];
    for (let box = element; box; box = box.parentElement) {
      layers.push(channels(getComputedStyle(box).backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    return layers.reduceRight((back, front) => over(front, back), [255, 255, 255, 1]);
  };
  const luminance = (colour) => {
    const [r, g, b] = colour
      .map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };

  const found = new Map();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility({ visibilityProperty: true })) {
      continue;
    }
    if (element.closest("script, style, noscript, mjx-container")) continue;
    const back = behind(element);
    const front = over(channels(getComputedStyle(element).color), back);
    const [low, high] = [luminance(front), luminance(back)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) {
      const kind = `${element.tagName.toLowerCase()}.${element.className}`;
      const text = texts.currentNode.data.trim().slice(0, 40);
      found.set(kind, `contrast ${ratio.toFixed(1)}: ${kind}: ${text}`);
    }
  }
  return [...found.values()];
};
