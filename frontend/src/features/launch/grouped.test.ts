import { describe, expect, it } from "vitest";
import { grouped, type Parameter } from "./ParameterField";

const parameter = (name: string, group?: string | Record<string, string>) => ({ name, form: group === undefined ? {} : { group } }) as unknown as Parameter;

describe("a form's groups", () => {
  it("come in their order, in the reader's language, those without one first", () => {
    const some = [parameter("a", { en: "Size", zh: "尺寸" }), parameter("b"), parameter("c", "Model"), parameter("d", { en: "Size", zh: "尺寸" })];
    expect(grouped(some, "zh").map((g) => [g.title, ...g.parameters.map((p) => p.name)])).toEqual([["", "b"], ["尺寸", "a", "d"], ["Model", "c"]]);
    expect(grouped([], "en")).toEqual([]);
  });
});
