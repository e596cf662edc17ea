import { describe, expect, it } from "vitest";
import { ago, duration, microsOf, money, moneyRange, plain, size } from "./format";

describe("money", () => {
  it("shows at least two digits and no more than say something", () => {
    expect(money(0)).toBe("0.00");
    expect(money(1_500_000)).toBe("1.50");
    expect(money(-1_234_567)).toBe("-1.234567");
    expect(money(1_234_000_000)).toBe("1,234.00");
    expect(money(null)).toBe("–");
  });
  it("reads what it shows, exactly", () => {
    expect(microsOf("0.1")).toBe(100_000);
    expect(microsOf("12")).toBe(12_000_000);
    expect(microsOf("1.2345678")).toBeNull();
    expect(microsOf("1e3")).toBeNull();
  });
  it("says when there is no upper end", () => {
    expect(moneyRange(10_000, null)).toBe("≥ 0.01");
    expect(moneyRange(10_000, 10_000)).toBe("0.01");
  });
});

describe("time and size", () => {
  it("uses the two largest units", () => {
    expect(duration(950)).toBe("950 ms");
    expect(duration(200_000)).toBe("3 min 20 s");
    expect(duration(7_500_000)).toBe("2 h 5 min");
    expect(duration(null)).toBe("–");
    expect(size(999)).toBe("999 B");
    expect(size(1_234_567)).toBe("1.23 MB");
  });
  it("says how long ago in both languages", () => {
    expect(ago(0, 7_200_000, "en")).toBe("2 hours ago");
    expect(ago(0, 7_200_000, "zh")).toBe("2小时前");
  });
});

describe("text from elsewhere", () => {
  it("cannot steer what follows it", () => {
    expect(plain("a\u202eb\u0007c")).toBe("a·b·c");
    expect(plain("a\tb\nc")).toBe("a\tb\nc");
  });
});
