import { describe, expect, it, vi } from "vitest";
import { isCut, kindOf, mostOf, npyOf, pixelsOf, READ_MAX_BYTES } from "./kind";
import { bounded, encodingOf, readHead, textOf } from "./read";

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
    expect(encodingOf(new Uint8Array([...bytes("Gr"), 0xf6, 0xdf, ...bytes("e "), 0xc5, ...bytes("ngstr"), 0xf6, ...bytes("m f"), 0xfc, ...bytes("r")]))).toBe("windows-1252");
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
  it("says what binary files are", () => {
    const begun = (hex: string, at = 0) => new Uint8Array([...new Array<number>(at).fill(0), ...hex.match(/../g)!.map((pair) => parseInt(pair, 16)), 0, 0]);
    expect(kindOf("scan.tiff", begun("49492a00")).type).toBe("tiff");
    expect(kindOf("a.tar.xz", begun("fd377a585a00")).type).toBe("packed");
    expect(kindOf("a", begun("7573746172", 257)).type).toBe("tar");
    expect(kindOf("a", begun("57454250", 8))).toEqual({ kind: "image", type: "image/webp" });
  });
  it("finds how large a picture is before it is drawn", () => {
    const png = new Uint8Array(33);
    new DataView(png.buffer).setUint32(16, 10_000);
    new DataView(png.buffer).setUint32(20, 9_000);
    expect(pixelsOf(png, "image/png")).toEqual([10_000, 9_000]);
    const jpeg = new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc2, 0, 11, 8, 0x04, 0, 0x08, 0, ...new Array<number>(20).fill(0)]);
    expect(pixelsOf(jpeg, "image/jpeg")).toEqual([2048, 1024]);
    expect(pixelsOf(new Uint8Array(3), "image/png")).toBeNull();
    expect([isCut(png, "image/png"), isCut(bytes("..IEND...."), "image/png"), isCut(jpeg, "image/jpeg")]).toEqual([true, false, false]);
  });
  it("reads of a file only what is worth it, and gives what cannot be unpacked as it is", async () => {
    const answer = (body: Uint8Array<ArrayBuffer>) => vi.stubGlobal("fetch", () => Promise.resolve(new Response(body)));
    const read = (name: string, size: number) => readHead("/x", name, size, READ_MAX_BYTES, mostOf, new AbortController().signal);
    answer(new Uint8Array(3_000_000));
    const zeros = await read("sparse.bin", 3_000_000);
    expect([zeros.bytes.length, zeros.whole]).toEqual([64 * 1024, false]);
    answer(new TextEncoder().encode("line\n".repeat(400_000)));
    expect((await read("a.log", 2_000_000)).bytes.length).toBe(1024 * 1024);
    answer(new Uint8Array([0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff]));
    const broken = await read("a.csv.gz", 12);
    expect([broken.packed, kindOf(broken.name, broken.bytes).type]).toEqual([false, "gzip"]);
    answer(new Uint8Array());
    expect((await read("empty", 0)).bytes.length).toBe(0);
    vi.unstubAllGlobals();
  });
});
