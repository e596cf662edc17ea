import { describe, expect, it } from "vitest";
import { answersTo, questionsOf } from "./answer";

describe("a suspended step", () => {
  it("asks for what is supplied, with the meaning its input of that name has", () => {
    const inputs = { parameters: [{ name: "go", enum: ["yes", "no"], value: "no", description: "Ship it?" }, { name: "x", value: "1" }] };
    const outputs = { parameters: [{ name: "go", valueFrom: { supplied: {} } }, { name: "why", valueFrom: { supplied: {}, default: "-" } }, { name: "fixed", value: "1" }] };
    expect(questionsOf(inputs, outputs)).toEqual([
      { name: "go", value: "no", choices: ["yes", "no"], help: "Ship it?" },
      { name: "why", value: "-", choices: [], help: "" },
    ]);
    expect(questionsOf(null, null)).toEqual([]);
  });
  it("was answered by signals that name it, or by the run's resume", () => {
    const signal = (kind: string, selector?: string) => ({ kind, actor: "user:ann", at_ms: 1, payload: selector === undefined ? {} : { selector } });
    const all = [signal("resume", "id=n1"), signal("resume", "displayName=other"), signal("resume"), signal("suspend"), signal("stop", "displayName=ask")];
    expect(answersTo(all, { id: "n1", name: "ask" })).toEqual([all[0], all[2], all[4]]);
  });
});
