import { afterEach, describe, expect, it } from "vitest";
import { about, ago, amount, amountRange, currencyFrom, duration, microsOf, money, moneyRange, plain, priced, size } from "./format";

describe("money", () => {
  afterEach(() => currencyFrom("CNY"));
  it("a sum that stands alone says the currency, in a table the head does", () => {
    expect([money(1_500_000), priced("Cost")]).toEqual(["1.50", "Cost"]); // before the server has said it
    currencyFrom("EUR");
    expect(money(1_500_000)).toBe("1.50\u00a0EUR");
    expect(moneyRange(10_000, 20_000)).toBe("0.01 – 0.02\u00a0EUR");
    expect([amount(1_500_000), amountRange(10_000, 20_000)]).toEqual(["1.50", "0.01 – 0.02"]);
    expect([priced("Cost"), priced("费用")]).toEqual(["Cost (EUR)", "费用（EUR）"]);
    expect(money(null)).toBe("–");
    currencyFrom("%E5%85%83");
    currencyFrom(null); // an answer that names none
    currencyFrom("%E5%85"); // and one of something between
    expect(money(1_500_000)).toBe("1.50\u00a0元");
  });
  it("an estimate has two digits, and a little is not nothing", () => {
    expect(about(1_234_567)).toBe("1.23");
    expect(about(0)).toBe("0.00");
    expect(about(12)).toBe("< 0.01");
    expect(about(12_345_678_900)).toBe("12,345.68");
  });
  it("shows at least two digits and no more than say something", () => {
    expect(amount(0)).toBe("0.00");
    expect(amount(1_500_000)).toBe("1.50");
    expect(amount(-1_234_567)).toBe("-1.234567");
    expect(amount(1_234_000_000)).toBe("1,234.00");
    expect(amount(null)).toBe("–");
  });
  it("reads what it shows, exactly", () => {
    expect(microsOf("0.1")).toBe(100_000);
    expect(microsOf("12")).toBe(12_000_000);
    expect(microsOf("1.2345678")).toBeNull();
    expect(microsOf("1e3")).toBeNull();
  });
  it("says when there is no upper end", () => {
    expect(amountRange(10_000, null)).toBe("≥ 0.01");
    expect(amountRange(10_000, 10_000)).toBe("0.01");
  });
});

describe("time and size", () => {
  it("uses the two largest units", () => {
    expect(duration(950)).toBe("950 ms");
    expect(duration(200_000)).toBe("3 min 20 s");
    expect(duration(7_500_000)).toBe("2 h 5 min");
    expect(duration(null)).toBe("–");
    expect(size(999)).toBe("999 B");
    expect(size(1_234_567)).toBe("1.177 MiB");
    expect([size(1023), size(1024), size(900 * 1024 ** 3), size(5000 * 1024 ** 5)]).toEqual(["1023 B", "1 KiB", "900 GiB", "5000 PiB"]);
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
