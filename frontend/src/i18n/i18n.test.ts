import { describe, expect, it } from "vitest";
import base from "./en/base.json";
import zhBase from "./zh/base.json";
import { ATTEMPT_STATES, PHASES, RUN_STATES, TASK_STATES } from "@/lib/states";

type Tree = { [key: string]: string | Tree };

function keys(tree: Tree, prefix = ""): string[] {
  return Object.entries(tree).flatMap(([key, value]) => (typeof value === "string" ? [`${prefix}${key}`] : keys(value, `${prefix}${key}.`)));
}

function placeholders(tree: Tree, prefix = ""): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([key, value]) =>
      typeof value === "string" ? [[`${prefix}${key}`, [...value.matchAll(/{{(\w+)}}/g)].map((m) => m[1]).sort().join()]] : Object.entries(placeholders(value, `${prefix}${key}.`)),
    ),
  );
}

const files = import.meta.glob<Tree>("./*/*.json", { import: "default", eager: true });

function all(language: string): Tree {
  const own = Object.entries(files).filter(([path]) => path.startsWith(`./${language}/`));
  return Object.fromEntries(own.map(([path, tree]) => [path.split("/").at(-1)!, tree]));
}

describe("the two languages", () => {
  it("have the same keys and the same placeholders", () => {
    expect(keys(all("zh"))).toEqual(keys(all("en")));
    expect(placeholders(all("zh"))).toEqual(placeholders(all("en")));
  });
  it("have a word for every state", () => {
    for (const table of [RUN_STATES, PHASES, TASK_STATES, ATTEMPT_STATES])
      for (const look of Object.values(table)) {
        expect(base.state).toHaveProperty(look.word);
        expect(zhBase.state).toHaveProperty(look.word);
      }
  });
});
