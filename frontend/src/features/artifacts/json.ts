// JSON laid out for reading, character by character: what no parser takes (NaN, a text that is cut off, one value a line) is
// laid out all the same, and no digit of a number changes. Pure.

const LINE = 100;

export function laidOut(text: string): string {
  const out: string[] = [];
  let depth = 0;
  let i = 0;
  const newline = () => out.push("\n", "  ".repeat(Math.min(depth, 40)));
  while (i < text.length) {
    const c = text[i]!;
    if (c === '"') {
      const end = endOfString(text, i);
      out.push(text.slice(i, end));
      i = end;
    } else if (c === "{" || c === "[") {
      const flat = flatFrom(text, i);
      if (flat !== null) {
        out.push(flat.text);
        i = flat.end;
      } else {
        depth += 1;
        out.push(c);
        newline();
        i += 1;
      }
    } else if (c === "}" || c === "]") {
      depth = Math.max(0, depth - 1);
      newline();
      out.push(c);
      i += 1;
    } else if (c === ",") {
      out.push(c);
      newline();
      i += 1;
    } else if (c === ":") {
      out.push(": ");
      i += 1;
    } else if (/\s/.test(c)) {
      if (depth === 0 && c === "\n" && out.length > 0) out.push("\n"); // one value a line
      i += 1;
    } else {
      const end = i + (/^[^\s",:[\]{}]+/.exec(text.slice(i, i + 1000))?.[0].length ?? 1);
      out.push(text.slice(i, end));
      i = end;
    }
  }
  return out.join("");
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return Math.min(text.length, at + 1);
}

/** An array or object without others in it that fits on a line, on one. */
function flatFrom(text: string, start: number): { text: string; end: number } | null {
  const close = text[start] === "{" ? "}" : "]";
  let out = text[start]!;
  let at = start + 1;
  while (at < text.length && out.length <= LINE) {
    const c = text[at]!;
    if (c === close) return { text: out + c, end: at + 1 };
    if (c === "{" || c === "[" || c === "}" || c === "]") return null;
    if (c === '"') {
      const end = endOfString(text, at);
      out += text.slice(at, end);
      at = end;
    } else {
      if (!/\s/.test(c)) out += c === "," ? ", " : c === ":" ? ": " : c;
      at += 1;
    }
  }
  return null;
}
