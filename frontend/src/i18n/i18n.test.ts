import { describe, expect, it } from "vitest";
import en from "./en.json";
import zh from "./zh.json";
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

describe("the two languages", () => {
  it("have the same keys and the same placeholders", () => {
    expect(keys(zh)).toEqual(keys(en));
    expect(placeholders(zh)).toEqual(placeholders(en));
  });
  it("have a word for every state", () => {
    for (const table of [RUN_STATES, PHASES, TASK_STATES, ATTEMPT_STATES])
      for (const look of Object.values(table)) {
        expect(en.state).toHaveProperty(look.word);
        expect(zh.state).toHaveProperty(look.word);
      }
  });
});
