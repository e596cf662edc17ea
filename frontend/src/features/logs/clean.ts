// What terminals obey and readers need not see. Pure.

// CSI and OSC sequences (colours, cursor, links): their text is kept, what they would do is not.
// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

/** A line as a terminal would leave it: without escapes, and of what was written over the last. */
export function clean(line: string): string {
  const bare = line.replace(ESCAPES, "").replace(/\r+$/, "");
  return bare.slice(bare.lastIndexOf("\r") + 1);
}

/** The lines of a text made for a terminal; any other text as it is, with its line ends made one kind. */
export const cleanText = (text: string): string => (text.includes("\u001b") ? text.split("\n").map(clean).join("\n") : text.replace(/\r\n?/g, "\n"));
