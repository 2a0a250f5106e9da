type Attributes = Readonly<Record<string, string | number>>;

/** One SVG element as text. */
export function element(name: string, attributes: Attributes, content = ''): string {
  const text = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(shortened(value))}"`);
  return content === '' ? `<${name}${text.join('')}/>` : `<${name}${text.join('')}>${content}</${name}>`;
}

export function text(content: string, attributes: Attributes): string {
  return element('text', attributes, escaped(content));
}

/** A whole picture with a title, which is also what a screen reader says. */
export function picture(
  { width, height, title, ground }: { width: number; height: number; title: string; ground: string },
  content: readonly string[],
): string {
  const frame = element('rect', { width, height, rx: 8, fill: ground });
  const attributes = {
    xmlns: 'http://www.w3.org/2000/svg',
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: 'img',
    'font-family': 'system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif',
    'font-size': 13,
  };
  const name = element('title', {}, escaped(title));
  return `${element('svg', attributes, `\n${[name, frame, ...content].join('\n')}\n`)}\n`;
}

function shortened(value: string | number): string {
  return typeof value === 'number' ? String(Math.round(value * 10) / 10) : value;
}

function escaped(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
