// Every text that is shown and too pale to be read (WCAG 2, AA: a contrast of 4.5), with its contrast.
(() => {
  const rgb = (color) => color.match(/[\d.]+/g).map(Number);
  const linear = (part) => (part <= 10.31475 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const ground = (element) => {
    const color = rgb(getComputedStyle(element).backgroundColor);
    return color[3] === 0 ? ground(element.parentElement) : color;
  };
  const contrast = (element) => {
    const [pale, deep] = [rgb(getComputedStyle(element).color), ground(element)].map(luminance).sort((a, b) => b - a);
    return (pale + 0.05) / (deep + 0.05);
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "");
  return [...document.body.querySelectorAll("*")]
    .filter((element) => element.checkVisibility() && hasText(element) && !element.disabled && contrast(element) < 4.5)
    .map((element) => `${element.textContent}: ${contrast(element).toFixed(1)}`);
})();
