import { expect, test } from "vitest";
import { filtersOf } from "./filters";

test("an address says what narrows the list, and the rest of it is left out", () => {
  const address = new URLSearchParams("state=failed&label=a%3Db&label=c&project=demo&sort=-cost&utm_source=mail&search=");
  expect(filtersOf(address)).toEqual({ state: ["failed"], search: [""], label: ["a=b", "c"] });
});
