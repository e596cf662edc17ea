import { describe, expect, it } from "vitest";
import { kindOf, npyOf } from "./kind";
import { bounded, encodingOf, textOf } from "./read";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("what a file is", () => {
  it("goes by the name where it says", () => {
    expect(kindOf("a.csv", bytes("x"))).toEqual({ kind: "table", type: "" });
    expect(kindOf("page.html", bytes("<b>"))).toEqual({ kind: "html", type: "" });
    expect(kindOf("plot.svg", bytes("<svg>"))).toEqual({ kind: "image", type: "image/svg+xml" });
  });
  it("else by how it begins", () => {
    expect(kindOf("plot", new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0]))).toEqual({ kind: "image", type: "image/png" });
    expect(kindOf("plot", bytes('<?xml version="1.0"?>\n<svg xmlns="x">')).type).toBe("image/svg+xml");
    expect(kindOf("frames", bytes("6\nmethanol\nC 0.1 0 0\n")).kind).toBe("structure");
    expect(kindOf("result", bytes('{"a": 1}')).kind).toBe("json");
    expect(kindOf("table", bytes("t,x\n0,1\n1,4\n")).kind).toBe("table");
    expect(kindOf("letter", bytes("Dear all, hello\nyes, it is\n")).kind).toBe("text");
    expect(kindOf("notes", bytes("plain words")).kind).toBe("text");
    expect(kindOf("model", new Uint8Array([80, 75, 3, 4, 0, 0]))).toEqual({ kind: "binary", type: "zip" });
    expect(kindOf("x.constructor", bytes("plain words")).kind).toBe("text");
    expect(kindOf("plot.png", bytes("no picture")).kind).toBe("text");
    expect(kindOf("empty", new Uint8Array())).toEqual({ kind: "text", type: "" });
  });
  it("knows text in UTF-16, with and without a mark, and older codings", () => {
    const wide = (text: string, mark: boolean) => new Uint8Array([...(mark ? [0xff, 0xfe] : []), ...[...text].flatMap((c) => [c.charCodeAt(0) & 255, c.charCodeAt(0) >> 8])]);
    for (const mark of [true, false]) {
      const found = wide("a;b\r\n1;2\r\n", mark);
      expect(encodingOf(found)).toBe("utf-16le");
      expect(textOf(found, "utf-16le")).toBe("a;b\r\n1;2\r\n");
      expect(kindOf("t.csv", found).kind).toBe("table");
    }
    expect(textOf(new Uint8Array([0xef, 0xbb, 0xbf, 65]), "utf-8")).toBe("A");
    expect(encodingOf(new Uint8Array([0xb2, 0xe2, 0xca, 0xd4]))).toBe("gb18030");
    expect(encodingOf(bytes("é").subarray(0, 1))).toBe("utf-8"); // cut in the middle of a character
    expect(encodingOf(new Uint8Array([0, 1, 2, 3, 0, 0]))).toBeNull();
  });
  it("reads an array's shape from its header", () => {
    const header = "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }\n";
    const file = new Uint8Array([0x93, ...bytes("NUMPY"), 1, 0, header.length, 0, ...bytes(header), 0, 0]);
    expect(kindOf("a.npy", file)).toEqual({ kind: "binary", type: "npy" });
    expect(npyOf(file)).toEqual({ shape: [3, 4], type: "float64" });
  });
  it("reads no further than it may, also of what is packed", async () => {
    const stream = () => new ReadableStream<Uint8Array>({ start: (c) => { for (let i = 0; i < 10; i += 1) c.enqueue(new Uint8Array(10_000)); c.close(); } });
    expect((await bounded(stream(), 1000)).map((x) => (typeof x === "boolean" ? x : x.length))).toEqual([1000, false]);
    expect((await bounded(stream(), 200_000)).map((x) => (typeof x === "boolean" ? x : x.length))).toEqual([100_000, true]);
  });
  it("does not take HTML without a name for a page", () => {
    expect(kindOf("x", bytes("<html><script>1</script>")).kind).toBe("text");
  });
});
