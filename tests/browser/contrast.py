"""How well each text of a page stands out from what it stands on.

Source: Web Content Accessibility Guidelines 2.2, 1.4.3 (AA), and its definition of contrast ratio.
"""

from playwright.sync_api import Page

AA = 4.5

# Colours are turned to numbers by a canvas, whatever the style sheet calls them.
_WORST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const paint = (below, colour) => {
    canvas.fillStyle = `rgb(${below})`;
    canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = ([r, g, b]) => [r, g, b]
    .map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (element) => {
    const below = element.parentElement ? ground(element.parentElement) : [255, 255, 255];
    return paint(below, getComputedStyle(element).backgroundColor);
  };
  const texts = [...document.body.querySelectorAll("*")].filter((element) =>
    element.checkVisibility() && !["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName) && !element.disabled &&
    [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
  return texts.map((element) => {
    const below = ground(element);
    const [a, b] = [light(paint(below, getComputedStyle(element).color)), light(below)].sort();
    return [(b + 0.05) / (a + 0.05), element.textContent.trim().slice(0, 40)];
  }).sort(([a], [b]) => a - b)[0];
}"""


def worst_contrast(page: Page) -> tuple[float, str]:
    """Return the lowest contrast of any visible text, as n to 1, and the text that has it."""
    ratio, text = page.evaluate(_WORST)
    return float(ratio), str(text)
