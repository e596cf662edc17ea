import { expect, it } from "vitest";
import { nameFor } from "./draft";

it("a run launched again gets a new name, but for one that takes results over, and never instead of one that was written", () => {
  expect(nameFor("", "", "hello-1")).toEqual({ name: "" });
  expect(nameFor("any", "", "hello-1")).toEqual({ name: "hello-1" });
  expect(nameFor("", "hello-1", "hello-1")).toEqual({ name: "" });
  expect(nameFor("any", "mine", "hello-1")).toEqual({});
  expect(nameFor("", "mine", "hello-1")).toEqual({});
  expect(nameFor("any", "", "")).toEqual({});
});
