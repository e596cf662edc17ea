import { expect, test } from "vitest";
import { joined, offsetAfter, TAIL_BYTES, type Look } from "./tail";

const look = (more: Partial<Look>): Look => ({
  attempt: 1, path: "/log", kind: "file", entries: [], truncated: false, size_bytes: 4, modified_ms: 10, offset: 0, next_offset: 4, text: "one\n", binary: false, live: true, kept_until_ms: null, ...more,
});

test("a file is first read from its end, and then from where it was read to", () => {
  expect(offsetAfter(undefined)).toBe(-TAIL_BYTES);
  expect(offsetAfter(look({}))).toBe(4);
  expect(offsetAfter(look({ live: false }))).toBe(-TAIL_BYTES);
  expect(offsetAfter(look({ kind: "directory" }))).toBe(-TAIL_BYTES);
});

test("what came is put behind what is shown, and the front is let go of when it is long", () => {
  expect(joined(look({}), look({ offset: 4, next_offset: 8, size_bytes: 8, text: "two\n", modified_ms: 11 }))?.text).toBe("one\ntwo\n");
  expect(joined(look({}), look({ offset: 4, text: "" }))?.text).toBe("one\n");
  const long = joined(look({ text: "x".repeat(2 * TAIL_BYTES) }), look({ offset: 4, next_offset: 6, size_bytes: 6, text: "yz", modified_ms: 11 }));
  expect(long?.text.length).toBe(2 * TAIL_BYTES);
  expect(long?.text.endsWith("yz")).toBe(true);
  expect(long?.offset).toBeGreaterThan(0);
});

test.each([
  ["shorter", { offset: 2, next_offset: 2, size_bytes: 2, text: "" }],
  ["written anew at the same length", { offset: 4, text: "", modified_ms: 99 }],
  ["much longer", { offset: 4, next_offset: 4 + TAIL_BYTES, size_bytes: 4 + 2 * TAIL_BYTES, modified_ms: 11 }],
  ["another attempt's", { attempt: 2, offset: 4, text: "" }],
])("the end is read again of a file that is %s", (_, more) => {
  expect(joined(look({}), look(more))).toBeNull();
});
