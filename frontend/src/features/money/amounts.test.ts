import { describe, expect, it } from "vitest";
import { daysAgo, limitOf, roundUp } from "./amounts";

describe("amounts", () => {
  it("an axis ends at a round number that holds everything", () => {
    for (const most of [1, 7, 99, 101, 2_400_000, 2_600_000]) expect(roundUp(most)).toBeGreaterThanOrEqual(most);
    expect(roundUp(2_400_000)).toBe(2_500_000);
    expect(roundUp(0)).toBe(1);
  });
  it("a limit is typed in cores, GiB and currency units, and what is no number is none", () => {
    expect(limitOf("cpu_millis", "2.5")).toBe(2500);
    expect(limitOf("storage_bytes", "0.5")).toBe(512 * 1024 ** 2);
    expect(limitOf("month_micros", "12.5")).toBe(12_500_000);
    expect(limitOf("runs", "3")).toBe(3);
    for (const text of ["", "-1", "1e9", "two", "1.5"]) expect(limitOf("runs", text)).toBeNull();
  });
  it("a period of days ends with today, over months and years", () => {
    expect(daysAgo("2026-01-02", 7)).toBe("2025-12-27");
    expect(daysAgo("2026-03-01", 1)).toBe("2026-03-01");
  });
});
