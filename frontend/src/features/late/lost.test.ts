import { expect, test } from "vitest";
import { lostIn } from "./lost";

test("the longest part is what is told", () => {
  expect(lostIn({ waiting_ms: 5, staging_ms: 9, running_ms: 2 })).toEqual({ what: "staging", ms: 9 });
  expect(lostIn({ waiting_ms: 0, staging_ms: 0, running_ms: 0 })).toBeNull();
  expect(lostIn(null)).toBeNull();
});
