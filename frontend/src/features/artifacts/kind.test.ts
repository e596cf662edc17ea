import { describe, expect, it } from "vitest";
import { kindOf } from "./kind";

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
    expect(kindOf("model", new Uint8Array([80, 75, 3, 4, 0, 0])).kind).toBe("binary");
    expect(kindOf("empty", new Uint8Array())).toEqual({ kind: "text", type: "" });
  });
  it("does not take HTML without a name for a page", () => {
    expect(kindOf("x", bytes("<html><script>1</script>")).kind).toBe("text");
  });
});
